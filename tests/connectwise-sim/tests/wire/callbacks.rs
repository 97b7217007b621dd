//! Callbacks: which changes are posted, what a post holds, and what is repeated.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::client::{Site, replace_id, ticket};

/// No callback was posted if none came within this time.
const QUIET: Duration = Duration::from_millis(400);

/// Accepts posts on a free port.
struct Receiver {
    address: String,
    posts: mpsc::UnboundedReceiver<(String, Value)>,
    _accepting: JoinSet<()>,
}

impl Receiver {
    /// Answers each post with the next of these statuses, and with the last one afterwards.
    async fn start(statuses: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let (sender, posts) = mpsc::unbounded_channel();
        let statuses: Arc<[u16]> = statuses.into();
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut answered = 0;
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut read = String::new();
                let mut buffer = [0; 4096];
                let post = loop {
                    let count = stream.read(&mut buffer).await.unwrap_or(0);
                    read.push_str(&String::from_utf8_lossy(&buffer[..count]));
                    let body = read.split_once("\r\n\r\n");
                    if let Some(Ok(body)) = body.map(|(_, body)| serde_json::from_str(body)) {
                        break body;
                    }
                    assert_ne!(count, 0, "the post ended early: {read}");
                };
                let target = read.split(' ').nth(1).expect("a target").to_owned();
                let status = statuses[answered.min(statuses.len() - 1)];
                answered += 1;
                let answer = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
                let _ = stream.write_all(answer.as_bytes()).await;
                if sender.send((target, post)).is_err() {
                    return;
                }
            }
        });
        Self {
            address,
            posts,
            _accepting: accepting,
        }
    }

    async fn next(&mut self) -> (String, Value) {
        let next = timeout(Duration::from_secs(10), self.posts.recv()).await;
        next.expect("a callback in time").expect("a receiver")
    }

    async fn assert_quiet(&mut self) {
        let next = timeout(QUIET, self.posts.recv()).await;
        assert!(next.is_err(), "unexpected callback: {next:?}");
    }

    fn entry(&self, level: &str, object: i64) -> Value {
        json!({
            "url": format!("{}/changed?recordId=", self.address),
            "type": "ticket", "level": level, "objectId": object,
            "isSelfSuppressedFlag": true,
        })
    }
}

async fn created(site: &Site) -> i64 {
    site.post("/service/tickets", ticket()).await.id()
}

async fn technician_moves(site: &Site, ticket: i64, status: i64) {
    let path = format!("/service/tickets/{ticket}");
    let body = replace_id("status", status).to_string();
    site.as_technician("PATCH", &path, &body).await;
}

async fn touch(site: &Site, ticket: i64) {
    let json = [("content-type", "application/json")];
    let path = format!("/_sim/tickets/{ticket}");
    let reply = site.send("POST", &path, &json, r#""touch""#).await;
    assert_eq!(reply.status, 204, "{}", reply.text);
}

#[tokio::test]
async fn a_change_is_posted_with_the_tickets_number_at_the_end_of_the_address() {
    let site = Site::start().await;
    let mut receiver = Receiver::start(&[204]).await;
    let entry = receiver.entry("owner", 1);
    assert_eq!(site.post("/system/callbacks", entry).await.status, 201);
    let number = created(&site).await;
    receiver.assert_quiet().await;
    let status = site.get(&format!("/service/tickets/{number}")).await.json()["status"]["id"]
        .as_i64()
        .expect("a status");
    technician_moves(&site, number, status).await;
    let (target, body) = receiver.next().await;
    assert_eq!(target, format!("/changed?recordId={number}&action=updated"));
    assert_eq!(body["Type"], "ticket");
    assert_eq!(body["ID"], number);
    let entity: Value =
        serde_json::from_str(body["Entity"].as_str().expect("a record")).expect("JSON");
    assert_eq!(entity["id"], number);
    site.as_technician("DELETE", &format!("/service/tickets/{number}"), "")
        .await;
    let (target, body) = receiver.next().await;
    assert!(target.ends_with("&action=deleted"), "{target}");
    assert_eq!(body["Entity"], Value::Null);
}

#[tokio::test]
async fn callbacks_of_other_boards_and_inactive_ones_are_not_posted() {
    let site = Site::start().await;
    let mut receiver = Receiver::start(&[204]).await;
    let other = site
        .post("/system/callbacks", receiver.entry("board", 24))
        .await;
    let mut inactive = receiver.entry("owner", 1);
    inactive["inactiveFlag"] = json!(true);
    site.post("/system/callbacks", inactive).await;
    let number = created(&site).await;
    let record = site.get(&format!("/service/tickets/{number}")).await.json();
    let (board, status) = (&record["board"]["id"], &record["status"]["id"]);
    technician_moves(&site, number, status.as_i64().expect("a status")).await;
    receiver.assert_quiet().await;
    let path = format!("/system/callbacks/{}", other.id());
    let here = json!([{ "op": "replace", "path": "objectId", "value": board }]);
    assert_eq!(site.patch(&path, here).await.status, 200);
    technician_moves(&site, number, status.as_i64().expect("a status")).await;
    receiver.next().await;
}

#[tokio::test]
async fn only_some_refusals_are_repeated() {
    let site = Site::start().await;
    let mut refuses = Receiver::start(&[500]).await;
    let mut misses = Receiver::start(&[404, 404, 404]).await;
    for receiver in [&refuses, &misses] {
        let entry = receiver.entry("owner", 1);
        site.post("/system/callbacks", entry).await;
    }
    let number = created(&site).await;
    touch(&site, number).await;
    for _ in 0..3 {
        misses.next().await;
    }
    refuses.next().await;
    refuses.assert_quiet().await;
    misses.assert_quiet().await;
}

#[tokio::test]
async fn callbacks_can_be_lost_and_doubled() {
    let site = Site::start().await;
    let mut receiver = Receiver::start(&[204]).await;
    site.post("/system/callbacks", receiver.entry("owner", 1))
        .await;
    let number = created(&site).await;
    site.faults(json!({ "callbacks": { "lost_rate": 1 } }))
        .await;
    touch(&site, number).await;
    receiver.assert_quiet().await;
    site.faults(json!({ "callbacks": { "lost_rate": 0, "doubled_rate": 1 } }))
        .await;
    touch(&site, number).await;
    receiver.next().await;
    receiver.next().await;
    receiver.assert_quiet().await;
}
