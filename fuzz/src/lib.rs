//! What the targets share: the door that bodies come to, and what must be true of a message that it lets through.

use domain::message::Message;
use domain::webhook::{SourcePolicy, RequestTimes};
use domain::{PartnerId, SourceId};
use jiff::Timestamp;

/// A source of one partner.
pub fn policy() -> SourcePolicy {
    SourcePolicy {
        source: SourceId::parse("src_0123456789abcdefghijklmnop").expect("a source id"),
        partners: vec![PartnerId::parse("northwind").expect("a partner id")],
        kinds_added: vec![],
    }
}

/// The moment that never passes, so that what was found can be played again.
pub fn times() -> RequestTimes {
    let now = Timestamp::from_second(1_795_332_600).expect("a time");
    RequestTimes {
        sent_at: now,
        received_at: now,
    }
}

/// What was accepted can be queued: SQS takes each character, the size is that of the body and little more, and what comes off
/// the queue is what was put there.
pub fn can_be_queued(message: &Message, body: &[u8]) {
    let json = message.to_json();
    let taken = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    assert_eq!(json.chars().find(|&c| !taken(c)), None);
    // Composed letters may need more bytes than their parts, three times as many at most; so may U+FFFD for a byte.
    assert!(json.len() <= 3 * body.len() + 1024);
    assert_eq!(
        Message::from_json(&json).expect("our own message"),
        *message
    );
}

/// What is refused is told in words that are few and can be printed.
pub fn can_be_told(err: &impl std::fmt::Display) {
    let told = err.to_string();
    assert!(told.len() < 1024, "{} bytes", told.len());
    assert!(!told.chars().any(char::is_control), "{told:?}");
}
