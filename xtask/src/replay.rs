//! `cargo xtask replay`: one alert is decided again, and a person sees what its record was and what it is then.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use aws::queue::QueueSender;
use domain::message::Message;
use domain::record::{Actual, Record};
use domain::{AlertId, AlertKey, PartnerId, SourceId, TenantId};
use store::Alerts;

use crate::history::History;
use crate::place::{Place, Where};

/// How long it is waited for the record to change.
const WATCHED_FOR: Duration = Duration::from_secs(15);

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    place: Where,
    /// Whose alert it is
    #[arg(long)]
    partner: String,
    /// Its tenant, as the source names it
    #[arg(long)]
    tenant: String,
    /// The source's id, src_…
    #[arg(long)]
    source: String,
    /// The source's id of the alert
    #[arg(long)]
    alert_id: String,
    /// Only decides again: what waits for a person goes on waiting
    #[arg(long)]
    reconsider: bool,
}

/// What is asked about the alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A person lets it go on.
    Release,
    /// It is decided again.
    Reconsider,
}

/// Has the alert decided again.
///
/// # Errors
/// When an id is none, the stack is not found, or nothing is known of the alert.
pub(crate) async fn run(options: &Options) -> Result<()> {
    let key = AlertKey {
        partner: PartnerId::parse(&*options.partner).context("--partner")?,
        tenant: TenantId::parse(&*options.tenant).context("--tenant")?,
        source: SourceId::parse(&*options.source).context("--source")?,
        alert_id: AlertId::parse(&*options.alert_id).context("--alert-id")?,
    };
    let asked = match options.reconsider {
        true => Asked::Reconsider,
        false => Asked::Release,
    };
    let place = options.place.open().await?;
    replay(&place, &key, asked).await.map(drop)
}

/// As `run`, where everything is found already; returns the record as it is then.
pub(crate) async fn replay(place: &Place, key: &AlertKey, asked: Asked) -> Result<Record> {
    let alerts = Alerts::new(&place.aws, place.alerts_table()?.to_owned());
    let history = History::of(place)?;
    let Some(before) = alerts.get(key).await? else {
        bail!(
            "no such alert is recorded: {key}. What never came in cannot be replayed; have the source send it again"
        )
    };
    println!("before  {}", sketch(&before));
    let message = match asked {
        Asked::Release => Message::Release(key.clone()),
        Asked::Reconsider => Message::Reconsider(key.clone()),
    };
    let queue = QueueSender::new(&place.aws, place.queue_url()?.to_owned());
    queue.send_all(&[message]).await?;
    let what = match asked {
        Asked::Release => "released",
        Asked::Reconsider => "reconsidered",
    };
    let detail = [
        ("tenant", key.tenant.to_string()),
        ("source", key.source.to_string()),
        ("alert", key.alert_id.to_string()),
    ];
    history.add(&key.partner, what, &detail).await;
    let begun = Instant::now();
    let mut pause = tokio::time::interval(Duration::from_millis(500));
    let mut now = before.clone();
    // A claim is somebody at work.
    while begun.elapsed() < WATCHED_FOR && (now == before || now.claim.is_some()) {
        pause.tick().await;
        now = alerts.get(key).await?.context("the record is gone")?;
    }
    match now == before {
        true => println!("after   the same: nothing was to be done, or it is not its turn yet"),
        false => println!("after   {}", sketch(&now)),
    }
    Ok(now)
}

/// A record in a line.
fn sketch(record: &Record) -> String {
    let desired = match record.desired.active {
        true => "there",
        false => "gone",
    };
    let actual = match &record.actual {
        None => "no ticket".to_owned(),
        Some(Actual::Open(open)) => format!("ticket {} open", open.ticket_id),
        Some(Actual::Closed(closed)) => format!("ticket {} closed", closed.ticket_id),
    };
    let mut sketch = format!("the alert is {desired}; {actual}");
    if let Some(blocked) = &record.blocked {
        sketch = format!(
            "{sketch}; blocked since {:.0}: {}",
            blocked.since, blocked.reason
        );
    }
    if let Some(claim) = &record.claim {
        sketch = format!(
            "{sketch}; {:?} under way until {:.0}",
            claim.op, claim.until
        );
    }
    format!(
        "{sketch}; occurrence {}, revision {}",
        record.occurrence, record.rev
    )
}
