//! "Check connection": the stored connection tried, and the table of rights.

use std::collections::BTreeSet;

use aws::invocation::Invocation;
use axum::Extension;
use domain::PartnerId;
use domain::breaker::Breaker;
use domain::rights::{self, Need, Right, RightStatus};
use maud::{Markup, html};
use serde::Serialize;
use store::Connection;

use crate::answer::{PageResponse, Problem};
use crate::check::{self, ConnectionError, Held};
use crate::input::QueryParams;
use crate::page::{self, Step};
use crate::session::Session;
use crate::steps::overview::After;
use crate::{Setup, State};

#[derive(Debug, Serialize)]
struct Checked {
    verdict: Verdict,
    /// What is wrong, and what to mend.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Wrong>,
    #[serde(skip_serializing_if = "Option::is_none")]
    site: Option<Place>,
    /// Who the keys belong to, where ConnectWise lets it see itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<Member>,
    /// What does not work for want of rights, and what does all the same.
    off: Vec<&'static str>,
    rights: Vec<Row>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    NotConnected,
    Broken,
    /// ConnectWise takes the keys, and a right is missing without which there are no tickets.
    RightsMissing,
    Good,
}

#[derive(Debug, Serialize)]
struct Wrong {
    code: &'static str,
    detail: String,
}

#[derive(Debug, Serialize)]
struct Place {
    origin: String,
    company_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    company: Option<String>,
}

#[derive(Debug, Serialize)]
struct Member {
    identifier: String,
    role: Option<String>,
    /// Where its tickets go if they name no board.
    default_board: Option<String>,
    /// Boards whose tickets it does not see.
    excluded_boards: Vec<u64>,
}

#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    right: &'static Right,
    status: RightStatus,
    /// Where it is granted.
    place: String,
}

impl Checked {
    fn nothing(verdict: Verdict) -> Self {
        Self {
            verdict,
            error: None,
            site: None,
            member: None,
            off: Vec::new(),
            rights: Vec::new(),
        }
    }
}

/// Tries the stored connection. What it finds mended is forgotten as missing, and what waits for it goes on.
pub(crate) async fn show(
    setup: State,
    session: Session,
    QueryParams(after): QueryParams<After>,
    Extension(invocation): Extension<Invocation>,
) -> Result<PageResponse, Problem> {
    let checked = checked(&setup, &session.partner, &invocation).await?;
    let middle = html(&checked);
    let page = page::step(&session, Step::Check, after.done.as_deref(), &middle);
    Ok(PageResponse::of(&checked, page))
}

async fn checked(
    setup: &Setup,
    partner: &PartnerId,
    invocation: &Invocation,
) -> Result<Checked, Problem> {
    let Some(connection) = setup.access().connections.get(partner).await?.value else {
        return Ok(Checked::nothing(Verdict::NotConnected));
    };
    let breaker = setup.table().breaker.get(partner).await;
    let mut place = Place {
        origin: connection.origin.clone(),
        company_id: connection.company_id.clone(),
        company: None,
    };
    let taken = try_stored(setup, partner, &connection, invocation).await;
    let taken = match taken {
        Ok(taken) => taken,
        Err(err) => {
            return Ok(Checked {
                error: Some(Wrong {
                    code: err.code(),
                    detail: err.to_string(),
                }),
                site: Some(place),
                ..Checked::nothing(Verdict::Broken)
            });
        }
    };
    let held = check::rights(&taken.client, invocation).await;
    if let Ok(breaker) = &breaker {
        seen(setup, partner, breaker, &held, invocation).await?;
    }
    place.company = taken.company.filter(|name| !name.is_empty());
    let board_name = |board: connectwise::Reference| match board.name.is_empty() {
        true => format!("number {}", board.id),
        false => board.name,
    };
    Ok(Checked {
        verdict: match lacks(&held, Need::Required) {
            true => Verdict::RightsMissing,
            false => Verdict::Good,
        },
        error: None,
        site: Some(place),
        member: taken.member.map(|member| Member {
            identifier: member.identifier,
            role: member.security_role.map(|role| role.name),
            default_board: member.service_default_board.map(board_name),
            excluded_boards: member.excluded_service_board_ids,
        }),
        off: off(&held),
        rights: held
            .into_iter()
            .map(|(right, status)| Row {
                right,
                status,
                place: right.place(),
            })
            .collect(),
    })
}

