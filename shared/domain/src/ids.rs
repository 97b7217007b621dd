//! Identifiers, parsed once at the door; nothing downstream checks a string again.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Why a text is not the identifier that it should be; the message says what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {problem}")]
pub struct InvalidId {
    what: &'static str,
    problem: &'static str,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes a text as this identifier.
            ///
            /// # Errors
            /// When the text breaks the rule that the message states.
            pub fn parse(text: impl Into<String>) -> Result<Self, InvalidId> {
                match $check(text.into()) {
                    Ok(text) => Ok(Self(text)),
                    Err(problem) => Err(InvalidId { what: $what, problem }),
                }
            }

            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// The MSP whose ConnectWise it is. It stands in secret names, table keys and message groups, hence the narrow alphabet.
    PartnerId,
    "a partner id",
    slug
);

text_id!(
    /// A customer tenant of a partner, as upstream names it.
    TenantId,
    "a tenant id",
    outside_id
);

text_id!(
    /// An upstream system that posts webhooks.
    SourceId,
    "a source id",
    source_id
);

text_id!(
    /// An alert as its source names it; never a title.
    AlertId,
    "an alert id",
    outside_id
);

text_id!(
    /// One message about an alert, as its source names it.
    EventId,
    "an event id",
    outside_id
);

text_id!(
    /// One complete listing of active alerts, as its source names it.
    SnapshotId,
    "a snapshot id",
    outside_id
);

text_id!(
    /// What sort of alert: one of the built-in kinds or one that the operator added to a source.
    Kind,
    "a kind",
    kind
);

text_id!(
    /// The right to make one write to ConnectWise, unique for ever.
    ClaimId,
    "a claim id",
    slug
);

/// The source of the test alerts that set-up sends. Drawn ids have no 0 in them, so that none of a real source is this one.
const OF_SET_UP: &str = "src_setup000000000000000000000";

impl SourceId {
    /// The source of test alerts. The door takes nothing from it.
    #[must_use]
    pub fn of_set_up() -> Self {
        Self(OF_SET_UP.to_owned())
    }

    pub(crate) fn of_letters(random: &str, proof: &str) -> Self {
        Self(format!("src_{random}{proof}"))
    }

    /// The first letters after `src_`, and the others.
    pub(crate) fn halves(&self, first: usize) -> (&str, &str) {
        let letters = self.0.strip_prefix("src_").unwrap_or_default();
        letters.split_at_checked(first).unwrap_or_default()
    }

    /// Whether this is the source of test alerts.
    #[must_use]
    pub fn is_of_set_up(&self) -> bool {
        self.0 == OF_SET_UP
    }
}

impl AlertId {
    /// The test alert that was asked for then.
    #[must_use]
    pub fn of_test(asked_at: Timestamp) -> Self {
        Self(format!("test-{}", asked_at.as_millisecond()))
    }
}

impl EventId {
    /// What is said of a test alert then.
    #[must_use]
    pub fn of_test(at: Timestamp) -> Self {
        Self(format!("test-{}", at.as_millisecond()))
    }
}

/// The number that ConnectWise gave a record.
pub type RecordId = u64;

/// Longest identifier taken from outside, in bytes: with the partner and the token it must fit a table key.
const MAX_OUTSIDE_ID: usize = 256;

fn slug(text: String) -> Result<String, &'static str> {
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
    if text.is_empty() || text.len() > 64 || !plain {
        return Err("is 1 to 64 characters of a-z, 0-9, - and _");
    }
    Ok(text)
}

fn kind(text: String) -> Result<String, &'static str> {
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if text.is_empty() || text.len() > 64 || !plain {
        return Err("is 1 to 64 characters of a-z, 0-9 and _");
    }
    Ok(text)
}

fn source_id(text: String) -> Result<String, &'static str> {
    let tail = text.strip_prefix("src_").unwrap_or_default();
    if tail.len() != 26
        || !tail
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    {
        return Err("is src_ and 26 characters of a-z and 0-9");
    }
    Ok(text)
}

/// Spellings of one identifier become one, so that an alert has one key however its source writes it. Control characters and
/// non-characters, which SQS refuses, are no part of an identifier.
fn outside_id(text: String) -> Result<String, &'static str> {
    let text = crate::text::identity(text);
    if text.is_empty() || text.len() > MAX_OUTSIDE_ID {
        return Err("is 1 to 256 bytes long");
    }
    if text.contains(crate::text::is_unprintable) {
        return Err("has no control, bidirectional or non-characters");
    }
    Ok(text)
}
