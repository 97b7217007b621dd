//! The environment of one test: an AWS account of its own with the template's tables, a simulator,
//! a source, and the functions as their `main.rs` builds them.

mod account;
mod actions;
mod alertmanager;
mod api_document;
mod connectwise;
mod database;
mod fixtures;
mod lambda_proxy;
mod queue;
mod receiver;
mod schedule;
pub(crate) mod sender;
mod setup;
mod source;
mod tables;
mod worker;

use std::time::Duration;

use aws::secrets::ConnectionSecret;
use aws_lambda_events::sqs::SqsMessage;
use aws_types::SdkConfig;
use connections::{ConnectionsConfig, ModelVersion};
use connectwise_sim::Seed;
use domain::alert::record::Record;
use domain::setup::contacts::{Contacts, MailKind};
use domain::setup::mapping::Mapping;
use domain::ticketing::ticket_index::TicketIndexState;
use domain::{Blocked, EmailAddress, Secret};
use futures_util::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use scheduled::{Driver, FunctionConfig};
use serde_json::{Value, json};
use store::{AccessTable, Alerts, ConfigTable, Connection, RecordWrite, SaveOutcome};

pub(crate) use account::TestAccount;
pub(crate) use actions::assert_closed_by;
pub(crate) use alertmanager::{Alertmanager, is_silenced_by};
pub(crate) use connectwise::{ConnectWise, TypeChildren, is_open};
pub(crate) use database::Database;
pub(crate) use fixtures::{
    COMPANY, CYBER_ALERTS, DISABLED, MAIL_FROM, OPERATIONS, PARTNER, SECRET, SOURCE, SOURCE_KEY,
    TENANT, event, key, numbered_partner, partner, raise_and_resolve, raised_event, raises,
    resolved_event, settings, source_document, tenant,
};
pub(crate) use lambda_proxy::LambdaProxy;
pub(crate) use queue::Queue;
pub(crate) use receiver::{Received, ReceiverAnswer, WEBHOOK_SECRET, Webhook};
pub(crate) use schedule::{Schedules, after, minute, only, quarter_hour};
pub(crate) use setup::{
    Answer, Browser, Call, Lambda, PAGE, SetupPage, record_answers, take_answers,
};
pub(crate) use source::{Source, answer, signed, webhook_ends};
pub(crate) use worker::{Worker, reconsider, record_of};

use crate::proxy::Proxy;

/// How long an uncertain create may still appear, in these tests.
const SETTLE: SignedDuration = SignedDuration::from_secs(1);
/// The longest that a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(60);
/// Mails that come when something happens, and not on a day of the week.
pub(crate) const PROBLEM_MAILS: [MailKind; 2] =
    [MailKind::BrokenConnection, MailKind::WaitingAlerts];
/// What names the connections' secrets.
const CONNECTION_PREFIX: &str = "tb/connection/";

pub(crate) struct TestEnvironment {
    pub(crate) aws: SdkConfig,
    pub(crate) account: TestAccount,
    pub(crate) connectwise: ConnectWise,
    pub(crate) source: Source,
    pub(crate) queue: Queue,
    pub(crate) dead_letter_queue: Queue,
    pub(crate) delivery_queue: Queue,
    pub(crate) worker: Worker,
    pub(crate) setup: SetupPage,
    pub(crate) schedule: Schedules,
    pub(crate) database: Database,
    pub(crate) alerts: Alerts,
    pub(crate) config: ConfigTable,
    pub(crate) access: AccessTable,
    pub(crate) tickets_config: tickets::Config,
}

impl TestEnvironment {
    pub(crate) async fn new() -> Self {
        Self::with_seed(Seed::demo()).await
    }

    /// With another ConnectWise site.
    pub(crate) async fn with_seed(seed: Seed) -> Self {
        Self::with_origins(seed, &[]).await
    }

