//! The record of every call to ConnectWise, for tests to read at `/_sim/journal`. Headers are not
//! recorded, because they contain the keys.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// Longer bodies are truncated, so that many calls fit in memory.
const LONGEST_BODY: usize = 64 * 1024;

/// One call.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Entry {
    /// From 1, without gaps.
    pub(crate) n: usize,
    pub(crate) at: String,
    pub(crate) method: String,
    pub(crate) path: String,
    /// As it was sent, percent-encoded.
    pub(crate) query: String,
    /// `null` if there was no response.
    pub(crate) status: Option<u16>,
    /// Whether the call changed something. A late commit sets it to true when it commits.
    pub(crate) committed: bool,
    /// The request's body: as JSON if it is JSON, otherwise as text, `null` without a body.
    pub(crate) body: Value,
}

/// All calls since the start or the last reset.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: Vec<Entry>,
}

/// The part of an entry that is known before the response.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
}

impl Journal {
    pub(crate) fn record(
        &mut self,
        line: Line,
        body: &[u8],
        now: Timestamp,
        status: Option<u16>,
        committed: bool,
    ) -> usize {
        let n = self.entries.len() + 1;
        self.entries.push(Entry {
            n,
            at: format!("{now:.3}"),
            method: line.method,
            path: line.path,
            query: line.query,
            status,
            committed,
            body: readable(body),
        });
        n
    }

    /// Marks call `n`, which was answered with a failure, as committed.
    pub(crate) fn committed_late(&mut self, n: usize) {
        if let Some(entry) = n
            .checked_sub(1)
            .and_then(|index| self.entries.get_mut(index))
        {
            entry.committed = true;
        }
    }

    pub(crate) fn after(&self, n: usize) -> &[Entry] {
        self.entries.get(n..).unwrap_or_default()
    }
}

fn readable(body: &[u8]) -> Value {
    if body.is_empty() {
        return Value::Null;
    }
    let cut = body.get(..LONGEST_BODY).unwrap_or(body);
    serde_json::from_slice(cut)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(cut).into_owned()))
}
