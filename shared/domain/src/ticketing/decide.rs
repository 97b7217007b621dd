//! Compares the desired state with the actual ticket and names the next step.

mod call_check;
mod open_ticket;
#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};

use crate::alert::blocked::{BlockedSince, MaintenanceHold};
use crate::alert::record::{
    Actual, AlertDetails, Claim, ClosedBy, ClosedTicket, Duplicate, Op, Recheck, Record,
};
use crate::alert::storm::Admission;
use crate::connection::view::{ConnectionView, LiveConnection};
use crate::setup::assignment::decide_assignee;
use crate::setup::rights;
use crate::setup::settings::{BoardTarget, Settings};
use crate::setup::status_action::RequestedAction;
use crate::ticketing::decide::call_check::{check_call, may_note};
use crate::ticketing::decide::open_ticket::{resolve_ticket, unreported_repeats, update_ticket};
use crate::ticketing::decision::{Decision, Idle};
use crate::ticketing::ticket_index::TicketIndexState;
use crate::ticketing::ticket_write::{NoteContent, TicketCreation, TicketReopening, TicketWrite};
use crate::time::later;
use crate::{Blocked, RecordId};

/// When the outcome of a write is looked up: in seconds since it became unknown, then at the
/// settling time, then every 30 seconds.
const VISITS: [i64; 3] = [15, 60, 240];

const LATE_VISITS: SignedDuration = SignedDuration::from_secs(30);

/// Names the next step for an alert. Every input gives a decision.
///
/// `settle` is how long ConnectWise may take to show a ticket whose creation it did not confirm.
///
/// ```
/// use domain::alert::kind::Category;
/// use domain::alert::record::Record;
/// use domain::alert::{fold::fold, test_alert};
/// use domain::connection::breaker::Breaker;
/// use domain::connection::view::ConnectionView;
/// use domain::maintenance::windows::MaintenanceWindows;
/// use domain::ticketing::decide::decide;
/// use domain::ticketing::decision::Decision;
/// use domain::{AlertId, Blocked, Kind, PartnerId, TenantId};
/// use jiff::{SignedDuration, Timestamp};
///
/// // An alert is raised before its partner has connected ConnectWise.
/// let now = Timestamp::UNIX_EPOCH;
/// let partner = PartnerId::parse("northwind")?;
/// let tenant = TenantId::parse("acme-dental")?;
/// let key = test_alert::key(partner, tenant, AlertId::for_test(now));
/// let kind = Kind::parse("disk")?;
/// let raised = test_alert::raised(key.clone(), kind, Category::Operations, None, now);
/// let record = fold(Record::new(key), &raised);
///
/// let view = ConnectionView {
///     connection: None,
///     mapping: None,
///     breaker: Breaker::default(),
///     ticket_index: None,
///     source_since: None,
///     maintenance: MaintenanceWindows::default(),
///     admission: None,
/// };
/// let settle = SignedDuration::from_mins(10);
/// let decision = decide(&record, &view, settle, now);
/// assert_eq!(decision, Decision::Block(Blocked::NotSetUp));
/// # Ok::<(), domain::InvalidId>(())
/// ```
#[must_use]
pub fn decide(
    record: &Record,
    view: &ConnectionView,
    settle: SignedDuration,
    now: Timestamp,
) -> Decision {
    let check = |decision: &Decision| check_call(needed_rights(decision), view, now);
    let mut decision = next_step(record, view, settle, now);
    // If a recheck's search cannot be made now, it is made later; meanwhile the alert continues.
    if matches!(decision, Decision::Recheck(_)) && check(&decision).is_err() {
        decision = by_desired_or_search(record, view, now);
    }
    if let Some(blocked) = &record.blocked
        && is_refused(blocked, &decision)
    {
        // Only reconcile, which does so now and then, or a person may retry.
        return Decision::Block(blocked.reason.clone());
    }
    check(&decision).map_or_else(|instead| instead, |()| decision)
}

