//! The pages for people: the boards and the newest tickets, and the faults as switches.

pub(crate) mod fault_page;
mod switches;
pub(crate) mod ticket_page;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// Only the page's inline style and script may run; nothing else may load.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const STYLE: &str = include_str!("style.css");
const REFRESH: &str = include_str!("refresh.js");

/// A page, which may load its content again every two seconds.
fn page(status: StatusCode, heading: &str, refreshes: bool, content: &Markup) -> Response {
    let html = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (heading) }
                @if refreshes { noscript { meta http-equiv="refresh" content="2"; } }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header { h1 { (heading) } }
                main { (content) }
                @if refreshes { script { (PreEscaped(REFRESH)) } }
            }
        }
    };
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    (status, headers, html.into_string()).into_response()
}
