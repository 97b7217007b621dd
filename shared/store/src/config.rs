//! The `config` table: what partners set up, and what the functions note of them. All of a partner's items share the key `P#<partner>`.

use aws_types::SdkConfig;
use domain::setup::mapping::Mapping;
use domain::setup::settings::Settings;
use domain::{PartnerId, TenantId};

use crate::Error;
use crate::table::{Table, tenant_sk};

/// The `config` table.
#[derive(Debug, Clone)]
pub struct ConfigTable {
    pub(crate) table: Table,
}

impl ConfigTable {
    /// The table of this name.
    #[must_use]
    pub fn new(config: &SdkConfig, table: String) -> Self {
        Self {
            table: Table::new(config, table),
        }
    }

    /// The partner's settings.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn settings(&self, partner: &PartnerId) -> Result<Option<Settings>, Error> {
        self.table.get(partner, "settings").await
    }

    /// The tenant's mapping, read consistently: a tenant switched off makes no further ticket.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn mapping(
        &self,
        partner: &PartnerId,
        tenant: &TenantId,
    ) -> Result<Option<Mapping>, Error> {
        self.table.get(partner, &tenant_sk(tenant)).await
    }
}

#[cfg(test)]
mod tests {
    use domain::Kind;
    use domain::alert::event::Severity;
    use domain::setup::settings::BoardTarget;
    use serde_dynamo::aws_sdk_dynamodb_1::from_item;

    use crate::table::partner_item;

    use super::*;

    #[test]
    fn settings_come_back_as_they_were_stored() {
        let partner = PartnerId::parse("acme").unwrap();
        let board = BoardTarget {
            board: Some(2),
            types: [(Kind::parse("disk").unwrap(), 7)].into(),
            ..BoardTarget::default()
        };
        let settings = Settings {
            operations: board.clone(),
            cyber_alerts: board,
            kinds_off: [Kind::parse("cpu").unwrap()].into(),
            priorities: [(Severity::Critical, 1)].into(),
            epoch: Some(3),
            ..Settings::default()
        };
        let item = partner_item(&partner, "settings", &settings).unwrap();
        assert_eq!(from_item::<Settings>(item).unwrap(), settings);
    }
}
