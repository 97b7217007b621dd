//! Sends the weekly report of a partner.

use connections::{PartnerConfig, read_waiting};
use domain::SourceId;
use domain::connection::view::LiveConnection;
use domain::monitoring::figures::PartnerFigures;
use domain::monitoring::health::Health;
use domain::monitoring::issue::{IncidentScope, Issue};
use domain::monitoring::weekly_report::{WeeklyReport, may_be_due};
use domain::setup::contacts::MailKind;
use store::{SaveOutcome, Versioned};

use crate::delivery::Delivery;
use crate::mails::{self, MailContext, WeekFacts};
use crate::notifier::{NotificationContext, Notifier};
use crate::run_result::{HealthError, HealthTotals};

/// What a run knows about the partner.
pub(crate) struct ReportedPartner<'a> {
    pub(crate) config: &'a PartnerConfig,
    pub(crate) live: &'a LiveConnection,
    pub(crate) health: &'a Health,
    pub(crate) figures: &'a PartnerFigures,
}

/// Sends the weekly report, if it is due, to the contacts that chose it. If the process dies
/// after the mail and before it is recorded, the next run sends it again.
pub(crate) async fn send_weekly_report(
    notifier: &Notifier<'_>,
    context: &NotificationContext<'_>,
    of: ReportedPartner<'_>,
) -> Result<HealthTotals, HealthError> {
    let (table, partner, now) = (&notifier.connections.table, context.partner, context.now);
    let live_since = of.live.confirmed_at;
    // On most runs nothing needs to be read.
    if !may_be_due(live_since, now) {
        return Ok(HealthTotals::default());
    }
    let Versioned { value, version } = table.weekly_report.get(partner).await?;
    if !value.is_due(live_since, now) {
        return Ok(HealthTotals::default());
    }
    let Some(delivery) = Delivery::prepare(notifier, partner, MailKind::WeeklyReport).await? else {
        return Ok(HealthTotals::default());
    };
    let waiting = read_waiting(notifier.alerts, table, partner, of.config).await?;
    let mappings = of.config.mappings.values();
    let (mapped, unmapped): (Vec<_>, Vec<_>) = mappings
        .map(|mapping| mapping.clone().in_epoch(of.live.epoch))
        .partition(|mapping| mapping.company.is_some());
    let (activity, held) = tokio::try_join!(
        table.source_activity.get_all(partner),
        table.closing_holds.get_held(partner),
    )?;
    let last = |source: &SourceId| activity.get(source).and_then(|of| of.last_message_at);
    let last_messages = of.config.sources.keys();
    let last_messages = last_messages.map(|source| (source.clone(), last(source)));
    let facts = WeekFacts {
        last_messages: last_messages.collect(),
        held_closings: held.values().map(|of| u64::from(of.closings)).sum(),
        week: of.figures.week,
        waiting: &waiting,
        health: of.health,
        mapped_tenants: mapped.len(),
        unmapped_tenants: unmapped.len(),
        now,
    };
    let incidents = IncidentScope::ALL
        .into_iter()
        .filter_map(|scope| of.health.scope(scope));
    let of_issues = incidents
        .flat_map(|incident| &incident.issues)
        .filter_map(Issue::source);
    let of_waiting = waiting.items.iter().filter_map(|item| item.cause.source());
    let of_partner = of.config.sources.keys();
    let named = of_waiting.chain(of_issues).chain(of_partner);
    let sources = notifier.source_names(named).await;
    let mail = |to: MailContext<'_>| mails::weekly(to, &facts);
    let totals = delivery.send(context, &sources, mail).await;
    if totals.mails == 0 {
        return Ok(totals);
    }
    tracing::info!(mails = totals.mails, "sent the weekly report");
    let sent = WeeklyReport::sent(now);
    match table.weekly_report.save(partner, &sent, version).await? {
        SaveOutcome::Saved { .. } => Ok(totals),
        SaveOutcome::Conflict => Err(HealthError::Conflict),
    }
}
