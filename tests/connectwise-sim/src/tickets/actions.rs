//! Changes of tickets without a call of the integration: people's actions in ConnectWise, and
//! workflow rules after a call. The API's rules do not apply to them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Note, NoteKind, Stamp, Ticket};
use crate::fault_rules::Operation;
use crate::render;
use crate::site::Site;
use crate::tickets::notes;

/// The member name of ConnectWise's own automation.
const AUTOMATION: &str = "zAdmin";

/// An action on a ticket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TicketAction {
    /// Sets the first closed status of the board.
    Close,
    /// Sets the default status of the board. Does nothing to an open ticket.
    Reopen,
    Status(i64),
    /// A closed ticket stays closed on the new board.
    MoveToBoard(i64),
    MoveToCompany(i64),
    Priority(i64),
    /// A member becomes the owner.
    Assign(i64),
    Note(String),
    /// A note by the customer's contact, as the e-mail connector makes of a reply.
    Reply(String),
    /// Enters this many hours, with a text.
    TimeEntry(f64, String),
    /// Sets members of the record, such as `resources` or `team`.
    Set(Map<String, Value>),
    /// Sets the type to one of the board's.
    Type(i64),
    /// Overwrites `externalXRef`. `null` clears it.
    Reference(Option<String>),
    Summary(String),
    /// Merges the ticket into another one: it is closed and refers to its parent, and its notes
    /// move there.
    MergeInto(i64),
    Delete,
    /// Saves the ticket without a change: only `lastUpdated` changes.
    Touch,
}

/// An action on a company and its tickets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CompanyAction {
    /// Deletes the company and moves its tickets to another one.
    MergeInto(i64),
    /// Moves the company's tickets to another one.
    MoveTicketsTo(i64),
    Delete,
}

/// An action on all tickets of a board.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BoardAction {
    DeleteTickets,
    MoveTicketsTo(i64),
}

/// A workflow rule: after an operation, ConnectWise acts on the ticket. A workflow's action
/// triggers no other workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Workflow {
    pub(crate) after: Operation,
    /// 0: before the next call, but after the response.
    #[serde(default)]
    pub(crate) seconds: f64,
    #[serde(rename = "do")]
    pub(crate) action: TicketAction,
    /// How many more times it runs. `null` means no limit. Counts down.
    #[serde(default)]
    pub(crate) times: Option<u32>,
}

/// The actions of workflow rules after an operation, each with its delay in seconds. Counts the
/// rules down.
pub(crate) fn workflows_after(site: &mut Site, operation: Operation) -> Vec<(f64, TicketAction)> {
    let mut due = Vec::new();
    for workflow in &mut site.faults.workflows {
        if workflow.after == operation && workflow.times != Some(0) {
            workflow.times = workflow.times.map(|times| times - 1);
            due.push((workflow.seconds, workflow.action.clone()));
        }
    }
    due
}

/// The stamp of people's actions: the first technician, now.
pub(crate) fn by_technician(site: &Site) -> Stamp {
    let mut members = site.setup.members.iter();
    let member = members.find(|member| !member.inactive_flag);
    let by = member.map_or(AUTOMATION, |member| &member.identifier);
    Stamp {
        at: site.clock(),
        by: by.to_owned(),
    }
}

/// Runs a workflow rule's action, if the ticket still exists.
pub(crate) fn run_workflow(site: &mut Site, ticket: i64, action: &TicketAction, now: Timestamp) {
    // A workflow that is impossible on the site does nothing, as in ConnectWise.
    let stamp = Stamp {
        at: now,
        by: AUTOMATION.to_owned(),
    };
    let _ = act(site, ticket, action, &stamp);
}

