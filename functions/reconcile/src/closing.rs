//! Finds the alerts that are resolved and the tickets that differ from their records.
//!
//! Nothing here is final: the consumer of the queue reads record and ticket again. If any page of
//! ConnectWise's list fails, no difference of tickets is reported. Which alerts are resolved does
//! not depend on that list.

use aws::metrics::{Metric, count};
use domain::alert::command::Command;
use domain::closing::census::Census;
use jiff::{SignedDuration, Timestamp};
use scheduled::Period;
use store::{Alerts, LeasedRun, RunProgress};

use crate::callbacks::CallbackRegistrar;
use crate::commands::{commands, is_resolve};
use crate::error::ReconcileError;
use crate::pacing;
use crate::resolved::ResolutionFinder;
use crate::run_context::RunContext;
use crate::ticket_comparer::{Comparison, TicketComparer};

/// Finds resolved alerts and differing tickets of one partner.
pub(crate) struct Closing<'a> {
    pub(crate) context: RunContext<'a>,
    pub(crate) alerts: &'a Alerts,
    pub(crate) period: Period,
    pub(crate) snapshot_lag: SignedDuration,
    pub(crate) page_origin: &'a str,
}

impl Closing<'_> {
    /// Returns the commands to send, at most `room`, and whether there are more. Returns none
    /// unless it is time to compare, an alert expires, a snapshot arrived or a ticket changed. If
    /// the process dies here, nothing was sent, and the next run finds the same.
    pub(crate) async fn commands(
        &self,
        progress: &mut RunProgress,
        leased: &LeasedRun,
        room: usize,
    ) -> Result<(Vec<Command>, bool), ReconcileError> {
        let RunContext {
            connections,
            partner,
            view,
            invocation,
        } = self.context;
        let now = invocation.now();
        let Some(live) = &view.view.connection else {
            return Ok((vec![], false));
        };
        let changed_at = leased.ticket_changed_at;
        let must_compare = pacing::must_compare(partner, progress, changed_at, self.period, now);
        let has_expired = progress.expires_at.is_some_and(|at| at <= now);
        if !must_compare && !has_expired && !is_new(leased.snapshot_at, progress.looked_at) {
            return Ok((vec![], false));
        }
        let census = self.census().await?;
        let finder = ResolutionFinder {
            alerts: self.alerts,
            connections,
            partner,
            snapshot_lag: self.snapshot_lag,
        };
        let plan = finder.plan(&census, now).await?;
        progress.expires_at = plan.next;
        let mut proposals = plan.proposals;
        let mut left = false;
        if must_compare {
            proposals.extend(census.out_of_reach(live.epoch));
            let comparer = TicketComparer {
                context: self.context,
            };
            let tickets = census.tickets(live.epoch);
            let boards = tickets.all_boards();
            match comparer.compare(tickets, progress, room).await? {
                Comparison::Complete(differing) => {
                    proposals.extend(differing);
                    let registrar = CallbackRegistrar {
                        context: self.context,
                        origin: self.page_origin,
                    };
                    // Callbacks are only for speed, so they stop no comparison.
                    if let Err(err) = registrar.ensure(live, &boards).await {
                        tracing::error!(error = %err, "failed to check callbacks");
                    }
                }
                Comparison::Partial(differing) => {
                    proposals.extend(differing);
                    left = true;
                }
                // The next run compares again, because `compared_at` is unchanged.
                Comparison::Failed => {}
            }
        }
        left |= proposals.len() > room;
        proposals.truncate(room);
        if !left {
            progress.looked_at = Some(now);
        }
        let commands = commands(self.alerts, &proposals).await?;
        let resolves = commands.iter().filter(|command| is_resolve(command));
        count(Metric::ClosingsCommanded, resolves.count());
        Ok((commands, left))
    }

    /// The partner's alerts that are active or have an open ticket.
    async fn census(&self) -> Result<Census, store::Error> {
        let mut census = Census::default();
        for mut listing in self.alerts.lists.open_and_blocked(self.context.partner) {
            while let Some(followed) = listing.next().await? {
                let actual = followed.actual.as_ref();
                census.add(
                    &followed.key,
                    &followed.desired,
                    actual,
                    followed.occurrence,
                );
            }
        }
        Ok(census)
    }
}

/// Whether a part of a snapshot arrived since the last look.
fn is_new(snapshot_at: Option<Timestamp>, looked_at: Option<Timestamp>) -> bool {
    let Some(looked_at) = looked_at else {
        return true;
    };
    snapshot_at.is_some_and(|at| !pacing::was_read(at, looked_at))
}
