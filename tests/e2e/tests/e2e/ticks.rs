//! What tests of `reconcile` and `health` need of the world: ticks at any time, crowds of blocked alerts, and what was asked for.

use aws::invocation::Invocation;
use aws_sdk_sqs::types::DeleteMessageBatchRequestEntry;
use domain::command::{Command, CommandAction};
use domain::contact::Contact;
use domain::message::Message;
use domain::pipeline::Schedule;
use domain::record::Record;
use domain::{AlertKey, Blocked, EmailAddress, PartnerId};
use jiff::{SignedDuration, Timestamp};
use reconcile::ReconcileTotals;
use scheduled::{Driver, RunSummary};
use serde_json::{Value, json};
use store::{Due, RecordWrite, SaveOutcome};
use tokio::task::JoinSet;

use crate::setup_client::PAGE;
use crate::world::{MAIL_FROM, World, key, partner};

/// So many seconds after a time.
pub(crate) fn after(time: Timestamp, seconds: i64) -> Timestamp {
    time + SignedDuration::from_secs(seconds)
}

impl World {
    /// An environment of `reconcile`, as Lambda starts it.
    pub(crate) fn reconcile(&self) -> Driver<reconcile::ReconcileJob> {
        reconcile::driver(&self.reconcile_config(), &self.aws).unwrap()
    }

    pub(crate) fn reconcile_config(&self) -> reconcile::Config {
        reconcile::Config {
            queue_url: self.queue_url.clone(),
            alerts_table: "alerts".into(),
            connections: self.tickets_config.connections.clone(),
            function_name: "reconcile".into(),
            period: SignedDuration::from_mins(15),
            snapshot_lag: SignedDuration::from_mins(10),
        }
    }

    /// An environment of `health`, as Lambda starts it.
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
            dead_letter_queue_url: self.dead_letter_queue_url.clone(),
            stage: "test".into(),
            function_name: "health".into(),
            period: SignedDuration::from_mins(15),
        }
    }

    /// Has the seeded partner's connection due to be tried at a time.
    pub(crate) async fn make_health_due(&self, at: Timestamp) {
        let due = self.due();
        due.bring_forward(&partner(), Schedule::Health, at)
            .await
            .unwrap();
    }

    /// One tick of health's schedule, at a time.
    pub(crate) async fn try_out(
        &self,
        app: &Driver<health::HealthJob>,
        at: Timestamp,
    ) -> RunSummary<health::HealthTotals> {
        app.handle(json!({ "source": "schedule" }), &minute(at))
            .await
            .unwrap()
    }

    /// Says whom mails go to.
    pub(crate) async fn set_contact(&self, address: &str) {
        let address = EmailAddress::parse(address).unwrap();
        let before = self.access.contacts.get(&partner()).await.unwrap();
        let contact = Contact {
            address: Some(address),
            pending: None,
        };
        let saved = self
            .access
            .contacts
            .save(&partner(), &contact, before.version)
            .await;
        assert!(matches!(saved.unwrap(), SaveOutcome::Saved { .. }));
    }

    /// When partners are due.
    pub(crate) fn due(&self) -> Due {
        Due::new(&self.aws, "config".into())
    }

    /// Has the seeded partner due at a time.
    pub(crate) async fn make_due(&self, at: Timestamp) {
        self.make_all_due(&[partner()], at).await;
    }

    pub(crate) async fn make_all_due(&self, partners: &[PartnerId], at: Timestamp) {
        for partner in partners {
            let due = self.due();
            due.bring_forward(partner, Schedule::Reconcile, at)
                .await
                .unwrap();
        }
    }

    /// One tick of the schedule, at a time.
    pub(crate) async fn tick(
        &self,
        app: &Driver<reconcile::ReconcileJob>,
        at: Timestamp,
    ) -> RunSummary<ReconcileTotals> {
        app.handle(json!({ "source": "schedule" }), &minute(at))
            .await
            .unwrap()
    }

    /// Writes blocked records, a0, a1 and so on, as alerts leave them that come before their tenant is mapped.
    pub(crate) async fn block(&self, tenant: &str, count: usize, now: Timestamp) {
        let mut writes = JoinSet::new();
        for n in 0..count {
            let record = Record::new(key(tenant, &format!("a{n}")));
            let record = record.with_blocked(Blocked::Unmapped, None, now);
            let alerts = self.alerts.clone();
            writes.spawn(async move { alerts.write(&record).await.unwrap() });
        }
        for written in writes.join_all().await {
            assert!(matches!(written, RecordWrite::Stored(_)));
        }
    }

    /// Takes from the queue what is to be decided again, a refused alert's retry included.
    pub(crate) async fn reconsidered(&self) -> Vec<AlertKey> {
        let asked = self.asked_for().await.into_iter();
        let key = |message| match message {
            Message::Reconsider(key) => key,
            Message::Command(Command {
                key,
                action: CommandAction::Retry { .. },
                ..
            }) => key,
            other @ (Message::Event(_)
            | Message::Snapshot(_)
            | Message::Rejected(_)
            | Message::Release(_)
            | Message::Command(_)) => {
                unreachable!("{other:?}")
            }
        };
        asked.map(key).collect()
    }

    /// Takes all messages from the queue.
    pub(crate) async fn asked_for(&self) -> Vec<Message> {
        let sqs = aws_sdk_sqs::Client::new(&self.aws);
        let mut asked = vec![];
        loop {
            let call = sqs.receive_message().queue_url(&self.queue_url);
            let answer = call.max_number_of_messages(10).send().await.unwrap();
            let messages = answer.messages.unwrap_or_default();
            if messages.is_empty() {
                return asked;
            }
            let mut batch = vec![];
            for (n, message) in messages.into_iter().enumerate() {
                asked.push(Message::from_json(&message.body.unwrap()).unwrap());
                let entry = DeleteMessageBatchRequestEntry::builder().id(n.to_string());
                batch.push(
                    entry
                        .receipt_handle(message.receipt_handle.unwrap())
                        .build()
                        .unwrap(),
                );
            }
            let delete = sqs.delete_message_batch().queue_url(&self.queue_url);
            delete.set_entries(Some(batch)).send().await.unwrap();
        }
    }
}

/// An invocation at a time, that has a minute.
pub(crate) fn minute(at: Timestamp) -> Invocation {
    let name: [u8; 8] = ring::rand::generate(&ring::rand::SystemRandom::new())
        .unwrap()
        .expose();
    let name = format!("test-{:x}", u64::from_le_bytes(name));
    Invocation::at(&name, at, after(at, 60))
}

/// What an invocation for these partners alone is given.
pub(crate) fn only(partners: &[PartnerId]) -> Value {
    json!({ "partners": partners })
}
