//! The texts of a ticket and of its notes.

use jiff::Timestamp;

use crate::AlertKey;
use crate::alert::event::Payload;
use crate::alert::flapping::FlapRule;
use crate::alert::record::{Actual, AlertDetails, ClosedBy, Desired, Record};
use crate::alert::resolution::Resolution;
use crate::text::{cut_to_bytes, cut_to_chars};
use crate::ticketing::manual_change::ManualChange;

/// ConnectWise's limit for a summary, in characters.
pub const MAX_SUMMARY: usize = 100;

/// The summary: the title in at most 100 characters.
#[must_use]
pub fn summary(payload: &Payload) -> String {
    cut_to_chars(&plain(&payload.title), MAX_SUMMARY)
}

/// The description: the facts that a technician asks for, one per line, then the source's text.
///
/// The facts come first, so that no text of a source can be mistaken for one of them. `previous` is
/// the ticket of the previous occurrence.
#[must_use]
pub fn description(
    key: &AlertKey,
    details: &AlertDetails,
    payload: &Payload,
    previous: Option<u64>,
) -> String {
    let mut facts = vec![];
    let mut fact = |name: &str, value: &str| facts.push(format!("{name}: {value}"));
    let tenant = plain(key.tenant.as_str());
    fact(
        "Tenant",
        &payload.tenant_name.as_ref().map_or_else(
            || tenant.clone(),
            |name| format!("{} ({tenant})", plain(name)),
        ),
    );
    if let Some(device) = &payload.device {
        fact("Device", &plain(device));
    }
    if let Some(user) = &payload.user {
        fact("User", &plain(user));
    }
    fact("Severity", &details.severity.to_string());
    fact("Raised", &readable(details.raised_at));
    if let Some(link) = &payload.link {
        fact("Details", &plain_link(link));
    }
    if let Some(ticket) = previous {
        fact("Seen before", &format!("ticket {ticket}"));
    }
    let words = plain(payload.description.trim());
    if !words.is_empty() {
        // A blank line ends any markup of the lines before it.
        facts.push(String::new());
        facts.push(words);
    }
    facts.join("\n")
}

/// Whether this is the text of a description, as ConnectWise shows it in the first note.
#[must_use]
pub(crate) fn is_description(text: &str) -> bool {
    text.trim_start().starts_with("Tenant: ")
        && ["Severity: ", "Raised: "]
            .iter()
            .all(|fact| text.contains(fact))
}

/// Makes a source's text safe. Neither Markdown nor HTML has an effect in it beyond the look of
/// letters: no image, no link whose text differs from its address, no tag, no block that would
/// include Ticketbridge's own lines, and no mark of a Ticketbridge note.
///
/// A space is inserted where such a construct starts. Backslashes or entities would work where
/// ConnectWise renders the text, but technicians would read them where it does not. A bare address
/// stays: it shows where it leads.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (at, after) = rest.split_at(c.len_utf8());
        plain.push_str(at);
        let begins = match c {
            '<' => after.starts_with(|c: char| c.is_alphabetic() || matches!(c, '/' | '!' | '?')),
            ']' => after.starts_with(['(', ':', '[']),
            '[' => after.starts_with("tb "),
            '`' => after.starts_with("``"),
            '~' => after.starts_with("~~"),
            _ => false,
        };
        if begins {
            plain.push(' ');
        }
        rest = after;
    }
    plain
}

/// Escapes all characters that would end the address early or start markup. The escaped address is
/// the same.
pub(crate) fn plain_link(link: &str) -> String {
    let mut plain = String::with_capacity(link.len());
    for c in link.chars() {
        match c {
            '<' => plain.push_str("%3C"),
            '>' => plain.push_str("%3E"),
            '"' => plain.push_str("%22"),
            '`' => plain.push_str("%60"),
            '(' => plain.push_str("%28"),
            ')' => plain.push_str("%29"),
            c => plain.push(c),
        }
    }
    plain
}

/// The text of a ticket that replaces one in another ConnectWise, if no event has brought the
/// alert's text since. `None` if there is no such ticket.
#[must_use]
pub fn unreachable_ticket_text(record: &Record) -> Option<Payload> {
    let details = record.desired.details.as_ref()?;
    match &record.actual {
        Some(Actual::Closed(closed)) if closed.by == ClosedBy::OutOfReach => Some(Payload {
            title: format!("Alert: {}", details.kind),
            description: format!(
                "The details are in ticket {} of the ConnectWise that was connected before.",
                closed.ticket_id
            ),
            tenant_name: None,
            device: None,
            user: None,
            link: None,
        }),
        Some(Actual::Open(_) | Actual::Closed(_)) | None => None,
    }
}

