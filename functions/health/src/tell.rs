//! Telling the emergency contact. A mail is noted as told only after SES took it: if the process dies in between, it is sent once more,
//! and a mail that SES did not take is sent by a later tick.

use std::collections::{BTreeMap, HashMap};

use aws::mail::Mail;
use domain::health::{Health, Incident, IncidentScope, Notification};
use domain::refusals::RefusalGroups;
use domain::settings::Mapping;
use domain::{EmailAddress, PartnerId, TenantId};
use jiff::Timestamp;
use store::{KeptHealth, OperatorEvent, Stretch};

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
    pub(crate) refusals: &'a RefusalGroups,
    pub(crate) now: Timestamp,
}

/// What waits for each part.
#[derive(Debug, Clone, Default)]
pub(crate) struct AllWaiting {
    connection: Waiting,
    set_up: Waiting,
}

impl AllWaiting {
    pub(crate) fn of(&self, scope: IncidentScope) -> &Waiting {
        match scope {
            IncidentScope::Connection => &self.connection,
            IncidentScope::PartnerConfig => &self.set_up,
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
        refusals: &RefusalGroups,
    ) -> Result<AllWaiting, HealthError> {
        let mut waiting = AllWaiting::default();
        let mut counted = 0;
        for stretch in Stretch::round(None) {
            let mut listing = self.alerts.blocked_in(partner, &stretch);
            while let Some(listed) = listing.next().await? {
                let Some(scope) = IncidentScope::for_reason(&listed.blocked.reason) else {
                    continue;
                };
                // A test is no alert that anybody waits for.
                if listed.key.source.is_for_test_alerts() {
                    continue;
                }
                let of = match scope {
                    IncidentScope::Connection => &mut waiting.connection,
                    IncidentScope::PartnerConfig => &mut waiting.set_up,
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
        let notifications = kept.health.notifications(telling.now);
        if notifications.is_empty() {
            return Ok((kept.health, mails));
        }
        let Some(to) = self.contact(telling.partner).await? else {
            tracing::warn!(
                notifications = notifications.len(),
                "no notification sent: partner has no emergency contact"
            );
            return Ok((kept.health, mails));
        };
        let waiting = match waiting {
            Some(waiting) => waiting,
            None => self.waiting(telling.partner, telling.refusals).await?,
        };
        let partner = self.name_of(telling.partner).await;
        for notification in notifications {
            let scope = notification.scope();
            let Some(incident) = kept.health.scope(scope) else {
                continue;
            };
            let about = MailContext {
                to: to.clone(),
                partner: &partner,
                tenants: telling.names,
                origin: &self.page_origin,
            };
            let mail = mail(about, &notification, incident, waiting.of(scope));
            if !self.send(&mail, telling.now).await {
                mails.failed += 1;
                continue;
            }
            mails.sent += 1;
            tracing::warn!(scope = ?scope, notification = notification.name(), "notified the emergency contact");
            let notified = kept.health.clone().notified(&notification, telling.now);
            let table = &self.connections.table;
            let written = table.put_health(telling.partner, &kept, notified).await?;
            kept = written.ok_or(HealthError::Lost)?;
        }
        Ok((kept.health, mails))
    }

    /// Tells of closings that were stopped and that nobody was told of, in one mail. If the process dies after SES took it, it is sent
    /// once more.
    pub(crate) async fn notify_of_holds(
        &self,
        telling: &Telling<'_>,
    ) -> Result<Mails, HealthError> {
        let (table, partner) = (&self.connections.table, telling.partner);
        let mut held = table.held_closings(partner).await?;
        held.retain(|_, held| held.notified_at.is_none() && held.approved.is_none());
        let mut mails = Mails::default();
        if held.is_empty() {
            return Ok(mails);
        }
        let Some(to) = self.contact(partner).await? else {
            tracing::warn!(
                held = held.len(),
                "no notification sent: partner has no emergency contact"
            );
            return Ok(mails);
        };
        let about = MailContext {
            to,
            partner: &self.name_of(partner).await,
            tenants: telling.names,
            origin: &self.page_origin,
        };
        if !self.send(&mails::held(about, &held), telling.now).await {
            mails.failed += 1;
            return Ok(mails);
        }
        mails.sent += 1;
        tracing::warn!(
            held = held.len(),
            "notified the emergency contact of held closings"
        );
        for (tenant, held) in &held {
            table
                .hold_notified(partner, tenant, held.since, telling.now)
                .await?;
        }
        Ok(mails)
    }

    async fn send(&self, mail: &Mail, now: Timestamp) -> bool {
        let sent = self.mailer.send(mail).await;
        if let Err(err) = &sent {
            tracing::error!(error = %err, "failed to send a mail; the next run retries it");
            self.connections
                .report_event(OperatorEvent::MailFailed, now)
                .await;
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

fn mail(
    about: MailContext<'_>,
    notification: &Notification,
    incident: &Incident,
    waiting: &Waiting,
) -> Mail {
    match notification {
        Notification::Started(scope) => mails::broken(about, *scope, incident, waiting),
        Notification::More(scope, new) => mails::more(about, *scope, incident, new, waiting),
        Notification::Reminder(scope) => mails::reminder(about, *scope, incident, waiting),
        Notification::Resolved(scope) => {
            let late = incident.waited.saturating_sub(waiting.sum());
            mails::works(about, *scope, incident, late, waiting)
        }
    }
}
