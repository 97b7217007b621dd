//! Commands to the consumer of the queue, from proposals about records.

use domain::alert::command::{Command, CommandAction};
use domain::alert::record::Record;
use domain::closing::proposal::{Proposal, ProposedAction};
use futures_util::future::join_all;
use store::Alerts;

/// Records that are read concurrently.
const CONCURRENT_READS: usize = 16;

/// The commands for these proposals. A record that changed since it was listed needs none.
pub(crate) async fn commands(
    alerts: &Alerts,
    proposals: &[Proposal],
) -> Result<Vec<Command>, store::Error> {
    let mut commands = vec![];
    for some in proposals.chunks(CONCURRENT_READS) {
        let read = some.iter().map(async |proposal| {
            let record = alerts.get_listed(&proposal.key.to_string()).await?;
            Ok::<_, store::Error>(record.and_then(|record| command(&record, &proposal.action)))
        });
        for command in join_all(read).await {
            commands.extend(command?);
        }
    }
    Ok(commands)
}

pub(crate) fn is_resolve(command: &Command) -> bool {
    match command.action {
        CommandAction::Resolve { .. } => true,
        CommandAction::Look
        | CommandAction::LookForDuplicates
        | CommandAction::Retry { .. }
        | CommandAction::OpenAgain => false,
    }
}

/// The command for a proposal, or `None` if the record is no longer what it was made for.
fn command(record: &Record, proposed: &ProposedAction) -> Option<Command> {
    let ticket_id = record.open().map(|open| open.ticket_id);
    let last = record.desired.last.clone();
    let (action, ticket_id) = match proposed {
        ProposedAction::Resolve { last: seen, shown } => {
            let last = last.filter(|last| last.occurred_at == *seen)?;
            let shown = shown.clone();
            (CommandAction::Resolve { last, shown }, ticket_id)
        }
        ProposedAction::Look(ticket) => (CommandAction::Look, Some(*ticket)),
        ProposedAction::LookForDuplicates(ticket) => {
            (CommandAction::LookForDuplicates, Some(*ticket))
        }
    };
    let command = Command {
        key: record.key.clone(),
        occurrence: record.occurrence,
        ticket_id,
        action,
    };
    command.applies_to(record).then_some(command)
}
