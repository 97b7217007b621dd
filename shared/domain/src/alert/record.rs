//! The record of an alert: the desired state, the actual ticket, and the claim of the worker that
//! changes it.
//!
//! Its stored form is permanent: fields may be added with a default, never renamed.

mod actual;
mod claim;
mod desired;
mod listing;
mod recheck;
mod renewal;
mod stored;
mod uncertain;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use crate::alert::blocked::{BlockedSince, CallRefusal};
pub use crate::alert::op::{NoteKind, Op};
pub use crate::alert::ticket_end::{ClosedBy, TicketEnd};
pub use actual::{Actual, ClosedTicket, Duplicate, OpenTicket};
pub use claim::Claim;
pub use desired::{AlertDetails, Desired};
pub use recheck::{Recheck, Rechecks};

use crate::alert::event::{Event, Payload};
use crate::alert::figures::AlertFigures;
use crate::alert::flapping::RecentRaises;
use crate::alert::folded_events::FoldedEvents;
use crate::alert::kind::Category;
use crate::alert::summary::AlertSummary;
use crate::alert::trail::Trail;
use crate::outgoing::events::OutgoingEvents;
use crate::setup::status_action::{ActionAnswer, RequestedAction};
use crate::ticketing::found_ticket::FoundTicket;
use crate::{AlertId, AlertKey, Blocked, RecordId, TicketRef};

/// Everything that is stored about one alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub key: AlertKey,
    /// Incremented by each write, so that of two concurrent read-modify-writes one fails.
    pub rev: u64,
    /// The number of the current occurrence, from 1.
    pub occurrence: u32,
    /// What the source's events ask for.
    pub desired: Desired,
    /// The ticket in ConnectWise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<Actual>,
    /// The worker that may write to ConnectWise for this alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<BlockedSince>,
    /// Writes that were given up and can still take effect.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub rechecks: Rechecks,
    /// Duplicate tickets, which are to be closed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub duplicates: Vec<Duplicate>,
    /// The newest text. It is kept only while the record is blocked or uncertain; otherwise the
    /// message has it. It is not part of `desired`, which the index carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Payload>,
    /// The folded events. They are not part of `desired`, which the index carries.
    #[serde(default, skip_serializing_if = "FoldedEvents::is_empty")]
    pub folded: FoldedEvents,
    /// What the alert is about, from the newest event. `None` if there was no raise, or long ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<AlertSummary>,
    #[serde(default, skip_serializing_if = "Trail::is_empty")]
    pub trail: Trail,
    /// When it was raised lately. It is not part of `desired`, which the index carries.
    #[serde(default, skip_serializing_if = "RecentRaises::is_empty")]
    pub raises: RecentRaises,
    /// What happened on each day. The index by time carries it.
    #[serde(default, skip_serializing_if = "AlertFigures::is_empty")]
    pub figures: AlertFigures,
    /// What the source's webhook is notified of. `None` if the source never had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outgoing: Option<OutgoingEvents>,
}

impl Record {
    /// The record of an alert without events.
    #[must_use]
    pub fn new(key: AlertKey) -> Self {
        Self {
            key,
            rev: 0,
            occurrence: 1,
            desired: Desired::default(),
            actual: None,
            claim: None,
            blocked: None,
            rechecks: Rechecks::default(),
            duplicates: vec![],
            payload: None,
            folded: FoldedEvents::default(),
            summary: None,
            trail: Trail::default(),
            raises: RecentRaises::default(),
            figures: AlertFigures::default(),
            outgoing: None,
        }
    }

    /// The reference of the current occurrence.
    #[must_use]
    pub fn occurrence_ref(&self) -> TicketRef {
        TicketRef::new(&self.key, self.occurrence)
    }

    /// The reference of the open ticket, or of the next one.
    #[must_use]
    pub fn ticket_ref(&self) -> TicketRef {
        let carried = self
            .open()
            .map(|open| open.ticket_ref(&self.key, self.occurrence));
        carried.unwrap_or_else(|| self.occurrence_ref())
    }

