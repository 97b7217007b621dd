//! `ticketbridge maintenance`: the maintenance windows of a partner.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use domain::maintenance::recurrence::Recurrence;
use domain::maintenance::scope::MaintenanceScope;
use domain::maintenance::window::{MaintenanceWindow, WindowDefinition};
use domain::{Kind, PartnerId, TenantId, WindowId};
use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::Deserialize;
use serde_json::json;

use crate::context::CommandContext;
use crate::output::{CommandOutcome, table, time};
use crate::partners::parse_partner;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum MaintenanceCommand {
    /// Lists the windows with their next times
    #[command(after_help = "Example:\n  ticketbridge maintenance list northwind")]
    List(PartnerOption),
    /// Adds a window that happens once, or replaces the one with this id
    #[command(after_help = "Examples:
  ticketbridge maintenance add northwind firewall --starts 2026-12-01T22:00 --zone Europe/Berlin --minutes 240
  ticketbridge maintenance add northwind servers --starts 2026-12-01T22:00 --zone UTC --tenant acme --device 'SRV-*'

Without --minutes the window lasts until it is ended, 30 days at most.
The partner's page and the API have windows that recur.")]
    Add(AddOptions),
    /// Ends the occurrence that is running. Later ones are not affected
    #[command(after_help = "Example:\n  ticketbridge maintenance end northwind firewall")]
    End(WindowOption),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct PartnerOption {
    /// The partner's id
    #[arg(value_name = "PARTNER", value_parser = parse_partner)]
    partner: PartnerId,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct WindowOption {
    #[command(flatten)]
    of: PartnerOption,
    /// The window's id: a-z, 0-9, - and _
    #[arg(value_name = "WINDOW", value_parser = |text: &str| WindowId::parse(text))]
    window: WindowId,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct AddOptions {
    #[command(flatten)]
    of: WindowOption,
    /// The name for people. Left out: the id
    #[arg(long)]
    name: Option<String>,
    /// When it begins by the clocks of the zone, such as 2026-12-01T22:00
    #[arg(long)]
    starts: DateTime,
    /// The time zone, such as Europe/Berlin
    #[arg(long)]
    zone: String,
    /// The length in minutes
    #[arg(long)]
    minutes: Option<u32>,
    /// A tenant that it covers. May be repeated. Left out: all
    #[arg(long = "tenant", value_parser = |text: &str| TenantId::parse(text))]
    tenants: Vec<TenantId>,
    /// A kind of alert that it covers. May be repeated. Left out: all
    #[arg(long = "kind", value_parser = |text: &str| Kind::parse(text))]
    kinds: Vec<Kind>,
    /// A pattern of devices that it covers, with * and ?. May be repeated. Left out: all
    #[arg(long = "device")]
    devices: Vec<String>,
}

#[derive(Deserialize)]
struct Windows {
    windows: Vec<Window>,
    #[serde(default)]
    unreadable: Vec<String>,
}

#[derive(Deserialize)]
struct Window {
    id: String,
    definition: Definition,
    next: Vec<Occurrence>,
}

#[derive(Deserialize)]
struct Definition {
    name: String,
    zone: String,
}

#[derive(Deserialize)]
struct Occurrence {
    starts_at: Timestamp,
    ends_at: Timestamp,
}

/// # Errors
/// When the stack is not found, an option makes no sense, or the API refuses the request.
pub(crate) async fn run(
    command: &MaintenanceCommand,
    context: &CommandContext,
) -> Result<CommandOutcome> {
    match command {
        MaintenanceCommand::List(PartnerOption { partner }) => list(partner, context).await?,
        MaintenanceCommand::Add(options) => add(options, context).await?,
        MaintenanceCommand::End(WindowOption { of, window }) => {
            let api = context.operator_api().await?;
            let path = format!("partners/{}/maintenance-windows/{window}/end", of.partner);
            api.post(&path, &json!({})).await?;
            let ended = json!({ "partner": of.partner, "window": window, "running": false });
            let text = || format!("{window} is not running any more");
            context.format.print(&ended, text)?;
        }
    }
    Ok(CommandOutcome::Done)
}

async fn list(partner: &PartnerId, context: &CommandContext) -> Result<()> {
    let api = context.operator_api().await?;
    let path = format!("partners/{partner}/maintenance-windows");
    let answer = api.get(&path, &[]).await?;
    let listed = Windows::deserialize(&answer)?;
    context.format.print(&answer, || render(&listed))
}

async fn add(options: &AddOptions, context: &CommandContext) -> Result<()> {
    let WindowOption { of, window } = &options.of;
    let definition = definition(options);
    // Refused here with the name of the option, before the stack is looked for.
    if let Err(err) = MaintenanceWindow::try_from(definition.clone()) {
        bail!("--{err}");
    }
    let api = context.operator_api().await?;
    let path = format!("partners/{}/maintenance-windows/{window}", of.partner);
    let saved = api.put(&path, &serde_json::to_value(definition)?).await?;
    let shown = Windows {
        windows: vec![Window::deserialize(&saved)?],
        unreadable: vec![],
    };
    context.format.print(&saved, || render(&shown))
}

fn definition(options: &AddOptions) -> WindowDefinition {
    let id = options.of.window.to_string();
    WindowDefinition {
        name: options.name.clone().unwrap_or(id),
        zone: options.zone.clone(),
        starts: options.starts,
        minutes: options.minutes,
        repeats: Recurrence::Once,
        scope: MaintenanceScope {
            tenants: options.tenants.iter().cloned().collect(),
            kinds: options.kinds.iter().cloned().collect(),
            devices: options.devices.iter().cloned().collect(),
        },
        ended_at: None,
    }
}

fn render(listed: &Windows) -> String {
    let row = |window: &Window| {
        let next = window.next.first();
        let next = next.map(|of| format!("{} to {}", time(of.starts_at), time(of.ends_at)));
        [
            window.id.clone(),
            window.definition.name.clone(),
            window.definition.zone.clone(),
            next.unwrap_or_else(|| "over".to_owned()),
        ]
    };
    let unreadable = listed.unreadable.iter().map(|id| {
        let words = "cannot be read: holds no alert".to_owned();
        [id.clone(), String::new(), String::new(), words]
    });
    let rows: Vec<_> = listed.windows.iter().map(row).chain(unreadable).collect();
    match rows.is_empty() {
        true => "There is no maintenance window.".to_owned(),
        false => table(["WINDOW", "NAME", "ZONE", "NEXT"], rows),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_shows_the_next_time_of_each_window() {
        let at = |text: &str| text.parse().unwrap();
        let window = |id: &str, next: Vec<Occurrence>| Window {
            id: id.to_owned(),
            definition: Definition {
                name: "Patch night".to_owned(),
                zone: "Europe/Berlin".to_owned(),
            },
            next,
        };
        let next = Occurrence {
            starts_at: at("2026-12-01T21:00:00Z"),
            ends_at: at("2026-12-02T05:00:00Z"),
        };
        let text = render(&Windows {
            windows: vec![window("patch", vec![next]), window("old", vec![])],
            unreadable: vec!["strange".to_owned()],
        });
        let lines: Vec<_> = text
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert!(
            lines[1].starts_with("patch Patch night Europe/Berlin 2026-12-01"),
            "{text}"
        );
        assert_eq!(lines[2], "old Patch night Europe/Berlin over");
        assert_eq!(lines[3], "strange cannot be read: holds no alert");
    }
}
