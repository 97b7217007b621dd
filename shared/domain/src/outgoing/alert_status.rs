//! What became of an alert, as its source reads it. The words are those of the outgoing events.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::alert::record::{Actual, Record};
use crate::outgoing::block_reason::BlockReason;
use crate::outgoing::cloud_event::{TicketClosedBy, TicketData};
use crate::outgoing::events::ReportedTicket;
use crate::{AlertId, Kind, PartnerId, TenantId};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AlertStatus {
    /// Ticketbridge's key of the alert.
    pub alert_key: String,
    pub partner: PartnerId,
    pub tenant: TenantId,
    /// The source's id of the alert.
    pub alert_id: AlertId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Whether the source raised it and has not resolved it.
    pub active: bool,
    pub state: AlertStatusState,
    /// Its newest ticket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<TicketData>,
    /// How the ticket ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<TicketClosedBy>,
    /// Why the alert is blocked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<BlockReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked_since: Option<Timestamp>,
    /// The alert's page, for a person who is signed in at its partner.
    pub page: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertStatusState {
    /// Its ticket is about to be created, or ConnectWise is asked for it.
    InProgress,
    /// For now it gets no ticket and no note. `reason` says why.
    Blocked,
    /// Its ticket is open.
    Open,
    /// Its ticket ended. `closed_by` says how.
    Closed,
    /// It was resolved before a ticket was created.
    Resolved,
}

impl AlertStatus {
    /// `link` is the address of a ticket in ConnectWise, if the partner's connection still reaches
    /// it.
    #[must_use]
    pub fn new(
        record: &Record,
        link: impl FnOnce(ReportedTicket) -> Option<String>,
        page: String,
    ) -> Self {
        let (ticket, closed_by) = match &record.actual {
            Some(Actual::Open(open)) => (Some((open.ticket_id, open.epoch)), None),
            Some(Actual::Closed(closed)) => {
                (Some((closed.ticket_id, closed.epoch)), Some(closed.by))
            }
            None => (None, None),
        };
        let ticket = ticket.map(|(number, epoch)| TicketData {
            number,
            link: link(ReportedTicket { number, epoch }),
        });
        let (key, details) = (&record.key, record.desired.details.as_ref());
        let blocked = record.blocked.as_ref();
        Self {
            alert_key: key.item_key(),
            partner: key.partner.clone(),
            tenant: key.tenant.clone(),
            alert_id: key.alert_id.clone(),
            kind: details.map(|details| details.kind.clone()),
            active: record.desired.active,
            state: state(record),
            ticket,
            closed_by: closed_by.map(TicketClosedBy::from),
            reason: blocked.map(|blocked| BlockReason::of(&blocked.reason)),
            blocked_since: blocked.map(|blocked| blocked.since),
            page,
        }
    }
}

fn state(record: &Record) -> AlertStatusState {
    match (&record.blocked, &record.actual) {
        (Some(_), _) => AlertStatusState::Blocked,
        (None, Some(Actual::Open(_))) => AlertStatusState::Open,
        (None, _) if record.claim.is_some() => AlertStatusState::InProgress,
        (None, Some(Actual::Closed(_))) => AlertStatusState::Closed,
        (None, None) if record.desired.active => AlertStatusState::InProgress,
        (None, None) => AlertStatusState::Resolved,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Blocked;
    use crate::alert::fold::fold;
    use crate::alert::key::TicketRef;
    use crate::alert::op::Op;
    use crate::alert::record::{BlockedSince, ClosedBy, ClosedTicket, OpenTicket};
    use crate::fixtures::{at, key, new_claim, raised, resolved};

    fn record() -> Record {
        fold(Record::new(key()), &raised(1))
    }

    fn claimed(record: Record) -> Record {
        record.with_claim(new_claim(Op::Create, TicketRef::new(&key(), 1), at(2)))
    }

    fn open() -> Actual {
        let claim = new_claim(Op::Create, TicketRef::new(&key(), 1), at(2));
        Actual::Open(OpenTicket::new(77, Some(2), &claim, at(3)))
    }

    fn closed(by: ClosedBy) -> Actual {
        Actual::Closed(ClosedTicket {
            ticket_id: 77,
            occurrence: 1,
            epoch: 1,
            at: at(9),
            ended_at: at(9),
            by,
            company_id: None,
            ticket_ref: None,
            action: None,
        })
    }

    fn blocked(record: Record) -> Record {
        let reason = Blocked::MissingRight("service_tickets.add".to_owned());
        Record {
            blocked: Some(BlockedSince {
                reason,
                since: at(4),
                refusal: None,
            }),
            ..record
        }
    }

    fn status(record: &Record) -> AlertStatus {
        let link = |ticket: ReportedTicket| Some(format!("/{}/{}", ticket.epoch, ticket.number));
        AlertStatus::new(record, link, "/page".to_owned())
    }

    #[test]
    fn each_state_of_a_record_is_one_word() {
        let with = |actual| Record {
            actual: Some(actual),
            ..record()
        };
        for (record, state) in [
            (record(), AlertStatusState::InProgress),
            (claimed(record()), AlertStatusState::InProgress),
            (blocked(record()), AlertStatusState::Blocked),
            (blocked(with(open())), AlertStatusState::Blocked),
            (with(open()), AlertStatusState::Open),
            (claimed(with(open())), AlertStatusState::Open),
            (with(closed(ClosedBy::Us)), AlertStatusState::Closed),
            // The ticket of the next occurrence is being created.
            (
                claimed(with(closed(ClosedBy::Us))),
                AlertStatusState::InProgress,
            ),
            (fold(record(), &resolved(2)), AlertStatusState::Resolved),
        ] {
            assert_eq!(status(&record).state, state, "{record:?}");
        }
    }

    #[test]
    fn a_status_says_the_same_as_the_outgoing_events() {
        let ended = Record {
            actual: Some(closed(ClosedBy::Technician)),
            ..record()
        };
        insta::assert_snapshot!(format!("{:#}", serde_json::json!(status(&ended))));
        // Neither the missing right nor ConnectWise's words are for the source.
        let json = serde_json::to_string(&status(&blocked(record()))).unwrap();
        assert!(json.contains("\"reason\":\"missing_right\""), "{json}");
        assert!(!json.contains("service_tickets"), "{json}");
    }
}
