//! The simulator's journal: every call that was made to ConnectWise.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

/// One entry of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct JournalEntry {
    /// From 1, without gaps.
    pub n: usize,
    /// When the call arrived.
    pub at: Timestamp,
    pub method: String,
    pub path: String,
    pub query: String,
    /// None where the simulator gave no answer.
    pub status: Option<u16>,
    /// Whether the call changed something, at once or later.
    pub committed: bool,
    pub body: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Creates a ticket.
    Create,
    /// Searches for a ticket by its reference.
    Search,
    Other,
}

impl JournalEntry {
    pub fn purpose(&self) -> Purpose {
        let tickets = self.path.ends_with("/service/tickets");
        match self.method.as_str() {
            "POST" if tickets => Purpose::Create,
            "GET" if tickets => Purpose::Search,
            _ => Purpose::Other,
        }
    }

    /// Whether the call created a ticket for this alert.
    pub fn creates_ticket_of(&self, item_key: &str) -> bool {
        self.purpose() == Purpose::Create && self.committed && self.is_about(item_key, &[])
    }

    /// Whether the call wrote a note on a ticket, at once or later.
    pub fn writes_note(&self) -> bool {
        self.method == "POST" && self.path.ends_with("/notes") && self.committed
    }

    /// Whether the call was answered with an error and wrote its note nevertheless, later.
    pub fn notes_late(&self) -> bool {
        self.writes_note() && self.status.is_some_and(|status| status >= 500)
    }

    /// Whether the call concerns an alert: by a reference to it, or by one of its tickets.
    pub fn is_about(&self, item_key: &str, tickets: &[u64]) -> bool {
        let is_on_ticket = |id: &u64| {
            let path = format!("/service/tickets/{id}");
            self.path.ends_with(&path) || self.path.contains(&format!("{path}/"))
        };
        let text = self.body["externalXRef"].as_str().unwrap_or_default();
        text.contains(item_key) || self.query.contains(item_key) || tickets.iter().any(is_on_ticket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &str, path: &str, query: &str, reference: &str) -> JournalEntry {
        serde_json::from_value(serde_json::json!({
            "n": 1, "at": "2026-11-22T10:00:00.123Z", "method": method, "path": path,
            "query": query, "status": null, "committed": false,
            "body": { "externalXRef": reference },
        }))
        .unwrap()
    }

    #[test]
    fn method_and_path_give_the_purpose() {
        let tickets = "/v4_6_release/apis/3.0/service/tickets";
        assert_eq!(call("POST", tickets, "", "").purpose(), Purpose::Create);
        assert_eq!(call("GET", tickets, "", "").purpose(), Purpose::Search);
        assert_eq!(
            call("GET", &format!("{tickets}/7"), "", "").purpose(),
            Purpose::Other
        );
        assert_eq!(
            call("POST", &format!("{tickets}/7/notes"), "", "").purpose(),
            Purpose::Other
        );
    }

    #[test]
    fn calls_about_an_alert_are_found() {
        let tickets = "/v4_6_release/apis/3.0/service/tickets";
        assert!(call("POST", tickets, "", "tb1-ab-cd-1").is_about("ab-cd", &[]));
        assert!(call("GET", tickets, "conditions=x+%22tb1-ab-cd-1%22", "").is_about("ab-cd", &[]));
        assert!(call("GET", &format!("{tickets}/77/notes"), "", "").is_about("ab-cd", &[77]));
        assert!(call("PATCH", &format!("{tickets}/77"), "", "").is_about("ab-cd", &[77]));
        assert!(!call("PATCH", &format!("{tickets}/771"), "", "").is_about("ab-cd", &[77]));
    }
}
