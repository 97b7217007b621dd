//! `ticketbridge version`: the version of this program and, if a stack is named, of its functions.

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use crate::context::CommandContext;
use crate::output::CommandOutcome;

#[derive(Debug, Clone, Args)]
pub(crate) struct VersionOptions {
    /// Also asks the stack for the version of its functions
    #[arg(long)]
    stack: bool,
}

/// # Errors
/// When the stack is not found, or its API refuses the request.
pub(crate) async fn run(
    options: &VersionOptions,
    context: &CommandContext,
) -> Result<CommandOutcome> {
    let mut document = json!({ "version": env!("CARGO_PKG_VERSION") });
    if options.stack {
        let api = context.operator_api().await?;
        document["functions"] = api.get("version", &[]).await?["version"].take();
    }
    context.format.print(&document, || render(&document))?;
    Ok(CommandOutcome::Done)
}

fn render(document: &Value) -> String {
    let own = document["version"].as_str().unwrap_or_default();
    match document["functions"].as_str() {
        Some(functions) => format!("ticketbridge {own}\nfunctions    {functions}"),
        None => format!("ticketbridge {own}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_functions_version_is_shown_if_it_was_read() {
        assert_eq!(render(&json!({ "version": "1.2.3" })), "ticketbridge 1.2.3");
        let both = json!({ "version": "1.2.3", "functions": "1.2.2" });
        assert_eq!(render(&both), "ticketbridge 1.2.3\nfunctions    1.2.2");
    }
}
