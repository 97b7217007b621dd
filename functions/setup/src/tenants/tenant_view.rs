//! The page of one tenant, and the form in which its company is chosen, which is in the list too.

use std::collections::BTreeMap;

use connectwise::RecordCursor;
use domain::RecordId;
use maud::{Markup, html};
use serde::Serialize;

use crate::backlog::count::BacklogCounts;
use crate::checklist::counted;
use crate::http::problem::Problem;
use crate::paths::{self, with_query};
use crate::tenants::place::ListPlace;
use crate::tenants::row::{CompanyOption, TenantRow, company_cell, state_cell};

#[derive(Serialize)]
pub(super) struct TenantView {
    #[serde(flatten)]
    pub(super) listed: TenantRow,
    /// Whether the set-up is confirmed.
    #[serde(skip)]
    pub(super) confirmed: bool,
    /// What happens to its blocked alerts once it is mapped and switched on, and the set-up is
    /// confirmed.
    pub(super) preview: BacklogCounts,
    /// A description of each reason in the preview.
    #[serde(skip)]
    pub(super) reasons: BTreeMap<String, String>,
    #[serde(flatten)]
    pub(super) choice: CompanyChoice,
    /// The place of the list that leads here.
    #[serde(skip)]
    pub(super) list: ListPlace,
}

/// The companies that can be chosen for a tenant.
#[derive(Serialize)]
pub(super) struct CompanyChoice {
    pub(super) search: String,
    pub(super) companies: Vec<CompanyOption>,
    pub(super) next: Option<RecordCursor>,
}

pub(super) fn render_one(view: &TenantView) -> Result<Markup, Problem> {
    let of = &view.listed;
    let list = view.list.query()?;
    let next = match view.choice.next {
        Some(next) => Some(with_query(
            paths::TENANT,
            &[
                ("tenant", of.tenant.as_str()),
                ("search", &view.choice.search),
                ("after", &next.id().to_string()),
                ("list", &list),
            ],
        )?),
        None => None,
    };
    Ok(html! {
        dl {
            dt { "Id" } dd { (of.tenant) }
            dt { "Company" } dd { @if of.company.is_some() { (company_cell(of)) } @else { "not mapped" } }
            dt { "Tickets" } dd { (state_cell(of)) }
        }
        @if view.preview.all > 0 { (preview(view)) }
        @if let Some(company) = of.company { (mapped_forms(of, company, &list)?) }
        h2 { "Choose a company" }
        form method="get" action=(paths::TENANT) role="search" {
            input type="hidden" name="tenant" value=(of.tenant);
            input type="hidden" name="list" value=(list);
            label for="search" { "Company name or id contains" }
            input id="search" name="search" type="search" maxlength="100" value=(view.choice.search);
            button { "Search" }
        }
        (companies_form(of, &view.choice, &list, "Companies"))
        @if let Some(next) = next { p { a href=(next) { "More companies" } } }
        p { a href=(view.list.address(&[])?) { "All tenants" } }
    })
}

fn preview(view: &TenantView) -> Markup {
    let counts = &view.preview;
    html! {
        p class="note" {
            (counted(counts.all, "alert")) @if counts.all == 1 { " waits. " } @else { " wait. " }
            "Once the tenant is mapped and on" @if !view.confirmed { ", and you have confirmed the set-up" } ", "
            (become_tickets(counts.all, counts.tickets))
            @if counts.older > 0 {
                " " (counted(counts.older, "alert"))
                @if counts.older == 1 { " is older than 48 hours and waits until you release it." }
                @else { " are older than 48 hours and wait until you release them." }
            }
            @for (code, count) in &counts.others {
                " " (counted(*count, "alert")) " still " @if *count == 1 { "waits" } @else { "wait" } ": "
                (view.reasons.get(code).unwrap_or(code)) "."
            }
        }
    }
}

/// How many of the alerts become tickets.
fn become_tickets(alerts: u64, tickets: u64) -> String {
    match (alerts, tickets) {
        (1, 0) => "it gets no ticket by itself.".to_owned(),
        (1, 1) => "it becomes a ticket.".to_owned(),
        (_, 0) => "none of them gets a ticket by itself.".to_owned(),
        (_, 1) => "1 of them becomes a ticket.".to_owned(),
        (alerts, tickets) if alerts == tickets => "they become tickets.".to_owned(),
        (_, tickets) => format!("{tickets} of them become tickets."),
    }
}

fn mapped_forms(of: &TenantRow, company: RecordId, list: &str) -> Result<Markup, Problem> {
    let assignment = with_query(paths::TENANT_ASSIGNMENT, &[("tenant", of.tenant.as_str())])?;
    Ok(html! {
        (switch_form(of, company, list))
        p { a href=(assignment) { "Team and owner of its tickets" } }
        form method="post" action=(paths::TENANT) {
            input type="hidden" name="tenant" value=(of.tenant);
            input type="hidden" name="version" value=(of.version);
            input type="hidden" name="list" value=(list);
            button class="plain" { "Unmap" }
        }
    })
}

