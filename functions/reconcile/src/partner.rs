//! One partner's run, under its lease: what may go on is asked for, as much as the minute allows.

use std::collections::BTreeMap;

use aws::invocation::Invocation;
use aws::queue;
use connections::{PartnerConfig, View};
use domain::command::{Command, CommandAction};
use domain::message::Message;
use domain::refusals::{RefusalSurvey, RefusedAlert, fingerprint};
use domain::release::{BlockStatus, block_status};
use domain::{AlertKey, PartnerId, SourceId};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use store::{Cursor, Leased, PartnerItems, Progress, Stretch};

use crate::App;
use crate::closing::Looked;
use crate::pacing;
use crate::targets::Targets;

/// A record that was asked about and stayed as it is, is asked about again after so long.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(15);
/// Records that are written side by side.
const AT_A_TIME: usize = 16;

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReconcileError {
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
struct ReleaseScan {
    keys: Vec<AlertKey>,
    more: bool,
    /// Behind the last of them, where there are more.
    cursor: Option<Cursor>,
    /// The alerts that ConnectWise refused, as far as the list was read.
    survey: RefusalSurvey,
}

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Run {
    /// Alerts that it asked to be decided again.
    pub(crate) released: usize,
    /// Commands that it gave.
    pub(crate) commands: usize,
    /// Whether more is left than may go at once.
    pub(crate) left: bool,
}

impl App {
    /// Asks for all that may go on to be decided again, as much as the minute allows. If the process dies in the middle, what was
    /// sent is decided again, what was not sent is found again, and both are harmless.
    pub(crate) async fn run(
        &self,
        leased: &Leased,
        invocation: &Invocation,
    ) -> Result<(Run, Timestamp), ReconcileError> {
        let (partner, mut progress) = (&leased.partner, leased.progress.clone());
        self.connections.table.recount_unmapped(partner).await?;
        let mut set_up = self.connections.set_up(partner).await?;
        if let Some(breaker) = &set_up.items.breaker
            && self.connections.check_key_version(partner, breaker).await?
        {
            set_up.items.breaker = Some(self.connections.table.breaker(partner).await?);
        }
        let view = self.widest(partner, &set_up.items).await?;
        let now = invocation.now();
        let nothing = |left, next| {
            let run = Run {
                released: 0,
                commands: 0,
                left,
            };
            Ok((run, next))
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
        self.settle_retries(&set_up, &mut progress, now).await?;
        let round = Round {
            from: progress.cursor.as_ref(),
            known: &known,
            most: allowance - keys.len() - commands,
            now,
        };
        let mut targets = Targets::new(self, partner, &view, invocation);
        set_up.items.breaker = Some(view.view.breaker);
        let found = self.find(&set_up, &progress, partner, round).await?;
        let left = looks.more || found.more || looked.left || importing;
        keys.extend(found.keys);
        let room = (!found.more, allowance - keys.len() - commands);
        let retries = retries(&set_up, &mut progress, found.survey, room, &mut targets).await?;
        let asked = keys.len() + commands + retries.len();
        if asked > 0 {
            progress = pacing::taken(&progress, asked, now);
        }
        progress.cursor = found.cursor;
        if progress != leased.progress {
            // Before the messages: never more than the allowance, even if the process dies in between.
            if !self.runs.due.keep(leased, &progress).await? {
                return Err(ReconcileError::Lost);
            }
        }
        if leased.progress.refusals.notified() != progress.refusals.notified() {
            // If the process dies before, health sees it at its own time.
            self.connections.schedule_probe(partner, now).await?;
        }
        let count = keys.len() + retries.len();
        let looked_at = keys[..looks_count].to_vec();
        let commanded = looked.commands.into_iter().map(Message::Command);
        let mut messages: Vec<Message> = commanded.collect();
        messages.extend(keys.into_iter().map(Message::Reconsider));
        messages.extend(retries.into_iter().map(retry));
        self.queue.send_all(&messages).await?;
        // Asked for: whoever decides sets the next time; if nobody can, it is asked for again later, and not each minute.
        self.put_off(&looked_at, now).await?;
        let now = invocation.now();
        if count > 0 || commands > 0 || left {
            tracing::info!(
                released = count,
                commands,
                left,
                "queued releases and commands"
            );
        }
        let run = Run {
            released: count,
            commands,
            left,
        };
        let look = progress.refusals.next_at(now).into_iter();
        let look = look.chain(looks.next).min();
        let next = pacing::next(partner, &progress, left, look, (self.period, now));
        Ok((run, next))
    }

    async fn put_off(&self, keys: &[AlertKey], now: Timestamp) -> Result<(), ReconcileError> {
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

    /// Takes in what became of the refused alerts that were retried, and whether the partner changed its set-up. If the process dies
    /// right after, the next run finds the same.
    async fn settle_retries(
        &self,
        set_up: &PartnerConfig,
        progress: &mut Progress,
        now: Timestamp,
    ) -> Result<(), store::Error> {
        let refusals = &mut progress.refusals;
        let chosen = fingerprint(set_up.items.settings.as_ref(), set_up.mappings.iter());
        refusals.note_configuration(chosen, now);
        let retried: Vec<AlertKey> = refusals.retried().cloned().collect();
        for key in retried {
            let record = self.alerts.get(&key).await?;
            refusals.apply_retry(&key, record.as_ref(), now);
        }
        Ok(())
    }

    /// The blocked alerts that nothing holds up any more, beginning where the run before stopped: were one of them to stay in the
    /// list for ever, it would not keep the others waiting.
    async fn find(
        &self,
        set_up: &PartnerConfig,
        progress: &Progress,
        partner: &PartnerId,
        round: Round<'_>,
    ) -> Result<ReleaseScan, ReconcileError> {
        let mut keys = vec![];
        let mut cursor = round.from.cloned();
        let mut views = set_up.views();
        let mut survey = RefusalSurvey::default();
        for stretch in Stretch::round(round.from) {
            let mut listing = self.alerts.blocked_in(partner, &stretch);
            while let Some(listed) = listing.next().await? {
                let view = views.of(&listed.key);
                let details = listed.desired.details.as_ref();
                match block_status(&listed.blocked, details, view, round.now) {
                    BlockStatus::Cleared if !round.known.contains(&listed.key) => {}
                    BlockStatus::Cleared | BlockStatus::Blocked => continue,
                    BlockStatus::Refused => {
                        let refused = RefusedAlert {
                            key: listed.key,
                            occurrence: listed.occurrence,
                            at: listed.blocked.since,
                            details: listed.desired.details,
                        };
                        survey.add(&progress.refusals, refused, &listed.blocked);
                        continue;
                    }
                }
                if keys.len() == round.most {
                    return Ok(ReleaseScan {
                        keys,
                        more: true,
                        cursor,
                        survey,
                    });
                }
                cursor = Some(listed.cursor());
                keys.push(listed.key);
            }
        }
        Ok(ReleaseScan {
            keys,
            more: false,
            cursor: None,
            survey,
        })
    }

    /// What a test alert sees, since it may go on where no other does. A partner who has not confirmed and asked for no test is left
    /// alone: nothing of its can go on.
    async fn widest(
        &self,
        partner: &PartnerId,
        items: &PartnerItems,
    ) -> Result<View, store::Error> {
        let view = View::of(items.clone(), &SourceId::for_test_alerts());
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

/// The refused alerts that are retried now. `room` says whether the whole list was read, and how many may go.
async fn retries(
    set_up: &PartnerConfig,
    progress: &mut Progress,
    survey: RefusalSurvey,
    room: (bool, usize),
    targets: &mut Targets<'_>,
) -> Result<Vec<RefusedAlert>, store::Error> {
    let now = targets.now();
    let mut views = set_up.views();
    let mut usable = BTreeMap::new();
    for question in progress.refusals.questions(&survey, now) {
        let (target, refused) = (question.target, question.refused);
        let view = views.of(&refused.key);
        let details = refused.details.as_ref();
        let answer = targets.usable(target.target(), details, view).await?;
        usable.insert(target.clone(), answer);
    }
    Ok(progress.refusals.next(survey, &usable, room, now))
}

/// Asks for a refused alert to be retried.
fn retry(refused: RefusedAlert) -> Message {
    Message::Command(Command {
        key: refused.key,
        occurrence: refused.occurrence,
        ticket_id: None,
        action: CommandAction::Retry {
            refused_at: refused.at,
        },
    })
}

/// What is looked for in one round of the list.
struct Round<'a> {
    /// Where the run before stopped.
    from: Option<&'a Cursor>,
    /// What goes on anyway.
    known: &'a [AlertKey],
    most: usize,
    now: Timestamp,
}
