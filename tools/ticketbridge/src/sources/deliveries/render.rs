//! Deliveries as a table.

use anyhow::Result;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use store::{Attempt, DeliveryState};

use crate::output::{one_line, table, time};

/// The deliveries that were found.
pub(super) struct FoundDeliveries {
    pub(super) deliveries: Vec<Value>,
    /// Whether there are no more than these.
    pub(super) is_complete: bool,
}

#[derive(Deserialize)]
pub(in crate::sources) struct LoggedDelivery {
    pub(in crate::sources) id: String,
    #[serde(rename = "type")]
    kind: String,
    pub(in crate::sources) state: DeliveryState,
    stored_at: Timestamp,
    attempts: u32,
    last_attempt: Option<Attempt>,
}

pub(super) fn list(found: &FoundDeliveries) -> Result<String> {
    if found.deliveries.is_empty() {
        return Ok("no deliveries".to_owned());
    }
    let mut rows = vec![];
    for delivery in &found.deliveries {
        let of = LoggedDelivery::deserialize(delivery)?;
        let answer = last_answer(&of);
        let attempted = of.last_attempt.map(|attempt| time(attempt.at));
        rows.push([
            time(of.stored_at),
            of.kind,
            of.state.name().to_owned(),
            of.attempts.to_string(),
            attempted.unwrap_or_else(|| "-".to_owned()),
            answer,
            of.id,
        ]);
    }
    let headings = [
        "STORED",
        "TYPE",
        "STATE",
        "ATTEMPTS",
        "LAST ATTEMPT",
        "LAST ANSWER",
        "ID",
    ];
    let mut text = table(headings, rows);
    if !found.is_complete {
        text = format!("{text}\n\nThere are more: give --limit, or --state.");
    }
    Ok(text)
}

/// The status, and what was wrong with it if that does not name the status.
pub(in crate::sources) fn last_answer(delivery: &LoggedDelivery) -> String {
    let attempt = delivery.last_attempt.as_ref();
    let status = attempt.and_then(|of| of.status);
    let problem = attempt.and_then(|of| of.problem.as_deref()).map(one_line);
    match (status, problem) {
        (Some(status), Some(problem)) if !problem.contains(&status.to_string()) => {
            format!("{status}, {problem}")
        }
        (_, Some(problem)) => problem,
        (Some(status), None) => status.to_string(),
        (None, None) => "-".to_owned(),
    }
}

pub(super) fn replayed(count: u64) -> String {
    match count {
        0 => "nothing to replay".to_owned(),
        1 => "1 delivery is pending again".to_owned(),
        count => format!("{count} deliveries are pending again"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_shows_attempts_and_the_last_answer() {
        let key = "0123456789abcdef-0123456789abcdef0123456789abcdef";
        let mut found = FoundDeliveries {
            deliveries: vec![
                json!({
                    "id": format!("{key}-2"), "type": "ticket.noted", "state": "pending",
                    "alert_key": key, "stored_at": "2026-11-27T08:01:00Z", "attempts": 0,
                }),
                json!({
                    "id": format!("{key}-1"), "type": "ticket.created", "state": "failed",
                    "alert_key": key, "stored_at": "2026-11-24T08:00:00.5Z", "attempts": 290,
                    "last_attempt": { "at": "2026-11-27T08:00:10Z", "status": 503,
                        "problem": "the receiver did not confirm it for three days" },
                }),
                json!({
                    "id": "ping_src_1-1795332600000", "type": "ping", "state": "delivered",
                    "stored_at": "2026-11-22T08:00:00Z", "attempts": 1,
                    "last_attempt": { "at": "2026-11-22T08:00:10Z", "status": 204 },
                }),
            ],
            is_complete: false,
        };
        insta::assert_snapshot!(list(&found).unwrap());
        found.is_complete = true;
        assert!(!list(&found).unwrap().contains("There are more"));
        found.deliveries.clear();
        assert_eq!(list(&found).unwrap(), "no deliveries");
    }

    #[test]
    fn a_replay_says_how_many_deliveries_are_pending_again() {
        let lines = [0, 1, 2].map(replayed);
        assert_eq!(
            lines,
            [
                "nothing to replay",
                "1 delivery is pending again",
                "2 deliveries are pending again"
            ]
        );
    }
}