/// Whether ConnectWise refused this call before.
fn is_refused(blocked: &BlockedSince, decision: &Decision) -> bool {
    match decision {
        Decision::Nothing(_)
        | Decision::Wait { .. }
        | Decision::Block(_)
        | Decision::AdmitNewAlert => false,
        Decision::Search
        | Decision::Verify(_)
        | Decision::Recheck(_)
        | Decision::FindPriorTickets
        | Decision::DetectExistingTickets => blocked.refuses_look(),
        Decision::Write(step) => blocked.refuses(step.op()),
    }
}

/// Whether a ticket may be looked at now, in addition to the decision.
#[must_use]
pub fn can_look_up(view: &ConnectionView, now: Timestamp) -> bool {
    check_call(&[rights::TICKETS_INQUIRE], view, now).is_ok()
}

/// The rights that a decision's calls need. Empty if it calls nothing.
fn needed_rights(decision: &Decision) -> &'static [&'static str] {
    match decision {
        Decision::Nothing(_)
        | Decision::Wait { .. }
        | Decision::Block(_)
        | Decision::AdmitNewAlert => &[],
        Decision::Search
        | Decision::Verify(_)
        | Decision::Recheck(_)
        | Decision::FindPriorTickets
        | Decision::DetectExistingTickets => &[rights::TICKETS_INQUIRE],
        Decision::Write(step) => match step.op() {
            Op::Create | Op::Note(_) => &[rights::TICKETS_ADD],
            Op::Patch | Op::SetType | Op::Link | Op::Reopen => &[rights::TICKETS_EDIT],
            Op::Close | Op::Repair => &[rights::TICKETS_CLOSE],
        },
    }
}

fn next_step(
    record: &Record,
    view: &ConnectionView,
    settle: SignedDuration,
    now: Timestamp,
) -> Decision {
    let Some(claim) = &record.claim else {
        return without_claim(record, view, now);
    };
    let until = next_lookup(claim, settle);
    if now < until {
        return Decision::Wait { until };
    }
    match (&view.connection, claim.ticket_id) {
        (None, _) => Decision::Block(Blocked::NotSetUp),
        // As far as is known, it is in another ConnectWise. `Record::in_epoch` ends the claim when
        // it has settled.
        (Some(connection), _) if connection.epoch != claim.epoch => Decision::Wait {
            until: claim.settled_at(settle),
        },
        (Some(_), None) => Decision::Search,
        (Some(_), Some(ticket_id)) => Decision::Verify(ticket_id),
    }
}

/// First duplicates and rechecks, then the desired state.
fn without_claim(record: &Record, view: &ConnectionView, now: Timestamp) -> Decision {
    let Some(connection) = &view.connection else {
        return by_desired_or_search(record, view, now);
    };
    let here = |duplicate: &&Duplicate| duplicate.epoch == connection.epoch;
    if let Some(duplicate) = record.duplicates.iter().find(here) {
        return Decision::Write(repair_duplicate(record, duplicate, view));
    }
    let due = |recheck: &&Recheck| recheck.epoch == connection.epoch && recheck.at <= now;
    match record.pending_rechecks().find(due) {
        Some(recheck) => Decision::Recheck(recheck.clone()),
        None => by_desired_or_search(record, view, now),
    }
}

/// The next write for a duplicate: a note on it, a note on the ticket that stays, then its close.
fn repair_duplicate(record: &Record, duplicate: &Duplicate, view: &ConnectionView) -> TicketWrite {
    let ticket_id = duplicate.ticket_id;
    if !duplicate.noted && may_note(view) {
        let kept = match &record.actual {
            Some(Actual::Open(open)) => Some(open.ticket_id),
            Some(Actual::Closed(closed)) => Some(closed.ticket_id),
            None => None,
        };
        let duplicate = duplicate.clone();
        return TicketWrite::Note {
            ticket_id,
            note: NoteContent::Duplicate { duplicate, kept },
        };
    }
    match record.open() {
        Some(open)
            if !duplicate.noted_on_kept && open.epoch == duplicate.epoch && may_note(view) =>
        {
            TicketWrite::Note {
                ticket_id: open.ticket_id,
                note: NoteContent::Kept {
                    duplicate: ticket_id,
                },
            }
        }
        Some(_) | None => TicketWrite::Repair(duplicate.clone()),
    }
}

