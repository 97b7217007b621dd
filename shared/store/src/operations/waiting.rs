//! What a partner was notified of that waits for a person: `P#<partner>` with `waiting`. Only
//! `health` writes it.

use domain::PartnerId;
use domain::monitoring::waiting::WaitingNotifications;

use crate::Error;
use crate::table::{Table, partner_pk};
use crate::versions::{self, SaveOutcome, Versioned, VersionedItem};

const OPTIONAL: &[&str] = &["read_at", "mailed_at", "notified"];

#[derive(Debug, Clone)]
pub struct WaitingStore {
    table: Table,
}

impl WaitingStore {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Reads the item consistently. It is empty for a partner that was never notified.
    pub async fn get(&self, partner: &PartnerId) -> Result<Versioned<WaitingNotifications>, Error> {
        let read = versions::get(&self.table, item(&partner_pk(partner))).await?;
        Ok(read.or_default())
    }

    /// Saves what was changed from this version, after a mail was sent. If the process dies before,
    /// the mail is sent again.
    pub async fn save(
        &self,
        partner: &PartnerId,
        notifications: &WaitingNotifications,
        version: u64,
    ) -> Result<SaveOutcome, Error> {
        let pk = partner_pk(partner);
        versions::save(&self.table, item(&pk), notifications, version).await
    }
}

fn item(pk: &str) -> VersionedItem<'_> {
    VersionedItem {
        pk,
        sk: "waiting",
        optional: OPTIONAL,
    }
}

#[cfg(test)]
mod tests {
    use domain::alert::event::Severity;
    use domain::alert::record::Op;
    use domain::monitoring::waiting::{DueMail, WaitingCause, WaitingItem, WaitingSummary};
    use domain::ticketing::refused_writes::{RefusalCause, RefusalGroupId};
    use domain::{SourceId, TenantId};
    use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

    use super::*;
    use crate::table::Item;
    use crate::versions::assert_optional;

    #[test]
    fn every_cause_round_trips_through_the_item() {
        let at: jiff::Timestamp = "2026-11-22T07:30:00.123Z".parse().unwrap();
        let tenant = || TenantId::parse("acme").unwrap();
        let group = |cause| RefusalGroupId {
            op: Some(Op::Create),
            cause,
        };
        let causes = [
            WaitingCause::UnmappedTenant(tenant()),
            WaitingCause::Rejected(group(RefusalCause::Words("site is required".into()))),
            WaitingCause::Rejected(group(RefusalCause::Other)),
            WaitingCause::OlderThanBackfill(tenant()),
            WaitingCause::UnreadableMessages(
                SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
            ),
        ];
        let items = causes.map(|cause| WaitingItem {
            cause,
            count: 1,
            worst: Some((Severity::High, 1)),
            oldest: at,
            words: String::new(),
        });
        let mail = DueMail {
            items: items.into(),
            is_reminder: false,
            known: 0,
        };
        let nothing = WaitingSummary::default();
        let notified = WaitingNotifications::default().observed(&nothing, at);
        let notified = notified.mailed(&mail, at);
        let item: Item = to_item(&notified).unwrap();
        assert_eq!(from_item::<WaitingNotifications>(item).unwrap(), notified);
        assert_optional(&notified, &WaitingNotifications::default(), OPTIONAL);
    }
}
