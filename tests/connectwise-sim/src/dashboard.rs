//! The dashboard at `/`: boards, and the newest tickets as they open and close. All text from
//! clients is escaped. The page reloads its table every two seconds and keeps opened notes open.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;

use crate::clock;
use crate::shared::Shared;
use crate::site::Site;
use crate::tickets::{Note, Ticket, TicketRow};

/// How many tickets are shown, the newest first.
const SHOWN: usize = 200;

/// Only the page's inline style and script may run; nothing else may load.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEAD: &str = include_str!("dashboard_head.html");
const TAIL: &str = include_str!("dashboard_tail.html");

/// `GET /`
pub(crate) async fn page(State(shared): State<Arc<Shared>>) -> Response {
    let body = {
        let site = shared.lock();
        // Writing to a string cannot fail.
        content(&site).unwrap_or_default()
    };
    let html = format!("{HEAD}{body}{TAIL}");
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    (headers, html).into_response()
}

fn content(site: &Site) -> Result<String, std::fmt::Error> {
    let mut html = String::new();
    let open = site
        .tickets
        .all()
        .filter(|ticket| ticket.closed.is_none())
        .count();
    let all = site.tickets.all().count();
    write!(
        html,
        "<p class=\"counts\">Site <b>{}</b> · <b>{open}</b> open · <b>{all}</b> tickets in all{}</p>",
        escaped(&site.setup.company_name),
        if all > SHOWN {
            format!(" · the newest {SHOWN} are shown")
        } else {
            String::new()
        },
    )?;
    boards(site, &mut html)?;
    if all == 0 {
        html.push_str(
            "<p class=\"empty\">No tickets yet. They appear here as soon as one is made.</p>",
        );
        return Ok(html);
    }
    html.push_str(
        "<table><thead><tr><th>Id</th><th>Board</th><th>Status</th><th>Company</th><th>Type</th><th>Priority</th>\
         <th>Summary</th></tr></thead><tbody>",
    );
    for ticket in site.tickets.all().rev().take(SHOWN) {
        row(
            TicketRow { site, ticket },
            site.tickets.notes(ticket.id),
            &mut html,
        )?;
    }
    html.push_str("</tbody></table>");
    Ok(html)
}

fn boards(site: &Site, html: &mut String) -> std::fmt::Result {
    html.push_str("<ul class=\"boards\">");
    for board in site
        .setup
        .boards
        .iter()
        .filter(|board| !board.inactive_flag)
    {
        let on_board = || site.tickets.all().filter(|ticket| ticket.board == board.id);
        let open = on_board().filter(|ticket| ticket.closed.is_none()).count();
        write!(
            html,
            "<li><b>{}</b><span>{open} open, {} closed</span></li>",
            escaped(&board.name),
            on_board().count() - open,
        )?;
    }
    html.push_str("</ul>");
    Ok(())
}

fn row(row: TicketRow<'_>, notes: &[Note], html: &mut String) -> std::fmt::Result {
    let ticket = row.ticket;
    let text = |value: Option<&str>| escaped(value.unwrap_or("–"));
    let (badge, reference) = (
        if ticket.closed.is_some() {
            "closed"
        } else {
            "open"
        },
        ticket.external_x_ref.as_deref(),
    );
    write!(
        html,
        "<tr class=\"{badge}\"><td data-label=\"Id\">{}</td><td data-label=\"Board\">{}</td>\
         <td data-label=\"Status\"><span class=\"badge\">{}</span></td><td data-label=\"Company\">{}</td>\
         <td data-label=\"Type\">{}</td><td data-label=\"Priority\">{}</td>\
         <td data-label=\"Summary\" class=\"wide\"><div>{}</div><code>{}</code>",
        ticket.id,
        text(row.board_name()),
        text(row.status_name()),
        text(row.company_name()),
        text(row.type_name()),
        text(row.priority_name()),
        escaped(&ticket.summary),
        escaped(reference.unwrap_or_default()),
    )?;
    custom_fields(ticket, html)?;
    if !notes.is_empty() {
        let label = if notes.len() == 1 {
            "1 note".to_owned()
        } else {
            format!("{} notes", notes.len())
        };
        write!(
            html,
            "<details id=\"n{}\"><summary>{label}</summary>",
            ticket.id
        )?;
        for note in notes {
            write!(
                html,
                "<article><small>{} · {} · {}</small><pre>{}</pre></article>",
                clock::format(note.created.at),
                escaped(&note.created.by),
                kind(note),
                escaped(&note.text),
            )?;
        }
        html.push_str("</details>");
    }
    html.push_str("</td></tr>");
    Ok(())
}

fn custom_fields(ticket: &Ticket, html: &mut String) -> std::fmt::Result {
    let fields = ticket.other.get("customFields").and_then(Value::as_array);
    for field in fields.into_iter().flatten() {
        let shown = |member: &str| match field.get(member) {
            Some(Value::String(text)) => escaped(text),
            Some(other) => escaped(&other.to_string()),
            None => String::new(),
        };
        write!(html, "<div>{}: {}</div>", shown("caption"), shown("value"))?;
    }
    Ok(())
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

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_escaped() {
        assert_eq!(
            escaped("<a href='x'>&\"</a>"),
            "&lt;a href=&#39;x&#39;&gt;&amp;&quot;&lt;/a&gt;"
        );
    }
}