/// The decision by the desired state, unless the table may have lost the alert: then its tickets
/// are searched for first.
fn by_desired_or_search(record: &Record, view: &ConnectionView, now: Timestamp) -> Decision {
    let decision = by_desired(record, view, now);
    // A resolve was received, and there may be a ticket that the table has lost.
    let has_event = record.desired.last.is_some() && view.connection.is_some();
    let cleared = matches!(
        decision,
        Decision::Nothing(Idle::Cleared | Idle::OutOfReach)
    );
    let cleared = has_event && cleared;
    let makes = matches!(
        decision,
        Decision::Write(TicketWrite::Create(_) | TicketWrite::Reopen(_)) | Decision::AdmitNewAlert
    );
    match view.ticket_index {
        _ if !makes && !cleared => decision,
        Some(TicketIndexState::Complete) => decision,
        Some(TicketIndexState::Rebuilding) => Decision::FindPriorTickets,
        None => Decision::DetectExistingTickets,
    }
}

/// When the outcome of a claim is looked up next: its owner may be at work until then, or
/// ConnectWise needs the time to settle.
fn next_lookup(claim: &Claim, settle: SignedDuration) -> Timestamp {
    if claim.uncertain_at.is_none() && claim.visits == 0 {
        return claim.until;
    }
    let since = claim.uncertain_since();
    let settled = later(since, settle);
    let early = usize::try_from(claim.visits)
        .ok()
        .and_then(|visits| VISITS.get(visits));
    let next = early.map_or(settled, |&seconds| {
        settled.min(later(since, SignedDuration::from_secs(seconds)))
    });
    // If a message comes late, several searches are due. Made at the same moment, they would all
    // miss the same ticket.
    claim
        .visited_at
        .map_or(next, |at| next.max(later(at, LATE_VISITS)))
}

fn by_desired(record: &Record, view: &ConnectionView, now: Timestamp) -> Decision {
    let details = record
        .desired
        .details
        .as_ref()
        .filter(|_| record.desired.active);
    match (&record.actual, details) {
        (None, None) => Decision::Nothing(Idle::Cleared),
        (None, Some(details)) => create_ticket(record, details, None, view, now),
        (Some(Actual::Open(open)), Some(details)) => {
            update_ticket(record, open, details, view, now)
        }
        (Some(Actual::Open(_)), None) if record.desired.last.is_none() || record.desired.active => {
            Decision::Nothing(Idle::NoEventYet)
        }
        (Some(Actual::Open(open)), None) => resolve_ticket(record, open, view, now),
        (Some(Actual::Closed(closed)), None) if closed.by == ClosedBy::OutOfReach => {
            Decision::Nothing(Idle::OutOfReach)
        }
        (Some(Actual::Closed(_)), None) => Decision::Nothing(Idle::Closed),
        (Some(Actual::Closed(_)), Some(_)) if record.is_occurrence_over() => {
            Decision::Nothing(Idle::EndedByPerson)
        }
        (Some(Actual::Closed(closed)), Some(details)) => {
            create_ticket(record, details, Some(closed), view, now)
        }
    }
}