    /// With more allowed ConnectWise origins than the simulator's.
    pub(crate) async fn with_origins(seed: Seed, others: &[String]) -> Self {
        // The tests' own HTTP client uses the process's provider; the functions bring their own.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().timeout(Duration::from_secs(10));
        let http = http.build().unwrap();
        let account = TestAccount::new(http.clone());
        let aws = account.sdk_config();
        let connectwise = ConnectWise::start(seed, http).await;
        let sqs = aws_sdk_sqs::Client::new(&aws);
        let queue = Queue::create(&sqs, &account.id, "events").await;
        let dead_letter_queue = Queue::create(&sqs, &account.id, "dead-letters").await;
        let delivery_queue = Queue::create(&sqs, &account.id, "deliveries").await;
        for table in [
            "AlertsTable",
            "ConfigTable",
            "AccessTable",
            "DeliveriesTable",
        ] {
            let name = table.trim_end_matches("Table").to_lowercase();
            tables::create(&aws, table, &name).await;
        }
        let tickets_config = tickets::Config {
            queue_url: queue.url.clone(),
            dead_letter_queue_url: dead_letter_queue.url.clone(),
            delivery_queue_url: delivery_queue.url.clone(),
            alerts_table: "alerts".into(),
            connections: ConnectionsConfig {
                config_table: "config".into(),
                access_table: "access".into(),
                connection_secret_prefix: CONNECTION_PREFIX.into(),
                client_id_secret: "tb/client-id".into(),
                allowed_origins: [&[connectwise.origin()], others].concat(),
                model_version: ModelVersion::default(),
            },
            settle: SETTLE,
            timeline_retention: days(90),
            quarantine_retention: days(13),
        };
        let ingest_config = ingest::Config {
            queue_url: queue.url.clone(),
            source_secret_prefix: "tb/source/".into(),
        };
        let setup_app = ::setup::SetupHandler::build(&setup_config(&tickets_config), &aws).unwrap();
        let tickets_app = tickets::TicketsHandler::build(&tickets_config, &aws).unwrap();
        let alerts = Alerts::new(&aws, "alerts".into());
        let access = AccessTable::new(&aws, "access".into());
        let env = Self {
            source: Source {
                ingest: ingest::Webhook::build(ingest_config, &aws),
            },
            worker: Worker::new(tickets_app, queue.clone()),
            setup: SetupPage::new(setup_app, access.clone()),
            schedule: Schedules::new(&aws),
            database: Database::new(&aws, alerts.clone()),
            alerts,
            config: ConfigTable::new(&aws, "config".into()),
            access,
            queue,
            dead_letter_queue,
            delivery_queue,
            tickets_config,
            account,
            connectwise,
            aws,
        };
        env.seed().await;
        env
    }

    async fn seed(&self) {
        let document = source_document();
        let document = serde_json::to_string(&document).unwrap();
        let client_id = Seed::demo().integration().unwrap().client_id;
        for (name, text) in [
            ("tb/source/id-keys", SOURCE_KEY),
            (&format!("tb/source/{SOURCE}"), &document),
            ("tb/client-id", &client_id),
        ] {
            self.account.put_secret(name, text).await;
        }
        self.put_keys("tbPrivateKey01").await;
        let origin = self.connectwise.origin();
        seed_tables(&self.config, &self.access, origin).await;
        let index = Some(TicketIndexState::Complete);
        self.database.set_ticket_index(index).await;
        let ses = aws_sdk_sesv2::Client::new(&self.aws);
        let verify = ses.create_email_identity().email_identity(MAIL_FROM);
        verify.send().await.unwrap();
    }

    pub(crate) fn setup_config(&self) -> ::setup::Config {
        setup_config(&self.tickets_config)
    }

    /// Replaces the setup function by one that can start tasks. Lambda answers with `status`.
    pub(crate) async fn start_lambda(&mut self, status: u16) -> Lambda {
        let config = self.setup_config();
        self.setup.start_lambda(&self.aws, &config, status).await
    }

    /// Another execution environment of `tickets`, as Lambda starts them under load.
    pub(crate) fn new_tickets_app(&self) -> tickets::TicketsHandler {
        tickets::TicketsHandler::build(&self.tickets_config, &self.aws).unwrap()
    }

    /// A new execution environment of `reconcile`.
    pub(crate) fn reconcile(&self) -> Driver<reconcile::ReconcileJob> {
        reconcile::driver(&self.reconcile_config(), &self.aws).unwrap()
    }

    pub(crate) fn reconcile_config(&self) -> reconcile::Config {
        reconcile::Config {
            queue_url: self.queue.url.clone(),
            page_origin: PAGE.into(),
            alerts_table: "alerts".into(),
            connections: self.tickets_config.connections.clone(),
            function: function("reconcile"),
            period: SignedDuration::from_mins(15),
            snapshot_lag: SignedDuration::from_mins(10),
        }
    }

    /// A new execution environment of `health`.
    pub(crate) fn health(&self) -> Driver<health::HealthJob> {
        health::driver(&self.health_config(), &self.aws).unwrap()
    }

