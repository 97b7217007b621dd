use std::time::Duration;

use aws::config::Environment;
use aws::functions::Function;
use aws::invocation::Invocation;
use aws::metrics::{Metric, count};
use aws_types::SdkConfig;
use domain::PartnerId;
use domain::time::later;
use futures_util::future::join_all;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{ConfigTable, Due, LeasedRun, OperatorEvent};
use tokio::time::{Instant, timeout_at};
use tracing::Instrument as _;

use crate::job::ScheduledJob;

/// Partners per invocation.
const GROUP: usize = 20;
/// A run starts only if this much time is left for its calls.
const MIN_TIME: Duration = Duration::from_secs(6);
/// Time reserved for releasing the lease.
const RELEASE_TIME: Duration = Duration::from_secs(1);
/// The operator is notified after this many runs of one partner died in a row. One can be a
/// deployment, or a machine that was lost.
const MAX_DEATHS: u32 = 2;

/// A function that a schedule starts.
#[derive(Debug, Clone)]
pub struct FunctionConfig {
    /// Its own name, to start further invocations.
    pub name: String,
    /// Most partners that one tick takes.
    pub partners_per_tick: usize,
}

impl FunctionConfig {
    /// Reads `PARTNERS_PER_TICK`, and Lambda's own `AWS_LAMBDA_FUNCTION_NAME`.
    pub fn read(environment: &mut Environment) -> Self {
        let partners = environment.number("PARTNERS_PER_TICK");
        Self {
            name: environment.text("AWS_LAMBDA_FUNCTION_NAME"),
            partners_per_tick: usize::try_from(partners).unwrap_or(usize::MAX),
        }
    }
}

/// Runs a job for the partners that are due.
#[derive(Debug)]
pub struct Driver<J> {
    job: J,
    due: Due,
    table: ConfigTable,
    function: Function,
    /// Most partners that one tick takes. The others are still due at the next.
    max_partners: usize,
}

/// Why an invocation ended before it ran the job.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The list of due partners cannot be read.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// `partners` is not a list of partner ids.
    #[error("`partners` is not a list of partner ids")]
    Input(#[from] serde_json::Error),
}

/// What one invocation did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct RunSummary<T> {
    /// Partners that were due, including those that were handed to other invocations.
    pub due: usize,
    /// Further invocations that were started.
    pub started: usize,
    /// Partners whose run ended well. Those that were leased elsewhere or no longer due are not
    /// counted.
    pub completed: usize,
    /// Partners whose run failed.
    pub failed: usize,
    /// What the runs did.
    #[serde(flatten)]
    pub totals: T,
}

/// The input of an invocation that another one started. Any other input is a tick of the schedule.
#[derive(Deserialize)]
struct PartnersInput {
    partners: Vec<PartnerId>,
}

/// The outcome of one partner's run.
enum RunOutcome<T> {
    Completed(T),
    Failed,
    /// The partner is leased elsewhere, or no longer due.
    Skipped,
    /// The run was started in an invocation of its own, because earlier runs died. If it dies again,
    /// it takes no other run with it.
    Isolated,
}

impl<J: ScheduledJob> Driver<J> {
    /// Drives a job of this function. Which partners are due is in the config table.
    #[must_use]
    pub fn new(job: J, aws: &SdkConfig, config_table: String, function: FunctionConfig) -> Self {
        Self {
            job,
            due: Due::new(aws, config_table.clone()),
            table: ConfigTable::new(aws, config_table),
            function: Function::new(aws, function.name),
            max_partners: function.partners_per_tick,
        }
    }

