//! The weekly report.

use std::collections::BTreeMap;

use aws::mail::Mail;
use domain::SourceId;
use domain::monitoring::figures::Counts;
use domain::monitoring::health::Health;
use domain::monitoring::issue::{IncidentScope, summarize};
use domain::monitoring::waiting::{WaitingNames, WaitingPoint, WaitingSummary};
use domain::time::duration;
use jiff::Timestamp;

use super::context::MailContext;
use super::draft::{Draft, Page, Point, SEE_LINK};
use super::words::{at, name, source_name, tenant_name};

/// The sources that are named. The others are on the page.
const MAX_SOURCES: usize = 5;

/// What the report says about one partner.
pub(crate) struct WeekFacts<'a> {
    /// The last seven days, today included.
    pub(crate) week: Counts,
    pub(crate) waiting: &'a WaitingSummary,
    pub(crate) health: &'a Health,
    pub(crate) mapped_tenants: usize,
    pub(crate) unmapped_tenants: usize,
    /// When each source sent its last message.
    pub(crate) last_messages: BTreeMap<SourceId, Option<Timestamp>>,
    /// Tickets that a person has to let Ticketbridge close.
    pub(crate) held_closings: u64,
    pub(crate) now: Timestamp,
}

pub(crate) fn weekly(context: MailContext<'_>, facts: &WeekFacts<'_>) -> Mail {
    let partner = name(context.partner_name);
    let tenant = |tenant: &_| tenant_name(tenant, &context);
    let source = |source: &_| source_name(source, &context);
    let names = WaitingNames {
        tenant: &tenant,
        source: &source,
    };
    let points = WaitingPoint::of_items(&facts.waiting.items, names).into_iter();
    let points: Vec<_> = points
        .map(|point| Point {
            what: point.text(),
            to_do: point.to_do,
            page: Some(point.page.into()),
        })
        .collect();
    let waits = match (points.is_empty(), facts.waiting.is_complete) {
        (true, true) => Some("Nothing waits for a person."),
        (false, true) => None,
        (_, false) => Some("More alerts wait for a person than this mail counts."),
    };
    let incidents = IncidentScope::ALL.into_iter().filter_map(|scope| {
        let incident = facts.health.scope(scope).filter(|of| of.good == 0)?;
        let words = summarize(&incident.issues, tenant, source);
        Some(format!(
            "Problem now: {words}, since {}.",
            at(incident.since)
        ))
    });
    let waits = waits.map(str::to_owned).into_iter();
    let paragraphs = waits.chain(incidents).collect();
    let tickets = match facts.week.created {
        1 => "1 ticket".to_owned(),
        created => format!("{created} tickets"),
    };
    let draft = Draft {
        subject: format!("Ticketbridge: your week, {tickets} created ({partner})"),
        opening: format!("The last 7 days of {partner}, until {}:", at(facts.now)),
        facts: [figures(facts), last_messages(&context, facts)].concat(),
        points,
        more: None,
        paragraphs,
        link: SEE_LINK,
        page: Page::Overview,
        closing: "You get this report each Monday.",
    };
    draft.mail(context)
}

/// The figures, in the words of the page.
fn figures(facts: &WeekFacts<'_>) -> Vec<String> {
    let week = &facts.week;
    let mut figures = vec![
        format!("Alerts raised: {}", week.raised),
        format!("Tickets created: {}", week.created),
        format!("Tickets reopened: {}", week.reopened),
        format!("Notes on open tickets: {}", week.noted),
        format!("Closed by Ticketbridge: {}", week.closed),
        format!("Closed by a person: {}", week.closed_by_person),
        format!("Delayed by an outage: {}", week.late),
    ];
    if let Some(delay) = week.delay {
        figures.push(format!(
            "From alert to ticket: {} (median), 95 of 100 within {}",
            duration(delay.median),
            duration(delay.p95)
        ));
    }
    figures.push(format!(
        "Tenants: {} mapped, {} not mapped",
        facts.mapped_tenants, facts.unmapped_tenants
    ));
    let blocked: u64 = facts.waiting.blocked.values().map(|of| of.count).sum();
    if blocked > 0 {
        figures.push(format!("Active alerts without a ticket now: {blocked}"));
    }
    if facts.held_closings > 0 {
        figures.push(format!(
            "Tickets that are closed only after a person approves it: {}",
            facts.held_closings
        ));
    }
    if let Some(accepted_at) = facts.health.taken_at {
        figures.push(format!(
            "ConnectWise last accepted the keys: {}",
            at(accepted_at)
        ));
    }
    figures
}

/// When each source sent its last message, those that have been quiet for the longest time first.
fn last_messages(context: &MailContext<'_>, facts: &WeekFacts<'_>) -> Vec<String> {
    let mut sources: Vec<_> = facts.last_messages.iter().collect();
    sources.sort_by_key(|(_, last)| **last);
    let more = sources.len().saturating_sub(MAX_SOURCES);
    let line = |(source, last): (&SourceId, &Option<Timestamp>)| {
        let last = last.map_or_else(|| "none yet".to_owned(), at);
        format!("Last message of {}: {last}", source_name(source, context))
    };
    let more = (more > 0).then(|| format!("Later messages came from {more} more sources"));
    let named = sources.into_iter().take(MAX_SOURCES).map(line);
    named.chain(more).collect()
}
