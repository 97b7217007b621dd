//! What tests do again and again in an environment, each as one call.

use std::collections::BTreeMap;

use domain::TenantId;
use domain::alert::record::{Actual, ClosedBy, Record};
use domain::connection::breaker::Breaker;
use domain::setup::mapping::Mapping;
use domain::setup::settings::Settings;
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use store::{AuditEntry, Connection, HeldClosings, ListPage};

use super::{TENANT, TestEnvironment, key, partner, reconsider, tenant};

impl TestEnvironment {
    /// Sets one of the simulator's faults.
    pub(crate) async fn set_fault(&self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        self.connectwise.set_faults(json!({ name: value })).await;
    }

    /// Posts an event to the webhook, and works until the queue is empty.
    pub(crate) async fn deliver(&mut self, event: &Value) {
        self.source.post(event).await;
        self.worker.work().await;
    }

    /// Posts events and hands their messages to the worker, first so many minutes from now and then
    /// each minute, until none fails.
    pub(crate) async fn process(&mut self, events: &[Value], minutes: i64) {
        let messages = self.post_and_take(events).await;
        self.worker.handle_until_done(messages, minutes, 1).await;
    }

    /// Has an alert of `TENANT` decided again, first so many minutes from now.
    pub(crate) async fn reconsider(&mut self, alert: &str, minutes: i64) {
        let messages = vec![reconsider(&key(TENANT, alert))];
        self.worker.handle_until_done(messages, minutes, 1).await;
    }

    /// Replaces one member of a ConnectWise record, as a technician.
    pub(crate) async fn patch(&self, path: &str, member: &str, value: impl Into<Value>) {
        let value: Value = value.into();
        let patch = json!([{ "op": "replace", "path": member, "value": value }]);
        let call = self
            .connectwise
            .call_as_technician(Method::PATCH, path, Some(patch));
        call.await;
    }

    /// Deletes a ConnectWise record, as a technician.
    pub(crate) async fn delete(&self, path: &str) {
        let call = self
            .connectwise
            .call_as_technician(Method::DELETE, path, None);
        call.await;
    }

    /// The ticket of one occurrence of an alert of `TENANT`, if it exists.
    pub(crate) async fn find_ticket(&self, alert: &str, occurrence: u32) -> Option<Value> {
        let ticket_ref = format!("tb1-{}-{occurrence}", key(TENANT, alert).item_key());
        let mut tickets = self.connectwise.tickets().await.into_iter();
        tickets.find(|ticket| ticket["externalXRef"] == ticket_ref)
    }

    /// Runs a new execution environment of reconcile, for which the seeded partner is due.
    pub(crate) async fn run_reconcile(
        &self,
        at: Timestamp,
    ) -> scheduled::RunSummary<reconcile::ReconcileTotals> {
        self.schedule.run(&self.reconcile(), at).await
    }

    /// Calls the operator's API, expects this status, and returns the answer's JSON, which is `null`
    /// without a body.
    pub(crate) async fn operate(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        status: u16,
    ) -> Value {
        let answer = self.setup.operator(method, path, body).await;
        let answer = answer.expect(status);
        match answer.text.is_empty() {
            true => Value::Null,
            false => answer.json(),
        }
    }

    pub(crate) async fn settings(&self) -> Settings {
        let read = self.config.settings.get(&partner()).await.unwrap();
        read.value.unwrap()
    }

    pub(crate) async fn put_settings(&self, settings: &Settings) {
        let put = self.config.settings.put(&partner(), settings).await;
        put.unwrap();
    }

    pub(crate) async fn mapping(&self, of: &str) -> Mapping {
        let read = self.config.tenants.get(&partner(), &tenant(of)).await;
        read.unwrap().value.unwrap()
    }

    pub(crate) async fn put_mapping(&self, of: &str, mapping: &Mapping) {
        let tenants = &self.config.tenants;
        tenants.put(&partner(), &tenant(of), mapping).await.unwrap();
    }

    pub(crate) async fn connection(&self) -> Connection {
        let read = self.access.connections.get(&partner()).await.unwrap();
        read.value.unwrap()
    }

    pub(crate) async fn put_connection(&self, connection: &Connection) {
        let put = self.access.connections.put(&partner(), connection).await;
        put.unwrap();
    }

    pub(crate) async fn breaker(&self) -> Breaker {
        self.config.breaker.get(&partner()).await.unwrap()
    }

    /// Closes the breaker, which must be open.
    pub(crate) async fn close_breaker(&self) {
        let generation = self.breaker().await.generation;
        let closed = self.config.breaker.close(&partner(), generation).await;
        assert!(closed.unwrap());
    }

    pub(crate) async fn blocked_keys(&self) -> Vec<domain::AlertKey> {
        let lists = &self.alerts.lists;
        lists.blocked_keys(&partner()).await.unwrap()
    }

    pub(crate) async fn held_closings(&self) -> BTreeMap<TenantId, HeldClosings> {
        let holds = &self.config.closing_holds;
        holds.get_held(&partner()).await.unwrap()
    }

    /// Approves the held closings of `TENANT` with this digest and start. Returns whether they match.
    pub(crate) async fn approve(&self, shown: (&str, Timestamp)) -> bool {
        let (holds, tenant) = (&self.config.closing_holds, tenant(TENANT));
        let partner = partner();
        let approved = holds.approve(&partner, &tenant, shown, Timestamp::now());
        approved.await.unwrap()
    }

    /// The newest entries of the seeded partner's audit log, and whether there are more.
    pub(crate) async fn audit_page(&self) -> ListPage<AuditEntry> {
        let audit = &self.access.audit;
        audit.page(&partner(), None, 50).await.unwrap()
    }

    /// Makes the seeded partner due for health, and runs a tick of health then.
    pub(crate) async fn run_health(
        &self,
        health: &scheduled::Driver<health::HealthJob>,
        at: Timestamp,
    ) -> scheduled::RunSummary<health::HealthTotals> {
        self.schedule.make_health_due(at).await;
        self.schedule.tick_health(health, at).await
    }
}

/// Asserts that the record's ticket was closed by this.
#[track_caller]
pub(crate) fn assert_closed_by(record: &Record, by: ClosedBy) {
    let is_expected = matches!(&record.actual, Some(Actual::Closed(closed)) if closed.by == by);
    assert!(is_expected, "not {by:?}: {record:?}");
}
