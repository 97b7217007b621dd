//! The environment variables of this function.

use aws::config::{Environment, MissingVariables};
use connections::ConnectionsConfig;
use jiff::SignedDuration;
use scheduled::FunctionConfig;

#[derive(Debug, Clone)]
pub struct Config {
    pub queue_url: String,
    /// The origin of the page and of the API: `scheme://host[:port]`.
    pub page_origin: String,
    pub alerts_table: String,
    /// The tables and secrets of connections. Its config table also says when partners are due.
    pub connections: ConnectionsConfig,
    pub function: FunctionConfig,
    /// How often a partner is due if nothing happens.
    pub period: SignedDuration,
    /// How far a source's snapshots may lag behind its events.
    pub snapshot_lag: SignedDuration,
}

impl Config {
    /// Reads `QUEUE_URL`, `PAGE_ORIGIN`, `ALERTS_TABLE`, `CONFIG_TABLE`, `ACCESS_TABLE`,
    /// `CONNECTION_SECRET_PREFIX`, `CLIENT_ID_SECRET`, `ALLOWED_ORIGINS` (may be empty),
    /// `API_MODEL_VERSION` (may be empty), `RECONCILE_SECONDS`, `SNAPSHOT_LAG_SECONDS`,
    /// `PARTNERS_PER_TICK`, and Lambda's own `AWS_LAMBDA_FUNCTION_NAME`.
    ///
    /// # Errors
    /// Names all variables that are missing.
    pub fn from_env() -> Result<Self, MissingVariables> {
        let mut environment = Environment::default();
        let config = Self {
            queue_url: environment.address("QUEUE_URL"),
            page_origin: environment.address("PAGE_ORIGIN"),
            alerts_table: environment.text("ALERTS_TABLE"),
            connections: ConnectionsConfig::read(&mut environment),
            function: FunctionConfig::read(&mut environment),
            period: SignedDuration::from_secs(i64::from(environment.number("RECONCILE_SECONDS"))),
            snapshot_lag: SignedDuration::from_secs(i64::from(
                environment.number("SNAPSHOT_LAG_SECONDS"),
            )),
        };
        environment.complete(config)
    }
}
