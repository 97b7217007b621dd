//! The environment of this function.

use aws::config::{Environment, Incomplete};

/// What this function is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it asks for alerts to be decided again.
    pub queue_url: String,
    /// The table of alert records.
    pub alerts_table: String,
    /// The table of what partners set up, and of when they are due.
    pub config_table: String,
    /// Its own name, for running beside itself.
    pub function_name: String,
}

impl Config {
    /// Reads `QUEUE_URL`, `ALERTS_TABLE`, `CONFIG_TABLE`, and Lambda's own `AWS_LAMBDA_FUNCTION_NAME`.
    ///
    /// # Errors
    /// All variables that are missing.
    pub fn from_env() -> Result<Self, Incomplete> {
        let mut environment = Environment::default();
        let config = Self {
            queue_url: environment.text("QUEUE_URL"),
            alerts_table: environment.text("ALERTS_TABLE"),
            config_table: environment.text("CONFIG_TABLE"),
            function_name: environment.text("AWS_LAMBDA_FUNCTION_NAME"),
        };
        environment.complete(config)
    }
}
