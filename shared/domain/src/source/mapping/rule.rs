//! Rules: where a text comes from, and what it is translated to.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::alert_text::{Alert, shared_text, text_of};
use super::pointer::Pointer;
use super::template::Template;
use crate::digest::digest;
use crate::text::cut_to_bytes;

/// The longest text that is reported as unknown, in bytes.
const MAX_UNKNOWN: usize = 80;

/// A rule: one way to a text, and translations of that text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RawRule", into = "RawRule")]
pub struct Rule {
    pub(super) from: Origin,
    /// Two texts. Only what is between them counts. Without the second, what is after the first.
    pub(super) between: Option<(String, String)>,
    /// Translates the text, without regard to case. A text that is not listed yields `otherwise`.
    pub(super) table: Option<BTreeMap<String, String>>,
    /// Translates a number: the first entry that it reaches.
    pub(super) at_least: Option<Vec<(Threshold, String)>>,
    pub(super) otherwise: Option<String>,
}

/// Where a text comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// A place in the alert.
    At(Pointer),
    /// A place in the whole body, for members that all alerts of a batch share.
    AtBody(Pointer),
    Is(String),
    First(Vec<Rule>),
    Text(Template),
    /// A digest of several parts, for an alert without an id of its own.
    Hash(Vec<Rule>),
    Find(Find),
}

/// The first object of a list that has a member of this value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Find {
    r#in: Pointer,
    member: Pointer,
    is: String,
    take: Pointer,
}

/// A number as written in the document.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct Threshold(f64);

// A document cannot contain NaN, which is the only number that differs from itself.
impl Eq for Threshold {}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawRule {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<Pointer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at_body: Option<Pointer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    is: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first: Option<Vec<Rule>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<Template>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hash: Option<Vec<Rule>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    find: Option<Find>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    between: Option<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    table: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at_least: Option<Vec<(Threshold, String)>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    otherwise: Option<String>,
}

impl TryFrom<RawRule> for Rule {
    type Error = &'static str;

    fn try_from(raw: RawRule) -> Result<Self, Self::Error> {
        let origins = [
            raw.at.map(Origin::At),
            raw.at_body.map(Origin::AtBody),
            raw.is.map(Origin::Is),
            raw.first.map(Origin::First),
            raw.text.map(Origin::Text),
            raw.hash.map(Origin::Hash),
            raw.find.map(Origin::Find),
        ];
        let mut origins = origins.into_iter().flatten();
        let (Some(from), None) = (origins.next(), origins.next()) else {
            return Err(
                "a rule has exactly one of `at`, `at_body`, `is`, `first`, `text`, `hash`, `find`",
            );
        };
        // The comparison ignores case, so the document's own spelling must not matter.
        let folded = |table: BTreeMap<String, String>| {
            let entries = table.into_iter();
            entries.map(|(from, to)| (fold(&from), to)).collect()
        };
        Ok(Self {
            from,
            between: raw.between,
            table: raw.table.map(folded),
            at_least: raw.at_least,
            otherwise: raw.otherwise,
        })
    }
}

impl From<Rule> for RawRule {
    fn from(rule: Rule) -> Self {
        let mut raw = Self {
            at: None,
            at_body: None,
            is: None,
            first: None,
            text: None,
            hash: None,
            find: None,
            between: rule.between,
            table: rule.table,
            at_least: rule.at_least,
            otherwise: rule.otherwise,
        };
        match rule.from {
            Origin::At(pointer) => raw.at = Some(pointer),
            Origin::AtBody(pointer) => raw.at_body = Some(pointer),
            Origin::Is(text) => raw.is = Some(text),
            Origin::First(rules) => raw.first = Some(rules),
            Origin::Text(template) => raw.text = Some(template),
            Origin::Hash(parts) => raw.hash = Some(parts),
            Origin::Find(find) => raw.find = Some(find),
        }
        raw
    }
}

