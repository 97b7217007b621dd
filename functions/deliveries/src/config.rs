//! The environment variables of this function.

use aws::config::{Environment, MissingVariables};

#[derive(Debug, Clone)]
pub struct Config {
    pub deliveries_table: String,
    /// The queue of `tickets`, which writes answers to actions as notes.
    pub queue_url: String,
    /// Precedes a source's id in the name of its secret, which has its webhook.
    pub source_secret_prefix: String,
    /// Origins of receivers in the operator's own network.
    pub webhook_origins: Vec<String>,
}

impl Config {
    /// Reads `DELIVERIES_TABLE`, `QUEUE_URL`, `SOURCE_SECRET_PREFIX` and `WEBHOOK_ORIGINS` (may be empty).
    ///
    /// # Errors
    /// Names all variables that are missing.
    pub fn from_env() -> Result<Self, MissingVariables> {
        let mut environment = Environment::default();
        let config = Self {
            deliveries_table: environment.text("DELIVERIES_TABLE"),
            queue_url: environment.address("QUEUE_URL"),
            source_secret_prefix: environment.text("SOURCE_SECRET_PREFIX"),
            webhook_origins: environment.list("WEBHOOK_ORIGINS"),
        };
        environment.complete(config)
    }
}
