//! One partner's run, under its lease: what may go on is asked for, as much as the minute allows.

use std::time::Duration;

use aws::invocation::Invocation;
use aws::queue;
use connections::{SetUp, View};
use domain::message::Message;
use domain::release::{Held, held};
use domain::{AlertKey, PartnerId, SourceId};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use store::{Cursor, Leased, PartnerItems, Progress, Stretch, Task};
use tokio::time::{Instant, timeout_at};
use tracing::Instrument as _;

use crate::App;
use crate::closing::Looked;
use crate::pacing;
use crate::targets::Targets;

/// A run is begun only with so much time for its calls.
const RUN: Duration = Duration::from_secs(6);
/// Of what is left after the last call, for giving the lease back.
const GIVING_BACK: Duration = Duration::from_secs(1);

/// A record that was asked about and stayed as it is, is asked about again after so long.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(15);
/// Records that are written side by side.
const AT_A_TIME: usize = 16;

/// What became of a partner's run.
#[derive(Debug)]
pub(crate) enum Run {
    /// It came to its end.
    Done {
        released: usize,
        commands: usize,
        left: bool,
    },
    /// It is tried again in a minute, or when its lease ends.
    Failed,
    /// Another run is on, or the partner is due no more.
    NotOurs,
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Queue(#[from] queue::Error),
    #[error("the lease went to another run")]
    Lost,
    #[error("the record {0} is changed all the time")]
    Busy(String),
    #[error(transparent)]
    Id(#[from] domain::InvalidId),
}

/// What a run found to let go.
struct Found {
    keys: Vec<AlertKey>,
    more: bool,
    /// Behind the last of them, where there are more.
    cursor: Option<Cursor>,
}

struct Released {
    count: usize,
    commands: usize,
    left: bool,
    next: Timestamp,
}

impl App {
    /// Makes the partner's run if it is due and nobody else makes it.
    pub(crate) async fn run(&self, partner: &PartnerId, invocation: &Invocation) -> Run {
        let span = tracing::info_span!("partner", partner = %partner);
        self.leased_run(partner, invocation).instrument(span).await
    }

    async fn leased_run(&self, partner: &PartnerId, invocation: &Invocation) -> Run {
        let ends = invocation.calls_end();
        if Instant::now() + RUN > ends {
            tracing::warn!("no time left, it comes at the next tick");
            return Run::Failed;
        }
        let (task, id) = (Task::Reconcile, invocation.name());
        let (now, until) = (invocation.now(), invocation.holds_until());
        let lease = self.due.lease(partner, task, id, now, until);
        let leased = match timeout_at(ends, lease).await {
            Ok(Ok(Some(leased))) => leased,
            Ok(Ok(None)) => {
                tracing::info!("due no more, or in other hands");
                return Run::NotOurs;
            }
            Ok(Err(fault)) => {
                tracing::error!(fault = %fault, "no lease");
                return Run::Failed;
            }
            Err(_) => {
                tracing::error!("no lease in time");
                return Run::Failed;
            }
        };
        let released = match timeout_at(ends, self.release(&leased, invocation)).await {
            Ok(Ok(released)) => Some(released),
            Ok(Err(fault)) => {
                tracing::error!(fault = %fault, "the run failed");
                None
            }
            Err(_) => {
                tracing::error!("the run took all the time there was");
                None
            }
        };
        let next = released
            .as_ref()
            .map_or_else(|| pacing::again(invocation.now()), |released| released.next);
        match timeout_at(ends + GIVING_BACK, self.due.finish(&leased, next)).await {
            Ok(Ok(_)) => {}
            Ok(Err(fault)) => tracing::warn!(fault = %fault, "the lease ends by itself"),
            Err(_) => tracing::warn!("the lease ends by itself"),
        }
        let Some(Released {
            count,
            commands,
            left,
            ..
        }) = released
        else {
            return Run::Failed;
        };
        if count > 0 || commands > 0 || left {
            tracing::info!(released = count, commands, left, "asked for");
        }
        Run::Done {
            released: count,
            commands,
            left,
        }
    }

    /// Asks for all that may go on to be decided again, as much as the minute allows. If the process dies in the middle, what was
    /// sent is decided again, what was not sent is found again, and both are harmless.
    async fn release(&self, leased: &Leased, invocation: &Invocation) -> Result<Released, Fault> {
        let (partner, mut progress) = (&leased.partner, leased.progress.clone());
        let mut set_up = self.connections.set_up(partner).await?;
        if let Some(breaker) = &set_up.items.breaker
            && self.connections.see_to_keys(partner, breaker).await?
        {
            set_up.items.breaker = Some(self.connections.table.breaker(partner).await?);
        }
        let view = self.widest(partner, &set_up.items).await?;
        let now = invocation.now();
        let nothing = |left, next| {
            Ok(Released {
                count: 0,
                commands: 0,
                left,
                next,
            })
        };
        let own = |progress: &Progress, left| {
            pacing::next(partner, progress, left, None, (self.period, now))
        };
        // Health closes it, and brings the next run forward then.
        if view.site.is_none() || view.view.breaker.open.is_some() {
            let idle = Progress {
                expires_at: None,
                ..progress.clone()
            };
            return nothing(false, own(&idle, false));
        }
        if let Some(until) = view.view.breaker.pause(now) {
            return nothing(false, until);
        }
        let importing = self.imported(partner, &view, invocation).await?;
        let allowance = pacing::allowance(&progress, now);
        if allowance == 0 {
            return nothing(true, own(&progress, true));
        }
        // Half of it at most, so that neither list keeps the other waiting.
        let looks = self
            .alerts
            .to_look_at(partner, now, allowance.div_ceil(2))
            .await?;
        let mut keys = looks.keys;
        let looks_count = keys.len();
        // Before the list of tickets is whole, an alert's record may be older than what its source said.
        let looked = match importing {
            true => Looked::default(),
            false => {
                let room = (allowance - keys.len()).div_ceil(2);
                self.look(leased, &view, &mut progress, room, invocation)
                    .await?
            }
        };
        let commands = looked.commands.len();
        // What is gone does not go on as well.
        let gone = looked.commands.iter().map(|command| command.key.clone());
        let known: Vec<AlertKey> = keys.iter().cloned().chain(gone).collect();
        let round = Round {
            from: progress.cursor.as_ref(),
            known: &known,
            most: allowance - keys.len() - commands,
        };
        let targets = Targets::new(self, partner, &view, invocation);
        set_up.items.breaker = Some(view.view.breaker);
        let found = self.find(partner, set_up, targets, round).await?;
        let left = looks.more || found.more || looked.left || importing;
        keys.extend(found.keys);
        let asked = keys.len() + commands;
        if asked > 0 {
            progress = pacing::taken(&progress, asked, now);
        }
        progress.cursor = found.cursor;
        if progress != leased.progress {
            // Before the messages: never more than the allowance, even if the process dies in between.
            if !self.due.keep(leased, &progress).await? {
                return Err(Fault::Lost);
            }
        }
        let count = keys.len();
        let looked_at = keys[..looks_count].to_vec();
        let commanded = looked.commands.into_iter().map(Message::Command);
        let mut messages: Vec<Message> = commanded.collect();
        messages.extend(keys.into_iter().map(Message::Reconsider));
        self.outbox.send_all(&messages).await?;
        // Asked for: whoever decides sets the next time; if nobody can, it is asked for again later, and not each minute.
        self.put_off(&looked_at, now).await?;
        let now = invocation.now();
        Ok(Released {
            count,
            commands,
            left,
            next: pacing::next(partner, &progress, left, looks.next, (self.period, now)),
        })
    }

    async fn put_off(&self, keys: &[AlertKey], now: Timestamp) -> Result<(), Fault> {
        let until = now.saturating_add(LOOK_AGAIN).unwrap_or(Timestamp::MAX);
        for some in keys.chunks(AT_A_TIME) {
            let put_off = some
                .iter()
                .map(|key| self.alerts.put_off_look(key, now, until));
            for put_off in join_all(put_off).await {
                put_off?;
            }
        }
        Ok(())
    }

    /// The blocked alerts that nothing holds up any more, beginning where the run before stopped: were one of them to stay in the
    /// list for ever, it would not keep the others waiting.
    async fn find(
        &self,
        partner: &PartnerId,
        set_up: SetUp,
        mut targets: Targets<'_>,
        round: Round<'_>,
    ) -> Result<Found, Fault> {
        let mut keys = vec![];
        let mut cursor = round.from.cloned();
        let mut views = set_up.views();
        for stretch in Stretch::round(round.from) {
            let mut listing = self.alerts.blocked_in(partner, &stretch);
            while let Some(listed) = listing.next().await? {
                let view = views.of(&listed.key);
                let about = listed.wanted.about.as_ref();
                let released = match held(&listed.blocked.reason, about, view) {
                    Held::No => true,
                    Held::Yes => false,
                    Held::ByTarget(target) => targets.are_there(target, about, view).await?,
                };
                if !released || round.known.contains(&listed.key) {
                    continue;
                }
                if keys.len() == round.most {
                    let more = true;
                    return Ok(Found { keys, more, cursor });
                }
                cursor = Some(listed.cursor());
                keys.push(listed.key);
            }
        }
        Ok(Found {
            keys,
            more: false,
            cursor: None,
        })
    }

    /// What a test alert sees, since it may go on where no other does. A partner who has not confirmed and asked for no test is left
    /// alone: nothing of its can go on.
    async fn widest(
        &self,
        partner: &PartnerId,
        items: &PartnerItems,
    ) -> Result<View, store::Error> {
        let view = View::of(items.clone(), &SourceId::of_set_up());
        let connection = items.connection.as_ref();
        if view.site.is_none() || connection.is_some_and(|connection| connection.confirmed) {
            return Ok(view);
        }
        let test = self.connections.table.test_ticket_to_change(partner);
        Ok(match test.await?.value {
            Some(_) => view,
            None => View { site: None, ..view },
        })
    }
}

/// What is looked for in one round of the list.
struct Round<'a> {
    /// Where the run before stopped.
    from: Option<&'a Cursor>,
    /// What goes on anyway.
    known: &'a [AlertKey],
    most: usize,
}
