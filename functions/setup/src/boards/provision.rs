//! Creates the two dedicated boards: carries out the plan of `domain::setup::dedicated_board` until
//! a request's time is over.
//!
//! Each write is sent once. After a failure, or a write with an unknown outcome, everything is
//! listed again and the plan continues from what exists.

use connectwise::{Client, Error, NewBoard, NewStatus, NewTeam};
use domain::RecordId;
use domain::alert::kind::{Category, KindInfo};
use domain::setup::board_issue::BoardUnusable;
use domain::setup::board_name::BoardName;
use domain::setup::dedicated_board::{
    BoardDecision, BoardPlan, BoardStep, DesiredBoard, item_count, next_board_step, plan_board,
};
use domain::setup::found_board::{BoardParts, ExistingBoards, FoundBoard};
use domain::setup::settings::BoardTarget;
use store::{DedicatedBoard, DedicatedBoards};
use tokio::time::Instant;
use tokio::try_join;

use crate::boards::work_time::WorkTime;
use crate::connection::client::problem_of;
use crate::http::input::sentence;
use crate::http::problem::Problem;

/// After this many failures, the request reports the last one to the person.
const MAX_FAILURES: usize = 3;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BoardsProgress {
    pub(super) done: usize,
    pub(super) total: usize,
    /// The next part, or what the work waits for.
    pub(super) doing: String,
    /// Whether the page should pause before its next request.
    pub(super) wait: bool,
    /// Where tickets go, once all parts exist.
    pub(super) targets: Option<BoardTargets>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BoardTargets {
    pub(super) operations: BoardTarget,
    pub(super) cyber_alerts: BoardTarget,
    /// The parts of both boards.
    pub(super) parts: Vec<BoardParts>,
}

/// The desired state of both boards.
#[derive(Debug, Clone)]
pub(super) struct BoardPair {
    operations: DesiredBoard,
    cyber_alerts: DesiredBoard,
}

impl BoardPair {
    /// # Errors
    /// When a stored name is invalid.
    pub(super) fn new(
        desired: &DedicatedBoards,
        added_kinds: &[KindInfo],
    ) -> Result<Self, Problem> {
        let board = |category, board: &DedicatedBoard| -> Result<DesiredBoard, Problem> {
            let name = BoardName::parse(&board.name);
            Ok(DesiredBoard {
                category,
                name: name.map_err(|err| Problem::refused(sentence(&err.to_string())))?,
                location: board.location,
                department: board.department,
                team_lead: board.team_lead,
                kinds_added: added_kinds.to_vec(),
            })
        };
        Ok(Self {
            operations: board(Category::Operations, &desired.operations)?,
            cyber_alerts: board(Category::CyberAlerts, &desired.cyber_alerts)?,
        })
    }

    /// The number of parts of both boards.
    pub(super) fn total(&self) -> usize {
        item_count(&self.operations) + item_count(&self.cyber_alerts)
    }
}

/// The boards that ConnectWise lists, and what remains to be created of both.
///
/// # Errors
/// When a person must correct something, or ConnectWise fails.
pub(super) async fn plan(
    client: &Client,
    boards: &BoardPair,
    calls_end: Instant,
) -> Result<(Vec<FoundBoard>, [BoardPlan; 2]), Problem> {
    let listed = client.boards(calls_end).await?;
    let mut existing = ExistingBoards {
        boards: listed.into_iter().map(Into::into).collect(),
        parts: None,
    };
    let operations = plan_one(client, &boards.operations, &mut existing, calls_end).await?;
    let cyber_alerts = plan_one(client, &boards.cyber_alerts, &mut existing, calls_end).await?;
    Ok((existing.boards, [operations, cyber_alerts]))
}

async fn plan_one(
    client: &Client,
    desired: &DesiredBoard,
    existing: &mut ExistingBoards,
    calls_end: Instant,
) -> Result<BoardPlan, Problem> {
    let unusable = |err: BoardUnusable| Problem::refused(sentence(&err.to_string()));
    let plan = plan_board(desired, existing).map_err(unusable)?;
    let BoardPlan::Look { board } = plan else {
        return Ok(plan);
    };
    existing.parts = Some(list_parts(client, board, calls_end).await?);
    plan_board(desired, existing).map_err(unusable)
}

/// Continues to create both boards. If the process dies after any call, the next request lists what exists and goes on.
///
/// # Errors
/// When a person must correct something, or ConnectWise fails repeatedly.
pub(super) async fn provision(
    client: &Client,
    boards: &BoardPair,
    time: WorkTime,
) -> Result<BoardsProgress, Problem> {
    let total = boards.total();
    let mut provisioner = Provisioner {
        client,
        existing: None,
        completed: Vec::new(),
        rejected: None,
        failures: 0,
        finished: Vec::new(),
        time,
    };
    let operations = match provisioner.board(&boards.operations).await {
        Ok(target) => target,
        Err(interruption) => return interruption.progress(0, total),
    };
    let cyber_alerts = match provisioner.board(&boards.cyber_alerts).await {
        Ok(target) => target,
        Err(interruption) => return interruption.progress(item_count(&boards.operations), total),
    };
    Ok(BoardsProgress {
        done: total,
        total,
        doing: "both boards are ready".to_owned(),
        wait: false,
        targets: Some(BoardTargets {
            operations,
            cyber_alerts,
            parts: provisioner.finished,
        }),
    })
}

/// Why the work ends in this request.
enum Interruption {
    OutOfTime { done: usize, doing: String },
    Throttled { done: usize, seconds: u64 },
    Failed(Problem),
}

impl Interruption {
    /// The progress of both boards, after `earlier` parts of the first one.
    fn progress(self, earlier: usize, total: usize) -> Result<BoardsProgress, Problem> {
        let (done, doing, wait) = match self {
            Self::OutOfTime { done, doing } => (done, doing, false),
            Self::Throttled { done, seconds } => {
                let doing = format!("ConnectWise asks to wait {seconds} seconds");
                (done, doing, true)
            }
            Self::Failed(problem) => return Err(problem),
        };
        Ok(BoardsProgress {
            done: earlier + done,
            total,
            doing,
            wait,
            targets: None,
        })
    }
}

/// The work of one request.
struct Provisioner<'a> {
    client: &'a Client,
    /// What was listed, plus the responses of the writes since; `None` after a failure.
    existing: Option<ExistingBoards>,
    /// Steps that ConnectWise reported as completed.
    completed: Vec<BoardStep>,
    /// The step that was rejected last.
    rejected: Option<BoardStep>,
    failures: usize,
    /// The parts of complete boards.
    finished: Vec<BoardParts>,
    time: WorkTime,
}

