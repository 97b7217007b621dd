//! What must be true in the end, of the table and of ConnectWise together. Pure.

use std::collections::BTreeMap;
use std::fmt;

use domain::record::{Actual, Record};
use domain::{AlertKey, Blocked};

use crate::sight::Ticket;

/// The member in whose name we call, in the simulator's seed.
const INTEGRATION: &str = "Ticketbridge";

/// An alert of the run and what must have become of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alert {
    /// The alert.
    pub(crate) key: AlertKey,
    /// The number of its partner, whose tickets are at a site of their own.
    pub(crate) partner: usize,
    /// How it must end.
    pub(crate) expected: Expected,
}

/// How an alert must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// It is active: it has one open ticket.
    Open,
    /// It is resolved: its ticket is closed, or there is none.
    Resolved,
    /// It is active, but ConnectWise refuses its text: it waits for a person, for a reason of its own.
    Refused,
    /// It is active, but a technician closed or merged its ticket: it has no other one, and we did not close it.
    ByTechnician,
}

/// What is there in the end.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    /// The records, by the key of their items.
    pub(crate) records: BTreeMap<String, Record>,
    /// All tickets that carry a token of ours, open or closed.
    pub(crate) tickets: Vec<Ticket>,
    /// Messages in the dead-letter queue.
    pub(crate) dead_letters: usize,
}

/// What is wrong with an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// The table does not know it.
    Unknown,
    /// It waits in the table, for this reason.
    Blocked(String),
    /// Something is still to be done, or found out.
    Unfinished,
    /// It stands and has no ticket.
    NoTicket,
    /// It has several tickets, these.
    Several(Vec<u64>),
    /// It is gone and its ticket is open.
    OpenThoughGone(u64),
    /// It stands and its ticket is closed.
    ClosedThoughThere(u64),
    /// A technician closed its ticket, and now we have done something to it.
    NotByTechnician(u64),
    /// ConnectWise refuses its text, and yet it has this ticket.
    TicketThoughRefused(u64),
    /// Its ticket is for another company than the table says.
    OtherCompany(u64),
    /// The table says another ticket than there is.
    OtherTicket {
        /// What the table says.
        recorded: Option<u64>,
        /// What there is.
        found: Option<u64>,
    },
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("the table does not know it"),
            Self::Blocked(reason) => write!(f, "it is blocked: {reason}"),
            Self::Unfinished => f.write_str("something is still to be done"),
            Self::NoTicket => f.write_str("it stands and has no ticket"),
            Self::Several(ids) => write!(f, "it has {} tickets: {ids:?}", ids.len()),
            Self::OpenThoughGone(id) => write!(f, "it is gone and its ticket {id} is open"),
            Self::ClosedThoughThere(id) => write!(f, "it stands and its ticket {id} is closed"),
            Self::NotByTechnician(id) => {
                write!(
                    f,
                    "a technician closed its ticket {id}, which is not so any more"
                )
            }
            Self::TicketThoughRefused(id) => {
                write!(f, "its text is refused and it has the ticket {id}")
            }
            Self::OtherCompany(id) => write!(f, "its ticket {id} is for another company"),
            Self::OtherTicket { recorded, found } => {
                write!(
                    f,
                    "the table says ticket {recorded:?}, and there is {found:?}"
                )
            }
        }
    }
}

/// All that is wrong.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Alerts and what is wrong with each.
    pub(crate) alerts: Vec<(AlertKey, Wrong)>,
    /// Tickets with a token that no alert of the run has.
    pub(crate) strangers: Vec<Ticket>,
    /// Messages that were given up.
    pub(crate) dead_letters: usize,
}

/// What the table says of an alert: nothing more is to be done about it, or what is missing.
pub(crate) fn unaccounted(alert: &Alert, record: Option<&Record>) -> Option<Wrong> {
    let Some(record) = record else {
        return Some(Wrong::Unknown);
    };
    match (&record.blocked, alert.expected) {
        (Some(blocked), Expected::Refused) if !is_about_the_connection(&blocked.reason) => {
            return None;
        }
        (Some(blocked), _) => return Some(Wrong::Blocked(blocked.reason.to_string())),
        (None, Expected::Refused) => return Some(Wrong::Unfinished),
        (None, Expected::Open | Expected::Resolved | Expected::ByTechnician) => {}
    }
    if record.claim.is_some() || !record.duplicates.is_empty() {
        return Some(Wrong::Unfinished);
    }
    match (&record.actual, alert.expected) {
        (_, Expected::ByTechnician | Expected::Refused)
        | (Some(Actual::Open(_)), Expected::Open)
        | (Some(Actual::Closed(_)) | None, Expected::Resolved) => None,
        (Some(Actual::Open(_)), Expected::Resolved)
        | (Some(Actual::Closed(_)) | None, Expected::Open) => Some(Wrong::Unfinished),
    }
}