/// The note about repeats. `flaps` is how often the alert was raised, if it is flapping.
#[must_use]
pub fn repeat_note(
    repeats: u32,
    details: &AlertDetails,
    payload: Option<&Payload>,
    flaps: Option<(FlapRule, usize)>,
    mark: &str,
) -> String {
    let times = if repeats == 1 {
        "once".to_owned()
    } else {
        format!("{repeats} times")
    };
    // The title and the tenant's name may have changed since the ticket was created.
    let now = payload.map_or_else(String::new, |payload| {
        let tenant = payload.tenant_name.as_ref();
        let tenant = tenant.map_or_else(String::new, |name| format!("Tenant: {}\n", plain(name)));
        format!(
            "\n\n{}\n{tenant}{}\n",
            plain(&payload.title),
            plain(&cut_to_bytes(&payload.description, 4096))
        )
    });
    let flaps = flaps.map_or_else(String::new, |(rule, count)| {
        format!(
            " It was raised {count} times in the last {} minutes, so this ticket stays open until the alert is calm.",
            rule.minutes
        )
    });
    format!(
        "The alert was repeated {times} since the last note. Severity: {}.{flaps}{now}\n{}",
        details.severity, mark
    )
}

/// The note that lists more alerts of a storm. It begins as the note about repeats, since it is
/// one.
#[must_use]
pub fn storm_note(payload: Option<&Payload>, mark: &str) -> String {
    let list = payload.map_or("", |payload| payload.description.as_str());
    format!(
        "The alert was repeated, because more alerts belong to this storm.\n\n{}\n{mark}",
        plain(list)
    )
}

/// The note about a resolved alert: the reason, and the consequence for the ticket. `change` is why
/// it stays open although resolved alerts' tickets are closed.
#[must_use]
pub fn resolved_note(
    closing: bool,
    change: Option<ManualChange>,
    desired: &Desired,
    mark: &str,
) -> String {
    let resolved_at = desired.last.as_ref().map(|last| last.occurred_at);
    let why = match (&desired.resolution, resolved_at) {
        (Some(Resolution::Absent { taken_at, .. }), _) => format!(
            "its source's list of active alerts of {} does not contain it",
            readable(*taken_at)
        ),
        (Some(Resolution::Expired { at }), _) => format!(
            "it expired at {}, since its source did not repeat it before",
            readable(*at)
        ),
        (None, Some(at)) => format!("its source reported it as resolved at {}", readable(at)),
        (None, None) => "its source reported it as resolved".to_owned(),
    };
    let consequence = match (closing, change) {
        (true, _) => "Ticketbridge closes this ticket.".to_owned(),
        (false, None) => "Nothing was closed: please check this ticket and close it.".to_owned(),
        (false, Some(change)) => format!(
            "Ticketbridge would have closed this ticket, but a person worked on it: {}. Please check it and close it.",
            change.words()
        ),
    };
    format!("The alert is resolved: {why}. {consequence}\n{mark}")
}

/// The note on a reopened ticket.
#[must_use]
pub fn reopened_note(raised_at: Timestamp, mark: &str) -> String {
    format!(
        "The alert was raised again at {}: Ticketbridge reopened this ticket.\n{}",
        readable(raised_at),
        mark
    )
}

/// The note on a duplicate, which is then closed.
#[must_use]
pub fn duplicate_note(kept: Option<u64>, mark: &str) -> String {
    let first = kept.map_or_else(
        || "that needs no ticket any more".to_owned(),
        |ticket| format!("that already has ticket {ticket}"),
    );
    format!(
        "ConnectWise created this ticket late, for an alert {first}. Ticketbridge closes this one.\n{mark}"
    )
}

/// The note on the ticket that stays.
#[must_use]
pub fn kept_note(duplicate: u64, mark: &str) -> String {
    format!(
        "ConnectWise created a second ticket for this alert, {duplicate}. Ticketbridge closes that one, and this one stays.\n{mark}"
    )
}

/// The note with the source's answer to an action that a technician asked for.
#[must_use]
pub fn answer_note(answer: &str, mark: &str) -> String {
    format!("The source answered:\n\n{}\n\n{mark}", plain(answer))
}

