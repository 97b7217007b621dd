//! A partner's connection: what set-up stored of it, a client with its keys, and what calls told of it.
//!
//! The one place where table, keys and ConnectWise meet. Keys go only to the origin that their own document names.

mod confirm;
mod view;

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws::metrics::{Metric, count};
use aws::secrets::{self, ConnectionSecret, Secrets};
use aws_types::SdkConfig;
use connectwise::{Client, Credentials, HostList, Http, Ticket};
use domain::adopt::FoundTicket;
use domain::breaker::{Breaker, CallOutcome, is_too_long_for_the_queue};
use domain::pipeline::Schedule;
use domain::{AlertKey, Blocked, PartnerId, Reaction, TicketRef};
use jiff::{SignedDuration, Timestamp};
use store::{AccessTable, ConfigTable, Due, OperatorEvent, PartnerItems, spread};

pub use confirm::{Confirmed, Refused};
pub use view::{PartnerConfig, Site, View, Views};

/// So many calls in a row that ran into their time-out are a reason to leave ConnectWise alone for a while.
const TIME_OUTS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(60);
/// A partner whose breaker opened is probed after so long.
const PROBE: SignedDuration = SignedDuration::from_mins(1);
/// The parts of a snapshot come one after the other: so long after one, the others may be there too.
const OTHER_PARTS: SignedDuration = SignedDuration::from_secs(10);
/// A partner is looked after within so many seconds after it is seen for the first time.
const FIRST: u32 = 900;

/// Where connections and their keys are found.
#[derive(Debug, Clone)]
pub struct Config {
    /// The table of what partners set up.
    pub config_table: String,
    /// The table of who may act for which partner.
    pub access_table: String,
    /// What comes before a partner's id in the name of its connection's secret.
    pub connection_secret_prefix: String,
    /// The secret that holds the operator's clientId.
    pub client_id_secret: String,
    /// Origins beside the ConnectWise clouds that may be spoken to.
    pub allowed_origins: Vec<String>,
}

/// All connections, and what is remembered of them.
#[derive(Debug)]
pub struct Connections {
    /// What partners set up.
    pub table: ConfigTable,
    /// Who may act for which partner, and its connection.
    pub access: AccessTable,
    secrets: Secrets,
    http: Http,
    secret_prefix: String,
    client_id_secret: String,
    links: Mutex<HashMap<PartnerId, Link>>,
    due: Due,
    /// Partners that are known to be looked after.
    scheduled: Mutex<HashSet<PartnerId>>,
}

/// A partner's client, as long as its keys are the same: its clones take turns.
#[derive(Debug)]
struct Link {
    credentials: Credentials,
    client: Client,
    key_version: Option<String>,
    /// Calls in a row that ran into their time-out.
    time_outs: u32,
    last_read: confirm::LastRead,
}

/// What a call's outcome means for the calls to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AfterCall {
    /// Nothing.
    Continue,
    /// What failed is tried again after so long.
    Wait(Duration),
    /// Nobody may call any more.
    Stop(Blocked),
}

