//! Counts the active alerts without a ticket, by tenant and by what will happen to them.

use std::collections::BTreeMap;

use connections::PartnerConfig;
use domain::alert::forecast::{Forecast, forecast};
use domain::setup::mapping::ChosenCompany;
use domain::{Blocked, Kind, PartnerId, TenantId};
use jiff::Timestamp;
use serde::Serialize;
use store::BlockedRange;

use crate::backlog::words::describe;
use crate::context::Setup;

/// Alerts that are counted for one page. More than these are reported as "more".
const MAX_COUNTED: u64 = 20_000;

#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Backlog {
    /// Every tenant with an active alert without a ticket.
    pub(crate) tenants: BTreeMap<TenantId, BacklogCounts>,
    /// There are more alerts than were counted.
    pub(crate) more: bool,
    /// A description of each code in [`BacklogCounts::others`].
    #[serde(skip)]
    pub(crate) words: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct BacklogCounts {
    pub(crate) all: u64,
    /// Alerts that become tickets without any action.
    pub(crate) tickets: u64,
    /// Alerts that were raised too long ago: a person must release them.
    pub(crate) older: u64,
    pub(crate) older_kinds: BTreeMap<Kind, u64>,
    /// When the oldest of them was raised.
    pub(crate) oldest: Option<Timestamp>,
    /// All other blocked alerts, by the code of the reason.
    pub(crate) others: BTreeMap<String, u64>,
}

/// What to assume about the partner's set-up. The default takes it as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Assumption<'a> {
    /// It is confirmed now, if it is not yet.
    pub(crate) confirmed: bool,
    /// This tenant is mapped and switched on now.
    pub(crate) mapped: Option<&'a TenantId>,
}

impl Backlog {
    /// The counts of all tenants together.
    pub(crate) fn sum(&self) -> BacklogCounts {
        let mut sum = BacklogCounts::default();
        for of in self.tenants.values() {
            sum.all += of.all;
            sum.tickets += of.tickets;
            sum.older += of.older;
            for (kind, count) in &of.older_kinds {
                *sum.older_kinds.entry(kind.clone()).or_default() += count;
            }
            sum.oldest = sum.oldest.into_iter().chain(of.oldest).min();
            for (reason, count) in &of.others {
                *sum.others.entry(reason.clone()).or_default() += count;
            }
        }
        sum
    }

    /// The number of tenants with alerts that are blocked by this reason.
    pub(crate) fn tenants_blocked_by(&self, reason: &str) -> usize {
        let tenants = self.tenants.values();
        tenants.filter(|of| of.others.contains_key(reason)).count()
    }

    /// The number of tenants with alerts that become tickets.
    pub(crate) fn tenants_with_tickets(&self) -> usize {
        let tenants = self.tenants.values();
        tenants.filter(|of| of.tickets > 0).count()
    }

    pub(super) fn add(
        &mut self,
        tenant: TenantId,
        fate: Forecast,
        kind: Kind,
        raised_at: Timestamp,
    ) {
        let of = self.tenants.entry(tenant).or_default();
        of.all += 1;
        match fate {
            Forecast::Ticket => of.tickets += 1,
            Forecast::TooOld | Forecast::Blocked(Blocked::OlderThanBackfill) => {
                of.older += 1;
                *of.older_kinds.entry(kind).or_default() += 1;
                of.oldest = of.oldest.into_iter().chain([raised_at]).min();
            }
            Forecast::Blocked(reason) => {
                let code = code(&reason);
                *of.others.entry(code.clone()).or_default() += 1;
                let words = self.words.entry(code);
                words.or_insert_with(|| describe(&reason));
            }
        }
    }
}