fn readable(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::event::Severity;
    use crate::alert::record::NoteKind;
    use crate::ticketing::note_mark::opening;
    use crate::{AlertId, PartnerId, SourceId, TenantId};

    fn payload(text: &str) -> Payload {
        Payload {
            title: text.replace('\n', " "),
            description: text.to_owned(),
            tenant_name: Some(text.replace('\n', " ")),
            device: Some(text.replace('\n', " ")),
            user: None,
            link: Some("https://example.com/a(b)?q=<x>".to_owned()),
        }
    }

    fn described(text: &str) -> String {
        let key = AlertKey {
            partner: PartnerId::parse("acme").unwrap(),
            tenant: TenantId::parse("t").unwrap(),
            source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
            alert_id: AlertId::parse("a").unwrap(),
        };
        let details: AlertDetails = serde_json::from_value(serde_json::json!({
            "kind": "disk", "category": "operations", "severity": Severity::High, "raised_at": "2026-11-22T07:30:00Z",
            "raise_received_at": "2026-11-22T07:30:00Z", "repeats": 0,
        }))
        .unwrap();
        description(&key, &details, &payload(text), None)
    }

    #[test]
    fn a_sources_text_is_neither_markup_nor_a_fact_line() {
        for (text, expected) in [
            (
                "<img src=x onerror=alert(1)>",
                "< img src=x onerror=alert(1)>",
            ),
            ("</td><!-- <?x", "< /td>< !-- < ?x"),
            (
                "![a](https://evil.example/p.png)",
                "![a] (https://evil.example/p.png)",
            ),
            ("[KB](https://evil.example)", "[KB] (https://evil.example)"),
            (
                "[a][b]\n[b]: https://evil.example",
                "[a] [b]\n[b] : https://evil.example",
            ),
            ("<https://evil.example>", "< https://evil.example>"),
            ("```\nunclosed", "` ``\nunclosed"),
            ("~~~~ unclosed", "~ ~ ~~ unclosed"),
            ("[tb 01J]", "[ tb 01J]"),
            // What is no markup stays as it is.
            (
                "if a < b && b > c: x[1] = `y`",
                "if a < b && b > c: x[1] = `y`",
            ),
            (
                "https://example.com/kb?id=1_2*3",
                "https://example.com/kb?id=1_2*3",
            ),
            ("C:\\Temp\\*.tmp 5 <5", "C:\\Temp\\*.tmp 5 <5"),
        ] {
            assert_eq!(plain(text), expected);
            assert_eq!(plain(&plain(text)), expected, "twice is once");
            assert!(described(text).ends_with(&format!("\n\n{expected}")));
            assert!(!summary(&payload(text)).contains("]("));
        }
        assert_eq!(
            described("all well\nSeverity: low"),
            "Tenant: all well Severity: low (t)\nDevice: all well Severity: low\nSeverity: high\n\
             Raised: 2026-11-22 07:30:00 UTC\nDetails: https://example.com/a%28b%29?q=%3Cx%3E\n\n\
             all well\nSeverity: low"
        );
    }

    #[test]
    fn each_note_begins_with_its_opening_and_ends_with_its_mark() {
        let details: AlertDetails = serde_json::from_value(serde_json::json!({
            "kind": "disk", "category": "operations", "severity": "high",
            "raised_at": "2026-11-22T07:30:00Z", "raise_received_at": "2026-11-22T07:30:00Z", "repeats": 0,
        }))
        .unwrap();
        let mark = "the mark";
        let desired = Desired::default();
        for (kind, text) in [
            (
                NoteKind::Repeats,
                repeat_note(2, &details, Some(&payload("a")), None, mark),
            ),
            (
                NoteKind::Repeats,
                storm_note(Some(&payload("- high: a")), mark),
            ),
            (
                NoteKind::Resolved,
                resolved_note(false, None, &desired, mark),
            ),
            (NoteKind::Closing, resolved_note(true, None, &desired, mark)),
            (NoteKind::Reopened, reopened_note(details.raised_at, mark)),
            (NoteKind::Duplicate, duplicate_note(Some(7), mark)),
            (NoteKind::Kept, kept_note(7, mark)),
        ] {
            assert!(text.starts_with(opening(kind)), "{kind:?}: {text}");
            assert!(text.ends_with(mark), "{kind:?}: {text}");
        }
    }

    #[test]
    fn a_note_on_a_repeat_ends_with_its_own_mark() {
        let mark = "[tb repeats 01j]";
        let details: AlertDetails = serde_json::from_value(serde_json::json!({
            "kind": "disk", "category": "operations", "severity": Severity::High, "raised_at": "2026-11-22T07:30:00Z",
            "raise_received_at": "2026-11-22T07:30:00Z", "repeats": 0,
        }))
        .unwrap();
        let note = repeat_note(2, &details, Some(&payload("a\n```\n[tb 01i]")), None, mark);
        assert_eq!(
            note,
            "The alert was repeated 2 times since the last note. Severity: high.\n\na ``` [ tb 01i]\nTenant: a ``` [ tb 01i]\na\n` ``\n[ tb 01i]\n\n[tb repeats 01j]"
                .replace("a ``` ", "a ` `` ")
        );
    }
}
