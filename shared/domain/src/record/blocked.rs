//! Why an alert is blocked.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Op;
use crate::Blocked;

/// Why and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockedSince {
    /// Why the alert cannot go on.
    #[serde(flatten)]
    pub reason: Blocked,
    /// Since when. Of a refusal: when ConnectWise last refused it, since each retry takes the claim first.
    pub since: Timestamp,
    /// What ConnectWise refused, where that is why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
}

/// A call that ConnectWise refused for the sake of this one alert: the connection works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The write; none where looking something up was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<Op>,
    /// ConnectWise's own words, on one line.
    pub words: String,
}

impl BlockedSince {
    /// Blocked because ConnectWise refused a call for the sake of this alert.
    #[must_use]
    pub fn refused(reason: Blocked, refusal: Refusal, since: Timestamp) -> Self {
        Self {
            reason,
            since,
            refusal: Some(refusal),
        }
    }

    /// Whether ConnectWise refused a call for the sake of this alert. Then it is retried only when reconcile or a person asks for it.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self.reason {
            Blocked::TargetGone(_) | Blocked::Rejected(_) => true,
            Blocked::NotSetUp
            | Blocked::Unmapped
            | Blocked::TenantDisabled
            | Blocked::KindDisabled
            | Blocked::ConnectionBroken
            | Blocked::ConnectionUnavailable
            | Blocked::Throttled
            | Blocked::Deferred
            | Blocked::MissingRight(_)
            | Blocked::OlderThanBackfill => false,
        }
    }

    /// Whether ConnectWise refused this write, or something that must come before it.
    #[must_use]
    pub fn refuses(&self, op: Op) -> bool {
        let refused = self.refusal.as_ref().and_then(|refusal| refusal.op);
        self.is_refusal() && refused.is_none_or(|refused| refused == op)
    }

    /// Whether ConnectWise refused to look something up.
    #[must_use]
    pub fn refuses_look(&self) -> bool {
        let refused = self.refusal.as_ref().and_then(|refusal| refusal.op);
        self.is_refusal() && refused.is_none()
    }

    /// ConnectWise's own words; empty where it said none.
    #[must_use]
    pub fn words(&self) -> &str {
        match (&self.refusal, &self.reason) {
            (Some(refusal), _) => &refusal.words,
            (None, Blocked::Rejected(words)) => words,
            (None, _) => "",
        }
    }
}
