//! Telling the emergency contact. A mail is noted as told only after SES took it: if the process dies in between, it is sent once more,
//! and a mail that SES did not take is sent by a later tick.

use std::collections::{BTreeMap, HashMap};

use aws::mail::Mail;
use domain::health::{Health, Incident, Notice, Part};
use domain::refusals::Refusals;
use domain::settings::Mapping;
use domain::{EmailAddress, PartnerId, TenantId};
use jiff::Timestamp;
use store::{KeptHealth, Sign, Stretch};

use crate::App;
use crate::mails::{self, MailContext, Waiting};
use crate::partner::{HealthError, Mails};

/// Records that are counted for one mail, as for the page. Whoever has more waiting has other worries than their number.
const MOST: u64 = 20_000;

/// What tenants are called, where somebody said so.
pub(crate) type Names = BTreeMap<TenantId, String>;

/// What is the same for all of a run's mails.
pub(crate) struct Telling<'a> {
    pub(crate) partner: &'a PartnerId,
    pub(crate) names: &'a Names,
    pub(crate) refusals: &'a Refusals,
    pub(crate) now: Timestamp,
}

/// What waits for each part.
#[derive(Debug, Clone, Default)]
pub(crate) struct AllWaiting {
    connection: Waiting,
    set_up: Waiting,
}

impl AllWaiting {
    pub(crate) fn of(&self, part: Part) -> &Waiting {
        match part {
            Part::Connection => &self.connection,
            Part::SetUp => &self.set_up,
        }
    }
}

pub(crate) fn names(mappings: &HashMap<TenantId, Mapping>) -> Names {
    let name = |(tenant, mapping): (&TenantId, &Mapping)| {
        let name = mapping
            .name
            .clone()
            .or_else(|| mapping.company_name.clone());
        Some((tenant.clone(), name?))
    };
    mappings.iter().filter_map(name).collect()
}

impl App {
    /// The alerts that wait for a connection, or for something that was set up over it.
    pub(crate) async fn waiting(
        &self,
        partner: &PartnerId,
        refusals: &Refusals,
    ) -> Result<AllWaiting, HealthError> {
        let mut waiting = AllWaiting::default();
        let mut counted = 0;
        for stretch in Stretch::round(None) {
            let mut listing = self.alerts.blocked_in(partner, &stretch);
            while let Some(listed) = listing.next().await? {
                let Some(part) = Part::of(&listed.blocked.reason) else {
                    continue;
                };
                // A test is no alert that anybody waits for.
                if listed.key.source.is_of_set_up() {
                    continue;
                }
                let of = match part {
                    Part::Connection => &mut waiting.connection,
                    Part::SetUp => &mut waiting.set_up,
                };
                if counted == MOST {
                    (waiting.connection.more, waiting.set_up.more) = (true, true);
                    return Ok(waiting);
                }
                counted += 1;
                let about = listed.desired.details.as_ref();
                if let Some(group) = refusals.group_of(&listed.blocked, &listed.key, about) {
                    *of.refused.entry(group).or_default() += 1;
                }
                *of.tenants.entry(listed.key.tenant).or_default() += 1;
            }
        }
        Ok(waiting)
    }

    /// Sends what there is to tell of a partner's health, and notes each mail that SES took. Returns the health as it is then.
    pub(crate) async fn tell(
        &self,
        telling: &Telling<'_>,
        mut kept: KeptHealth,
        waiting: Option<AllWaiting>,
    ) -> Result<(Health, Mails), HealthError> {
        let mut mails = Mails::default();
        let notices = kept.health.notices(telling.now);
        if notices.is_empty() {
            return Ok((kept.health, mails));
        }
        let Some(to) = self.contact(telling.partner).await? else {
            tracing::warn!(
                notices = notices.len(),
                "nobody to tell: there is no emergency contact"
            );
            return Ok((kept.health, mails));
        };
        let waiting = match waiting {
            Some(waiting) => waiting,
            None => self.waiting(telling.partner, telling.refusals).await?,
        };
        let partner = self.name_of(telling.partner).await;
        for notice in notices {
            let part = notice.part();
            let Some(incident) = kept.health.part(part) else {
                continue;
            };
            let about = MailContext {
                to: to.clone(),
                partner: &partner,
                tenants: telling.names,
                origin: &self.page_origin,
            };
            let mail = mail(about, &notice, incident, waiting.of(part));
            if !self.send(&mail, telling.now).await {
                mails.failed += 1;
                continue;
            }
            mails.sent += 1;
            tracing::warn!(part = ?part, notice = notice.name(), "told");
            let told = kept.health.clone().told(&notice, telling.now);
            let table = &self.connections.table;
            let written = table.put_health(telling.partner, &kept, told).await?;
            kept = written.ok_or(HealthError::Lost)?;
        }
        Ok((kept.health, mails))
    }

    /// Tells of closings that were stopped and that nobody was told of, in one mail. If the process dies after SES took it, it is sent
    /// once more.
    pub(crate) async fn tell_of_stopped(
        &self,
        telling: &Telling<'_>,
    ) -> Result<Mails, HealthError> {
        let (table, partner) = (&self.connections.table, telling.partner);
        let mut stopped = table.stopped(partner).await?;
        stopped.retain(|_, stopped| stopped.told_at.is_none() && stopped.let_through.is_none());
        let mut mails = Mails::default();
        if stopped.is_empty() {
            return Ok(mails);
        }
        let Some(to) = self.contact(partner).await? else {
            tracing::warn!(
                stopped = stopped.len(),
                "nobody to tell: there is no emergency contact"
            );
            return Ok(mails);
        };
        let about = MailContext {
            to,
            partner: &self.name_of(partner).await,
            tenants: telling.names,
            origin: &self.page_origin,
        };
        if !self
            .send(&mails::stopped(about, &stopped), telling.now)
            .await
        {
            mails.failed += 1;
            return Ok(mails);
        }
        mails.sent += 1;
        tracing::warn!(stopped = stopped.len(), "told of what was stopped");
        for (tenant, stopped) in &stopped {
            table
                .told_of_stopped(partner, tenant, stopped.since, telling.now)
                .await?;
        }
        Ok(mails)
    }

    async fn send(&self, mail: &Mail, now: Timestamp) -> bool {
        let sent = self.mailer.send(mail).await;
        if let Err(err) = &sent {
            tracing::error!(error = %err, "a mail was not sent, and is tried again");
            self.connections.leave_sign(Sign::MailFailed, now).await;
        }
        sent.is_ok()
    }

    async fn contact(&self, partner: &PartnerId) -> Result<Option<EmailAddress>, HealthError> {
        let contact = self.connections.access.contact_to_change(partner).await?;
        Ok(contact.value.address)
    }

    /// The partner as its people call it; its id where that cannot be read, for a mail is better than none.
    async fn name_of(&self, partner: &PartnerId) -> String {
        let read = self.connections.access.partner(partner).await.ok();
        let name = read.and_then(|read| read.value).map(|partner| partner.name);
        name.unwrap_or_else(|| partner.to_string())
    }
}

fn mail(about: MailContext<'_>, notice: &Notice, incident: &Incident, waiting: &Waiting) -> Mail {
    match notice {
        Notice::Broken(part) => mails::broken(about, *part, incident, waiting),
        Notice::More(part, new) => mails::more(about, *part, incident, new, waiting),
        Notice::Reminder(part) => mails::reminder(about, *part, incident, waiting),
        Notice::Works(part) => {
            let late = incident.waited.saturating_sub(waiting.sum());
            mails::works(about, *part, incident, late, waiting)
        }
    }
}
