//! The init phase of every function: logs, metrics, the SDK's configuration, TLS.

use std::error::Error as StdError;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sqs::config::BehaviorVersion;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_types::SdkConfig;
use aws_types::region::Region;
use domain::text::chain;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{Environment, MissingVariables, optional};
use crate::http_client::{RootsError, https_client};
use crate::metrics;
use crate::panics::log_panics;

/// The AWS account and its endpoint.
#[derive(Debug, Clone)]
pub struct Account {
    /// Such as `eu-central-1`.
    pub region: String,
    /// An address in place of AWS's own, for the local stack.
    pub endpoint_url: Option<String>,
    /// Those of the function's role, which the runtime passes, or of a test's account.
    pub credentials: Credentials,
}

#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    #[error(transparent)]
    Environment(#[from] MissingVariables),
    #[error("failed to load the pinned root certificates")]
    Roots(#[from] RootsError),
}

/// Starts logs, panic logs and metrics, and builds the SDK's configuration from the environment.
/// Called once, first in `main`.
///
/// # Errors
/// When the runtime's variables are missing.
pub fn init() -> Result<SdkConfig, StartupError> {
    start_logs();
    log_panics();
    metrics::start();
    sdk_config(&Account::from_env()?)
}

/// The exit code of `main`. An error is logged as JSON; Rust would print it as plain text.
#[must_use]
pub fn exit_code(ended: Result<(), Box<dyn StdError + Send + Sync>>) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            tracing::error!(error = chain(&*err), "function failed to start or to run");
            ExitCode::FAILURE
        }
    }
}

impl Account {
    /// Reads the function's role and region. Lambda passes both as variables, so no chain of
    /// providers is needed.
    ///
    /// # Errors
    /// All variables that are missing.
    pub fn from_env() -> Result<Self, MissingVariables> {
        let mut environment = Environment::default();
        let (key_id, secret) = (
            environment.text("AWS_ACCESS_KEY_ID"),
            environment.text("AWS_SECRET_ACCESS_KEY"),
        );
        let credentials = Credentials::new(
            key_id,
            secret,
            optional("AWS_SESSION_TOKEN"),
            None,
            "environment",
        );
        let region = environment.text("AWS_REGION");
        let endpoint_url = optional("AWS_ENDPOINT_URL");
        let endpoint_url = endpoint_url.map(|_| environment.address("AWS_ENDPOINT_URL"));
        environment.complete(Self {
            region,
            endpoint_url,
            credentials,
        })
    }
}

/// Builds the one configuration of all SDK clients, with one connection pool and one TLS set-up.
///
/// # Errors
/// When the pinned roots cannot be loaded.
pub fn sdk_config(account: &Account) -> Result<SdkConfig, StartupError> {
    // The HTTP client limits the time of a connection.
    let timeouts = TimeoutConfig::builder()
        .read_timeout(Duration::from_secs(4))
        .operation_timeout(Duration::from_secs(8))
        .build();
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(account.region.clone()))
        .credentials_provider(SharedCredentialsProvider::new(account.credentials.clone()))
        .http_client(https_client()?)
        .sleep_impl(TokioSleep::new())
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(3)
                .with_initial_backoff(Duration::from_millis(100)),
        )
        .timeout_config(timeouts);
    config.set_endpoint_url(account.endpoint_url.clone());
    Ok(config.build())
}

fn start_logs() {
    let level = optional("AWS_LAMBDA_LOG_LEVEL")
        .or_else(|| optional("RUST_LOG"))
        .unwrap_or_else(|| "info".to_owned());
    // A second start in one process, as in tests, keeps the first subscriber.
    let _ = tracing::subscriber::set_global_default(logs(&level, io::stdout));
}

/// The logs of every function: JSON, one object per line, so that outside text cannot forge a line.
/// The level is Lambda's own setting.
pub fn logs<W>(level: &str, writer: W) -> impl tracing::Subscriber + Send + Sync + use<W>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(true)
        .with_ansi(false)
        .with_max_level(level.parse().unwrap_or(LevelFilter::INFO))
        .with_writer(writer)
        .finish()
}
