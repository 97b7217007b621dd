//! The ConnectWise PSA client: typed reads, a [`TicketWriter`] for `functions/tickets`, a
//! [`SetupWriter`] for `functions/setup`, errors with one classification each, and the list of
//! hosts to which credentials may be sent. [`Client`] shows how to begin.
//!
//! What must not be here: decisions about alerts (they live in `domain`), tables, queues, secret
//! stores, retries. A call is made once. [`Error::classify`] says whether to retry it, what its
//! failure says about the connection, and whether a write may have taken effect.

mod call;
mod callbacks;
mod client;
mod company_records;
mod conditions;
mod conversions;
mod credentials;
mod custom_fields;
mod discovery;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod http;
mod link_header;
mod model_version;
mod origin;
mod paging;
mod records;
mod refusal;
mod request_body;
mod setup_writer;
mod tables;
mod ticket_writer;
mod tickets;

pub use callbacks::CallbackWriter;
pub use client::Client;
pub use conditions::{ExternalXref, InvalidXref, NothingToSearch, SearchText};
pub use conversions::type_hierarchy;
pub use credentials::Credentials;
pub use discovery::{CompanyInfo, company_info};
pub use error::{Error, Failure, Suspicion, WriteOutcome};
pub use http::Http;
pub use link_header::RecordCursor;
pub use model_version::ModelVersion;
pub use origin::{HostError, HostList, InvalidOrigin, Origin};
pub use paging::RecordPage;
pub use public_http::HttpBuildError;
pub use records::{
    AuditTrailEntry, Board, BoardItem, BoardStatus, BoardSubType, BoardTeam, BoardType,
    BoardTypeAssociation, CompanyRecord, CompanyReference, CompanyStatus, Department, Location,
    MemberRecord, MemberReference, MyMember, MySecurity, Priority, RecordInfo, Reference,
    ServiceTicketNote, Team, Ticket, TicketNote, TicketSource,
};
pub use setup_writer::{NewBoard, NewStatus, NewTeam, SetupWriter};
pub use tables::COMPANIES_AT_ONCE;
pub use ticket_writer::{NewNote, NewTicket, NoteDisplay, TicketWriter};
pub use tickets::TicketFilter;

#[cfg(test)]
mod wire_tests;
