//! The names of a partner's tenants and sources, and where its tickets are in ConnectWise.

use std::collections::{BTreeMap, HashMap};

use connections::PartnerConfig;
use domain::alert::kind::KindInfo;
use domain::setup::mapping::Mapping;
use domain::{Kind, SourceId, TenantId};
use futures_util::future::try_join_all;
use store::{AccessTable, Connection, Error};

use crate::kind_names::name_of;

pub(crate) struct PartnerNames {
    pub(crate) connection: Option<Connection>,
    pub(crate) mappings: HashMap<TenantId, Mapping>,
    pub(crate) sources: BTreeMap<SourceId, String>,
    pub(crate) kinds: Vec<KindInfo>,
}

impl PartnerNames {
    pub(crate) async fn read(access: &AccessTable, config: PartnerConfig) -> Result<Self, Error> {
        let kinds = config.kinds();
        let named = config.sources.into_keys().map(async |id| {
            let source = access.sources.get(&id).await?.value;
            let name = source.map_or_else(|| id.to_string(), |source| source.name);
            Ok::<_, Error>((id, name))
        });
        Ok(Self {
            connection: config.items.connection,
            mappings: config.mappings,
            sources: try_join_all(named).await?.into_iter().collect(),
            kinds,
        })
    }

    pub(crate) fn tenant(&self, tenant: &TenantId) -> String {
        let mapping = self.mappings.get(tenant);
        let name = mapping.and_then(|mapping| mapping.name.clone());
        name.unwrap_or_else(|| tenant.to_string())
    }

    pub(crate) fn source(&self, source: &SourceId) -> String {
        match self.sources.get(source) {
            Some(name) => name.clone(),
            None if source.is_reserved() => "Ticketbridge".to_owned(),
            None => source.to_string(),
        }
    }

    pub(crate) fn kind(&self, kind: &Kind) -> String {
        name_of(kind, &self.kinds)
    }

    /// The address of a ticket in ConnectWise, if the connection still reaches it.
    pub(crate) fn ticket_address(&self, ticket: u64, epoch: u32) -> Option<String> {
        let of = self.connection.as_ref().filter(|of| of.epoch == epoch)?;
        Some(connections::ticket_address(of, ticket))
    }
}