/// A button that switches a mapped tenant off, or on again.
fn switch_form(of: &TenantRow, company: RecordId, list: &str) -> Markup {
    html! {
        form method="post" action=(paths::TENANT) {
            input type="hidden" name="tenant" value=(of.tenant);
            input type="hidden" name="company" value=(company);
            input type="hidden" name="version" value=(of.version);
            input type="hidden" name="list" value=(list);
            @if !of.enabled { input type="hidden" name="enabled" value="true"; }
            button { @if of.enabled { "Switch off" } @else { "Switch on" } }
        }
    }
}

/// The companies to choose from. The only one that can be chosen is chosen already.
pub(super) fn companies_form(
    of: &TenantRow,
    choice: &CompanyChoice,
    list: &str,
    legend: &str,
) -> Markup {
    let usable = choice.companies.iter();
    let usable: Vec<_> = usable.filter(|of| of.unusable.is_none()).collect();
    let only = match usable.as_slice() {
        [only] => Some(only.id),
        [] | [_, _, ..] => None,
    };
    let chosen = of.company.or(only);
    html! {
        @if choice.companies.is_empty() { p { "No company found. Search for a part of its name." } }
        @else {
            form method="post" action=(paths::TENANT) {
                input type="hidden" name="tenant" value=(of.tenant);
                input type="hidden" name="version" value=(of.version);
                input type="hidden" name="list" value=(list);
                fieldset {
                    legend { (legend) }
                    @for company in &choice.companies {
                        label class="choice" {
                            input type="radio" name="company" value=(company.id) required disabled[company.unusable.is_some()]
                                checked[company.unusable.is_none() && chosen == Some(company.id)];
                            span {
                                (company.name) " " small { "(" (company.identifier) ", " (company.id) ")" }
                                @if let Some(why) = company.unusable { " " span class="bad" { (why) } }
                                @if let Some(status) = &company.status { " " small { (status) } }
                            }
                        }
                    }
                }
                @if usable.is_empty() { p { "None of these can be chosen. Search for another company, or make it active in ConnectWise first." } }
                @else {
                    label class="choice" {
                        input type="checkbox" name="enabled" value="true" checked[of.on_after_choice];
                        span { "Create tickets for its alerts" }
                    }
                    button { "Save" }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenants::row::tests::tenant;

    #[test]
    fn a_tenant_shows_companies_and_its_preview() {
        let view = TenantView {
            listed: tenant("acme", Some(301), &[]),
            confirmed: false,
            preview: BacklogCounts {
                all: 4,
                tickets: 1,
                older: 2,
                others: [("kind_disabled".to_owned(), 1)].into(),
                ..BacklogCounts::default()
            },
            reasons: [(
                "kind_disabled".to_owned(),
                "the kind of alert is switched off".to_owned(),
            )]
            .into(),
            choice: CompanyChoice {
                search: "Acme".to_owned(),
                companies: vec![CompanyOption {
                    id: 301,
                    identifier: "AcmeDental".to_owned(),
                    name: "Acme Dental Ltd".to_owned(),
                    status: Some("Inactive".to_owned()),
                    unusable: Some("inactive in ConnectWise"),
                }],
                next: None,
            },
            list: ListPlace::default().at_page(3),
        };
        let page = render_one(&view).unwrap();
        insta::assert_snapshot!(crate::page::lines(&page));
    }

    #[test]
    fn a_preview_counts_the_alerts_that_become_tickets() {
        for (alerts, tickets, words) in [
            (1, 0, "it gets no ticket by itself."),
            (1, 1, "it becomes a ticket."),
            (3, 0, "none of them gets a ticket by itself."),
            (3, 1, "1 of them becomes a ticket."),
            (3, 2, "2 of them become tickets."),
            (3, 3, "they become tickets."),
        ] {
            assert_eq!(become_tickets(alerts, tickets), words);
        }
    }

    #[test]
    fn the_only_usable_company_is_chosen_already() {
        let option = |id, unusable| CompanyOption {
            id,
            identifier: String::new(),
            name: String::new(),
            status: None,
            unusable,
        };
        let bad = Some("deleted in ConnectWise");
        let is_chosen = |company, companies: Vec<CompanyOption>| {
            let choice = CompanyChoice {
                search: String::new(),
                companies,
                next: None,
            };
            let form = companies_form(&tenant("acme", company, &[]), &choice, "", "Companies");
            let form = form.into_string();
            form.contains("name=\"company\" value=\"1\" required checked")
        };
        assert!(is_chosen(None, vec![option(1, None), option(2, bad)]));
        assert!(is_chosen(Some(1), vec![option(1, None), option(2, None)]));
        assert!(!is_chosen(None, vec![option(1, None), option(2, None)]));
        assert!(!is_chosen(Some(3), vec![option(1, None)]));
        assert!(!is_chosen(None, vec![option(1, bad)]));
    }
}
