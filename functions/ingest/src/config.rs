//! This function's environment.

use aws::config::{Environment, MissingVariables};

#[derive(Debug, Clone)]
pub struct Config {
    /// The queue for accepted events.
    pub queue_url: String,
    /// Precedes a source's id in the name of its secret.
    pub source_secret_prefix: String,
}

impl Config {
    /// Reads `QUEUE_URL` and `SOURCE_SECRET_PREFIX`.
    ///
    /// # Errors
    /// All variables that are missing.
    pub fn from_env() -> Result<Self, MissingVariables> {
        let mut environment = Environment::default();
        let config = Self {
            queue_url: environment.address("QUEUE_URL"),
            source_secret_prefix: environment.text("SOURCE_SECRET_PREFIX"),
        };
        environment.complete(config)
    }
}
