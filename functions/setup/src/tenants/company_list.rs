//! Reads all companies over several requests, and keeps the list that was read last.
//!
//! Suggestions need all companies: ConnectWise cannot search for similar names, and its search for
//! one name takes a call for each tenant.

use std::sync::Arc;
use std::time::Duration;

use aws::invocation::Invocation;
use connectwise::{CompanyRecord, CompanyStatus, RecordCursor};
use domain::PartnerId;
use domain::setup::company_index::{CompanyIndex, ListedCompany};
use futures_util::future::try_join_all;
use store::{COMPANIES_OF_PART, CompanyScan, SaveOutcome, Versioned};
use tokio::time::Instant;

use crate::connection::client::Connected;
use crate::context::Setup;
use crate::http::problem::Problem;
use crate::tenants::companies::company_statuses;

/// How long one request works. The gateway's limit is 30 s, and the last call needs some of them.
const WORK_TIME: Duration = Duration::from_secs(20);

/// The companies as they were read last.
pub(super) struct CompanyList {
    /// The progress of reading; `None` before the first time.
    pub(super) scan: Option<CompanyScan>,
    /// `None` unless reading has ended.
    pub(super) index: Option<Arc<CompanyIndex>>,
}

impl CompanyList {
    /// Without a list of another ConnectWise.
    pub(super) fn of_epoch(self, epoch: Option<u32>) -> Self {
        match &self.scan {
            Some(scan) if Some(scan.epoch) == epoch => self,
            Some(_) | None => Self {
                scan: None,
                index: None,
            },
        }
    }
}

pub(super) async fn read_companies(
    setup: &Setup,
    partner: &PartnerId,
) -> Result<CompanyList, store::Error> {
    let store = &setup.table().companies;
    let Versioned { value, version } = store.get_scan(partner).await?;
    let mut list = CompanyList {
        scan: value,
        index: None,
    };
    let Some(scan) = list.scan.as_ref().filter(|scan| scan.finished_at.is_some()) else {
        return Ok(list);
    };
    let cached = setup.company_lists.get(partner, &version);
    list.index = match cached {
        Some(index) => Some(index),
        None => {
            let companies = store.get_all(partner, scan).await?;
            let index = companies.map(|companies| Arc::new(CompanyIndex::new(companies)));
            if let Some(index) = &index {
                setup.company_lists.put(partner, version, index);
            }
            index
        }
    };
    Ok(list)
}

/// Reads further companies until the time is over. Reading a part again changes nothing: if the
/// process dies, the next request continues after the last part that was saved. A list that was
/// read completely is read anew.
pub(super) async fn read_more(
    setup: &Setup,
    partner: &PartnerId,
    Connected { connection, client }: &Connected,
    invocation: &Invocation,
) -> Result<CompanyScan, Problem> {
    let (store, epoch) = (&setup.table().companies, connection.epoch);
    let stored = store.get_scan(partner).await?;
    let (mut version, stored) = (stored.version, stored.value);
    let unfinished = stored.filter(|of| of.epoch == epoch && of.finished_at.is_none());
    let mut scan = match unfinished {
        Some(unfinished) => unfinished,
        None => CompanyScan {
            epoch,
            started_at: invocation.now(),
            total: client.company_count(invocation.call_ends()).await?,
            ..CompanyScan::default()
        },
    };
    let statuses = company_statuses(client, invocation).await?;
    let begun = Instant::now();
    while scan.finished_at.is_none() && begun.elapsed() < WORK_TIME {
        let from = scan.next.map_or(RecordCursor::START, RecordCursor::after);
        let page = client.company_page(from, invocation.call_ends()).await?;
        scan.read += page.items.len() as u64;
        let companies = page
            .items
            .into_iter()
            .map(|company| listed(company, &statuses));
        let companies: Vec<_> = companies.collect();
        let parts = (scan.parts..).zip(companies.chunks(COMPANIES_OF_PART));
        let puts = parts.map(|(n, part)| store.put_part(partner, &scan, n, part));
        let stored = try_join_all(puts).await?;
        scan.parts += u32::try_from(stored.len()).unwrap_or(u32::MAX);
        scan.next = page.next.map(RecordCursor::id);
        if page.next.is_none() {
            scan.finished_at = Some(invocation.now());
        }
        version = match store.save_scan(partner, &scan, version).await? {
            SaveOutcome::Saved { version } => version,
            // Another request reads too. The next one continues from what that request saved.
            SaveOutcome::Conflict => break,
        };
    }
    Ok(scan)
}

fn listed(company: CompanyRecord, statuses: &[CompanyStatus]) -> ListedCompany {
    ListedCompany {
        issue: company.unfit(statuses),
        id: company.id,
        identifier: company.identifier,
        name: company.name,
    }
}
