//! The next step for an alert, as [`decide`](super::decide::decide) names it.

use jiff::Timestamp;

use crate::alert::record::Recheck;
use crate::ticketing::ticket_write::TicketWrite;
use crate::{Blocked, RecordId};

/// The next step for an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Nothing(Idle),
    /// Wait until this time: another worker holds the claim, or ConnectWise needs time to settle.
    Wait {
        until: Timestamp,
    },
    Block(Blocked),
    /// It is unknown whether a ticket was created: search for its reference.
    Search,
    /// It is unknown whether a write took effect: look at its ticket.
    Verify(RecordId),
    /// A write that was given up may have happened late: search for its ticket.
    Recheck(Recheck),
    /// The table may have lost this alert: search for tickets of all its occurrences.
    FindPriorTickets,
    /// It is unknown whether the table has lost anything: search for any Ticketbridge ticket.
    DetectExistingTickets,
    /// It is not decided yet whether the new alert gets a ticket of its own: count it among those of
    /// its tenant.
    AdmitNewAlert,
    /// Take a claim and make one write.
    Write(TicketWrite),
}

/// Why nothing is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idle {
    /// There is neither an active alert nor a ticket.
    Cleared,
    /// The ticket is up to date.
    UpToDate,
    /// The last note is too recent for another one until then.
    NotedRecently { until: Timestamp },
    /// The ticket is closed and the alert is resolved.
    Closed,
    /// The alert is resolved, and its ticket is in another ConnectWise.
    OutOfReach,
    /// A person closed the ticket while the alert was active. Only a newer raise makes another one.
    EndedByPerson,
    /// The ticket was found in ConnectWise, and no event about its alert has come since.
    NoEventYet,
}
