//! Making the two dedicated boards: the plan of `domain::boards`, carried out as far as a request's time goes.
//!
//! Each write is sent once. After a failure, and after a write of which nobody knows whether it was done, everything is listed anew, and
//! the plan goes on from what is there.

use connectwise::{Client, Error, NewBoard, NewStatus, NewTeam};
use domain::RecordId;
use domain::boards::{DesiredBoard, ExistingBoards, Next, Parts, Step, next, size};
use domain::settings::BoardTarget;
use tokio::time::Instant;
use tokio::try_join;

use crate::answer::Problem;
use crate::connected::problem_of;

/// So many failures in one request are enough: a person is told, and goes on later.
const FAILURES: usize = 3;

/// How far the boards are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BoardsProgress {
    pub(crate) done: usize,
    pub(crate) total: usize,
    /// What comes next, or is waited for.
    pub(crate) doing: String,
    /// ConnectWise asked for a pause.
    pub(crate) wait: bool,
    /// What tickets point at, once all is there.
    pub(crate) targets: Option<Targets>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Targets {
    pub(crate) operations: BoardTarget,
    pub(crate) cyber_alerts: BoardTarget,
}

/// What both boards are to be.
#[derive(Debug, Clone)]
pub(crate) struct BoardPair {
    pub(crate) operations: DesiredBoard,
    pub(crate) cyber_alerts: DesiredBoard,
}

impl BoardPair {
    /// So many things in all.
    pub(crate) fn total(&self) -> usize {
        size(&self.operations) + size(&self.cyber_alerts)
    }
}

/// Goes on with both boards. No call begins after `until`, and all have ended by `calls_end`. If the process dies after any call, the
/// next request lists what is there and goes on.
///
/// # Errors
/// What a person must mend, or when ConnectWise fails again and again.
pub(crate) async fn go_on(
    client: &Client,
    both: &BoardPair,
    until: Instant,
    calls_end: Instant,
) -> Result<BoardsProgress, Problem> {
    let mut making = Making {
        client,
        there: None,
        answered: Vec::new(),
        rejected: None,
        failures: 0,
        until,
        calls_end,
    };
    let total = both.total();
    let stopped = |done, stop: Interrupted| match stop {
        Interrupted::OutOfTime { done: of, doing } => Ok(BoardsProgress {
            done: done + of,
            total,
            doing,
            wait: false,
            targets: None,
        }),
        Interrupted::Pause { done: of, seconds } => Ok(BoardsProgress {
            done: done + of,
            total,
            doing: format!("ConnectWise asks to wait {seconds} seconds"),
            wait: true,
            targets: None,
        }),
        Interrupted::Failed(problem) => Err(problem),
    };
    let operations = match making.board(&both.operations).await {
        Ok(target) => target,
        Err(stop) => return stopped(0, stop),
    };
    let cyber_alerts = match making.board(&both.cyber_alerts).await {
        Ok(target) => target,
        Err(stop) => return stopped(size(&both.operations), stop),
    };
    Ok(BoardsProgress {
        done: total,
        total,
        doing: "both boards are ready".to_owned(),
        wait: false,
        targets: Some(Targets {
            operations,
            cyber_alerts,
        }),
    })
}

/// Why it does not go on in this request.
enum Interrupted {
    OutOfTime { done: usize, doing: String },
    Pause { done: usize, seconds: u64 },
    Failed(Problem),
}

/// One request's work.
struct Making<'a> {
    client: &'a Client,
    /// What is listed, with the answers added; none after a failure.
    there: Option<ExistingBoards>,
    /// What ConnectWise said that it made.
    answered: Vec<Step>,
    /// What it refused last.
    rejected: Option<Step>,
    failures: usize,
    until: Instant,
    calls_end: Instant,
}

