//! The search for planted secrets in everything that Ticketbridge wrote.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::environment::TestEnvironment;

/// Where a secret could leak to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Location {
    Logs,
    Mails,
    Answers,
    AlertsTable,
    ConfigTable,
    AccessTable,
    Queue,
    DeadLetters,
    /// The calls to ConnectWise without their authentication headers.
    Tickets,
}

impl Location {
    pub(crate) const ALL: [Self; 9] = [
        Self::Logs,
        Self::Mails,
        Self::Answers,
        Self::AlertsTable,
        Self::ConfigTable,
        Self::AccessTable,
        Self::Queue,
        Self::DeadLetters,
        Self::Tickets,
    ];
}

/// The planted secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Canary {
    PrivateKey,
    /// Keys that were entered and that ConnectWise refused.
    RefusedKey,
    /// A malformed key that was entered.
    MalformedKey,
    PublicKey,
    ClientId,
    SourceSecret,
    /// The secret of another source than the one it is used for.
    WrongSecret,
    /// Created by the operator's API.
    MadeSecret,
    RotatedSecret,
    LinkToken,
    /// A token that was never issued.
    WrongToken,
    MailedToken,
    /// The token in a contact's confirmation mail.
    Confirmation,
    Session,
    Contact,
    Operator,
}

/// Where a secret is allowed, and why.
pub(crate) const ALLOWED: [(Canary, Location, &str); 11] = [
    (
        Canary::MadeSecret,
        Location::Answers,
        "the operator gets it once, at its creation",
    ),
    (
        Canary::RotatedSecret,
        Location::Answers,
        "the operator gets it once, at its creation",
    ),
    (
        Canary::LinkToken,
        Location::Answers,
        "the operator's API returns the link",
    ),
    (
        Canary::MailedToken,
        Location::Mails,
        "the link is mailed to the person who requested it",
    ),
    (
        Canary::Confirmation,
        Location::Mails,
        "the link is mailed to the address that is to be confirmed",
    ),
    (
        Canary::Session,
        Location::Answers,
        "the session is the browser's cookie",
    ),
    (
        Canary::PublicKey,
        Location::Answers,
        "the page shows which key is in use; it proves nothing without the private one",
    ),
    (
        Canary::Contact,
        Location::Answers,
        "the page shows the partner its own contact",
    ),
    (
        Canary::Contact,
        Location::AccessTable,
        "the contact is stored there",
    ),
    (Canary::Contact, Location::Mails, "they go to it"),
    (Canary::Operator, Location::Mails, "they go to it"),
];

pub(crate) fn random(length: usize) -> String {
    let bytes: [u8; 48] = ring::rand::generate(&ring::rand::SystemRandom::new())
        .unwrap()
        .expose();
    let letters = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
    let letter = |byte: &u8| char::from(letters[usize::from(*byte) % letters.len()]);
    bytes.iter().take(length).map(letter).collect()
}

/// A signing secret in its textual form.
pub(crate) fn signing_secret() -> String {
    let bytes: [u8; 24] = ring::rand::generate(&ring::rand::SystemRandom::new())
        .unwrap()
        .expose();
    format!(
        "whsec_{}",
        base64::engine::general_purpose::STANDARD.encode(bytes)
    )
}

/// The forms that a secret may have in a text: plain, base64 at each of the three offsets in a longer
/// text, percent-encoded, and hex.
pub(crate) fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![secret.to_owned()];
    for before in 0..3 {
        let shifted = [&[0; 3][..before], secret.as_bytes()].concat();
        for encoded in [
            STANDARD_NO_PAD.encode(&shifted),
            URL_SAFE_NO_PAD.encode(&shifted),
        ] {
            // The first and the last characters also encode bits of the surrounding text.
            let from = if before == 0 { 0 } else { before + 1 };
            forms.push(encoded[from..encoded.len() - 2].to_owned());
        }
    }
    let hex = |format: fn(u8) -> String| secret.bytes().map(format).collect::<String>();
    forms.push(hex(|byte| format!("{byte:02x}")));
    forms.push(hex(|byte| format!("{byte:02X}")));
    forms.push(hex(|byte| format!("%{byte:02X}")));
    let some = |byte: u8| match byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    forms.push(hex(some));
    forms.sort();
    forms.dedup();
    forms
}

/// The form of a secret that a text contains.
pub(crate) fn found(secret: &str, haystack: &str) -> Option<String> {
    let mut forms = forms(secret).into_iter();
    forms.find(|form| haystack.contains(form))
}

/// All texts that are searched, by location.
#[derive(Debug, Default)]
pub(crate) struct CapturedTexts(pub(crate) BTreeMap<Location, String>);

impl CapturedTexts {
    pub(crate) fn add(&mut self, location: Location, text: &str) {
        self.0.entry(location).or_default().push_str(text);
    }

    /// Adds the queues' present messages, which the functions delete later.
    pub(crate) async fn queues(&mut self, env: &TestEnvironment) {
        let sqs = aws_sdk_sqs::Client::new(&env.aws);
        for (location, url) in [
            (Location::Queue, &env.queue.url),
            (Location::DeadLetters, &env.dead_letter_queue.url),
        ] {
            let received = sqs
                .receive_message()
                .queue_url(url)
                .max_number_of_messages(10)
                .visibility_timeout(0)
                .message_attribute_names("All")
                .send()
                .await
                .unwrap();
            for message in received.messages.unwrap_or_default() {
                self.add(location, message.body().unwrap_or_default());
                self.add(location, &format!("{:?}", message.message_attributes));
            }
        }
    }

    pub(crate) async fn tables(&mut self, env: &TestEnvironment) {
        let client = aws_sdk_dynamodb::Client::new(&env.aws);
        for (location, table) in [
            (Location::AlertsTable, "alerts"),
            (Location::ConfigTable, "config"),
            (Location::AccessTable, "access"),
        ] {
            let mut items = client
                .scan()
                .table_name(table)
                .into_paginator()
                .items()
                .send();
            while let Some(item) = items.next().await {
                self.add(location, &format!("{:?}\n", item.unwrap()));
            }
        }
    }

    /// The secrets that were found at places where they are not allowed.
    pub(crate) fn leaks(&self, canaries: &BTreeMap<Canary, String>) -> Vec<String> {
        let mut leaks = vec![];
        for (location, text) in &self.0 {
            for (canary, secret) in canaries {
                let rightly = ALLOWED
                    .iter()
                    .any(|(of, at, _)| of == canary && at == location);
                if !rightly && let Some(form) = found(secret, text) {
                    leaks.push(format!("{canary:?} in {location:?} as {form}"));
                }
            }
        }
        leaks
    }
}

#[test]
fn the_leak_search_finds_every_encoding_of_a_secret() {
    let secret = "whsec_C2FVsBQIhrscChlQIMV+b5sS/spob7oD";
    for text in [
        secret.to_owned(),
        STANDARD_NO_PAD.encode(format!("a:{secret}")),
        STANDARD_NO_PAD.encode(format!("ab:{secret}!")),
        URL_SAFE_NO_PAD.encode(format!("abc:{secret}!!")),
        "77687365635F43324656734251496872736343686C51494D562B623573532F73706F62376F44".to_owned(),
        "whsec_C2FVsBQIhrscChlQIMV%2Bb5sS%2Fspob7oD".to_owned(),
    ] {
        let haystack = format!("{{\"fault\": \"{text}\"}}");
        assert!(found(secret, &haystack).is_some(), "{text}");
    }
    assert_eq!(found(secret, "whsec_C2FVsBQIhrscChlQIMV+b5sS/spob7o"), None);
}
