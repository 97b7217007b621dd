//! The environment of this function.

use aws::config::{Environment, Incomplete};

/// What this function is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// The queue that accepted events go to.
    pub queue_url: String,
    /// What comes before a source's id in the name of its secret.
    pub source_secret_prefix: String,
}

impl Config {
    /// Reads `QUEUE_URL` and `SOURCE_SECRET_PREFIX`.
    ///
    /// # Errors
    /// All variables that are missing.
    pub fn from_env() -> Result<Self, Incomplete> {
        let mut environment = Environment::default();
        let config = Self {
            queue_url: environment.address("QUEUE_URL"),
            source_secret_prefix: environment.text("SOURCE_SECRET_PREFIX"),
        };
        environment.complete(config)
    }
}