impl Provisioner<'_> {
    /// Whether no other part is begun in this request.
    fn is_late(&self) -> bool {
        let now = Instant::now();
        now >= self.time.latest || (now >= self.time.until && !self.completed.is_empty())
    }

    async fn board(&mut self, desired: &DesiredBoard) -> Result<BoardTarget, Interruption> {
        let mut done = 0;
        loop {
            let is_late = self.is_late();
            let Some(existing) = &mut self.existing else {
                if is_late {
                    let doing = "listing the boards".to_owned();
                    return Err(Interruption::OutOfTime { done, doing });
                }
                self.list_boards(done).await?;
                continue;
            };
            let planned = next_board_step(desired, existing).map_err(|err| {
                let words = format!("{err}. Then continue here: nothing is created twice");
                Interruption::Failed(Problem::refused(sentence(&words)))
            })?;
            match planned {
                BoardDecision::Done(target) => {
                    self.finished.extend(existing.parts.clone());
                    return Ok(target);
                }
                // Not stopped at `until`: without the board's parts the progress is unknown, and
                // would fall behind what an earlier request reported.
                BoardDecision::Look { board } => {
                    match list_parts(self.client, board, self.time.calls_end).await {
                        Ok(parts) => existing.parts = Some(parts),
                        Err(err) => self.failed(&err, None, done)?,
                    }
                }
                BoardDecision::Make { step, progress } => {
                    done = progress.done;
                    if is_late {
                        let doing = doing(&step);
                        return Err(Interruption::OutOfTime { done, doing });
                    }
                    self.create(step, done).await?;
                }
            }
        }
    }

    async fn list_boards(&mut self, done: usize) -> Result<(), Interruption> {
        match self.client.boards(self.time.calls_end).await {
            Ok(boards) => {
                self.existing = Some(ExistingBoards {
                    boards: boards.into_iter().map(Into::into).collect(),
                    parts: None,
                });
                Ok(())
            }
            Err(err) => self.failed(&err, None, done),
        }
    }

    async fn create(&mut self, step: BoardStep, done: usize) -> Result<(), Interruption> {
        // ConnectWise can answer 200 and change nothing.
        if self.completed.contains(&step) {
            return Err(Interruption::Failed(Problem::refused(format!(
                "ConnectWise reported success but did not do this: {}. Do it by hand in ConnectWise, then continue here.",
                doing(&step)
            ))));
        }
        let Some(existing) = &mut self.existing else {
            return Ok(());
        };
        match create(self.client, &step, existing, self.time.calls_end).await {
            Ok(()) => {
                self.completed.push(step);
                self.rejected = None;
                Ok(())
            }
            Err(err) => self.failed(&err, Some(step), done),
        }
    }

    /// Discards what was listed. The work continues, unless a person has to correct something or
    /// too many calls failed.
    fn failed(
        &mut self,
        err: &Error,
        step: Option<BoardStep>,
        done: usize,
    ) -> Result<(), Interruption> {
        self.existing = None;
        tracing::warn!(error = %err, step = ?step, "failed to create a part of a board; listing the boards again");
        match err {
            Error::Throttled { retry_after } => {
                let seconds = retry_after.as_secs().max(1);
                return Err(Interruption::Throttled { done, seconds });
            }
            Error::MissingRight { .. }
            | Error::KeysRefused
            | Error::ClientIdRefused
            | Error::NotRouted { .. }
            | Error::EndpointMissing { .. }
            | Error::RedirectRefused { .. }
            | Error::Forbidden { .. }
            | Error::HostRefused { .. } => return Err(Interruption::Failed(problem_of(err))),
            // An earlier write of this step may have arrived late. Then it is listed now, and the
            // plan does not contain the step again.
            Error::Rejected { .. }
            | Error::TargetMissing { .. }
            | Error::NotFound { .. }
            | Error::Conflict { .. } => {
                if step.is_some() && self.rejected == step {
                    return Err(Interruption::Failed(problem_of(err)));
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
        if self.failures < MAX_FAILURES {
            Ok(())
        } else {
            Err(Interruption::Failed(problem_of(err)))
        }
    }
}

async fn list_parts(client: &Client, board: RecordId, ends: Instant) -> Result<BoardParts, Error> {
    let (statuses, types, teams) = try_join!(
        client.board_statuses(board, ends),
        client.board_types(board, ends),
        client.board_teams(board, ends),
    )?;
    Ok(BoardParts {
        board,
        statuses: statuses.into_iter().map(Into::into).collect(),
        types: types.into_iter().map(Into::into).collect(),
        teams: teams.into_iter().map(Into::into).collect(),
    })
}

/// Creates one part, and adds ConnectWise's response to what exists.
async fn create(
    client: &Client,
    step: &BoardStep,
    existing: &mut ExistingBoards,
    ends: Instant,
) -> Result<(), Error> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a person asked for these records, which are looked for before each write"
    )]
    let writer = client.setup_writer();
    let ExistingBoards { boards, parts } = existing;
    // The plan has no step for a board whose parts were not listed. If it had one, the next listing
    // would show what the step created.
    let mut unlisted = BoardParts {
        board: 0,
        statuses: Vec::new(),
        types: Vec::new(),
        teams: Vec::new(),
    };
    let parts = parts.as_mut().unwrap_or(&mut unlisted);
    match step {
        BoardStep::MakeBoard {
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
        BoardStep::MakeStatus {
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
            let status = writer.create_status(*board, &new, ends).await?;
            parts.statuses.push(status.into());
        }
        BoardStep::MakeDefault { board, status } => {
            let default = writer.make_default(*board, *status, ends).await?;
            parts.statuses.retain(|other| other.id != *status);
            parts.statuses.push(default.into());
        }
        BoardStep::MakeType { board, name, .. } => {
            let created = writer.create_type(*board, name, ends).await?;
            parts.types.push(created.into());
        }
        BoardStep::MakeTeam {
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
            let team = writer.create_team(*board, &new, ends).await?;
            parts.teams.push(team.into());
        }
    }
    Ok(())
}

/// A step in words, in the present continuous.
fn doing(step: &BoardStep) -> String {
    match step {
        BoardStep::MakeBoard { name, .. } => format!("creating the board \"{}\"", name.as_str()),
        BoardStep::MakeStatus { name, .. } => format!("creating the status \"{name}\""),
        BoardStep::MakeDefault { .. } => "making the status \"New\" the board's default".to_owned(),
        BoardStep::MakeType { name, .. } => format!("creating the ticket type \"{name}\""),
        BoardStep::MakeTeam { name, .. } => format!("creating the team \"{name}\""),
    }
}

#[cfg(test)]
mod tests;
