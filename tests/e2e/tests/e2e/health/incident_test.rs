//! The environment of tests about incidents: a contact, and schedules that run minute by minute.

use domain::setup::mapping::Mapping;
use jiff::Timestamp;
use scheduled::Driver;
use serde_json::{Value, json};

use crate::environment::{
    COMPANY, TENANT, TestEnvironment, after, partner, raised_event, record_of, resolved_event,
    tenant,
};

pub(crate) const CONTACT: &str = "anna@northwind.example";

/// An environment with a contact, whose schedules run minute by minute.
pub(crate) struct IncidentTest {
    pub(crate) env: TestEnvironment,
    health: Driver<health::HealthJob>,
    reconcile: Driver<reconcile::ReconcileJob>,
    pub(crate) begun: Timestamp,
    pub(crate) minutes: i64,
}

impl IncidentTest {
    pub(crate) async fn new() -> Self {
        let env = TestEnvironment::new().await;
        env.set_contact(CONTACT).await;
        let acme = Mapping {
            company: Some(COMPANY),
            enabled: true,
            name: Some("Acme Dental".into()),
            ..Mapping::default()
        };
        let config = &env.config;
        config
            .tenants
            .put(&partner(), &tenant(TENANT), &acme)
            .await
            .unwrap();
        let begun = Timestamp::now();
        env.schedule.make_health_due(begun).await;
        Self {
            health: env.health(),
            reconcile: env.reconcile(),
            env,
            begun,
            minutes: 0,
        }
    }

    /// One minute: both ticks, and the messages that they send.
    pub(crate) async fn minute(&mut self) {
        // After the messages that were handed over in this minute.
        let at = after(self.begun, self.minutes * 60 + 30);
        self.env.schedule.tick_health(&self.health, at).await;
        self.env.schedule.tick(&self.reconcile, at).await;
        let asked = self.env.queue.take_messages().await;
        let messages = asked.iter().map(record_of).collect();
        let left = self.env.worker.handle_at(messages, self.minutes).await;
        assert_eq!(left.len(), 0, "{left:?}");
        self.minutes += 1;
    }

    pub(crate) async fn minutes(&mut self, count: usize) {
        for _ in 0..count {
            self.minute().await;
        }
    }

    /// Raises an alert of `TENANT` and hands it to `tickets` now.
    pub(crate) async fn raise(&mut self, alert: &str) {
        let raised = [raised_event("e1", alert, 0)];
        let messages = self.env.post_and_take(&raised).await;
        self.env.worker.handle_at(messages, self.minutes).await;
    }

    /// The subjects of all mails.
    pub(crate) async fn subjects(&self) -> Vec<String> {
        let mails = self.env.account.mails().await;
        let subject = |mail: &Value| mail["Subject"].as_str().unwrap().to_owned();
        mails.iter().map(subject).collect()
    }

    /// The newest mail's text. Asserts that its HTML part has the same content.
    pub(crate) async fn text(&self) -> String {
        let mails = self.env.account.mails().await;
        let mail = mails.last().unwrap();
        assert_eq!(mail["To"], json!([CONTACT]));
        let (text, html) = (&mail["BodyText"], mail["BodyHtml"].as_str().unwrap());
        let text = text.as_str().unwrap().to_owned();
        let first = text.lines().next().unwrap();
        assert!(html.contains(first), "{first}\n{html}");
        text
    }

    /// Asserts that the newest mail's text has all these parts.
    pub(crate) async fn assert_text(&self, parts: &[&str]) {
        let text = self.text().await;
        for part in parts {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    /// Makes the partner due for health in the next minute.
    pub(crate) async fn make_due(&self) {
        let at = after(self.begun, self.minutes * 60);
        self.env.schedule.make_health_due(at).await;
    }

    pub(crate) async fn blocked(&self) -> usize {
        let blocked = self.env.blocked_keys().await;
        blocked.len()
    }

    /// Raises alerts of `TENANT` with their titles and hands them to `tickets` now.
    pub(crate) async fn raise_all(&mut self, alerts: &[String], title: impl Fn(&str) -> String) {
        let raised = alerts.iter().map(|alert| {
            let mut raised = raised_event(&format!("raise-{alert}"), alert, 0);
            raised["data"]["title"] = title(alert).into();
            raised
        });
        let raised: Vec<Value> = raised.collect();
        self.hand(&raised).await;
    }

    pub(crate) async fn resolve_all(&mut self, alerts: &[String]) {
        let resolved = alerts
            .iter()
            .map(|alert| resolved_event(&format!("end-{alert}"), alert, 5));
        let resolved: Vec<Value> = resolved.collect();
        self.hand(&resolved).await;
    }

    pub(crate) async fn hand(&mut self, events: &[Value]) {
        let messages = self.env.post_and_take(events).await;
        let minutes = self.minutes;
        let left = self.env.worker.handle_at(messages, minutes).await;
        assert_eq!(left.len(), 0, "{left:?}");
    }

    /// How many calls of this method and path the functions have made.
    pub(crate) async fn writes(&self, method: &str, path: &str) -> usize {
        let calls = self.env.connectwise.calls().await;
        let own = format!("{method} {path}");
        let is_one = |call: &&String| match method {
            // Notes have longer paths.
            "POST" => **call == own,
            _ => call.starts_with(&own),
        };
        let writes = calls.iter().filter(is_one);
        writes.count()
    }

    /// Runs some minutes. Returns the minutes in which calls of this method and path were made.
    pub(crate) async fn writes_in(
        &mut self,
        minutes: usize,
        method: &str,
        path: &str,
    ) -> Vec<usize> {
        let mut seen = vec![];
        for minute in 0..minutes {
            let before = self.writes(method, path).await;
            self.minute().await;
            let made = self.writes(method, path).await - before;
            seen.extend(std::iter::repeat_n(minute, made));
        }
        seen
    }

    /// The number of open tickets.
    pub(crate) async fn open_tickets(&self) -> usize {
        let tickets = self.env.connectwise.tickets().await;
        let open = tickets
            .iter()
            .filter(|ticket| ticket["closedFlag"] == false);
        open.count()
    }
}
