//! The environment of this function.

use aws::config::{Environment, Incomplete};
use jiff::SignedDuration;

/// What this function is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// The queue that it reads, for putting messages off.
    pub queue_url: String,
    /// Where messages go that can never work.
    pub dead_letter_queue_url: String,
    /// The table of alert records.
    pub alerts_table: String,
    /// The table of what partners set up.
    pub config_table: String,
    /// What comes before a partner's id in the name of its connection's secret.
    pub connection_secret_prefix: String,
    /// The secret that holds the operator's clientId.
    pub client_id_secret: String,
    /// Origins beside the ConnectWise clouds that may be spoken to.
    pub allowed_origins: Vec<String>,
    /// How long ConnectWise may take to show a ticket whose creation it did not confirm.
    pub settle: SignedDuration,
}

impl Config {
    /// Reads `QUEUE_URL`, `DEAD_LETTER_QUEUE_URL`, `ALERTS_TABLE`, `CONFIG_TABLE`, `CONNECTION_SECRET_PREFIX`,
    /// `CLIENT_ID_SECRET`, `ALLOWED_ORIGINS` (may be empty) and `SETTLE_SECONDS`.
    ///
    /// # Errors
    /// All variables that are missing.
    pub fn from_env() -> Result<Self, Incomplete> {
        let mut environment = Environment::default();
        let config = Self {
            queue_url: environment.text("QUEUE_URL"),
            dead_letter_queue_url: environment.text("DEAD_LETTER_QUEUE_URL"),
            alerts_table: environment.text("ALERTS_TABLE"),
            config_table: environment.text("CONFIG_TABLE"),
            connection_secret_prefix: environment.text("CONNECTION_SECRET_PREFIX"),
            client_id_secret: environment.text("CLIENT_ID_SECRET"),
            allowed_origins: environment.list("ALLOWED_ORIGINS"),
            settle: SignedDuration::from_secs(i64::from(environment.number("SETTLE_SECONDS"))),
        };
        environment.complete(config)
    }
}
