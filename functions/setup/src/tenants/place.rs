//! What part of the list of tenants is shown. Forms of the list send it back, so that the person is
//! at the same place after a change.

use std::ops::Range;
use std::str::FromStr;

use domain::text::folded_name;
use serde::{Deserialize, Deserializer};

use crate::http::problem::Problem;
use crate::paths::with_query;
use crate::step::SetupStep;

/// Tenants on one page.
pub(super) const PAGE: usize = 100;
/// The longest text that is searched for, in bytes.
const MAX_SEARCH: usize = 200;

/// Which tenants are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TenantFilter {
    Unmapped,
    /// Mapped and switched off.
    Off,
    /// With active alerts that have no ticket.
    Waiting,
}

impl TenantFilter {
    pub(super) const ALL: [Self; 3] = [Self::Unmapped, Self::Off, Self::Waiting];

    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Unmapped => "unmapped",
            Self::Off => "off",
            Self::Waiting => "waiting",
        }
    }

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Unmapped => "Not mapped",
            Self::Off => "Switched off",
            Self::Waiting => "With alerts that wait",
        }
    }
}

impl FromStr for TenantFilter {
    type Err = ();

    fn from_str(code: &str) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|filter| filter.code() == code)
            .ok_or(())
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct ListPlace {
    /// A part of a tenant's name or id, or of its company's name.
    #[serde(default)]
    search: String,
    #[serde(default, deserialize_with = "or_none")]
    pub(super) show: Option<TenantFilter>,
    /// From 1 on. A page after the last one is the last one.
    #[serde(default, deserialize_with = "or_none")]
    page: Option<usize>,
}

/// A field that is empty or malformed is as one that was not sent: the list is then shown from its
/// beginning.
fn or_none<'de, D: Deserializer<'de>, T: FromStr>(deserializer: D) -> Result<Option<T>, D::Error> {
    Ok(String::deserialize(deserializer)?.trim().parse().ok())
}

/// The place as the value of one field: its own query.
pub(super) fn from_query<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<ListPlace, D::Error> {
    let query = String::deserialize(deserializer)?;
    Ok(serde_qs::from_str(&query).unwrap_or_default())
}

impl ListPlace {
    pub(super) fn search(&self) -> &str {
        match self.search.trim() {
            search if search.len() <= MAX_SEARCH => search,
            _ => "",
        }
    }

    pub(super) fn is_filtered(&self) -> bool {
        !self.search().is_empty() || self.show.is_some()
    }

    /// Whether one of these texts contains what is searched for.
    pub(super) fn finds<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> bool {
        let search = folded_name(self.search());
        search.is_empty()
            || texts
                .into_iter()
                .any(|text| text.to_lowercase().contains(&search))
    }

    /// The entries of the page among `count`, the number of the page, and how many pages there are.
    pub(super) fn range(&self, count: usize) -> (Range<usize>, usize, usize) {
        let pages = count.div_ceil(PAGE).max(1);
        let page = self.page.unwrap_or(1).clamp(1, pages);
        let start = (page - 1) * PAGE;
        (start..count.min(start + PAGE), page, pages)
    }

    pub(super) fn at_page(&self, page: usize) -> Self {
        Self {
            page: Some(page),
            ..self.clone()
        }
    }

    /// The place as a query.
    pub(super) fn query(&self) -> Result<String, Problem> {
        with_query("", &self.pairs(&self.page_text())).map(|query| query[1..].to_owned())
    }

    /// The address of the list at this place, with further parameters.
    pub(super) fn address(&self, more: &[(&str, &str)]) -> Result<String, Problem> {
        let page = self.page_text();
        let mut pairs = self.pairs(&page);
        pairs.extend(more);
        let path = SetupStep::Tenants.path();
        match pairs.is_empty() {
            true => Ok(path.to_owned()),
            false => with_query(path, &pairs),
        }
    }

    fn page_text(&self) -> String {
        self.page
            .filter(|page| *page > 1)
            .map_or_else(String::new, |page| page.to_string())
    }

    fn pairs<'a>(&'a self, page: &'a str) -> Vec<(&'a str, &'a str)> {
        let show = self.show.map_or("", TenantFilter::code);
        let pairs = [("search", self.search()), ("show", show), ("page", page)];
        pairs
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_beyond_the_end_is_the_last_page() {
        for (page, count, expected) in [
            (None, 0, (0..0, 1, 1)),
            (Some(7), 0, (0..0, 1, 1)),
            (Some(0), 150, (0..100, 1, 2)),
            (Some(2), 150, (100..150, 2, 2)),
            // An exactly full page is the last one.
            (Some(2), 100, (0..100, 1, 1)),
            (Some(9), 200, (100..200, 2, 2)),
        ] {
            let place = ListPlace {
                page,
                ..ListPlace::default()
            };
            assert_eq!(place.range(count), expected, "{page:?} {count}");
        }
    }

    #[test]
    fn a_place_is_read_from_its_own_query() {
        let place = ListPlace {
            search: "a&b = ü".into(),
            show: Some(TenantFilter::Off),
            page: Some(3),
        };
        assert_eq!(
            place.address(&[]).unwrap(),
            "tenants?page=3&search=a%26b+%3D+%C3%BC&show=off"
        );
        for place in [place, ListPlace::default()] {
            let read: ListPlace = serde_qs::from_str(&place.query().unwrap()).unwrap();
            assert_eq!(read, place);
        }
        let unknown: ListPlace = serde_qs::from_str("show=x&page=-1&search=").unwrap();
        assert_eq!(unknown, ListPlace::default());
        assert_eq!(
            unknown.address(&[("done", "saved")]).unwrap(),
            "tenants?done=saved"
        );
    }
}
