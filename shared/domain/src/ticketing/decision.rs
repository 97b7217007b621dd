//! The next step for an alert.

use jiff::Timestamp;

use crate::alert::record::Recheck;
use crate::ticketing::ticket_write::TicketWrite;
use crate::{Blocked, RecordId};

/// The one next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing is to be done.
    Nothing(Idle),
    /// Nothing can be done before this time: another worker holds the claim, or ConnectWise needs time to settle.
    Wait {
        /// When to decide again.
        until: Timestamp,
    },
    /// The alert cannot go on.
    Block(Blocked),
    /// It is not known whether a ticket was made: look for its token.
    Search,
    /// It is not known whether a write took effect: look at its ticket.
    Verify(RecordId),
    /// A given-up write can have happened late: look for its token.
    Recheck(Recheck),
    /// The table may have forgotten this alert: look for tickets of any life of it.
    FindPriorTickets,
    /// It is not known whether the table has forgotten anything: look for any ticket of ours.
    DetectExistingTickets,
    /// Take a claim and make one write.
    Write(TicketWrite),
}

/// Why nothing is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idle {
    /// No alert, no ticket.
    Cleared,
    /// The ticket says what it should.
    UpToDate,
    /// The last note is too young for another.
    NotedRecently,
    /// The ticket is closed and the alert is gone.
    Closed,
    /// The alert is gone, and its ticket is in another ConnectWise.
    OutOfReach,
    /// A person ended the ticket while the alert stood: only a newer raise makes another.
    EndedByPerson,
    /// The ticket was found in ConnectWise, and no event has told of its alert since.
    NoEventYet,
}
