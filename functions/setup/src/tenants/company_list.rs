//! Reads all companies over several requests, and keeps the list that was read last.
//!
//! Suggestions need all companies: ConnectWise cannot search for similar names, and its search for
//! one name takes a call for each tenant.

use std::sync::{Arc, Mutex, PoisonError};
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
/// Partners whose companies stay in memory: some megabytes each.
const MAX_CACHED: usize = 4;

/// The companies of the partners that were shown last, each with the version of its scan. A scan
/// that has ended is not changed any more, so a list with its version is exact.
#[derive(Debug, Default)]
pub(crate) struct CompanyListCache(Mutex<Vec<CachedList>>);

#[derive(Debug)]
struct CachedList {
    partner: PartnerId,
    version: u64,
    index: Arc<CompanyIndex>,
}

impl CompanyListCache {
    fn get(&self, partner: &PartnerId, version: u64) -> Option<Arc<CompanyIndex>> {
        let lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lists = lists.iter();
        let found = lists.find(|of| of.partner == *partner && of.version == version);
        found.map(|of| Arc::clone(&of.index))
    }

    fn put(&self, partner: &PartnerId, version: u64, index: &Arc<CompanyIndex>) {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lists.retain(|of| of.partner != *partner);
        lists.truncate(MAX_CACHED - 1);
        let cached = CachedList {
            partner: partner.clone(),
            version,
            index: Arc::clone(index),
        };
        lists.insert(0, cached);
    }
}

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
    let cached = setup.company_lists.get(partner, version);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_shown_last_stay_in_memory() {
        let cache = CompanyListCache::default();
        let partner = |n: u64| PartnerId::parse(format!("partner-{n}")).unwrap();
        let index = Arc::new(CompanyIndex::default());
        for n in 0..6 {
            cache.put(&partner(n), n, &index);
        }
        cache.put(&partner(5), 7, &index);
        let kept: Vec<_> = (0..6)
            .filter(|n| cache.get(&partner(*n), *n).is_some())
            .collect();
        assert_eq!(kept, [2, 3, 4]);
        assert!(cache.get(&partner(5), 7).is_some());
    }
}
