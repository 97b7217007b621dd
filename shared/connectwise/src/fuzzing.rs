//! The entry point of the fuzz target `answer`: it interprets a response from memory, without a
//! network.

use domain::Reaction;
use domain::setup::rights;
use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::de::DeserializeOwned;

use crate::call::{ApiCall, ApiResponse, interpret};
use crate::discovery::CompanyInfo;
use crate::error::Error;
use crate::link_header::RecordCursor;
use crate::paging::{PAGE_SIZE, parse_count, parse_page};
use crate::records::{
    Board, BoardStatus, BoardTeam, BoardType, CompanyRecord, Department, Location, MemberRecord,
    MyMember, MySecurity, Priority, Team, Ticket, TicketNote,
};

/// How one call interprets the response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpretation {
    pub path: &'static str,
    pub outcome: Result<(), Error>,
}

type ParseFn = fn(&ApiResponse) -> Result<(), Error>;

/// Each type that is read, with a path that returns it.
const READS: &[(&str, ParseFn)] = &[
    ("/service/tickets", page_of_tickets),
    ("/service/tickets/7", one::<Ticket>),
    ("/company/companies/count", |response| {
        parse_count(response).map(drop)
    }),
    ("/service/tickets/7/notes", many::<TicketNote>),
    ("/company/companies", page_of_companies),
    ("/company/companies/7", one::<CompanyRecord>),
    ("/service/boards", many::<Board>),
    ("/service/boards/7/statuses", many::<BoardStatus>),
    ("/service/boards/7/types", many::<BoardType>),
    ("/service/boards/7/teams", many::<BoardTeam>),
    ("/service/priorities", many::<Priority>),
    ("/service/teams", many::<Team>),
    ("/system/myMembers", one::<MyMember>),
    ("/system/mySecurity", many::<MySecurity>),
    ("/system/members", many::<MemberRecord>),
    ("/system/departments", many::<Department>),
    ("/system/locations", many::<Location>),
    ("/login/companyinfo", one::<Option<CompanyInfo>>),
];

/// Interprets a response for each kind of call. An invalid status is replaced by 500, and an
/// invalid header is left out. The time is fixed, so that a finding can be reproduced.
#[must_use]
pub fn interpret_all(status: u16, headers: &[(&str, &[u8])], body: &[u8]) -> Vec<Interpretation> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(value))
        {
            // A map that is full takes no more headers; HTTP clients refuse so many.
            let _ = map.try_append(name, value);
        }
    }
    let interpret_as = |&(path, parse): &(&'static str, ParseFn)| {
        let call = ApiCall::get(path, rights::TICKETS_INQUIRE);
        let response = interpret(
            &call,
            status,
            &map,
            Some(body.to_vec()),
            Timestamp::UNIX_EPOCH,
        );
        let outcome = response.and_then(|response| parse(&response));
        Interpretation { path, outcome }
    };
    READS.iter().map(interpret_as).collect()
}

impl Interpretation {
    /// Checks the properties that hold for every response, and returns the one that is violated.
    #[must_use]
    pub fn violation(&self, status: u16) -> Option<&'static str> {
        let success = (200..300).contains(&status);
        let Err(error) = &self.outcome else {
            return (!success).then_some("a refusal was read as a success");
        };
        let unreadable = matches!(error, Error::AnswerUnreadable { .. });
        let shown = error.to_string();
        let failure = error.classify();
        let is_uncertain = failure.is_uncertain();
        if success && !unreadable {
            return Some("a success was classified as a refusal");
        }
        if !success && unreadable {
            return Some("a refusal with a whole body was classified as cut off");
        }
        if (400..500).contains(&status) && status != 408 && is_uncertain {
            return Some("a refusal left a write uncertain");
        }
        if !(400..500).contains(&status) && !matches!(status, 307 | 308) && !is_uncertain {
            return Some("a write that may have taken effect was classified as not done");
        }
        if shown.chars().count() > 700 || shown.chars().any(char::is_control) {
            return Some("an error is longer than one short line");
        }
        match failure.reaction {
            Reaction::Retry { after: Some(time) } if !(1..=3_600).contains(&time.as_secs()) => {
                Some("a wait is out of bounds")
            }
            Reaction::Retry { .. } | Reaction::Block { .. } | Reaction::DeadLetter { .. } => None,
        }
    }
}

fn one<T: DeserializeOwned>(response: &ApiResponse) -> Result<(), Error> {
    response.parse::<T>().map(drop)
}

fn many<T: DeserializeOwned>(response: &ApiResponse) -> Result<(), Error> {
    one::<Vec<T>>(response)
}

fn page_of_tickets(response: &ApiResponse) -> Result<(), Error> {
    parse_page(
        response,
        |ticket: &Ticket| ticket.id,
        RecordCursor::START,
        PAGE_SIZE,
    )
    .map(drop)
}

fn page_of_companies(response: &ApiResponse) -> Result<(), Error> {
    parse_page(
        response,
        |company: &CompanyRecord| company.id,
        RecordCursor::START,
        PAGE_SIZE,
    )
    .map(drop)
}

#[cfg(test)]
mod tests;
