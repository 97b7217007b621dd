//! Selects which part of a partner's configuration counts for an alert. Pure.

use std::collections::{BTreeMap, HashMap};

use domain::alert::kind::{KindInfo, with_added};
use domain::connection::view::{ConnectionView, LiveConnection};
use domain::maintenance::windows::MaintenanceWindows;
use domain::setup::mapping::Mapping;
use domain::setup::settings::OnResolve;
use domain::{AlertKey, SourceId, TenantId};
use store::{Connection, PartnerItems, PartnerSource};

/// The configuration that counts for an alert, and the connection that it may call.
#[derive(Debug, Clone)]
pub struct AlertView {
    /// For `decide`. The caller fills in the ticket index.
    pub view: ConnectionView,
    pub site: Option<ConnectionSite>,
}

/// A connection that may be called.
#[derive(Debug, Clone)]
pub struct ConnectionSite {
    pub connection: Connection,
    /// The breaker cannot be read, so calls are made one at a time.
    pub careful: bool,
}

impl AlertView {
    /// Selects from the stored items what counts for an alert of this source. Items that belong to
    /// another ConnectWise than the connection points to do not count: the number of a board or
    /// company there may be any record here.
    ///
    /// A test alert may come before the partner confirms and for a disabled tenant, since it is a
    /// reason to confirm and to enable. No maintenance holds it. Its ticket is always closed, whatever
    /// the board's setting.
    #[must_use]
    pub fn of(items: PartnerItems, source: &SourceId) -> Self {
        let is_test = source.is_for_test_alerts();
        let careful = items.breaker.is_none();
        let counts =
            |connection: &Connection| (connection.confirmed || is_test) && !connection.suspended;
        let connection = items.connection.filter(counts);
        let (mut settings, mut mapping) = match &connection {
            Some(Connection { epoch, .. }) => (
                items
                    .settings
                    .filter(|settings| settings.belongs_to(*epoch)),
                items.mapping.map(|mapping| mapping.in_epoch(*epoch)),
            ),
            None => (None, items.mapping),
        };
        if is_test {
            if let Some(settings) = &mut settings {
                settings.operations.on_resolve = OnResolve::Close;
                settings.cyber_alerts.on_resolve = OnResolve::Close;
            }
            if let Some(mapping) = &mut mapping {
                mapping.enabled = true;
            }
        }
        let live = connection.as_ref().zip(settings);
        let live = live.map(|(connection, settings)| LiveConnection {
            epoch: connection.epoch,
            confirmed_at: connection.confirmed_at,
            settings,
        });
        let site = connection.filter(|_| live.is_some());
        Self {
            view: ConnectionView {
                connection: live,
                mapping,
                breaker: items.breaker.unwrap_or_default(),
                ticket_index: None,
                source_since: items.source_since,
                maintenance: match is_test {
                    true => MaintenanceWindows::default(),
                    false => items.maintenance,
                },
                admission: None,
            },
            site: site.map(|connection| ConnectionSite {
                connection,
                careful,
            }),
        }
    }
}

/// A partner's whole configuration, for a caller that goes through a list of its alerts.
#[derive(Debug, Clone)]
pub struct PartnerConfig {
    /// The items that all tenants share. It holds no mapping, and all maintenance windows.
    pub items: PartnerItems,
    pub mappings: HashMap<TenantId, Mapping>,
    pub sources: BTreeMap<SourceId, PartnerSource>,
}

impl PartnerConfig {
    /// The built-in kinds, and those that the partner's sources add.
    #[must_use]
    pub fn kinds(&self) -> Vec<KindInfo> {
        let sources = self.sources.values();
        let added: Vec<_> = sources.flat_map(|source| source.kinds.clone()).collect();
        with_added(&added)
    }

    #[must_use]
    pub fn views(&self) -> AlertViews<'_> {
        AlertViews {
            config: self,
            last: None,
        }
    }
}

/// The views of a list of alerts. Lists are sorted by tenant, so the last view is cached.
#[derive(Debug)]
pub struct AlertViews<'a> {
    config: &'a PartnerConfig,
    last: Option<(ViewKey, ConnectionView)>,
}

/// Alerts with the same key have the same view.
#[derive(Debug, PartialEq)]
struct ViewKey {
    tenant: TenantId,
    source: SourceId,
}

impl AlertViews<'_> {
    pub fn of(&mut self, alert: &AlertKey) -> &ConnectionView {
        let key = ViewKey {
            tenant: alert.tenant.clone(),
            source: alert.source.clone(),
        };
        let (_, view) = match self.last.take() {
            Some(last) if last.0 == key => self.last.insert(last),
            Some(_) | None => {
                let source = self.config.sources.get(&alert.source);
                let windows = &self.config.items.maintenance;
                let items = PartnerItems {
                    mapping: self.config.mappings.get(&alert.tenant).cloned(),
                    source_since: source.map(|source| source.since),
                    maintenance: windows.clone().of_tenant(&alert.tenant),
                    ..self.config.items.clone()
                };
                let view = AlertView::of(items, &alert.source).view;
                self.last.insert((key, view))
            }
        };
        view
    }
}

#[cfg(test)]
mod tests;
