//! Each panic is one line of the log, and its text is not shown.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that panics fails the test, which is about panics"
)]

use std::io;
use std::sync::{Arc, Mutex};

use aws::panics::{HandlerPanic, catch, log_panics};
use serde_json::Value;

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

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
    /// Takes the lines since the last call. Each must be an object.
    fn lines(&self) -> Vec<Value> {
        let text = std::mem::take(&mut *self.0.lock().unwrap());
        let text = String::from_utf8(text).unwrap();
        assert!(!text.contains(SECRET), "{text}");
        let lines = text.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().unwrap()
    }

    fn has_one_panic(&self, message: &str) {
        let lines = self.lines();
        let [line] = &lines[..] else {
            panic!("not one line: {lines:?}");
        };
        let location = line["panic.location"].as_str().unwrap();
        assert!(location.contains("tests/panics.rs:"), "{line}");
        let logged = (&line["level"], &line["message"], &line["panic.message"]);
        assert_eq!(
            logged,
            (
                &"ERROR".into(),
                &"function panicked".into(),
                &message.into()
            )
        );
    }
}

// One test, since the process has one hook and one subscriber.
#[tokio::test]
async fn a_panic_is_one_line_of_the_log_without_its_text() {
    const LEFT_OUT: &str = "(left out: it may hold a secret)";
    let log = Log::default();
    let writer = log.clone();
    let subscriber = aws::startup::logs("info", move || writer.clone());
    tracing::subscriber::set_global_default(subscriber).unwrap();
    log_panics();

    let answer = catch(async { panic!("a table without a key") }).await;
    assert_eq!(answer, Err::<(), _>(HandlerPanic));
    log.has_one_panic("a table without a key");
    let answer = catch(async { panic!("{SECRET} is no key") }).await;
    assert_eq!(answer, Err::<(), _>(HandlerPanic));
    log.has_one_panic(LEFT_OUT);
    assert!(!HandlerPanic.to_string().contains(SECRET));
    // `unwrap` panics with the text of an error.
    let refused = || SECRET.parse::<u32>().map_err(|_| SECRET);
    let answer = catch(async { refused().unwrap() }).await;
    assert_eq!(answer, Err(HandlerPanic));
    log.has_one_panic(LEFT_OUT);
    // A background task, and a thread.
    tokio::spawn(async { panic!("{SECRET}") })
        .await
        .unwrap_err();
    log.has_one_panic(LEFT_OUT);
    std::thread::spawn(|| panic!("no thread"))
        .join()
        .unwrap_err();
    log.has_one_panic("no thread");
    // The line carries the fields of the span.
    let span = tracing::info_span!("partner", partner = "northwind");
    let answer = catch(async { span.in_scope(|| panic!("in a span")) }).await;
    assert_eq!(answer, Err::<(), _>(HandlerPanic));
    assert_eq!(log.lines()[0]["span"]["partner"], "northwind");
    assert_eq!(catch(async { 7 }).await, Ok(7));
    assert_eq!(log.lines(), Vec::<Value>::new());
}
