//! `ticketbridge import`: brings a partner to the set-up of a file.

use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use domain::PartnerId;
use serde::Serialize;
use serde_json::{Value, json};

use super::SetupFile;
use super::plan::{Change, Plan, plan};
use super::state::PartnerState;
use crate::context::CommandContext;
use crate::operator_api::OperatorApi;
use crate::output::{CommandOutcome, OutputFormat, one_line};
use crate::partners::parse_partner;

#[derive(Debug, Clone, Args)]
pub(crate) struct ImportOptions {
    /// The file that `ticketbridge export` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Imports it as this partner, in place of the one in the file
    #[arg(long, value_name = "PARTNER", value_parser = parse_partner)]
    partner: Option<PartnerId>,
    /// Shows what would change, and changes nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Makes the changes without asking
    #[arg(long)]
    yes: bool,
    /// Leaves out settings and tenants, which fit only the ConnectWise that they were chosen for
    #[arg(long)]
    without_connectwise: bool,
}

/// What an import did, for programs.
#[derive(Serialize)]
struct ImportResult {
    partner: PartnerId,
    changes: Vec<String>,
    remarks: Vec<String>,
    /// Whether the changes were made.
    applied: bool,
    /// New sources with their secrets, which are shown only now.
    created_sources: Vec<Value>,
}

/// # Errors
/// When the file cannot be read or does not fit. If a request fails, the changes before it are made,
/// and running the command again makes the rest.
pub(crate) async fn run(
    options: &ImportOptions,
    context: &CommandContext,
) -> Result<CommandOutcome> {
    let shown = options.file.display();
    let text = fs::read(&options.file).with_context(|| format!("cannot read {shown}"))?;
    let file = SetupFile::parse(&text).with_context(|| format!("cannot import {shown}"))?;
    let partner = options.partner.as_ref().unwrap_or(&file.partner.id);
    let (api, format) = (context.operator_api().await?, context.format);
    let state = PartnerState::read(&api, partner).await?;
    let plan = plan(partner, state.as_ref(), &file, options.without_connectwise)?;
    show(partner, &plan, format);
    let mut result = ImportResult {
        partner: partner.clone(),
        changes: plan.changes.iter().map(Change::describe).collect(),
        remarks: plan.remarks.clone(),
        applied: false,
        created_sources: vec![],
    };
    if options.dry_run {
        format.report("nothing was changed");
    } else if !plan.changes.is_empty() {
        ensure!(options.yes || is_confirmed()?, "nothing was changed");
        for change in &plan.changes {
            let answer = apply(partner, change, &api).await;
            let answer = answer.with_context(|| {
                format!("failed to {}; run the import again", change.describe())
            })?;
            format.report(&format!("done: {}", one_line(&change.describe())));
            if let Change::NewSource(_) = change {
                report_source(&answer, format);
                result.created_sources.push(created(&answer));
            }
        }
        result.applied = true;
    }
    format.print_json(&result)?;
    Ok(CommandOutcome::Done)
}

fn show(partner: &PartnerId, plan: &Plan, format: OutputFormat) {
    match plan.changes.len() {
        0 => format.report(&format!("{partner} has this set-up already")),
        _ => format.report(&format!("changes of {partner}:")),
    }
    for change in &plan.changes {
        format.report(&format!("- {}", one_line(&change.describe())));
    }
    for remark in &plan.remarks {
        format.report(&format!("note: {}", one_line(remark)));
    }
}

/// Asks the person at the terminal.
fn is_confirmed() -> Result<bool> {
    ensure!(
        io::stdin().is_terminal(),
        "give --yes to make these changes, or --dry-run to only see them"
    );
    eprint!("Make these changes? [y/N] ");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}

async fn apply(partner: &PartnerId, change: &Change, api: &OperatorApi) -> Result<Value> {
    let path = format!("partners/{partner}");
    match change {
        Change::Partner { body, .. } => api.put(&path, body).await,
        Change::Contacts(contacts) => {
            let body = json!({ "contacts": contacts });
            api.put(&format!("{path}/contacts"), &body).await
        }
        Change::MaintenanceWindow { id, body } => {
            let path = format!("{path}/maintenance-windows/{id}");
            api.put(&path, body).await
        }
        Change::NewSource(body) => api.post("sources", body).await,
        Change::Source { id, body, .. } => api.patch(&format!("sources/{id}"), body).await,
        Change::Configuration { body, .. } => api.put(&format!("{path}/configuration"), body).await,
    }
}

fn created(source: &Value) -> Value {
    json!({
        "id": source["id"],
        "name": source["name"],
        "webhook_url": source["webhook_url"],
        "secret": source["secret"],
    })
}

/// The secret is shown only now. In JSON it is part of the result.
fn report_source(source: &Value, format: OutputFormat) {
    if format == OutputFormat::Text {
        for (name, member) in [("webhook", "webhook_url"), ("secret", "secret")] {
            let value = source[member].as_str().unwrap_or_default();
            format.report(&format!("  {name}  {value}"));
        }
        format.report("  Store the secret now: it is not shown again.");
    }
}
