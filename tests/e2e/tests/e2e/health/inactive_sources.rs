//! A source that sends no messages: one mail, shown on Overview, and over with its next message.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::environment::sender::Sender;
use crate::environment::{after, event, partner};
use crate::health::incident_test::IncidentTest;
use crate::ingest::presets::create;

const QUIET: &str = "Ticketbridge: no messages from Scanner (Northwind)";
const OVER: &str = "Ticketbridge: no source is inactive any more (Northwind)";

/// An environment with a source that is inactive after two days.
struct QuietSource {
    test: IncidentTest,
    sender: Sender,
}

impl QuietSource {
    async fn new() -> Self {
        let mut test = IncidentTest::new().await;
        let setup = &test.env.setup;
        let path = format!("/v1/operator/partners/{}", partner());
        let named = json!({ "name": "Northwind" });
        setup.operator("PUT", &path, &named).await.expect(201);
        let request =
            json!({ "name": "Scanner", "partner": partner(), "inactive_after_hours": 48 });
        let sender = create(&test.env, &request, test.begun).await;
        test.minute().await;
        Self { test, sender }
    }

    fn now(&self) -> Timestamp {
        after(self.test.begun, self.test.minutes * 60)
    }

    /// Posts an alert of the source, and processes it.
    async fn post(&mut self, alert: &str) {
        let at = self.now();
        let body = event("alert.raised", "e1", alert, 0).to_string();
        let request = self.sender.request(body.as_bytes(), at);
        let response = self.test.env.source.ingest.handle_at(request, at).await;
        assert_eq!(response.status_code, 202, "{response:?}");
        let messages = self.test.env.queue.take_records().await;
        let minutes = self.test.minutes;
        let left = self.test.env.worker.handle_at(messages, minutes).await;
        assert_eq!(left.len(), 0);
    }

    async fn wait_hours(&mut self, hours: i64) {
        self.test.minutes += hours * 60;
        self.test.minute().await;
    }

    async fn change(&self, change: &Value) -> Value {
        let path = format!("/v1/operator/sources/{}", self.sender.source);
        let setup = &self.test.env.setup;
        let at = self.now();
        let changed = setup.operator_at(at, "PATCH", &path, change).await;
        changed.expect(200).json()
    }

    async fn overview(&self) -> Value {
        let mut browser = self.test.env.setup.signed_in().await;
        browser.get_json("overview").await.expect(200).json()
    }
}

#[tokio::test]
async fn a_quiet_source_is_one_mail_and_its_next_message_ends_it() {
    let mut quiet = QuietSource::new().await;
    quiet.post("a1").await;
    quiet.wait_hours(47).await;
    assert_eq!(quiet.test.subjects().await, [""; 0]);
    assert_eq!(quiet.overview().await["inactive"], json!([]));

    quiet.wait_hours(1).await;
    assert_eq!(quiet.test.subjects().await, [QUIET]);
    let text = quiet.test.text().await;
    for said in [
        "A source of Northwind is quiet for longer than it should be.",
        "- No message from Scanner has arrived since ",
        "What to do: check at the vendor that it is switched on",
        "The other sources are not affected.",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
    let overview = quiet.overview().await;
    assert_eq!(overview["inactive"][0]["name"], "Scanner", "{overview}");
    assert_eq!(overview["issue"], Value::Null, "{overview}");
    quiet.test.minutes(40).await;
    assert_eq!(quiet.test.subjects().await, [QUIET]);

    quiet.post("a2").await;
    quiet.test.minutes(20).await;
    assert_eq!(quiet.test.subjects().await, [QUIET, OVER]);
    assert_eq!(quiet.overview().await["inactive"], json!([]));
    assert_eq!(quiet.test.env.connectwise.tickets().await.len(), 2);
}

#[tokio::test]
async fn a_source_that_is_switched_off_is_never_inactive() {
    let mut quiet = QuietSource::new().await;
    let changed = quiet.change(&json!({ "enabled": false })).await;
    assert_eq!(changed["inactive_after_hours"], 48, "{changed}");
    quiet.wait_hours(500).await;
    quiet.test.minutes(5).await;
    assert_eq!(quiet.test.subjects().await, [""; 0]);
    // Switched on again, its time begins anew.
    quiet.change(&json!({ "enabled": true })).await;
    quiet.wait_hours(47).await;
    assert_eq!(quiet.test.subjects().await, [""; 0]);
    quiet.wait_hours(1).await;
    assert_eq!(quiet.test.subjects().await, [QUIET]);
    // Switching it off ends the incident.
    quiet.change(&json!({ "enabled": false })).await;
    quiet.test.minutes(20).await;
    assert_eq!(quiet.test.subjects().await, [QUIET, OVER]);
}

#[tokio::test]
async fn a_quiet_source_is_notified_while_connectwise_refuses_the_keys() {
    let mut quiet = QuietSource::new().await;
    let faults = json!({ "keys": "revoked" });
    quiet.test.env.connectwise.set_faults(faults).await;
    quiet.wait_hours(49).await;
    let refused = "Ticketbridge: ConnectWise refuses the keys (Northwind)";
    assert_eq!(quiet.test.subjects().await, [refused, QUIET]);
}

#[tokio::test]
async fn the_operator_sets_and_removes_the_time() {
    let mut quiet = QuietSource::new().await;
    for wrong in [json!(0), json!(9000), json!(-1), json!("48"), json!(1.5)] {
        let path = format!("/v1/operator/sources/{}", quiet.sender.source);
        let change = json!({ "inactive_after_hours": wrong });
        let setup = &quiet.test.env.setup;
        let refused = setup.operator("PATCH", &path, &change).await;
        let problem = refused.expect(422).json();
        assert_eq!(problem["field"], "inactive_after_hours", "{problem}");
    }
    let changed = quiet.change(&json!({ "name": "Scanner" })).await;
    assert_eq!(changed["inactive_after_hours"], 48, "{changed}");
    let changed = quiet.change(&json!({ "inactive_after_hours": null })).await;
    assert!(changed.get("inactive_after_hours").is_none(), "{changed}");
    // It has not posted for long enough to know what is usual.
    quiet.post("a1").await;
    quiet.wait_hours(1000).await;
    assert_eq!(quiet.test.subjects().await, [""; 0]);
}
