//! A partner's maintenance windows: `P#<partner>` with `maintenance`.

use domain::PartnerId;
use domain::maintenance::windows::MaintenanceWindows;
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use crate::Error;
use crate::table::{Item, Table, partner_key, partner_pk};
use crate::versions::{self, SaveOutcome, Versioned, VersionedItem};

pub(crate) const MAINTENANCE: &str = "maintenance";

#[derive(Debug, Clone)]
pub struct MaintenanceStore {
    table: Table,
}

impl MaintenanceStore {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Reads the windows consistently.
    ///
    /// # Errors
    /// When DynamoDB fails, or the item is not a list of windows. A single window that cannot be
    /// read is no error.
    pub async fn get(&self, partner: &PartnerId) -> Result<Versioned<MaintenanceWindows>, Error> {
        let stored = versions::get(&self.table, item(&partner_pk(partner))).await?;
        Ok(stored.or_default())
    }

    /// Saves windows that were changed from this version. If the process dies right after, they are
    /// saved, and alerts are held and released by them when the partner is next due.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn save(
        &self,
        partner: &PartnerId,
        windows: &MaintenanceWindows,
        version: u64,
    ) -> Result<SaveOutcome, Error> {
        versions::save(&self.table, item(&partner_pk(partner)), windows, version).await
    }

    /// Reads the windows for the release of alerts. See [`parse`].
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn get_or_none(&self, partner: &PartnerId) -> Result<MaintenanceWindows, Error> {
        let key = partner_key(partner, MAINTENANCE);
        Ok(parse(partner, self.table.item(key).await?))
    }
}

/// The windows of an item. Windows that cannot be read hold no alert: an alert must not wait for a
/// window whose end is unknown.
pub(super) fn parse(partner: &PartnerId, item: Option<Item>) -> MaintenanceWindows {
    let windows: MaintenanceWindows = match item.map(from_item).transpose() {
        Ok(windows) => windows.unwrap_or_default(),
        Err(err) => {
            tracing::error!(%partner, error = %err, "failed to read the maintenance windows");
            MaintenanceWindows::default()
        }
    };
    for window in windows.unreadable() {
        tracing::error!(%partner, %window, "failed to read a maintenance window");
    }
    windows
}

fn item(pk: &str) -> VersionedItem<'_> {
    VersionedItem {
        pk,
        sk: MAINTENANCE,
        optional: &[],
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::AttributeValue;
    use domain::WindowId;
    use domain::maintenance::recurrence::Recurrence;
    use domain::maintenance::scope::MaintenanceScope;
    use domain::maintenance::window::{MaintenanceWindow, WindowDefinition};

    use super::*;
    use crate::table::partner_item;

    fn windows() -> MaintenanceWindows {
        let window = MaintenanceWindow::try_from(WindowDefinition {
            name: "Patch night".to_owned(),
            zone: "Europe/Berlin".to_owned(),
            starts: "2026-12-01T22:00".parse().unwrap(),
            minutes: Some(480),
            repeats: Recurrence::Monthly { day: 31 },
            scope: MaintenanceScope {
                devices: ["srv-*".to_owned()].into(),
                ..MaintenanceScope::default()
            },
            ended_at: Some(jiff::Timestamp::UNIX_EPOCH),
        });
        let id = WindowId::parse("patch-night").unwrap();
        MaintenanceWindows::default()
            .with(id, window.unwrap())
            .unwrap()
    }

    fn stored() -> (PartnerId, Item) {
        let partner = PartnerId::parse("acme").unwrap();
        let item = partner_item(&partner, MAINTENANCE, &windows()).unwrap();
        (partner, item)
    }

    #[test]
    fn windows_round_trip_through_their_item() {
        let (partner, item) = stored();
        assert_eq!(parse(&partner, Some(item)), windows());
        assert!(parse(&partner, None).is_empty());
    }

    #[test]
    fn a_window_that_cannot_be_read_holds_nothing_and_survives() {
        let (partner, mut item) = stored();
        let Some(AttributeValue::M(map)) = item.get_mut("windows") else {
            panic!("no windows");
        };
        let strange = [("zone", "Mars/Olympus"), ("name", "Strange")];
        let strange = strange.map(|(name, of)| (name.to_owned(), AttributeValue::S(of.to_owned())));
        map.insert(
            "strange".to_owned(),
            AttributeValue::M(strange.into_iter().collect()),
        );
        let read = parse(&partner, Some(item.clone()));
        assert_eq!((read.readable().count(), read.unreadable().count()), (1, 1));
        let again = partner_item(&partner, MAINTENANCE, &read).unwrap();
        assert_eq!(again.get("windows"), item.get("windows"));
        item.insert("windows".to_owned(), AttributeValue::Bool(true));
        assert!(parse(&partner, Some(item)).is_empty());
    }
}