/// Runs an action on a ticket. The error says why it is impossible.
pub(crate) fn act(
    site: &mut Site,
    id: i64,
    action: &TicketAction,
    stamp: &Stamp,
) -> Result<(), String> {
    let mut ticket = site
        .tickets
        .get(id)
        .cloned()
        .ok_or_else(|| format!("ticket {id} does not exist"))?;
    match action {
        TicketAction::Close => {
            let status = status_of(site, ticket.board, IsClosed(true))?;
            set_status(&mut ticket, status, IsClosed(true), stamp);
        }
        TicketAction::Reopen if ticket.closed.is_none() => return Ok(()),
        TicketAction::Reopen => {
            let status = status_of(site, ticket.board, IsClosed(false))?;
            set_status(&mut ticket, status, IsClosed(false), stamp);
        }
        TicketAction::Status(status) => {
            let board = site.setup.board(ticket.board);
            let row = board
                .and_then(|board| board.status(*status))
                .ok_or_else(|| format!("status {status} is not on the board"))?;
            set_status(&mut ticket, *status, IsClosed(row.closed_status), stamp);
        }
        TicketAction::MoveToBoard(board) => move_to_board(site, &mut ticket, *board)?,
        TicketAction::MoveToCompany(company) => {
            require_company(site, *company)?;
            ticket.company = *company;
        }
        TicketAction::Priority(priority) => {
            site.setup
                .priority(*priority)
                .ok_or_else(|| format!("priority {priority} does not exist"))?;
            ticket.priority = *priority;
        }
        TicketAction::Assign(member) => {
            let mut members = site.setup.members.iter();
            let member = members
                .find(|row| row.id == *member)
                .ok_or_else(|| format!("member {member} does not exist"))?;
            let owner = render::member_reference(site, member);
            ticket.other.insert("owner".to_owned(), owner);
        }
        TicketAction::Note(text) => add_note(site, id, text, NoteKind::Note, stamp),
        TicketAction::Reply(text) => {
            add_note(site, id, text, NoteKind::Reply, stamp);
            ticket
                .other
                .insert("customerUpdatedFlag".to_owned(), json!(true));
        }
        TicketAction::TimeEntry(hours, text) => {
            if !text.is_empty() {
                add_note(site, id, text, NoteKind::TimeEntry, stamp);
            }
            let before = ticket.other.get("actualHours").and_then(Value::as_f64);
            let sum = before.unwrap_or_default() + hours;
            ticket.other.insert("actualHours".to_owned(), json!(sum));
        }
        TicketAction::Set(members) => ticket.other.extend(members.clone()),
        TicketAction::Type(kind) => {
            site.setup
                .board(ticket.board)
                .and_then(|board| board.kind(*kind))
                .ok_or_else(|| format!("type {kind} is not on the board"))?;
            ticket.kind = Some(*kind);
        }
        TicketAction::Reference(reference) => ticket.external_x_ref.clone_from(reference),
        TicketAction::Summary(summary) => ticket.summary.clone_from(summary),
        TicketAction::MergeInto(parent) => merge_into(site, &mut ticket, *parent, stamp)?,
        TicketAction::Delete => {
            site.tickets.remove(id);
            return Ok(());
        }
        TicketAction::Touch => {}
    }
    ticket.updated = stamp.clone();
    site.tickets.put(ticket);
    Ok(())
}

fn add_note(site: &mut Site, id: i64, text: &str, kind: NoteKind, stamp: &Stamp) {
    let note = Note {
        id: 0,
        text: notes::note_text(site, text),
        detail_description: kind == NoteKind::Reply,
        internal_analysis: kind != NoteKind::Reply,
        resolution: false,
        created: stamp.clone(),
        kind,
    };
    site.tickets.add_note(id, note);
}

/// Runs an action on a company and its tickets.
pub(crate) fn act_on_company(
    site: &mut Site,
    id: i64,
    action: &CompanyAction,
    stamp: &Stamp,
) -> Result<(), String> {
    require_company(site, id)?;
    let target = match action {
        CompanyAction::MergeInto(target) | CompanyAction::MoveTicketsTo(target) => {
            require_company(site, *target)?;
            Some(*target)
        }
        CompanyAction::Delete => None,
    };
    let is_deleted = !matches!(action, CompanyAction::MoveTicketsTo(_));
    let mut companies = site.setup.companies.iter_mut();
    if let Some(company) = companies.find(|company| company.id == id && is_deleted) {
        company.deleted_flag = true;
    }
    if let Some(target) = target {
        let action = TicketAction::MoveToCompany(target);
        act_on_all(site, |ticket| ticket.company == id, &action, stamp)?;
    }
    Ok(())
}

