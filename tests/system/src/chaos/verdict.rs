//! Compares the alerts table and ConnectWise's tickets with what must be true at the end. Pure.

use std::collections::BTreeMap;
use std::fmt;

use domain::alert::record::{Actual, Record};
use domain::monitoring::figures::{Counts, FiguresSum};
use domain::{AlertKey, Blocked, PartnerId};
use jiff::Timestamp;
use local_stack::inspector::ReferencedTicket;

use super::page_check::{ActivityRow, Observation, PageMismatch, page_mismatch};

/// The API member of the integration, in the simulator's seed.
const INTEGRATION: &str = "Ticketbridge";

/// An alert of the round, and its expected end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChaosAlert {
    pub(crate) key: AlertKey,
    /// The number of its partner. Each partner has its own site.
    pub(crate) partner: usize,
    pub(crate) expected: Expected,
}

/// The expected end of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Active: it has one open ticket.
    Open,
    /// Resolved: its ticket is closed, or it has none.
    Resolved,
    /// Active, but ConnectWise refuses its text: it is blocked for a reason of its own.
    Refused,
    /// Active, but a technician closed or merged its ticket: it has no second ticket, and the
    /// integration did not close the first.
    ByTechnician,
}

/// What was found at the end.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    /// By item key.
    pub(crate) records: BTreeMap<String, Record>,
    /// All tickets with a reference, open or closed.
    pub(crate) tickets: Vec<ReferencedTicket>,
    /// What is known of each alert without its record, by its item key.
    pub(crate) observed: BTreeMap<String, Observation>,
    /// What each partner's page shows.
    pub(crate) pages: BTreeMap<PartnerId, PageContent>,
    pub(crate) dead_letters: usize,
}

/// What a partner's page shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageContent {
    /// When the figures were counted.
    pub(crate) counted_at: Timestamp,
    /// The figures of the last 90 days.
    pub(crate) figures: Counts,
    /// All alerts.
    pub(crate) activity: Vec<ActivityRow>,
}

/// A violation of an alert's expected end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Violation {
    NoRecord,
    Blocked(String),
    /// Work remains.
    Unfinished,
    /// It is active and has no ticket.
    NoTicket,
    Duplicates(Vec<u64>),
    OpenThoughResolved(u64),
    ClosedThoughActive(u64),
    /// A technician closed its ticket, and the integration changed that.
    NotByTechnician(u64),
    TicketThoughRefused(u64),
    /// Its ticket has another company than its record.
    OtherCompany(u64),
    /// Its partner's page shows or counts something else.
    Page(PageMismatch),
    /// The record names another ticket than the one that exists.
    OtherTicket {
        recorded: Option<u64>,
        found: Option<u64>,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRecord => f.write_str("it has no record"),
            Self::Blocked(reason) => write!(f, "it is blocked: {reason}"),
            Self::Unfinished => f.write_str("work remains"),
            Self::NoTicket => f.write_str("it is active and has no ticket"),
            Self::Duplicates(ids) => write!(f, "it has {} tickets: {ids:?}", ids.len()),
            Self::OpenThoughResolved(id) => write!(f, "it is resolved and its ticket {id} is open"),
            Self::ClosedThoughActive(id) => write!(f, "it is active and its ticket {id} is closed"),
            Self::NotByTechnician(id) => {
                write!(
                    f,
                    "a technician closed its ticket {id}, and it is not closed by one now"
                )
            }
            Self::TicketThoughRefused(id) => {
                write!(f, "its text is refused, but it has ticket {id}")
            }
            Self::Page(mismatch) => mismatch.fmt(f),
            Self::OtherCompany(id) => write!(f, "its ticket {id} is for another company"),
            Self::OtherTicket { recorded, found } => {
                write!(
                    f,
                    "its record names ticket {recorded:?}, but it has {found:?}"
                )
            }
        }
    }
}

/// All violations.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ChaosVerdict {
    pub(crate) alerts: Vec<(AlertKey, Violation)>,
    /// Tickets whose reference belongs to no alert of the round.
    pub(crate) foreign_tickets: Vec<ReferencedTicket>,
    /// Partners whose page shows other figures than the records have.
    pub(crate) wrong_pages: Vec<PartnerId>,
    pub(crate) dead_letters: usize,
}

