//! Shared by the targets: the parser of bodies, and the invariants of its messages.

use domain::wire::message::Message;
use domain::wire::webhook::{RequestTimes, SourcePolicy};
use domain::{PartnerId, SourceId};
use jiff::Timestamp;

/// A source of one partner.
pub fn policy() -> SourcePolicy {
    SourcePolicy {
        source: SourceId::parse("src_0123456789abcdefghijklmnop").expect("a source id"),
        partners: vec![PartnerId::parse("northwind").expect("a partner id")],
        kinds_added: vec![],
        webhook: domain::outgoing::scope::WebhookScope::Nothing,
    }
}

/// A fixed time, so that findings can be reproduced.
pub fn times() -> RequestTimes {
    let now = Timestamp::from_second(1_795_332_600).expect("a time");
    RequestTimes {
        sent_at: now,
        received_at: now,
    }
}

/// An accepted event can be queued, and its message is little larger than the body.
pub fn can_be_queued(message: &Message, body: &[u8]) {
    // Composed letters may need up to three times as many bytes as their parts; so may U+FFFD in
    // place of a byte.
    assert!(is_readable(message) <= 3 * body.len() + 1024);
}

/// SQS accepts each character of a message, and the message is read back unchanged. Returns its
/// length.
pub fn is_readable(message: &Message) -> usize {
    let json = message.to_json();
    let taken = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    assert_eq!(json.chars().find(|&c| !taken(c)), None);
    assert_eq!(
        Message::from_json(&json).expect("our own message"),
        *message
    );
    json.len()
}

/// Checks that the message of a rejection is short and printable.
pub fn expect_printable(err: &impl std::fmt::Display) {
    let message = err.to_string();
    assert!(message.len() < 1024, "{} bytes", message.len());
    assert!(!message.chars().any(char::is_control), "{message:?}");
}