    pub(crate) fn health_config(&self) -> health::Config {
        health::Config {
            page_origin: PAGE.into(),
            alerts_table: "alerts".into(),
            connections: self.tickets_config.connections.clone(),
            mail_from: MAIL_FROM.into(),
            operator_mail: None,
            queue_url: self.queue.url.clone(),
            dead_letter_queue_url: self.dead_letter_queue.url.clone(),
            stack: "test".into(),
            function: function("health"),
            period: SignedDuration::from_mins(15),
        }
    }

    /// Stores the connection's keys with this private key.
    pub(crate) async fn put_keys(&self, private_key: &str) {
        let keys = self.keys("tbdemo", private_key);
        self.put_connection_secret(CONNECTION_PREFIX, &keys).await;
    }

    /// Stores the connection's keys with a clientId of the partner's own.
    pub(crate) async fn put_own_client_id(&self, client_id: &str) {
        let keys = ConnectionSecret {
            client_id: Some(Secret::new(client_id)),
            ..self.keys("tbdemo", "tbPrivateKey01")
        };
        self.put_connection_secret(CONNECTION_PREFIX, &keys).await;
    }

    fn keys(&self, company_id: &str, private_key: &str) -> ConnectionSecret {
        ConnectionSecret {
            origin: self.connectwise.origin(),
            company_id: company_id.into(),
            public_key: "tbPublicKey01".into(),
            private_key: Secret::new(private_key),
            client_id: None,
        }
    }

    async fn put_connection_secret(&self, prefix: &str, keys: &ConnectionSecret) {
        let (name, keys) = (
            format!("{prefix}{PARTNER}"),
            serde_json::to_string(keys).unwrap(),
        );
        self.account.put_secret(&name, &keys).await;
    }

    /// A proxy in front of the emulator and the simulator.
    pub(crate) async fn proxy(&self) -> Proxy {
        Proxy::start(account::emulator_url(), self.connectwise.origin()).await
    }

    /// A configuration of `tickets` whose calls all pass a proxy. Its connection points to the
    /// simulator as the proxy serves it, so it has config and access tables of its own.
    pub(crate) async fn config_through(&self, name: &str, proxy: &Proxy) -> tickets::Config {
        let (config_table, access_table) = (format!("config-{name}"), format!("access-{name}"));
        let prefix = format!("{name}/connection/");
        tables::create(&self.aws, "ConfigTable", &config_table).await;
        tables::create(&self.aws, "AccessTable", &access_table).await;
        let config = ConfigTable::new(&self.aws, config_table.clone());
        let access = AccessTable::new(&self.aws, access_table.clone());
        seed_tables(&config, &access, proxy.origin.clone()).await;
        let keys = ConnectionSecret {
            origin: proxy.origin.clone(),
            ..self.keys("tbdemo", "tbPrivateKey01")
        };
        self.put_connection_secret(&prefix, &keys).await;
        tickets::Config {
            connections: ConnectionsConfig {
                config_table,
                access_table,
                connection_secret_prefix: prefix,
                allowed_origins: vec![proxy.origin.clone()],
                ..self.tickets_config.connections.clone()
            },
            ..self.tickets_config.clone()
        }
    }

    /// Posts events and takes their messages out of the queue.
    pub(crate) async fn post_and_take(&self, events: &[Value]) -> Vec<SqsMessage> {
        for event in events {
            self.source.post(event).await;
        }
        let mut taken = vec![];
        while taken.len() < events.len() {
            taken.extend(self.queue.take_records().await);
        }
        taken
    }

    /// The record of an alert of `TENANT`.
    pub(crate) async fn record(&self, alert: &str) -> Option<Record> {
        self.record_of(TENANT, alert).await
    }

    pub(crate) async fn record_of(&self, tenant: &str, alert: &str) -> Option<Record> {
        self.alerts.get(&key(tenant, alert)).await.unwrap()
    }

    /// Why an alert of `TENANT` is blocked, if it is.
    pub(crate) async fn reason(&self, alert: &str) -> Option<Blocked> {
        let record = self.record(alert).await.unwrap();
        record.blocked.map(|blocked| blocked.reason)
    }

    /// Writes records a0, a1 and so on, blocked because their tenant is not mapped.
    pub(crate) async fn write_blocked(&self, tenant: &str, count: usize, now: Timestamp) {
        let write = async |n| {
            let record = Record::new(key(tenant, &format!("a{n}")));
            let record = record.with_blocked(Blocked::Unmapped, None, now);
            let written = self.alerts.write(&record).await.unwrap();
            assert!(matches!(written, RecordWrite::Stored(_)));
        };
        // More calls at once would time out in the emulator on a busy machine.
        let writes = stream::iter(0..count).map(write);
        writes.buffer_unordered(20).collect::<()>().await;
    }

