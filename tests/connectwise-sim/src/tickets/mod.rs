//! Service tickets: their stored form, small so that 100,000 of them stay fast, and their form in
//! responses. The files below create, change and read them.

pub(crate) mod actions;
pub(crate) mod audit;
pub(crate) mod changelog;
pub(crate) mod configurations;
pub(crate) mod create;
mod custom_fields;
mod draft;
pub(crate) mod notes;
pub(crate) mod patch;
pub(crate) mod read;
pub(crate) mod related;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::clock;
use crate::conditions::Scalar;
use crate::faults::ReferenceSearch;
use crate::listing::{Row, scalar};
use crate::render;
use crate::seed::Board;
use crate::site::{Caller, Site};

use audit::AuditEntry;
use changelog::Change;

/// All tickets and their notes, by the ticket's id.
#[derive(Debug)]
pub(crate) struct Tickets {
    by_id: BTreeMap<i64, Ticket>,
    notes: BTreeMap<i64, Vec<Note>>,
    /// The configurations that a ticket is linked to, by the ticket's id.
    configurations: BTreeMap<i64, BTreeSet<i64>>,
    audit: BTreeMap<i64, Vec<AuditEntry>>,
    changes: VecDeque<Change>,
    /// Changes that no callback was considered for yet.
    unreported: Vec<ChangedTicket>,
    next_ticket: i64,
    next_note: i64,
    next_change: i64,
}

/// One ticket. References are ids; names are looked up for responses.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    pub(crate) id: i64,
    pub(crate) summary: String,
    pub(crate) board: i64,
    pub(crate) status: i64,
    pub(crate) company: i64,
    pub(crate) kind: Option<i64>,
    pub(crate) priority: i64,
    pub(crate) external_x_ref: Option<String>,
    pub(crate) closed: Option<Stamp>,
    pub(crate) entered: Stamp,
    pub(crate) updated: Stamp,
    /// Members without their own rule, as they are returned.
    pub(crate) other: Map<String, Value>,
}

impl Ticket {
    fn is_owned_by(&self, caller: &Caller) -> bool {
        let owner = self.other.get("owner").and_then(|owner| owner.get("id"));
        owner.and_then(Value::as_i64) == Some(caller.id)
    }
}

/// Author and time.
#[derive(Clone, Debug)]
pub(crate) struct Stamp {
    pub(crate) at: Timestamp,
    pub(crate) by: String,
}

/// One note of a ticket.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub(crate) id: i64,
    pub(crate) text: String,
    pub(crate) detail_description: bool,
    pub(crate) internal_analysis: bool,
    pub(crate) resolution: bool,
    pub(crate) created: Stamp,
    pub(crate) kind: NoteKind,
}

/// How a ticket changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TicketChange {
    Added,
    Updated,
    Deleted,
}

/// A change, for callbacks.
#[derive(Clone, Debug)]
pub(crate) struct ChangedTicket {
    pub(crate) id: i64,
    pub(crate) change: TicketChange,
    /// The ticket's board after the change.
    pub(crate) board: i64,
    /// The identifier of the member who changed it last.
    pub(crate) by: String,
}

/// What a note belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoteKind {
    Note,
    /// A customer's contact wrote it.
    Reply,
    /// Only `/allNotes` shows it.
    TimeEntry,
}

impl Tickets {
    pub(crate) fn starting_at(first: i64) -> Self {
        Self {
            by_id: BTreeMap::new(),
            notes: BTreeMap::new(),
            configurations: BTreeMap::new(),
            audit: BTreeMap::new(),
            changes: VecDeque::new(),
            unreported: Vec::new(),
            next_ticket: first,
            next_note: 1,
            next_change: 1,
        }
    }

    pub(crate) fn get(&self, id: i64) -> Option<&Ticket> {
        self.by_id.get(&id)
    }

    /// In ascending order of ids.
    pub(crate) fn all(&self) -> impl DoubleEndedIterator<Item = &Ticket> {
        self.by_id.values()
    }

    pub(crate) fn notes(&self, ticket: i64) -> &[Note] {
        self.notes.get(&ticket).map_or(&[], Vec::as_slice)
    }

    /// The next ticket's id.
    fn new_id(&mut self) -> i64 {
        let id = self.next_ticket;
        self.next_ticket += 1;
        id
    }

    fn put(&mut self, ticket: Ticket) {
        let id = ticket.id;
        let after = ticket.clone();
        let before = self.by_id.insert(id, ticket);
        self.audit_change(before.as_ref(), &after);
        let change = match before {
            Some(_) => TicketChange::Updated,
            None => TicketChange::Added,
        };
        self.changed(id, change);
        self.report(&after, change);
    }

    fn remove(&mut self, id: i64) -> bool {
        self.notes.remove(&id);
        self.configurations.remove(&id);
        self.audit.remove(&id);
        self.changed(id, TicketChange::Deleted);
        let removed = self.by_id.remove(&id);
        if let Some(ticket) = &removed {
            self.report(ticket, TicketChange::Deleted);
        }
        removed.is_some()
    }

    fn report(&mut self, ticket: &Ticket, change: TicketChange) {
        self.unreported.push(ChangedTicket {
            id: ticket.id,
            change,
            board: ticket.board,
            by: ticket.updated.by.clone(),
        });
    }

    /// The changes since the last call.
    pub(crate) fn take_unreported(&mut self) -> Vec<ChangedTicket> {
        std::mem::take(&mut self.unreported)
    }

    fn notes_mut(&mut self, ticket: i64) -> &mut Vec<Note> {
        self.notes.entry(ticket).or_default()
    }

