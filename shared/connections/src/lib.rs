//! A partner's connection: its stored configuration, a client with its keys, and its breaker.

mod clients;
mod confirm;
mod convert;
mod figures;
mod schedule;
mod ticket_address;
mod view;
mod waiting;

use std::collections::HashMap;
use std::time::Duration;

use aws::config::Environment;
use aws::metrics::{Metric, count};
use aws::secrets::Secrets;
use aws_types::SdkConfig;
use connectwise::{HostList, Http};
use domain::connection::breaker::{Breaker, CallOutcome, exceeds_queue_wait};
use domain::time::later;
use domain::{AlertKey, Blocked, PartnerId};
use jiff::{SignedDuration, Timestamp};
use store::{AccessTable, ConfigTable, Due, OperatorEvent, PartnerItems};

pub use clients::{ClientError, Clients};
pub use confirm::{RefusalScope, RefusedCall};
pub use connectwise::ModelVersion;
pub use convert::{
    found_ticket, reference_prefix, ticket_activity, ticket_entry, ticket_fields, ticket_type,
};
pub use figures::FiguresCounter;
pub use schedule::RunSchedule;
pub use ticket_address::ticket_address;
pub use view::{AlertView, AlertViews, ConnectionSite, PartnerConfig};
pub use waiting::{read_waiting, read_waiting_with};

/// How long a connection is paused after too many time-outs in a row.
const TIME_OUT_PAUSE: Duration = Duration::from_secs(60);
/// How long after its breaker opened a connection is probed.
const PROBE_DELAY: SignedDuration = SignedDuration::from_mins(1);

/// Where connections and their keys are stored.
#[derive(Debug, Clone)]
pub struct ConnectionsConfig {
    pub config_table: String,
    pub access_table: String,
    /// Precedes a partner's id in the name of its connection's secret.
    pub connection_secret_prefix: String,
    /// The secret with the operator's clientId.
    pub client_id_secret: String,
    /// Origins that are allowed besides the ConnectWise clouds.
    pub allowed_origins: Vec<String>,
    /// The version of ConnectWise's models.
    pub model_version: ModelVersion,
}

impl ConnectionsConfig {
    /// Reads `CONFIG_TABLE`, `ACCESS_TABLE`, `CONNECTION_SECRET_PREFIX`, `CLIENT_ID_SECRET`,
    /// and `ALLOWED_ORIGINS` and `API_MODEL_VERSION`, which may be empty.
    pub fn read(environment: &mut Environment) -> Self {
        Self {
            config_table: environment.text("CONFIG_TABLE"),
            access_table: environment.text("ACCESS_TABLE"),
            connection_secret_prefix: environment.text("CONNECTION_SECRET_PREFIX"),
            client_id_secret: environment.text("CLIENT_ID_SECRET"),
            allowed_origins: environment.list("ALLOWED_ORIGINS"),
            model_version: environment
                .parsed("API_MODEL_VERSION", ModelVersion::parse)
                .unwrap_or_default(),
        }
    }
}

/// The connections of all partners.
#[derive(Debug)]
pub struct Connections {
    pub table: ConfigTable,
    pub access: AccessTable,
    pub clients: Clients,
    pub schedule: RunSchedule,
}

/// What the outcome of a call means for later calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AfterCall {
    Continue,
    /// The failed call is retried after this time.
    Wait(Duration),
    /// No more calls are allowed.
    Stop(Blocked),
}

