//! A world of one test: queues, tables and secrets in an account of its own, a simulator, and the functions.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws::secrets::{ConnectionSecret, SigningSecret, SourceDocument};
use aws::startup::{Account, sdk_config};
use aws_credential_types::Credentials;
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings::Body;
use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement,
    KeyType, Projection, ProjectionType, ScalarAttributeType,
};
use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};
use aws_types::SdkConfig;
use aws_types::app_name::AppName;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connectwise_sim::{Running, Seed, Sim};
use domain::Secret;
use domain::event::Severity;
use domain::record::Record;
use domain::settings::{BoardTarget, Mapping, OnResolve, Settings};
use domain::ticket_index::{TicketIndex, TicketIndexState};
use domain::{AlertId, AlertKey, Kind, PartnerId, SourceId, TenantId};
use jiff::{SignedDuration, Timestamp};
use ring::hmac;
use serde_json::{Value, json};
use store::{AccessTable, Alerts, ConfigTable, Connection};
use tickets::BatchInvocation;

use crate::proxy::Proxy;
use crate::setup_client::PAGE;

/// Proves the ids of all sources here, as `domain::SourceKeys` made them.
pub(crate) const SOURCE_KEY: &str = "the-key-by-which-the-end-to-end-tests-make-ids";
pub(crate) const SOURCE: &str = "src_northwind0000drq5zip5s8rgz";
pub(crate) const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
pub(crate) const PARTNER: &str = "northwind";
/// Mapped and enabled.
pub(crate) const TENANT: &str = "acme-dental";
pub(crate) const COMPANY: u64 = 301;
/// Mapped and switched off.
pub(crate) const DISABLED: &str = "grove-legal";
/// The board of operations in the simulator's seed, its statuses, and the priorities.
pub(crate) const OPERATIONS: (u64, u64, u64) = (22, 221, 224);
pub(crate) const CYBER_ALERTS: (u64, u64, u64) = (23, 231, 234);

/// Whom mails come from.
pub(crate) const MAIL_FROM: &str = "ticketbridge@mail.example";

/// How long an uncertain create is given here.
const SETTLE: SignedDuration = SignedDuration::from_secs(1);
/// The longest that a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) aws: SdkConfig,
    pub(crate) ingest: ingest::App,
    pub(crate) tickets: tickets::TicketsHandler,
    pub(crate) setup: Arc<setup::App>,
    pub(crate) alerts: Alerts,
    pub(crate) config: ConfigTable,
    pub(crate) access: AccessTable,
    pub(crate) queue_url: String,
    pub(crate) dead_letter_queue_url: String,
    pub(crate) tickets_config: tickets::Config,
    account: Account,
    sqs: aws_sdk_sqs::Client,
    http: reqwest::Client,
    sim: Running,
    invocations: u32,
    client_id: String,
}

/// The one scenario of the crash points that is to be played.
#[expect(clippy::disallowed_methods, reason = "how a failure is played again")]
pub(crate) fn crashes() -> Option<String> {
    std::env::var("TICKETBRIDGE_TEST_CRASHES").ok()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tests' one piece of configuration"
)]
fn emulator() -> String {
    std::env::var("TICKETBRIDGE_TEST_AWS").expect(
        "TICKETBRIDGE_TEST_AWS is not set: run `cargo xtask test`, which starts the emulator that these tests need",
    )
}

/// An account that no other test or run has.
fn account() -> String {
    let random: [u8; 8] = ring::rand::generate(&ring::rand::SystemRandom::new())
        .unwrap()
        .expose();
    format!(
        "{:012}",
        u64::from_le_bytes(random) % 900_000_000_000 + 100_000_000_000
    )
}

