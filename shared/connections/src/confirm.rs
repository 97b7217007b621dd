//! Whether a refusal of one call counts against the connection: a plain read with the same keys tells.
//!
//! A firewall can refuse one ticket for its text, and a role can forbid one board. Without this read, one such alert would
//! stop all others of its partner, and the next good probe would let it stop them again.

use std::sync::Arc;

use connectwise::{Client, Error, MySecurity, Suspicion};
use domain::PartnerId;
use domain::rights::{RightStatus, right_status};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use crate::Connections;

/// One such read a minute and process: a thousand alerts that are refused are no storm.
const EVERY: SignedDuration = SignedDuration::from_mins(1);
/// Where the read could not be made in time, the call is made again after so long.
const AGAIN: SignedDuration = SignedDuration::from_secs(15);

/// The last plain read of a connection. Who needs one waits for the one that is being made.
pub(crate) type LastRead = Arc<Mutex<Option<Read>>>;

/// A plain read, and what it brought: what ConnectWise lists of the API member's rights, which may be nothing.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    began: Timestamp,
    outcome: Result<Vec<MySecurity>, Error>,
}

/// What a refusal of one call turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirmed {
    /// A refusal of that call alone: the connection works.
    CallAlone,
    /// Trouble of the connection, as the plain read shows it.
    Connection(Error),
    /// Nothing is known before so long: the call is to be made again then.
    Later(SignedDuration),
}

/// A call that was refused.
#[derive(Debug, Clone, Copy)]
pub struct Refused {
    /// What its refusal makes doubtful.
    pub suspicion: Suspicion,
    /// When it began.
    pub began: Timestamp,
}

impl Connections {
    /// Tells a refusal of one call from trouble of the connection. The plain read is `GET /system/mySecurity`: it needs the
    /// keys and names the rights. It costs one call a minute at most, however many calls are refused.
    pub async fn confirm(
        &self,
        partner: &PartnerId,
        client: &Client,
        refused: Refused,
        now: Timestamp,
        deadline: Instant,
    ) -> Confirmed {
        let last = self.links().get(partner).map(|link| link.last_read.clone());
        let last = last.unwrap_or_default();
        let Ok(mut last) = timeout_at(deadline, last.lock()).await else {
            return Confirmed::Later(AGAIN);
        };
        let recent = last
            .clone()
            .filter(|read| now.duration_since(read.began) < EVERY);
        let read = match recent {
            Some(read) if read.is_recent_enough(refused) => read,
            Some(read) => return Confirmed::Later(EVERY - now.duration_since(read.began)),
            None => {
                let outcome = rights(client, deadline).await;
                tracing::info!(suspicion = ?refused.suspicion, works = outcome.is_ok(), "confirmed a refusal by a read");
                let read = Read {
                    began: now,
                    outcome,
                };
                if read.outcome != Err(Error::DeadlineTooShort) {
                    *last = Some(read.clone());
                }
                read
            }
        };
        read.confirms(refused.suspicion)
    }
}

/// A role that may not list its rights, and a server that has no such list, answer so in ConnectWise's own words: the
/// connection works, and nothing is known of its rights.
async fn rights(client: &Client, deadline: Instant) -> Result<Vec<MySecurity>, Error> {
    match client.my_security(deadline).await {
        Err(Error::MissingRight { .. } | Error::EndpointMissing { .. }) => Ok(vec![]),
        listed => listed,
    }
}

impl Read {
    /// A read that worked before a call was refused says nothing of keys that were revoked in between.
    fn is_recent_enough(&self, refused: Refused) -> bool {
        refused.suspicion != Suspicion::Keys || self.began >= refused.began || self.outcome.is_err()
    }

    fn confirms(&self, suspicion: Suspicion) -> Confirmed {
        let listed = match &self.outcome {
            Ok(listed) => listed,
            Err(Error::DeadlineTooShort) => return Confirmed::Later(AGAIN),
            Err(err) => return Confirmed::Connection(err.clone()),
        };
        let Suspicion::Right { right, named } = suspicion else {
            return Confirmed::CallAlone;
        };
        let rows: Vec<_> = listed.iter().map(MySecurity::listed).collect();
        match right_status(right, &rows) {
            RightStatus::Missing => Confirmed::Connection(Error::MissingRight { right }),
            RightStatus::NotKnown if named => Confirmed::Connection(Error::MissingRight { right }),
            RightStatus::NotKnown | RightStatus::Granted => Confirmed::CallAlone,
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::rights::TICKETS_ADD;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    fn read(outcome: Result<Vec<MySecurity>, Error>) -> Read {
        Read {
            began: at(10),
            outcome,
        }
    }

    fn listed(add: &str) -> Result<Vec<MySecurity>, Error> {
        let row = serde_json::json!({
            "moduleFunctionName": "Service Tickets", "addLevel": add, "inquireLevel": "All"
        });
        Ok(vec![serde_json::from_value(row).unwrap()])
    }

    fn right(named: bool) -> Suspicion {
        Suspicion::Right {
            right: TICKETS_ADD,
            named,
        }
    }

    #[test]
    fn a_right_is_missing_only_if_connectwise_says_so_and_its_list_does_not_contradict() {
        let missing = || Confirmed::Connection(Error::MissingRight { right: TICKETS_ADD });
        for (outcome, named, expected) in [
            (listed("None"), true, missing()),
            (listed("None"), false, missing()),
            (listed("My"), false, missing()),
            (Ok(vec![]), true, missing()),
            (Ok(vec![]), false, Confirmed::CallAlone),
            (listed("All"), true, Confirmed::CallAlone),
            (listed("All"), false, Confirmed::CallAlone),
        ] {
            let read = read(outcome);
            assert_eq!(read.confirms(right(named)), expected, "{named} {read:?}");
        }
    }

    #[test]
    fn what_the_read_meets_is_what_the_connection_suffers_from() {
        let page = || Error::NotRouted {
            status: 403,
            words: "a web page".into(),
        };
        for suspicion in [Suspicion::Keys, Suspicion::Route, right(true), right(false)] {
            for err in [Error::KeysRefused, page()] {
                let confirmed = read(Err(err.clone())).confirms(suspicion);
                assert_eq!(confirmed, Confirmed::Connection(err));
            }
            let late = read(Err(Error::DeadlineTooShort)).confirms(suspicion);
            assert_eq!(late, Confirmed::Later(AGAIN));
        }
        for suspicion in [Suspicion::Keys, Suspicion::Route] {
            assert_eq!(read(Ok(vec![])).confirms(suspicion), Confirmed::CallAlone);
        }
    }

    #[test]
    fn keys_that_are_refused_after_a_good_read_are_read_with_again() {
        for (suspicion, began, outcome, enough) in [
            (Suspicion::Keys, 9, Ok(vec![]), true),
            (Suspicion::Keys, 10, Ok(vec![]), true),
            (Suspicion::Keys, 11, Ok(vec![]), false),
            (Suspicion::Keys, 11, Err(Error::KeysRefused), true),
            (Suspicion::Route, 11, Ok(vec![]), true),
            (right(false), 11, Ok(vec![]), true),
        ] {
            let refused = Refused {
                suspicion,
                began: at(began),
            };
            let is_enough = read(outcome).is_recent_enough(refused);
            assert_eq!(is_enough, enough, "{refused:?}");
        }
    }
}
