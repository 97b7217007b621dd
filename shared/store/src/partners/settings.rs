//! A partner's settings: `P#<partner>` with `settings`.

use domain::PartnerId;
use domain::setup::settings::Settings;

use crate::Error;
use crate::table::{Table, partner_pk};
use crate::versions::{self, SaveOutcome, Versioned, VersionedItem};

pub(crate) const SETTINGS: &str = "settings";
const OPTIONAL: &[&str] = &["epoch", "flapping", "links", "source", "storm"];

#[derive(Debug, Clone)]
pub struct SettingsStore {
    pub(super) table: Table,
}

impl SettingsStore {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Reads the settings consistently.
    pub async fn get(&self, partner: &PartnerId) -> Result<Versioned<Option<Settings>>, Error> {
        versions::get(&self.table, item(&partner_pk(partner))).await
    }

    /// Saves settings that were changed from this version. If the process dies right after, they are
    /// saved, and blocked alerts continue when the partner is next due.
    pub async fn save(
        &self,
        partner: &PartnerId,
        settings: &Settings,
        version: u64,
    ) -> Result<SaveOutcome, Error> {
        versions::save(&self.table, item(&partner_pk(partner)), settings, version).await
    }

    /// Stores settings whatever the item contains. For seeding only: a person's change is saved with
    /// its version.
    pub async fn put(&self, partner: &PartnerId, settings: &Settings) -> Result<(), Error> {
        versions::put(&self.table, item(&partner_pk(partner)), settings).await
    }
}

fn item(pk: &str) -> VersionedItem<'_> {
    VersionedItem {
        pk,
        sk: SETTINGS,
        optional: OPTIONAL,
    }
}

#[cfg(test)]
mod tests {
    use domain::Kind;
    use domain::alert::event::Severity;
    use domain::alert::flapping::FlapRule;
    use domain::alert::storm::StormRule;
    use domain::setup::settings::BoardTarget;
    use domain::setup::ticket_links::TicketLinks;
    use serde_dynamo::aws_sdk_dynamodb_1::from_item;

    use super::*;
    use crate::table::partner_item;
    use crate::versions::assert_optional;

    #[test]
    fn settings_round_trip_through_their_item() {
        let partner = PartnerId::parse("acme").unwrap();
        let board = BoardTarget {
            board: Some(2),
            types: [(Kind::parse("disk").unwrap(), 7)].into(),
            subtypes: [(Kind::parse("disk").unwrap(), 8)].into(),
            items: [(Kind::parse("disk").unwrap(), 9)].into(),
            ..BoardTarget::default()
        };
        let settings = Settings {
            operations: board.clone(),
            cyber_alerts: board,
            kinds_off: [Kind::parse("cpu").unwrap()].into(),
            priorities: [(Severity::Critical, 1)].into(),
            source: Some(6),
            epoch: Some(3),
            ..Settings::default()
        };
        let item = partner_item(&partner, SETTINGS, &settings).unwrap();
        assert_eq!(from_item::<Settings>(item).unwrap(), settings);
    }

    #[test]
    fn optional_attributes_are_those_that_may_be_absent() {
        let bare = Settings::default();
        // Every field is named, so that a new optional one is set here too.
        let full = Settings {
            operations: BoardTarget::default(),
            cyber_alerts: BoardTarget::default(),
            kinds_off: [].into(),
            kinds_on_since: [].into(),
            priorities: [].into(),
            lowers_priority: false,
            flapping: Some(FlapRule {
                raises: 3,
                minutes: 30,
            }),
            storm: Some(StormRule {
                alerts: 20,
                minutes: 5,
            }),
            wont_fix_days: 14,
            note_interval_minutes: bare.note_interval_minutes,
            notes_for_customers: false,
            source: Some(6),
            links: TicketLinks {
                configuration: true,
                contact: true,
            },
            epoch: Some(1),
        };
        assert_optional(&full, &bare, OPTIONAL);
    }
}
