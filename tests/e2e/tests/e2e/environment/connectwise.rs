//! The test's own ConnectWise simulator, seen as its technicians and its faults.

use std::time::{Duration, Instant};

use connectwise_sim::{Seed, Simulator};
use reqwest::Method;
use serde_json::{Value, json};

use super::PATIENCE;

/// A subtype, and an item below it.
pub(crate) struct TypeChildren {
    pub(crate) subtype: u64,
    pub(crate) item: u64,
}

pub(crate) fn is_open(ticket: &Value) -> bool {
    ticket["closedFlag"] == false
}

const API: &str = "/v4_6_release/apis/3.0";

pub(crate) struct ConnectWise {
    sim: Simulator,
    http: reqwest::Client,
    client_id: String,
}

impl ConnectWise {
    pub(super) async fn start(seed: Seed, http: reqwest::Client) -> Self {
        let client_id = seed.technician().unwrap().client_id;
        let sim = Simulator::start(seed, ([127, 0, 0, 1], 0).into())
            .await
            .unwrap();
        Self {
            sim,
            http,
            client_id,
        }
    }

    /// Scheme, host and port.
    pub(crate) fn origin(&self) -> String {
        self.sim.base_url()
    }

    /// Calls the API with a technician's keys.
    pub(crate) async fn call_as_technician(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Value {
        let keys = Seed::demo().technician().unwrap();
        let user = format!("{}+{}", keys.company_id, keys.public_key);
        let url = format!("{}{API}{path}", self.origin());
        let mut call = self
            .http
            .request(method, url)
            .basic_auth(user, Some(keys.private_key))
            .header("clientId", &self.client_id);
        if let Some(body) = body {
            call = call.json(&body);
        }
        let answer = call.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.unwrap_or_default()
    }

    /// Adds a subtype and an item to a type of a board.
    pub(crate) async fn add_type_children(&self, board: u64, type_: u64) -> TypeChildren {
        let path = format!("/service/boards/{board}");
        let post = async |table: &str, body| {
            let path = format!("{path}/{table}");
            let made = self
                .call_as_technician(Method::POST, &path, Some(body))
                .await;
            made["id"].as_u64().unwrap()
        };
        let subtype = json!({ "name": "Storage", "typeAssociationIds": [type_] });
        let subtype = post("subtypes", subtype).await;
        let item = post("items", json!({ "name": "Volume" })).await;
        let association = format!("{path}/items/{item}/associations/{type_}");
        let body = json!({ "id": type_, "subTypeAssociationIds": [subtype] });
        self.call_as_technician(Method::PUT, &association, Some(body))
            .await;
        TypeChildren { subtype, item }
    }

    pub(crate) async fn tickets(&self) -> Vec<Value> {
        self.list("/service/tickets?pageSize=1000").await
    }

    /// The number of open tickets.
    pub(crate) async fn count_open(&self) -> usize {
        self.tickets().await.iter().filter(|it| is_open(it)).count()
    }

    /// The number of calls with this method and path.
    pub(crate) async fn count_calls(&self, call: &str) -> usize {
        self.calls()
            .await
            .iter()
            .filter(|made| *made == call)
            .count()
    }

    /// Asserts that one note of a ticket, and only one, contains all these words.
    pub(crate) async fn assert_noted(&self, ticket: &Value, words: &[&str]) {
        let notes = self.notes(ticket).await;
        let has_words = |note: &&Value| {
            let text = note["text"].as_str().unwrap();
            words.iter().all(|words| text.contains(words))
        };
        let count = notes.iter().filter(has_words).count();
        assert_eq!(count, 1, "{words:?} in {notes:?}");
    }

    pub(crate) async fn notes(&self, ticket: &Value) -> Vec<Value> {
        let path = format!("/service/tickets/{}/notes?pageSize=1000", ticket["id"]);
        self.list(&path).await
    }

    async fn list(&self, path: &str) -> Vec<Value> {
        let list = self.call_as_technician(Method::GET, path, None).await;
        list.as_array().unwrap().clone()
    }

    /// Asserts that there is no ticket, and that only this check ever called the API.
    pub(crate) async fn assert_untouched(&self) {
        assert_eq!(self.tickets().await.len(), 0);
        assert_eq!(self.calls().await, ["GET /service/tickets"]);
    }

    /// Waits until there are so many tickets.
    pub(crate) async fn wait_for_tickets(&self, count: usize) {
        let start = Instant::now();
        while self.tickets().await.len() != count {
            assert!(start.elapsed() < PATIENCE, "never {count} tickets");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Resets the simulator: deletes all tickets, the journal and the faults.
    pub(crate) async fn reset(&self) {
        let url = format!("{}/_sim/reset", self.origin());
        let answer = self.http.post(url).send().await.unwrap();
        assert!(answer.status().is_success());
    }

    /// Sets the simulator's faults.
    pub(crate) async fn set_faults(&self, faults: Value) {
        let url = format!("{}/_sim/faults", self.origin());
        let answer = self.http.put(url).json(&faults).send().await.unwrap();
        let status = answer.status();
        assert!(status.is_success(), "{}", answer.text().await.unwrap());
    }

    /// Does something to a ticket in a person's name (`/_sim/tickets/{id}`).
    pub(crate) async fn act_on_ticket(&self, ticket: u64, action: &Value) {
        let url = format!("{}/_sim/tickets/{ticket}", self.origin());
        let answer = self.http.post(url).json(action).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{action}: {text}");
    }

    /// All calls since the start or the last reset.
    pub(crate) async fn journal(&self) -> Vec<Value> {
        let url = format!("{}/_sim/journal?after=0", self.origin());
        let answer = self.http.get(url).send().await.unwrap();
        answer.json().await.unwrap()
    }

    /// The journal as `METHOD path` lines.
    pub(crate) async fn calls(&self) -> Vec<String> {
        let call = |entry: &Value| {
            let path = entry["path"].as_str().unwrap().trim_start_matches(API);
            format!("{} {path}", entry["method"].as_str().unwrap())
        };
        self.journal().await.iter().map(call).collect()
    }
}