/// What a record lacks to be at the alert's expected end.
pub(crate) fn unfinished(alert: &ChaosAlert, record: Option<&Record>) -> Option<Violation> {
    let Some(record) = record else {
        return Some(Violation::NoRecord);
    };
    match (&record.blocked, alert.expected) {
        (Some(blocked), Expected::Refused) if !concerns_connection(&blocked.reason) => {
            return None;
        }
        (Some(blocked), _) => return Some(Violation::Blocked(blocked.reason.to_string())),
        (None, Expected::Refused) => return Some(Violation::Unfinished),
        (None, Expected::Open | Expected::Resolved | Expected::ByTechnician) => {}
    }
    if record.claim.is_some() || !record.duplicates.is_empty() {
        return Some(Violation::Unfinished);
    }
    match (&record.actual, alert.expected) {
        (_, Expected::ByTechnician | Expected::Refused)
        | (Some(Actual::Open(_)), Expected::Open)
        | (Some(Actual::Closed(_)) | None, Expected::Resolved) => None,
        (Some(Actual::Open(_)), Expected::Resolved)
        | (Some(Actual::Closed(_)) | None, Expected::Open) => Some(Violation::Unfinished),
    }
}

/// Whether a reason says that the whole connection does not work, as the refusal of one text must
/// not do.
fn concerns_connection(reason: &Blocked) -> bool {
    matches!(
        reason,
        Blocked::ConnectionBroken
            | Blocked::ConnectionUnavailable
            | Blocked::Throttled
            | Blocked::MissingRight(_)
    )
}

/// Checks every alert and every ticket.
pub(crate) fn verdict(alerts: &[ChaosAlert], evidence: &Evidence) -> ChaosVerdict {
    let mut tickets: BTreeMap<&str, Vec<&ReferencedTicket>> = BTreeMap::new();
    for ticket in &evidence.tickets {
        tickets.entry(ticket.item_key()).or_default().push(ticket);
    }
    let mut verdict = ChaosVerdict {
        dead_letters: evidence.dead_letters,
        ..ChaosVerdict::default()
    };
    for alert in alerts {
        let item = alert.key.item_key();
        let its = tickets.remove(item.as_str()).unwrap_or_default();
        // A rule of the site reopens a ticket after a note, also if a technician closed it meanwhile.
        let observed = evidence.observed.get(&item);
        let is_noted_late = observed.is_some_and(|observed| observed.late_notes > 0);
        let record = evidence.records.get(&item);
        let violation = violation(alert, record, &its, is_noted_late)
            .or_else(|| page_violation(alert, record?, its.first().copied(), evidence));
        verdict
            .alerts
            .extend(violation.map(|violation| (alert.key.clone(), violation)));
    }
    verdict.wrong_pages = wrong_pages(evidence);
    verdict.foreign_tickets = tickets.into_values().flatten().cloned().collect();
    verdict
}

fn violation(
    alert: &ChaosAlert,
    record: Option<&Record>,
    tickets: &[&ReferencedTicket],
    is_noted_late: bool,
) -> Option<Violation> {
    // Duplicates are the worst violation, so they are reported before any other.
    let ticket = match tickets {
        [] => None,
        [one] => Some(one),
        several => {
            return Some(Violation::Duplicates(
                several.iter().map(|ticket| ticket.id).collect(),
            ));
        }
    };
    match (alert.expected, ticket) {
        (Expected::Open | Expected::ByTechnician, None) => {
            return unfinished(alert, record).or(Some(Violation::NoTicket));
        }
        (Expected::Open, Some(ticket)) if ticket.closed => {
            return Some(Violation::ClosedThoughActive(ticket.id));
        }
        (Expected::Resolved, Some(ticket)) if !ticket.closed => {
            return Some(Violation::OpenThoughResolved(ticket.id));
        }
        (Expected::ByTechnician, Some(ticket)) => {
            let is_as_left = match ticket.closed_by.as_deref() {
                Some(by) => by != INTEGRATION,
                None => is_noted_late,
            };
            return unfinished(alert, record)
                .or_else(|| (!is_as_left).then_some(Violation::NotByTechnician(ticket.id)));
        }
        (Expected::Refused, Some(ticket)) => {
            return Some(Violation::TicketThoughRefused(ticket.id));
        }
        (Expected::Refused, None) => return unfinished(alert, record),
        (Expected::Open, Some(_)) | (Expected::Resolved, _) => {}
    }
    if let Some(violation) = unfinished(alert, record) {
        return Some(violation);
    }
    let recorded = record.and_then(|record| match record.actual.as_ref()? {
        Actual::Open(open) => Some((open.ticket_id, Some(open.company_id))),
        Actual::Closed(closed) => Some((closed.ticket_id, closed.company_id)),
    });
    let (recorded, company) = recorded.unzip();
    let found = ticket.map(|ticket| ticket.id);
    if recorded != found {
        return Some(Violation::OtherTicket { recorded, found });
    }
    let other_company = ticket.filter(|ticket| company.flatten() != Some(ticket.company));
    other_company.map(|ticket| Violation::OtherCompany(ticket.id))
}

