//! Which alerts a list shows.

use std::collections::HashMap;

use domain::alert::record::Record;
use domain::alert::state::AlertState;
use domain::outgoing::block_reason::BlockReason;
use domain::setup::mapping::Mapping;
use domain::{Kind, SourceId, TenantId};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use serde::{Deserialize, Deserializer};
use store::{ListedAlert, TimeCursor, TimeRange};

use crate::activity::state::StateView;
use crate::http::input::parse_id;
use crate::http::problem::Problem;
use crate::tenants::search::{MAX_OPTIONS, find_tenant};

/// The member of the query for the reason of a block.
pub(crate) const REASON: &str = "reason";

/// The query of the list. An empty field of a form is no filter.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ActivityFilter {
    #[serde(default, deserialize_with = "filled")]
    pub(super) state: Option<AlertState>,
    /// Why it is blocked.
    #[serde(default, deserialize_with = "filled")]
    pub(super) reason: Option<BlockReason>,
    #[serde(default, deserialize_with = "filled")]
    pub(super) tenant: Option<String>,
    #[serde(default, deserialize_with = "filled")]
    pub(super) source: Option<SourceId>,
    #[serde(default, deserialize_with = "filled")]
    pub(super) kind: Option<Kind>,
    /// The first day, in UTC.
    #[serde(default, deserialize_with = "filled")]
    pub(super) since: Option<Date>,
    /// The last day, in UTC.
    #[serde(default, deserialize_with = "filled")]
    pub(super) until: Option<Date>,
    /// A part of a title, a device or an alert id, or a ticket number.
    #[serde(default)]
    pub(super) search: String,
    /// The page starts after this alert.
    #[serde(default, deserialize_with = "filled")]
    pub(super) from: Option<TimeCursor>,
}

fn filled<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    use serde::de::IntoDeserializer as _;
    match String::deserialize(deserializer)? {
        text if text.trim().is_empty() => Ok(None),
        text => T::deserialize(text.trim().into_deserializer()).map(Some),
    }
}

impl ActivityFilter {
    /// The tenant that the filter names: by its id, or by its name if there are too many to choose
    /// from. An id that is not listed can still be asked for where tenants are chosen.
    ///
    /// # Errors
    /// When no tenant or several match.
    pub(super) fn find_tenant(
        &self,
        mappings: &HashMap<TenantId, Mapping>,
    ) -> Result<Option<TenantId>, Problem> {
        match &self.tenant {
            None => Ok(None),
            Some(text) if mappings.len() <= MAX_OPTIONS => {
                parse_id("tenant", text.clone()).map(Some)
            }
            Some(text) => find_tenant("tenant", text, mappings).map(Some),
        }
    }

    /// The tenant with the id that the filter names.
    ///
    /// # Errors
    /// When it is no id.
    pub(crate) fn tenant_id(&self) -> Result<Option<TenantId>, Problem> {
        let tenant = self.tenant.clone();
        tenant.map(|text| parse_id("tenant", text)).transpose()
    }

    /// Whether any alert may be left out.
    pub(super) fn is_set(&self) -> bool {
        !self.pairs().is_empty()
    }

    /// The filter as the pairs of a query, without the position.
    pub(super) fn pairs(&self) -> Vec<(&'static str, String)> {
        let text = |name, text: &str| (!text.is_empty()).then(|| (name, text.to_owned()));
        let day = |name, day: Option<Date>| day.map(|day| (name, day.to_string()));
        [
            self.state.map(|state| ("state", state.code().to_owned())),
            self.reason.map(|of| (REASON, of.code().to_owned())),
            self.tenant.as_ref().map(|of| ("tenant", of.clone())),
            self.source.as_ref().map(|of| ("source", of.to_string())),
            self.kind.as_ref().map(|of| ("kind", of.to_string())),
            day("since", self.since),
            day("until", self.until),
            text("search", self.search.trim()),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The times that are shown.
    ///
    /// # Errors
    /// When the last day is before the first.
    pub(super) fn range(&self) -> Result<TimeRange, Problem> {
        let start = |day: Date| day.to_zoned(TimeZone::UTC).ok().map(|day| day.timestamp());
        let begin = self.since.and_then(start).unwrap_or(Timestamp::UNIX_EPOCH);
        let end = self.until.and_then(|day| day.checked_add(1.day()).ok());
        let end = end.and_then(start).unwrap_or(Timestamp::MAX);
        let range = TimeRange {
            begin: begin.max(Timestamp::UNIX_EPOCH),
            end: end
                .saturating_sub(SignedDuration::from_millis(1))
                .unwrap_or(end),
        };
        if range.begin > range.end {
            let detail = "The last day is before the first.";
            return Err(Problem::invalid("until", detail));
        }
        Ok(range)
    }

    /// Whether an alert of the index may be shown. The rest needs its record.
    pub(super) fn admits(&self, alert: &ListedAlert, tenant: Option<&TenantId>) -> bool {
        let key = &alert.key;
        is_chosen(tenant, &key.tenant)
            && is_chosen(self.source.as_ref(), &key.source)
            && is_chosen(self.kind.as_ref(), &alert.summary.kind)
            && (self.ticket_number().is_some() || self.finds(alert))
    }

    /// Whether an alert is shown.
    pub(super) fn shows(&self, alert: &ListedAlert, record: &Record) -> bool {
        let view = StateView::of(record);
        let is_ticket = self.ticket_number().is_some() && view.ticket == self.ticket_number();
        let blocked = record.blocked.as_ref();
        let reason = blocked.map(|blocked| BlockReason::of(&blocked.reason));
        self.state.is_none_or(|state| state == view.state)
            && self.reason.is_none_or(|of| reason == Some(of))
            && (is_ticket || self.finds(alert))
    }

    /// Whether only records decide, so that reading them is most of the work.
    pub(super) fn needs_records(&self) -> bool {
        self.state.is_some() || self.reason.is_some() || self.ticket_number().is_some()
    }

    fn ticket_number(&self) -> Option<u64> {
        self.search.trim().trim_start_matches('#').parse().ok()
    }

    fn finds(&self, alert: &ListedAlert) -> bool {
        let search = self.search.trim().to_lowercase();
        let device = alert.summary.device.as_deref().unwrap_or_default();
        let texts = [
            alert.summary.title.as_str(),
            device,
            alert.key.alert_id.as_str(),
        ];
        search.is_empty()
            || texts
                .iter()
                .any(|text| text.to_lowercase().contains(&search))
    }
}

fn is_chosen<T: PartialEq>(chosen: Option<&T>, value: &T) -> bool {
    chosen.is_none_or(|chosen| chosen == value)
}
