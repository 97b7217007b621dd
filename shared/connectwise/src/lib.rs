//! The ConnectWise PSA client: typed reads, a [`TicketWriter`] that only `functions/tickets` constructs and a
//! [`SetupWriter`] that only `functions/setup` does, errors that name
//! situations, and the list of hosts that credentials may be sent to.
//!
//! What must not be here: decisions about alerts (they live in `domain`), tables, queues, secrets stores, retries. A call is
//! made once; what its failure asks for is [`Error::reaction`], and whether it may have been done all the same is
//! [`Error::may_have_been_done`].

mod address;
mod call;
mod client;
mod conditions;
mod credentials;
mod discovery;
mod error;
mod found;
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod origin;
mod paging;
mod records;
pub mod rights;
mod setup_writer;
mod tables;
mod tickets;
mod verdict;
mod writer;

pub use client::Client;
pub use conditions::{ExternalXref, InvalidXref, NothingToSearch, SearchText};
pub use credentials::Credentials;
pub use discovery::{CompanyInfo, company_info};
pub use error::{Error, Suspicion};
pub use http::{Http, HttpNotBuilt};
pub use origin::{HostError, HostList, InvalidOrigin, Origin};
pub use paging::{Cursor, Page};
pub use records::{
    ApiMember, Board, BoardStatus, BoardTeam, BoardType, Company, CompanyReference, CompanyStatus,
    Department, Info, Location, Member, MemberReference, MyMember, MySecurity, Note, Priority,
    RecordInfo, Reference, Team, Ticket,
};
pub use setup_writer::{NewBoard, NewStatus, NewTeam, SetupWriter};
pub use tables::COMPANIES_AT_ONCE;
pub use tickets::TicketFilter;
pub use writer::{NewNote, NewTicket, NoteDisplay, TicketWriter};

#[cfg(test)]
mod wire_tests;
