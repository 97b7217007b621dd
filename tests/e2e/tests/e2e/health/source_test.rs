//! The environment of tests about incidents of sources: a partner with a source, whose schedules run
//! minute by minute.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::environment::sender::Sender;
use crate::environment::{after, event, partner};
use crate::health::incident_test::IncidentTest;
use crate::ingest::presets::create;

/// An environment with a source of the name Scanner.
pub(crate) struct SourceTest {
    pub(crate) test: IncidentTest,
    sender: Sender,
}

impl SourceTest {
    /// The source has these members besides its name and partner.
    pub(crate) async fn new(source: Value) -> Self {
        let mut test = IncidentTest::new().await;
        let setup = &test.env.setup;
        let path = format!("/v1/operator/partners/{}", partner());
        let named = json!({ "name": "Northwind" });
        setup.operator("PUT", &path, &named).await.expect(201);
        let mut request = json!({ "name": "Scanner", "partner": partner() });
        let members = source.as_object().unwrap().clone();
        request.as_object_mut().unwrap().extend(members);
        let sender = create(&test.env, &request, test.begun).await;
        test.minute().await;
        Self { test, sender }
    }

    pub(crate) fn now(&self) -> Timestamp {
        after(self.test.begun, self.test.minutes * 60)
    }

    /// The address of the source for the operator.
    pub(crate) fn path(&self) -> String {
        format!("/v1/operator/sources/{}", self.sender.source)
    }

    /// Posts an alert of the source, and processes it.
    pub(crate) async fn post(&mut self, alert: &str) {
        self.post_body(&event("alert.raised", "e1", alert, 0)).await;
    }

    /// Posts a body of the source, and processes its messages.
    pub(crate) async fn post_body(&mut self, body: &Value) {
        let at = self.now();
        let request = self.sender.request(body.to_string().as_bytes(), at);
        let response = self.test.env.source.receive(request, at).await;
        assert!(response.status_code < 300, "{response:?}");
        let messages = self.test.env.queue.take_records().await;
        let minutes = self.test.minutes;
        let left = self.test.env.worker.handle_at(messages, minutes).await;
        assert_eq!(left.len(), 0);
    }

    pub(crate) async fn wait_hours(&mut self, hours: i64) {
        self.test.minutes += hours * 60;
        self.test.minute().await;
    }

    pub(crate) async fn change(&self, change: &Value) -> Value {
        let setup = &self.test.env.setup;
        let at = self.now();
        let changed = setup.operator_at(at, "PATCH", &self.path(), change).await;
        changed.expect(200).json()
    }

    pub(crate) async fn overview(&self) -> Value {
        let mut browser = self.test.env.setup.signed_in().await;
        browser.get_json("overview").await.expect(200).json()
    }

    /// The subjects of all mails.
    pub(crate) async fn subjects(&self) -> Vec<String> {
        self.test.subjects().await
    }
}
