//! Whom a partner's mails go to, and that none are sent too often: `P#<partner>` with `contact`, `link_asked` and `mail_tried`.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::time::sortable;
use domain::{EmailAddress, PartnerId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::conditional;
use crate::config::{ConfigTable, partner_pk};
use crate::versions::{Place, Saved, Versioned};

/// A partner's emergency contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Where its mails go.
    pub address: EmailAddress,
}

impl ConfigTable {
    /// The partner's emergency contact, read consistently, also to change it.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn contact_to_change(
        &self,
        partner: &PartnerId,
    ) -> Result<Versioned<Option<Contact>>, Error> {
        self.read_versioned(&partner_pk(partner), "contact").await
    }

    /// Saves a contact that was changed from this version. One conditional write: if the process dies right after, mails go to the new
    /// address.
    ///
    /// # Errors
    /// When DynamoDB fails. The write may then have happened: saving again says so by a conflict.
    pub async fn save_contact(
        &self,
        partner: &PartnerId,
        contact: &Contact,
        version: u64,
    ) -> Result<Saved, Error> {
        let place = Place {
            pk: &partner_pk(partner),
            sk: "contact",
            optional: &[],
        };
        self.save(place, contact, version).await
    }

    /// Whether a fresh link may be mailed to the partner now: to one of those who ask within a pause. One conditional write: if the
    /// process dies right after, none is mailed until the pause is over.
    ///
    /// # Errors
    /// When DynamoDB fails. The pause may then have begun.
    pub async fn link_asked(
        &self,
        partner: &PartnerId,
        now: Timestamp,
        pause: SignedDuration,
    ) -> Result<bool, Error> {
        self.once_in(partner, "link_asked", now, pause).await
    }

    /// Whether a test mail may be sent to the partner now. As for [`Self::link_asked`].
    ///
    /// # Errors
    /// As for [`Self::link_asked`].
    pub async fn mail_tried(
        &self,
        partner: &PartnerId,
        now: Timestamp,
        pause: SignedDuration,
    ) -> Result<bool, Error> {
        self.once_in(partner, "mail_tried", now, pause).await
    }

    async fn once_in(
        &self,
        partner: &PartnerId,
        sk: &str,
        now: Timestamp,
        pause: SignedDuration,
    ) -> Result<bool, Error> {
        let over = now.saturating_sub(pause).unwrap_or(Timestamp::MIN);
        let call = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", AttributeValue::S(partner_pk(partner)))
            .key("sk", AttributeValue::S(sk.to_owned()))
            .update_expression("SET asked_at = :now")
            .condition_expression("attribute_not_exists(asked_at) OR asked_at <= :over")
            .expression_attribute_values(":now", AttributeValue::S(sortable(now)))
            .expression_attribute_values(":over", AttributeValue::S(sortable(over)));
        Ok(conditional::update(call).await?.is_some())
    }
}
