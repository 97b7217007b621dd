//! Whom a partner's mails go to, and that none are sent too often: `P#<partner>` with `contact`, `link_asked` and `mail_rate`.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::PartnerId;
use domain::setup::contact::Contact;
use domain::time::sortable;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::Error;
use crate::access::AccessTable;
use crate::conditional;
use crate::table::partner_pk;
use crate::versions::{Place, Saved, Versioned};

impl AccessTable {
    /// The partner's emergency contact, read consistently, also to change it.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn contact_to_change(
        &self,
        partner: &PartnerId,
    ) -> Result<Versioned<Contact>, Error> {
        let read = self
            .table
            .read_versioned(&partner_pk(partner), "contact")
            .await?;
        Ok(Versioned {
            value: read.value.unwrap_or_default(),
            version: read.version,
        })
    }

    /// Saves a contact that was changed from this version. One conditional write: if the process dies right after, it holds.
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
            optional: &["address", "pending"],
        };
        self.table.save(place, contact, version).await
    }

    /// Whether a fresh link may be mailed to the partner now. Anybody can ask, so the pause after each mail is twice the one before, up to
    /// a day; after a day without a mail it is the first one again. One conditional write. If the process dies right after, the same
    /// request may still be mailed, and no other one until the pause is over.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable. The pause may then have begun.
    pub async fn may_mail_link(
        &self,
        partner: &PartnerId,
        request: &str,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let asked: Option<LinkPause> = self.table.get(partner, "link_asked").await?;
        let pause = match &asked {
            None => FIRST_PAUSE,
            Some(asked) if asked.request_id.as_deref() == Some(request) => return Ok(true),
            Some(asked) if now < asked.next_at => return Ok(false),
            Some(asked) if now.duration_since(asked.next_at) >= LONGEST_PAUSE => FIRST_PAUSE,
            Some(asked) => LONGEST_PAUSE
                .min(SignedDuration::from_secs(i64::from(asked.pause_seconds)).saturating_mul(2)),
        };
        let call = self
            .table
            .update_item(&partner_pk(partner), "link_asked")
            .update_expression("SET next_at = :next, pause_seconds = :pause, request_id = :request")
            .expression_attribute_values(":request", AttributeValue::S(request.to_owned()))
            .expression_attribute_values(":next", AttributeValue::S(sortable(later(now, pause))))
            .expression_attribute_values(":pause", AttributeValue::N(pause.as_secs().to_string()));
        let call = match asked {
            None => call.condition_expression("attribute_not_exists(next_at)"),
            Some(asked) => call
                .condition_expression("next_at = :before")
                .expression_attribute_values(":before", AttributeValue::S(sortable(asked.next_at))),
        };
        Ok(conditional::update(call).await?.is_some())
    }

    /// Whether any mail that a person at the page causes may go to the partner's addresses now: six at once, and one more every ten
    /// minutes (the generic cell rate algorithm: one stored time says it all). One conditional write: if the process dies right after,
    /// one mail fewer is sent.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable. The mail may then be counted.
    pub async fn may_mail(&self, partner: &PartnerId, now: Timestamp) -> Result<bool, Error> {
        for _ in 0..TRIES {
            let rate: Option<Rate> = self.table.get(partner, "mail_rate").await?;
            let before = rate.map(|rate| rate.empty_at);
            let from = before.map_or(now, |before| before.max(now));
            if from.duration_since(now) > INTERVAL.saturating_mul(BURST - 1) {
                return Ok(false);
            }
            let call = self
                .table
                .update_item(&partner_pk(partner), "mail_rate")
                .update_expression("SET empty_at = :after")
                .expression_attribute_values(
                    ":after",
                    AttributeValue::S(sortable(later(from, INTERVAL))),
                );
            let call = match before {
                None => call.condition_expression("attribute_not_exists(empty_at)"),
                Some(before) => call
                    .condition_expression("empty_at = :before")
                    .expression_attribute_values(":before", AttributeValue::S(sortable(before))),
            };
            if conditional::update(call).await?.is_some() {
                return Ok(true);
            }
        }
        // Others mail just now.
        Ok(false)
    }
}

/// When a link was mailed last, as far as that counts.
#[derive(Debug, Deserialize)]
struct LinkPause {
    /// Before this time no other is mailed.
    next_at: Timestamp,
    /// The pause that ends then.
    pause_seconds: u32,
    /// The request whose link was mailed.
    #[serde(default)]
    request_id: Option<String>,
}

/// The partner's mails as a rate.
#[derive(Debug, Deserialize)]
struct Rate {
    /// When the mails so far would have been sent at one in each interval.
    empty_at: Timestamp,
}

/// The pause after the first link.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_mins(5);
/// The pause after many.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(24);
/// One mail in so long, in the long run.
const INTERVAL: SignedDuration = SignedDuration::from_mins(10);
/// So many at once.
const BURST: i32 = 6;
/// How often the count is tried where others count at the same time.
const TRIES: usize = 5;

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}