impl Making<'_> {
    async fn board(&mut self, desired: &DesiredBoard) -> Result<BoardTarget, Interrupted> {
        let mut done = 0;
        loop {
            let is_late = Instant::now() >= self.until;
            let Some(there) = &mut self.there else {
                if is_late {
                    let doing = "looking at what is there".to_owned();
                    return Err(Interrupted::OutOfTime { done, doing });
                }
                match self.client.boards(self.calls_end).await {
                    Ok(boards) => {
                        self.there = Some(ExistingBoards {
                            boards: boards.into_iter().map(Into::into).collect(),
                            parts: None,
                        });
                    }
                    Err(err) => self.failed(&err, None, done)?,
                }
                continue;
            };
            let planned = next(desired, there).map_err(|err| {
                let words = format!("{err}. Then go on here: nothing is made twice.");
                Interrupted::Failed(Problem::refused(crate::input::capital(
                    words.trim_end_matches('.'),
                )))
            })?;
            let step = match planned {
                Next::Done(target) => return Ok(target),
                Next::Look { board } => {
                    if is_late {
                        let doing = "looking at what is there".to_owned();
                        return Err(Interrupted::OutOfTime { done, doing });
                    }
                    match look(self.client, board, self.calls_end).await {
                        Ok(parts) => there.parts = Some(parts),
                        Err(err) => self.failed(&err, None, done)?,
                    }
                    continue;
                }
                Next::Make { step, progress } => {
                    done = progress.done;
                    step
                }
            };
            if is_late {
                let doing = doing(&step);
                return Err(Interrupted::OutOfTime { done, doing });
            }
            // ConnectWise can answer 200 and change nothing.
            if self.answered.contains(&step) {
                return Err(Interrupted::Failed(Problem::refused(format!(
                    "ConnectWise answered as if it had done this, and did not: {}. Do it by hand in ConnectWise, then go on here.",
                    doing(&step)
                ))));
            }
            match make(self.client, &step, there, self.calls_end).await {
                Ok(()) => {
                    self.answered.push(step);
                    self.rejected = None;
                }
                Err(err) => self.failed(&err, Some(step), done)?,
            }
        }
    }

    /// What is there is not known any more. Goes on, unless a person has to mend something or it failed too often.
    fn failed(&mut self, err: &Error, step: Option<Step>, done: usize) -> Result<(), Interrupted> {
        self.there = None;
        tracing::warn!(error = %err, step = ?step, "failed to create a part of a board; listing the boards again");
        match err {
            Error::Throttled { retry_after } => {
                let seconds = retry_after.as_secs().max(1);
                return Err(Interrupted::Pause { done, seconds });
            }
            Error::MissingRight { .. }
            | Error::KeysRefused
            | Error::ClientIdRefused
            | Error::NotRouted { .. }
            | Error::EndpointMissing { .. }
            | Error::RedirectRefused { .. }
            | Error::Forbidden { .. }
            | Error::HostRefused { .. } => return Err(Interrupted::Failed(problem_of(err))),
            // Our own write may have come late: then it is listed now, and is not asked for again.
            Error::Rejected { .. }
            | Error::TargetGone { .. }
            | Error::NotFound { .. }
            | Error::Conflict { .. } => {
                if step.is_some() && self.rejected == step {
                    return Err(Interrupted::Failed(problem_of(err)));
                }
                self.rejected = step;
            }
            Error::NotSent { .. }
            | Error::DeadlineTooShort
            | Error::TimedOut { .. }
            | Error::NoAnswer { .. }
            | Error::ServerError { .. }
            | Error::AnswerTooLarge { .. }
            | Error::AnswerUnreadable { .. } => {}
        }
        self.failures += 1;
        match self.failures < FAILURES {
            true => Ok(()),
            false => Err(Interrupted::Failed(problem_of(err))),
        }
    }
}

async fn look(client: &Client, board: RecordId, ends: Instant) -> Result<Parts, Error> {
    let (statuses, types, teams) = try_join!(
        client.board_statuses(board, ends),
        client.board_types(board, ends),
        client.board_teams(board, ends),
    )?;
    Ok(Parts {
        board,
        statuses: statuses.into_iter().map(Into::into).collect(),
        types: types.into_iter().map(Into::into).collect(),
        teams: teams.into_iter().map(Into::into).collect(),
    })
}

/// Makes one thing, and adds the answer to what is there.
async fn make(
    client: &Client,
    step: &Step,
    there: &mut ExistingBoards,
    ends: Instant,
) -> Result<(), Error> {
    let writer = client.setup_writer();
    let ExistingBoards { boards, parts } = there;
    // A step of a board whose parts nobody looked at is never planned; if it were, the next look would show what it made.
    let mut nobody = Parts {
        board: 0,
        statuses: Vec::new(),
        types: Vec::new(),
        teams: Vec::new(),
    };
    let parts = parts.as_mut().unwrap_or(&mut nobody);
    match step {
        Step::MakeBoard {
            name,
            location,
            department,
        } => {
            let new = NewBoard {
                name: name.as_str().to_owned(),
                location: *location,
                department: *department,
            };
            boards.push(writer.create_board(&new, ends).await?.into());
        }
        Step::MakeStatus {
            board,
            name,
            sort_order,
            closes,
            is_default,
        } => {
            let new = NewStatus {
                name: (*name).to_owned(),
                sort_order: *sort_order,
                closed: *closes,
                default: *is_default,
            };
            parts
                .statuses
                .push(writer.create_status(*board, &new, ends).await?.into());
        }
        Step::MakeDefault { board, status } => {
            let made = writer.make_default(*board, *status, ends).await?;
            parts.statuses.retain(|other| other.id != *status);
            parts.statuses.push(made.into());
        }
        Step::MakeType { board, name, .. } => {
            parts
                .types
                .push(writer.create_type(*board, name, ends).await?.into());
        }
        Step::MakeTeam {
            board,
            name,
            lead,
            is_default,
        } => {
            let new = NewTeam {
                name: (*name).to_owned(),
                leader: *lead,
                members: vec![*lead],
                default: *is_default,
            };
            parts
                .teams
                .push(writer.create_team(*board, &new, ends).await?.into());
        }
    }
    Ok(())
}