    /// Adds a note under a new id.
    fn add_note(&mut self, ticket: i64, mut note: Note) -> Note {
        note.id = self.next_note;
        self.next_note += 1;
        self.notes.entry(ticket).or_default().push(note.clone());
        note
    }
}

/// A ticket with the site, which has the names of its references.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TicketRow<'w> {
    pub(crate) site: &'w Site,
    pub(crate) ticket: &'w Ticket,
}

impl<'w> TicketRow<'w> {
    fn board(&self) -> Option<&'w Board> {
        self.site.setup.board(self.ticket.board)
    }

    pub(crate) fn board_name(&self) -> Option<&'w str> {
        self.board().map(|board| board.name.as_str())
    }

    pub(crate) fn status_name(&self) -> Option<&'w str> {
        let status = self.board()?.status(self.ticket.status)?;
        Some(&status.name)
    }

    pub(crate) fn type_name(&self) -> Option<&'w str> {
        let kind = self.board()?.kind(self.ticket.kind?)?;
        Some(&kind.name)
    }

    pub(crate) fn company_name(&self) -> Option<&'w str> {
        self.site
            .setup
            .company(self.ticket.company)
            .map(|company| company.name.as_str())
    }

    pub(crate) fn priority_name(&self) -> Option<&'w str> {
        self.site
            .setup
            .priority(self.ticket.priority)
            .map(|priority| priority.name.as_str())
    }
}

impl Row for TicketRow<'_> {
    fn id(&self) -> i64 {
        self.ticket.id
    }

    fn field(&self, path: &str) -> Scalar<'_> {
        let ticket = self.ticket;
        match path.strip_prefix("_info/").unwrap_or(path) {
            "id" => Scalar::integer(ticket.id),
            "summary" => Scalar::text(&ticket.summary),
            "externalXRef" => {
                let reference = ticket.external_x_ref.as_deref();
                match self.site.faults.variants.reference_search {
                    ReferenceSearch::IgnoresCase => Scalar::optional_text(reference),
                    ReferenceSearch::Exact => reference.map_or(Scalar::Null, Scalar::exact_text),
                }
            }
            "closedFlag" => Scalar::Boolean(ticket.closed.is_some()),
            "closedDate" => ticket
                .closed
                .as_ref()
                .map_or(Scalar::Null, |closed| Scalar::Date(closed.at)),
            "closedBy" => {
                Scalar::optional_text(ticket.closed.as_ref().map(|closed| closed.by.as_str()))
            }
            "dateEntered" => Scalar::Date(ticket.entered.at),
            "enteredBy" => Scalar::text(&ticket.entered.by),
            "lastUpdated" => Scalar::Date(ticket.updated.at),
            "updatedBy" => Scalar::text(&ticket.updated.by),
            "board/id" => Scalar::integer(ticket.board),
            "board/name" => Scalar::optional_text(self.board_name()),
            "status/id" => Scalar::integer(ticket.status),
            "status/name" => Scalar::optional_text(self.status_name()),
            "company/id" => Scalar::integer(ticket.company),
            "company/name" => Scalar::optional_text(self.company_name()),
            "company/identifier" => {
                let company = self.site.setup.company(ticket.company);
                Scalar::optional_text(company.map(|company| company.identifier.as_str()))
            }
            "type/id" => ticket.kind.map_or(Scalar::Null, Scalar::integer),
            "type/name" => Scalar::optional_text(self.type_name()),
            "priority/id" => Scalar::integer(ticket.priority),
            "priority/name" => Scalar::optional_text(self.priority_name()),
            other => {
                let mut steps = other.split('/');
                let first = steps.next().and_then(|member| ticket.other.get(member));
                let found = first
                    .and_then(|first| steps.try_fold(first, |value, member| value.get(member)));
                found.map_or(Scalar::Null, scalar)
            }
        }
    }

    fn record(&self) -> Value {
        let Self { site, ticket } = *self;
        let board = self.board();
        let mut info = render::ticket_links(site, ticket.id);
        if let Some(info) = info.as_object_mut() {
            info.insert(
                "dateEntered".to_owned(),
                json!(clock::format(ticket.entered.at)),
            );
            info.insert("enteredBy".to_owned(), json!(ticket.entered.by));
            info.insert(
                "lastUpdated".to_owned(),
                json!(clock::format(ticket.updated.at)),
            );
            info.insert("updatedBy".to_owned(), json!(ticket.updated.by));
        }
        let mut record = json!({
            "id": ticket.id,
            "summary": ticket.summary,
            "recordType": "ServiceTicket",
            "board": board.map(|board| render::board_reference(site, board)),
            "status": board.and_then(|board| {
                let status = board.status(ticket.status)?;
                Some(render::status_reference(site, board.id, status))
            }),
            "company": site.setup.company(ticket.company).map(|company| render::company_reference(site, company)),
            "type": board.and_then(|board| {
                let kind = board.kind(ticket.kind?)?;
                Some(render::type_reference(site, board.id, kind))
            }),
            "priority": site.setup.priority(ticket.priority).map(|priority| render::priority_reference(site, priority)),
            "location": board.map(|board| render::location_reference(site, board.location.id)),
            "department": board.map(|board| render::department_reference(site, board.department.id)),
            "externalXRef": ticket.external_x_ref,
            "closedFlag": ticket.closed.is_some(),
            "closedDate": ticket.closed.as_ref().map(|closed| clock::format(closed.at)),
            "closedBy": ticket.closed.as_ref().map(|closed| &closed.by),
            "severity": "Medium",
            "impact": "Medium",
            "approved": true,
            "customFields": [],
            "_info": info,
        });
        if let Some(record) = record.as_object_mut() {
            record.extend(ticket.other.clone());
        }
        crate::render::present(record)
    }
}
