//! The alerts that wait, counted: by tenant, and by what would become of them.

use std::collections::{BTreeMap, HashMap};

use connections::View;
use domain::preview::{Fate, fate};
use domain::settings::{Company, ConnectionView, Mapping};
use domain::{AlertKey, Blocked, PartnerId, SourceId, TenantId};
use jiff::Timestamp;
use serde::Serialize;
use store::{Connection, PartnerItems, Stretch};

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
pub(crate) fn code(reason: &Blocked) -> String {
    if matches!(reason, Blocked::Rejected(_)) {
        return "rejected".to_owned();
    }
    reason.to_string()
}

/// As if a company were chosen; which one makes no difference to what waits.
fn mapped(mapping: Option<Mapping>, connection: Option<&Connection>, now: Timestamp) -> Mapping {
    let company = Company {
        id: 0,
        name: String::new(),
        epoch: connection.map_or(0, |connection| connection.epoch),
    };
    mapping.unwrap_or_default().chosen(Some(company), true, now)
}

impl Setup {
    /// What waits of the partner's.
    ///
    /// # Errors
    /// When a table cannot be read.
    pub(crate) async fn waiting(
        &self,
        partner: &PartnerId,
        set_up: As<'_>,
        now: Timestamp,
    ) -> Result<Waiting, store::Error> {
        let table = self.table();
        let (connection, settings, breaker, mappings) = tokio::join!(
            table.connection(partner),
            table.settings(partner),
            table.breaker(partner),
            table.mappings(partner),
        );
        let connection = connection?.map(|connection| match set_up {
            As::Is | As::Mapped(_) => connection,
            As::Confirmed => Connection {
                confirmed: true,
                confirmed_at: Some(now),
                ..connection
            },
        });
        let items = PartnerItems {
            connection,
            settings: settings?,
            mapping: None,
            breaker: breaker.ok(),
        };
        let mappings = mappings?;
        let mut views: HashMap<(TenantId, SourceId), ConnectionView> = HashMap::new();
        let mut waiting = Waiting::default();
        let mut counted = 0;
        for stretch in Stretch::round(None) {
            let mut listing = self.alerts.blocked_in(partner, &stretch);
            while let Some(listed) = listing.next().await? {
                // A test is no alert that anybody waits for.
                let test = listed.key.source.is_of_set_up();
                let stands = listed.wanted.standing && !test;
                let Some(about) = listed.wanted.about.filter(|_| stands) else {
                    continue;
                };
                if counted == MOST {
                    waiting.more = true;
                    return Ok(waiting);
                }
                counted += 1;
                let AlertKey { tenant, source, .. } = listed.key;
                let of_source = (tenant, source);
                let view = views.entry(of_source.clone()).or_insert_with(|| {
                    let mapping = mappings.get(&of_source.0).cloned();
                    let mapping = match set_up {
                        As::Mapped(tenant) if *tenant == of_source.0 => {
                            Some(mapped(mapping, items.connection.as_ref(), now))
                        }
                        As::Is | As::Confirmed | As::Mapped(_) => mapping,
                    };
                    let items = PartnerItems {
                        mapping,
                        ..items.clone()
                    };
                    View::of(items, &of_source.1).view
                });
                let (tenant, _) = of_source;
                let of = waiting.tenants.entry(tenant).or_default();
                of.all += 1;
                match fate(&listed.blocked.reason, &about, view, now) {
                    Fate::Ticket => of.tickets += 1,
                    Fate::Older | Fate::Waits(Blocked::OlderThanBackfill) => of.older += 1,
                    Fate::Waits(reason) => *of.others.entry(code(&reason)).or_default() += 1,
                }
            }
        }
        Ok(waiting)
    }
}
