//! Runs a scheduled task for each partner that is due. Partners are split among invocations of the same function, and each run holds a
//! lease. A run that is lost is due again at the next tick, so nothing is retried here.

use std::fmt::Display;
use std::time::Duration;

use aws::functions::Function;
use aws::invocation::Invocation;
use aws::metrics::{Metric, count};
use aws_types::SdkConfig;
use domain::PartnerId;
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{ConfigTable, Due, Leased, OperatorEvent, Task};
use tokio::time::{Instant, timeout_at};
use tracing::Instrument as _;

use crate::later;

/// Most partners that one tick takes; the others are still due at the next.
const MOST: usize = 500;
/// Partners per invocation.
const GROUP: usize = 20;
/// A run starts only if this much time is left for its calls.
const RUN: Duration = Duration::from_secs(6);
/// The operator is told after so many runs of one partner died in a row. One can be a deployment, or a machine that went away.
const TOLD_AFTER: u32 = 2;
/// Time reserved for releasing the lease.
const GIVING_BACK: Duration = Duration::from_secs(1);

/// Runs one scheduled task of one function.
#[derive(Debug)]
pub struct PartnerRuns {
    /// The partners that are due, and their leases.
    pub due: Due,
    table: ConfigTable,
    task: Task,
    itself: Function,
    /// The delay before a failed run is repeated.
    again: SignedDuration,
}

/// Why an invocation ended before it ran anything.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The list of due partners cannot be read.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// `partners` is not a list of partner ids.
    #[error("`partners` is not a list of partner ids")]
    Input(#[from] serde_json::Error),
}

/// The result of one invocation.
#[derive(Debug)]
pub struct RunReport<T> {
    /// Partners that were due, including those that were handed to other invocations.
    pub due: usize,
    /// Further invocations that were started.
    pub asked: usize,
    /// Partners whose run failed.
    pub failed: usize,
    /// The result of each run that ended. Partners that were leased elsewhere, or no longer due, have none.
    pub runs: Vec<T>,
}

/// The input of an invocation that another one started. Any other input is a tick of the schedule.
#[derive(Deserialize)]
struct Request {
    partners: Vec<PartnerId>,
}

/// The outcome of one partner's run.
enum RunOutcome<T> {
    Done(T),
    Failed,
    NotOurs,
    /// The run is started in an invocation of its own: runs before it died, and it must not take others with it.
    Isolated,
}

/// Returns the partners that an input names, as `{"partners": […]}`; `None` for a tick.
///
/// # Errors
/// When `partners` is not a list of partner ids.
pub fn requested_partners(input: Value) -> Result<Option<Vec<PartnerId>>, RunError> {
    if input.get("partners").is_none() {
        return Ok(None);
    }
    let Request { partners } = serde_json::from_value(input)?;
    Ok(Some(partners))
}

impl PartnerRuns {
    /// Creates the clients for the function and config table with these names.
    #[must_use]
    pub fn new(
        aws: &SdkConfig,
        table: String,
        function: String,
        task: Task,
        again: SignedDuration,
    ) -> Self {
        Self {
            due: Due::new(aws, table.clone()),
            table: ConfigTable::new(aws, table),
            task,
            itself: Function::new(aws, function),
            again,
        }
    }

    /// Runs the named partners, or all partners that are due: the first twenty here, each further twenty in an invocation of their own.
    /// A run returns its result and the time at which the partner is due again.
    ///
    /// # Errors
    /// When the list of due partners cannot be read. A failure for one partner is logged and retried later.
    pub async fn run_due<T, E: Display>(
        &self,
        named: Option<Vec<PartnerId>>,
        invocation: &Invocation,
        run: impl AsyncFn(&Leased) -> Result<(T, Timestamp), E>,
    ) -> Result<RunReport<T>, RunError> {
        let (partners, here) = match named {
            Some(partners) => {
                let all = partners.len();
                (partners, all)
            }
            None => {
                let due = self.due.due(self.task, invocation.now(), MOST).await?;
                (due, GROUP)
            }
        };
        let is_alone = partners.len() == 1;
        let (own, others) = partners.split_at(partners.len().min(here));
        let asked = join_all(others.chunks(GROUP).map(|group| self.ask(group)));
        // All runs are awaited concurrently, so a slow partner does not delay another.
        let runs = own.iter().map(|partner| {
            let span = tracing::info_span!("partner", partner = %partner);
            self.leased(partner, is_alone, invocation, &run)
                .instrument(span)
        });
        let (runs, asked) = tokio::join!(join_all(runs), asked);
        let mut made = RunReport {
            due: partners.len(),
            asked: asked.into_iter().filter(|asked| *asked).count(),
            failed: 0,
            runs: vec![],
        };
        for run in runs {
            match run {
                RunOutcome::Done(told) => made.runs.push(told),
                RunOutcome::Failed => made.failed += 1,
                RunOutcome::NotOurs => {}
                RunOutcome::Isolated => made.asked += 1,
            }
        }
        Ok(made)
    }

