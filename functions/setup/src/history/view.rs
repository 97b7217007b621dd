//! The page "History".

use maud::{Markup, html};
use serde::Serialize;
use store::{Actor, AuditEntry, PageStart};

use crate::history::words;
use crate::http::problem::Problem;
use crate::page;
use crate::partner_names::PartnerNames;
use crate::paths::with_query;
use crate::step::SetupStep;

#[derive(Serialize)]
pub(super) struct HistoryView {
    pub(super) entries: Vec<AuditEntry>,
    pub(super) next: Option<PageStart>,
}

pub(super) fn render(view: &HistoryView, names: &PartnerNames) -> Result<Markup, Problem> {
    let next = view
        .next
        .clone()
        .map(|next| with_query(SetupStep::History.path(), &[("from", &String::from(next))]));
    let next = next.transpose()?;
    Ok(html! {
        @if view.entries.is_empty() { p { "Nothing was changed yet." } }
        @else {
            p { small { "A session is the time between signing in with a link and signing out. Each has its own code: the entry \"Signed in with a link\" with the same code says when it began." } }
            div class="wide" {
                table class="cards" {
                    caption { "Changes, newest first" }
                    thead { tr { th scope="col" { "When" } th scope="col" { "Who" } th scope="col" { "What" } } }
                    tbody { @for entry in &view.entries { (row(entry, names)) } }
                }
            }
        }
        @if let Some(next) = next { p { a href=(next) { "Older" } } }
    })
}

fn row(entry: &AuditEntry, names: &PartnerNames) -> Markup {
    let detail: Vec<_> = entry
        .detail
        .iter()
        .filter(|(name, _)| words::is_shown(name))
        .collect();
    html! {
        tr {
            td data-label="When" { (page::time(entry.at)) }
            td data-label="Who" {
                @match (entry.who, &entry.session) {
                    (Actor::Operator, _) => "the operator of Ticketbridge",
                    (Actor::Partner, Some(session)) => { "session " (session) },
                    (Actor::Partner, None) => "a person who was not signed in",
                }
                // The person's name in AWS is at the end of the identity.
                @if let Some(name) = entry.identity.as_ref().and_then(|of| of.rsplit('/').next()) { br; small { (name) } }
                @if let Some(address) = &entry.address { br; small { "from " (address) } }
            }
            td data-label="What" {
                (words::action(&entry.what))
                @if !detail.is_empty() {
                    ul class="detail" {
                        @for (name, value) in detail { li { (words::label(name, names)) ": " (words::value(name, value, names)) } }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use domain::TenantId;
    use domain::setup::mapping::Mapping;

    use super::*;

    #[test]
    fn history_shows_who_changed_what() {
        let entry = |who, what: &str, session: Option<&str>| AuditEntry {
            at: "2026-11-02T07:05:00Z".parse().unwrap(),
            who,
            session: session.map(str::to_owned),
            identity: None,
            address: Some("203.0.113.7".to_owned()),
            what: what.to_owned(),
            detail: [
                ("tenant".to_owned(), "acme".to_owned()),
                ("until".to_owned(), "2026-11-02T15:05:00.000Z".to_owned()),
            ]
            .into(),
        };
        let mapping = Mapping {
            name: Some("Acme & Sons".to_owned()),
            ..Mapping::default()
        };
        let names = PartnerNames {
            connection: None,
            mappings: HashMap::from([(TenantId::parse("acme").unwrap(), mapping)]),
            sources: BTreeMap::new(),
            kinds: vec![],
        };
        let by_operator = AuditEntry {
            identity: Some("arn:aws:iam::000000000000:user/kim".to_owned()),
            ..entry(Actor::Operator, "link_made", None)
        };
        let view = HistoryView {
            entries: vec![
                entry(Actor::Partner, "session_began", Some("3fa9c1")),
                by_operator,
                entry(Actor::Partner, "contact_confirmed", None),
            ],
            next: None,
        };
        let page = render(&view, &names).unwrap();
        insta::assert_snapshot!(crate::page::lines(&page));
    }
}
