//! Checks in ConnectWise whether the targets of new tickets can be used again.

use std::collections::HashMap;

use aws::invocation::Invocation;
use connections::ConnectionSite;
use connectwise::{Client, Error};
use domain::alert::record::AlertDetails;
use domain::connection::breaker::CallOutcome;
use domain::connection::view::ConnectionView;
use domain::setup::assignment::{FoundMember, check_owner, decide_assignee};
use domain::setup::settings::BoardTarget;
use domain::ticketing::refused_writes::TargetUsability;
use domain::{RecordId, TicketTarget};
use jiff::Timestamp;

use crate::run_context::RunContext;

/// A record of ConnectWise that a ticket refers to. Statuses, types and teams are named with their
/// board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum TargetRecord {
    Board(RecordId),
    StartStatus(RecordId, RecordId),
    ClosingStatus(RecordId, RecordId),
    Type(RecordId, RecordId),
    Priority(RecordId),
    Company(RecordId),
    Team(RecordId, RecordId),
    Owner(RecordId),
}

/// Checks targets for one run. Each record is read once.
pub(crate) struct TargetChecker<'a> {
    context: RunContext<'a>,
    /// `None` once the connection fails: this run makes no more calls.
    site: Option<ConnectionSite>,
    known: HashMap<TargetRecord, TargetUsability>,
}