async fn try_stored(
    setup: &Setup,
    partner: &PartnerId,
    connection: &Connection,
    invocation: &Invocation,
) -> Result<check::Taken, ConnectionError> {
    let keys = setup.stored_keys(partner, connection).await?;
    let keys = keys.ok_or(ConnectionError::NoKeys)?;
    check::prove_stored(&setup.connections, keys, invocation).await
}

/// Forgets missing rights that are there by now, and has what waited for one, or for a connection that was broken, looked at. If the
/// process dies in between, reconcile finds it at its own time.
async fn seen(
    setup: &Setup,
    partner: &PartnerId,
    breaker: &Breaker,
    held: &Held,
    invocation: &Invocation,
) -> Result<(), Problem> {
    let still = still_missing(&breaker.missing_rights, held);
    let mut changed = breaker.open.is_some();
    if still != breaker.missing_rights {
        changed |= setup
            .table()
            .breaker
            .replace_missing_rights(partner, breaker, &still)
            .await?;
    }
    if changed {
        setup.connections.changed(partner, invocation.now()).await?;
    }
    Ok(())
}

/// Those that were missing and are not known to be there now.
fn still_missing(missing: &BTreeSet<String>, held: &Held) -> BTreeSet<String> {
    let is_found = |missing: &String| {
        let mut held = held.iter();
        held.any(|(right, status)| right.right == missing && *status == RightStatus::Granted)
    };
    let still = missing.iter().filter(|missing| !is_found(missing));
    still.cloned().collect()
}

fn lacks(held: &Held, need: Need) -> bool {
    let mut held = held.iter();
    held.any(|(right, status)| right.need == need && *status == RightStatus::Missing)
}

/// What does not work for want of rights.
fn off(held: &Held) -> Vec<&'static str> {
    let missing = |right: &str| {
        let mut held = held.iter();
        held.any(|(of, status)| of.right == right && *status == RightStatus::Missing)
    };
    let sentences = [
        (
            lacks(held, Need::Required),
            "Tickets cannot be made and kept as they should: a required right is missing.",
        ),
        (
            lacks(held, Need::ForClosing),
            "Tickets cannot be closed. Everything else works; they wait to be closed until the right is there.",
        ),
        (
            lacks(held, Need::ForDedicatedBoards),
            "Boards cannot be made for you. Everything else works, with the API member's default board.",
        ),
        (
            missing(rights::TABLES_INQUIRE),
            "Start status, ticket types and priorities cannot be chosen here: ConnectWise's own defaults are used.",
        ),
        (
            missing(rights::MY_ACCOUNT_INQUIRE),
            "The rights below cannot be read from ConnectWise's own list, so some are not known.",
        ),
    ];
    let sentences = sentences.into_iter().filter(|(is_off, _)| *is_off);
    sentences.map(|(_, sentence)| sentence).collect()
}

fn html(checked: &Checked) -> Markup {
    html! {
        @match checked.verdict {
            Verdict::NotConnected => {
                p { "Nothing is connected yet." }
                p { a href=(Step::Connection.path()) { "Connect ConnectWise" } }
            }
            Verdict::Broken => {
                @if let Some(err) = &checked.error { p class="problem" role="alert" { (err.detail) } }
                p { a href=(Step::Connection.path()) { "Change the connection" } }
            }
            Verdict::RightsMissing => {
                p class="problem" role="alert" {
                    "ConnectWise takes the keys, but the API member lacks rights that are required. Grant those below, then check again."
                }
            }
            Verdict::Good => p class="done" role="status" { "The connection works: ConnectWise takes the keys." },
        }
        @if let Some(site) = &checked.site { (place(site, checked.member.as_ref())) }
        @if !checked.off.is_empty() {
            h2 { "What is off" }
            ul { @for sentence in &checked.off { li { (sentence) } } }
        }
        @if !checked.rights.is_empty() { (table(&checked.rights)) }
        @if checked.verdict != Verdict::NotConnected {
            form method="get" action=(Step::Check.path()) { button { "Check again" } }
        }
    }
}

