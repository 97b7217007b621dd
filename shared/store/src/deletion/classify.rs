//! Which items a deletion covers. Pure.

use std::collections::{BTreeSet, HashSet};

use domain::alert::record::Actual;
use domain::text::mentions;
use domain::wire::message::QuarantineEntry;
use domain::{AlertId, AlertKey, PartnerId, RecordId, SourceId, TenantId};
use serde_dynamo::aws_sdk_dynamodb_1::{from_attribute_value, from_item};

use super::scope::DeletionScope;
use crate::deliveries::queue_of;
use crate::operations::{HELD, QUARANTINE, REJECTED, SOURCE_ACTIVITY};
use crate::partners::{PARTNER_SOURCE, SAMPLE, UNMAPPED};
use crate::table::{Item, sk_after, tenant_sk};

/// An item of the alerts table.
pub(super) enum AlertItem {
    Record {
        pk: String,
        key: AlertKey,
    },
    /// A record that is known from its ticket only. Its partner is not known yet.
    Imported {
        pk: String,
    },
    Snapshot {
        pk: String,
        tenant: TenantId,
        source: SourceId,
    },
    TicketIndex,
}

impl AlertItem {
    /// `None` for another partner's item.
    pub(super) fn of(item: &Item, partner: &PartnerId) -> Option<Self> {
        let text = |name: &str| item.get(name)?.as_s().ok();
        let pk = text("pk")?.clone();
        if pk == crate::alerts::ticket_index_pk(partner) {
            return Some(Self::TicketIndex);
        }
        if let Some(key) = item.get("key") {
            let key: AlertKey = from_attribute_value(key.clone()).ok()?;
            return (key.partner == *partner).then_some(Self::Record { pk, key });
        }
        if let (Some(of), Some(tenant), Some(source)) =
            (text("partner"), text("tenant"), text("source"))
        {
            let tenant = TenantId::parse(tenant.as_str()).ok()?;
            let source = SourceId::parse(source.as_str()).ok()?;
            return (of == partner.as_str()).then_some(Self::Snapshot { pk, tenant, source });
        }
        Some(Self::Imported { pk })
    }
}

/// A row of the deliveries table, by its partition and sort keys.
pub(super) enum DeliveryItem {
    /// An outgoing event of an alert.
    Event {
        row: (String, String),
        key: AlertKey,
    },
    /// A queue, with the item key of its alert. Its partner is not known yet.
    Queue {
        row: (String, String),
        alert: String,
    },
}

impl DeliveryItem {
    /// `None` for another partner's row, and for one of a source itself.
    pub(super) fn of(item: &Item, partner: &PartnerId) -> Option<Self> {
        let row = row_of(item)?;
        if let Some(key) = item.get("key") {
            let key: AlertKey = from_attribute_value(key.clone()).ok()?;
            return (key.partner == *partner).then_some(Self::Event { row, key });
        }
        let alert = queue_of(&row.0)?.to_owned();
        Some(Self::Queue { row, alert })
    }
}

/// The partition and the sort key of an item.
pub(super) fn row_of(item: &Item) -> Option<(String, String)> {
    let text = |name: &str| item.get(name)?.as_s().ok().cloned();
    text("pk").zip(text("sk"))
}

/// The tenants and sources of a partner. Together they give the first half of a record's key.
pub(super) struct KnownScopes {
    partner: PartnerId,
    tenants: BTreeSet<TenantId>,
    sources: BTreeSet<SourceId>,
}

impl KnownScopes {
    pub(super) fn new(partner: &PartnerId) -> Self {
        Self {
            partner: partner.clone(),
            tenants: BTreeSet::new(),
            sources: BTreeSet::new(),
        }
    }

    pub(super) fn add(&mut self, tenant: &TenantId, source: &SourceId) {
        self.tenants.insert(tenant.clone());
        self.sources.insert(source.clone());
    }

    /// Adds what the scope names. A repetition finds it in no item: the last run may have deleted
    /// the tenant before it was interrupted.
    pub(super) fn add_scope(&mut self, scope: &DeletionScope) {
        match scope {
            DeletionScope::Partner => {}
            DeletionScope::Source(source) => drop(self.sources.insert(source.clone())),
            DeletionScope::Tenant(tenant) => drop(self.tenants.insert(tenant.clone())),
            DeletionScope::Alert(key) => self.add(&key.tenant, &key.source),
        }
    }

    /// Adds what the partner's own items name.
    pub(super) fn add_items(&mut self, config: &[Item], access: &[Item]) {
        let tenants = config.iter().filter_map(|item| sk_after(item, "T#"));
        let tenants = tenants.filter_map(|id| TenantId::parse(id).ok());
        self.tenants.extend(tenants);
        let sources = access
            .iter()
            .filter_map(|item| sk_after(item, PARTNER_SOURCE));
        let sources = sources.filter_map(|id| SourceId::parse(id).ok());
        self.sources.extend(sources);
    }

