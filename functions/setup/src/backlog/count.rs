//! Counts the active alerts without a ticket, by tenant and by what will happen to them.

use std::collections::BTreeMap;

use connections::PartnerConfig;
use domain::alert::forecast::{Forecast, forecast};
use domain::setup::mapping::ChosenCompany;
use domain::setup::rights;
use domain::{Blocked, Kind, PartnerId, TenantId};
use jiff::Timestamp;
use serde::Serialize;
use store::BlockedRange;

use crate::context::Setup;

/// Alerts that are counted for one page. More than these are reported as "more".
const MAX_COUNTED: u64 = 20_000;

#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Backlog {
    /// Every tenant with an active alert without a ticket.
    pub(crate) tenants: BTreeMap<TenantId, BacklogCounts>,
    /// There are more alerts than were counted.
    pub(crate) more: bool,
    /// The tenants' display names.
    #[serde(skip)]
    pub(crate) names: BTreeMap<TenantId, String>,
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

/// What to assume about the partner's set-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Assumption<'a> {
    /// The set-up is taken as it is.
    None,
    /// It is confirmed now.
    Confirmed,
    /// This tenant is mapped and switched on now.
    Mapped(&'a TenantId),
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

    fn add(&mut self, tenant: TenantId, fate: Forecast, kind: Kind, raised_at: Timestamp) {
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

/// The code of a reason. It does not contain ConnectWise's own words.
fn code(reason: &Blocked) -> String {
    if matches!(reason, Blocked::Rejected(_)) {
        return "rejected".to_owned();
    }
    reason.to_string()
}

/// Why an alert has no ticket yet.
pub(crate) fn describe(reason: &Blocked) -> String {
    match reason {
        Blocked::NotSetUp => "the set-up is not confirmed".to_owned(),
        Blocked::Unmapped => "the tenant is not mapped".to_owned(),
        Blocked::TenantDisabled => "the tenant is switched off".to_owned(),
        Blocked::KindDisabled => "this kind of alert is switched off".to_owned(),
        Blocked::ConnectionBroken => "ConnectWise refuses the connection".to_owned(),
        Blocked::ConnectionUnavailable => "ConnectWise does not answer".to_owned(),
        Blocked::Throttled => "ConnectWise limits the rate of calls".to_owned(),
        Blocked::Deferred => {
            "several attempts failed; the next attempt follows in some minutes".to_owned()
        }
        Blocked::MissingRight(right) => {
            format!(
                "the API member lacks the right \"{}\"",
                rights::title(right)
            )
        }
        Blocked::TargetMissing(target) => {
            format!("ConnectWise does not accept the {target} of its ticket")
        }
        Blocked::Rejected(_) => "ConnectWise rejected the ticket".to_owned(),
        Blocked::OlderThanBackfill => "it was raised too long ago".to_owned(),
    }
}

fn assume(mut config: PartnerConfig, assumption: Assumption<'_>, now: Timestamp) -> PartnerConfig {
    match assumption {
        Assumption::None => {}
        Assumption::Confirmed => {
            if let Some(connection) = &mut config.items.connection {
                connection.confirmed = true;
                connection.confirmed_at = Some(now);
            }
        }
        Assumption::Mapped(tenant) => {
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
    }
    config
}

/// Counts the partner's active alerts without a ticket.
///
/// # Errors
/// When a table cannot be read.
pub(crate) async fn count_backlog(
    setup: &Setup,
    partner: &PartnerId,
    assumption: Assumption<'_>,
    now: Timestamp,
) -> Result<Backlog, store::Error> {
    let config = assume(
        setup.connections.partner_config(partner).await?,
        assumption,
        now,
    );
    let names = config.mappings.iter();
    let names = names.filter_map(|(tenant, of)| Some((tenant.clone(), of.name.clone()?)));
    let mut backlog = Backlog {
        names: names.collect(),
        ..Backlog::default()
    };
    let mut views = config.views();
    let mut counted = 0;
    for stretch in BlockedRange::all_from(None) {
        let mut listing = setup.alerts.lists.blocked_in(partner, &stretch);
        while let Some(listed) = listing.next().await? {
            let is_test = listed.key.source.is_for_test_alerts();
            let counts = listed.desired.active && !is_test;
            let Some(details) = listed.desired.details.filter(|_| counts) else {
                continue;
            };
            if counted == MAX_COUNTED {
                backlog.more = true;
                return Ok(backlog);
            }
            counted += 1;
            let fate = forecast(&listed.blocked, &details, views.of(&listed.key), now);
            backlog.add(listed.key.tenant, fate, details.kind, details.raised_at);
        }
    }
    Ok(backlog)
}

#[cfg(test)]
mod tests {
    use super::*;

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
