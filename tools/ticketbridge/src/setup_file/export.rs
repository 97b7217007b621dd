//! `ticketbridge export`: writes a partner's set-up to a file.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use domain::PartnerId;

use super::state::PartnerState;
use crate::context::CommandContext;
use crate::output::{CommandOutcome, counted, print_line};
use crate::partners::parse_partner;

#[derive(Debug, Clone, Args)]
pub(crate) struct ExportOptions {
    /// The partner's id
    #[arg(value_name = "PARTNER", value_parser = parse_partner)]
    partner: PartnerId,
    /// The file; without it, the set-up is printed
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// # Errors
/// When there is no such partner, or the file cannot be written.
pub(crate) async fn run(
    options: &ExportOptions,
    context: &CommandContext,
) -> Result<CommandOutcome> {
    let api = context.operator_api().await?;
    let partner = &options.partner;
    let state = PartnerState::read(&api, partner).await?;
    let state = state.with_context(|| format!("there is no partner {partner}"))?;
    let text = serde_json::to_string_pretty(&state.setup)? + "\n";
    for name in &state.shared_sources {
        eprintln!("left out: the source {name}, since it posts for other partners too");
    }
    match &options.output {
        Some(file) => {
            write(file, &text)?;
            let (sources, tenants) = (state.setup.sources.len(), state.setup.tenants.len());
            eprintln!(
                "{}: {partner} with {} and {}",
                file.display(),
                counted(sources as u64, "source"),
                counted(tenants as u64, "tenant")
            );
        }
        None => print_line(&text)?,
    }
    Ok(CommandOutcome::Done)
}

/// Replaces the file only once it is complete.
fn write(file: &Path, text: &str) -> Result<()> {
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(".new");
    let written = fs::write(&unfinished, text).and_then(|()| fs::rename(&unfinished, file));
    if written.is_err() {
        // It may not exist.
        let _ = fs::remove_file(&unfinished);
    }
    written.with_context(|| format!("cannot write {}", file.display()))
}
