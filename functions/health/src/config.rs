//! The environment of this function.

use aws::config::{Environment, MissingVariables, optional};
use domain::EmailAddress;
use jiff::SignedDuration;

/// What this function is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where people's browsers find the page: `scheme://host[:port]`.
    pub page_origin: String,
    /// The table of alert records, for what waits.
    pub alerts_table: String,
    /// Where connections and their keys are found; in its table is also when partners are due.
    pub connections: connections::Config,
    /// Whom mails come from.
    pub mail_from: String,
    /// Who is told of trouble with Ticketbridge itself, if anybody is.
    pub operator_mail: Option<EmailAddress>,
    /// Where messages are that can never work.
    pub dead_letter_queue_url: String,
    /// Which of the operator's Ticketbridges this is.
    pub stage: String,
    /// Its own name, for running beside itself.
    pub function_name: String,
    /// How often a connection is tried that is well.
    pub period: SignedDuration,
}

impl Config {
    /// Reads `PAGE_ORIGIN`, `ALERTS_TABLE`, `CONFIG_TABLE`, `ACCESS_TABLE`, `CONNECTION_SECRET_PREFIX`, `CLIENT_ID_SECRET`, `MAIL_FROM`,
    /// `DEAD_LETTER_QUEUE_URL`, `HEALTH_SECONDS`, `ALLOWED_ORIGINS`, `OPERATOR_MAIL` and `STAGE` (may be empty), and Lambda's own `AWS_LAMBDA_FUNCTION_NAME`.
    ///
    /// # Errors
    /// All variables that are missing.
    pub fn from_env() -> Result<Self, MissingVariables> {
        let mut environment = Environment::default();
        let config = Self {
            page_origin: environment.address("PAGE_ORIGIN"),
            alerts_table: environment.text("ALERTS_TABLE"),
            connections: connections::Config::read(&mut environment),
            mail_from: environment.text("MAIL_FROM"),
            operator_mail: environment
                .parsed("OPERATOR_MAIL", |text| EmailAddress::parse(text).ok()),
            dead_letter_queue_url: environment.address("DEAD_LETTER_QUEUE_URL"),
            stage: optional("STAGE").unwrap_or_default(),
            function_name: environment.text("AWS_LAMBDA_FUNCTION_NAME"),
            period: SignedDuration::from_secs(i64::from(environment.number("HEALTH_SECONDS"))),
        };
        environment.complete(config)
    }
}