    /// Sets the partner's only contact, confirmed, which receives all mails about problems.
    pub(crate) async fn set_contact(&self, address: &str) {
        self.set_contacts(&[(address, &PROBLEM_MAILS)]).await;
    }

    /// Sets the partner's contacts, confirmed, with the mails that each receives.
    pub(crate) async fn set_contacts(&self, contacts: &[(&str, &[MailKind])]) {
        let contacts = contacts.iter().map(|(address, mails)| {
            let address = EmailAddress::parse(address).unwrap();
            (address, mails.iter().copied().collect())
        });
        let contacts = Contacts::confirmed_by_operator(contacts).unwrap();
        let before = self.access.contacts.get(&partner()).await.unwrap();
        let saved = self
            .access
            .contacts
            .save(&partner(), &contacts, before.version)
            .await;
        assert!(matches!(saved.unwrap(), SaveOutcome::Saved { .. }));
    }

    /// The confirmation token of the last mail that has a confirmation link.
    pub(crate) async fn confirmation(&self) -> String {
        let mails = self.account.mails().await;
        let texts = mails.iter().filter_map(|mail| mail["BodyText"].as_str());
        let links = texts.flat_map(str::split_whitespace);
        let mut links = links.filter_map(|word| word.split_once("/setup/contact/confirm#"));
        let last = links.next_back().expect("no confirmation was mailed");
        last.1.to_owned()
    }

    /// Opens the confirmation link in a new browser and confirms, at a time.
    pub(crate) async fn confirm_contact_at(&self, now: Timestamp) -> Answer {
        let mut reader = self.setup.browser();
        reader.now = Some(now);
        let token = json!({ "token": self.confirmation().await });
        reader.post("/setup/contact/confirm", &token).await
    }

    /// Confirms the contact now, which must succeed.
    pub(crate) async fn confirm_contact(&self) {
        self.confirm_contact_at(Timestamp::now()).await.expect(200);
    }

    /// Begins a new ticket index, as a restore of the alerts table does.
    pub(crate) async fn begin_rebuilding(&self) {
        let rebuilding = Some(TicketIndexState::Rebuilding);
        self.database.set_ticket_index(rebuilding).await;
    }

    /// Gives the connection another epoch, as if it pointed to another ConnectWise.
    pub(crate) async fn set_epoch(&self, epoch: u32) {
        let connection = Connection {
            epoch,
            ..self.connection().await
        };
        self.put_connection(&connection).await;
    }

    /// Points the connection to another company of the same site, in a new epoch.
    pub(crate) async fn point_at_company(&self, company_id: &str) {
        let connection = Connection {
            company_id: company_id.into(),
            epoch: 2,
            ..connection(self.connectwise.origin())
        };
        self.put_connection(&connection).await;
        let keys = self.keys(company_id, "another");
        self.put_connection_secret(CONNECTION_PREFIX, &keys).await;
    }
}

fn function(name: &str) -> FunctionConfig {
    FunctionConfig {
        name: name.into(),
        partners_per_tick: 500,
    }
}

fn setup_config(tickets: &tickets::Config) -> ::setup::Config {
    ::setup::Config {
        page_origin: PAGE.into(),
        webhook_url: "https://events.example/v1/events/{source}".into(),
        queue_url: tickets.queue_url.clone(),
        alerts_table: tickets.alerts_table.clone(),
        connections: tickets.connections.clone(),
        source_secret_prefix: "tb/source/".into(),
        deliveries_table: "deliveries".into(),
        webhook_origins: vec![],
        mail_from: MAIL_FROM.into(),
        function_name: "setup".into(),
        quarantine_retention: tickets.quarantine_retention,
        history_retention: days(399),
    }
}

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

fn connection(origin: String) -> Connection {
    Connection {
        origin,
        company_id: "tbdemo".into(),
        epoch: 1,
        confirmed: true,
        confirmed_at: None,
        suspended: false,
    }
}

/// Writes the seeded partner's connection, settings and mappings.
async fn seed_tables(config: &ConfigTable, access: &AccessTable, origin: String) {
    let connection = connection(origin);
    let put = access.connections.put(&partner(), &connection).await;
    put.unwrap();
    config.settings.put(&partner(), &settings()).await.unwrap();
    for (id, company, enabled) in [
        (TENANT, COMPANY, true),
        (DISABLED, fixtures::DISABLED_COMPANY, false),
    ] {
        let mapping = Mapping {
            company: Some(company),
            enabled,
            ..Mapping::default()
        };
        let put = config.tenants.put(&partner(), &tenant(id), &mapping).await;
        put.unwrap();
    }
}