    #[must_use]
    pub fn open(&self) -> Option<&OpenTicket> {
        self.actual.as_ref().and_then(Actual::open)
    }

    /// `None` if no raise was received.
    #[must_use]
    pub fn category(&self) -> Option<Category> {
        let details = self.desired.details.as_ref();
        details.map(|details| details.category)
    }

    /// Whether the ticket of the current occurrence was closed. A ticket that is out of reach does
    /// not count: the occurrence continues without it.
    #[must_use]
    pub fn is_occurrence_over(&self) -> bool {
        match &self.actual {
            Some(Actual::Closed(closed)) => {
                closed.occurrence == self.occurrence && closed.by != ClosedBy::OutOfReach
            }
            Some(Actual::Open(_)) | None => false,
        }
    }

    /// The storm that the alert is part of.
    #[must_use]
    pub fn storm(&self) -> Option<&AlertId> {
        let Blocked::Storm(id) = &self.blocked.as_ref()?.reason else {
            return None;
        };
        Some(id)
    }

    /// Blocks the alert. `since` stays if the reason is the same: the index sorts by it, and it limits
    /// how long maintenance holds an alert.
    #[must_use]
    pub fn with_blocked(
        mut self,
        reason: Blocked,
        payload: Option<&Payload>,
        now: Timestamp,
    ) -> Self {
        match &mut self.blocked {
            Some(blocked) if blocked.reason.is_same(&reason) => blocked.reason = reason,
            Some(_) | None => {
                self.blocked = Some(BlockedSince {
                    reason,
                    since: now,
                    refusal: None,
                });
            }
        }
        self.with_payload(payload)
    }

    /// Blocks the alert because ConnectWise just refused a call for it.
    #[must_use]
    pub fn with_refusal(
        mut self,
        reason: Blocked,
        refusal: CallRefusal,
        payload: Option<&Payload>,
        now: Timestamp,
    ) -> Self {
        self.blocked = Some(BlockedSince::refused(reason, refusal, now));
        self.with_payload(payload)
    }

    /// Stores a text, for the time when no message has it.
    #[must_use]
    pub fn with_payload(mut self, payload: Option<&Payload>) -> Self {
        if let Some(payload) = payload {
            self.payload = Some(payload.clone());
        }
        self
    }

    /// Takes a claim, which ends a block.
    #[must_use]
    pub fn with_claim(mut self, claim: Claim) -> Self {
        // A late close of a ticket that stayed closed has settled by now.
        let began_at = claim.began_at;
        let kept: Vec<Recheck> = self.pending_rechecks().cloned().collect();
        self.rechecks
            .retain(|recheck| recheck.at > began_at || kept.contains(recheck));
        self.claim = Some(claim);
        self.blocked = None;
        self
    }

    /// The rechecks that lead to a search. A late close changes something only while its ticket is
    /// open. So its recheck waits until the ticket is reopened.
    pub fn pending_rechecks(&self) -> impl Iterator<Item = &Recheck> {
        let ticket_ref = self.open().map(|_| self.ticket_ref());
        self.rechecks.iter().filter(move |recheck| {
            recheck.op != Op::Close || ticket_ref.as_ref() == Some(&recheck.ticket_ref)
        })
    }

    /// Records an open ticket. This ends any claim, also that of another worker.
    #[must_use]
    pub fn with_open(mut self, open: OpenTicket) -> Self {
        if self.open().map(|known| known.ticket_id) != Some(open.ticket_id) {
            let occurrence_ref = self.occurrence_ref();
            self.rechecks
                .restart(Op::Create, &occurrence_ref, open.opened_at);
        }
        self.actual = Some(Actual::Open(open));
        self.claim = None;
        self.blocked = None;
        self.without_needless_text()
    }

