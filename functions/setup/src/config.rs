//! The environment of this function.

use aws::config::{Environment, MissingVariables};

/// What this function is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where people's browsers find the page: `scheme://host[:port]`.
    pub page_origin: String,
    /// Where sources post, `{source}` standing for the source's id.
    pub webhook_url: String,
    /// Where alerts are asked to be decided again, and test alerts go.
    pub queue_url: String,
    /// The table of alert records.
    pub alerts_table: String,
    /// Where connections and their keys are found.
    pub connections: connections::Config,
    /// What comes before a source's id in its secret's name.
    pub source_secret_prefix: String,
    /// Whom mails come from.
    pub mail_from: String,
    /// This function, which starts itself for work that no answer waits for.
    pub function_name: String,
}

impl Config {
    /// Reads `PAGE_ORIGIN`, `WEBHOOK_URL`, `QUEUE_URL`, `ALERTS_TABLE`, `CONFIG_TABLE`, `ACCESS_TABLE`, `CONNECTION_SECRET_PREFIX`, `CLIENT_ID_SECRET`,
    /// `SOURCE_SECRET_PREFIX`, `MAIL_FROM`, `ALLOWED_ORIGINS` (may be empty), and Lambda's own `AWS_LAMBDA_FUNCTION_NAME`.
    ///
    /// # Errors
    /// All variables that are missing.
    pub fn from_env() -> Result<Self, MissingVariables> {
        let mut environment = Environment::default();
        let config = Self {
            page_origin: environment.address("PAGE_ORIGIN"),
            webhook_url: environment.address("WEBHOOK_URL"),
            queue_url: environment.address("QUEUE_URL"),
            alerts_table: environment.text("ALERTS_TABLE"),
            connections: connections::Config {
                config_table: environment.text("CONFIG_TABLE"),
                access_table: environment.text("ACCESS_TABLE"),
                connection_secret_prefix: environment.text("CONNECTION_SECRET_PREFIX"),
                client_id_secret: environment.text("CLIENT_ID_SECRET"),
                allowed_origins: environment.list("ALLOWED_ORIGINS"),
            },
            source_secret_prefix: environment.text("SOURCE_SECRET_PREFIX"),
            mail_from: environment.text("MAIL_FROM"),
            function_name: environment.text("AWS_LAMBDA_FUNCTION_NAME"),
        };
        environment.complete(config)
    }
}
