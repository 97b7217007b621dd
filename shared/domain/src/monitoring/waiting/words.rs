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
    /// The waiting alerts or messages.
    pub what: String,
    /// To precede `oldest`: "The oldest was raised on".
    pub oldest_words: &'static str,
    pub oldest: Timestamp,
    /// What that means for tickets. It may be empty.
    pub effect: String,
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

    /// The waiting alerts or messages, since when they wait, and what that means for tickets.
    #[must_use]
    pub fn text(&self) -> String {
        let (what, words, effect) = (&self.what, self.oldest_words, &self.effect);
        let text = format!("{what} {words} {}. {effect}", at(self.oldest));
        text.trim_end().to_owned()
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
    let (count, alerts) = (items.len(), count(items));
    let what = match count {
        1 => format!("1 tenant sent alerts and is not mapped: {named}."),
        count => format!("{count} tenants sent alerts and are not mapped: {named}."),
    };
    let effect = match (count, alerts) {
        (1, 1) => "No ticket is created for it until the tenant is mapped.",
        (1, _) => "No tickets are created for these alerts until the tenant is mapped.",
        _ => "No tickets are created for these alerts until the tenants are mapped.",
    };
    let to_do = match count {
        1 => {
            "choose the ConnectWise company of the tenant, under Tenants. If the tenant should get no tickets, map it and switch it off there."
        }
        _ => {
            "choose the ConnectWise company of each tenant, under Tenants. If a tenant should get no tickets, map it and switch it off there."
        }
    };
    WaitingPoint {
        what,
        oldest_words: raised(alerts),
        oldest: oldest(items),
        effect: effect.to_owned(),
        to_do,
        page: WaitingPage::Tenants,
    }
}

fn too_old(items: &[&WaitingItem], names: WaitingNames<'_>) -> WaitingPoint {
    let named = tenants(items, names);
    let count = count(items);
    let (alerts, effect, to_do) = match count {
        1 => (
            "1 alert was".to_owned(),
            "It becomes a ticket only if a person releases it.",
            "look at it under Waiting alerts, and release it if it still needs a ticket. Otherwise it leaves the list once its source resolves it.",
        ),
        count => (
            format!("{count} alerts were"),
            "They become tickets only if a person releases them.",
            "look at them under Waiting alerts, and release those that still need a ticket. The others leave the list once their source resolves them.",
        ),
    };
    WaitingPoint {
        what: format!(
            "{alerts} raised more than 48 hours before tickets could be created: {named}."
        ),
        oldest_words: raised(count),
        oldest: oldest(items),
        effect: effect.to_owned(),
        to_do,
        page: WaitingPage::WaitingAlerts,
    }
}

fn rejected(group: &RefusalGroupId, item: &WaitingItem) -> WaitingPoint {
    let said = quote(&item.words);
    let (one, several) = match group.op {
        Some(_) => refused_effect(group.op),
        None => ("alert waits", "alerts wait"),
    };
    let effect = match item.count {
        1 => format!("1 {one}"),
        count => format!("{count} {several}"),
    };
    let severity = severity_note(item);
    let what = match said.is_empty() {
        true => {
            format!("{effect} ({severity}): ConnectWise reports success, but nothing changes.")
        }
        false => format!(
            "{effect} ({severity}), because ConnectWise refused the request. It says: \"{said}\"."
        ),
    };
    let to_do = match item.count {
        1 => {
            "correct what ConnectWise reports, for example a field that became required. If the message is not from ConnectWise, a firewall may have refused the text. The request is repeated at least once an hour."
        }
        _ => {
            "correct what ConnectWise reports, for example a field that became required. If the message is not from ConnectWise, a firewall may have refused the text. One of these requests is repeated at least once an hour, and the others follow once ConnectWise accepts it."
        }
    };
    WaitingPoint {
        what,
        oldest_words: raised(item.count),
        oldest: item.oldest,
        effect: String::new(),
        to_do,
        page: WaitingPage::WaitingAlerts,
    }
}

fn unreadable(source: &SourceId, item: &WaitingItem, names: WaitingNames<'_>) -> WaitingPoint {
    let (messages, oldest_words, no_tickets) = match item.count {
        1 => (
            "1 message".to_owned(),
            "It was received on",
            "There is no ticket for it yet.",
        ),
        count => (
            format!("{count} messages"),
            "The first was received on",
            "There are no tickets for them yet.",
        ),
    };
    WaitingPoint {
        what: format!(
            "{messages} of {} could not be read.",
            (names.source)(source)
        ),
        oldest_words,
        oldest: item.oldest,
        effect: format!(
            "The reason of the newest: {}. {no_tickets} No alert is lost if this is corrected soon: a message is stored for a limited time.",
            quote(&item.words),
        ),
        to_do: "look at the messages under Sources. If they are alerts, correct the mapping of the source, and replay them. If they are not, discard them. If you cannot change the source there, ask the operator of this service.",
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

fn oldest(items: &[&WaitingItem]) -> Timestamp {
    let oldest = items.iter().map(|item| item.oldest).min();
    oldest.unwrap_or_default()
}

fn count(items: &[&WaitingItem]) -> u64 {
    items.iter().map(|item| item.count).sum()
}

fn raised(alerts: u64) -> &'static str {
    match alerts {
        1 => "It was raised on",
        _ => "The oldest was raised on",
    }
}

fn quote(words: &str) -> String {
    cut_to_chars(&one_line(words), LONGEST_QUOTE)
}

fn at(time: Timestamp) -> String {
    time.strftime("%-d %B %Y at %H:%M UTC").to_string()
}
