//! The environment variables of this function.

use aws::config::{Environment, MissingVariables};
use connections::ConnectionsConfig;
use jiff::SignedDuration;

#[derive(Debug, Clone)]
pub struct Config {
    /// The queue that it reads, to delay messages.
    pub queue_url: String,
    /// The queue for messages that can never be processed.
    pub dead_letter_queue_url: String,
    /// The queue for events to webhooks of sources.
    pub delivery_queue_url: String,
    pub alerts_table: String,
    pub connections: ConnectionsConfig,
    /// How long ConnectWise may take to show a ticket whose creation it did not confirm.
    pub settle: SignedDuration,
    /// How long a record is kept whole after its ticket was closed.
    pub timeline_retention: SignedDuration,
    /// How long a message that no mapping can read is stored.
    pub quarantine_retention: SignedDuration,
}

impl Config {
    /// Reads `QUEUE_URL`, `DEAD_LETTER_QUEUE_URL`, `DELIVERY_QUEUE_URL`, `ALERTS_TABLE`,
    /// `CONFIG_TABLE`, `ACCESS_TABLE`, `CONNECTION_SECRET_PREFIX`, `CLIENT_ID_SECRET`,
    /// `ALLOWED_ORIGINS` (may be empty), `SETTLE_SECONDS`, `TIMELINE_DAYS` and `QUARANTINE_DAYS`.
    ///
    /// # Errors
    /// Names all variables that are missing.
    pub fn from_env() -> Result<Self, MissingVariables> {
        let mut environment = Environment::default();
        let config = Self {
            queue_url: environment.address("QUEUE_URL"),
            dead_letter_queue_url: environment.address("DEAD_LETTER_QUEUE_URL"),
            delivery_queue_url: environment.address("DELIVERY_QUEUE_URL"),
            alerts_table: environment.text("ALERTS_TABLE"),
            connections: ConnectionsConfig::read(&mut environment),
            settle: SignedDuration::from_secs(i64::from(environment.number("SETTLE_SECONDS"))),
            timeline_retention: environment.days("TIMELINE_DAYS"),
            quarantine_retention: environment.days("QUARANTINE_DAYS"),
        };
        environment.complete(config)
    }
}