/// The connections cannot be made use of.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// An allowed origin is no origin.
    #[error("ALLOWED_ORIGINS: {0}")]
    Origins(#[from] connectwise::InvalidOrigin),
    /// The HTTP client cannot be made.
    #[error(transparent)]
    Http(#[from] connectwise::HttpNotBuilt),
}

/// What stands in the way of a client, and what it asks for.
#[derive(Debug, thiserror::Error)]
pub enum NoClient {
    /// The keys cannot be read, or are none.
    #[error("the connection's keys cannot be read")]
    Secret(#[from] secrets::Error),
    /// The origin is not allowed.
    #[error("the connection's origin may not be spoken to: {0}")]
    Host(String),
    /// A stored key is never sent to a changed host.
    #[error("the stored keys are for {secret}, and the connection is to {connection}")]
    OtherOrigin {
        /// Whose keys these are.
        secret: String,
        /// Where the connection points.
        connection: String,
    },
    /// There is no confirmed connection.
    #[error("the partner has no confirmed connection")]
    NotSetUp,
}

impl NoClient {
    /// What this asks of the worker that met it.
    #[must_use]
    pub fn reaction(&self) -> Reaction {
        match self {
            Self::Secret(secrets::Error::Unavailable { .. }) => Reaction::Retry { after: None },
            Self::Secret(secrets::Error::Unknown(_) | secrets::Error::Malformed { .. })
            | Self::Host(_)
            | Self::OtherOrigin { .. } => Reaction::Block {
                reason: Blocked::ConnectionBroken,
            },
            Self::NotSetUp => Reaction::Block {
                reason: Blocked::NotSetUp,
            },
        }
    }

    /// What this tells of the whole connection.
    #[must_use]
    pub fn call_outcome(&self) -> CallOutcome {
        match self {
            Self::Secret(secrets::Error::Unavailable { .. }) | Self::NotSetUp => {
                CallOutcome::Nothing
            }
            Self::Secret(secrets::Error::Unknown(_) | secrets::Error::Malformed { .. })
            | Self::Host(_)
            | Self::OtherOrigin { .. } => CallOutcome::Refused,
        }
    }
}

impl Connections {
    /// Makes the clients, once, in the init phase.
    ///
    /// # Errors
    /// When an allowed origin is malformed or the HTTP client cannot be made.
    pub fn build(config: &Config, aws: &SdkConfig) -> Result<Self, BuildError> {
        let hosts = HostList::new(&config.allowed_origins)?;
        Ok(Self {
            table: ConfigTable::new(aws, config.config_table.clone()),
            access: AccessTable::new(aws, config.access_table.clone()),
            secrets: Secrets::new(aws),
            http: Http::new(hosts)?,
            secret_prefix: config.connection_secret_prefix.clone(),
            client_id_secret: config.client_id_secret.clone(),
            links: Mutex::default(),
            due: Due::new(aws, config.config_table.clone()),
            scheduled: Mutex::default(),
        })
    }

    /// What `decide` looks at for this alert, as it is now, but for the memory.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn view(&self, alert: &AlertKey, now: Timestamp) -> Result<View, store::Error> {
        let (items, ()) = tokio::join!(
            PartnerItems::read(
                &self.table,
                &self.access,
                &alert.partner,
                &alert.tenant,
                &alert.source
            ),
            self.ensure_scheduled(&alert.partner, now)
        );
        Ok(View::of(items?, &alert.source))
    }

    /// All that a partner set up, as it is now.
    ///
    /// # Errors
    /// When the table cannot be read, the breaker excepted.
    pub async fn set_up(&self, partner: &PartnerId) -> Result<PartnerConfig, store::Error> {
        let (table, access) = (&self.table, &self.access);
        let (connection, settings, breaker, mappings, sources) = tokio::join!(
            access.connections.get(partner),
            table.settings.get(partner),
            table.breaker.get(partner),
            table.tenants.get_all(partner),
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
            },
            mappings: mappings?,
            sources: sources?,
        })
    }

    /// Has a partner that this process sees for the first time looked after again and again, whoever made it.
    async fn ensure_scheduled(&self, partner: &PartnerId, now: Timestamp) {
        let scheduled = || {
            self.scheduled
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if !scheduled().insert(partner.clone()) {
            return;
        }
        let first = SignedDuration::from_secs(i64::from(spread(partner) % FIRST));
        if self.changed(partner, later(now, first)).await.is_err() {
            scheduled().remove(partner);
        }
    }

    /// Has the partner reconciled, and its connection tried, at this time at the latest: something of it changed. If the process dies
    /// between the two, the second comes at its own time.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn changed(&self, partner: &PartnerId, at: Timestamp) -> Result<(), store::Error> {
        self.reconcile(partner, at).await?;
        self.schedule_probe(partner, at).await
    }

    /// Leaves a sign for the operator of something that happened. Without it the log and the count still tell.
    pub async fn report_event(&self, event: OperatorEvent, now: Timestamp) {
        if let Err(err) = self.table.monitoring.record_event(event, now).await {
            tracing::warn!(event = ?event, error = %err, "failed to record an operator event");
        }
    }

    /// Has the partner reconciled at this time at the latest.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn reconcile(&self, partner: &PartnerId, at: Timestamp) -> Result<(), store::Error> {
        self.bring_forward(partner, Schedule::Reconcile, at).await
    }

    /// Has the partner's connection tried, and what there is to tell told, at this time at the latest.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn schedule_probe(
        &self,
        partner: &PartnerId,
        at: Timestamp,
    ) -> Result<(), store::Error> {
        self.bring_forward(partner, Schedule::Health, at).await
    }

    async fn bring_forward(
        &self,
        partner: &PartnerId,
        task: Schedule,
        at: Timestamp,
    ) -> Result<(), store::Error> {
        let brought = self.due.bring_forward(partner, task, at).await;
        brought.inspect_err(|err| {
            tracing::warn!(partner = %partner, task = ?task, error = %err, "failed to schedule a run sooner");
        })
    }

    /// Has the partner reconciled soon, since a part of a snapshot is stored.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn snapshot_came(
        &self,
        partner: &PartnerId,
        now: Timestamp,
    ) -> Result<(), store::Error> {
        let at = later(now, OTHER_PARTS);
        self.due.record_snapshot(partner, now, at).await
    }

    /// A client with the partner's keys: the same one as long as these are the same, since its clones take turns.
    ///
    /// # Errors
    /// See [`NoClient`].
    pub async fn client(&self, partner: &PartnerId, site: &Site) -> Result<Client, NoClient> {
        let connection = &site.connection;
        let read = || self.secrets.connection(&self.secret_prefix, partner);
        let fits = |keys: &ConnectionSecret| {
            keys.origin == connection.origin && keys.company_id == connection.company_id
        };
        let (mut keys, mut key_version) = read().await?;
        // The connection was pointed elsewhere, and these are remembered from before.
        if !fits(&keys) && self.keys_refused(partner) {
            (keys, key_version) = read().await?;
        }
        // A stored key is never sent to a changed host: the secret says whose it is.
        if !fits(&keys) {
            return Err(NoClient::OtherOrigin {
                secret: keys.origin,
                connection: connection.origin.clone(),
            });
        }
        let credentials = self.credentials(keys).await?;
        let client = self
            .linked(partner, credentials, key_version)
            .map_err(not_allowed)?;
        Ok(match site.careful {
            true => client.one_at_a_time(),
            false => client,
        })
    }

    /// A client with keys that nobody has proven yet. Nothing is remembered of it: other calls go on with the stored keys.
    ///
    /// # Errors
    /// See [`NoClient`].
    pub async fn candidate(&self, keys: ConnectionSecret) -> Result<Client, NoClient> {
        let credentials = self.credentials(keys).await?;
        Client::new(&self.http, credentials).map_err(not_allowed)
    }

    /// The HTTP client and the list of hosts that it may speak to, for what is asked without keys.
    #[must_use]
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// Keys with the operator's clientId, unless they have their own.
    async fn credentials(&self, keys: ConnectionSecret) -> Result<Credentials, NoClient> {
        // The host first: what may not be spoken to costs no call at all.
        let origin = self.http.hosts().site(&keys.origin).map_err(not_allowed)?;
        let client_id = match keys.client_id {
            Some(own) => own,
            None => self.secrets.text(&self.client_id_secret).await?,
        };
        Ok(Credentials {
            origin,
            company_id: keys.company_id,
            public_key: keys.public_key,
            private_key: keys.private_key,
            client_id,
        })
    }

    fn linked(
        &self,
        partner: &PartnerId,
        credentials: Credentials,
        key_version: Option<String>,
    ) -> Result<Client, connectwise::HostError> {
        let mut links = self.links();
        if let Some(link) = links.get_mut(partner)
            && link.credentials == credentials
        {
            link.key_version = key_version;
            return Ok(link.client.clone());
        }
        let client = Client::new(&self.http, credentials.clone())?;
        let link = Link {
            credentials,
            client: client.clone(),
            key_version,
            time_outs: 0,
            last_read: confirm::LastRead::default(),
        };
        links.insert(partner.clone(), link);
        Ok(client)
    }

    /// Has keys that were refused read afresh for the next client; tells whether asking again makes sense.
    #[must_use]
    pub fn keys_refused(&self, partner: &PartnerId) -> bool {
        self.secrets.invalidate(
            &format!("{}{partner}", self.secret_prefix),
            Timestamp::now(),
        )
    }

    /// Whether the partner's keys come with a clientId of its own. What cannot be read has none.
    pub async fn has_own_client_id(&self, partner: &PartnerId) -> bool {
        let keys = self.secrets.connection(&self.secret_prefix, partner).await;
        keys.is_ok_and(|(keys, _)| keys.client_id.is_some())
    }

    /// Whether it is the operator's clientId that stands in the way of a client.
    #[must_use]
    pub fn is_operators(&self, err: &NoClient) -> bool {
        match err {
            NoClient::Secret(
                secrets::Error::Unknown(name)
                | secrets::Error::Malformed { name, .. }
                | secrets::Error::Unavailable { name, .. },
            ) => *name == self.client_id_secret,
            NoClient::Host(_) | NoClient::OtherOrigin { .. } | NoClient::NotSetUp => false,
        }
    }

    /// Sees to it that the breaker knows the keys that are stored. Set-up stores keys and then says so; if it dies in between, a refusal
    /// of the new keys would open nothing, and each alert would ask again. What is remembered of the keys may be older than what the
    /// breaker knows, so another version is believed only when it was read afresh. Tells whether the breaker was changed.
    ///
    /// # Errors
    /// When the table cannot be written; the next run does it.
    pub async fn check_key_version(
        &self,
        partner: &PartnerId,
        breaker: &Breaker,
    ) -> Result<bool, store::Error> {
        let Some(known) = breaker.key_version.as_deref() else {
            // A refusal of whatever keys opens this breaker.
            return Ok(false);
        };
        let other = async || match self.secrets.connection(&self.secret_prefix, partner).await {
            Ok((_, version)) => version.filter(|version| version != known),
            Err(err) => {
                tracing::warn!(error = %err, "failed to read the version of the stored keys");
                None
            }
        };
        if other().await.is_none() || !self.keys_refused(partner) {
            return Ok(false);
        }
        let Some(stored) = other().await else {
            return Ok(false);
        };
        tracing::warn!("stored keys are newer than the recorded version");
        self.table.breaker.keys_found(partner, known, &stored).await
    }

    /// Takes in what a call told of its connection, so that all workers know. `breaker` is what this worker saw before the call.
    /// Returns what that means for the calls to come.
    ///
    /// # Errors
    /// When the table cannot be written; the next call tells the same.
    pub async fn record_outcome(
        &self,
        partner: &PartnerId,
        outcome: CallOutcome,
        breaker: &Breaker,
        now: Timestamp,
    ) -> Result<AfterCall, store::Error> {
        let too_slow = self.counted(partner, &outcome);
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
                let seen = self.failing(partner, breaker, now).await?;
                let wait = seen.throttled_for(after, now);
                self.pause(partner, wait, now).await?;
                self.waits(partner, &seen, wait, now).await
            }
            CallOutcome::Fails { .. } => {
                let seen = self.failing(partner, breaker, now).await?;
                let mut wait = seen.back_off(now);
                if too_slow {
                    self.pause(partner, PAUSE, now).await?;
                    wait = wait.max(PAUSE);
                }
                self.waits(partner, &seen, wait, now).await
            }
            CallOutcome::Refused => {
                let version = self
                    .links()
                    .get(partner)
                    .and_then(|link| link.key_version.clone());
                let reason = Blocked::ConnectionBroken;
                self.open(partner, &reason, version.as_deref(), now).await?;
                Ok(AfterCall::Stop(reason))
            }
        }
    }

    /// The breaker as it is once it knows that a call did not succeed.
    async fn failing(
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

    /// What did not succeed is tried again after that time, unless nothing has succeeded for so long that it is an outage.
    async fn waits(
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
        self.open(partner, &reason, None, now).await?;
        Ok(AfterCall::Stop(reason))
    }

    /// Counts time-outs in a row, and tells whether they are too many.
    fn counted(&self, partner: &PartnerId, outcome: &CallOutcome) -> bool {
        let mut links = self.links();
        let Some(link) = links.get_mut(partner) else {
            return false;
        };
        link.time_outs = match outcome {
            CallOutcome::Fails { timed_out: true } => link.time_outs + 1,
            CallOutcome::Nothing => link.time_outs,
            CallOutcome::Works
            | CallOutcome::MissingRight(_)
            | CallOutcome::Throttled { .. }
            | CallOutcome::Refused
            | CallOutcome::Fails { timed_out: false } => 0,
        };
        if link.time_outs < TIME_OUTS {
            return false;
        }
        link.time_outs = 0;
        true
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
        if is_too_long_for_the_queue(time) {
            // Alerts will wait in the table. Before the pause: if the process dies in between, a run comes for nothing.
            self.reconcile(partner, until).await?;
        }
        if let Some(link) = self.links().get(partner) {
            link.client
                .pause_for(Duration::try_from(time).unwrap_or_default());
        }
        self.table.breaker.pause(partner, until).await
    }

    async fn open(
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
            self.schedule_probe(partner, later(now, PROBE)).await?;
        }
        Ok(())
    }

    fn links(&self) -> MutexGuard<'_, HashMap<PartnerId, Link>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it maps an error")]
fn not_allowed(err: connectwise::HostError) -> NoClient {
    NoClient::Host(err.to_string())
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// A ticket of ConnectWise's, as `adopt` looks at it.
#[must_use]
pub fn found(ticket: &Ticket) -> FoundTicket {
    let by = |by: &Option<String>| by.as_deref().map(str::to_ascii_lowercase);
    let (entered, updated) = (by(&ticket.info.entered_by), by(&ticket.info.updated_by));
    FoundTicket {
        ticket_id: ticket.id,
        ticket_ref: ticket.external_xref.as_deref().and_then(TicketRef::parse),
        board_id: ticket.board.as_ref().map(|board| board.id),
        company_id: ticket.company.as_ref().map(|company| company.id),
        entered_at: ticket.info.date_entered,
        raised_at: ticket.estimated_start_date,
        closed: ticket.closed_flag,
        closed_at: ticket.closed_date,
        merged: ticket.merged_parent_ticket.is_some(),
        // We entered it: whoever else changed it is a person, or acts for one.
        touched: entered.is_some() && updated.is_some() && entered != updated,
    }
}
