//! A way in for fuzz targets: what the bytes of an answer come to, with no network between. No function uses it.

use domain::Reaction;
use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::de::DeserializeOwned;

use crate::call::{Answer, Call, judge};
use crate::discovery::CompanyInfo;
use crate::error::Error;
use crate::paging::{Cursor, PAGE, count_in, part};
use crate::records::{
    ApiMember, Board, BoardStatus, BoardTeam, BoardType, Company, Department, Info, Location,
    Member, MyMember, MySecurity, Note, Priority, Team, Ticket,
};
use crate::rights;

/// What one call makes of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The call's path.
    pub path: &'static str,
    /// Whether it was read, or which situation it is.
    pub outcome: Result<(), Error>,
}

type Read = fn(&Answer) -> Result<(), Error>;

/// Each kind of answer that is read, with a path that gives it.
const READS: &[(&str, Read)] = &[
    ("/service/tickets", part_of_tickets),
    ("/service/tickets/7", one::<Ticket>),
    ("/service/tickets/count", |answer| {
        count_in(answer).map(drop)
    }),
    ("/service/tickets/7/notes", many::<Note>),
    ("/company/companies", part_of_companies),
    ("/company/companies/7", one::<Company>),
    ("/service/boards", many::<Board>),
    ("/service/boards/7/statuses", many::<BoardStatus>),
    ("/service/boards/7/types", many::<BoardType>),
    ("/service/boards/7/teams", many::<BoardTeam>),
    ("/service/priorities", many::<Priority>),
    ("/service/teams", many::<Team>),
    ("/system/info", one::<Info>),
    ("/system/myMembers", one::<MyMember>),
    ("/system/mySecurity", many::<MySecurity>),
    ("/system/members", many::<Member>),
    ("/system/apiMembers", many::<ApiMember>),
    ("/system/departments", many::<Department>),
    ("/system/locations", many::<Location>),
    ("/login/companyinfo", one::<Option<CompanyInfo>>),
];

/// What each kind of call makes of an answer: its status, its headers, its whole body. A status that is none is a 500, a header
/// that is none is left out. Time stands still, so that what was found can be played again.
#[must_use]
pub fn verdict_of(status: u16, headers: &[(&str, &[u8])], body: &[u8]) -> Vec<Verdict> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_bytes(value))
        {
            // More than a map can hold never comes over the wire.
            let _ = map.try_append(name, value);
        }
    }
    let judged = |&(path, read): &(&'static str, Read)| {
        let call = Call::get(path, rights::TICKETS_INQUIRE);
        let answer = judge(
            &call,
            status,
            &map,
            Some(body.to_vec()),
            Timestamp::UNIX_EPOCH,
        );
        let outcome = answer.and_then(|answer| read(&answer));
        Verdict { path, outcome }
    };
    READS.iter().map(judged).collect()
}

impl Verdict {
    /// What is wrong with the verdict itself, whatever the answer was: a fuzz target fails on it.
    #[must_use]
    pub fn error(&self, status: u16) -> Option<&'static str> {
        let success = (200..300).contains(&status);
        let Err(error) = &self.outcome else {
            return (!success).then_some("a refusal was read as an answer");
        };
        let unreadable = matches!(error, Error::AnswerUnreadable { .. });
        let shown = error.to_string();
        if success && !unreadable {
            return Some("a success was taken for a refusal");
        }
        if !success && unreadable {
            return Some("a refusal whose body is whole is not cut off");
        }
        if (400..500).contains(&status) && status != 408 && error.may_have_been_done() {
            return Some("a refusal left a write uncertain");
        }
        if !(400..500).contains(&status)
            && !matches!(status, 307 | 308)
            && !error.may_have_been_done()
        {
            return Some("a write was given up that may have been done");
        }
        if shown.chars().count() > 700 || shown.chars().any(char::is_control) {
            return Some("an error is not one line of bearable length");
        }
        match error.reaction() {
            Reaction::Retry { after: Some(time) } if !(1..=3_600).contains(&time.as_secs()) => {
                Some("a wait is out of bounds")
            }
            Reaction::Retry { .. } | Reaction::Block { .. } | Reaction::DeadLetter { .. } => None,
        }
    }
}

fn one<T: DeserializeOwned>(answer: &Answer) -> Result<(), Error> {
    answer.parse::<T>().map(drop)
}

fn many<T: DeserializeOwned>(answer: &Answer) -> Result<(), Error> {
    one::<Vec<T>>(answer)
}

fn part_of_tickets(answer: &Answer) -> Result<(), Error> {
    part(answer, |ticket: &Ticket| ticket.id, Cursor::START, PAGE).map(drop)
}

fn part_of_companies(answer: &Answer) -> Result<(), Error> {
    part(answer, |company: &Company| company.id, Cursor::START, PAGE).map(drop)
}

#[cfg(test)]
mod tests;
