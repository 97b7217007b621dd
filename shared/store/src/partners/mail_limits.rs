//! Limits on the mails that people cause: `P#<partner>` with `link_asked` and `mail_rate`.

use domain::PartnerId;
use domain::time::later;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::table::{Table, number, partner_key, string, time};
use crate::{Error, conditional};

const LINK_PAUSE: &str = "link_asked";
const RATE: &str = "mail_rate";

/// The pause after the first link.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_mins(5);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(24);
/// The time between two mails in the long run.
const INTERVAL: SignedDuration = SignedDuration::from_mins(10);
/// The number of mails that may be sent at once: enough to add all contacts.
const BURST: i32 = 12;
/// Attempts to count a mail while other requests count theirs.
const ATTEMPTS: usize = 5;

#[derive(Debug, Clone)]
pub struct MailLimitStore {
    table: Table,
}

impl MailLimitStore {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Returns whether a new link may be mailed to the partner now. Anyone can request one, so each
    /// pause is twice the one before, up to a day. After a day without a mail, the pause is the
    /// first one again. If the process dies right after, the same request may still mail its link,
    /// and no other request before the end of the pause.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable. The pause may then have begun.
    pub async fn acquire_link(
        &self,
        partner: &PartnerId,
        request: &str,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let last: Option<LinkPause> = self.table.get(partner, LINK_PAUSE).await?;
        let pause = match &last {
            None => FIRST_PAUSE,
            Some(last) if last.request_id.as_deref() == Some(request) => return Ok(true),
            Some(last) if now < last.next_at => return Ok(false),
            Some(last) if now.duration_since(last.next_at) >= LONGEST_PAUSE => FIRST_PAUSE,
            Some(last) => LONGEST_PAUSE
                .min(SignedDuration::from_secs(i64::from(last.pause_seconds)).saturating_mul(2)),
        };
        let call = self
            .table
            .update_item(partner_key(partner, LINK_PAUSE))
            .update_expression("SET next_at = :next, pause_seconds = :pause, request_id = :request")
            .expression_attribute_values(":request", string(request))
            .expression_attribute_values(":next", time(later(now, pause)))
            .expression_attribute_values(":pause", number(pause.as_secs()));
        let call = match last {
            None => call.condition_expression("attribute_not_exists(next_at)"),
            Some(last) => call
                .condition_expression("next_at = :before")
                .expression_attribute_values(":before", time(last.next_at)),
        };
        conditional::update(call).await
    }

    /// Returns whether a mail that a person on the page causes may be sent to the partner's
    /// addresses now: twelve at once, and one more every ten minutes. This is the generic cell rate
    /// algorithm, which stores one time. If the process dies right after, one mail fewer is sent.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable. The mail may then be counted.
    pub async fn acquire(&self, partner: &PartnerId, now: Timestamp) -> Result<bool, Error> {
        for _ in 0..ATTEMPTS {
            let rate: Option<MailRate> = self.table.get(partner, RATE).await?;
            let before = rate.map(|rate| rate.empty_at);
            let from = before.map_or(now, |before| before.max(now));
            if from.duration_since(now) > INTERVAL.saturating_mul(BURST - 1) {
                return Ok(false);
            }
            let call = self
                .table
                .update_item(partner_key(partner, RATE))
                .update_expression("SET empty_at = :after")
                .expression_attribute_values(":after", time(later(from, INTERVAL)));
            let call = match before {
                None => call.condition_expression("attribute_not_exists(empty_at)"),
                Some(before) => call
                    .condition_expression("empty_at = :before")
                    .expression_attribute_values(":before", time(before)),
            };
            if conditional::update(call).await? {
                return Ok(true);
            }
        }
        // Other requests send mails at this moment.
        Ok(false)
    }
}

/// The pause after the last link that was mailed.
#[derive(Debug, Deserialize)]
struct LinkPause {
    /// The end of the pause.
    next_at: Timestamp,
    pause_seconds: u32,
    /// The request whose link was mailed.
    #[serde(default)]
    request_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct MailRate {
    /// When all mails so far would have been sent at one in each interval.
    empty_at: Timestamp,
}