/// A step in words, as what is being done.
fn doing(step: &Step) -> String {
    match step {
        Step::MakeBoard { name, .. } => format!("making the board \"{}\"", name.as_str()),
        Step::MakeStatus { name, .. } => format!("making the status \"{name}\""),
        Step::MakeDefault { .. } => "making the status \"New\" the board's default".to_owned(),
        Step::MakeType { name, .. } => format!("making the ticket type \"{name}\""),
        Step::MakeTeam { name, .. } => format!("making the team \"{name}\""),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use connectwise::{Credentials, HostList, Http, Origin};
    use connectwise_sim::{Seed, Simulator};
    use domain::Secret;
    use domain::boards::BoardName;
    use domain::kind::{BUILT_IN, Category};
    use serde_json::{Value, json};

    use super::*;
    use crate::test_server::server;

    fn desired(category: Category) -> DesiredBoard {
        DesiredBoard {
            category,
            name: BoardName::usual(category),
            location: 2,
            department: 10,
            team_lead: 151,
            kinds_added: Vec::new(),
        }
    }

    /// A board with everything but that "New" is its default, which it says it made and never does.
    fn stubborn(method: &str, path: &str) -> Value {
        let new = json!({ "id": 11, "name": "New", "defaultFlag": false });
        let last = path.rsplit('/').next().unwrap_or_default();
        match (method, last) {
            ("PATCH", _) => new,
            (_, "boards") => json!([{ "id": 7, "name": "Operations" }]),
            (_, "statuses") => json!([
                new,
                { "id": 12, "name": "Closed", "closedStatus": true },
                { "id": 13, "name": "Triage", "defaultFlag": true },
            ]),
            (_, "types") => {
                let names = (20..).zip(BUILT_IN);
                names
                    .map(|(id, (.., name))| json!({ "id": id, "name": name }))
                    .collect()
            }
            (_, "teams") => json!([{ "id": 41, "name": "Operations" }]),
            _ => Value::Null,
        }
    }

    fn both(operations: &str, cyber_alerts: &str) -> BoardPair {
        let named = |category, name| DesiredBoard {
            name: BoardName::parse(name).unwrap(),
            ..desired(category)
        };
        BoardPair {
            operations: named(Category::Operations, operations),
            cyber_alerts: named(Category::CyberAlerts, cyber_alerts),
        }
    }

    /// A client of a site; ours but for the origin.
    fn client(origin: &str, private_key: &str, client_id: &str) -> Client {
        let http = Http::new(HostList::new([origin]).unwrap()).unwrap();
        let credentials = Credentials {
            origin: Origin::parse(origin).unwrap(),
            company_id: "tbdemo".to_owned(),
            public_key: "tbPublicKey01".to_owned(),
            private_key: Secret::new(private_key),
            client_id: Secret::new(client_id),
        };
        Client::new(&http, credentials).unwrap()
    }

    #[tokio::test]
    async fn what_does_not_fit_into_a_request_is_done_by_the_next_and_nothing_is_done_again() {
        let sim = Simulator::start(Seed::demo(), ([127, 0, 0, 1], 0).into()).await;
        let sim = sim.unwrap();
        let keys = Seed::demo().integration().unwrap();
        let client = client(&sim.base_url(), &keys.private_key, &keys.client_id);
        let both = both("Watch: Operations", "Watch: Cyber Alerts");
        let calls_end = Instant::now() + Duration::from_secs(60);
        let (mut done, mut requests) = (0, 0);
        let targets = loop {
            // No time at all at first, then for one call or another, and in the end enough on any machine.
            let until = Instant::now() + Duration::from_millis(2) * requests;
            requests += 1;
            let far = go_on(&client, &both, until, calls_end).await.unwrap();
            assert!(
                (done..=22).contains(&far.done) && far.total == 22,
                "{far:?}"
            );
            assert!(!far.doing.is_empty() && requests < 1000, "{far:?}");
            done = far.done;
            if let Some(targets) = far.targets {
                break targets;
            }
        };
        assert!(requests > 1, "all at once");
        assert_eq!(done, 22);
        assert_eq!(
            (
                targets.operations.types.len(),
                targets.cyber_alerts.types.len()
            ),
            (7, 5)
        );
        let boards = client.boards(calls_end).await.unwrap();
        let ours = boards
            .iter()
            .filter(|board| board.name.starts_with("Watch: "));
        assert_eq!(ours.count(), 2);
    }

    #[tokio::test]
    async fn what_connectwise_says_that_it_did_and_did_not_is_asked_for_once() {
        let (origin, mut heard) = server(stubborn).await;
        let client = client(&origin, "private", "client");
        let both = both("Operations", "Cyber Alerts");
        let end = Instant::now() + Duration::from_secs(10);
        let problem = go_on(&client, &both, end, end).await.unwrap_err();
        assert!(
            problem.detail.contains("as if it had done this")
                && problem.detail.contains("the board's default"),
            "{problem:?}"
        );
        let mut patches = 0;
        while let Ok(asked) = heard.try_recv() {
            patches += usize::from(asked.starts_with("PATCH"));
        }
        assert_eq!(patches, 1);

        // No time: nothing is asked, and how far it is is not known.
        let far = go_on(&client, &both, Instant::now(), end).await.unwrap();
        assert_eq!((far.done, far.total, far.targets), (0, 22, None));
        assert!(heard.try_recv().is_err());
    }
}