impl Rule {
    /// Returns the text that the rule yields, never empty and never longer than
    /// [`MAX_TEXT`](super::alert_text::MAX_TEXT).
    pub(super) fn text<'a>(&'a self, within: Alert<'a>) -> Option<Cow<'a, str>> {
        let found = self.from.text(within).and_then(|text| self.translate(text));
        let text = found.or_else(|| self.otherwise.as_deref().map(Cow::Borrowed));
        text.filter(|text| !text.trim().is_empty())
    }

    /// Returns the first text that `accept` accepts. If the alert has another, `otherwise` counts,
    /// and the text that was not accepted is returned as well.
    pub(super) fn read<T>(
        &self,
        within: Alert<'_>,
        accept: &dyn Fn(&str) -> Option<T>,
    ) -> (Option<T>, Option<String>) {
        let mut unknown = None;
        let mut try_text = |text: &str| {
            let accepted = accept(text);
            if accepted.is_none() && unknown.is_none() {
                unknown = Some(cut_to_bytes(text, MAX_UNKNOWN));
            }
            accepted
        };
        let is_translated =
            self.between.is_some() || self.table.is_some() || self.at_least.is_some();
        let found = match &self.from {
            Origin::First(rules) if !is_translated => rules.iter().find_map(|rule| {
                let (found, text) = rule.read(within, accept);
                unknown = unknown.take().or(text);
                found
            }),
            Origin::First(_)
            | Origin::At(_)
            | Origin::AtBody(_)
            | Origin::Is(_)
            | Origin::Text(_)
            | Origin::Hash(_)
            | Origin::Find(_) => {
                let text = self.from.text(within).and_then(|text| self.translate(text));
                let text = text.filter(|text| !text.trim().is_empty());
                text.and_then(|text| try_text(&text))
            }
        };
        let found = found.or_else(|| self.otherwise.as_deref().and_then(accept));
        (found, unknown)
    }

    /// Returns whether the rule yields a text whatever the alert is.
    pub(super) fn is_total(&self) -> bool {
        let is_given = |text: &str| !text.trim().is_empty();
        let is_translated =
            self.between.is_some() || self.table.is_some() || self.at_least.is_some();
        self.otherwise.as_deref().is_some_and(is_given)
            || !is_translated
                && match &self.from {
                    Origin::Is(text) => is_given(text),
                    Origin::First(rules) => rules.iter().any(Self::is_total),
                    Origin::At(_)
                    | Origin::AtBody(_)
                    | Origin::Text(_)
                    | Origin::Hash(_)
                    | Origin::Find(_) => false,
                }
    }

    /// The texts that the rule can yield if it is translated by a table or a constant; `None` where
    /// a text of the alert passes through.
    pub(super) fn constants(&self) -> Vec<&str> {
        let mut constants: Vec<&str> = self.otherwise.iter().map(String::as_str).collect();
        if self.table.is_some() || self.at_least.is_some() {
            constants.extend(
                self.table
                    .iter()
                    .flat_map(BTreeMap::values)
                    .map(String::as_str),
            );
            let thresholds = self.at_least.iter().flatten();
            constants.extend(thresholds.map(|(_, text)| text.as_str()));
        } else {
            match &self.from {
                Origin::Is(text) => constants.push(text),
                Origin::First(rules) => constants.extend(rules.iter().flat_map(Self::constants)),
                Origin::At(_)
                | Origin::AtBody(_)
                | Origin::Text(_)
                | Origin::Hash(_)
                | Origin::Find(_) => {}
            }
        }
        constants
    }

    /// Whether all alerts get the same text.
    pub(super) fn is_constant(&self) -> bool {
        match &self.from {
            Origin::Is(_) => true,
            Origin::First(rules) | Origin::Hash(rules) => rules.iter().all(Self::is_constant),
            Origin::At(_) | Origin::AtBody(_) | Origin::Text(_) | Origin::Find(_) => false,
        }
    }

