//! The frame of every page. Each slice renders its own content.
//!
//! Pages contain no inline script or style: the Content-Security-Policy forbids them. `maud`
//! escapes every text.

pub(crate) mod assets;
pub(crate) mod flash;
pub(crate) mod refill;
#[cfg(test)]
mod tests;

use axum::http::StatusCode;
use jiff::{Timestamp, Unit};
use maud::{DOCTYPE, Markup, html};
use serde::Serialize;

use crate::auth::session::PartnerSession;
use crate::http::problem::Problem;
use crate::http::response::PageResponse;
use crate::page::flash::FlashQuery;
use crate::paths;
use crate::step::SetupStep;

/// What the browser asked for.
pub(crate) struct Requested<'a> {
    pub(crate) path: &'a str,
    /// A page, not a change.
    pub(crate) is_page: bool,
}

/// The response of a step: its view as JSON, and its content in the frame.
pub(crate) fn step(
    session: &PartnerSession,
    step: SetupStep,
    flash: &FlashQuery,
    view: &impl Serialize,
    content: &Markup,
) -> PageResponse {
    let content = html! {
        (content)
        @if let Some(next) = step.next() { p class="next" { a href=(next.path()) { "Next: " (next.title()) } } }
    };
    within_step(session, step, step.title(), flash, view, &content)
}

/// The response of a page with its own title, which belongs to a step.
pub(crate) fn within_step(
    session: &PartnerSession,
    step: SetupStep,
    title: &str,
    flash: &FlashQuery,
    view: &impl Serialize,
    content: &Markup,
) -> PageResponse {
    let body = html! {
        (navigation(step))
        main id="main" {
            h1 { (title) }
            (flash.render())
            (content)
        }
    };
    let title = format!("{title} · {}", session.name);
    PageResponse::new(view, frame(&title, Some(session), &body))
}

fn navigation(step: SetupStep) -> Markup {
    html! {
        nav aria-label="Steps" {
            // The script folds it where there is no room beside the page.
            details open data-menu {
                summary { "Menu" }
                ul {
                    @for other in SetupStep::ALL {
                        li {
                            a href=(other.path()) aria-current=[(other == step).then_some("page")] { (other.title()) }
                        }
                    }
                }
                form method="post" action=(paths::END_SESSION) { button class="plain" { "Sign out" } }
            }
        }
    }
}

/// The response of a page without a session. Its JSON is empty.
pub(crate) fn public(title: &str, content: &Markup) -> PageResponse {
    PageResponse::new(&serde_json::json!({}), public_page(title, content))
}

fn public_page(title: &str, content: &Markup) -> Markup {
    let body = html! { main id="main" class="alone" { h1 { (title) } (content) } };
    frame(title, None, &body)
}

/// A problem, and a link to the page where it is corrected. A person who is signed in keeps the
/// partner's head and menu.
pub(crate) fn problem(
    problem: &Problem,
    request: &Requested<'_>,
    session: Option<&PartnerSession>,
) -> Markup {
    let path = request.path;
    let is_signed_out = problem.status == StatusCode::UNAUTHORIZED;
    let is_of_page = request.is_page && problem.status == StatusCode::UNPROCESSABLE_ENTITY;
    let back = page_of(path);
    let title = match is_of_page {
        true => "This page cannot be shown now",
        false => problem.title,
    };
    let content = html! {
        p role="alert" class="problem" data-field=[problem.field.as_deref()] { (problem.detail) }
        p {
            @if is_signed_out {
                a href=(paths::link_request(path)) { "Request a new link" }
            } @else if let Some(step) = problem.correct_at {
                a href=(step.path()) { (step.title()) }
            } @else {
                a href=(back) { (if request.is_page && back == path { "Try again" } else { "Back" }) }
            }
        }
    };
    let (Some(session), Some((_, own))) = (session, paths::split(path)) else {
        return public_page(title, &content);
    };
    let body = html! {
        (navigation(SetupStep::of_page(own)))
        // The script shows the problem at the form that was sent, in place of this page.
        main id="main" data-problem-page { h1 { (title) } (content) }
    };
    let title = format!("{title} · {}", session.name);
    frame(&title, Some(session), &body)
}

/// The page that a path belongs to: paths that only accept changes have no page of their own.
fn page_of(path: &str) -> String {
    match paths::split(path) {
        Some((partner, own)) => format!("{partner}{}", SetupStep::of_page(own).path()),
        None if path == paths::LINK => path.to_owned(),
        None => paths::START.to_owned(),
    }
}

/// The links to the pages before and after this one of a list with numbered pages.
///
/// # Errors
/// When an address cannot be built.
pub(crate) fn numbered_links(
    page: usize,
    pages: usize,
    address: impl Fn(usize) -> Result<String, Problem>,
) -> Result<Markup, Problem> {
    if pages <= 1 {
        return Ok(html! {});
    }
    Ok(html! {
        p {
            @if page > 1 { a href=(address(page - 1)?) rel="prev" { "Previous" } " " }
            "Page " (page) " of " (pages)
            @if page < pages { " " a href=(address(page + 1)?) rel="next" { "Next" } }
        }
    })
}

/// The end of a block, as a sentence that follows its reason.
pub(crate) fn until(at: Option<Timestamp>) -> Markup {
    html! { @if let Some(at) = at { " Until " (time(at)) "." } }
}

/// A time for people and, in `datetime`, for programs; to the second.
pub(crate) fn time(at: Timestamp) -> Markup {
    let at = at.round(Unit::Second).unwrap_or(at);
    // As the script shows it, which turns it into the reader's zone.
    html! { time datetime=(at) { (at.strftime("%-d %b %Y, %H:%M:%S UTC")) } }
}

fn frame(title: &str, session: Option<&PartnerSession>, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Ticketbridge" }
                link rel="icon" href=(assets::ICON_PATH) type="image/svg+xml";
                link rel="stylesheet" href=(assets::STYLE_PATH);
                script src=(assets::SCRIPT_PATH) defer {}
            }
            body {
                a class="skip" href="#main" { "Skip to the content" }
                header {
                    span class="brand" { "Ticketbridge" }
                    @if let Some(session) = session {
                        span class="partner" { b { (session.name) } " " small { "(" (session.partner) ")" } }
                    }
                }
                (body)
            }
        }
    }
}

/// A snapshot's form of a page: one element a line.
#[cfg(test)]
pub(crate) fn lines(page: &Markup) -> String {
    page.0.replace("><", ">\n<")
}
