//! A small server that plays prepared bytes and records the requests exactly.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use domain::Secret;

use crate::{Client, Credentials, HostList, Http, Origin};

/// What the server does with one request.
#[derive(Clone)]
pub(super) enum Play {
    /// Writes these bytes and keeps the connection open.
    Answer(String),
    /// Writes these bytes, which need not be text.
    Bytes(Vec<u8>),
    /// Writes these bytes and closes the connection.
    AnswerAndClose(String),
    /// Writes these bytes, then endlessly one more each 20 ms.
    Trickle(String),
    /// Writes these bytes, then endlessly chunks of 64 KiB, as fast as the client reads.
    Flood(String),
    /// Writes endlessly interim responses (100 Continue), as fast as the client reads.
    Interim,
    /// Reads and writes nothing.
    Silence,
    /// Answers after 50 ms, and counts the requests that wait meanwhile.
    Delayed(String),
}

/// A server on a free port. It repeats the last play for each further request.
pub(super) struct Server {
    pub(super) origin: String,
    requests: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
    concurrent: Arc<Mutex<(usize, usize)>>,
}

impl Server {
    pub(super) async fn start(plays: impl IntoIterator<Item = Play>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let server = Self {
            origin,
            requests: Arc::default(),
            connections: Arc::default(),
            concurrent: Arc::default(),
        };
        let plays = Arc::new(plays.into_iter().collect::<Vec<_>>());
        let (requests, connections, concurrent) = (
            server.requests.clone(),
            server.connections.clone(),
            server.concurrent.clone(),
        );
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let (plays, requests, concurrent) =
                    (plays.clone(), requests.clone(), concurrent.clone());
                tokio::spawn(serve(stream, plays, requests, concurrent));
            }
        });
        server
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(super) fn max_concurrent(&self) -> usize {
        self.concurrent.lock().unwrap().1
    }

    pub(super) fn http(&self) -> Http {
        Http::new(HostList::new([&self.origin]).unwrap()).unwrap()
    }

    pub(super) fn client(&self) -> Client {
        Client::new(&self.http(), credentials(&self.origin)).unwrap()
    }
}

async fn serve(
    mut stream: TcpStream,
    plays: Arc<Vec<Play>>,
    requests: Arc<Mutex<Vec<String>>>,
    concurrent: Arc<Mutex<(usize, usize)>>,
) {
    while let Some(request) = read_request(&mut stream).await {
        let play = {
            let mut requests = requests.lock().unwrap();
            requests.push(request);
            plays[(requests.len() - 1).min(plays.len() - 1)].clone()
        };
        match play {
            Play::Answer(bytes) => stream.write_all(bytes.as_bytes()).await.unwrap(),
            // The client may close the connection early.
            Play::Bytes(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Play::AnswerAndClose(bytes) => {
                stream.write_all(bytes.as_bytes()).await.unwrap();
                return;
            }
            Play::Trickle(bytes) => {
                stream.write_all(bytes.as_bytes()).await.unwrap();
                let mut tick = tokio::time::interval(Duration::from_millis(20));
                while stream.write_all(b" ").await.is_ok() {
                    tick.tick().await;
                }
                return;
            }
            Play::Flood(bytes) => {
                stream.write_all(bytes.as_bytes()).await.unwrap();
                let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x1_0000));
                while stream.write_all(chunk.as_bytes()).await.is_ok() {}
                return;
            }
            Play::Interim => {
                let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(1_000);
                while stream.write_all(interim.as_bytes()).await.is_ok() {}
                return;
            }
            Play::Silence => {}
            Play::Delayed(bytes) => {
                {
                    let mut concurrent = concurrent.lock().unwrap();
                    concurrent.0 += 1;
                    concurrent.1 = concurrent.1.max(concurrent.0);
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
                concurrent.lock().unwrap().0 -= 1;
                stream.write_all(bytes.as_bytes()).await.unwrap();
            }
        }
    }
}

/// Reads one request, head and body. `None` at the end of the connection. Bytes that are not HTTP
/// are recorded too.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let n = stream.read(&mut buffer).await.ok()?;
        if n == 0 {
            return None;
        }
        bytes.extend_from_slice(&buffer[..n]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if !text.is_char_boundary(1) || !text.starts_with(['G', 'P']) {
            return Some(text);
        }
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = header(head, "content-length").map_or(0, |value| value.parse().unwrap());
        if body.len() >= length {
            return Some(text);
        }
    }
}

/// Returns a request's header. Names are compared without case.
pub(super) fn header(request: &str, name: &str) -> Option<String> {
    let head = request.split("\r\n\r\n").next().unwrap_or_default();
    head.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(": ")?;
        key.eq_ignore_ascii_case(name).then(|| value.to_owned())
    })
}

/// All requests so far: method, path and body of each. Checks that each is signed, and that its body
/// is JSON.
pub(super) fn sent(server: &Server) -> String {
    let show = |request: &String| {
        assert!(header(request, "authorization").is_some());
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let media_type = header(request, "content-type");
        let expected = (!body.is_empty()).then_some("application/json");
        assert_eq!(media_type.as_deref(), expected);
        let (line, _) = head.split_once(" HTTP/1.1").unwrap();
        format!("{line}\n{body}\n")
    };
    let requests = server.requests();
    requests.iter().map(show).collect::<Vec<_>>().join("\n")
}

pub(super) fn credentials(origin: &str) -> Credentials {
    Credentials {
        origin: Origin::parse(origin).unwrap(),
        company_id: "acme".to_owned(),
        public_key: "PUBLIC".to_owned(),
        private_key: Secret::new("PRIVATE"),
        client_id: Secret::new("11111111-2222-3333-4444-555555555555"),
    }
}

pub(super) fn answer(status: u16, body: &str) -> String {
    answer_with(status, "", body)
}

/// `headers` are further header lines, each with its line end.
pub(super) fn answer_with(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json; charset=utf-8\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    )
}

pub(super) fn within(millis: u64) -> Instant {
    Instant::now() + Duration::from_millis(millis)
}
