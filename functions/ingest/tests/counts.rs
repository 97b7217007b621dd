//! The metrics that the real binary writes for CloudWatch at the end of an invocation.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

const TIMEOUT: Duration = Duration::from_secs(30);

/// Kills the process at the end of the test.
struct ChildGuard(Child);

impl Drop for ChildGuard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A Lambda runtime that sends the same unsigned request each time, and accepts every response. It is
/// Secrets Manager too.
fn serve(mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut head = String::new();
        let mut length = 0;
        while !head.ends_with("\r\n\r\n") {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or_default() == 0 {
                return;
            }
            let lower_case = line.to_ascii_lowercase();
            if let Some(rest) = lower_case.strip_prefix("content-length:") {
                length = rest.trim().parse().unwrap();
            }
            head.push_str(&line);
        }
        reader.read_exact(&mut vec![0; length]).unwrap();
        let answer = if head.starts_with("GET ") {
            let event = json!({
                "version": "2.0", "routeKey": "POST /v1/events/{source}", "rawPath": "/", "rawQueryString": "",
                "headers": { "content-type": "application/cloudevents+json" },
                "requestContext": { "http": { "method": "POST", "path": "/" } },
                "pathParameters": { "source": "src_0123456789abcdefghijklmnop" },
                "body": "{}", "isBase64Encoded": false,
            })
            .to_string();
            format!(
                "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: 6b4f\r\nlambda-runtime-deadline-ms: 4102444800000\r\n\
                 lambda-runtime-invoked-function-arn: arn:aws:lambda:eu-central-1:1:function:ingest\r\n\
                 lambda-runtime-trace-id: Root=1-5759e988-bd862e3fe1be46a994272793\r\ncontent-length: {}\r\n\r\n{event}",
                event.len()
            )
        } else if head
            .to_ascii_lowercase()
            .contains("x-amz-target: secretsmanager")
        {
            // There is no source, and no key that proves source ids.
            let body = r#"{"__type":"ResourceNotFoundException","Message":"no such secret"}"#;
            let length = body.len();
            format!(
                "HTTP/1.1 400 Bad Request\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {length}\r\n\r\n{body}"
            )
        } else {
            "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n".to_owned()
        };
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// Starts the function and returns the lines that it writes.
fn lines(stack: &str) -> (ChildGuard, mpsc::Receiver<String>) {
    let runtime = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = runtime.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in runtime.incoming() {
            thread::spawn(move || serve(stream.unwrap()));
        }
    });
    let mut function = Command::new(env!("CARGO_BIN_EXE_ingest"))
        .env_clear()
        .env("AWS_ENDPOINT_URL", format!("http://{address}"))
        .env("AWS_LAMBDA_RUNTIME_API", address)
        .env("AWS_LAMBDA_FUNCTION_NAME", "ticketbridge-ingest")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_REGION", "eu-central-1")
        .env("AWS_ACCESS_KEY_ID", "id")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env(
            "QUEUE_URL",
            "https://sqs.eu-central-1.amazonaws.com/1/events",
        )
        .env("SOURCE_SECRET_PREFIX", "tb/source/")
        .env("STACK", stack)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout: ChildStdout = function.stdout.take().unwrap();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines() {
            if sender.send(line.unwrap()).is_err() {
                return;
            }
        }
    });
    (ChildGuard(function), receiver)
}

#[test]
fn each_invocation_ends_with_one_metrics_line() {
    let (_function, lines) = lines("prod");
    // Three invocations write one line each, and no line counts an earlier invocation.
    for _ in 0..3 {
        let mut refused = 0;
        let counted = loop {
            let line = lines.recv_timeout(TIMEOUT).expect("no metrics line");
            let line: Value = serde_json::from_str(&line).expect("each line is one object");
            if line.get("_aws").is_some() {
                break line;
            }
            assert!(line["level"].is_string(), "{line}");
            if line["message"] == "rejected a request that is not authenticated" {
                // The span carries the ids of the request and of the trace.
                assert_eq!(line["span"]["requestId"], "6b4f", "{line}");
                assert!(
                    line["span"]["xrayTraceId"]
                        .as_str()
                        .is_some_and(|trace| trace.contains("1-5759e988")),
                    "{line}"
                );
                refused += 1;
            }
        };
        assert_eq!(refused, 1);
        assert!(counted["_aws"]["Timestamp"].is_u64(), "{counted}");
        assert_eq!(
            counted["_aws"]["CloudWatchMetrics"],
            json!([{
                "Namespace": "Ticketbridge",
                "Dimensions": [["Stack"]],
                "Metrics": [{ "Name": "requests_refused", "Unit": "Count" }],
            }])
        );
        assert_eq!(counted["Stack"], "prod");
        assert_eq!(counted["function"], "ticketbridge-ingest");
        assert_eq!(counted["requests_refused"], 1);
    }
}