/// Runs an action on all tickets of a board.
pub(crate) fn act_on_board(
    site: &mut Site,
    id: i64,
    action: &BoardAction,
    stamp: &Stamp,
) -> Result<(), String> {
    site.setup
        .board(id)
        .ok_or_else(|| format!("board {id} does not exist"))?;
    let action = match action {
        BoardAction::DeleteTickets => TicketAction::Delete,
        BoardAction::MoveTicketsTo(board) => TicketAction::MoveToBoard(*board),
    };
    act_on_all(site, |ticket| ticket.board == id, &action, stamp)
}

fn act_on_all(
    site: &mut Site,
    concerns: impl Fn(&Ticket) -> bool,
    action: &TicketAction,
    stamp: &Stamp,
) -> Result<(), String> {
    let tickets = site.tickets.all().filter(|ticket| concerns(ticket));
    let ids: Vec<i64> = tickets.map(|ticket| ticket.id).collect();
    ids.into_iter()
        .try_for_each(|ticket| act(site, ticket, action, stamp))
}

fn require_company(site: &Site, id: i64) -> Result<(), String> {
    site.setup
        .company(id)
        .map(|_| ())
        .ok_or_else(|| format!("company {id} does not exist"))
}

/// The status that closes or opens a ticket of the board.
fn status_of(site: &Site, board: i64, is_closed: IsClosed) -> Result<i64, String> {
    let board = site
        .setup
        .board(board)
        .ok_or_else(|| format!("board {board} does not exist"))?;
    let usable = || {
        let statuses = board.statuses.iter();
        statuses.filter(|row| !row.inactive && row.closed_status == is_closed.0)
    };
    usable()
        .find(|row| row.default_flag)
        .or_else(|| usable().next())
        .map(|row| row.id)
        .ok_or_else(|| format!("board {} has no such status", board.id))
}

fn move_to_board(site: &Site, ticket: &mut Ticket, board: i64) -> Result<(), String> {
    ticket.status = status_of(site, board, IsClosed(ticket.closed.is_some()))?;
    ticket.board = board;
    let types = site.setup.board(board).map(|board| &board.types);
    let defaults = types.and_then(|types| types.iter().find(|kind| kind.default_flag));
    ticket.kind = defaults.map(|kind| kind.id);
    Ok(())
}

fn merge_into(site: &mut Site, ticket: &mut Ticket, id: i64, stamp: &Stamp) -> Result<(), String> {
    let parent = site.tickets.get(id).filter(|parent| parent.id != ticket.id);
    let mut parent = parent
        .cloned()
        .ok_or_else(|| format!("ticket {id} does not exist to merge into"))?;
    let reference = json!({ "id": id, "summary": parent.summary });
    let member = "mergedParentTicket".to_owned();
    ticket.other.insert(member, reference);
    let status = status_of(site, ticket.board, IsClosed(true))?;
    set_status(ticket, status, IsClosed(true), stamp);
    let notes = std::mem::take(site.tickets.notes_mut(ticket.id));
    site.tickets.notes_mut(id).extend(notes);
    let flag = "hasMergedChildTicketFlag".to_owned();
    parent.other.insert(flag, json!(true));
    parent.updated = stamp.clone();
    site.tickets.put(parent);
    Ok(())
}

/// Whether a status closes a ticket.
#[derive(Clone, Copy)]
struct IsClosed(bool);

fn set_status(ticket: &mut Ticket, status: i64, is_closed: IsClosed, stamp: &Stamp) {
    ticket.status = status;
    ticket.closed = match (is_closed.0, ticket.closed.take()) {
        (true, before) => Some(before.unwrap_or_else(|| stamp.clone())),
        (false, _) => None,
    };
}