/// What the page of the alert's partner shows or counts and that is not so.
fn page_violation(
    alert: &ChaosAlert,
    record: &Record,
    ticket: Option<&ReferencedTicket>,
    evidence: &Evidence,
) -> Option<Violation> {
    let item = alert.key.item_key();
    let is_reopened = ticket.is_some_and(|ticket| !ticket.closed);
    if alert.expected == Expected::ByTechnician && is_reopened {
        // A rule of the site reopened it, after Ticketbridge had left it to the technician.
        return None;
    }
    let observed = evidence.observed.get(&item).cloned().unwrap_or_default();
    let page = evidence.pages.get(&alert.key.partner);
    let rows = page.into_iter().flat_map(|page| &page.activity);
    let rows: Vec<_> = rows.filter(|row| row.item == item).collect();
    page_mismatch(alert, record, ticket, &observed, &rows).map(Violation::Page)
}

/// The partners whose page does not show the sum of their records' figures.
fn wrong_pages(evidence: &Evidence) -> Vec<PartnerId> {
    let mut sums: BTreeMap<&PartnerId, FiguresSum> = BTreeMap::new();
    for record in evidence.records.values() {
        let sum = sums.entry(&record.key.partner).or_default();
        sum.add(&record.figures);
    }
    let counted = |partner: &PartnerId, now| {
        let sum = sums.get(partner).cloned().unwrap_or_default();
        sum.finish(now).quarter
    };
    let pages = evidence.pages.iter();
    pages
        .filter(|(partner, page)| counted(partner, page.counted_at) != page.figures)
        .map(|(partner, _)| partner.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use domain::alert::event::Severity;
    use domain::alert::figures::DayCounts;
    use domain::alert::record::{ClosedBy, OpenTicket};
    use domain::alert::state::AlertState;
    use domain::{AlertId, SourceId, TenantId, TicketRef};
    use jiff::tz::TimeZone;

    use super::super::page_check::{ObservedDelay, TicketCounts};
    use super::*;

    fn alert(id: &str, expected: Expected) -> ChaosAlert {
        let key = AlertKey {
            partner: PartnerId::parse("northwind").unwrap(),
            tenant: TenantId::parse("acme-dental").unwrap(),
            source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
            alert_id: AlertId::parse(id).unwrap(),
        };
        ChaosAlert {
            key,
            partner: 0,
            expected,
        }
    }

    fn ticket(alert: &ChaosAlert, id: u64, closed: bool) -> ReferencedTicket {
        ReferencedTicket {
            id,
            ticket_ref: TicketRef::new(&alert.key, 1).to_string(),
            company: 1,
            closed,
            closed_by: closed.then(|| INTEGRATION.to_owned()),
        }
    }

    fn opened(alert: &ChaosAlert, ticket_id: u64) -> Record {
        let open = OpenTicket {
            ticket_id,
            board_id: None,
            company_id: 1,
            epoch: 1,
            opened_at: Timestamp::UNIX_EPOCH,
            severity: Severity::High,
            kind: None,
            last_note_at: None,
            noted_repeats: 0,
            noted_resolved: false,
            owes_reopened_note: false,
            title_note_at: None,
            ticket_ref: None,
            made: None,
            manual_change: None,
            action: None,
            link_at: None,
        };
        let mut record = Record::new(alert.key.clone()).with_open(open);
        counts_of(&mut record).created = 1;
        record
    }

    /// The counts of the first day.
    fn counts_of(record: &mut Record) -> &mut DayCounts {
        let day = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC).date();
        record.figures.days.entry(day).or_default()
    }

    /// What the page shows of these records, and these rows.
    fn page(records: &BTreeMap<String, Record>, activity: Vec<ActivityRow>) -> PageContent {
        let mut sum = FiguresSum::default();
        records.values().for_each(|record| sum.add(&record.figures));
        PageContent {
            counted_at: Timestamp::UNIX_EPOCH,
            figures: sum.finish(Timestamp::UNIX_EPOCH).quarter,
            activity,
        }
    }

    fn row(alert: &ChaosAlert, state: AlertState, ticket: Option<u64>) -> ActivityRow {
        let item = alert.key.item_key();
        ActivityRow {
            item,
            state,
            ticket,
        }
    }

    fn blocked(alert: &ChaosAlert, reason: Blocked) -> Record {
        Record::new(alert.key.clone()).with_blocked(reason, None, Timestamp::UNIX_EPOCH)
    }

    /// A good end: one alert is active, one was closed, one was resolved before it had a ticket,
    /// the text of one is refused, and a technician closed the ticket of one.
    fn good() -> (Vec<ChaosAlert>, Evidence) {
        let alerts = vec![
            alert("active", Expected::Open),
            alert("closed", Expected::Resolved),
            alert("never", Expected::Resolved),
            alert("refused", Expected::Refused),
            alert("taken", Expected::ByTechnician),
        ];
        let closed = |alert, ticket, by| {
            let record = opened(alert, ticket);
            let mut closed = record.with_closed(ticket, 1, by, Timestamp::UNIX_EPOCH);
            counts_of(&mut closed).closed = 1;
            closed
        };
        let mut records = [
            opened(&alerts[0], 11),
            closed(&alerts[1], 12, ClosedBy::Us),
            Record::new(alerts[2].key.clone()),
            blocked(&alerts[3], Blocked::Rejected("page".to_owned())),
            closed(&alerts[4], 15, ClosedBy::Technician),
        ];
        for raised in [0, 1, 3, 4] {
            counts_of(&mut records[raised]).raised = 1;
        }
        let mut taken = ticket(&alerts[4], 15, true);
        taken.closed_by = Some("TSmith".to_owned());
        let records = records.map(|record| (record.key.item_key(), record)).into();
        let rows = vec![
            row(&alerts[0], AlertState::Open, Some(11)),
            row(&alerts[1], AlertState::Closed, Some(12)),
            row(&alerts[3], AlertState::Failed, None),
            row(&alerts[4], AlertState::Closed, Some(15)),
        ];
        let evidence = Evidence {
            observed: BTreeMap::new(),
            pages: [(alerts[0].key.partner.clone(), page(&records, rows))].into(),
            records,
            tickets: vec![
                ticket(&alerts[0], 11, false),
                ticket(&alerts[1], 12, true),
                taken,
            ],
            dead_letters: 0,
        };
        (alerts, evidence)
    }

    /// The violations after a change.
    fn found(change: impl Fn(&[ChaosAlert], &mut Evidence)) -> Vec<(String, Violation)> {
        let (alerts, mut evidence) = good();
        change(&alerts, &mut evidence);
        let verdict = verdict(&alerts, &evidence);
        assert_ne!(verdict, ChaosVerdict::default());
        let named = |(key, violation): (AlertKey, Violation)| (key.alert_id.to_string(), violation);
        verdict.alerts.into_iter().map(named).collect()
    }

    fn one(id: &str, violation: Violation) -> Vec<(String, Violation)> {
        vec![(id.to_owned(), violation)]
    }

    #[test]
    fn a_good_end_has_no_violation() {
        let (alerts, evidence) = good();
        assert_eq!(verdict(&alerts, &evidence), ChaosVerdict::default());
    }

    #[test]
    fn a_duplicate_is_found_with_any_reference() {
        let violations =
            found(|alerts, evidence| evidence.tickets.push(ticket(&alerts[0], 13, true)));
        assert_eq!(
            violations,
            one("active", Violation::Duplicates(vec![11, 13]))
        );
        let violations = found(|alerts, evidence| {
            let ticket_ref = TicketRef::new(&alerts[1].key, 2).to_string();
            evidence.tickets.push(ReferencedTicket {
                id: 13,
                ticket_ref,
                company: 1,
                closed: true,
                closed_by: None,
            });
        });
        assert_eq!(
            violations,
            one("closed", Violation::Duplicates(vec![12, 13]))
        );
    }

    #[test]
    fn a_lost_ticket_or_record_is_found() {
        let violations = found(|_, evidence| drop(evidence.tickets.remove(0)));
        assert_eq!(violations, one("active", Violation::NoTicket));
        let violations = found(|alerts, evidence| {
            evidence.tickets.remove(0);
            evidence.records.remove(&alerts[0].key.item_key());
        });
        assert_eq!(violations, one("active", Violation::NoRecord));
        let violations =
            found(|alerts, evidence| drop(evidence.records.remove(&alerts[2].key.item_key())));
        assert_eq!(violations, one("never", Violation::NoRecord));
    }

    #[test]
    fn a_ticket_in_the_wrong_state_is_found() {
        let violations = found(|_, evidence| evidence.tickets[1].closed = false);
        assert_eq!(violations, one("closed", Violation::OpenThoughResolved(12)));
        let violations = found(|_, evidence| evidence.tickets[0].closed = true);
        assert_eq!(violations, one("active", Violation::ClosedThoughActive(11)));
        let violations =
            found(|alerts, evidence| evidence.tickets.push(ticket(&alerts[2], 13, false)));
        assert_eq!(violations, one("never", Violation::OpenThoughResolved(13)));
    }

    #[test]
    fn figures_that_miss_a_ticket_or_its_end_are_found() {
        let counts = |created, closed| TicketCounts { created, closed };
        for (change, counted) in [
            (
                (|of: &mut DayCounts| of.created = 0) as fn(&mut DayCounts),
                counts(0, 1),
            ),
            (|of| of.created = 2, counts(2, 1)),
            (|of| of.closed = 0, counts(1, 0)),
            (|of| of.closed_by_person = 1, counts(1, 2)),
            (|of| of.reopened = 1, counts(1, 0)),
            (|of| of.reopened = 2, counts(1, u32::MAX)),
        ] {
            for (number, id) in [(1, "closed"), (4, "taken")] {
                let violations = found(|alerts, evidence| {
                    let record = evidence.records.get_mut(&alerts[number].key.item_key());
                    change(counts_of(record.unwrap()));
                });
                let found = counts(1, 1);
                let mismatch = PageMismatch::Tickets { counted, found };
                assert_eq!(violations, one(id, Violation::Page(mismatch)));
            }
        }
    }

    #[test]
    fn other_raises_than_one_are_found() {
        for times in [0, 2] {
            let violations = found(|alerts, evidence| {
                let record = evidence.records.get_mut(&alerts[3].key.item_key());
                counts_of(record.unwrap()).raised = times;
            });
            let mismatch = PageMismatch::Raised(times);
            assert_eq!(violations, one("refused", Violation::Page(mismatch)));
        }
        let violations = found(|alerts, evidence| {
            let record = evidence.records.get_mut(&alerts[2].key.item_key());
            counts_of(record.unwrap()).raised = 2;
        });
        let mismatch = PageMismatch::Raised(2);
        assert_eq!(violations, one("never", Violation::Page(mismatch)));
    }

    /// The violations with these counts and this observation of the active alert.
    fn observed(
        observation: Observation,
        change: fn(&mut DayCounts),
    ) -> Vec<(AlertKey, Violation)> {
        let (alerts, mut evidence) = good();
        let item = alerts[0].key.item_key();
        let record = evidence.records.get_mut(&item).unwrap();
        change(counts_of(record));
        evidence.observed.insert(item, observation);
        verdict(&alerts, &evidence).alerts
    }

    #[test]
    fn notes_that_are_not_counted_once_are_found() {
        let written = |notes, late_notes| Observation {
            notes,
            late_notes,
            ..Observation::default()
        };
        assert_eq!(observed(written(2, 0), |of| of.noted = 2), []);
        assert_eq!(observed(written(2, 1), |of| of.noted = 1), []);
        assert_eq!(observed(written(2, 1), |of| of.noted = 2), []);
        for (notes, late_notes, change, counted) in [
            (2, 0, (|of| of.noted = 1) as fn(&mut DayCounts), 1),
            (2, 0, |of| of.noted = 3, 3),
            (2, 1, |of| of.noted = 0, 0),
            (0, 0, |of| of.noted = 1, 1),
        ] {
            let violations = observed(written(notes, late_notes), change);
            let mismatch = PageMismatch::Notes {
                counted,
                written: notes,
            };
            assert_eq!(violations[0].1, Violation::Page(mismatch));
        }
    }

    #[test]
    fn a_note_without_an_answer_is_missed_only_on_a_technicians_ticket() {
        for (number, is_missed) in [(0, true), (4, false)] {
            let (alerts, mut evidence) = good();
            let observation = Observation {
                notes: 1,
                lost_notes: 1,
                ..Observation::default()
            };
            let item = alerts[number].key.item_key();
            evidence.observed.insert(item, observation);
            let verdict = verdict(&alerts, &evidence);
            assert_eq!(verdict.alerts.len(), usize::from(is_missed));
        }
    }

    #[test]
    fn a_delay_that_the_ticket_did_not_take_is_found() {
        let took = |least, most| Observation {
            delay: Some(ObservedDelay { least, most }),
            ..Observation::default()
        };
        // Of a healthy ConnectWise each active alert has its delay.
        assert_eq!(observed(took(8, Some(9)), |of| of.delays = vec![10]), []);
        for change in [
            (|of| of.delays = vec![]) as fn(&mut DayCounts),
            |of| of.delays = vec![2],
            |of| of.delays = vec![15],
            |of| of.delays = vec![8, 8],
        ] {
            let violations = observed(took(8, Some(9)), change);
            assert!(
                matches!(
                    violations[0].1,
                    Violation::Page(PageMismatch::Delays { .. })
                ),
                "{violations:?}"
            );
        }
        // With faults the ticket may be found later, or it waited for a person.
        assert_eq!(observed(took(8, None), |of| of.delays = vec![300]), []);
        assert_eq!(observed(took(8, None), |of| of.delays = vec![]), []);
        let violations = observed(took(8, None), |of| of.delays = vec![2]);
        assert!(matches!(
            violations[0].1,
            Violation::Page(PageMismatch::Delays { .. })
        ));
    }

    #[test]
    fn a_ticket_that_is_late_without_an_outage_is_found() {
        let healthy = || Observation {
            delay: Some(ObservedDelay {
                least: 1,
                most: Some(1),
            }),
            ..Observation::default()
        };
        let violations = observed(healthy(), |of| (of.late, of.delays) = (1, vec![1]));
        let late = Violation::Page(PageMismatch::Late(1));
        assert_eq!(violations[0].1, late);
        let violations = observed(Observation::default(), |of| of.late = 2);
        assert_eq!(violations[0].1, Violation::Page(PageMismatch::Late(2)));
    }

    #[test]
    fn a_row_of_activity_that_is_not_so_is_found() {
        type Change = fn(&mut Vec<ActivityRow>);
        for (change, id) in [
            ((|rows| drop(rows.remove(0))) as Change, "active"),
            (|rows| rows.push(rows[0].clone()), "active"),
            (|rows| rows[0].ticket = Some(12), "active"),
            (|rows| rows[0].state = AlertState::Closed, "active"),
            (|rows| rows[1].state = AlertState::Open, "closed"),
            (|rows| rows[2].state = AlertState::Waiting, "refused"),
            (|rows| rows[3].state = AlertState::Open, "taken"),
        ] {
            let violations = found(|alerts, evidence| {
                let page = evidence.pages.get_mut(&alerts[0].key.partner).unwrap();
                change(&mut page.activity);
            });
            assert_eq!(violations[0].0, id, "{violations:?}");
            assert!(
                matches!(
                    violations[0].1,
                    Violation::Page(PageMismatch::Activity { .. })
                ),
                "{violations:?}"
            );
        }
    }

    #[test]
    fn a_page_that_shows_other_figures_is_found() {
        let (alerts, mut evidence) = good();
        for page in evidence.pages.values_mut() {
            page.figures.created += 1;
        }
        let wrong = verdict(&alerts, &evidence).wrong_pages;
        assert_eq!(wrong, [alerts[0].key.partner.clone()]);
    }

    #[test]
    fn a_ticket_without_a_record_is_found() {
        let violations =
            found(|alerts, evidence| evidence.tickets.push(ticket(&alerts[2], 13, true)));
        let other = Violation::OtherTicket {
            recorded: None,
            found: Some(13),
        };
        assert_eq!(violations, one("never", other));
        let (alerts, mut evidence) = good();
        evidence
            .tickets
            .push(ticket(&alert("unknown", Expected::Open), 13, false));
        assert_eq!(verdict(&alerts, &evidence).foreign_tickets.len(), 1);
    }

    #[test]
    fn a_ticket_for_another_company_is_found() {
        let violations = found(|_, evidence| evidence.tickets[1].company = 2);
        assert_eq!(violations, one("closed", Violation::OtherCompany(12)));
    }

    #[test]
    fn blocked_alerts_and_dead_letters_are_found() {
        let violations = found(|alerts, evidence| {
            evidence.tickets.remove(0);
            let blocked = blocked(&alerts[0], Blocked::ConnectionBroken);
            evidence.records.insert(alerts[0].key.item_key(), blocked);
        });
        assert_eq!(
            violations,
            one(
                "active",
                Violation::Blocked(Blocked::ConnectionBroken.to_string())
            )
        );
        assert_eq!(found(|_, evidence| evidence.dead_letters = 1), []);
    }

    #[test]
    fn a_refused_text_blocks_the_alert_not_the_connection() {
        for reason in [
            Blocked::ConnectionBroken,
            Blocked::ConnectionUnavailable,
            Blocked::Throttled,
            Blocked::MissingRight("service_tickets.add".to_owned()),
        ] {
            let violations = found(|alerts, evidence| {
                let blocked = blocked(&alerts[3], reason.clone());
                evidence.records.insert(alerts[3].key.item_key(), blocked);
            });
            assert_eq!(
                violations,
                one("refused", Violation::Blocked(reason.to_string()))
            );
        }
        let violations = found(|alerts, evidence| {
            let record = Record::new(alerts[3].key.clone());
            evidence.records.insert(alerts[3].key.item_key(), record);
        });
        assert_eq!(violations, one("refused", Violation::Unfinished));
        let violations =
            found(|alerts, evidence| evidence.tickets.push(ticket(&alerts[3], 14, false)));
        assert_eq!(
            violations,
            one("refused", Violation::TicketThoughRefused(14))
        );
    }

    #[test]
    fn a_rule_may_reopen_a_technicians_ticket_after_a_late_note() {
        let (alerts, mut evidence) = good();
        evidence.tickets[2].closed = false;
        evidence.tickets[2].closed_by = None;
        assert_ne!(verdict(&alerts, &evidence), ChaosVerdict::default());
        let late = Observation {
            notes: 1,
            late_notes: 1,
            ..Observation::default()
        };
        evidence.observed.insert(alerts[4].key.item_key(), late);
        assert_eq!(verdict(&alerts, &evidence), ChaosVerdict::default());
        evidence.tickets[2].closed = true;
        evidence.tickets[2].closed_by = Some(INTEGRATION.to_owned());
        assert_ne!(verdict(&alerts, &evidence), ChaosVerdict::default());
    }

    #[test]
    fn a_ticket_closed_by_a_technician_stays_closed() {
        let violations = found(|_, evidence| {
            evidence.tickets[2].closed = false;
            evidence.tickets[2].closed_by = None;
        });
        assert_eq!(violations, one("taken", Violation::NotByTechnician(15)));
        let violations =
            found(|_, evidence| evidence.tickets[2].closed_by = Some(INTEGRATION.to_owned()));
        assert_eq!(violations, one("taken", Violation::NotByTechnician(15)));
        let violations =
            found(|alerts, evidence| evidence.tickets.push(ticket(&alerts[4], 16, false)));
        assert_eq!(
            violations,
            one("taken", Violation::Duplicates(vec![15, 16]))
        );
        let violations = found(|_, evidence| drop(evidence.tickets.remove(2)));
        assert_eq!(violations, one("taken", Violation::NoTicket));
    }
}
