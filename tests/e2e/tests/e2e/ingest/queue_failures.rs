//! Failures of SQS seen by `ingest`: it never answers 202 for an event that may not be on the queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::environment::{
    PARTNER, SECRET, SOURCE, SOURCE_KEY, answer, raised_event, signed, webhook_ends,
};
use aws::startup::{Account, sdk_config};
use aws_credential_types::Credentials;
use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the queue does with a complete call.
#[derive(Debug, Clone, Copy)]
enum SqsBehaviour {
    Takes,
    /// Accepts all messages after a delay.
    TakesAfter(Duration),
    /// Accepts all but one message and reports that one.
    RefusesOne,
    /// Reports one message at the first call and accepts all at the next.
    RefusesOneOnce,
    Answers(u16, &'static str),
    /// Closes the connection without an answer.
    HangsUp,
    /// Closes the connection in the middle of its answer.
    HangsUpAmid,
    SaysNothing,
}

/// A server that acts as Secrets Manager with one source and as the queue. It writes bytes to a socket,
/// so that it can break off.
struct SqsStub {
    url: String,
    calls: Arc<AtomicUsize>,
}

impl SqsStub {
    async fn start(sqs: SqsBehaviour) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, sqs, counted.clone()));
            }
        });
        Self { url, calls }
    }

    /// Posts a batch of so many events to an `ingest` that uses this stub.
    async fn post(&self, events: usize) -> ApiGatewayV2httpResponse {
        self.post_before(events, webhook_ends()).await
    }

    /// Posts a batch to an `ingest` that must answer by then.
    async fn post_before(
        &self,
        events: usize,
        ends: tokio::time::Instant,
    ) -> ApiGatewayV2httpResponse {
        let aws = sdk_config(&Account {
            region: "us-east-1".into(),
            endpoint_url: Some(self.url.clone()),
            credentials: Credentials::new("id", "secret", None, None, "test"),
        })
        .unwrap();
        let config = ingest::Config {
            queue_url: format!("{}/1/events", self.url),
            source_secret_prefix: "tb/source/".into(),
        };
        let batch: Vec<_> = (0..events)
            .map(|n| raised_event("e1", &format!("a{n}"), 0))
            .collect();
        let body = serde_json::to_vec(&batch).unwrap();
        let request = signed(
            SOURCE,
            SECRET,
            "application/cloudevents-batch+json",
            &body,
            Timestamp::now(),
        );
        ingest::Webhook::build(config, &aws)
            .handle_at(request, Timestamp::now(), ends)
            .await
    }
}

