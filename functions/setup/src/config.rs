//! The environment variables of this function.

use aws::config::{Environment, MissingVariables};
use connections::ConnectionsConfig;
use jiff::SignedDuration;

#[derive(Debug, Clone)]
pub struct Config {
    /// The origin of the page: `scheme://host[:port]`.
    pub page_origin: String,
    /// Where sources post; `{source}` is replaced by the source's id.
    pub webhook_url: String,
    /// The queue of test alerts and of requests to decide alerts again.
    pub queue_url: String,
    pub alerts_table: String,
    pub connections: ConnectionsConfig,
    /// The name of a source's secret is this prefix and the source's id.
    pub source_secret_prefix: String,
    pub deliveries_table: String,
    /// Origins of receivers in the operator's own network.
    pub webhook_origins: Vec<String>,
    /// The sender of mails.
    pub mail_from: String,
    /// This function, which invokes itself for work that must not delay a response.
    pub function_name: String,
    /// How long it is known how a person handled a message that no mapping could read.
    pub quarantine_retention: SignedDuration,
    /// How long entries of a partner's history are stored.
    pub history_retention: SignedDuration,
}

impl Config {
    /// Reads `PAGE_ORIGIN`, `WEBHOOK_URL`, `QUEUE_URL`, `ALERTS_TABLE`, `CONFIG_TABLE`,
    /// `ACCESS_TABLE`, `CONNECTION_SECRET_PREFIX`, `CLIENT_ID_SECRET`, `SOURCE_SECRET_PREFIX`,
    /// `DELIVERIES_TABLE`, `MAIL_FROM`, `ALLOWED_ORIGINS` and `WEBHOOK_ORIGINS` (may be empty),
    /// `QUARANTINE_DAYS`, `HISTORY_DAYS`, and Lambda's own `AWS_LAMBDA_FUNCTION_NAME`.
    ///
    /// # Errors
    /// Names all variables that are missing.
    pub fn from_env() -> Result<Self, MissingVariables> {
        let mut environment = Environment::default();
        let config = Self {
            page_origin: environment.address("PAGE_ORIGIN"),
            webhook_url: environment.address("WEBHOOK_URL"),
            queue_url: environment.address("QUEUE_URL"),
            alerts_table: environment.text("ALERTS_TABLE"),
            connections: ConnectionsConfig::read(&mut environment),
            source_secret_prefix: environment.text("SOURCE_SECRET_PREFIX"),
            deliveries_table: environment.text("DELIVERIES_TABLE"),
            webhook_origins: environment.list("WEBHOOK_ORIGINS"),
            mail_from: environment.text("MAIL_FROM"),
            function_name: environment.text("AWS_LAMBDA_FUNCTION_NAME"),
            quarantine_retention: environment.days("QUARANTINE_DAYS"),
            history_retention: environment.days("HISTORY_DAYS"),
        };
        environment.complete(config)
    }
}
