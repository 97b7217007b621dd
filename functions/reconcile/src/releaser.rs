//! Finds the blocked alerts that may go on.

use std::collections::BTreeMap;

use connections::PartnerConfig;
use domain::alert::release::{BlockStatus, block_status};
use domain::ticketing::refused_writes::{RefusalSurvey, RefusedAlert, fingerprint};
use domain::{AlertKey, Blocked, PartnerId};
use jiff::Timestamp;
use store::{Alerts, BlockedCursor, BlockedRange, RunProgress};

use crate::storms::OpenStorms;
use crate::targets::TargetChecker;

/// Finds the blocked alerts of one partner that may go on.
pub(crate) struct Releaser<'a> {
    pub(crate) alerts: &'a Alerts,
    pub(crate) config: &'a PartnerConfig,
    pub(crate) storms: &'a OpenStorms,
}

/// The limits of one round through the list of blocked alerts.
pub(crate) struct Round<'a> {
    /// Alerts that go on anyway.
    pub(crate) known: &'a [AlertKey],
    pub(crate) most: usize,
    pub(crate) now: Timestamp,
}

/// The alerts that a round found.
pub(crate) struct Released {
    pub(crate) keys: Vec<AlertKey>,
    pub(crate) more: bool,
    /// Where the next round continues, if there are more.
    pub(crate) cursor: Option<BlockedCursor>,
    /// The alerts that ConnectWise refused, as far as the list was read.
    pub(crate) survey: RefusalSurvey,
}

impl Releaser<'_> {
    /// Reads the blocked alerts, from where the last run stopped: an alert that never leaves the
    /// list does not delay the others.
    pub(crate) async fn find(
        &self,
        partner: &PartnerId,
        progress: &RunProgress,
        round: Round<'_>,
    ) -> Result<Released, store::Error> {
        let mut found = Released {
            keys: vec![],
            more: false,
            cursor: progress.cursor.clone(),
            survey: RefusalSurvey::default(),
        };
        let mut views = self.config.views();
        for stretch in BlockedRange::all_from(progress.cursor.as_ref()) {
            let mut listing = self.alerts.lists.blocked_in(partner, &stretch);
            while let Some(listed) = listing.next().await? {
                let view = views.of(&listed.key);
                let details = listed.desired.details.as_ref();
                let (tenant, reason) = (&listed.key.tenant, &listed.blocked.reason);
                let is_left_over = matches!(
                    reason, Blocked::Storm(id) if !self.storms.contains(tenant, id)
                );
                let status = match is_left_over {
                    true => BlockStatus::Cleared,
                    false => block_status(&listed.blocked, details, view, round.now),
                };
                match status {
                    BlockStatus::Cleared if !round.known.contains(&listed.key) => {}
                    BlockStatus::Cleared | BlockStatus::Blocked => continue,
                    BlockStatus::Refused => {
                        let refused = RefusedAlert {
                            key: listed.key,
                            occurrence: listed.occurrence,
                            at: listed.blocked.since,
                            details: listed.desired.details,
                        };
                        found
                            .survey
                            .add(&progress.refusals, refused, &listed.blocked);
                        continue;
                    }
                }
                if found.keys.len() == round.most {
                    found.more = true;
                    return Ok(found);
                }
                found.cursor = Some(listed.cursor());
                found.keys.push(listed.key);
            }
        }
        found.cursor = None;
        Ok(found)
    }

    /// Applies the results of earlier retries, and whether the partner changed its configuration.
    /// If the process dies right after, the next run finds the same.
    pub(crate) async fn settle_retries(
        &self,
        progress: &mut RunProgress,
        now: Timestamp,
    ) -> Result<(), store::Error> {
        let refusals = &mut progress.refusals;
        let settings = self.config.items.settings.as_ref();
        refusals.note_configuration(fingerprint(settings, self.config.mappings.iter()), now);
        let retried: Vec<AlertKey> = refusals.retried().cloned().collect();
        for key in retried {
            let record = self.alerts.get(&key).await?;
            refusals.apply_retry(&key, record.as_ref(), now);
        }
        Ok(())
    }

    /// The refused alerts to retry now. `room` says whether the whole list was read, and how many
    /// alerts may go on.
    pub(crate) async fn retries(
        &self,
        progress: &mut RunProgress,
        survey: RefusalSurvey,
        room: (bool, usize),
        targets: &mut TargetChecker<'_>,
    ) -> Result<Vec<RefusedAlert>, store::Error> {
        let now = targets.now();
        let mut views = self.config.views();
        let mut usable = BTreeMap::new();
        for question in progress.refusals.questions(&survey, now) {
            let (target, refused) = (question.target, question.refused);
            let view = views.of(&refused.key);
            let details = refused.details.as_ref();
            let answer = targets.check(target.target(), details, view).await?;
            usable.insert(target.clone(), answer);
        }
        Ok(progress.refusals.next(survey, &usable, room, now))
    }
}