/// Whether a reason says that the whole connection does not work. The refusal of one text must not.
fn is_about_the_connection(reason: &Blocked) -> bool {
    matches!(
        reason,
        Blocked::ConnectionBroken
            | Blocked::ConnectionUnavailable
            | Blocked::Throttled
            | Blocked::MissingRight(_)
    )
}

/// Looks at every alert and every ticket.
pub(crate) fn verdict(alerts: &[Alert], evidence: &Evidence) -> Verdict {
    let mut tickets: BTreeMap<&str, Vec<&Ticket>> = BTreeMap::new();
    for ticket in &evidence.tickets {
        tickets.entry(ticket.item_key()).or_default().push(ticket);
    }
    let mut verdict = Verdict {
        dead_letters: evidence.dead_letters,
        ..Verdict::default()
    };
    for alert in alerts {
        let item = alert.key.item_key();
        let its = tickets.remove(item.as_str()).unwrap_or_default();
        let wrong = wrong(alert, evidence.records.get(&item), &its);
        verdict
            .alerts
            .extend(wrong.map(|wrong| (alert.key.clone(), wrong)));
    }
    verdict.strangers = tickets.into_values().flatten().cloned().collect();
    verdict
}

fn wrong(alert: &Alert, record: Option<&Record>, tickets: &[&Ticket]) -> Option<Wrong> {
    // Two tickets are the worst that there is: they are told before what else may be wrong.
    let ticket = match tickets {
        [] => None,
        [one] => Some(one),
        several => {
            return Some(Wrong::Several(
                several.iter().map(|ticket| ticket.id).collect(),
            ));
        }
    };
    match (alert.expected, ticket) {
        (Expected::Open | Expected::ByTechnician, None) => {
            return unaccounted(alert, record).or(Some(Wrong::NoTicket));
        }
        (Expected::Open, Some(ticket)) if ticket.closed => {
            return Some(Wrong::ClosedThoughThere(ticket.id));
        }
        (Expected::Resolved, Some(ticket)) if !ticket.closed => {
            return Some(Wrong::OpenThoughGone(ticket.id));
        }
        (Expected::ByTechnician, Some(ticket)) => {
            let is_closed_by_technician = ticket
                .closed_by
                .as_deref()
                .is_some_and(|by| by != INTEGRATION);
            return unaccounted(alert, record).or_else(|| {
                (!is_closed_by_technician).then_some(Wrong::NotByTechnician(ticket.id))
            });
        }
        (Expected::Refused, Some(ticket)) => return Some(Wrong::TicketThoughRefused(ticket.id)),
        (Expected::Refused, None) => return unaccounted(alert, record),
        (Expected::Open, Some(_)) | (Expected::Resolved, _) => {}
    }
    if let Some(wrong) = unaccounted(alert, record) {
        return Some(wrong);
    }
    let recorded = record.and_then(|record| match record.actual.as_ref()? {
        Actual::Open(open) => Some((open.ticket_id, Some(open.company_id))),
        Actual::Closed(closed) => Some((closed.ticket_id, closed.company_id)),
    });
    let (recorded, company) = recorded.unzip();
    let found = ticket.map(|ticket| ticket.id);
    if recorded != found {
        return Some(Wrong::OtherTicket { recorded, found });
    }
    let ticket = ticket.filter(|ticket| company.flatten() != Some(ticket.company));
    ticket.map(|ticket| Wrong::OtherCompany(ticket.id))
}

#[cfg(test)]
mod tests {
    use domain::event::Severity;
    use domain::record::{ClosedBy, OpenTicket};
    use domain::{AlertId, PartnerId, SourceId, TenantId, TicketRef};
    use jiff::Timestamp;

    use super::*;

