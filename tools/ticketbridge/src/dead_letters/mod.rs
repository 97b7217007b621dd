//! `ticketbridge dead-letters`: messages that can never be processed as they are.

mod queues;
pub mod redrive;
mod show;

use anyhow::Result;
use clap::Subcommand;

use crate::context::CommandContext;
use crate::output::CommandOutcome;
use redrive::RedriveOptions;
use show::ShowOptions;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum DeadLettersCommand {
    /// Shows the dead letters of tickets and deliveries with reason, partner and age
    #[command(after_help = "Examples:
  ticketbridge dead-letters show
  ticketbridge dead-letters show --reason 'newer release' --json
  ticketbridge dead-letters show --function deliveries

SQS hides a message while it is read, so each letter is hidden for some seconds.")]
    Show(ShowOptions),
    /// Moves dead letters back into their queues, after their cause is fixed
    #[command(after_help = "Examples:
  ticketbridge dead-letters redrive --dry-run
  ticketbridge dead-letters redrive --stack-name ticketbridge
  ticketbridge dead-letters redrive --reason 'newer release'
  ticketbridge dead-letters redrive --function deliveries

It can be repeated without harm: an event that arrives twice takes effect once.")]
    Redrive(RedriveOptions),
}

/// # Errors
/// When the stack is not found, or SQS fails.
pub(crate) async fn run(
    command: &DeadLettersCommand,
    context: &CommandContext,
) -> Result<CommandOutcome> {
    match command {
        DeadLettersCommand::Show(options) => show::run(options, context).await,
        DeadLettersCommand::Redrive(options) => redrive::run(options, context).await,
    }
}