    /// Puts off a note about a changed title, if one is due.
    #[must_use]
    pub fn with_title_note_at(mut self, at: Timestamp) -> Self {
        if let Some(Actual::Open(open)) = &mut self.actual {
            open.title_note_at = open.title_note_at.map(|_| at);
        }
        self
    }

    /// Ends a claimed link, and sets when the open ticket is next linked.
    #[must_use]
    pub(crate) fn with_link_at(mut self, at: Option<Timestamp>) -> Self {
        if let Some(Actual::Open(open)) = &mut self.actual {
            open.link_at = at;
        }
        self.without_claim()
    }

    /// When a note about a changed title is due.
    pub(crate) fn title_note_at(&self) -> Option<Timestamp> {
        let open = self.open().filter(|_| self.desired.active)?;
        open.title_note_at
    }

    /// A text is kept for a note about a changed title, and for the next ticket, which is needed if
    /// the open one proves to have been closed before the alert was raised again, or if a close that
    /// was given up takes effect late.
    fn without_needless_text(mut self) -> Self {
        let is_needed =
            self.is_raised_again() || self.may_close_late() || self.title_note_at().is_some();
        if !is_needed {
            self.payload = None;
        }
        self
    }

    /// Records a ticket that a create made under this claim, even if the worker has lost the claim:
    /// an open ticket is recorded and ends any claim. If this occurrence already has another
    /// ticket, or is over, the new one is a duplicate.
    #[must_use]
    pub fn with_created(self, open: OpenTicket, claim: &Claim) -> Self {
        let known = match &self.actual {
            _ if claim.ticket_ref != self.occurrence_ref() => None,
            Some(Actual::Open(there)) => Some(there.ticket_id),
            Some(Actual::Closed(there)) if self.is_occurrence_over() => Some(there.ticket_id),
            // The ticket of the previous occurrence does not count, nor one that is out of reach.
            Some(Actual::Closed(_)) | None => {
                let noted_repeats = self.repeats_reported_by(claim);
                return self.with_open(OpenTicket {
                    noted_repeats,
                    ..open
                });
            }
        };
        if known == Some(open.ticket_id) {
            return self;
        }
        self.with_duplicate(Duplicate::new(open.ticket_id, claim))
    }

    /// How many repeats since the current raise a claimed ticket or note reports. If the alert was
    /// resolved and raised again since the claim, repeats are counted from the new raise.
    #[must_use]
    pub fn repeats_reported_by(&self, claim: &Claim) -> u32 {
        let details = self.desired.details.as_ref();
        let raise_received_at = details.map(|details| details.raise_received_at);
        match raise_received_at == claim.raise_received_at {
            true => claim.repeats,
            false => 0,
        }
    }

    /// Adds a duplicate, once.
    #[must_use]
    pub fn with_duplicate(mut self, duplicate: Duplicate) -> Self {
        let known = |known: &Duplicate| known.ticket_id == duplicate.ticket_id;
        if !self.duplicates.iter().any(known) {
            self.duplicates.push(duplicate);
        }
        self
    }

    /// Ends a block that waits for a person, or that a retry ends.
    #[must_use]
    pub fn released(mut self) -> Self {
        let released = self.blocked.take_if(|blocked| blocked.can_be_released());
        let reason = released.map(|blocked| blocked.reason);
        if let (Some(Blocked::WontFix(_)), Some(Actual::Closed(closed))) =
            (reason, &mut self.actual)
        {
            closed.action = None;
        }
        self
    }

    /// A person releases the alert, which is a step of its trail if it ends a block.
    #[must_use]
    pub(crate) fn released_by_person(self, now: Timestamp) -> Self {
        let was_blocked = self.blocked.is_some();
        let mut record = self.released();
        if was_blocked && record.blocked.is_none() && record.summary.is_some() {
            record.trail.add_release(now);
        }
        record
    }

    /// Whether a person can ask for a ticket again: the alert is active, and a person ended its
    /// ticket.
    #[must_use]
    pub fn can_open_again(&self) -> bool {
        self.desired.active && self.summary.is_some() && self.is_occurrence_over()
    }