fn place(site: &Place, member: Option<&Member>) -> Markup {
    html! {
        dl {
            dt { "Site" } dd { (site.origin) }
            dt { "Company id" } dd { (site.company_id) @if let Some(company) = &site.company { " (" (company) ")" } }
            @if let Some(member) = member {
                dt { "API member" } dd { (member.identifier) }
                @if let Some(role) = &member.role { dt { "Its security role" } dd { (role) } }
                dt { "Its default service board" } dd { (member.default_board.as_deref().unwrap_or("none")) }
            }
        }
        @if let Some(member) = member.filter(|member| !member.excluded_boards.is_empty()) {
            p class="note" role="note" {
                "The API member does not see " (member.excluded_boards.len()) " service board(s) (number "
                @for (n, board) in member.excluded_boards.iter().enumerate() { @if n > 0 { ", " } (board) }
                "). Tickets that lie on one of them cannot be found again, so do not send alerts there, and do not move their tickets there."
            }
        }
    }
}

fn table(rows: &[Row]) -> Markup {
    html! {
        table class="cards" {
            caption { "Rights of the API member's security role" }
            thead {
                tr {
                    th scope="col" { "Right" }
                    th scope="col" { "Needed for" }
                    th scope="col" { "How much it matters" }
                    th scope="col" { "Found" }
                    th scope="col" { "Where to grant it in ConnectWise" }
                }
            }
            tbody {
                @for row in rows {
                    tr {
                        th scope="row" { (row.right.function) ": " (row.right.level) }
                        td data-label="Needed for" { (row.right.needed_for) }
                        td data-label="How much it matters" { (need(row.right.need)) }
                        td data-label="Found" { span class=(class(row.status)) { (status(row.status)) } }
                        td data-label="Where to grant it" { (row.place) }
                    }
                }
            }
        }
        p {
            "Each level must be \"All\": with \"My\", the tickets and records of other people are hidden. \"Not known\" means that ConnectWise does not tell without changing something; look it up there."
        }
    }
}

fn need(need: Need) -> &'static str {
    match need {
        Need::Required => "required",
        Need::ForClosing => "for closing tickets",
        Need::ForDedicatedBoards => "for boards made for you",
        Need::Optional => "optional",
    }
}

fn status(status: RightStatus) -> &'static str {
    match status {
        RightStatus::Granted => "granted",
        RightStatus::Missing => "missing",
        RightStatus::NotKnown => "not known",
    }
}

fn class(status: RightStatus) -> &'static str {
    match status {
        RightStatus::Granted => "good",
        RightStatus::Missing => "bad",
        RightStatus::NotKnown => "warn",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(missing: &[&str]) -> Held {
        let of = |right: &'static Right| match missing.contains(&right.right) {
            true => (right, RightStatus::Missing),
            false => (right, RightStatus::Granted),
        };
        rights::TABLE.iter().map(of).collect()
    }

    #[test]
    fn what_is_off_is_said_for_each_missing_right_and_what_works_all_the_same() {
        for (missing, words) in [
            (None, None),
            (
                Some(rights::TICKETS_INQUIRE),
                Some("Tickets cannot be made"),
            ),
            (
                Some(rights::TICKETS_CLOSE),
                Some("Tickets cannot be closed"),
            ),
            (
                Some(rights::TABLES_ADD),
                Some("Boards cannot be made for you"),
            ),
            (
                Some(rights::MEMBERS_INQUIRE),
                Some("Boards cannot be made for you"),
            ),
            (Some(rights::MY_ACCOUNT_INQUIRE), Some("The rights below")),
            (Some("resource_scheduling.add"), None),
        ] {
            let off = off(&held(missing.as_slice()));
            assert_eq!(
                off.len(),
                usize::from(words.is_some()),
                "{missing:?} {off:?}"
            );
            if let Some(words) = words {
                assert!(off[0].starts_with(words), "{missing:?} {off:?}");
            }
        }
        let tables = off(&held(&[rights::TABLES_INQUIRE]));
        assert_eq!(tables.len(), 2, "{tables:?}");
    }

    #[test]
    fn only_what_is_surely_there_is_no_longer_missing() {
        let of = |rights: &[&str]| -> BTreeSet<String> {
            rights.iter().map(|right| (*right).to_owned()).collect()
        };
        let before = of(&[rights::TICKETS_ADD, rights::TABLES_ADD, "newer.right"]);
        let mut held = held(&[rights::TABLES_ADD]);
        assert_eq!(
            still_missing(&before, &held),
            of(&[rights::TABLES_ADD, "newer.right"])
        );
        for (_, status) in &mut held {
            *status = RightStatus::NotKnown;
        }
        assert_eq!(still_missing(&before, &held), before);
    }
}