#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("ALLOWED_ORIGINS: {0}")]
    Origins(#[from] connectwise::InvalidOrigin),
    #[error(transparent)]
    Http(#[from] connectwise::HttpBuildError),
}

impl Connections {
    /// Builds the clients. Called once, in the init phase.
    ///
    /// # Errors
    /// When an allowed origin is malformed, or the HTTP client cannot be built.
    pub fn build(config: &ConnectionsConfig, aws: &SdkConfig) -> Result<Self, BuildError> {
        let hosts = HostList::new(&config.allowed_origins)?;
        Ok(Self {
            table: ConfigTable::new(aws, config.config_table.clone()),
            access: AccessTable::new(aws, config.access_table.clone()),
            clients: Clients::new(
                Secrets::new(aws),
                Http::new(hosts)?.with_model_version(config.model_version.clone()),
                config.connection_secret_prefix.clone(),
                config.client_id_secret.clone(),
            ),
            schedule: RunSchedule::new(Due::new(aws, config.config_table.clone())),
        })
    }

    /// Reads the configuration that counts for an alert, without the ticket index.
    pub async fn view(&self, alert: &AlertKey, now: Timestamp) -> Result<AlertView, store::Error> {
        let (items, ()) = tokio::join!(
            PartnerItems::read(
                &self.table,
                &self.access,
                &alert.partner,
                &alert.tenant,
                &alert.source
            ),
            self.schedule.ensure_scheduled(&alert.partner, now)
        );
        Ok(AlertView::of(items?, &alert.source))
    }

    /// Reads a partner's whole configuration.
    ///
    /// # Errors
    /// When the table cannot be read. An unreadable breaker is no error.
    pub async fn partner_config(&self, partner: &PartnerId) -> Result<PartnerConfig, store::Error> {
        let (config, mappings) = tokio::join!(
            self.shared_config(partner),
            self.table.tenants.get_all(partner),
        );
        Ok(PartnerConfig {
            mappings: mappings?,
            ..config?
        })
    }

    /// Reads what all of a partner's tenants share. The mappings are left empty, for a caller that
    /// reads them in another way.
    ///
    /// # Errors
    /// As for [`Self::partner_config`].
    pub async fn shared_config(&self, partner: &PartnerId) -> Result<PartnerConfig, store::Error> {
        let (table, access) = (&self.table, &self.access);
        let (connection, settings, breaker, maintenance, sources) = tokio::join!(
            access.connections.get(partner),
            table.settings.get(partner),
            table.breaker.get(partner),
            table.maintenance.get_or_none(partner),
            access.partner_sources.get_all(partner),
        );
        if let Err(err) = &breaker {
            tracing::error!(%partner, error = %err, "failed to read the breaker");
        }
        Ok(PartnerConfig {
            items: PartnerItems {
                connection: connection?.value,
                settings: settings?.value,
                mapping: None,
                breaker: breaker.ok(),
                source_since: None,
                maintenance: maintenance?,
            },
            mappings: HashMap::new(),
            sources: sources?,
        })
    }

    /// Records an event for the operator. If that fails, the event is still logged and counted.
    pub async fn report_event(&self, event: OperatorEvent, now: Timestamp) {
        if let Err(err) = self.table.monitoring.record_event(event, now).await {
            tracing::warn!(event = ?event, error = %err, "failed to record an operator event");
        }
    }

    /// Makes sure that the breaker knows the version of the stored keys, and returns whether it was
    /// changed. Set-up stores keys and then records their version. If it dies in between, a refusal
    /// of the new keys would not open the breaker, and each alert would call again.
    ///
    /// # Errors
    /// When the table cannot be written. The next run repeats it.
    pub async fn check_key_version(
        &self,
        partner: &PartnerId,
        breaker: &Breaker,
    ) -> Result<bool, store::Error> {
        let Some(known) = breaker.key_version.as_deref() else {
            // Without a version, a refusal of any keys opens the breaker.
            return Ok(false);
        };
        let Some(stored) = self.clients.newer_key_version(partner, known).await else {
            return Ok(false);
        };
        tracing::warn!("stored keys are newer than the recorded version");
        self.table.breaker.keys_found(partner, known, &stored).await
    }

    /// Records the outcome of a call in the breaker, for all workers. `breaker` is what this worker
    /// read before the call. Returns what the outcome means for later calls.
    ///
    /// # Errors
    /// When the table cannot be written. The next call records the same.
    pub async fn record_outcome(
        &self,
        partner: &PartnerId,
        outcome: CallOutcome,
        breaker: &Breaker,
        now: Timestamp,
    ) -> Result<AfterCall, store::Error> {
        let too_many_time_outs = self.clients.count_time_outs(partner, &outcome);
        match outcome {
            CallOutcome::Nothing => Ok(AfterCall::Continue),
            CallOutcome::Works | CallOutcome::MissingRight(_) => {
                if breaker.failing_since.is_some() {
                    self.table.breaker.record_success(partner).await?;
                }
                if let CallOutcome::MissingRight(right) = outcome {
                    tracing::error!(partner = %partner, right, "API member lacks a right");
                    self.table.breaker.add_missing_right(partner, right).await?;
                }
                Ok(AfterCall::Continue)
            }
            CallOutcome::Throttled { after } => {
                let seen = self.mark_failing(partner, breaker, now).await?;
                let wait = seen.throttled_for(after, now);
                self.pause(partner, wait, now).await?;
                self.wait_or_stop(partner, &seen, wait, now).await
            }
            CallOutcome::Fails { .. } => {
                let seen = self.mark_failing(partner, breaker, now).await?;
                let mut wait = seen.back_off(now);
                if too_many_time_outs {
                    self.pause(partner, TIME_OUT_PAUSE, now).await?;
                    wait = wait.max(TIME_OUT_PAUSE);
                }
                self.wait_or_stop(partner, &seen, wait, now).await
            }
            CallOutcome::Refused => {
                let version = self.clients.key_version(partner);
                let reason = Blocked::ConnectionBroken;
                self.open_breaker(partner, &reason, version.as_deref(), now)
                    .await?;
                Ok(AfterCall::Stop(reason))
            }
        }
    }

    /// Records that a call did not succeed, and returns the breaker.
    async fn mark_failing(
        &self,
        partner: &PartnerId,
        breaker: &Breaker,
        now: Timestamp,
    ) -> Result<Breaker, store::Error> {
        match breaker.failing_since {
            Some(_) => Ok(breaker.clone()),
            None => self.table.breaker.record_failure(partner, now).await,
        }
    }

    /// The call is retried after this time, unless the failures have lasted so long that it is an
    /// outage.
    async fn wait_or_stop(
        &self,
        partner: &PartnerId,
        seen: &Breaker,
        wait: Duration,
        now: Timestamp,
    ) -> Result<AfterCall, store::Error> {
        if !seen.is_outage(now) {
            return Ok(AfterCall::Wait(wait));
        }
        let reason = Blocked::ConnectionUnavailable;
        self.open_breaker(partner, &reason, None, now).await?;
        Ok(AfterCall::Stop(reason))
    }

    async fn pause(
        &self,
        partner: &PartnerId,
        time: Duration,
        now: Timestamp,
    ) -> Result<(), store::Error> {
        tracing::warn!(partner = %partner, pause_s = time.as_secs(), "paused calls to ConnectWise");
        let time = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
        let until = later(now, time);
        if exceeds_queue_wait(time) {
            // The alerts wait in the table. If the process dies before the pause is stored, the
            // scheduled run finds nothing to do.
            self.schedule.reconcile(partner, until).await?;
        }
        self.clients
            .pause(partner, Duration::try_from(time).unwrap_or_default());
        self.table.breaker.pause(partner, until).await
    }

    async fn open_breaker(
        &self,
        partner: &PartnerId,
        reason: &Blocked,
        version: Option<&str>,
        now: Timestamp,
    ) -> Result<(), store::Error> {
        let opened = self
            .table
            .breaker
            .open(partner, reason.clone(), version, now);
        if opened.await? {
            tracing::error!(partner = %partner, reason = %reason, "breaker opened");
            count(Metric::BreakersOpened, 1);
            self.schedule
                .probe(partner, later(now, PROBE_DELAY))
                .await?;
        }
        Ok(())
    }
}
