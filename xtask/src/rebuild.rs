//! `cargo xtask rebuild`: what an operator runs after the alerts table was restored from a backup, before the queue is read again.
//!
//! It says in the table that the table cannot be trusted, partner by partner, each by one conditional write. So it may be stopped
//! anywhere, and run again.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use domain::PartnerId;
use domain::pipeline::Schedule;
use domain::ticket_index::{TicketIndex, TicketIndexState};
use jiff::Timestamp;
use store::{AccessTable, Alerts, Due};

use crate::history::History;
use crate::place::{Place, Where};

/// Partners that are listed at a time.
const PAGE: u16 = 100;

#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "docs/operator-guide.md says what to do before and after.")]
pub(crate) struct Options {
    #[command(flatten)]
    place: Where,
    /// Only this partner; may be given several times
    #[arg(long = "partner", value_name = "ID", value_parser = partner)]
    partners: Vec<PartnerId>,
    /// Changes nothing, and tells how far each partner is
    #[arg(long)]
    dry_run: bool,
}

fn partner(text: &str) -> Result<PartnerId, String> {
    PartnerId::parse(text).map_err(|err| err.to_string())
}

/// What became of the partners.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// Their tickets are imported anew, or would be.
    pub(crate) rebuilding: usize,
    /// They have no ConnectWise yet.
    pub(crate) unconnected: usize,
    /// What failed, each with its partner.
    pub(crate) failed: Vec<String>,
}

/// Does it to every partner, and says what it did.
pub(crate) async fn run(options: Options) -> Result<()> {
    let place = options.place.open().await?;
    let told = rebuild(&place, &options.partners, options.dry_run).await?;
    let verb = match options.dry_run {
        true => "to be rebuilt",
        false => "rebuilding",
    };
    println!(
        "{} {verb}, {} without a connection, {} failed",
        told.rebuilding,
        told.unconnected,
        told.failed.len()
    );
    if options.dry_run {
        println!("nothing was changed");
    }
    if !told.failed.is_empty() {
        bail!("run it again for {}", told.failed.join(", "));
    }
    Ok(())
}

/// As `run`, told to a program; of all partners where none is named.
pub(crate) async fn rebuild(place: &Place, only: &[PartnerId], dry_run: bool) -> Result<Told> {
    let tables = Work {
        alerts: Alerts::new(&place.aws, place.alerts_table()?.to_owned()),
        access: AccessTable::new(&place.aws, place.access_table()?.to_owned()),
        history: History::of(place)?,
        due: Due::new(&place.aws, place.config_table()?.to_owned()),
        dry_run,
    };
    let mut told = Told::default();
    let mut unseen: BTreeSet<&PartnerId> = only.iter().collect();
    let mut from = None;
    loop {
        let page = tables.access.partners.page(from.as_ref(), PAGE).await?;
        for entry in page.entries {
            let named = unseen.remove(&entry.id);
            if !only.is_empty() && !named {
                continue;
            }
            match tables.rebuild(&entry.id).await {
                Ok(Done::Rebuilding(words)) => {
                    told.rebuilding += 1;
                    println!("{}: {words}", entry.id);
                }
                Ok(Done::Unconnected) => {
                    told.unconnected += 1;
                    println!("{}: no connection, nothing to rebuild", entry.id);
                }
                Err(err) => {
                    println!("{}: failed: {err:#}", entry.id);
                    told.failed.push(entry.id.to_string());
                }
            }
        }
        match page.next {
            Some(next) => from = Some(next),
            None => break,
        }
    }
    for id in unseen {
        println!("{id}: there is no such partner");
        told.failed.push(id.to_string());
    }
    Ok(told)
}

enum Done {
    Rebuilding(String),
    Unconnected,
}

struct Work {
    alerts: Alerts,
    access: AccessTable,
    history: History,
    due: Due,
    dry_run: bool,
}

impl Work {
    /// Dying between the two writes leaves a partner that is rebuilt at reconcile's own time.
    async fn rebuild(&self, partner: &PartnerId) -> Result<Done> {
        let Some(connection) = self.access.connections.get(partner).await?.value else {
            return Ok(Done::Unconnected);
        };
        let (epoch, now) = (connection.epoch, Timestamp::now());
        let before = words(self.alerts.ticket_index.get(partner).await?.as_ref());
        if self.dry_run {
            return Ok(Done::Rebuilding(format!("epoch {epoch}, {before}")));
        }
        if !self
            .alerts
            .ticket_index
            .rebuild(partner, epoch, now)
            .await?
        {
            bail!(
                "its connection is of epoch {epoch}, and the alerts table knows of a later one: {before}"
            );
        }
        self.history.add(partner, "rebuilding_began", &[]).await;
        self.due
            .bring_forward(partner, Schedule::Reconcile, now)
            .await?;
        Ok(Done::Rebuilding(format!(
            "epoch {epoch}, was {before}; is rebuilding, and reconciled at the next tick"
        )))
    }
}

fn words(ticket_index: Option<&TicketIndex>) -> String {
    let Some(ticket_index) = ticket_index else {
        return "without a memory".to_owned();
    };
    let imported = ticket_index.imported;
    match ticket_index.state {
        TicketIndexState::Complete => format!("complete, epoch {}", ticket_index.epoch),
        TicketIndexState::Rebuilding => {
            format!(
                "rebuilding, epoch {}, {imported} tickets imported",
                ticket_index.epoch
            )
        }
    }
}