    /// Whether the scope covers a record without a key. Its item key says which tenant and source it
    /// has, as a hash.
    pub(super) fn covers(&self, scope: &DeletionScope, pk: &str) -> bool {
        if let DeletionScope::Alert(key) = scope {
            return key.item_key() == pk;
        }
        let Some((hash, _)) = pk.split_once('-') else {
            return false;
        };
        self.hashes(scope).contains(hash)
    }

    fn hashes(&self, scope: &DeletionScope) -> HashSet<String> {
        let Ok(alert_id) = AlertId::parse("any") else {
            return HashSet::new();
        };
        let mut hashes = HashSet::new();
        for tenant in &self.tenants {
            for source in &self.sources {
                let key = AlertKey {
                    partner: self.partner.clone(),
                    tenant: tenant.clone(),
                    source: source.clone(),
                    alert_id: alert_id.clone(),
                };
                if covers(scope, &key) {
                    let item_key = key.item_key();
                    hashes.extend(item_key.split_once('-').map(|(hash, _)| hash.to_owned()));
                }
            }
        }
        hashes
    }
}

pub(super) fn covers(scope: &DeletionScope, key: &AlertKey) -> bool {
    match scope {
        DeletionScope::Partner => true,
        DeletionScope::Source(source) => key.source == *source,
        DeletionScope::Tenant(tenant) => key.tenant == *tenant,
        DeletionScope::Alert(alert) => key == alert,
    }
}

/// Whether a part of a snapshot is deleted. It names alerts by their ids, and lasts for days only, so
/// one alert leaves it as it is.
pub(super) fn covers_snapshot(scope: &DeletionScope, tenant: &TenantId, source: &SourceId) -> bool {
    match scope {
        DeletionScope::Partner => true,
        DeletionScope::Source(of) => source == of,
        DeletionScope::Tenant(of) => tenant == of,
        DeletionScope::Alert(_) => false,
    }
}

/// The ticket of a record, if it is open as far as is known.
pub(super) fn open_ticket(item: &Item) -> Option<RecordId> {
    match from_attribute_value(item.get("actual")?.clone()).ok()? {
        Actual::Open(open) => Some(open.ticket_id),
        Actual::Closed(_) => None,
    }
}

/// The tenant's id and its name for people.
pub(super) fn tenant_names(scope: &DeletionScope, config: &[Item]) -> Vec<String> {
    let DeletionScope::Tenant(tenant) = scope else {
        return vec![];
    };
    let sk = tenant_sk(tenant);
    let item = config.iter().find(|item| sk_after(item, &sk) == Some(""));
    let name = item.and_then(|item| item.get("name")?.as_s().ok().cloned());
    let id = tenant.as_str().to_owned();
    [Some(id), name].into_iter().flatten().collect()
}

/// The items of the config table that are deleted. `names` are those of the tenant.
pub(super) fn config_rows(
    scope: &DeletionScope,
    names: &[String],
    items: &[Item],
) -> Vec<(String, String)> {
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let is_covered = |item: &&Item| {
        let Some(sk) = sk_after(item, "") else {
            return false;
        };
        match scope {
            DeletionScope::Partner => true,
            DeletionScope::Source(source) => {
                let source = source.as_str();
                let after = |prefix: &str| sk.strip_prefix(prefix);
                [after(UNMAPPED), after(SOURCE_ACTIVITY)].contains(&Some(source))
                    || [REJECTED, SAMPLE].iter().any(|prefix| {
                        after(prefix).and_then(|rest| rest.split('#').next()) == Some(source)
                    })
                    || quarantined(item).is_some_and(|entry| entry.source.as_str() == source)
            }
            DeletionScope::Tenant(tenant) => {
                let is_own = [tenant_sk(tenant), format!("{HELD}{tenant}")];
                let texts = ["text", "changes"].into_iter();
                let mut texts = texts.filter_map(|name| item.get(name)?.as_s().ok());
                is_own.iter().any(|own| own == sk)
                    || item
                        .get("tenant")
                        .and_then(|of| of.as_s().ok())
                        .is_some_and(|of| of == tenant.as_str())
                    || quarantined(item).is_some_and(|entry| entry.mentions(&names))
                    || texts.any(|text| mentions(text, &names))
            }
            DeletionScope::Alert(_) => false,
        }
    };
    rows(items, is_covered)
}

/// The partner's items of the access table that are deleted. The history of a partner stays as long
/// as the partner.
pub(super) fn access_rows(scope: &DeletionScope, items: &[Item]) -> Vec<(String, String)> {
    let is_covered = |item: &&Item| match scope {
        DeletionScope::Partner => true,
        DeletionScope::Source(source) => sk_after(item, PARTNER_SOURCE) == Some(source.as_str()),
        DeletionScope::Tenant(_) | DeletionScope::Alert(_) => false,
    };
    rows(items, is_covered)
}

fn quarantined(item: &Item) -> Option<QuarantineEntry> {
    sk_after(item, QUARANTINE)?;
    from_item(item.clone()).ok()
}

fn rows(items: &[Item], is_covered: impl Fn(&&Item) -> bool) -> Vec<(String, String)> {
    items.iter().filter(is_covered).filter_map(row_of).collect()
}
