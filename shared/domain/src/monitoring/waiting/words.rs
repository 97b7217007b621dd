//! The sentences about waiting items, for mails and for the page.

use jiff::Timestamp;

use super::{WaitingCause, WaitingItem, WaitingKind};
use crate::alert::event::Severity;
use crate::text::{cut_to_chars, one_line};
use crate::ticketing::refused_writes::{RefusalGroupId, refused_action, refused_effect};
use crate::{SourceId, TenantId};

/// Tenants, reasons or sources that one text names.
const MAX_NAMED: usize = 10;
/// Longer messages of ConnectWise are cut.
const LONGEST_QUOTE: usize = 200;

/// The names of tenants and sources, each as one short line.
#[derive(Clone, Copy)]
pub struct WaitingNames<'a> {
    pub tenant: &'a dyn Fn(&TenantId) -> String,
    pub source: &'a dyn Fn(&SourceId) -> String,
}

/// The page on which a person resolves a waiting item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitingPage {
    Tenants,
    WaitingAlerts,
    UnreadableMessages,
}

/// One point of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingPoint {
    /// The waiting alerts or messages, and what that means for tickets.
    pub what: String,
    /// Follows "What to do: ".
    pub to_do: &'static str,
    pub page: WaitingPage,
}

impl WaitingPoint {
    /// The points of a text about these items, which are sorted the worst first. Tenants that wait
    /// for the same action are one point.
    #[must_use]
    pub fn of_items(items: &[WaitingItem], names: WaitingNames<'_>) -> Vec<Self> {
        let kinds = kinds(items).into_iter();
        let points = kinds.flat_map(|(kind, items)| match kind {
            WaitingKind::Unmapped => vec![unmapped(&items, names)],
            WaitingKind::TooOld => vec![too_old(&items, names)],
            WaitingKind::Rejected | WaitingKind::Unreadable => {
                let points = items.iter().filter_map(|item| match &item.cause {
                    WaitingCause::Rejected(group) => Some(rejected(group, item)),
                    WaitingCause::UnreadableMessages(source) => {
                        Some(unreadable(source, item, names))
                    }
                    WaitingCause::UnmappedTenant(_) | WaitingCause::OlderThanBackfill(_) => None,
                });
                points.take(MAX_NAMED).collect()
            }
        });
        points.collect()
    }

    /// Summarizes the items in a few words.
    #[must_use]
    pub fn headline(items: &[WaitingItem], names: WaitingNames<'_>) -> String {
        let kinds = kinds(items);
        let Some((kind, first)) = kinds.first() else {
            return "nothing waits for you".to_owned();
        };
        let count = first.len() as u64;
        let alerts = first.iter().map(|item| item.count).sum();
        let words = match (kind, &first[0].cause) {
            (WaitingKind::Rejected, WaitingCause::Rejected(group)) => {
                format!("ConnectWise refuses to {}", refused_action(group.op))
            }
            (WaitingKind::Unreadable, WaitingCause::UnreadableMessages(source)) if count == 1 => {
                format!("messages of {} could not be read", (names.source)(source))
            }
            (WaitingKind::Unreadable, _) => {
                format!("messages of {count} sources could not be read")
            }
            (WaitingKind::TooOld, _) => match alerts {
                1 => "1 alert is too old to become a ticket automatically".to_owned(),
                _ => format!("{alerts} alerts are too old to become tickets automatically"),
            },
            (WaitingKind::Unmapped, WaitingCause::UnmappedTenant(tenant)) if count == 1 => {
                format!("{} sent alerts and is not mapped", (names.tenant)(tenant))
            }
            (WaitingKind::Unmapped | WaitingKind::Rejected, _) => {
                format!("{count} tenants sent alerts and are not mapped")
            }
        };
        let words = match urgent(first) {
            Some((severity, count)) => format!("{words} ({count} {severity})"),
            None => words,
        };
        match kinds.len() {
            1 => words,
            2 => format!("{words}, and 1 other problem"),
            kinds => format!("{words}, and {} other problems", kinds - 1),
        }
    }
}

/// How many alerts of these items have the highest severity, if that is high or critical.
fn urgent(items: &[&WaitingItem]) -> Option<(Severity, u64)> {
    let worst = items.iter().filter_map(|item| item.worst);
    let (severity, _) = worst.clone().max()?;
    let of_worst = worst.filter(|(of, _)| *of == severity);
    let count = of_worst.map(|(_, count)| count).sum();
    (severity >= Severity::High).then_some((severity, count))
}

/// The items by kind, in the order of the first item of each.
fn kinds(items: &[WaitingItem]) -> Vec<(WaitingKind, Vec<&WaitingItem>)> {
    let mut kinds: Vec<(WaitingKind, Vec<&WaitingItem>)> = vec![];
    for item in items {
        let kind = item.cause.kind();
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, items)) => items.push(item),
            None => kinds.push((kind, vec![item])),
        }
    }
    kinds
}

