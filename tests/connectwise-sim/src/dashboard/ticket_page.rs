//! The page `/`: boards, and the newest tickets as they open and close. It loads its content again
//! every two seconds and keeps opened notes open.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use serde_json::Value;

use crate::clock;
use crate::dashboard::switches::active;
use crate::shared::Shared;
use crate::site::Site;
use crate::tickets::{Note, Ticket, TicketRow};

/// How many tickets are shown, the newest first.
const SHOWN: usize = 200;

/// `GET /`
pub(crate) async fn show(State(shared): State<Arc<Shared>>) -> Response {
    let content = content(&shared.lock());
    super::page(StatusCode::OK, "Simulated ConnectWise", true, &content)
}

fn content(site: &Site) -> Markup {
    let tickets = || site.tickets.all();
    let open = tickets().filter(|ticket| ticket.closed.is_none()).count();
    let all = tickets().count();
    html! {
        p class="counts" {
            "Site " b { (site.setup.company_name) } " · " b { (open) } " open · " b { (all) } " tickets in all"
            @if all > SHOWN { " · the newest " (SHOWN) " are shown" }
        }
        p { a href="/faults" { "Faults" } ": " (faults(site)) }
        (boards(site))
        @if all == 0 {
            p class="empty" { "No tickets yet. They appear here as soon as one is made." }
        } @else {
            table {
                thead { tr {
                    @for name in ["Id", "Board", "Status", "Company", "Type", "Priority", "Summary"] { th { (name) } }
                } }
                tbody {
                    @for ticket in tickets().rev().take(SHOWN) {
                        (row(TicketRow { site, ticket }, site.tickets.notes(ticket.id)))
                    }
                }
            }
        }
    }
}

fn faults(site: &Site) -> String {
    let active = active(&site.faults);
    if active.is_empty() {
        return "none".to_owned();
    }
    active.join(", ")
}

fn boards(site: &Site) -> Markup {
    let boards = site.setup.boards.iter();
    let counts = |board: i64| {
        let on_board = || {
            site.tickets
                .all()
                .filter(move |ticket| ticket.board == board)
        };
        let open = on_board().filter(|ticket| ticket.closed.is_none()).count();
        (open, on_board().count() - open)
    };
    html! {
        ul class="boards" {
            @for board in boards.filter(|board| !board.inactive_flag) {
                @let (open, closed) = counts(board.id);
                li { b { (board.name) } span { (open) " open, " (closed) " closed" } }
            }
        }
    }
}

fn row(row: TicketRow<'_>, notes: &[Note]) -> Markup {
    let ticket = row.ticket;
    let state = match ticket.closed {
        Some(_) => "closed",
        None => "open",
    };
    let cell = |label: &str, value: Option<&str>| html! { td data-label=(label) { (value.unwrap_or("–")) } };
    html! {
        tr class=(state) {
            td data-label="Id" { (ticket.id) }
            (cell("Board", row.board_name()))
            td data-label="Status" { span class="badge" { (row.status_name().unwrap_or("–")) } }
            (cell("Company", row.company_name()))
            (cell("Type", row.type_name()))
            (cell("Priority", row.priority_name()))
            td data-label="Summary" class="wide" {
                div { (ticket.summary) }
                code { (ticket.external_x_ref.as_deref().unwrap_or_default()) }
                @if let Some(start) = ticket.other.get("estimatedStartDate").and_then(Value::as_str) {
                    div { small { "Estimated start " (start) } }
                }
                (custom_fields(ticket))
                @if !notes.is_empty() {
                    details id={ "n" (ticket.id) } {
                        summary { @if let [_] = notes { "1 note" } @else { (notes.len()) " notes" } }
                        @for note in notes {
                            article {
                                small { (clock::format(note.created.at)) " · " (note.created.by) " · " (kind(note)) }
                                pre { (note.text) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn custom_fields(ticket: &Ticket) -> Markup {
    let fields = ticket.other.get("customFields").and_then(Value::as_array);
    let text = |field: &Value, member: &str| match field.get(member) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    html! {
        @for field in fields.into_iter().flatten() {
            div { (text(field, "caption")) ": " (text(field, "value")) }
        }
    }
}

fn kind(note: &Note) -> &'static str {
    if note.detail_description {
        "discussion"
    } else if note.resolution {
        "resolution"
    } else {
        "internal"
    }
}
