//! The metrics, by the names that the alarms and the dashboard use.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::environment::{
    SOURCE, TestEnvironment, after, minute, raised_event, resolved_event, signed,
};
use metrics::{
    Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};
use serde_json::json;

/// Sums of counters and maxima of histograms. It records only its own test's thread.
#[derive(Debug, Clone, Default)]
pub(crate) struct CapturedMetrics(Arc<Mutex<BTreeMap<String, f64>>>);

#[derive(Debug)]
struct CapturedMetric {
    name: String,
    metrics: CapturedMetrics,
}

impl CapturedMetrics {
    pub(crate) fn value(&self, name: &str) -> f64 {
        self.0
            .lock()
            .unwrap()
            .get(name)
            .copied()
            .unwrap_or_default()
    }

    fn one(&self, key: &Key) -> Arc<CapturedMetric> {
        Arc::new(CapturedMetric {
            name: key.name().to_owned(),
            metrics: self.clone(),
        })
    }
}

impl CapturedMetric {
    fn change(&self, change: impl FnOnce(f64) -> f64) {
        let mut metrics = self.metrics.0.lock().unwrap();
        let count = metrics.entry(self.name.clone()).or_default();
        *count = change(*count);
    }
}

impl CounterFn for CapturedMetric {
    fn increment(&self, by: u64) {
        let by = f64::from(u32::try_from(by).unwrap());
        self.change(|count| count + by);
    }

    fn absolute(&self, _: u64) {
        unreachable!("nothing is counted absolutely");
    }
}

impl HistogramFn for CapturedMetric {
    fn record(&self, value: f64) {
        self.change(|largest| largest.max(value));
    }
}

impl Recorder for CapturedMetrics {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.one(key))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        unreachable!("there is no gauge")
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.one(key))
    }
}

#[tokio::test]
async fn each_decision_is_counted_once() {
    let metrics = CapturedMetrics::default();
    let _guard = metrics::set_default_local_recorder(&metrics);
    let mut env = TestEnvironment::new().await;
    env.source.post(&raised_event("e1", "a1", 0)).await;
    env.source.post_raw("text/plain", b"{}").await;
    let forged = signed(
        SOURCE,
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "application/cloudevents+json",
        b"{}",
        jiff::Timestamp::now(),
    );
    env.source.receive(forged, jiff::Timestamp::now()).await;
    Box::pin(env.worker.work()).await;
    let mut worse = raised_event("e2", "a1", 5);
    worse["data"]["severity"] = json!("critical");
    env.source.post(&worse).await;
    Box::pin(env.worker.work()).await;
    let mut unmapped = raised_event("e3", "a2", 5);
    unmapped["data"]["tenant"] = json!("harbor-hotel");
    env.source.post(&unmapped).await;
    env.source.post(&resolved_event("e4", "a1", 9)).await;
    env.queue.send("not a message").await;
    Box::pin(env.worker.work()).await;

    env.put_keys("refused").await;
    env.worker.app = env.new_tickets_app();
    env.source.post(&raised_event("e5", "a3", 9)).await;
    Box::pin(env.worker.work()).await;
    env.put_keys("tbPrivateKey01").await;
    env.worker.app = env.new_tickets_app();

    let now = jiff::Timestamp::now();
    env.schedule.make_health_due(now).await;
    let (health, at) = (env.health(), minute(after(now, 1)));
    // Boxed: these futures together are too large for a test's stack.
    Box::pin(health.handle(json!({}), &at)).await.unwrap();
    env.schedule.make_due(now).await;
    let app = env.reconcile();
    Box::pin(env.schedule.tick(&app, after(now, 60))).await;
    Box::pin(env.worker.work()).await;

    let browser = &mut env.setup.signed_in().await;
    let contact = json!({ "address": "oncall@northwind.example", "mails": ["broken_connection"], "version": 0 });
    browser.post("contacts", &contact).await.expect(200);
    env.confirm_contact().await;
    let test = json!({ "address": "oncall@northwind.example" });
    browser.submit("contact-test", &test, 200).await;
    for (name, expected) in [
        ("events_accepted", 5.0),
        ("requests_refused", 2.0),
        ("requests_failed", 0.0),
        ("tickets_created", 2.0),
        ("tickets_patched", 1.0),
        ("tickets_closed", 1.0),
        ("duplicate_repaired", 0.0),
        ("dead_letters", 1.0),
        ("alerts_blocked", 2.0),
        ("breakers_opened", 1.0),
        ("breakers_closed", 1.0),
        ("health_ticks", 1.0),
        ("alerts_released", 1.0),
        ("reconcile_ticks", 1.0),
        ("reconcile_failures", 0.0),
        ("mails_sent", 2.0),
        ("mails_failed", 0.0),
        ("queue_failures", 0.0),
    ] {
        let counted = metrics.value(name);
        assert!(
            (counted - expected).abs() < 0.1,
            "{name}: {counted}, {metrics:?}"
        );
    }
    assert_eq!(env.connectwise.tickets().await.len(), 2);
    env.dead_letter_queue.expect_leftovers(1);
}
