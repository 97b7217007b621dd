//! `ticketbridge replay`: has one alert evaluated again, and shows its record before and after.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use aws::queue::QueueSender;
use domain::alert::record::{Actual, Record};
use domain::wire::message::Message;
use domain::{AlertId, AlertKey, PartnerId, SourceId, TenantId};
use store::Alerts;

use crate::context::CommandContext;
use crate::history::HistoryWriter;
use crate::output::{CommandOutcome, OutputFormat};
use crate::partners::parse_partner;
use crate::target::{ResourceNames, TargetStack};

/// How long the command waits for the record to change.
const WATCH_FOR: Duration = Duration::from_secs(15);

#[derive(Debug, Clone, clap::Args)]
pub struct ReplayOptions {
    /// The partner's id
    #[arg(long, value_parser = parse_partner)]
    partner: PartnerId,
    /// The tenant's id, as the source sends it
    #[arg(long)]
    tenant: String,
    /// The source's id, src_…
    #[arg(long)]
    source: String,
    /// The alert's id, as the source sends it
    #[arg(long)]
    alert_id: String,
    /// Only evaluates the alert: an alert that waits for a person keeps waiting
    #[arg(long)]
    reconsider: bool,
    #[command(flatten)]
    names: ResourceNames,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayMode {
    /// As if a person released the alert.
    Release,
    /// Evaluates it without releasing it.
    Reconsider,
}

/// # Errors
/// When an id is invalid, the stack is not found, or the alert has no record.
pub async fn run(options: &ReplayOptions, context: &CommandContext) -> Result<CommandOutcome> {
    let key = AlertKey {
        partner: options.partner.clone(),
        tenant: TenantId::parse(&*options.tenant).context("--tenant")?,
        source: SourceId::parse(&*options.source).context("--source")?,
        alert_id: AlertId::parse(&*options.alert_id).context("--alert-id")?,
    };
    let mode = if options.reconsider {
        ReplayMode::Reconsider
    } else {
        ReplayMode::Release
    };
    let (target, format) = (context.open(&options.names).await?, context.format);
    let record = replay(&target, &key, mode, format).await?;
    format.print_json(&record)?;
    Ok(CommandOutcome::Done)
}

/// As [`run`], on a stack that was found already. Returns the record as it is afterwards.
pub async fn replay(
    target: &TargetStack,
    key: &AlertKey,
    mode: ReplayMode,
    format: OutputFormat,
) -> Result<Record> {
    let alerts = Alerts::new(&target.aws, target.alerts_table()?.to_owned());
    let history = HistoryWriter::new(target)?;
    let Some(before) = alerts.get(key).await? else {
        bail!(
            "the alert has no record: {key}. An alert whose event never arrived cannot be \
             replayed; have the source send it again"
        )
    };
    format.report(&format!("before  {}", describe(&before)));
    let (message, what) = match mode {
        ReplayMode::Release => (Message::Release(key.clone()), "released"),
        ReplayMode::Reconsider => (Message::Reconsider(key.clone()), "reconsidered"),
    };
    let queue = QueueSender::new(&target.aws, target.queue_url()?.to_owned());
    queue.send_all(&[message]).await?;
    let detail = [
        ("tenant", key.tenant.to_string()),
        ("source", key.source.to_string()),
        ("alert", key.alert_id.to_string()),
    ];
    history.add(&key.partner, what, &detail).await;
    let started = Instant::now();
    let mut pause = tokio::time::interval(Duration::from_millis(500));
    let mut now = before.clone();
    // A claim means that a function is working on the alert.
    while started.elapsed() < WATCH_FOR && (now == before || now.claim.is_some()) {
        pause.tick().await;
        now = alerts.get(key).await?.context("the record was deleted")?;
    }
    if now == before {
        format.report("after   unchanged: there was nothing to do, or it is not due yet");
    } else {
        format.report(&format!("after   {}", describe(&now)));
    }
    Ok(now)
}

/// A record in one line.
fn describe(record: &Record) -> String {
    let alert = if record.desired.active {
        "active"
    } else {
        "resolved"
    };
    let ticket = match &record.actual {
        None => "no ticket".to_owned(),
        Some(Actual::Open(open)) => format!("ticket {} open", open.ticket_id),
        Some(Actual::Closed(closed)) => format!("ticket {} closed", closed.ticket_id),
    };
    let mut line = format!("alert {alert}; {ticket}");
    if let Some(blocked) = &record.blocked {
        line = format!(
            "{line}; blocked since {:.0}: {}",
            blocked.since, blocked.reason
        );
    }
    if let Some(claim) = &record.claim {
        line = format!(
            "{line}; {:?} in progress until {:.0}",
            claim.op, claim.until
        );
    }
    format!(
        "{line}; occurrence {}, revision {}",
        record.occurrence, record.rev
    )
}
