//! Whether what new tickets point at is there again.

use std::collections::HashMap;

use aws::invocation::Invocation;
use connections::{Site, View};
use connectwise::{Client, Error};
use domain::breaker::CallOutcome;
use domain::record::AlertDetails;
use domain::refusals::TargetUsability;
use domain::settings::{BoardTarget, ConnectionView};
use domain::{PartnerId, RecordId, TicketTarget};
use jiff::Timestamp;

use crate::App;

/// A thing of ConnectWise's that a ticket points at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Thing {
    Board(RecordId),
    /// Of a board, for new tickets.
    Status(RecordId, RecordId),
    /// Of a board, for tickets that are closed.
    ClosingStatus(RecordId, RecordId),
    /// Of a board.
    Type(RecordId, RecordId),
    Priority(RecordId),
    Company(RecordId),
}

/// The answers of one run: each thing is asked for once.
pub(crate) struct Targets<'a> {
    app: &'a App,
    partner: &'a PartnerId,
    site: Option<Site>,
    invocation: &'a Invocation,
    known: HashMap<Thing, TargetUsability>,
}

impl<'a> Targets<'a> {
    pub(crate) fn new(
        app: &'a App,
        partner: &'a PartnerId,
        view: &View,
        invocation: &'a Invocation,
    ) -> Self {
        Self {
            app,
            partner,
            site: view.site.clone(),
            invocation,
            known: HashMap::new(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.invocation.now()
    }

    /// Whether what a ticket of this alert points at can be used, by ConnectWise's own lists. What the settings leave open,
    /// ConnectWise chooses.
    pub(crate) async fn usable(
        &mut self,
        target: TicketTarget,
        details: Option<&AlertDetails>,
        view: &ConnectionView,
    ) -> Result<TargetUsability, store::Error> {
        for thing in things(target, details, view) {
            let usable = match self.known.get(&thing) {
                Some(usable) => *usable,
                None => self.action(thing, view).await?,
            };
            self.known.insert(thing, usable);
            if usable != TargetUsability::Yes {
                return Ok(usable);
            }
        }
        Ok(TargetUsability::Yes)
    }

    async fn action(
        &mut self,
        thing: Thing,
        view: &ConnectionView,
    ) -> Result<TargetUsability, store::Error> {
        let Some(site) = &self.site else {
            return Ok(TargetUsability::Unknown);
        };
        let connections = &self.app.connections;
        let outcome = match connections.client(self.partner, site).await {
            Ok(client) => match there(&client, thing, self.invocation).await {
                Ok(true) => return Ok(TargetUsability::Yes),
                Ok(false) => return Ok(TargetUsability::No),
                Err(err) => {
                    tracing::warn!(error = %err, thing = ?thing, "failed to check a target in ConnectWise");
                    err.call_outcome()
                }
            },
            Err(err) => {
                tracing::warn!(error = %err, "failed to make a ConnectWise client");
                err.call_outcome()
            }
        };
        match &outcome {
            CallOutcome::Works | CallOutcome::MissingRight(_) | CallOutcome::Nothing => {}
            // In trouble: nothing more is asked in this run.
            CallOutcome::Fails { .. } | CallOutcome::Throttled { .. } | CallOutcome::Refused => {
                self.site = None;
            }
        }
        let now = self.invocation.now();
        connections
            .record_outcome(self.partner, outcome, &view.breaker, now)
            .await?;
        Ok(TargetUsability::Unknown)
    }
}

/// What a ticket of this alert points at, of this sort.
fn things(
    target: TicketTarget,
    details: Option<&AlertDetails>,
    view: &ConnectionView,
) -> Vec<Thing> {
    let (Some(connection), Some(details)) = (&view.connection, details) else {
        return vec![];
    };
    let settings = &connection.settings;
    let board = settings.board(details.category);
    let of_board = |thing: fn(RecordId, RecordId) -> Thing, id: Option<RecordId>| {
        Some(thing(board.board?, id?))
    };
    let BoardTarget {
        start_status,
        closing_status,
        ..
    } = board;
    let things = match target {
        TicketTarget::Board => [board.board.map(Thing::Board), None],
        TicketTarget::Status => [
            of_board(Thing::Status, *start_status),
            of_board(Thing::ClosingStatus, *closing_status),
        ],
        TicketTarget::Type => [
            of_board(Thing::Type, board.types.get(&details.kind).copied()),
            None,
        ],
        TicketTarget::Priority => {
            let priority = settings.priorities.get(&details.severity);
            [priority.copied().map(Thing::Priority), None]
        }
        TicketTarget::Company => {
            let company = view.mapping.as_ref().and_then(|mapping| mapping.company);
            [company.map(Thing::Company), None]
        }
    };
    things.into_iter().flatten().collect()
}

async fn there(client: &Client, thing: Thing, invocation: &Invocation) -> Result<bool, Error> {
    let end = invocation.call_ends();
    let found = match thing {
        Thing::Board(id) => {
            let boards = client.boards(end).await?;
            boards
                .iter()
                .any(|board| board.id == id && !board.inactive_flag)
        }
        Thing::Status(board, id) => {
            let statuses = client.board_statuses(board, end).await?;
            statuses
                .iter()
                .any(|status| status.id == id && !status.inactive && !status.closed_status)
        }
        Thing::ClosingStatus(board, id) => {
            let statuses = client.board_statuses(board, end).await?;
            statuses
                .iter()
                .any(|status| status.id == id && !status.inactive && status.closed_status)
        }
        Thing::Type(board, id) => {
            let types = client.board_types(board, end).await?;
            types.iter().any(|of| of.id == id && !of.inactive_flag)
        }
        Thing::Priority(id) => {
            let priorities = client.priorities(end).await?;
            priorities.iter().any(|priority| priority.id == id)
        }
        Thing::Company(id) => match client.company(id, end).await {
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
    use domain::event::Severity;
    use domain::kind::Category;
    use domain::settings::{LiveConnection, Mapping, Settings};

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
            breaker: domain::breaker::Breaker::default(),
            ticket_index: None,
            source_since: None,
        }
    }

    #[test]
    fn what_is_asked_for_is_what_the_ticket_points_at() {
        let (disk, view) = (details("disk"), view());
        let asked = |target| things(target, Some(&disk), &view);
        assert_eq!(asked(TicketTarget::Board), [Thing::Board(2)]);
        let statuses = [Thing::Status(2, 21), Thing::ClosingStatus(2, 24)];
        assert_eq!(asked(TicketTarget::Status), statuses);
        assert_eq!(asked(TicketTarget::Type), [Thing::Type(2, 7)]);
        assert_eq!(asked(TicketTarget::Priority), [Thing::Priority(32)]);
        assert_eq!(asked(TicketTarget::Company), [Thing::Company(301)]);
        // What the settings do not name cannot be gone.
        assert_eq!(things(TicketTarget::Type, Some(&details("cpu")), &view), []);
    }
}