impl<'a> TargetChecker<'a> {
    pub(crate) fn new(context: RunContext<'a>) -> Self {
        Self {
            context,
            site: context.view.site.clone(),
            known: HashMap::new(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.context.invocation.now()
    }

    /// Whether ConnectWise's own lists show that a ticket of this alert can use the target. What
    /// the settings leave open can be used: ConnectWise chooses it.
    pub(crate) async fn check(
        &mut self,
        target: TicketTarget,
        details: Option<&AlertDetails>,
        view: &ConnectionView,
    ) -> Result<TargetUsability, store::Error> {
        for record in target_records(target, details, view) {
            let usable = match self.known.get(&record) {
                Some(usable) => *usable,
                None => self.read(record).await?,
            };
            self.known.insert(record, usable);
            if usable != TargetUsability::Yes {
                return Ok(usable);
            }
        }
        Ok(TargetUsability::Yes)
    }

    async fn read(&mut self, record: TargetRecord) -> Result<TargetUsability, store::Error> {
        let RunContext {
            connections,
            partner,
            invocation,
            ..
        } = self.context;
        let Some(site) = &self.site else {
            return Ok(TargetUsability::Unknown);
        };
        let outcome = match connections.clients.get(partner, site).await {
            Ok(client) => match is_usable(&client, record, invocation).await {
                Ok(true) => return Ok(TargetUsability::Yes),
                Ok(false) => return Ok(TargetUsability::No),
                Err(err) => {
                    tracing::warn!(error = %err, record = ?record, "failed to check a target in ConnectWise");
                    err.classify().outcome
                }
            },
            Err(err) => {
                tracing::warn!(error = %err, "failed to make a ConnectWise client");
                err.classify().outcome
            }
        };
        match &outcome {
            CallOutcome::Works | CallOutcome::MissingRight(_) | CallOutcome::Nothing => {}
            CallOutcome::Fails { .. } | CallOutcome::Throttled { .. } | CallOutcome::Refused => {
                self.site = None;
            }
        }
        self.context.record_outcome(outcome).await?;
        Ok(TargetUsability::Unknown)
    }
}

/// The records that a ticket of this alert refers to, as this target.
fn target_records(
    target: TicketTarget,
    details: Option<&AlertDetails>,
    view: &ConnectionView,
) -> Vec<TargetRecord> {
    let (Some(connection), Some(details)) = (&view.connection, details) else {
        return vec![];
    };
    let settings = &connection.settings;
    let board = settings.board(details.category);
    let of_board = |record: fn(RecordId, RecordId) -> TargetRecord, id: Option<RecordId>| {
        Some(record(board.board?, id?))
    };
    let assignee = || {
        let mapping = view.mapping.as_ref();
        let tenant = mapping.map(|mapping| mapping.assignment);
        let alert = (details.category, &details.kind);
        decide_assignee(
            board.board,
            &board.assignment,
            alert,
            &tenant.unwrap_or_default(),
        )
    };
    let BoardTarget {
        start_status,
        closing_status,
        ..
    } = board;
    let records = match target {
        TicketTarget::Board => [board.board.map(TargetRecord::Board), None],
        TicketTarget::Status => [
            of_board(TargetRecord::StartStatus, *start_status),
            of_board(TargetRecord::ClosingStatus, *closing_status),
        ],
        TicketTarget::Type => [
            of_board(TargetRecord::Type, board.types.get(&details.kind).copied()),
            None,
        ],
        TicketTarget::Priority => {
            let priority = settings.priorities.get(&details.severity);
            [priority.copied().map(TargetRecord::Priority), None]
        }
        TicketTarget::Company => {
            let company = view.mapping.as_ref().and_then(|mapping| mapping.company);
            [company.map(TargetRecord::Company), None]
        }
        TicketTarget::Team => [of_board(TargetRecord::Team, assignee().team), None],
        TicketTarget::Owner => [assignee().owner.map(TargetRecord::Owner), None],
    };
    records.into_iter().flatten().collect()
}

async fn is_usable(
    client: &Client,
    record: TargetRecord,
    invocation: &Invocation,
) -> Result<bool, Error> {
    let end = invocation.call_ends();
    let found = match record {
        TargetRecord::Board(id) => {
            let boards = client.boards(end).await?;
            boards
                .iter()
                .any(|board| board.id == id && !board.inactive_flag)
        }
        TargetRecord::StartStatus(board, id) => {
            let statuses = client.board_statuses(board, end).await?;
            statuses
                .iter()
                .any(|status| status.id == id && !status.inactive && !status.closed_status)
        }
        TargetRecord::ClosingStatus(board, id) => {
            let statuses = client.board_statuses(board, end).await?;
            statuses
                .iter()
                .any(|status| status.id == id && !status.inactive && status.closed_status)
        }
        TargetRecord::Type(board, id) => {
            let types = client.board_types(board, end).await?;
            types.iter().any(|of| of.id == id && !of.inactive_flag)
        }
        TargetRecord::Priority(id) => {
            let priorities = client.priorities(end).await?;
            priorities.iter().any(|priority| priority.id == id)
        }
        TargetRecord::Team(board, id) => {
            let teams = client.board_teams(board, end).await?;
            teams.iter().any(|team| team.id == id)
        }
        TargetRecord::Owner(id) => {
            let members = client.members(end).await?;
            let members: Vec<_> = members.into_iter().map(FoundMember::from).collect();
            check_owner(id, &members).is_ok()
        }
        TargetRecord::Company(id) => match client.company(id, end).await {
            Ok(company) if company.deleted_flag => false,
            Ok(company) => {
                let statuses = client.company_statuses(end).await?;
                company.unfit(&statuses).is_none()
            }
            Err(Error::NotFound { .. }) => false,
            Err(err) => return Err(err),
        },
    };
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::Kind;
    use domain::alert::event::Severity;
    use domain::alert::kind::Category;
    use domain::connection::view::LiveConnection;
    use domain::maintenance::windows::MaintenanceWindows;
    use domain::setup::mapping::Mapping;
    use domain::setup::settings::Settings;

    use super::*;

    fn details(kind: &str) -> AlertDetails {
        AlertDetails {
            kind: Kind::parse(kind).unwrap(),
            category: Category::Operations,
            severity: Severity::High,
            raised_at: "2026-11-22T07:30:00Z".parse().unwrap(),
            raise_received_at: "2026-11-22T07:30:00Z".parse().unwrap(),
            previous_event_at: None,
            repeats: 0,
            expires_at: None,
        }
    }

    fn view() -> ConnectionView {
        let operations = BoardTarget {
            board: Some(2),
            start_status: Some(21),
            closing_status: Some(24),
            types: [(Kind::parse("disk").unwrap(), 7)].into(),
            ..BoardTarget::default()
        };
        let settings = Settings {
            operations,
            priorities: BTreeMap::from([(Severity::High, 32)]),
            ..Settings::default()
        };
        ConnectionView {
            connection: Some(LiveConnection {
                epoch: 1,
                confirmed_at: None,
                settings,
            }),
            mapping: Some(Mapping {
                company: Some(301),
                enabled: true,
                ..Mapping::default()
            }),
            breaker: domain::connection::breaker::Breaker::default(),
            ticket_index: None,
            source_since: None,
            maintenance: MaintenanceWindows::default(),
            admission: None,
        }
    }

    #[test]
    fn the_records_of_a_ticket_are_checked() {
        let (disk, view) = (details("disk"), view());
        let records = |target| target_records(target, Some(&disk), &view);
        assert_eq!(records(TicketTarget::Board), [TargetRecord::Board(2)]);
        let statuses = [
            TargetRecord::StartStatus(2, 21),
            TargetRecord::ClosingStatus(2, 24),
        ];
        assert_eq!(records(TicketTarget::Status), statuses);
        assert_eq!(records(TicketTarget::Type), [TargetRecord::Type(2, 7)]);
        assert_eq!(
            records(TicketTarget::Priority),
            [TargetRecord::Priority(32)]
        );
        assert_eq!(records(TicketTarget::Company), [TargetRecord::Company(301)]);
        // The settings leave the type of this kind open.
        assert_eq!(
            target_records(TicketTarget::Type, Some(&details("cpu")), &view),
            []
        );
    }
}
