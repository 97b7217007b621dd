//! What must be true in the end, of the table and of ConnectWise together. Pure.

use std::collections::BTreeMap;
use std::fmt;

use domain::AlertKey;
use domain::record::{Actual, Record};

use crate::sight::Ticket;

/// An alert of the run and how it ended upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alert {
    /// The alert.
    pub(crate) key: AlertKey,
    /// Whether it is there in the end.
    pub(crate) stands: bool,
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
    if let Some(blocked) = &record.blocked {
        return Some(Wrong::Blocked(blocked.reason.to_string()));
    }
    if record.claim.is_some() || !record.duplicates.is_empty() {
        return Some(Wrong::Unfinished);
    }
    match (&record.actual, alert.stands) {
        (Some(Actual::Open(_)), true) | (Some(Actual::Closed(_)) | None, false) => None,
        (Some(Actual::Open(_)), false) | (Some(Actual::Closed(_)) | None, true) => {
            Some(Wrong::Unfinished)
        }
    }
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
    match (alert.stands, ticket) {
        (true, None) => return unaccounted(alert, record).or(Some(Wrong::NoTicket)),
        (true, Some(ticket)) if ticket.closed => return Some(Wrong::ClosedThoughThere(ticket.id)),
        (false, Some(ticket)) if !ticket.closed => return Some(Wrong::OpenThoughGone(ticket.id)),
        (true, Some(_)) | (false, _) => {}
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
    use domain::record::{ClosedBy, Open};
    use domain::{AlertId, Blocked, PartnerId, SourceId, TenantId, Token};
    use jiff::Timestamp;

    use super::*;

    fn alert(id: &str, stands: bool) -> Alert {
        let key = AlertKey {
            partner: PartnerId::parse("northwind").unwrap(),
            tenant: TenantId::parse("acme-dental").unwrap(),
            source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
            alert_id: AlertId::parse(id).unwrap(),
        };
        Alert { key, stands }
    }

    fn ticket(alert: &Alert, id: u64, closed: bool) -> Ticket {
        Ticket {
            id,
            token: Token::new(&alert.key, 1).to_string(),
            company: 1,
            closed,
        }
    }

    fn opened(alert: &Alert, ticket_id: u64) -> Record {
        let open = Open {
            ticket_id,
            board_id: None,
            company_id: 1,
            epoch: 1,
            opened_at: Timestamp::UNIX_EPOCH,
            severity: Severity::High,
            last_note_at: None,
            noted_repeats: 0,
            noted_gone: false,
            token: None,
        };
        Record::new(alert.key.clone()).with_open(open)
    }

    /// A run of three alerts that ended well: one stands, one was closed, one was gone before it was made.
    fn good() -> (Vec<Alert>, Evidence) {
        let alerts = vec![
            alert("stands", true),
            alert("closed", false),
            alert("never", false),
        ];
        let closed = opened(&alerts[1], 12).with_closed(12, 1, ClosedBy::Us, Timestamp::UNIX_EPOCH);
        let records = [
            opened(&alerts[0], 11),
            closed,
            Record::new(alerts[2].key.clone()),
        ];
        let evidence = Evidence {
            records: records
                .into_iter()
                .map(|record| (record.key.item_key(), record))
                .collect(),
            tickets: vec![ticket(&alerts[0], 11, false), ticket(&alerts[1], 12, true)],
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
            let token = Token::new(&alerts[1].key, 2).to_string();
            evidence.tickets.push(Ticket {
                id: 13,
                token,
                company: 1,
                closed: true,
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
            .push(ticket(&alert("of nobody", true), 13, false));
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
            let record = Record::new(alerts[0].key.clone());
            let blocked =
                record.with_blocked(Blocked::ConnectionBroken, None, Timestamp::UNIX_EPOCH);
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
}