    fn alert(id: &str, expected: Expected) -> Alert {
        let key = AlertKey {
            partner: PartnerId::parse("northwind").unwrap(),
            tenant: TenantId::parse("acme-dental").unwrap(),
            source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
            alert_id: AlertId::parse(id).unwrap(),
        };
        Alert {
            key,
            partner: 0,
            expected,
        }
    }

    fn ticket(alert: &Alert, id: u64, closed: bool) -> Ticket {
        Ticket {
            id,
            ticket_ref: TicketRef::new(&alert.key, 1).to_string(),
            company: 1,
            closed,
            closed_by: closed.then(|| INTEGRATION.to_owned()),
        }
    }

    fn opened(alert: &Alert, ticket_id: u64) -> Record {
        let open = OpenTicket {
            ticket_id,
            board_id: None,
            company_id: 1,
            epoch: 1,
            opened_at: Timestamp::UNIX_EPOCH,
            severity: Severity::High,
            last_note_at: None,
            noted_repeats: 0,
            noted_resolved: false,
            owes_reopened_note: false,
            ticket_ref: None,
        };
        Record::new(alert.key.clone()).with_open(open)
    }

    fn blocked(alert: &Alert, reason: Blocked) -> Record {
        Record::new(alert.key.clone()).with_blocked(reason, None, Timestamp::UNIX_EPOCH)
    }

    /// A run that ended well: one alert is active, one was closed, one was gone before it had a ticket, one is refused for its text,
    /// and the ticket of one was closed by a technician.
    fn good() -> (Vec<Alert>, Evidence) {
        let alerts = vec![
            alert("stands", Expected::Open),
            alert("closed", Expected::Resolved),
            alert("never", Expected::Resolved),
            alert("refused", Expected::Refused),
            alert("taken", Expected::ByTechnician),
        ];
        let closed = opened(&alerts[1], 12).with_closed(12, 1, ClosedBy::Us, Timestamp::UNIX_EPOCH);
        let records = [
            opened(&alerts[0], 11),
            closed,
            Record::new(alerts[2].key.clone()),
            blocked(&alerts[3], Blocked::Rejected("page".to_owned())),
            opened(&alerts[4], 15),
        ];
        let mut taken = ticket(&alerts[4], 15, true);
        taken.closed_by = Some("TSmith".to_owned());
        let evidence = Evidence {
            records: records
                .into_iter()
                .map(|record| (record.key.item_key(), record))
                .collect(),
            tickets: vec![
                ticket(&alerts[0], 11, false),
                ticket(&alerts[1], 12, true),
                taken,
            ],
            dead_letters: 0,
        };
        (alerts, evidence)
    }

    /// What is found after something was planted.
    fn found(plant: impl Fn(&[Alert], &mut Evidence)) -> Vec<(String, Wrong)> {
        let (alerts, mut evidence) = good();
        plant(&alerts, &mut evidence);
        let verdict = verdict(&alerts, &evidence);
        assert_ne!(verdict, Verdict::default());
        let named = |(key, wrong): (AlertKey, Wrong)| (key.alert_id.to_string(), wrong);
        verdict.alerts.into_iter().map(named).collect()
    }

    fn one(id: &str, wrong: Wrong) -> Vec<(String, Wrong)> {
        vec![(id.to_owned(), wrong)]
    }

    #[test]
    fn a_good_end_is_good() {
        let (alerts, evidence) = good();
        assert_eq!(verdict(&alerts, &evidence), Verdict::default());
    }

    #[test]
    fn a_double_is_found_with_the_same_token_and_with_another() {
        let planted = found(|alerts, evidence| evidence.tickets.push(ticket(&alerts[0], 13, true)));
        assert_eq!(planted, one("stands", Wrong::Several(vec![11, 13])));
        let planted = found(|alerts, evidence| {
            let ticket_ref = TicketRef::new(&alerts[1].key, 2).to_string();
            evidence.tickets.push(Ticket {
                id: 13,
                ticket_ref,
                company: 1,
                closed: true,
                closed_by: None,
            });
        });
        assert_eq!(planted, one("closed", Wrong::Several(vec![12, 13])));
    }