    /// Starts the next occurrence of an active alert whose ticket a person ended, because a person
    /// asks for a ticket again.
    #[must_use]
    pub(crate) fn opened_again(mut self, now: Timestamp) -> Self {
        let (Some(summary), Some(Actual::Closed(closed))) = (&self.summary, &self.actual) else {
            return self;
        };
        // The text of the raise is no longer stored.
        self.payload = Some(Payload {
            title: summary.title.clone(),
            description: format!(
                "The alert is still active, and an administrator asked for a ticket again. Its previous ticket #{} has the details.",
                closed.ticket_id
            ),
            tenant_name: None,
            device: summary.device.clone(),
            user: None,
            link: None,
        });
        self.occurrence += 1;
        self.trail.add_request(now);
        self
    }

    /// The record from the view of the ConnectWise that the connection points at now. A ticket in
    /// another one is out of reach and is not called. An active alert gets a new ticket. A write of
    /// unknown outcome first has its time to settle: the other address may belong to the same
    /// ConnectWise.
    #[must_use]
    pub fn in_epoch(mut self, epoch: u32, settle: SignedDuration, now: Timestamp) -> Self {
        self.duplicates.retain(|duplicate| duplicate.epoch == epoch);
        let is_over = |claim: &&Claim| claim.epoch != epoch && claim.settled_at(settle) <= now;
        if let Some(claim) = self.claim.as_ref().filter(is_over).cloned() {
            self = self.with_write_given_up(&claim, now);
        }
        // A reference is unique everywhere. The same ConnectWise at another address shows a late
        // ticket; another ConnectWise shows none.
        self.rechecks.set_epoch(epoch);
        match &self.actual {
            Some(Actual::Open(open)) if open.epoch != epoch && self.claim.is_none() => {
                let (ticket_id, epoch) = (open.ticket_id, open.epoch);
                let payload = self.payload.clone();
                let record = self.with_closed(ticket_id, epoch, ClosedBy::OutOfReach, now);
                // The new ticket needs the text.
                record.with_payload(payload.as_ref())
            }
            Some(Actual::Open(_) | Actual::Closed(_)) | None => self,
        }
    }

    /// Whether a close of the open ticket was given up and may still take effect. Then the next
    /// ticket needs a text.
    #[must_use]
    pub fn may_close_late(&self) -> bool {
        self.open().is_some() && self.rechecks.contains(Op::Close, &self.ticket_ref())
    }

    /// Records the end of the ticket. If a newer raise is known, the next occurrence starts: after
    /// a close by Ticketbridge with any active alert; after a person's close only with a raise that
    /// came later. A person who closes the ticket of an alert that is still repeated knows about
    /// it. A ticket that is found closed after a close that was given up was closed by
    /// Ticketbridge.
    #[must_use]
    pub fn with_closed(
        mut self,
        ticket_id: RecordId,
        epoch: u32,
        ended: impl Into<TicketEnd>,
        now: Timestamp,
    ) -> Self {
        let mut ended = ended.into();
        if ended.by == ClosedBy::Technician && self.may_close_late() {
            ended.by = ClosedBy::Us;
            // The close has taken effect, so it cannot come late any more.
            let carried = self.ticket_ref();
            self.rechecks
                .retain(|recheck| !recheck.is_for(Op::Close, &carried));
        }
        // A time in the future comes from a wrong clock and is ignored.
        ended.at = ended.at.filter(|at| *at <= now);
        let is_next = match ended.by {
            ClosedBy::Us => self.desired.active,
            ClosedBy::Technician | ClosedBy::Deleted | ClosedBy::Moved => {
                self.is_raised_again()
                    && ended
                        .at
                        .is_none_or(|at| self.raise_received_at() >= Some(at))
            }
            // The same occurrence continues in another ConnectWise.
            ClosedBy::OutOfReach => false,
        };
        let (company_id, ticket_ref) = match (&self.actual, &self.claim) {
            (Some(Actual::Open(open)), _) => (Some(open.company_id), open.ticket_ref.clone()),
            (_, claim) => (claim.as_ref().map(|claim| claim.company_id), None),
        };
        let before = self.open().and_then(|open| open.action.as_ref());
        let action = match ended.by {
            // Only a person asks for something by a status.
            ClosedBy::Us | ClosedBy::Deleted | ClosedBy::OutOfReach => before.cloned(),
            ClosedBy::Technician | ClosedBy::Moved => {
                RequestedAction::seen(before, ended.action, now)
            }
        };
        self.actual = Some(Actual::Closed(ClosedTicket {
            ticket_id,
            occurrence: self.occurrence,
            epoch,
            at: now,
            ended_at: ended.at.unwrap_or(now),
            by: ended.by,
            company_id,
            ticket_ref,
            action,
        }));
        self.claim = None;
        self.blocked = None;
        if is_next {
            // The next ticket needs the text, since its message is no longer in the queue.
            self.occurrence += 1;
        } else {
            self.payload = None;
        }
        self
    }

