//! One tenant as it is shown in the list and on its own page, and the companies that it may be.

use std::sync::Arc;

use connectwise::{CompanyRecord, CompanyStatus};
use domain::monitoring::issue::CompanyIssue;
use domain::setup::company_index::CompanyIndex;
use domain::setup::mapping::Mapping;
use domain::{RecordId, TenantId};
use maud::{Markup, html};
use serde::Serialize;
use store::ListEntry;

use crate::tenants::companies::describe_issue;

/// A tenant as it is stored.
pub(super) struct StoredTenant {
    pub(super) id: TenantId,
    /// In the epoch of the connection.
    pub(super) mapping: Mapping,
    /// Whether it is on once a company is chosen for it.
    pub(super) on_after_choice: bool,
    pub(super) version: u64,
}

impl StoredTenant {
    pub(super) fn of(entry: &ListEntry<TenantId, Mapping>, epoch: Option<u32>) -> Self {
        let ListEntry { id, value, version } = entry.clone();
        Self::new(id, value, version, epoch)
    }

    pub(super) fn new(id: TenantId, mapping: Mapping, version: u64, epoch: Option<u32>) -> Self {
        Self {
            id,
            // A mapping of another ConnectWise still says that the tenant was switched off.
            on_after_choice: mapping.is_on_after_choice(),
            mapping: in_epoch(mapping, epoch),
            version,
        }
    }
}

/// The mapping in the connection's epoch, if there is a connection.
pub(crate) fn in_epoch(mapping: Mapping, epoch: Option<u32>) -> Mapping {
    match epoch {
        Some(epoch) => mapping.in_epoch(epoch),
        None => mapping,
    }
}

#[derive(Serialize)]
pub(super) struct TenantRow {
    pub(super) tenant: TenantId,
    pub(super) name: Option<String>,
    pub(super) company: Option<RecordId>,
    pub(super) company_name: Option<String>,
    /// Why no ticket can be created for the company, as the companies were read last.
    pub(super) company_issue: Option<CompanyIssue>,
    pub(super) enabled: bool,
    #[serde(skip)]
    pub(super) on_after_choice: bool,
    /// The number of its alerts without a ticket.
    pub(super) waiting: u64,
    pub(super) version: u64,
    /// Companies that it may be, by name. A person decides.
    pub(super) suggested: Vec<SuggestedCompany>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct SuggestedCompany {
    pub(super) company: RecordId,
    pub(super) identifier: String,
    pub(super) name: String,
    /// Whether it is the only company of exactly the tenant's name.
    pub(super) exact: bool,
    pub(super) issue: Option<CompanyIssue>,
}

#[derive(Serialize)]
pub(super) struct CompanyOption {
    pub(super) id: RecordId,
    pub(super) identifier: String,
    pub(super) name: String,
    pub(super) status: Option<String>,
    /// Why it cannot be chosen.
    pub(super) unusable: Option<&'static str>,
}

impl TenantRow {
    pub(super) fn new(
        stored: StoredTenant,
        waiting: u64,
        companies: Option<&Arc<CompanyIndex>>,
    ) -> Self {
        let StoredTenant { id, mapping, .. } = stored;
        let suggested = match companies {
            Some(index) if mapping.company.is_none() => suggested(index, mapping.title(&id)),
            Some(_) | None => vec![],
        };
        let chosen = companies.zip(mapping.company);
        let chosen = chosen.and_then(|(index, company)| index.get(company));
        Self {
            company_issue: chosen.and_then(|company| company.issue),
            suggested,
            tenant: id,
            name: mapping.name,
            company: mapping.company,
            company_name: mapping.company_name,
            enabled: mapping.enabled,
            on_after_choice: stored.on_after_choice,
            waiting,
            version: stored.version,
        }
    }

    /// The name for people.
    pub(super) fn title(&self) -> &str {
        self.name.as_deref().unwrap_or(self.tenant.as_str())
    }
}

fn suggested(index: &CompanyIndex, name: &str) -> Vec<SuggestedCompany> {
    let found = index.suggest(name);
    let suggested = found.companies.into_iter().map(|company| SuggestedCompany {
        company: company.id,
        identifier: company.identifier.clone(),
        name: company.name.clone(),
        exact: found.exact == Some(company),
        issue: company.issue,
    });
    suggested.collect()
}

impl CompanyOption {
    pub(super) fn new(company: CompanyRecord, statuses: &[CompanyStatus]) -> Self {
        Self {
            unusable: company.unfit(statuses).map(describe_issue),
            id: company.id,
            identifier: company.identifier,
            name: company.name,
            status: company.status.map(|status| status.name),
        }
    }
}

impl From<&SuggestedCompany> for CompanyOption {
    fn from(of: &SuggestedCompany) -> Self {
        Self {
            id: of.company,
            identifier: of.identifier.clone(),
            name: of.name.clone(),
            status: None,
            unusable: of.issue.map(describe_issue),
        }
    }
}

/// The tenant's company, or nothing.
pub(super) fn company_cell(of: &TenantRow) -> Markup {
    html! {
        @if let Some(company) = of.company {
            (of.company_name.as_deref().unwrap_or("")) " " small { "(" (company) ")" }
            @if let Some(issue) = of.company_issue { " " span class="bad" { (describe_issue(issue)) } }
        } @else if of.suggested.is_empty() {
            span class="soft" { "none" }
        }
    }
}

pub(super) fn state_cell(of: &TenantRow) -> Markup {
    html! {
        @if of.company.is_none() { span class="soft" { "not mapped" } }
        @else if of.enabled { span class="good" { "on" } }
        @else { span class="warn" { "off" } }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::tenants) fn tenant(
        id: &str,
        company: Option<RecordId>,
        suggested: &[(&str, Option<CompanyIssue>)],
    ) -> TenantRow {
        let suggested = suggested.iter().map(|(name, issue)| SuggestedCompany {
            company: 302,
            identifier: "Baker".to_owned(),
            name: (*name).to_owned(),
            exact: issue.is_none(),
            issue: *issue,
        });
        TenantRow {
            tenant: TenantId::parse(id).unwrap(),
            name: company.map(|_| "Acme Dental".to_owned()),
            company,
            company_name: company.map(|_| "Acme Dental Ltd".to_owned()),
            company_issue: company.map(|_| CompanyIssue::Inactive),
            enabled: company.is_some(),
            on_after_choice: true,
            waiting: 2,
            version: 1,
            suggested: suggested.collect(),
        }
    }
}
