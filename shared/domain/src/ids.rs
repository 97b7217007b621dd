//! Identifiers. They are parsed once, where they come in; no code checks the string again.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A text that is not a valid identifier. The message says what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {problem}")]
pub struct InvalidId {
    what: &'static str,
    problem: &'static str,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:path, $schema:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            ///
            /// # Errors
            /// Returns the rule that the text breaks.
            pub fn parse(text: impl Into<String>) -> Result<Self, InvalidId> {
                match $check(text.into()) {
                    Ok(text) => Ok(Self(text)),
                    Err(problem) => Err(InvalidId { what: $what, problem }),
                }
            }

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

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema()
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
    /// An MSP with its own ConnectWise. The id is part of secret names, table keys and message
    /// groups, hence the narrow alphabet.
    PartnerId,
    "a partner id",
    slug,
    slug_schema
);

text_id!(
    /// A customer of a partner, as the source names it.
    TenantId,
    "a tenant id",
    outside_id,
    outside_id_schema
);

text_id!(
    /// A system that posts webhooks.
    SourceId,
    "a source id",
    source_id,
    source_id_schema
);

text_id!(
    /// An alert, as its source names it. It is not the title.
    AlertId,
    "an alert id",
    outside_id,
    outside_id_schema
);

text_id!(
    /// One message about an alert, as its source names it.
    EventId,
    "an event id",
    outside_id,
    outside_id_schema
);

text_id!(
    /// One complete list of active alerts, as its source names it.
    SnapshotId,
    "a snapshot id",
    outside_id,
    outside_id_schema
);

text_id!(
    /// The kind of an alert: a built-in kind, or one that the operator added to a source.
    Kind,
    "a kind",
    kind,
    kind_schema
);

text_id!(
    /// A maintenance window of a partner.
    WindowId,
    "a window id",
    slug,
    slug_schema
);

text_id!(
    /// The right to make one write to ConnectWise. Never reused.
    ClaimId,
    "a claim id",
    slug,
    slug_schema
);

/// The source of the test alerts that set-up sends. Random ids have no 0, so no real source has
/// this id.
const TEST_ALERTS: &str = "src_setup000000000000000000000";

/// The source of alerts about inactive sources, which `health` raises. No real source has this id
/// either.
const SOURCE_ALERTS: &str = "src_health00000000000000000000";

/// The source of the alerts of storms. No real source has this id either.
const STORMS: &str = "src_storm000000000000000000000";

impl SourceId {
    /// Returns the source of test alerts. The webhook endpoint rejects it.
    #[must_use]
    pub fn for_test_alerts() -> Self {
        Self(TEST_ALERTS.to_owned())
    }

    pub(crate) fn from_parts(random: &str, proof: &str) -> Self {
        Self(format!("src_{random}{proof}"))
    }

    /// Splits the part after `src_` at `first`.
    pub(crate) fn split_letters(&self, first: usize) -> (&str, &str) {
        let letters = self.0.strip_prefix("src_").unwrap_or_default();
        letters.split_at_checked(first).unwrap_or_default()
    }

    #[must_use]
    pub fn is_for_test_alerts(&self) -> bool {
        self.0 == TEST_ALERTS
    }

    /// Returns the source of alerts about inactive sources. The webhook endpoint rejects it.
    #[must_use]
    pub fn for_source_alerts() -> Self {
        Self(SOURCE_ALERTS.to_owned())
    }

    /// Returns the source of the alerts of storms. The webhook endpoint rejects it.
    #[must_use]
    pub fn for_storms() -> Self {
        Self(STORMS.to_owned())
    }

    #[must_use]
    pub fn is_for_storms(&self) -> bool {
        self.0 == STORMS
    }

    /// Whether the id belongs to Ticketbridge itself. No sender has it.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        [TEST_ALERTS, SOURCE_ALERTS, STORMS].contains(&self.0.as_str())
    }
}

impl AlertId {
    /// Returns the id of the test alert that was requested at this time.
    #[must_use]
    pub fn for_test(asked_at: Timestamp) -> Self {
        Self(format!("test-{}", asked_at.as_millisecond()))
    }

    /// Returns the id of the alert of the storm that began at this time.
    #[must_use]
    pub fn for_storm(began_at: Timestamp) -> Self {
        Self(format!("storm-{}", began_at.as_millisecond()))
    }
}

impl EventId {
    /// Returns the id of an event of a test alert.
    #[must_use]
    pub fn for_test(at: Timestamp) -> Self {
        Self(format!("test-{}", at.as_millisecond()))
    }

    /// Returns the id of the event with this number of a storm's alert.
    #[must_use]
    pub fn for_storm(number: u32) -> Self {
        Self(format!("storm-{number}"))
    }
}

/// The id that ConnectWise gave a record.
pub type RecordId = u64;

/// The longest identifier from outside, in bytes. With the partner and the ticket reference it must
/// fit into a table key.
const MAX_OUTSIDE_ID: usize = 256;

fn slug_schema() -> Schema {
    json_schema!({ "type": "string", "pattern": "^[a-z0-9_-]{1,64}$" })
}

fn kind_schema() -> Schema {
    json_schema!({ "type": "string", "pattern": "^[a-z0-9_]{1,64}$" })
}

fn source_id_schema() -> Schema {
    json_schema!({ "type": "string", "pattern": "^src_[a-z0-9]{26}$" })
}

/// Not its control characters, of which a pattern would be hard to read.
fn outside_id_schema() -> Schema {
    json_schema!({ "type": "string", "minLength": 1, "maxLength": MAX_OUTSIDE_ID })
}

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

/// Normalizes an identifier, so that an alert has one key however its source writes it. Rejects
/// control characters and non-characters, which SQS does not accept.
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