fn unmapped(items: &[&WaitingItem], names: WaitingNames<'_>) -> WaitingPoint {
    let named = tenants(items, names);
    let oldest = oldest(items);
    let what = match items.len() {
        1 => format!(
            "1 tenant sent alerts and is not mapped: {named}. {oldest} No tickets are created for these alerts until the tenant is mapped."
        ),
        count => format!(
            "{count} tenants sent alerts and are not mapped: {named}. {oldest} No tickets are created for these alerts until the tenants are mapped."
        ),
    };
    WaitingPoint {
        what,
        to_do: "choose the ConnectWise company of each tenant on the page, under Tenants. If a tenant should get no tickets, map it and switch it off there.",
        page: WaitingPage::Tenants,
    }
}

fn too_old(items: &[&WaitingItem], names: WaitingNames<'_>) -> WaitingPoint {
    let named = tenants(items, names);
    let oldest = oldest(items);
    let (alerts, they) = match items.iter().map(|item| item.count).sum() {
        1_u64 => (
            "1 alert was".to_owned(),
            "It becomes a ticket only if a person releases it.",
        ),
        count => (
            format!("{count} alerts were"),
            "They become tickets only if a person releases them.",
        ),
    };
    WaitingPoint {
        what: format!(
            "{alerts} raised more than 48 hours before tickets could be created: {named}. {oldest} {they}"
        ),
        to_do: "look at them on the page, under Waiting alerts, and release those that still need a ticket. The others leave the list once their source resolves them.",
        page: WaitingPage::WaitingAlerts,
    }
}

fn rejected(group: &RefusalGroupId, item: &WaitingItem) -> WaitingPoint {
    let said = quote(&item.words);
    let said = match said.is_empty() {
        true => "It reports success, but the tickets do not change.".to_owned(),
        false => format!("It says: \"{said}\"."),
    };
    let count = item.count;
    let (one, several) = refused_effect(group.op);
    let effect = match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {several}"),
    };
    WaitingPoint {
        what: format!(
            "ConnectWise refuses to {}. {said} For this reason {effect} ({}). {}",
            refused_action(group.op),
            severity_note(item),
            oldest(&[item]),
        ),
        to_do: "change what ConnectWise reports, for example a field that became required. If the message is not from ConnectWise, a firewall may have refused the text. One of these alerts is tried again at least once an hour, and the others follow once ConnectWise accepts it.",
        page: WaitingPage::WaitingAlerts,
    }
}

fn unreadable(source: &SourceId, item: &WaitingItem, names: WaitingNames<'_>) -> WaitingPoint {
    let (messages, first) = match item.count {
        1 => ("1 message".to_owned(), "received on"),
        count => (format!("{count} messages"), "the first received on"),
    };
    WaitingPoint {
        what: format!(
            "{messages} of {} could not be read, {first} {}. The reason of the newest: {}. There are no tickets for them yet. No alert is lost if they are handled soon: each message is stored for a limited time.",
            (names.source)(source),
            at(item.oldest),
            quote(&item.words),
        ),
        to_do: "look at the messages on the page, under Sources. If they are alerts, correct the mapping of the source, and replay them. If they are not, discard them. If you cannot change the source there, ask the operator of this service.",
        page: WaitingPage::UnreadableMessages,
    }
}

/// The first tenants with their alerts, and how many more there are.
fn tenants(items: &[&WaitingItem], names: WaitingNames<'_>) -> String {
    let named = items.iter().filter_map(|item| match &item.cause {
        WaitingCause::UnmappedTenant(tenant) | WaitingCause::OlderThanBackfill(tenant) => {
            Some(format!("{} ({})", (names.tenant)(tenant), alerts(item)))
        }
        WaitingCause::Rejected(_) | WaitingCause::UnreadableMessages(_) => None,
    });
    let mut named: Vec<_> = named.take(MAX_NAMED).collect();
    match items.len().saturating_sub(MAX_NAMED) {
        0 => {}
        1 => named.push("and 1 more tenant".to_owned()),
        more => named.push(format!("and {more} more tenants")),
    }
    named.join(", ")
}

/// "1 alert, severity: critical", "5 alerts, 1 of them critical".
fn alerts(item: &WaitingItem) -> String {
    let severity = severity_note(item);
    match item.count {
        1 => format!("1 alert, {severity}"),
        count => format!("{count} alerts, {severity}"),
    }
}

/// "severity: critical", "1 of them critical".
fn severity_note(item: &WaitingItem) -> String {
    let severity = item.severity();
    match item.worst {
        Some((_, of_worst)) if of_worst < item.count => format!("{of_worst} of them {severity}"),
        Some(_) | None => format!("severity: {severity}"),
    }
}

fn oldest(items: &[&WaitingItem]) -> String {
    let oldest = items.iter().map(|item| item.oldest).min();
    let several = items.iter().map(|item| item.count).sum::<u64>() > 1;
    let raised = if several { "The oldest was" } else { "It was" };
    oldest.map_or_else(String::new, |oldest| {
        format!("{raised} raised on {}.", at(oldest))
    })
}

fn quote(words: &str) -> String {
    cut_to_chars(&one_line(words), LONGEST_QUOTE)
}

fn at(time: Timestamp) -> String {
    time.strftime("%-d %B %Y at %H:%M UTC").to_string()
}
