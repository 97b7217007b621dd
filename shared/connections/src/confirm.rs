//! Whether a refusal of one call counts against the connection. A plain read with the same keys
//! decides.
//!
//! A firewall can refuse one ticket for its text, and a role can forbid one board. Without this
//! read, one such alert would stop all others of its partner, and after each good probe stop them
//! again.

use std::sync::Arc;

use connectwise::{Client, Error, MySecurity, Suspicion};
use domain::setup::rights::{RightStatus, right_status};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

/// One plain read per minute and process serves a thousand refused alerts.
const READ_INTERVAL: SignedDuration = SignedDuration::from_mins(1);
/// When to repeat a call if there was no time for the read.
const RETRY_DELAY: SignedDuration = SignedDuration::from_secs(15);

/// The last plain read of a connection. Concurrent callers wait for the one in progress.
pub(crate) type LastRead = Arc<Mutex<Option<PlainRead>>>;

/// A plain read and its result: the rights that ConnectWise lists for the API member, perhaps none.
#[derive(Debug, Clone)]
pub(crate) struct PlainRead {
    began: Timestamp,
    outcome: Result<Vec<MySecurity>, Error>,
}

/// What a refusal of one call means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefusalScope {
    /// Only that call is refused. The connection works.
    CallAlone,
    /// The connection is in trouble: the error of the plain read.
    Connection(Error),
    /// Unknown. The call should be repeated after this time.
    Later(SignedDuration),
}

#[derive(Debug, Clone, Copy)]
pub struct RefusedCall {
    /// What the refusal makes doubtful.
    pub suspicion: Suspicion,
    pub began: Timestamp,
}

/// Makes the plain read, or reuses a recent one. The read is `GET /system/mySecurity`: it needs the
/// keys and lists the rights. However many calls are refused, it costs at most one call per minute.
pub(crate) async fn confirm(
    last: &LastRead,
    client: &Client,
    refused: RefusedCall,
    now: Timestamp,
    deadline: Instant,
) -> RefusalScope {
    let Ok(mut last) = timeout_at(deadline, last.lock()).await else {
        return RefusalScope::Later(RETRY_DELAY);
    };
    let recent = last
        .clone()
        .filter(|read| now.duration_since(read.began) < READ_INTERVAL);
    let read = match recent {
        Some(read) if read.is_recent_enough(refused) => read,
        Some(read) => {
            return RefusalScope::Later(READ_INTERVAL - now.duration_since(read.began));
        }
        None => {
            let outcome = list_rights(client, deadline).await;
            tracing::info!(
                suspicion = ?refused.suspicion,
                works = outcome.is_ok(),
                "checked a refusal by a plain read"
            );
            let read = PlainRead {
                began: now,
                outcome,
            };
            if read.outcome != Err(Error::DeadlineTooShort) {
                *last = Some(read.clone());
            }
            read
        }
    };
    read.scope_of(refused.suspicion)
}

/// ConnectWise's own words say that a role may not list its rights, or that a server has no such
/// list. Then the connection works, and the rights are unknown.
async fn list_rights(client: &Client, deadline: Instant) -> Result<Vec<MySecurity>, Error> {
    match client.my_security(deadline).await {
        Err(Error::MissingRight { .. } | Error::EndpointMissing { .. }) => Ok(vec![]),
        listed => listed,
    }
}

impl PlainRead {
    /// A read that succeeded before the refused call began does not show that the keys are still
    /// valid.
    fn is_recent_enough(&self, refused: RefusedCall) -> bool {
        refused.suspicion != Suspicion::Keys || self.began >= refused.began || self.outcome.is_err()
    }

    fn scope_of(&self, suspicion: Suspicion) -> RefusalScope {
        let listed = match &self.outcome {
            Ok(listed) => listed,
            Err(Error::DeadlineTooShort) => return RefusalScope::Later(RETRY_DELAY),
            Err(err) => return RefusalScope::Connection(err.clone()),
        };
        let Suspicion::Right { right, named } = suspicion else {
            return RefusalScope::CallAlone;
        };
        let rows: Vec<_> = listed.iter().map(MySecurity::listed).collect();
        match right_status(right, &rows) {
            RightStatus::Missing => RefusalScope::Connection(Error::MissingRight { right }),
            RightStatus::NotKnown if named => {
                RefusalScope::Connection(Error::MissingRight { right })
            }
            RightStatus::NotKnown | RightStatus::Granted => RefusalScope::CallAlone,
        }
    }
}

#[cfg(test)]
mod tests;
