//! Suggests companies that have exactly a tenant's name. Reads all companies over several requests.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws::invocation::Invocation;
use connectwise::{CompanyRecord, CompanyStatus, RecordCursor};
use domain::text::folded_name;
use domain::{PartnerId, TenantId};
use futures_util::future::try_join_all;
use store::{CompanyScan, SaveOutcome, SuggestedCompany, TenantSuggestions, Versioned};
use tokio::time::Instant;

use crate::connection::client::Connected;
use crate::context::Setup;
use crate::http::problem::Problem;
use crate::tenants::companies::company_statuses;

/// Suggestions of one tenant. More companies of the same name need no list.
const MAX_SUGGESTIONS: usize = 3;
/// Suggestions that are stored concurrently.
const CONCURRENT_WRITES: usize = 16;
/// How long one request works. The gateway's limit is 30 s, and the last call needs some of them.
const WORK_TIME: Duration = Duration::from_secs(20);

/// Reads further companies until the time is over. Reading a part again changes nothing: if the
/// process dies, the next request continues after the last part that was saved.
pub(super) async fn read_more(
    setup: &Setup,
    partner: &PartnerId,
    Connected { connection, client }: &Connected,
    invocation: &Invocation,
) -> Result<CompanyScan, Problem> {
    let (table, epoch) = (setup.table(), connection.epoch);
    let stored = table.suggestions.get_scan(partner).await?;
    let (mut version, stored) = (stored.version, stored.value);
    let unfinished = stored.filter(|of| of.epoch == epoch && of.finished_at.is_none());
    let mut reading = match unfinished {
        Some(unfinished) => unfinished,
        None => CompanyScan {
            epoch,
            total: client.company_count(invocation.call_ends()).await?,
            ..CompanyScan::default()
        },
    };
    let names = unmapped_names(setup, partner, epoch).await?;
    let statuses = company_statuses(client, invocation).await?;
    let begun = Instant::now();
    while reading.finished_at.is_none() && begun.elapsed() < WORK_TIME {
        let from = reading
            .next
            .map_or(RecordCursor::START, RecordCursor::after);
        let part = client.company_page(from, invocation.call_ends()).await?;
        reading.read += part.items.len() as u64;
        let found = suggestions(&names, &statuses, part.items);
        save_all(setup, partner, epoch, found).await?;
        reading.next = part.next.map(RecordCursor::id);
        if part.next.is_none() {
            reading.finished_at = Some(invocation.now());
        }
        version = match table
            .suggestions
            .save_scan(partner, &reading, version)
            .await?
        {
            SaveOutcome::Saved { version } => version,
            // Another request reads too. The next one continues from what that request saved.
            SaveOutcome::Conflict => break,
        };
    }
    Ok(reading)
}

/// The tenants without a company, by their folded name.
async fn unmapped_names(
    setup: &Setup,
    partner: &PartnerId,
    epoch: u32,
) -> Result<HashMap<String, Vec<TenantId>>, store::Error> {
    let mut names: HashMap<String, Vec<TenantId>> = HashMap::new();
    for (tenant, mapping) in setup.table().tenants.get_all(partner).await? {
        let mapping = mapping.in_epoch(epoch);
        if mapping.company.is_none() {
            let name = mapping.name.unwrap_or_else(|| tenant.to_string());
            names.entry(folded_name(&name)).or_default().push(tenant);
        }
    }
    Ok(names)
}

/// The usable companies that have exactly the name of a tenant.
fn suggestions(
    names: &HashMap<String, Vec<TenantId>>,
    statuses: &[CompanyStatus],
    companies: Vec<CompanyRecord>,
) -> BTreeMap<TenantId, Vec<SuggestedCompany>> {
    let mut found: BTreeMap<TenantId, Vec<SuggestedCompany>> = BTreeMap::new();
    for company in companies {
        let tenants = names.get(&folded_name(&company.name));
        let Some(tenants) = tenants.filter(|_| company.unfit(statuses).is_none()) else {
            continue;
        };
        for tenant in tenants {
            found
                .entry(tenant.clone())
                .or_default()
                .push(SuggestedCompany {
                    company: company.id,
                    name: company.name.clone(),
                });
        }
    }
    found
}