pub(crate) fn create_ticket(
    record: &Record,
    details: &AlertDetails,
    before: Option<&ClosedTicket>,
    view: &ConnectionView,
    now: Timestamp,
) -> Decision {
    let blocked = record.blocked.as_ref().map(|blocked| &blocked.reason);
    let (connection, company) = match view.target(&details.kind) {
        Ok(target) => target,
        Err(reason) => return Decision::Block(reason),
    };
    if view.is_older_than_backfill(blocked, &details.kind, details.raised_at, now) {
        return Decision::Block(Blocked::OlderThanBackfill);
    }
    let action = before.and_then(|before| before.action.as_ref());
    let no_ticket_until = action.and_then(RequestedAction::no_ticket_until);
    if let Some(until) = no_ticket_until.filter(|until| now < *until) {
        return Decision::Block(Blocked::WontFix(until));
    }
    if let Some(hold) = maintenance_hold(record, details, view, now) {
        return Decision::Block(Blocked::Maintenance(hold));
    }
    let target = connection.settings.board(details.category);
    let mapping = view.mapping.as_ref();
    let assignment = mapping
        .map(|mapping| mapping.assignment)
        .unwrap_or_default();
    let before = before.filter(|before| before.epoch == connection.epoch);
    if let Some(before) = before.filter(|before| may_reopen(before, company, target, now)) {
        return Decision::Write(TicketWrite::Reopen(TicketReopening {
            ticket_id: before.ticket_id,
            ticket_ref: before.ticket_ref(&record.key),
            company,
            epoch: connection.epoch,
        }));
    }
    match &view.admission {
        Some(Admission::OwnTicket) => {}
        Some(Admission::Storm(id)) => return Decision::Block(Blocked::Storm(id.clone())),
        None if needs_admission(record, connection) => return Decision::AdmitNewAlert,
        None => {}
    }
    Decision::Write(TicketWrite::Create(Box::new(TicketCreation {
        company,
        board: target.board,
        status: target.start_status,
        ticket_type: target.ticket_type(&details.kind),
        source: connection.settings.source,
        assignee: decide_assignee(
            target.board,
            &target.assignment,
            (details.category, &details.kind),
            &assignment,
        ),
        custom_fields: target.custom_fields.clone(),
        priority: connection
            .settings
            .priorities
            .get(&details.severity)
            .copied(),
        severity: details.severity,
        raised_at: details.raised_at,
        previous: before.map(|before| before.ticket_id),
        links: connection.settings.links,
    })))
}

/// Whether the alert may share the ticket of a storm. Ticketbridge's own alerts have tickets of
/// their own.
fn needs_admission(record: &Record, connection: &LiveConnection) -> bool {
    let is_counted = connection.settings.storm.is_some() && !record.key.source.is_reserved();
    record.storm().is_some() || is_counted
}

/// The maintenance that holds the alert now. It concerns only alerts without an open ticket.
fn maintenance_hold(
    record: &Record,
    details: &AlertDetails,
    view: &ConnectionView,
    now: Timestamp,
) -> Option<MaintenanceHold> {
    let device = record
        .summary
        .as_ref()
        .and_then(|summary| summary.device.clone());
    let since = match &record.blocked {
        Some(blocked) if matches!(blocked.reason, Blocked::Maintenance(_)) => blocked.since,
        Some(_) | None => now,
    };
    let windows = &view.maintenance;
    let until = windows.hold(&details.kind, device.as_deref(), since, now)?;
    Some(MaintenanceHold { until, device })
}

/// Whether the ticket of the previous occurrence is reopened instead of creating a new one.
fn may_reopen(
    before: &ClosedTicket,
    company: RecordId,
    target: &BoardTarget,
    now: Timestamp,
) -> bool {
    let days = SignedDuration::from_hours(24 * i64::from(target.reopen_days));
    let closed = matches!(before.by, ClosedBy::Us | ClosedBy::Technician);
    closed && before.company_id == Some(company) && now.duration_since(before.at) < days
}

/// Until when a raise after a resolve reopens the ticket that ended. Afterwards, or if the tenant has
/// another company by then, it gets a new one. `None` if it always does.
#[must_use]
pub fn reopens_until(record: &Record, settings: &Settings) -> Option<Timestamp> {
    let details = record.desired.details.as_ref()?;
    let Some(Actual::Closed(closed)) = &record.actual else {
        return None;
    };
    let days = i64::from(settings.board(details.category).reopen_days);
    let is_closed = matches!(closed.by, ClosedBy::Us | ClosedBy::Technician);
    let reopens = is_closed && closed.company_id.is_some() && days > 0;
    reopens.then(|| later(closed.at, SignedDuration::from_hours(24 * days)))
}

/// When the repeats that the ticket does not show yet become a note, if they wait for that.
#[must_use]
pub fn next_note_at(record: &Record, settings: &Settings, now: Timestamp) -> Option<Timestamp> {
    let (open, details) = (record.open()?, record.desired.details.as_ref()?);
    match unreported_repeats(record, open, details, settings, now) {
        Err(Idle::NotedRecently { until }) => Some(until),
        Err(_) | Ok(_) => None,
    }
}
