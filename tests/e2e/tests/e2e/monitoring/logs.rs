//! The log: each line is one JSON object whatever the ids contain, so that a sender cannot forge a line.

use std::io;
use std::sync::{Arc, Mutex};

use crate::environment::{SECRET, SOURCE, TestEnvironment, raised_event, signed};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::Value;

/// The captured log.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// A subscriber with the functions' own log format, and the log that it writes to.
    fn start() -> (Self, tracing::Dispatch) {
        Self::start_at("debug")
    }

    /// The same with a lowest level. Deployed functions use `info`.
    pub(crate) fn start_at(level: &str) -> (Self, tracing::Dispatch) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = aws::startup::logs(level, move || writer.clone());
        (log, tracing::Dispatch::new(subscriber))
    }

    /// The whole text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines. Asserts that each is one JSON object with a level and a time.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        let breaks = ['\r', '\u{b}', '\u{c}', '\u{1b}', '\0'];
        assert!(!text.contains(breaks), "{text:?}");
        let object = |line: &str| {
            let object: Value = serde_json::from_str(line).expect(line);
            assert!(
                object["level"].is_string() && object["timestamp"].is_string(),
                "{line}"
            );
            object
        };
        text.lines().map(object).collect()
    }
}

proptest! {
    #[test]
    fn an_event_with_any_text_is_one_log_line(texts in prop::collection::vec(prop_oneof![any::<String>(), "[\\x00-\\x1f\"\\\\{}a]{0,20}"], 4)) {
        let (log, dispatch) = Log::start();
        tracing::dispatcher::with_default(&dispatch, || {
            let span = tracing::info_span!("alert", alert.key = %texts[0], attempt = 1, ticket.id = tracing::field::Empty);
            span.record("ticket.id", texts[1].as_str());
            span.in_scope(|| tracing::warn!(source = texts[2].as_str(), refusal = %texts[3], error = ?texts[1], "refused {}", texts[0]));
            tracing::info!(source = %texts[2], "accepted");
        });
        let lines = log.lines();
        prop_assert_eq!(lines.len(), 2);
        prop_assert_eq!(&lines[0]["source"], &texts[2]);
        prop_assert_eq!(&lines[0]["refusal"], &texts[3]);
        prop_assert_eq!(&lines[0]["span"]["alert.key"], &texts[0]);
        prop_assert_eq!(&lines[0]["span"]["ticket.id"], &texts[1]);
    }
}

/// Texts that ingest accepts and that would break a careless log.
const HOSTILE: [&str; 4] = [
    r#"a","level":"ERROR","x":"#,
    r#"\n{"level":"ERROR"}"#,
    r#"a"}{"b":{"#,
    "a\\u000a\\\"\u{2007}\u{e000}",
];
const FORGED: &str = "src_x\n{\"timestamp\":\"\",\"level\":\"ERROR\",\"message\":\"forged\"}\n";

#[tokio::test]
async fn hostile_ids_forge_no_log_line() {
    let mut env = TestEnvironment::new().await;
    let (log, dispatch) = Log::start();
    let _guard = tracing::dispatcher::set_default(&dispatch);
    for (n, id) in HOSTILE.into_iter().enumerate() {
        let mut event = raised_event(id, id, 0);
        if n > 0 {
            event["data"]["tenant"] = id.into();
        }
        env.source.post(&event).await;
        event["type"] = FORGED.into();
        env.source
            .post_raw("application/cloudevents+json", event.to_string())
            .await;
    }
    let body = raised_event("e", "a", 0).to_string();
    let now = Timestamp::now();
    for (source, secret) in [
        (FORGED, SECRET),
        (SOURCE, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ] {
        env.source
            .receive(
                signed(source, secret, "text/plain", body.as_bytes(), now),
                now,
            )
            .await;
    }
    env.queue.send(FORGED).await;
    env.queue
        .send(&format!(
            r#"{{"v":1,"type":"event","body":"{}"}}"#,
            FORGED.escape_default()
        ))
        .await;
    env.worker.work().await;
    assert_eq!(env.dead_letter_queue.dead_letters().await.len(), 2);
    let lines = log.lines();
    let ours: Vec<_> = lines
        .iter()
        .filter(|line| {
            line["target"]
                .as_str()
                .is_some_and(|target| target.starts_with("ingest") || target.starts_with("tickets"))
        })
        .collect();
    assert!(ours.len() > 10, "{ours:?}");
    assert!(lines.iter().all(|line| line["message"] != "forged"));
    let text = lines.iter().map(Value::to_string).collect::<String>();
    assert!(
        text.contains("events queued") && text.contains("rejected a request"),
        "{text}"
    );
    assert!(
        !text.contains("MfKQ9r8") && !text.contains("C2FVsBQ"),
        "a secret is in the log"
    );
    env.dead_letter_queue.expect_leftovers(2);
}