/// Set-up beside the function that works off the queue.
fn setup_config(tickets: &tickets::Config) -> setup::Config {
    setup::Config {
        page_origin: PAGE.into(),
        webhook_url: "https://events.example/v1/events/{source}".into(),
        queue_url: tickets.queue_url.clone(),
        alerts_table: tickets.alerts_table.clone(),
        connections: tickets.connections.clone(),
        source_secret_prefix: "tb/source/".into(),
        mail_from: MAIL_FROM.into(),
        function_name: "setup".into(),
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::of(Seed::demo()).await
    }

    pub(crate) fn setup_config(&self) -> setup::Config {
        setup_config(&self.tickets_config)
    }

    /// With another ConnectWise.
    pub(crate) async fn of(seed: Seed) -> Self {
        Self::beside(seed, &[]).await
    }

    /// With other origins that the operator listed too.
    pub(crate) async fn beside(seed: Seed, others: &[String]) -> Self {
        // The tests' own HTTP client asks for a process-wide one; the functions bring theirs.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let account = Account {
            region: "us-east-1".into(),
            endpoint_url: Some(emulator()),
            credentials: Credentials::new(account(), "test", None, None, "test"),
        };
        let aws = sdk_config(&account).unwrap();
        let client_id = seed.technician().unwrap().client_id;
        let sim = Sim::start(seed, ([127, 0, 0, 1], 0).into()).await.unwrap();
        let sqs = aws_sdk_sqs::Client::new(&aws);
        let queue_url = queue(&sqs, "events").await;
        let dead_letter_queue_url = queue(&sqs, "dead-letters").await;
        tables(&aws).await;
        let tickets_config = tickets::Config {
            queue_url: queue_url.clone(),
            dead_letter_queue_url: dead_letter_queue_url.clone(),
            alerts_table: "alerts".into(),
            connections: connections::Config {
                config_table: "config".into(),
                access_table: "access".into(),
                connection_secret_prefix: "tb/connection/".into(),
                client_id_secret: "tb/client-id".into(),
                allowed_origins: [&[sim.base_url()], others].concat(),
            },
            settle: SETTLE,
        };
        let ingest_config = ingest::Config {
            queue_url: queue_url.clone(),
            source_secret_prefix: "tb/source/".into(),
        };
        let setup_config = setup_config(&tickets_config);
        let world = Self {
            ingest: ingest::App::build(ingest_config, &aws),
            tickets: tickets::TicketsHandler::build(&tickets_config, &aws).unwrap(),
            setup: Arc::new(setup::App::build(&setup_config, &aws).unwrap()),
            alerts: Alerts::new(&aws, "alerts".into()),
            config: ConfigTable::new(&aws, "config".into()),
            access: AccessTable::new(&aws, "access".into()),
            queue_url,
            dead_letter_queue_url,
            sqs,
            http: reqwest::Client::builder()
                .timeout(Duration::from_secs(10))
                .build()
                .unwrap(),
            tickets_config,
            account,
            sim,
            invocations: 0,
            client_id,
            aws,
        };
        world.seed().await;
        world
    }

    async fn seed(&self) {
        let document = SourceDocument {
            partner: Some(partner()),
            partners: vec![],
            enabled: true,
            kinds_added: vec![],
            secrets: vec![SigningSecret {
                value: Secret::new(SECRET),
                not_after: None,
            }],
        };
        self.put_secret("tb/source/id-keys", SOURCE_KEY).await;
        self.put_secret(
            &format!("tb/source/{SOURCE}"),
            &serde_json::to_string(&document).unwrap(),
        )
        .await;
        self.put_keys("tbPrivateKey01").await;
        self.put_secret(
            "tb/client-id",
            &Seed::demo().integration().unwrap().client_id,
        )
        .await;
        let origin = self.sim.base_url();
        self.seed_tables(&self.config, &self.access, origin).await;
        // ConnectWise was looked through, and had no ticket of ours.
        let ticket_index = TicketIndex::new(1, true);
        self.alerts
            .ticket_index
            .begin(&partner(), &ticket_index)
            .await
            .unwrap();
        let ses = aws_sdk_sesv2::Client::new(&self.aws);
        let verify = ses.create_email_identity().email_identity(MAIL_FROM);
        verify.send().await.unwrap();
    }

    /// The mails that were sent, the first one first: `Source`, `To`, `Subject`, `BodyText`, `BodyHtml`.
    pub(crate) async fn mails(&self) -> Vec<Value> {
        let account = self.account.credentials.access_key_id();
        let url = format!("{}/_ministack/ses/messages?account={account}", emulator());
        let answer = self.http.get(url).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        let mails = answer["messages"][account].as_array();
        mails.cloned().unwrap_or_default()
    }

    async fn seed_tables(&self, config: &ConfigTable, access: &AccessTable, origin: String) {
        let connection = Connection {
            origin,
            company_id: "tbdemo".into(),
            epoch: 1,
            confirmed: true,
            confirmed_at: None,
            suspended: false,
        };
        access
            .connections
            .put(&partner(), &connection)
            .await
            .unwrap();
        config.settings.put(&partner(), &settings()).await.unwrap();
        let mapped = Mapping {
            company: Some(COMPANY),
            enabled: true,
            ..Mapping::default()
        };
        config
            .tenants
            .put(&partner(), &tenant(TENANT), &mapped)
            .await
            .unwrap();
        let disabled = Mapping {
            enabled: false,
            company: Some(308),
            ..Mapping::default()
        };
        config
            .tenants
            .put(&partner(), &tenant(DISABLED), &disabled)
            .await
            .unwrap();
    }

    /// Where its ConnectWise is.
    pub(crate) fn connectwise(&self) -> String {
        self.sim.base_url()
    }

    /// Stores the connection's keys with this private key.
    pub(crate) async fn put_keys(&self, private_key: &str) {
        self.put_keys_of("tb/connection/", self.sim.base_url(), "tbdemo", private_key)
            .await;
    }

    /// Stores the connection's keys with a clientId of the partner's own.
    pub(crate) async fn put_own_client_id(&self, client_id: &str) {
        let keys = ConnectionSecret {
            origin: self.sim.base_url(),
            company_id: "tbdemo".into(),
            public_key: "tbPublicKey01".into(),
            private_key: Secret::new("tbPrivateKey01"),
            client_id: Some(Secret::new(client_id)),
        };
        let keys = serde_json::to_string(&keys).unwrap();
        self.put_secret(&format!("tb/connection/{PARTNER}"), &keys)
            .await;
    }

    async fn put_keys_of(&self, prefix: &str, origin: String, company_id: &str, private_key: &str) {
        let keys = ConnectionSecret {
            origin,
            company_id: company_id.into(),
            public_key: "tbPublicKey01".into(),
            private_key: Secret::new(private_key),
            client_id: None,
        };
        self.put_secret(
            &format!("{prefix}{PARTNER}"),
            &serde_json::to_string(&keys).unwrap(),
        )
        .await;
    }

    /// A configuration of `tickets` with which all calls go through a proxy: its ConnectWise is the simulator as seen there.
    pub(crate) async fn through(&self, name: &str, proxy: &Proxy) -> tickets::Config {
        let (config_table, access_table) = (format!("config-{name}"), format!("access-{name}"));
        let prefix = format!("{name}/connection/");
        create_config_table(&self.aws, &config_table).await;
        create_access_table(&self.aws, &access_table).await;
        let config = ConfigTable::new(&self.aws, config_table.clone());
        let access = AccessTable::new(&self.aws, access_table.clone());
        let origin = proxy.origin.clone();
        self.seed_tables(&config, &access, origin).await;
        self.put_keys_of(&prefix, proxy.origin.clone(), "tbdemo", "tbPrivateKey01")
            .await;
        tickets::Config {
            connections: connections::Config {
                config_table,
                access_table,
                connection_secret_prefix: prefix,
                allowed_origins: vec![proxy.origin.clone()],
                ..self.tickets_config.connections.clone()
            },
            ..self.tickets_config.clone()
        }
    }

    /// A proxy before all that a worker talks to.
    pub(crate) async fn proxy(&self) -> Proxy {
        Proxy::start(emulator(), self.sim.base_url()).await
    }

    /// The SDK's configuration of a new process that calls itself so, whose calls go to that address.
    pub(crate) fn aws_at(&self, endpoint_url: &str, name: &str) -> SdkConfig {
        let account = Account {
            endpoint_url: Some(endpoint_url.to_owned()),
            ..self.account.clone()
        };
        let name = AppName::new(name.to_owned()).unwrap();
        let aws = sdk_config(&account).unwrap();
        aws.into_builder().app_name(name).build()
    }

    /// What the table knows of ConnectWise's tickets from here on.
    pub(crate) async fn remember(&self, state: Option<TicketIndexState>) {
        self.delete(&format!("ticket_index#{PARTNER}")).await;
        if let Some(state) = state {
            let ticket_index = TicketIndex::new(1, state == TicketIndexState::Complete);
            assert!(
                self.alerts
                    .ticket_index
                    .begin(&partner(), &ticket_index)
                    .await
                    .unwrap()
            );
        }
    }

    /// The table loses an alert.
    pub(crate) async fn forget(&self, alert: &str) {
        self.delete(&key(TENANT, alert).item_key()).await;
    }

    async fn delete(&self, pk: &str) {
        let table = aws_sdk_dynamodb::Client::new(&self.aws);
        let delete = table.delete_item().table_name("alerts");
        let delete = delete.key("pk", AttributeValue::S(pk.to_owned()));
        delete.send().await.unwrap();
    }

    /// Empties the simulator: no ticket, no journal, no fault.
    pub(crate) async fn empty_connectwise(&self) {
        let url = format!("{}/_sim/reset", self.sim.base_url());
        let answer = self.http.post(url).send().await.unwrap();
        assert!(answer.status().is_success());
    }

    pub(crate) async fn put_secret(&self, name: &str, text: &str) {
        let client = aws_sdk_secretsmanager::Client::new(&self.aws);
        if client
            .create_secret()
            .name(name)
            .secret_string(text)
            .send()
            .await
            .is_err()
        {
            client
                .put_secret_value()
                .secret_id(name)
                .secret_string(text)
                .send()
                .await
                .unwrap();
        }
    }

    /// Posts an event through the door; panics unless it is taken.
    pub(crate) async fn post(&self, event: &Value) {
        let response = self
            .post_raw("application/cloudevents+json", event.to_string().as_bytes())
            .await;
        assert_eq!(response.status_code, 202, "{response:?}");
    }

    /// Posts an event that is received so many minutes from now; panics unless it is taken.
    pub(crate) async fn post_at(&self, minutes: i64, event: &Value) {
        let at = Timestamp::now() + SignedDuration::from_mins(minutes);
        let body = event.to_string();
        let content_type = "application/cloudevents+json";
        let request = signed(SOURCE, SECRET, content_type, body.as_bytes(), at);
        let response = self.ingest.handle_at(request, at).await;
        assert_eq!(response.status_code, 202, "{response:?}");
    }

    /// Posts bytes, signed as they should be.
    pub(crate) async fn post_raw(
        &self,
        content_type: &str,
        body: &[u8],
    ) -> ApiGatewayV2httpResponse {
        self.ingest
            .handle(signed(SOURCE, SECRET, content_type, body, Timestamp::now()))
            .await
    }

    /// A second environment of `tickets`, as Lambda starts them under load.
    pub(crate) fn another_worker(&self) -> tickets::TicketsHandler {
        tickets::TicketsHandler::build(&self.tickets_config, &self.aws).unwrap()
    }

    /// Lets `tickets` work off what is visible in the queue, once; returns how many messages were handed over.
    pub(crate) async fn work_once(&mut self) -> usize {
        let (event, messages) = self.receive().await;
        if messages.is_empty() {
            return 0;
        }
        let invocation = self.invocation(60);
        // Boxed: a test thread has a small stack, and futures of debug builds are large.
        let answer = Box::pin(self.tickets.handle(event, &invocation)).await;
        let failed: Vec<_> = answer
            .batch_item_failures
            .iter()
            .map(|failure| failure.item_identifier.as_str())
            .collect();
        for message in &messages {
            if !failed.contains(&message.message_id().unwrap()) {
                let delete = self.sqs.delete_message().queue_url(&self.queue_url);
                let receipt = message.receipt_handle().unwrap();
                delete.receipt_handle(receipt).send().await.unwrap();
            }
        }
        messages.len()
    }

    /// What is visible in the queue, as Lambda hands it over.
    pub(crate) async fn receive(&self) -> (SqsEvent, Vec<aws_sdk_sqs::types::Message>) {
        let received = self
            .sqs
            .receive_message()
            .queue_url(&self.queue_url)
            .max_number_of_messages(10)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await
            .unwrap();
        let messages = received.messages.unwrap_or_default();
        let mut event = SqsEvent::default();
        event.records = messages.iter().map(record).collect();
        (event, messages)
    }

    /// Shows received messages again at once, as their visibility's end does.
    pub(crate) async fn show_again(&self, messages: &[aws_sdk_sqs::types::Message]) {
        for message in messages {
            let call = self
                .sqs
                .change_message_visibility()
                .queue_url(&self.queue_url);
            let call = call.receipt_handle(message.receipt_handle().unwrap());
            call.visibility_timeout(0).send().await.unwrap();
        }
    }

    /// An invocation at a time, that has so many seconds.
    pub(crate) fn invocation_at(&mut self, now: Timestamp, seconds: i64) -> BatchInvocation {
        self.invocations += 1;
        let name = format!("test-{}", self.invocations);
        BatchInvocation::at(&name, now, now + SignedDuration::from_secs(seconds))
    }

    /// An invocation that has so many seconds.
    pub(crate) fn invocation(&mut self, seconds: i64) -> BatchInvocation {
        self.invocation_at(Timestamp::now(), seconds)
    }

    /// Works until the queue is empty, put-off messages included.
    pub(crate) async fn work(&mut self) {
        let begun = Instant::now();
        loop {
            self.work_once().await;
            if self.waiting(&self.queue_url.clone()).await == 0 {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "the queue does not empty");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Messages in a queue, hidden ones included.
    pub(crate) async fn waiting(&self, queue_url: &str) -> u32 {
        let counts = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let call = self.sqs.get_queue_attributes().queue_url(queue_url);
        let answer = call
            .set_attribute_names(Some(counts.to_vec()))
            .send()
            .await
            .unwrap();
        let attributes = answer.attributes.unwrap_or_default();
        counts
            .iter()
            .map(|name| {
                attributes
                    .get(name)
                    .map_or(0, |count| count.parse::<u32>().unwrap())
            })
            .sum()
    }

    /// Puts a text on the queue as it is.
    pub(crate) async fn enqueue(&self, body: &str) {
        self.sqs
            .send_message()
            .queue_url(&self.queue_url)
            .message_body(body)
            .send()
            .await
            .unwrap();
    }

    /// The one message in the queue, as it stands there.
    pub(crate) async fn queued(&self) -> Value {
        let call = self.sqs.receive_message().queue_url(&self.queue_url);
        let answer = call.max_number_of_messages(10).send().await.unwrap();
        let messages = answer.messages.unwrap_or_default();
        assert_eq!(messages.len(), 1);
        serde_json::from_str(messages[0].body().unwrap()).unwrap()
    }

    /// The dead letters: body and reason.
    pub(crate) async fn dead_letters(&self) -> Vec<(String, String)> {
        let call = self
            .sqs
            .receive_message()
            .queue_url(&self.dead_letter_queue_url)
            .max_number_of_messages(10);
        let answer = call
            .message_attribute_names("All")
            .visibility_timeout(0)
            .send()
            .await
            .unwrap();
        let letter = |message: aws_sdk_sqs::types::Message| {
            let attributes = message.message_attributes.unwrap_or_default();
            let reason = attributes
                .get("reason")
                .and_then(|value| value.string_value())
                .unwrap_or_default();
            (message.body.unwrap_or_default(), reason.to_owned())
        };
        answer
            .messages
            .unwrap_or_default()
            .into_iter()
            .map(letter)
            .collect()
    }

    pub(crate) async fn record(&self, alert: &str) -> Option<Record> {
        self.record_of(TENANT, alert).await
    }

    pub(crate) async fn record_of(&self, tenant: &str, alert: &str) -> Option<Record> {
        self.alerts.get(&key(tenant, alert)).await.unwrap()
    }

    /// Calls the simulator's ConnectWise as a technician does.
    pub(crate) async fn technician(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<Value>,
    ) -> Value {
        let seed = Seed::demo().technician().unwrap();
        let user = format!("{}+{}", seed.company_id, seed.public_key);
        let url = format!("{}/v4_6_release/apis/3.0{path}", self.sim.base_url());
        let mut call = self
            .http
            .request(method, url)
            .basic_auth(user, Some(seed.private_key))
            .header("clientId", &self.client_id);
        if let Some(body) = body {
            call = call.json(&body);
        }
        let answer = call.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.unwrap_or_default()
    }

    /// All tickets of the simulator.
    pub(crate) async fn all_tickets(&self) -> Vec<Value> {
        let tickets = self
            .technician(reqwest::Method::GET, "/service/tickets?pageSize=1000", None)
            .await;
        tickets.as_array().unwrap().clone()
    }

    /// Asserts that ConnectWise has no ticket, and that nobody but this question ever called it.
    pub(crate) async fn has_no_ticket_and_called_nobody(&self) {
        assert_eq!(self.all_tickets().await.len(), 0);
        assert_eq!(self.calls().await, ["GET /service/tickets"]);
    }

    /// Waits until ConnectWise has so many tickets.
    pub(crate) async fn eventually_tickets(&self, count: usize) {
        let begun = Instant::now();
        while self.all_tickets().await.len() != count {
            assert!(begun.elapsed() < PATIENCE, "never {count} tickets");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Loses the alerts table's content.
    pub(crate) async fn empty_alerts_table(&self) {
        let client = aws_sdk_dynamodb::Client::new(&self.aws);
        let items = client.scan().table_name("alerts").send().await.unwrap();
        for item in items.items.unwrap_or_default() {
            let delete = client.delete_item().table_name("alerts");
            let delete = delete.key("pk", item["pk"].clone());
            delete.send().await.unwrap();
        }
    }

    /// What a restore does to the memory.
    pub(crate) async fn begin_rebuilding(&self) {
        let client = aws_sdk_dynamodb::Client::new(&self.aws);
        let delete = client.delete_item().table_name("alerts");
        let ticket_index = AttributeValue::S(format!("ticket_index#{PARTNER}"));
        delete.key("pk", ticket_index).send().await.unwrap();
        let ticket_index = TicketIndex::new(1, false);
        self.alerts
            .ticket_index
            .begin(&partner(), &ticket_index)
            .await
            .unwrap();
    }

    /// Has the connection point to another ConnectWise: the same simulator, since only calls matter.
    pub(crate) async fn repoint(&self, epoch: u32) {
        let connection = self.access.connections.get(&partner()).await.unwrap().value;
        let connection = Connection {
            epoch,
            ..connection.unwrap()
        };
        self.access
            .connections
            .put(&partner(), &connection)
            .await
            .unwrap();
    }

    /// Has set-up point the connection at another company of the same site.
    pub(crate) async fn point_at_company(&self, company_id: &str) {
        let connection = Connection {
            origin: self.sim.base_url(),
            company_id: company_id.into(),
            epoch: 2,
            confirmed: true,
            confirmed_at: None,
            suspended: false,
        };
        self.access
            .connections
            .put(&partner(), &connection)
            .await
            .unwrap();
        self.put_keys_of("tb/connection/", self.sim.base_url(), company_id, "another")
            .await;
    }

    /// Has set-up store keys of this version.
    pub(crate) async fn set_key_version(&self, version: &str) {
        let version = AttributeValue::S(version.into());
        self.put_breaker("key_version", version).await;
    }

    /// Makes the breaker's item unreadable.
    pub(crate) async fn spoil_breaker(&self) {
        let nonsense = AttributeValue::S("nonsense".into());
        self.put_breaker("generation", nonsense).await;
    }

    async fn put_breaker(&self, name: &str, value: AttributeValue) {
        let client = aws_sdk_dynamodb::Client::new(&self.aws);
        let put = client.put_item().table_name("config");
        let put = put
            .item("pk", AttributeValue::S(format!("P#{PARTNER}")))
            .item("sk", AttributeValue::S("breaker".into()));
        put.item(name, value).send().await.unwrap();
    }

    /// The texts of a ticket's notes.
    pub(crate) async fn notes(&self, ticket: &Value) -> Vec<Value> {
        let path = format!("/service/tickets/{}/notes?pageSize=1000", ticket["id"]);
        self.technician(reqwest::Method::GET, &path, None)
            .await
            .as_array()
            .unwrap()
            .clone()
    }

    /// Sets the simulator's faults.
    pub(crate) async fn faults(&self, faults: Value) {
        let url = format!("{}/_sim/faults", self.sim.base_url());
        let answer = self.http.put(url).json(&faults).send().await.unwrap();
        assert!(
            answer.status().is_success(),
            "{}",
            answer.text().await.unwrap()
        );
    }

    /// Has a person do something to a ticket, as the simulator names it.
    pub(crate) async fn person(&self, ticket: u64, action: &Value) {
        let url = format!("{}/_sim/tickets/{ticket}", self.sim.base_url());
        let answer = self.http.post(url).json(action).send().await.unwrap();
        let status = answer.status();
        assert!(
            status.is_success(),
            "{action}: {}",
            answer.text().await.unwrap()
        );
    }

    /// What the simulator was asked since the start.
    pub(crate) async fn journal(&self) -> Vec<Value> {
        let url = format!("{}/_sim/journal?after=0", self.sim.base_url());
        let answer = self.http.get(url).send().await.unwrap();
        answer.json().await.unwrap()
    }

    /// What our function called since the start: `METHOD path`.
    pub(crate) async fn calls(&self) -> Vec<String> {
        let journal = self.journal().await;
        let call = |entry: &Value| {
            let path = entry["path"]
                .as_str()
                .unwrap()
                .trim_start_matches("/v4_6_release/apis/3.0")
                .to_owned();
            format!("{} {path}", entry["method"].as_str().unwrap())
        };
        journal.iter().map(call).collect()
    }
}

fn record(message: &aws_sdk_sqs::types::Message) -> SqsMessage {
    let mut record = SqsMessage::default();
    record.message_id = message.message_id.clone();
    record.receipt_handle = message.receipt_handle.clone();
    record.body = message.body.clone();
    let attributes = message.attributes.clone().unwrap_or_default();
    record.attributes = attributes
        .into_iter()
        .map(|(name, value)| (name.as_str().to_owned(), value))
        .collect::<HashMap<_, _>>();
    record
}

/// A request as the gateway hands it over.
pub(crate) fn signed(
    source: &str,
    secret: &str,
    content_type: &str,
    body: &[u8],
    at: Timestamp,
) -> ApiGatewayV2httpRequest {
    let id = "msg_1";
    let timestamp = at.as_second().to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(&secret[6..]).unwrap());
    let text = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
    let signature = format!("v1,{}", STANDARD.encode(hmac::sign(&key, &text)));
    let mut request = ApiGatewayV2httpRequest::default();
    request
        .path_parameters
        .insert("source".into(), source.into());
    for (name, value) in [
        ("content-type", content_type),
        ("webhook-id", id),
        ("webhook-timestamp", timestamp.as_str()),
        ("webhook-signature", signature.as_str()),
    ] {
        request.headers.insert(
            aws_lambda_events::http::HeaderName::try_from(name).unwrap(),
            value.parse().unwrap(),
        );
    }
    request.body = Some(STANDARD.encode(body));
    request.is_base64_encoded = true;
    request
}

/// The JSON of an answer.
pub(crate) fn answer(response: &ApiGatewayV2httpResponse) -> Value {
    let Some(Body::Text(text)) = &response.body else {
        return Value::Null;
    };
    serde_json::from_str(text).unwrap()
}

pub(crate) fn partner() -> PartnerId {
    PartnerId::parse(PARTNER).unwrap()
}

pub(crate) fn tenant(id: &str) -> TenantId {
    TenantId::parse(id).unwrap()
}

pub(crate) fn key(tenant_id: &str, alert: &str) -> AlertKey {
    AlertKey {
        partner: partner(),
        tenant: tenant(tenant_id),
        source: SourceId::parse(SOURCE).unwrap(),
        alert_id: AlertId::parse(alert).unwrap(),
    }
}

/// An event of the mapped tenant, some seconds from now.
pub(crate) fn event(kind: &str, id: &str, alert: &str, second: i64) -> Value {
    let time = Timestamp::now() - SignedDuration::from_mins(10) + SignedDuration::from_secs(second);
    json!({
        "specversion": "1.0", "id": id, "source": "/test", "type": kind, "time": time.to_string(),
        "data": {
            "tenant": TENANT, "tenant_name": "Acme Dental", "alert_id": alert, "kind": "disk", "severity": "medium",
            "title": "Disk C: of web-1 is full", "description": "1 % is left", "device": "web-1", "link": "https://example.com/a"
        }
    })
}

pub(crate) fn settings() -> Settings {
    let board =
        |(board, start, closing): (u64, u64, u64), types: &[(&str, u64)], on_resolve| BoardTarget {
            board: Some(board),
            start_status: Some(start),
            closing_status: Some(closing),
            types: types
                .iter()
                .map(|(kind, id)| (Kind::parse(*kind).unwrap(), *id))
                .collect(),
            on_resolve,
            reopen_days: 0,
            renew_after_hours: 0,
        };
    Settings {
        operations: board(
            OPERATIONS,
            &[("disk", 2203), ("cpu", 2201)],
            OnResolve::Close,
        ),
        cyber_alerts: board(
            CYBER_ALERTS,
            &[("ransomware_encryption", 2302)],
            OnResolve::Note,
        ),
        kinds_off: [Kind::parse("memory").unwrap()].into(),
        priorities: [
            (Severity::Critical, 31),
            (Severity::High, 32),
            (Severity::Medium, 33),
            (Severity::Low, 34),
        ]
        .into(),
        ..Settings::default()
    }
}

async fn queue(sqs: &aws_sdk_sqs::Client, name: &str) -> String {
    sqs.create_queue()
        .queue_name(name)
        .send()
        .await
        .unwrap()
        .queue_url
        .unwrap()
}

/// The tables as the template has them; the smoke test runs on the template's own.
async fn tables(aws: &SdkConfig) {
    let client = aws_sdk_dynamodb::Client::new(aws);
    let alerts = client
        .create_table()
        .table_name("alerts")
        .billing_mode(BillingMode::PayPerRequest);
    let alerts = alerts
        .attribute_definitions(attribute("pk"))
        .attribute_definitions(attribute("state_of"))
        .attribute_definitions(attribute("tenant_since"))
        .attribute_definitions(attribute("look_of"))
        .attribute_definitions(attribute("look_at"))
        .key_schema(element("pk", KeyType::Hash));
    alerts
        .global_secondary_indexes(index("by_state", "state_of", "tenant_since"))
        .global_secondary_indexes(index("by_look", "look_of", "look_at"))
        .send()
        .await
        .unwrap();
    create_config_table(aws, "config").await;
    create_access_table(aws, "access").await;
}

async fn create_access_table(aws: &SdkConfig, name: &str) {
    let client = aws_sdk_dynamodb::Client::new(aws);
    let access = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("pk"))
        .attribute_definitions(attribute("sk"))
        .key_schema(element("pk", KeyType::Hash))
        .key_schema(element("sk", KeyType::Range));
    access.send().await.unwrap();
}

async fn create_config_table(aws: &SdkConfig, name: &str) {
    let client = aws_sdk_dynamodb::Client::new(aws);
    let config = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest);
    let config = config
        .attribute_definitions(attribute("pk"))
        .attribute_definitions(attribute("sk"))
        .attribute_definitions(attribute("due_of"))
        .attribute_definitions(attribute("due_at"));
    let config = config
        .key_schema(element("pk", KeyType::Hash))
        .key_schema(element("sk", KeyType::Range))
        .global_secondary_indexes(index("due", "due_of", "due_at"));
    config.send().await.unwrap();
}

fn attribute(name: &str) -> AttributeDefinition {
    AttributeDefinition::builder()
        .attribute_name(name)
        .attribute_type(ScalarAttributeType::S)
        .build()
        .unwrap()
}

fn element(name: &str, kind: KeyType) -> KeySchemaElement {
    KeySchemaElement::builder()
        .attribute_name(name)
        .key_type(kind)
        .build()
        .unwrap()
}

fn index(name: &str, hash: &str, range: &str) -> GlobalSecondaryIndex {
    GlobalSecondaryIndex::builder()
        .index_name(name)
        .key_schema(element(hash, KeyType::Hash))
        .key_schema(element(range, KeyType::Range))
        .projection(
            Projection::builder()
                .projection_type(ProjectionType::All)
                .build(),
        )
        .build()
        .unwrap()
}
