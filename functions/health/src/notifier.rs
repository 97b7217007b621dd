//! Notifies the emergency contact by mail.
//!
//! A notification counts as sent once SES has accepted the mail. If the process dies in between, it
//! is sent once more. A mail that SES does not accept is sent by a later tick.

use std::collections::{BTreeMap, HashMap};

use aws::mail::{Mail, Mailer};
use connections::Connections;
use domain::monitoring::health::{Health, Incident, Notification};
use domain::setup::mapping::Mapping;
use domain::ticketing::refused_writes::RefusalGroups;
use domain::{EmailAddress, PartnerId, SourceId, TenantId};
use jiff::Timestamp;
use store::{Alerts, OperatorEvent, Versioned};

use crate::blocked_counts::{BlockedCount, BlockedCounts};
use crate::mails::{self, MailContext};
use crate::run_result::{HealthError, HealthTotals};

/// Notifies emergency contacts.
pub(crate) struct Notifier<'a> {
    pub(crate) alerts: &'a Alerts,
    pub(crate) connections: &'a Connections,
    pub(crate) mailer: &'a Mailer,
    pub(crate) page_origin: &'a str,
}

/// What all mails of a run have in common.
pub(crate) struct NotificationContext<'a> {
    pub(crate) partner: &'a PartnerId,
    pub(crate) names: &'a TenantNames,
    pub(crate) refusals: &'a RefusalGroups,
    pub(crate) now: Timestamp,
}

/// The tenants' names, as far as they are known.
pub(crate) type TenantNames = BTreeMap<TenantId, String>;

/// The sources' names, as far as they are known.
pub(crate) type SourceNames = BTreeMap<SourceId, String>;

/// The names of tenants, or else of their companies.
pub(crate) fn tenant_names(mappings: &HashMap<TenantId, Mapping>) -> TenantNames {
    let name = |(tenant, mapping): (&TenantId, &Mapping)| {
        let name = mapping.name.as_ref().or(mapping.company_name.as_ref())?;
        Some((tenant.clone(), name.clone()))
    };
    mappings.iter().filter_map(name).collect()
}

impl Notifier<'_> {
    /// Sends the notifications that are due, and records each that SES accepted. Returns the
    /// partner's health after that.
    pub(crate) async fn notify(
        &self,
        context: &NotificationContext<'_>,
        mut kept: Versioned<Health>,
        blocked: Option<BlockedCounts>,
    ) -> Result<(Health, HealthTotals), HealthError> {
        let mut totals = HealthTotals::default();
        let notifications = kept.value.notifications(context.now);
        if notifications.is_empty() {
            return Ok((kept.value, totals));
        }
        let Some(to) = self.contact(context.partner).await? else {
            tracing::warn!(
                notifications = notifications.len(),
                "no notification sent: partner has no emergency contact"
            );
            return Ok((kept.value, totals));
        };
        let blocked = match blocked {
            Some(blocked) => blocked,
            None => {
                self.count_blocked(context.partner, context.refusals)
                    .await?
            }
        };
        let partner_name = self.name_of(context.partner).await;
        let sources = self.source_names(&kept.value, &notifications).await;
        for notification in notifications {
            let scope = notification.scope();
            let Some(incident) = kept.value.scope(scope) else {
                continue;
            };
            let mail_context = MailContext {
                to: to.clone(),
                partner: context.partner,
                partner_name: &partner_name,
                tenants: context.names,
                sources: &sources,
                origin: self.page_origin,
            };
            let mail = mail(mail_context, &notification, incident, blocked.of(scope));
            if !self.send(&mail, context.now).await {
                totals.mails_failed += 1;
                continue;
            }
            totals.mails += 1;
            tracing::warn!(scope = ?scope, notification = notification.name(), "notified the emergency contact");
            let notified = kept.value.clone().notified(&notification, context.now);
            let table = &self.connections.table;
            let written = table.health.save(context.partner, &kept, notified).await?;
            kept = written.ok_or(HealthError::Conflict)?;
        }
        Ok((kept.value, totals))
    }

    /// Notifies of held closings in one mail, unless they were notified of before.
    pub(crate) async fn notify_of_holds(
        &self,
        context: &NotificationContext<'_>,
    ) -> Result<HealthTotals, HealthError> {
        let (table, partner) = (&self.connections.table, context.partner);
        let mut held = table.closing_holds.get_held(partner).await?;
        held.retain(|_, held| held.notified_at.is_none() && held.approved.is_none());
        let mut totals = HealthTotals::default();
        if held.is_empty() {
            return Ok(totals);
        }
        let Some(to) = self.contact(partner).await? else {
            tracing::warn!(
                held = held.len(),
                "no notification sent: partner has no emergency contact"
            );
            return Ok(totals);
        };
        let mail_context = MailContext {
            to,
            partner,
            partner_name: &self.name_of(partner).await,
            tenants: context.names,
            sources: &SourceNames::new(),
            origin: self.page_origin,
        };
        let mail = mails::held(mail_context, &held);
        if !self.send(&mail, context.now).await {
            totals.mails_failed += 1;
            return Ok(totals);
        }
        totals.mails += 1;
        tracing::warn!(
            held = held.len(),
            "notified the emergency contact of held closings"
        );
        for (tenant, held) in &held {
            table
                .closing_holds
                .mark_notified(partner, tenant, held.since, context.now)
                .await?;
        }
        Ok(totals)
    }

    pub(crate) async fn count_blocked(
        &self,
        partner: &PartnerId,
        refusals: &RefusalGroups,
    ) -> Result<BlockedCounts, store::Error> {
        BlockedCounts::read(self.alerts, partner, refusals).await
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

    async fn contact(&self, partner: &PartnerId) -> Result<Option<EmailAddress>, store::Error> {
        let contact = self.connections.access.contacts.get(partner).await?;
        Ok(contact.value.address)
    }

    /// The names of the sources that the notifications are about. Without a name, a mail has the id.
    async fn source_names(&self, health: &Health, notifications: &[Notification]) -> SourceNames {
        let incidents = notifications
            .iter()
            .filter_map(|notification| health.scope(notification.scope()));
        let mut names = SourceNames::new();
        for issue in incidents.flat_map(|incident| &incident.issues) {
            if let Some(source) = issue.source()
                && names.len() < mails::MAX_NAMED
            {
                let read = self.connections.access.sources.get(source).await.ok();
                let name = read.and_then(|read| read.value).map(|source| source.name);
                names.extend(name.map(|name| (source.clone(), name)));
            }
        }
        names
    }

    /// The partner's name, or its id if the name cannot be read: the mail is sent anyway.
    async fn name_of(&self, partner: &PartnerId) -> String {
        let read = self.connections.access.partners.get(partner).await.ok();
        let name = read.and_then(|read| read.value).map(|partner| partner.name);
        name.unwrap_or_else(|| partner.to_string())
    }
}

fn mail(
    context: MailContext<'_>,
    notification: &Notification,
    incident: &Incident,
    blocked: &BlockedCount,
) -> Mail {
    match notification {
        Notification::Started(scope) => mails::broken(context, *scope, incident, blocked),
        Notification::More(scope, new) => mails::more(context, *scope, incident, new, blocked),
        Notification::Reminder(scope) => mails::reminder(context, *scope, incident, blocked),
        Notification::Resolved(scope) => {
            let late = incident.waited.saturating_sub(blocked.sum());
            mails::works(context, *scope, incident, late, blocked)
        }
    }
}
