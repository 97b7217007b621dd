//! The clients and settings that every handler uses.

use std::sync::Arc;

use aws::functions::Function;
use aws::invocation::Invocation;
use aws::mail::{Mail, MailError, Mailer};
use aws::queue::QueueSender;
use aws::secret_writer::SecretWriter;
use aws_types::SdkConfig;
use connections::{Connections, RunSchedule};
use domain::PartnerId;
use domain::alert::kind::KindInfo;
use public_http::ReceiverOrigins;
use source_authentication::Authenticator;
use store::{AccessTable, Alerts, ConfigTable, Deliveries, OperatorEvent};

use crate::config::Config;
use crate::tenants::cache::{CompanyListCache, TenantListCache};

/// The clients cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error(transparent)]
    Connections(#[from] connections::BuildError),
    #[error("WEBHOOK_ORIGINS: {0}")]
    Receivers(#[from] public_http::InvalidReceiverOrigin),
}

#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) config: Config,
    pub(crate) connections: Connections,
    pub(crate) alerts: Alerts,
    pub(crate) queue: QueueSender,
    pub(crate) deliveries: Deliveries,
    /// The receivers of webhooks that may be in a private network.
    pub(crate) webhook_origins: ReceiverOrigins,
    pub(crate) secret_writer: SecretWriter,
    /// For what sources read.
    pub(crate) source_authenticator: Authenticator,
    pub(crate) mailer: Mailer,
    /// This function. It invokes itself for work that must not delay a response.
    pub(crate) own_function: Function,
    pub(crate) company_lists: CompanyListCache,
    pub(crate) tenant_lists: TenantListCache,
}

pub(crate) type AppState = axum::extract::State<Arc<Setup>>;

impl Setup {
    /// # Errors
    /// When an allowed origin is malformed or the HTTP client cannot be built.
    pub(crate) fn build(config: &Config, aws: &SdkConfig) -> Result<Self, BuildError> {
        let mut connections = Connections::build(&config.connections, aws)?;
        let quarantine = connections.table.quarantine;
        connections.table.quarantine = quarantine.with_retention(config.quarantine_retention);
        let history = connections.access.audit;
        connections.access.audit = history.with_retention(config.history_retention);
        Ok(Self {
            connections,
            alerts: Alerts::new(aws, config.alerts_table.clone()),
            queue: QueueSender::new(aws, config.queue_url.clone()),
            deliveries: Deliveries::new(aws, config.deliveries_table.clone()),
            webhook_origins: ReceiverOrigins::new(&config.webhook_origins)?,
            secret_writer: SecretWriter::new(aws),
            source_authenticator: Authenticator::new(aws, config.source_secret_prefix.clone()),
            mailer: Mailer::new(aws, config.mail_from.clone()),
            own_function: Function::new(aws, config.function_name.clone()),
            company_lists: CompanyListCache::default(),
            tenant_lists: TenantListCache::default(),
            config: config.clone(),
        })
    }

    /// The table of what partners configured.
    pub(crate) fn table(&self) -> &ConfigTable {
        &self.connections.table
    }

    /// The table of partners, sources, sessions and history entries.
    pub(crate) fn access(&self) -> &AccessTable {
        &self.connections.access
    }

    /// When the partner's scheduled runs are due.
    pub(crate) fn schedule(&self) -> &RunSchedule {
        &self.connections.schedule
    }

    /// Sends a mail. A failure is also reported to the operator, unless SES rejects the recipient:
    /// the partner must correct that one.
    pub(crate) async fn mail(&self, mail: &Mail, invocation: &Invocation) -> Result<(), MailError> {
        let sent = self.mailer.send(mail).await;
        if !matches!(sent, Ok(()) | Err(MailError::Recipient { .. })) {
            self.connections
                .report_event(OperatorEvent::MailFailed, invocation.now())
                .await;
        }
        sent
    }

    /// The kinds that the partner's sources add to the built-in ones, each once.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub(crate) async fn added_kinds(
        &self,
        partner: &PartnerId,
    ) -> Result<Vec<KindInfo>, store::Error> {
        let sources = self.access().partner_sources.get_all(partner).await?;
        let mut kinds: Vec<KindInfo> = vec![];
        for info in sources.into_values().flat_map(|source| source.kinds) {
            if kinds.iter().all(|known| known.kind != info.kind) {
                kinds.push(info);
            }
        }
        Ok(kinds)
    }
}