/// The code of a reason, the same for all alerts that it blocks: without ConnectWise's own words, and
/// without the end of maintenance.
fn code(reason: &Blocked) -> String {
    let all = reason.to_string();
    let is_of_one_alert = matches!(
        reason,
        Blocked::Rejected(_) | Blocked::Maintenance(_) | Blocked::Storm(_) | Blocked::WontFix(_)
    );
    match all.split_once('(') {
        Some((code, _)) if is_of_one_alert => code.to_owned(),
        Some(_) | None => all,
    }
}

/// The configuration as it would be under an assumption.
pub(crate) fn assume(
    mut config: PartnerConfig,
    assumption: Assumption<'_>,
    now: Timestamp,
) -> PartnerConfig {
    let connection = config.items.connection.as_mut();
    if let Some(connection) =
        connection.filter(|connection| assumption.confirmed && !connection.confirmed)
    {
        connection.confirmed = true;
        connection.confirmed_at = Some(now);
    }
    if let Some(tenant) = assumption.mapped {
        let connection = config.items.connection.as_ref();
        // The result is the same for every company.
        let company = ChosenCompany {
            id: 0,
            name: String::new(),
            epoch: connection.map_or(0, |connection| connection.epoch),
        };
        let mapping = config.mappings.remove(tenant).unwrap_or_default();
        let mapping = mapping.with_choice(Some(company), true, now);
        config.mappings.insert(tenant.clone(), mapping);
    }
    config
}

/// Which of a partner's alerts to count.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CountedTenants<'a> {
    All,
    One(&'a TenantId),
}

/// Counts the partner's active alerts without a ticket, under this configuration.
///
/// # Errors
/// When a table cannot be read.
pub(crate) async fn count_backlog(
    setup: &Setup,
    partner: &PartnerId,
    config: &PartnerConfig,
    counted: CountedTenants<'_>,
    now: Timestamp,
) -> Result<Backlog, store::Error> {
    let mut backlog = Backlog::default();
    let mut views = config.views();
    let mut count = 0;
    let ranges = match counted {
        CountedTenants::All => BlockedRange::all_from(None),
        CountedTenants::One(tenant) => BlockedRange::of_tenant(tenant),
    };
    for range in ranges {
        let mut listing = setup.alerts.lists.blocked_in(partner, &range);
        while let Some(listed) = listing.next().await? {
            let is_counted = match counted {
                CountedTenants::All => true,
                CountedTenants::One(tenant) => listed.key.tenant == *tenant,
            };
            let is_test = listed.key.source.is_for_test_alerts();
            let counts = is_counted && listed.desired.active && !is_test;
            let Some(details) = listed.desired.details.filter(|_| counts) else {
                continue;
            };
            if count == MAX_COUNTED {
                backlog.more = true;
                return Ok(backlog);
            }
            count += 1;
            let fate = forecast(&listed.blocked, &details, views.of(&listed.key), now);
            backlog.add(listed.key.tenant, fate, details.kind, details.raised_at);
        }
    }
    Ok(backlog)
}

#[cfg(test)]
mod tests {
    use domain::alert::blocked::MaintenanceHold;

    use super::*;

    #[test]
    fn maintenance_is_counted_without_its_end() {
        let hold = |second| {
            Blocked::Maintenance(MaintenanceHold {
                until: Timestamp::from_second(second).unwrap(),
                device: None,
            })
        };
        assert_eq!(code(&hold(0)), "maintenance");
        assert_eq!(code(&hold(0)), code(&hold(60)));
        assert_eq!(describe(&hold(0)), describe(&hold(60)));
        assert_ne!(hold(0).ends_at(), hold(60).ends_at());
    }

    #[test]
    fn a_rejection_is_counted_without_connectwises_words() {
        for (reason, expected) in [
            (Blocked::Unmapped, "unmapped"),
            (Blocked::Rejected("Summary of Acme".into()), "rejected"),
            (
                Blocked::MissingRight("service_tickets.add".into()),
                "missing_right(service_tickets.add)",
            ),
        ] {
            assert_eq!(code(&reason), expected);
            assert!(!describe(&reason).contains("Acme"));
        }
    }
}
