//! The environment variables of this function.

use aws::config::{Environment, MissingVariables, optional};
use connections::ConnectionsConfig;
use domain::EmailAddress;
use jiff::SignedDuration;
use scheduled::FunctionConfig;

#[derive(Debug, Clone)]
pub struct Config {
    /// The origin of the set-up page: `scheme://host[:port]`.
    pub page_origin: String,
    pub alerts_table: String,
    /// The tables and secrets of connections. Its config table also says when partners are due.
    pub connections: ConnectionsConfig,
    /// The sender of mails.
    pub mail_from: String,
    /// Gets mail about problems of Ticketbridge itself.
    pub operator_mail: Option<EmailAddress>,
    /// The queue of `tickets`, for the alerts about inactive sources.
    pub queue_url: String,
    /// The queue of messages that can never be processed.
    pub dead_letter_queue_url: String,
    /// The stack's name, for mails to the operator.
    pub stack: String,
    pub function: FunctionConfig,
    /// How often a healthy connection is probed.
    pub period: SignedDuration,
}

impl Config {
    /// Reads `PAGE_ORIGIN`, `ALERTS_TABLE`, `CONFIG_TABLE`, `ACCESS_TABLE`,
    /// `CONNECTION_SECRET_PREFIX`, `CLIENT_ID_SECRET`, `MAIL_FROM`, `QUEUE_URL`,
    /// `DEAD_LETTER_QUEUE_URL`, `HEALTH_SECONDS`, `PARTNERS_PER_TICK`, `ALLOWED_ORIGINS`,
    /// `API_MODEL_VERSION`, `OPERATOR_MAIL` and `STACK` (may be empty), and Lambda's own
    /// `AWS_LAMBDA_FUNCTION_NAME`.
    ///
    /// # Errors
    /// Names all variables that are missing.
    pub fn from_env() -> Result<Self, MissingVariables> {
        let mut environment = Environment::default();
        let config = Self {
            page_origin: environment.address("PAGE_ORIGIN"),
            alerts_table: environment.text("ALERTS_TABLE"),
            connections: ConnectionsConfig::read(&mut environment),
            mail_from: environment.text("MAIL_FROM"),
            operator_mail: environment
                .parsed("OPERATOR_MAIL", |text| EmailAddress::parse(text).ok()),
            queue_url: environment.address("QUEUE_URL"),
            dead_letter_queue_url: environment.address("DEAD_LETTER_QUEUE_URL"),
            stack: optional("STACK").unwrap_or_default(),
            function: FunctionConfig::read(&mut environment),
            period: SignedDuration::from_secs(i64::from(environment.number("HEALTH_SECONDS"))),
        };
        environment.complete(config)
    }
}
