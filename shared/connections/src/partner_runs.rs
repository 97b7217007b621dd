//! Runs a scheduled task for each partner that is due. Partners are split among invocations of the
//! same function, and each run holds a lease. A run that is lost is due again at the next tick, so
//! nothing is retried here.

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

use crate::schedule::later;

/// Most partners that one tick runs. The others are still due at the next tick.
const MAX_PARTNERS: usize = 500;
/// Partners per invocation.
const GROUP_SIZE: usize = 20;
/// A run starts only if this much time is left for its calls.
const MIN_RUN_TIME: Duration = Duration::from_secs(6);
/// The operator is notified after this many runs of one partner died in a row. A single one can be
/// due to a deployment or a lost machine.
const DEATHS_TO_REPORT: u32 = 2;
/// Time reserved for releasing the lease.
const RELEASE_TIME: Duration = Duration::from_secs(1);

/// Runs one scheduled task of one function.
#[derive(Debug)]
pub struct PartnerRuns {
    pub due: Due,
    table: ConfigTable,
    task: Task,
    /// This function, for further invocations.
    function: Function,
    /// How long after a failure a run is repeated.
    retry_delay: SignedDuration,
}

/// Why an invocation ended before it ran anything.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("`partners` is not a list of partner ids")]
    Input(#[from] serde_json::Error),
}

/// The result of one invocation.
#[derive(Debug)]
pub struct RunReport<T> {
    /// Partners that were due, including those of other invocations.
    pub due: usize,
    /// Further invocations that were started.
    pub asked: usize,
    /// Partners whose run failed.
    pub failed: usize,
    /// The results of the runs that succeeded.
    pub runs: Vec<T>,
}

/// The input of an invocation that another one started. Any other input is a tick of the schedule.
#[derive(Deserialize)]
struct GroupInput {
    partners: Vec<PartnerId>,
}

/// The outcome of one partner's run.
enum RunOutcome<T> {
    Done(T),
    Failed,
    /// The partner is leased elsewhere, or no longer due.
    Skipped,
    /// The run continues in an invocation of its own: earlier runs died, and must not end others
    /// too.
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
    let GroupInput { partners } = serde_json::from_value(input)?;
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
        retry_delay: SignedDuration,
    ) -> Self {
        Self {
            due: Due::new(aws, table.clone()),
            table: ConfigTable::new(aws, table),
            task,
            function: Function::new(aws, function),
            retry_delay,
        }
    }

    /// Runs the named partners, or all that are due: the first twenty here, and each further twenty
    /// in another invocation. A run returns its result and the time at which the partner is due
    /// again.
    ///
    /// # Errors
    /// When the list of due partners cannot be read. A failure for one partner is logged and
    /// retried later.
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
                let due = self
                    .due
                    .due(self.task, invocation.now(), MAX_PARTNERS)
                    .await?;
                (due, GROUP_SIZE)
            }
        };
        let is_alone = partners.len() == 1;
        let (own, others) = partners.split_at(partners.len().min(here));
        let invocations = join_all(
            others
                .chunks(GROUP_SIZE)
                .map(|group| self.start_invocation(group)),
        );
        // All runs are awaited concurrently, so a slow partner does not delay another.
        let runs = own.iter().map(|partner| {
            let span = tracing::info_span!("partner", partner = %partner);
            self.run_leased(partner, is_alone, invocation, &run)
                .instrument(span)
        });
        let (outcomes, started) = tokio::join!(join_all(runs), invocations);
        let mut report = RunReport {
            due: partners.len(),
            asked: started.into_iter().filter(|started| *started).count(),
            failed: 0,
            runs: vec![],
        };
        for outcome in outcomes {
            match outcome {
                RunOutcome::Done(result) => report.runs.push(result),
                RunOutcome::Failed => report.failed += 1,
                RunOutcome::Skipped => {}
                RunOutcome::Isolated => report.asked += 1,
            }
        }
        Ok(report)
    }

    /// Releases a lease and starts an invocation for this partner alone. If the process dies in
    /// between, the partner is due again when the lease expires.
    async fn isolate<T>(
        &self,
        leased: &Leased,
        ends: Instant,
        invocation: &Invocation,
    ) -> RunOutcome<T> {
        let release = self.due.give_back(leased, invocation.now());
        match timeout_at(ends, release).await {
            Ok(Ok(())) => {}
            Ok(Err(err)) => {
                tracing::warn!(error = %err, "failed to release the lease; it expires");
                return RunOutcome::Failed;
            }
            Err(_) => {
                tracing::warn!("timed out while releasing the lease; it expires");
                return RunOutcome::Failed;
            }
        }
        if self
            .start_invocation(std::slice::from_ref(&leased.partner))
            .await
        {
            RunOutcome::Isolated
        } else {
            RunOutcome::Failed
        }
    }

    /// Reports runs that died to the operator, before a run that may die too. If that fails, the
    /// next run repeats it.
    async fn report_deaths(&self, leased: &Leased, now: Timestamp) {
        if leased.died < DEATHS_TO_REPORT {
            return;
        }
        tracing::error!(died = leased.died, "runs of this partner died");
        count(Metric::RunsDied, 1);
        if let Err(err) = self.table.happened(OperatorEvent::RunsDied, now).await {
            tracing::warn!(error = %err, "failed to record an operator event");
        }
    }

    /// Starts another invocation for these partners. If that fails, they are still due at the next
    /// tick.
    async fn start_invocation(&self, partners: &[PartnerId]) -> bool {
        let input = json!({ "partners": partners });
        let started = self.function.invoke_later(&input).await;
        if let Err(err) = &started {
            tracing::error!(
                error = %err,
                partners = partners.len(),
                "failed to start a further invocation"
            );
        }
        started.is_ok()
    }

    /// Runs one partner if it is due and not leased elsewhere. If the process dies, the lease
    /// expires.
    async fn run_leased<T, E: Display>(
        &self,
        partner: &PartnerId,
        is_alone: bool,
        invocation: &Invocation,
        run: &impl AsyncFn(&Leased) -> Result<(T, Timestamp), E>,
    ) -> RunOutcome<T> {
        let ends = invocation.calls_end();
        if Instant::now() + MIN_RUN_TIME > ends {
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
                return RunOutcome::Skipped;
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
        let (outcome, next) = match timeout_at(ends, reported_run).await {
            Ok(Ok((result, next))) => (RunOutcome::Done(result), next),
            Ok(Err(err)) => {
                tracing::error!(error = %err, "partner run failed");
                (
                    RunOutcome::Failed,
                    later(invocation.now(), self.retry_delay),
                )
            }
            Err(_) => {
                tracing::error!("partner run hit its deadline");
                (
                    RunOutcome::Failed,
                    later(invocation.now(), self.retry_delay),
                )
            }
        };
        match timeout_at(ends + RELEASE_TIME, self.due.finish(&leased, next)).await {
            Ok(Ok(_)) => {}
            Ok(Err(err)) => {
                tracing::warn!(error = %err, "failed to release the lease; it expires");
            }
            Err(_) => tracing::warn!("timed out while releasing the lease; it expires"),
        }
        outcome
    }
}