    /// The number of rules, and how deep they are nested.
    pub(super) fn size(&self) -> (usize, usize) {
        let inner = match &self.from {
            Origin::First(rules) | Origin::Hash(rules) => rules.as_slice(),
            // Each part of a text costs as much as a rule.
            Origin::Text(template) => return (1 + template.size(), 1),
            Origin::At(_) | Origin::AtBody(_) | Origin::Is(_) | Origin::Find(_) => &[],
        };
        let sizes = inner.iter().map(Self::size);
        sizes.fold((1, 1), |(count, depth), (inner, inner_depth)| {
            (count + inner, depth.max(1 + inner_depth))
        })
    }

    fn translate<'a>(&'a self, text: Cow<'a, str>) -> Option<Cow<'a, str>> {
        let text = match &self.between {
            Some((before, after)) => between(&text, before, after)?.into(),
            None => text,
        };
        if let Some(table) = &self.table {
            let entry = table.get(&fold(&text));
            return entry.map(|to| Cow::Borrowed(to.as_str()));
        }
        if let Some(thresholds) = &self.at_least {
            let number: f64 = text.trim().parse().ok()?;
            let mut reached = thresholds.iter().filter(|(from, _)| number >= from.0);
            return reached.next().map(|(_, to)| Cow::Borrowed(to.as_str()));
        }
        Some(text)
    }
}

impl Origin {
    fn text<'a>(&'a self, within: Alert<'a>) -> Option<Cow<'a, str>> {
        match self {
            Self::At(pointer) => pointer.find(within.alert).and_then(text_of),
            Self::AtBody(pointer) => shared_text(pointer.find(within.body)?),
            Self::Is(text) => Some(Cow::Borrowed(text)),
            Self::First(rules) => rules.iter().find_map(|rule| rule.text(within)),
            Self::Text(template) => template.fill(within).map(Cow::Owned),
            Self::Hash(parts) => {
                // Each part is hashed on its own: the parts together can be many times the body.
                let hash_part = |part: &Rule| Some(digest(&[&part.identity(within)?], 40));
                let parts: Vec<Option<String>> = parts.iter().map(hash_part).collect();
                if parts.iter().all(Option::is_none) {
                    return None;
                }
                let parts: Vec<&str> = parts
                    .iter()
                    .map(|part| part.as_deref().unwrap_or_default())
                    .collect();
                Some(Cow::Owned(digest(&parts, 40)))
            }
            Self::Find(find) => find.text(within),
        }
    }
}

impl Rule {
    /// The text of a part of a hash. An object counts with all that it has, in a fixed order.
    fn identity<'a>(&'a self, within: Alert<'a>) -> Option<Cow<'a, str>> {
        match &self.from {
            Origin::At(pointer) => match pointer.find(within.alert)? {
                whole @ (Value::Object(_) | Value::Array(_)) => Some(Cow::Owned(whole.to_string())),
                scalar @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
                    text_of(scalar)
                }
            },
            Origin::AtBody(_)
            | Origin::Is(_)
            | Origin::First(_)
            | Origin::Text(_)
            | Origin::Hash(_)
            | Origin::Find(_) => self.text(within),
        }
    }
}

impl Find {
    fn text<'a>(&'a self, within: Alert<'a>) -> Option<Cow<'a, str>> {
        let entries = self.r#in.find(within.alert)?.as_array()?;
        let is_named = |entry: &&Value| {
            let name = self.member.find(entry).and_then(text_of);
            name.is_some_and(|name| fold(&name) == fold(&self.is))
        };
        let entry = entries.iter().find(is_named)?;
        self.take.find(entry).and_then(text_of)
    }
}

pub(super) fn fold(text: &str) -> String {
    text.trim().to_lowercase()
}

fn between(text: &str, before: &str, after: &str) -> Option<String> {
    let (_, rest) = text.split_once(before)?;
    let end = match after {
        "" => rest.len(),
        after => rest.find(after).unwrap_or(rest.len()),
    };
    let found = rest[..end].trim();
    (!found.is_empty()).then(|| found.to_owned())
}
