//! `ticketbridge links`: links to a partner's page, and the end of its sessions.

use anyhow::Result;
use clap::{Args, Subcommand};
use domain::PartnerId;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use crate::context::CommandContext;
use crate::output::{CommandOutcome, time};
use crate::partners::parse_partner;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum LinksCommand {
    /// Creates a link to the partner's page, which works once
    #[command(after_help = "Examples:
  ticketbridge links create northwind
  ticketbridge links create northwind --hours 72

Send the link to the partner's admin by a safe channel: the first person who opens it gets a session.")]
    Create(CreateOptions),
    /// Ends all sessions of the partner, and makes all of its links void
    #[command(after_help = "Example:\n  ticketbridge links end-sessions northwind")]
    EndSessions(PartnerOption),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct CreateOptions {
    #[command(flatten)]
    of: PartnerOption,
    /// How many hours the link is valid: 1 to 72
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u8).range(1..=72))]
    hours: u8,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct PartnerOption {
    /// The partner's id
    #[arg(value_name = "PARTNER", value_parser = parse_partner)]
    partner: PartnerId,
}

#[derive(Deserialize)]
struct NewLink {
    url: String,
    expires_at: Timestamp,
}

/// # Errors
/// When the stack is not found, or its API refuses the request.
pub(crate) async fn run(
    command: &LinksCommand,
    context: &CommandContext,
) -> Result<CommandOutcome> {
    let api = context.operator_api().await?;
    match command {
        LinksCommand::Create(options) => {
            let path = format!("partners/{}/links", options.of.partner);
            let created = api.post(&path, &json!({ "hours": options.hours })).await?;
            let link = NewLink::deserialize(&created)?;
            let text = format!("{}\nvalid once, until {}", link.url, time(link.expires_at));
            context.format.print(&created, || text)?;
        }
        LinksCommand::EndSessions(PartnerOption { partner }) => {
            api.delete(&format!("partners/{partner}/sessions")).await?;
            let ended = json!({ "partner": partner, "sessions_ended": true });
            let text = || format!("{partner}: all sessions are ended, and all links are void");
            context.format.print(&ended, text)?;
        }
    }
    Ok(CommandOutcome::Done)
}