async fn serve(mut stream: TcpStream, sqs: SqsBehaviour, calls: Arc<AtomicUsize>) {
    let mut read = vec![];
    loop {
        let head = loop {
            if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                break String::from_utf8_lossy(&read[..end + 4]).to_lowercase();
            }
            if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
        while read.len() < head.len() + length {
            if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let body: Value = serde_json::from_slice(&read[head.len()..head.len() + length]).unwrap();
        read.drain(..head.len() + length);
        if head.contains("getsecretvalue") {
            let document =
                json!({ "partner": PARTNER, "enabled": true, "secrets": [{ "value": SECRET }] });
            let is_keys = body["SecretId"] == "tb/source/id-keys";
            let text = if is_keys {
                SOURCE_KEY.to_owned()
            } else {
                document.to_string()
            };
            let secret = json!({ "Name": body["SecretId"], "SecretString": text });
            write(&mut stream, 200, &secret.to_string()).await;
            continue;
        }
        let is_first = calls.fetch_add(1, Ordering::SeqCst) == 0;
        let took =
            |entry: &Value| json!({ "Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "" });
        let entries = body["Entries"].as_array().unwrap();
        let all: Vec<_> = entries.iter().map(took).collect();
        match sqs {
            SqsBehaviour::RefusesOneOnce if !is_first => {
                // Only the reported message is sent again.
                assert_eq!(entries.len(), 1);
                write(&mut stream, 200, &json!({ "Successful": all }).to_string()).await;
            }
            SqsBehaviour::Takes => {
                write(&mut stream, 200, &json!({ "Successful": all }).to_string()).await;
            }
            SqsBehaviour::TakesAfter(delay) => {
                tokio::time::sleep(delay).await;
                write(&mut stream, 200, &json!({ "Successful": all }).to_string()).await;
            }
            SqsBehaviour::RefusesOne | SqsBehaviour::RefusesOneOnce => {
                let failed = json!([{ "Id": entries[0]["Id"], "Code": "InternalError", "SenderFault": false }]);
                write(
                    &mut stream,
                    200,
                    &json!({ "Successful": all[1..], "Failed": failed }).to_string(),
                )
                .await;
            }
            SqsBehaviour::Answers(status, body) => write(&mut stream, status, body).await,
            SqsBehaviour::HangsUp => return,
            SqsBehaviour::HangsUpAmid => {
                let _ = stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{\"Successful\":")
                    .await;
                return;
            }
            SqsBehaviour::SaysNothing => tokio::time::sleep(Duration::from_secs(60)).await,
        }
    }
}

async fn write(stream: &mut TcpStream, status: u16, body: &str) {
    let head = format!(
        "HTTP/1.1 {status} Said\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
}

fn assert_unavailable(response: &ApiGatewayV2httpResponse, what: &str) {
    assert_eq!(response.status_code, 503, "{what}: {response:?}");
    assert_eq!(response.headers["retry-after"], "5", "{what}");
    let detail = "Send the same request again, with the same webhook-id";
    assert_eq!(answer(response)["detail"], detail, "{what}");
}

#[tokio::test]
async fn an_uncertain_sqs_send_is_a_503() {
    // A failing call is tried three times in all, a reported message four times.
    let cases = [
        (
            SqsBehaviour::Answers(500, r#"{"__type":"InternalError"}"#),
            3,
        ),
        (SqsBehaviour::Answers(503, ""), 3),
        (
            SqsBehaviour::Answers(400, r#"{"__type":"AccessDenied"}"#),
            1,
        ),
        (
            SqsBehaviour::Answers(400, r#"{"__type":"RequestThrottled"}"#),
            3,
        ),
        (SqsBehaviour::Answers(200, "{}"), 4),
        (
            SqsBehaviour::Answers(200, r#"{"Successful":[],"Failed":[]}"#),
            4,
        ),
        (SqsBehaviour::Answers(200, "<html>"), 1),
        (SqsBehaviour::Answers(302, ""), 1),
        (SqsBehaviour::RefusesOne, 4),
        (SqsBehaviour::HangsUp, 3),
        (SqsBehaviour::HangsUpAmid, 3),
    ];
    for (sqs, calls) in cases {
        let stub = SqsStub::start(sqs).await;
        assert_unavailable(&stub.post(3).await, &format!("{sqs:?}"));
        assert_eq!(stub.calls.load(Ordering::SeqCst), calls, "{sqs:?}");
    }
    let stub = SqsStub::start(SqsBehaviour::RefusesOneOnce).await;
    let response = stub.post(3).await;
    let accepted = &answer(&response)["accepted"];
    assert_eq!((response.status_code, accepted), (202, &json!(3)));
    assert_eq!(stub.calls.load(Ordering::SeqCst), 2);
    let stub = SqsStub::start(SqsBehaviour::Takes).await;
    let response = stub.post(23).await;
    let accepted = &answer(&response)["accepted"];
    assert_eq!((response.status_code, accepted), (202, &json!(23)));
    assert_eq!(stub.calls.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_silent_sqs_is_a_503_before_the_deadline() {
    let begun = Instant::now();
    let stub = SqsStub::start(SqsBehaviour::SaysNothing).await;
    assert_unavailable(&stub.post(1).await, "says nothing");
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn the_deadline_is_that_of_the_invocation() {
    let stub = SqsStub::start(SqsBehaviour::SaysNothing).await;
    let ends = tokio::time::Instant::now() + Duration::from_secs(1);
    let response = stub.post_before(1, ends).await;
    assert_unavailable(&response, "says nothing in a second");
    assert!(
        ends.elapsed() < Duration::from_secs(4),
        "{:?}",
        ends.elapsed()
    );
}

#[tokio::test]
async fn a_slow_sqs_is_a_503_before_the_deadline() {
    let begun = Instant::now();
    let stub = SqsStub::start(SqsBehaviour::TakesAfter(Duration::from_millis(3500))).await;
    // More calls than run concurrently.
    assert_unavailable(&stub.post(700).await, "slow");
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn no_connection_to_aws_is_a_503() {
    let mut stub = SqsStub::start(SqsBehaviour::Takes).await;
    let closed = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    stub.url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    assert_unavailable(&stub.post(1).await, "no server listens");
}
