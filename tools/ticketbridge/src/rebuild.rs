//! `ticketbridge rebuild`: an operator runs it after the alerts table was restored from a backup,
//! before the queue is read again.
//!
//! It marks the table's ticket index as incomplete, partner by partner, each with one conditional
//! write. So it may be interrupted anywhere and run again.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use domain::PartnerId;
use domain::monitoring::pipeline::Schedule;
use domain::ticketing::ticket_index::{TicketIndex, TicketIndexState};
use jiff::Timestamp;
use serde::Serialize;
use store::{AccessTable, Alerts, Due};

use crate::context::CommandContext;
use crate::history::HistoryWriter;
use crate::output::{CommandOutcome, OutputFormat};
use crate::partners::parse_partner;
use crate::target::{ResourceNames, TargetStack};

/// Partners in one page of the list.
const PAGE: u16 = 100;

#[derive(Debug, Clone, clap::Args)]
pub struct RebuildOptions {
    /// Only this partner; may be given several times
    #[arg(long = "partner", value_name = "PARTNER", value_parser = parse_partner)]
    partners: Vec<PartnerId>,
    /// Changes nothing, and shows each partner's state
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    names: ResourceNames,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct RebuildSummary {
    /// Partners whose tickets are imported again, or would be.
    pub rebuilding: usize,
    /// Partners without a ConnectWise connection.
    pub unconnected: usize,
    /// Partners that failed.
    pub failed: Vec<String>,
}

/// # Errors
/// When the stack is not found, or a partner failed.
pub async fn run(options: &RebuildOptions, context: &CommandContext) -> Result<CommandOutcome> {
    let (target, format) = (context.open(&options.names).await?, context.format);
    let summary = rebuild(&target, &options.partners, options.dry_run, format).await?;
    let verb = if options.dry_run {
        "to be rebuilt"
    } else {
        "rebuilding"
    };
    format.report(&format!(
        "{} {verb}, {} without a connection, {} failed",
        summary.rebuilding,
        summary.unconnected,
        summary.failed.len()
    ));
    if options.dry_run {
        format.report("nothing was changed");
    }
    format.print_json(&summary)?;
    if !summary.failed.is_empty() {
        bail!("run it again for {}", summary.failed.join(", "));
    }
    Ok(CommandOutcome::Done)
}

/// As [`run`], on a stack that was found already; for all partners if `only` is empty.
pub async fn rebuild(
    target: &TargetStack,
    only: &[PartnerId],
    dry_run: bool,
    format: OutputFormat,
) -> Result<RebuildSummary> {
    let rebuilder = Rebuilder {
        alerts: Alerts::new(&target.aws, target.alerts_table()?.to_owned()),
        access: AccessTable::new(&target.aws, target.access_table()?.to_owned()),
        history: HistoryWriter::new(target)?,
        due: Due::new(&target.aws, target.config_table()?.to_owned()),
        dry_run,
    };
    let mut summary = RebuildSummary::default();
    let mut unseen: BTreeSet<&PartnerId> = only.iter().collect();
    let mut from = None;
    loop {
        let page = rebuilder.access.partners.page(from.as_ref(), PAGE).await?;
        for entry in page.entries {
            let is_named = unseen.remove(&entry.id);
            if !only.is_empty() && !is_named {
                continue;
            }
            match rebuilder.rebuild(&entry.id).await {
                Ok(PartnerRebuild::Started(state)) => {
                    summary.rebuilding += 1;
                    format.report(&format!("{}: {state}", entry.id));
                }
                Ok(PartnerRebuild::Unconnected) => {
                    summary.unconnected += 1;
                    format.report(&format!("{}: no connection, nothing to rebuild", entry.id));
                }
                Err(err) => {
                    format.report(&format!("{}: failed: {err:#}", entry.id));
                    summary.failed.push(entry.id.to_string());
                }
            }
        }
        match page.next {
            Some(next) => from = Some(next),
            None => break,
        }
    }
    for id in unseen {
        format.report(&format!("{id}: no such partner"));
        summary.failed.push(id.to_string());
    }
    Ok(summary)
}

enum PartnerRebuild {
    /// With the state of the ticket index, for the operator.
    Started(String),
    Unconnected,
}

struct Rebuilder {
    alerts: Alerts,
    access: AccessTable,
    history: HistoryWriter,
    due: Due,
    dry_run: bool,
}

impl Rebuilder {
    /// If the process dies between the two writes, reconcile rebuilds the partner at its next
    /// regular time.
    async fn rebuild(&self, partner: &PartnerId) -> Result<PartnerRebuild> {
        let Some(connection) = self.access.connections.get(partner).await?.value else {
            return Ok(PartnerRebuild::Unconnected);
        };
        let (epoch, now) = (connection.epoch, Timestamp::now());
        let before = describe(self.alerts.ticket_index.get(partner).await?.as_ref());
        if self.dry_run {
            return Ok(PartnerRebuild::Started(format!("epoch {epoch}, {before}")));
        }
        if !self
            .alerts
            .ticket_index
            .rebuild(partner, epoch, now)
            .await?
        {
            bail!(
                "the connection has epoch {epoch}, but the alerts table has a later one: {before}"
            );
        }
        self.history.add(partner, "rebuilding_began", &[]).await;
        self.due
            .bring_forward(partner, Schedule::Reconcile, now)
            .await?;
        Ok(PartnerRebuild::Started(format!(
            "epoch {epoch}, was {before}; rebuilding starts at the next tick"
        )))
    }
}

fn describe(index: Option<&TicketIndex>) -> String {
    let Some(index) = index else {
        return "without a ticket index".to_owned();
    };
    let (epoch, imported) = (index.epoch, index.imported);
    match index.state {
        TicketIndexState::Complete => format!("complete, epoch {epoch}"),
        TicketIndexState::Rebuilding => {
            format!("rebuilding, epoch {epoch}, {imported} tickets imported")
        }
    }
}