    /// Gives a lease back and starts an invocation for this partner alone. If the process dies in between, the partner is due again when
    /// the lease expires.
    async fn isolate<T>(
        &self,
        leased: &Leased,
        ends: Instant,
        invocation: &Invocation,
    ) -> RunOutcome<T> {
        let given_back = self.due.give_back(leased, invocation.now());
        match timeout_at(ends, given_back).await {
            Ok(Ok(())) => {}
            Ok(Err(err)) => {
                tracing::warn!(error = %err, "failed to give the lease back; it expires");
                return RunOutcome::Failed;
            }
            Err(_) => {
                tracing::warn!("timed out while giving the lease back; it expires");
                return RunOutcome::Failed;
            }
        }
        match self.ask(std::slice::from_ref(&leased.partner)).await {
            true => RunOutcome::Isolated,
            false => RunOutcome::Failed,
        }
    }

    /// Notifies the operator of runs that died, before a run that may die too. If the notification fails, the next run repeats it.
    async fn report_deaths(&self, leased: &Leased, now: Timestamp) {
        if leased.died < TOLD_AFTER {
            return;
        }
        tracing::error!(died = leased.died, "runs of this partner died");
        count(Metric::RunsDied, 1);
        if let Err(err) = self.table.happened(OperatorEvent::RunsDied, now).await {
            tracing::warn!(error = %err, "failed to record an operator event");
        }
    }

    /// Starts a further invocation. If that fails, its partners are still due at the next tick.
    async fn ask(&self, partners: &[PartnerId]) -> bool {
        let input = json!({ "partners": partners });
        let asked = self.itself.invoke_later(&input).await;
        if let Err(err) = &asked {
            tracing::error!(error = %err, partners = partners.len(), "failed to start a further invocation");
        }
        asked.is_ok()
    }

    /// Runs one partner if it is due and not leased elsewhere. If the process dies, the lease expires.
    async fn leased<T, E: Display>(
        &self,
        partner: &PartnerId,
        is_alone: bool,
        invocation: &Invocation,
        run: &impl AsyncFn(&Leased) -> Result<(T, Timestamp), E>,
    ) -> RunOutcome<T> {
        let ends = invocation.calls_end();
        if Instant::now() + RUN > ends {
            tracing::warn!("no time left for this partner; it stays due");
            return RunOutcome::Failed;
        }
        let (now, until) = (invocation.now(), invocation.holds_until());
        let lease = self
            .due
            .lease(partner, self.task, invocation.name(), now, until);
        let leased = match timeout_at(ends, lease).await {
            Ok(Ok(Some(leased))) => leased,
            Ok(Ok(None)) => {
                tracing::info!("partner is no longer due, or leased elsewhere");
                return RunOutcome::NotOurs;
            }
            Ok(Err(err)) => {
                tracing::error!(error = %err, "failed to take the lease");
                return RunOutcome::Failed;
            }
            Err(_) => {
                tracing::error!("timed out while taking the lease");
                return RunOutcome::Failed;
            }
        };
        if leased.died > 0 && !is_alone {
            return self.isolate(&leased, ends, invocation).await;
        }
        let reported_run = async {
            self.report_deaths(&leased, invocation.now()).await;
            run(&leased).await
        };
        let (made, next) = match timeout_at(ends, reported_run).await {
            Ok(Ok((told, next))) => (RunOutcome::Done(told), next),
            Ok(Err(err)) => {
                tracing::error!(error = %err, "partner run failed");
                (RunOutcome::Failed, later(invocation.now(), self.again))
            }
            Err(_) => {
                tracing::error!("partner run hit its deadline");
                (RunOutcome::Failed, later(invocation.now(), self.again))
            }
        };
        match timeout_at(ends + GIVING_BACK, self.due.finish(&leased, next)).await {
            Ok(Ok(_)) => {}
            Ok(Err(err)) => {
                tracing::warn!(error = %err, "failed to release the lease; it expires");
            }
            Err(_) => tracing::warn!("failed to release the lease; it expires"),
        }
        made
    }
}