    #[test]
    fn a_loss_is_found() {
        let planted = found(|_, evidence| drop(evidence.tickets.remove(0)));
        assert_eq!(planted, one("stands", Wrong::NoTicket));
        let planted = found(|alerts, evidence| {
            evidence.tickets.remove(0);
            evidence.records.remove(&alerts[0].key.item_key());
        });
        assert_eq!(planted, one("stands", Wrong::Unknown));
        let planted =
            found(|alerts, evidence| drop(evidence.records.remove(&alerts[2].key.item_key())));
        assert_eq!(planted, one("never", Wrong::Unknown));
    }

    #[test]
    fn a_ticket_that_is_open_or_closed_and_should_not_be_is_found() {
        let planted = found(|_, evidence| evidence.tickets[1].closed = false);
        assert_eq!(planted, one("closed", Wrong::OpenThoughGone(12)));
        let planted = found(|_, evidence| evidence.tickets[0].closed = true);
        assert_eq!(planted, one("stands", Wrong::ClosedThoughThere(11)));
        let planted =
            found(|alerts, evidence| evidence.tickets.push(ticket(&alerts[2], 13, false)));
        assert_eq!(planted, one("never", Wrong::OpenThoughGone(13)));
    }

    #[test]
    fn a_ticket_that_the_table_does_not_know_is_found() {
        let planted = found(|alerts, evidence| evidence.tickets.push(ticket(&alerts[2], 13, true)));
        let other = Wrong::OtherTicket {
            recorded: None,
            found: Some(13),
        };
        assert_eq!(planted, one("never", other));
        let (alerts, mut evidence) = good();
        evidence
            .tickets
            .push(ticket(&alert("of nobody", Expected::Open), 13, false));
        assert_eq!(verdict(&alerts, &evidence).strangers.len(), 1);
    }

    #[test]
    fn a_ticket_for_another_company_is_found() {
        let planted = found(|_, evidence| evidence.tickets[1].company = 2);
        assert_eq!(planted, one("closed", Wrong::OtherCompany(12)));
    }

    #[test]
    fn what_waits_or_was_given_up_is_found() {
        let planted = found(|alerts, evidence| {
            evidence.tickets.remove(0);
            let blocked = blocked(&alerts[0], Blocked::ConnectionBroken);
            evidence.records.insert(alerts[0].key.item_key(), blocked);
        });
        assert_eq!(
            planted,
            one(
                "stands",
                Wrong::Blocked(Blocked::ConnectionBroken.to_string())
            )
        );
        assert_eq!(found(|_, evidence| evidence.dead_letters = 1), []);
    }

    #[test]
    fn a_refused_text_waits_for_itself_and_not_for_the_connection() {
        for reason in [
            Blocked::ConnectionBroken,
            Blocked::ConnectionUnavailable,
            Blocked::Throttled,
            Blocked::MissingRight("service_tickets.add".to_owned()),
        ] {
            let planted = found(|alerts, evidence| {
                let blocked = blocked(&alerts[3], reason.clone());
                evidence.records.insert(alerts[3].key.item_key(), blocked);
            });
            assert_eq!(planted, one("refused", Wrong::Blocked(reason.to_string())));
        }
        let planted = found(|alerts, evidence| {
            let record = Record::new(alerts[3].key.clone());
            evidence.records.insert(alerts[3].key.item_key(), record);
        });
        assert_eq!(planted, one("refused", Wrong::Unfinished));
        let planted =
            found(|alerts, evidence| evidence.tickets.push(ticket(&alerts[3], 14, false)));
        assert_eq!(planted, one("refused", Wrong::TicketThoughRefused(14)));
    }

    #[test]
    fn what_a_technician_closed_is_left_closed_and_alone() {
        let planted = found(|_, evidence| {
            evidence.tickets[2].closed = false;
            evidence.tickets[2].closed_by = None;
        });
        assert_eq!(planted, one("taken", Wrong::NotByTechnician(15)));
        let planted =
            found(|_, evidence| evidence.tickets[2].closed_by = Some(INTEGRATION.to_owned()));
        assert_eq!(planted, one("taken", Wrong::NotByTechnician(15)));
        let planted =
            found(|alerts, evidence| evidence.tickets.push(ticket(&alerts[4], 16, false)));
        assert_eq!(planted, one("taken", Wrong::Several(vec![15, 16])));
        let planted = found(|_, evidence| drop(evidence.tickets.remove(2)));
        assert_eq!(planted, one("taken", Wrong::NoTicket));
    }
}
