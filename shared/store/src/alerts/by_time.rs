//! A partner's alerts by the time of their last raise, for people: the index `by_time`. It is a
//! moment late.

use domain::alert::figures::AlertFigures;
use domain::alert::record::Record;
use domain::alert::summary::AlertSummary;
use domain::monitoring::figures::FiguresSum;
use domain::time::sortable;
use domain::{AlertKey, PartnerId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_dynamo::aws_sdk_dynamodb_1::from_item;

use super::item_stream::ItemStream;
use crate::Error;
use crate::table::{MAX_KEYS, Table, alert_key, batch_get, string, time};

/// Alerts of one request to the index: some hundred kilobytes.
const PAGE: i32 = 500;

/// An alert in the index.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ListedAlert {
    /// The key of the item.
    pub pk: String,
    pub key: AlertKey,
    pub summary: AlertSummary,
    /// When its last raise was received.
    pub listed_at: Timestamp,
}

/// What happened to an alert of the index.
#[derive(Deserialize)]
struct ListedFigures {
    key: AlertKey,
    #[serde(default)]
    figures: AlertFigures,
}

/// A position in the list: after this alert. A browser may send it back: it cannot lead out of the
/// partner's list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeCursor {
    listed_at: Timestamp,
    pk: String,
}

impl ListedAlert {
    /// The position after this alert.
    #[must_use]
    pub fn cursor(&self) -> TimeCursor {
        TimeCursor {
            listed_at: self.listed_at,
            pk: self.pk.clone(),
        }
    }
}

impl TimeCursor {
    /// When the alert at this position was listed.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.listed_at
    }
}

impl TryFrom<String> for TimeCursor {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const EXPECTED: &str = "a position is a time and the key of an alert";
        let (at, pk) = text.split_once('_').ok_or(EXPECTED)?;
        let listed_at = at.parse().map_err(|_| EXPECTED)?;
        match pk.len() {
            1..=100 => Ok(Self {
                listed_at,
                pk: pk.to_owned(),
            }),
            _ => Err(EXPECTED),
        }
    }
}

impl From<TimeCursor> for String {
    fn from(TimeCursor { listed_at, pk }: TimeCursor) -> Self {
        format!("{}_{pk}", sortable(listed_at))
    }
}

/// Both ends are included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRange {
    pub begin: Timestamp,
    pub end: Timestamp,
}

#[derive(Debug, Clone)]
pub struct AlertsByTime {
    table: Table,
}

impl AlertsByTime {
    pub(super) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Lists the partner's alerts that were raised in a range of time, the newest first, from a
    /// position. Each page is read when its alerts are needed.
    #[must_use]
    pub fn newest(
        &self,
        partner: &PartnerId,
        range: TimeRange,
        from: Option<&TimeCursor>,
    ) -> ItemStream<ListedAlert> {
        let query = self
            .table
            .query()
            .index_name("by_time")
            .key_condition_expression("list_of = :list_of AND listed_at BETWEEN :begin AND :end")
            .expression_attribute_values(":list_of", string(partner.as_str()))
            .expression_attribute_values(":begin", time(range.begin))
            .expression_attribute_values(":end", time(range.end))
            .scan_index_forward(false)
            .limit(PAGE);
        ItemStream::send(match from {
            None => query,
            Some(TimeCursor { listed_at, pk }) => query
                .exclusive_start_key("list_of", string(partner.as_str()))
                .exclusive_start_key("listed_at", time(*listed_at))
                .exclusive_start_key("pk", string(pk)),
        })
    }

    /// Sums what happened to all alerts of the partner. Test alerts do not count.
    pub async fn figures(&self, partner: &PartnerId) -> Result<FiguresSum, Error> {
        let query = self
            .table
            .query()
            .index_name("by_time")
            .key_condition_expression("list_of = :list_of")
            .expression_attribute_values(":list_of", string(partner.as_str()));
        let mut listed: ItemStream<ListedFigures> = ItemStream::send(query);
        let mut sum = FiguresSum::default();
        while let Some(alert) = listed.next().await? {
            if !alert.key.source.is_for_test_alerts() {
                sum.add(&alert.figures);
            }
        }
        Ok(sum)
    }

    /// Reads the records of listed alerts consistently, in their order. An alert whose record is
    /// unreadable or absent is left out.
    pub async fn records(&self, listed: &[ListedAlert]) -> Result<Vec<Record>, Error> {
        let mut records = vec![];
        for some in listed.chunks(MAX_KEYS) {
            let keys = some.iter().map(|alert| alert_key(&alert.pk)).collect();
            let [items] = batch_get([(&self.table, keys)]).await?;
            for item in items {
                match from_item::<Record>(item) {
                    Ok(record) => records.push(record),
                    Err(err) => tracing::error!(error = %err, "failed to parse a record of a list"),
                }
            }
        }
        let place = |record: &Record| listed.iter().position(|alert| alert.key == record.key);
        records.sort_by_cached_key(place);
        Ok(records)
    }
}
