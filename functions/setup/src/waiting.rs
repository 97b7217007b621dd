//! The alerts that wait, counted: by tenant, and by what would become of them.

use std::collections::BTreeMap;

use connections::PartnerConfig;
use domain::preview::{Fate, fate};
use domain::settings::Company;
use domain::{Blocked, Kind, PartnerId, TenantId};
use jiff::Timestamp;
use serde::Serialize;
use store::BlockedRange;

use crate::Setup;

/// Records that are looked at for one page. Whoever has more waiting has other worries than their number.
const MOST: u64 = 20_000;

/// What waits of a partner's.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Waiting {
    /// Each tenant with something that waits.
    pub(crate) tenants: BTreeMap<TenantId, Counts>,
    /// There is more than was counted.
    pub(crate) more: bool,
    /// The tenants' names for people.
    #[serde(skip)]
    pub(crate) names: BTreeMap<TenantId, String>,
    /// What each code among them means, for people.
    #[serde(skip)]
    pub(crate) words: BTreeMap<String, String>,
}

/// How many alerts, by what becomes of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// All that stand and wait.
    pub(crate) all: u64,
    /// Those that become tickets by themselves.
    pub(crate) tickets: u64,
    /// Those that were raised too long ago, and wait for a person.
    pub(crate) older: u64,
    /// The same by kind.
    pub(crate) older_kinds: BTreeMap<Kind, u64>,
    /// When the first of them was raised.
    pub(crate) oldest: Option<Timestamp>,
    /// Those that wait for something else, by its code.
    pub(crate) others: BTreeMap<String, u64>,
}

/// How the partner's set-up is taken to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum As<'a> {
    /// As it is.
    Is,
    /// As if it were confirmed now.
    Confirmed,
    /// As if this tenant were mapped and switched on now.
    Mapped(&'a TenantId),
}

impl Waiting {
    /// Counts over all tenants.
    pub(crate) fn sum(&self) -> Counts {
        let mut sum = Counts::default();
        for of in self.tenants.values() {
            sum.all += of.all;
            sum.tickets += of.tickets;
            sum.older += of.older;
            for (kind, count) in &of.older_kinds {
                *sum.older_kinds.entry(kind.clone()).or_default() += count;
            }
            let times = sum.oldest.into_iter().chain(of.oldest);
            sum.oldest = times.min();
            for (reason, count) in &of.others {
                *sum.others.entry(reason.clone()).or_default() += count;
            }
        }
        sum
    }

    /// How many tenants have alerts that wait for this.
    pub(crate) fn tenants_with(&self, reason: &str) -> usize {
        let tenants = self.tenants.values();
        tenants.filter(|of| of.others.contains_key(reason)).count()
    }
}

/// The code of a reason, without ConnectWise's own words.
fn code(reason: &Blocked) -> String {
    if matches!(reason, Blocked::Rejected(_)) {
        return "rejected".to_owned();
    }
    reason.to_string()
}

/// Why an alert waits, in words for the person at the page.
pub(crate) fn words(reason: &Blocked) -> String {
    match reason {
        Blocked::NotSetUp => "the set-up is not confirmed".to_owned(),
        Blocked::Unmapped => "the tenant is not mapped".to_owned(),
        Blocked::TenantDisabled => "the tenant is switched off".to_owned(),
        Blocked::KindDisabled => "this kind of alert is switched off".to_owned(),
        Blocked::ConnectionBroken => "ConnectWise refuses the connection".to_owned(),
        Blocked::ConnectionUnavailable => "ConnectWise does not answer".to_owned(),
        Blocked::Throttled => "ConnectWise takes no more calls for a while".to_owned(),
        Blocked::Deferred => {
            "it was tried many times in a row, and is tried again in some minutes".to_owned()
        }
        Blocked::MissingRight(right) => format!("the API member lacks the right {right}"),
        Blocked::TargetGone(target) => {
            format!("ConnectWise does not accept the {target} of its ticket")
        }
        Blocked::Rejected(_) => "ConnectWise refused the ticket".to_owned(),
        Blocked::OlderThanBackfill => "it was raised too long ago".to_owned(),
    }
}

fn as_if(mut set_up: PartnerConfig, taken_as: As<'_>, now: Timestamp) -> PartnerConfig {
    match taken_as {
        As::Is => {}
        As::Confirmed => {
            if let Some(connection) = &mut set_up.items.connection {
                connection.confirmed = true;
                connection.confirmed_at = Some(now);
            }
        }
        As::Mapped(tenant) => {
            let connection = set_up.items.connection.as_ref();
            // Which company makes no difference to what waits.
            let company = Company {
                id: 0,
                name: String::new(),
                epoch: connection.map_or(0, |connection| connection.epoch),
            };
            let mapping = set_up.mappings.remove(tenant).unwrap_or_default();
            let mapping = mapping.chosen(Some(company), true, now);
            set_up.mappings.insert(tenant.clone(), mapping);
        }
    }
    set_up
}

impl Setup {
    /// What waits of the partner's.
    ///
    /// # Errors
    /// When a table cannot be read.
    pub(crate) async fn waiting(
        &self,
        partner: &PartnerId,
        taken_as: As<'_>,
        now: Timestamp,
    ) -> Result<Waiting, store::Error> {
        let set_up = as_if(self.connections.set_up(partner).await?, taken_as, now);
        let names = set_up.mappings.iter();
        let names = names.filter_map(|(tenant, of)| Some((tenant.clone(), of.name.clone()?)));
        let mut waiting = Waiting {
            names: names.collect(),
            ..Waiting::default()
        };
        let mut views = set_up.views();
        let mut counted = 0;
        for stretch in BlockedRange::all_from(None) {
            let mut listing = self.alerts.lists.blocked_in(partner, &stretch);
            while let Some(listed) = listing.next().await? {
                // A test is no alert that anybody waits for.
                let test = listed.key.source.is_of_set_up();
                let stands = listed.desired.active && !test;
                let Some(details) = listed.desired.details.filter(|_| stands) else {
                    continue;
                };
                if counted == MOST {
                    waiting.more = true;
                    return Ok(waiting);
                }
                counted += 1;
                let fate = fate(&listed.blocked, &details, views.of(&listed.key), now);
                let of = waiting.tenants.entry(listed.key.tenant).or_default();
                of.all += 1;
                match fate {
                    Fate::Ticket => of.tickets += 1,
                    Fate::Older | Fate::Waits(Blocked::OlderThanBackfill) => {
                        of.older += 1;
                        *of.older_kinds.entry(details.kind).or_default() += 1;
                        let times = of.oldest.into_iter().chain([details.raised_at]);
                        of.oldest = times.min();
                    }
                    Fate::Waits(reason) => {
                        let code = code(&reason);
                        *of.others.entry(code.clone()).or_default() += 1;
                        waiting.words.entry(code).or_insert_with(|| words(&reason));
                    }
                }
            }
        }
        Ok(waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_counted_without_connectwises_own_words() {
        for (reason, told) in [
            (Blocked::Unmapped, "unmapped"),
            (Blocked::Rejected("Summary of Acme".into()), "rejected"),
            (
                Blocked::MissingRight("service_tickets.add".into()),
                "missing_right(service_tickets.add)",
            ),
        ] {
            assert_eq!(code(&reason), told);
            assert!(!words(&reason).contains("Acme"));
        }
    }
}
