//! Notifies the contacts by mail of incidents, held closings, and waiting alerts and messages.
//!
//! A notification counts as sent once SES has accepted the mail to one contact. If the process dies
//! in between, it is sent once more. A mail that SES accepts for no contact is sent by a later tick.

use aws::mail::Mail;
use connections::{PartnerConfig, read_waiting};
use domain::monitoring::health::{Health, Incident, Notification};
use domain::monitoring::issue::Issue;
use domain::setup::contacts::MailKind;
use store::{SaveOutcome, Versioned};

use crate::blocked_counts::{BlockedCount, BlockedCounts};
use crate::delivery::Delivery;
use crate::mails::{self, MailContext};
use crate::notifier::{NotificationContext, Notifier, SourceNames};
use crate::run_result::{HealthError, HealthTotals};

/// Sends the notifications that are due, and records each that SES accepted. Returns the
/// partner's health after that.
pub(crate) async fn notify(
    notifier: &Notifier<'_>,
    context: &NotificationContext<'_>,
    mut kept: Versioned<Health>,
    blocked: Option<BlockedCounts>,
) -> Result<(Health, HealthTotals), HealthError> {
    let mut totals = HealthTotals::default();
    let notifications = kept.value.notifications(context.now);
    if notifications.is_empty() {
        return Ok((kept.value, totals));
    }
    let Some(delivery) =
        Delivery::prepare(notifier, context.partner, MailKind::BrokenConnection).await?
    else {
        tracing::warn!(
            notifications = notifications.len(),
            "no notification sent: partner has no emergency contact"
        );
        return Ok((kept.value, totals));
    };
    let blocked = match blocked {
        Some(blocked) => blocked,
        None => {
            notifier
                .count_blocked(context.partner, context.refusals)
                .await?
        }
    };
    let sources = names_of_issues(notifier, &kept.value, &notifications).await;
    for notification in notifications {
        let scope = notification.scope();
        let Some(incident) = kept.value.scope(scope) else {
            continue;
        };
        let blocked = blocked.of(scope);
        let mail = |to: MailContext<'_>| mail(to, &notification, incident, blocked);
        let sent = delivery.send(context, &sources, mail).await;
        totals += sent;
        if sent.mails == 0 {
            continue;
        }
        tracing::warn!(scope = ?scope, notification = notification.name(), "notified the emergency contacts");
        let notified = kept.value.clone().notified(&notification, context.now);
        let table = &notifier.connections.table;
        let written = table.health.save(context.partner, &kept, notified).await?;
        kept = written.ok_or(HealthError::Conflict)?;
    }
    Ok((kept.value, totals))
}

/// Notifies of held closings in one mail, unless they were notified of before.
pub(crate) async fn notify_of_holds(
    notifier: &Notifier<'_>,
    context: &NotificationContext<'_>,
) -> Result<HealthTotals, HealthError> {
    let (table, partner) = (&notifier.connections.table, context.partner);
    let mut held = table.closing_holds.get_held(partner).await?;
    held.retain(|_, held| held.notified_at.is_none() && held.approved.is_none());
    if held.is_empty() {
        return Ok(HealthTotals::default());
    }
    let Some(delivery) =
        Delivery::prepare(notifier, context.partner, MailKind::BrokenConnection).await?
    else {
        tracing::warn!(
            held = held.len(),
            "no notification sent: partner has no emergency contact"
        );
        return Ok(HealthTotals::default());
    };
    let sources = SourceNames::new();
    let mail = |to: MailContext<'_>| mails::held(to, &held);
    let totals = delivery.send(context, &sources, mail).await;
    if totals.mails == 0 {
        return Ok(totals);
    }
    tracing::warn!(
        held = held.len(),
        "notified the emergency contacts of held closings"
    );
    for (tenant, held) in &held {
        table
            .closing_holds
            .mark_notified(partner, tenant, held.since, context.now)
            .await?;
    }
    Ok(totals)
}

/// Notifies of waiting alerts and messages: at most one mail an hour, if something is new. If the
/// process dies after the mail and before it is recorded, the next run sends it again.
pub(crate) async fn notify_of_waiting(
    notifier: &Notifier<'_>,
    context: &NotificationContext<'_>,
    config: &PartnerConfig,
) -> Result<HealthTotals, HealthError> {
    let (table, partner, now) = (&notifier.connections.table, context.partner, context.now);
    let Versioned { value, version } = table.waiting.get(partner).await?;
    if !value.is_read_due(now) {
        return Ok(HealthTotals::default());
    }
    // Nothing is recorded, so that a contact that chooses these mails later gets one at once.
    let Some(delivery) =
        Delivery::prepare(notifier, context.partner, MailKind::WaitingAlerts).await?
    else {
        return Ok(HealthTotals::default());
    };
    let waiting = read_waiting(notifier.alerts, table, partner, config).await?;
    let mut notifications = value.observed(&waiting, now);
    let mut totals = HealthTotals::default();
    if let Some(due) = notifications.due(&waiting, now) {
        let sources = due.items.iter().filter_map(|item| item.cause.source());
        let sources = notifier.source_names(sources).await;
        let mail = |to: MailContext<'_>| mails::waiting(to, &due);
        totals = delivery.send(context, &sources, mail).await;
        if totals.mails == 0 {
            return Ok(totals);
        }
        tracing::warn!(
            causes = due.items.len(),
            "notified the contacts of waiting alerts and messages"
        );
        notifications = notifications.mailed(&due, now);
    }
    match table.waiting.save(partner, &notifications, version).await? {
        SaveOutcome::Saved { .. } => Ok(totals),
        SaveOutcome::Conflict => Err(HealthError::Conflict),
    }
}

/// The names of the sources that the notifications are about.
async fn names_of_issues(
    notifier: &Notifier<'_>,
    health: &Health,
    notifications: &[Notification],
) -> SourceNames {
    let incidents = notifications
        .iter()
        .filter_map(|notification| health.scope(notification.scope()));
    let issues = incidents.flat_map(|incident| &incident.issues);
    notifier
        .source_names(issues.filter_map(Issue::source))
        .await
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