    /// Runs the partners that the input names as `{"partners": […]}`. For any other input, runs the
    /// partners that are due: the first twenty here, each further twenty in an invocation of their
    /// own.
    ///
    /// # Errors
    /// When the list of due partners cannot be read, or `partners` is malformed. The failure of one
    /// partner's run is logged, and the run is repeated later.
    pub async fn handle(
        &self,
        input: Value,
        invocation: &Invocation,
    ) -> Result<RunSummary<J::Totals>, DriverError> {
        let (partners, here) = match named_partners(input)? {
            Some(partners) => {
                let all = partners.len();
                (partners, all)
            }
            None => {
                self.job.on_tick(invocation).await;
                let now = invocation.now();
                let due = self.due.list(J::SCHEDULE, now, self.max_partners).await?;
                (due, GROUP)
            }
        };
        let is_alone = partners.len() == 1;
        let (own, others) = partners.split_at(partners.len().min(here));
        let started = join_all(others.chunks(GROUP).map(|group| self.start(group)));
        // All runs are awaited concurrently, so a slow partner does not delay another.
        let runs = own.iter().map(|partner| {
            let span = tracing::info_span!("partner", partner = %partner);
            self.run_leased(partner, is_alone, invocation)
                .instrument(span)
        });
        let (runs, started) = tokio::join!(join_all(runs), started);
        let mut summary = RunSummary {
            due: partners.len(),
            started: started.into_iter().filter(|started| *started).count(),
            ..RunSummary::default()
        };
        for run in runs {
            match run {
                RunOutcome::Completed(totals) => {
                    summary.completed += 1;
                    summary.totals += totals;
                }
                RunOutcome::Failed => summary.failed += 1,
                RunOutcome::Skipped => {}
                RunOutcome::Isolated => summary.started += 1,
            }
        }
        count(Metric::RunsFailed, summary.failed);
        tracing::info!(
            schedule = J::SCHEDULE.name(),
            due = summary.due,
            started = summary.started,
            completed = summary.completed,
            failed = summary.failed,
            totals = ?summary.totals,
            "scheduled run finished"
        );
        Ok(summary)
    }

    /// Runs one partner if it is due and not leased elsewhere. If the process dies, the lease
    /// expires.
    async fn run_leased(
        &self,
        partner: &PartnerId,
        is_alone: bool,
        invocation: &Invocation,
    ) -> RunOutcome<J::Totals> {
        let ends = invocation.calls_end();
        if Instant::now() + MIN_TIME > ends {
            tracing::warn!("no time left for this partner; it stays due");
            return RunOutcome::Failed;
        }
        let (now, until) = (invocation.now(), invocation.holds_until());
        let lease = self
            .due
            .lease(partner, J::SCHEDULE, invocation.name(), now, until);
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
        let run = async {
            self.report_deaths(&leased, invocation.now()).await;
            self.job.run(&leased, invocation).await
        };
        let retry_at = |now| later(now, self.job.retry_after());
        let (outcome, next) = match timeout_at(ends, run).await {
            Ok(Ok((totals, next))) => (RunOutcome::Completed(totals), next),
            Ok(Err(err)) => {
                tracing::error!(error = %err, "partner run failed");
                (RunOutcome::Failed, retry_at(invocation.now()))
            }
            Err(_) => {
                tracing::error!("partner run hit its deadline");
                (RunOutcome::Failed, retry_at(invocation.now()))
            }
        };
        match timeout_at(ends + RELEASE_TIME, self.due.finish(&leased, next)).await {
            Ok(Ok(_)) => {}
            Ok(Err(err)) => {
                tracing::warn!(error = %err, "failed to release the lease; it expires");
            }
            Err(_) => tracing::warn!("failed to release the lease; it expires"),
        }
        outcome
    }

    /// Releases the lease and starts an invocation for this partner alone. If the process dies in
    /// between, the partner is due again when the lease expires.
    async fn isolate(
        &self,
        leased: &LeasedRun,
        ends: Instant,
        invocation: &Invocation,
    ) -> RunOutcome<J::Totals> {
        let released = self.due.release(leased, invocation.now());
        match timeout_at(ends, released).await {
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
        if self.start(std::slice::from_ref(&leased.partner)).await {
            RunOutcome::Isolated
        } else {
            RunOutcome::Failed
        }
    }

    /// Starts a further invocation. If that fails, its partners are still due at the next tick.
    async fn start(&self, partners: &[PartnerId]) -> bool {
        let input = json!({ "partners": partners });
        let started = self.function.invoke_later(&input).await;
        if let Err(err) = &started {
            tracing::error!(error = %err, partners = partners.len(), "failed to start a further invocation");
        }
        started.is_ok()
    }

    /// Notifies the operator of runs that died, before a run that may die too. If the notification
    /// fails, the next run repeats it.
    async fn report_deaths(&self, leased: &LeasedRun, now: Timestamp) {
        if leased.died < MAX_DEATHS {
            return;
        }
        tracing::error!(died = leased.died, "runs of this partner died");
        count(Metric::RunsDied, 1);
        if let Err(err) = self
            .table
            .monitoring
            .record_event(OperatorEvent::RunsDied, now)
            .await
        {
            tracing::warn!(error = %err, "failed to record an operator event");
        }
    }
}

/// The partners that the input names, or `None` for a tick.
fn named_partners(input: Value) -> Result<Option<Vec<PartnerId>>, serde_json::Error> {
    if input.get("partners").is_none() {
        return Ok(None);
    }
    let PartnersInput { partners } = serde_json::from_value(input)?;
    Ok(Some(partners))
}