async fn save_all(
    setup: &Setup,
    partner: &PartnerId,
    epoch: u32,
    found: BTreeMap<TenantId, Vec<SuggestedCompany>>,
) -> Result<(), Problem> {
    let found: Vec<_> = found.into_iter().collect();
    for chunk in found.chunks(CONCURRENT_WRITES) {
        let saves = chunk
            .iter()
            .map(|(tenant, companies)| save_suggested(setup, partner, tenant, epoch, companies));
        try_join_all(saves).await?;
    }
    Ok(())
}

/// Adds companies to a tenant's suggestions. Adding them again changes nothing.
async fn save_suggested(
    setup: &Setup,
    partner: &PartnerId,
    tenant: &TenantId,
    epoch: u32,
    companies: &[SuggestedCompany],
) -> Result<(), Problem> {
    let table = setup.table();
    let first = with_companies(TenantSuggestions::default(), epoch, companies);
    if table.suggestions.save(partner, tenant, &first, 0).await? != SaveOutcome::Conflict {
        return Ok(());
    }
    let Versioned { value, version } = table.suggestions.get(partner, tenant).await?;
    let suggested = with_companies(value.clone(), epoch, companies);
    if suggested != value {
        // A conflict is ignored: a concurrent request has found the same companies.
        table
            .suggestions
            .save(partner, tenant, &suggested, version)
            .await?;
    }
    Ok(())
}

fn with_companies(
    of_tenant: TenantSuggestions,
    epoch: u32,
    companies: &[SuggestedCompany],
) -> TenantSuggestions {
    let mut suggested = if of_tenant.epoch == epoch {
        of_tenant
    } else {
        TenantSuggestions {
            epoch,
            companies: vec![],
        }
    };
    let known = &mut suggested.companies;
    for company in companies {
        if known.len() < MAX_SUGGESTIONS && known.iter().all(|of| of.company != company.company) {
            known.push(company.clone());
        }
    }
    suggested
}

#[cfg(test)]
mod tests {
    use domain::RecordId;
    use serde_json::json;

    use super::*;

    fn company(id: RecordId, name: &str) -> CompanyRecord {
        serde_json::from_value(serde_json::json!({ "id": id, "name": name })).unwrap()
    }

    fn statuses() -> Vec<CompanyStatus> {
        let statuses = json!([
            { "id": 1 }, { "id": 2, "inactiveFlag": true }, { "id": 3, "disallowSavingFlag": true },
        ]);
        serde_json::from_value(statuses).unwrap()
    }

    #[test]
    fn suggestions_have_the_exact_name_and_are_unique() {
        let acme = TenantId::parse("acme").unwrap();
        let names = HashMap::from([(folded_name("Acme Dental"), vec![acme.clone()])]);
        let with_status = |id, status: u32| {
            let company =
                json!({ "id": id, "name": "Acme Dental", "status": { "id": status, "name": "x" } });
            serde_json::from_value(company).unwrap()
        };
        let companies = vec![
            company(1, "ACME dental "),
            company(2, "Acme Dental Group"),
            company(1, "Acme Dental"),
            company(3, "Acme  Dental"),
            with_status(4, 1),
            with_status(5, 2),
            with_status(6, 3),
            with_status(7, 9),
        ];
        let found = suggestions(&names, &statuses(), companies);
        let numbers = |of: &TenantSuggestions| -> Vec<RecordId> {
            of.companies.iter().map(|of| of.company).collect()
        };
        let once = with_companies(TenantSuggestions::default(), 2, &found[&acme]);
        assert_eq!((numbers(&once), once.epoch), (vec![1, 4, 7], 2));
        assert_eq!(with_companies(once.clone(), 2, &found[&acme]), once);
        // The suggestions of another ConnectWise are replaced.
        let elsewhere = with_companies(once, 3, &found[&acme][2..]);
        assert_eq!((numbers(&elsewhere), elsewhere.epoch), (vec![4, 7], 3));
    }
}
