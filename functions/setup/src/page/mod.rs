//! The page's frame: what all of its pages share. Each step draws its own middle.
//!
//! No script or style stands in a page (its Content-Security-Policy would refuse it), and every text goes through `maud`, which escapes.

pub(crate) mod assets;

use jiff::{Timestamp, Unit};
use maud::{DOCTYPE, Markup, html};

use crate::answer::Problem;
use crate::session::Session;

/// The steps, in the order in which a partner takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Overview,
    Connection,
    Check,
    Boards,
    Tickets,
    Tenants,
    Contact,
    Confirm,
    Test,
    Waiting,
    History,
}

impl Step {
    /// All of them, as the navigation lists them.
    pub(crate) const ALL: [Self; 11] = [
        Self::Overview,
        Self::Connection,
        Self::Check,
        Self::Boards,
        Self::Tickets,
        Self::Tenants,
        Self::Contact,
        Self::Confirm,
        Self::Test,
        Self::Waiting,
        Self::History,
    ];

    /// Its page.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Overview => "/setup",
            Self::Connection => "/setup/connection",
            Self::Check => "/setup/check",
            Self::Boards => "/setup/boards",
            Self::Tickets => "/setup/tickets",
            Self::Tenants => "/setup/tenants",
            Self::Contact => "/setup/contact",
            Self::Confirm => "/setup/confirm",
            Self::Test => "/setup/test",
            Self::Waiting => "/setup/waiting",
            Self::History => "/setup/history",
        }
    }

    /// What a partner does after it, on the way to the tickets.
    fn next(self) -> Option<Self> {
        match self {
            Self::Connection => Some(Self::Check),
            Self::Check => Some(Self::Boards),
            Self::Boards => Some(Self::Tickets),
            Self::Tickets => Some(Self::Tenants),
            Self::Tenants => Some(Self::Contact),
            Self::Contact => Some(Self::Confirm),
            Self::Overview | Self::Confirm | Self::Test | Self::Waiting | Self::History => None,
        }
    }

    /// Its name.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Connection => "Connect",
            Self::Check => "Check connection",
            Self::Boards => "Boards",
            Self::Tickets => "Tickets",
            Self::Tenants => "Tenants",
            Self::Contact => "Emergency contact",
            Self::Confirm => "Confirm",
            Self::Test => "Test ticket",
            Self::Waiting => "Waiting alerts",
            Self::History => "History",
        }
    }
}

/// A page of one step, for somebody who is signed in. `done` is the code of what was just done, of the address's `?done=`.
pub(crate) fn step(session: &Session, step: Step, done: Option<&str>, middle: &Markup) -> Markup {
    let navigation = html! {
        nav aria-label="Steps" {
            ul {
                @for other in Step::ALL {
                    li {
                        a href=(other.path()) aria-current=[(other == step).then_some("page")] { (other.title()) }
                    }
                }
            }
            form method="post" action=(session.action("/setup/session/end")) { button class="plain" { "Sign out" } }
        }
    };
    frame(
        &format!("{} · {}", step.title(), session.name),
        Some(session),
        &html! {
            (navigation)
            main id="main" {
                h1 { (step.title()) }
                @if let Some(said) = done.and_then(said) { p class="done" role="status" { (said) } }
                (middle)
                @if let Some(next) = step.next() { p class="next" { a href=(next.path()) { "Next: " (next.title()) } } }
            }
        },
    )
}

/// A time as people read it, and as programs do.
pub(crate) fn time(at: Timestamp) -> Markup {
    // To the second: nobody at a page needs more.
    let text = at.round(Unit::Second).unwrap_or(at).to_string();
    html! { time datetime=(text) { (text.replace('T', " ").replace('Z', " UTC")) } }
}

/// A page without a session.
pub(crate) fn alone(title: &str, middle: &Markup) -> Markup {
    frame(
        title,
        None,
        &html! { main id="main" class="alone" { h1 { (title) } (middle) } },
    )
}

/// What is wrong, and the way back.
pub(crate) fn problem(problem: &Problem, path: &str) -> Markup {
    let signed_out = problem.status == axum::http::StatusCode::UNAUTHORIZED;
    alone(
        problem.title,
        &html! {
            p role="alert" class="problem" { (problem.detail) }
            @if signed_out {
                p { a href="/setup/link" { "Ask for a fresh link" } }
            } @else {
                p { a href=(back(path)) { "Back" } }
            }
        },
    )
}

/// Where one goes back to from an address: to its step, since an address that only takes changes has no page of its own.
fn back(path: &str) -> &'static str {
    if path == "/setup/link" {
        return "/setup/link";
    }
    let mut later = Step::ALL.into_iter().skip(1);
    let step = later.find(|step| path.starts_with(step.path()));
    step.unwrap_or(Step::Overview).path()
}

/// What the codes of `?done=` say. Only these are shown: nobody makes this page say something else by its address.
pub(crate) fn said(done: &str) -> Option<&'static str> {
    Some(match done {
        "saved" => "Saved.",
        "connected" => "Connected: ConnectWise took the keys, and they are saved.",
        "address_changed" => {
            "Connected to the same ConnectWise at another address: boards, mapped tenants and open tickets stay as they are."
        }
        "boards_ready" => "Both boards are ready.",
        "mail_sent" => "A test mail is on its way.",
        "confirmed" => "Ticketbridge is live: alerts become tickets from now on.",
        "closings_approved" => "Approved: the tickets are closed within a few minutes.",
        "released" => "Released: they become tickets within a few minutes.",
        "released_some" => {
            "300 were released and become tickets within a few minutes. Press again for the others."
        }
        "test_asked" => {
            "The test alert is on its way. Its ticket is shown here as soon as it is there."
        }
        "test_closed" => "The test alert is gone: its ticket is closed within a minute or two.",
        "suggested" => "All companies were read.",
        "signed_out" => "You are signed out.",
        "old_address_not_notified" => {
            "A link was mailed to the new address. The contact could not be notified of the change by mail: please tell the people who read it."
        }
        "confirmation_sent" => {
            "A link was mailed to the new address. The address counts once somebody has opened that link."
        }
        "contact_change_cancelled" => {
            "The change was cancelled. The mailed link has no effect any more."
        }
        "link_asked" => {
            "If there is such a partner with an emergency contact, a fresh link is on its way there. It comes at most once in five minutes, \
             less often if it is asked for again and again, works once, and holds for half an hour."
        }
        _ => return None,
    })
}

fn frame(title: &str, session: Option<&Session>, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Ticketbridge" }
                link rel="icon" href="/setup/assets/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/setup/assets/style.css";
                script src="/setup/assets/page.js" defer {}
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_leads_to_a_page() {
        for (path, page) in [
            ("/setup/contact/test", "/setup/contact"),
            ("/setup/contact", "/setup/contact"),
            ("/setup/link", "/setup/link"),
            ("/setup/session", "/setup"),
            ("/setup/<script>", "/setup"),
        ] {
            assert_eq!(back(path), page);
        }
    }
}