    /// Whether the alert was raised again since its ticket was created, or since the creation
    /// started. Both times are by Ticketbridge's clock.
    fn is_raised_again(&self) -> bool {
        let made_at = match (&self.actual, &self.claim) {
            (Some(Actual::Open(open)), _) => Some(open.opened_at),
            (Some(Actual::Closed(_)) | None, Some(claim)) if claim.op == Op::Create => {
                Some(claim.began_at)
            }
            (Some(Actual::Closed(_)) | None, _) => None,
        };
        self.desired.active && made_at.is_some_and(|at| self.raise_received_at() > Some(at))
    }

    fn raise_received_at(&self) -> Option<Timestamp> {
        self.desired
            .details
            .as_ref()
            .map(|details| details.raise_received_at)
    }

    /// Records the present board and status of the open ticket. A technician may have moved it.
    #[must_use]
    pub fn with_moves(mut self, seen: &FoundTicket, now: Timestamp) -> Self {
        if let Some(Actual::Open(open)) = &mut self.actual {
            open.board_id = seen.board_id;
            open.action = RequestedAction::seen(open.action.as_ref(), seen.action, now);
        }
        self
    }

    /// Stores the source's answer to the action that the open ticket's status asks for.
    #[must_use]
    pub(crate) fn with_answer(mut self, text: &str) -> Self {
        if let Some(Actual::Open(OpenTicket {
            action: Some(action),
            ..
        })) = &mut self.actual
        {
            let text = text.to_owned();
            action.answer = ActionAnswer::Pending { text };
        }
        self
    }

    /// Ends the claim without a change.
    #[must_use]
    pub fn without_claim(mut self) -> Self {
        self.claim = None;
        self
    }

    /// Ends a block, since nothing is to be done. The text is dropped, unless the next ticket may
    /// be needed soon because a close that was given up can take effect late.
    #[must_use]
    pub fn with_nothing_to_do(mut self, event: Option<&Event>) -> Self {
        self.blocked = None;
        let may_close_late = self.may_close_late() && self.desired.active;
        if may_close_late || self.title_note_at().is_some() {
            self.payload = self.text(event).cloned();
        }
        self.without_needless_text()
    }

    /// The text for a ticket or note: that of the event if it is the newest, else the stored one,
    /// else that of the event.
    #[must_use]
    pub fn text<'a>(&'a self, event: Option<&'a Event>) -> Option<&'a Payload> {
        let last = self.desired.last.as_ref().map(|last| last.digest);
        let newest = event
            .filter(|event| last == Some(event.digest))
            .and_then(Event::payload);
        newest
            .or(self.payload.as_ref())
            .or_else(|| event.and_then(Event::payload))
    }
}

#[cfg(test)]
mod tests;
