//! Presets: sources that are known, as data. A preset brings its authentication, its mapping, the
//! kinds that it needs, and the steps to follow at the vendor.
//!
//! A version of a preset never changes, since sources use it: a better mapping is a new version.
//! Sources move to it only when a person chooses so.

#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::alert::kind::KindInfo;
use crate::source::authentication::Authentication;
use crate::source::mapping::EventMapping;

/// A preset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// Its name in the API.
    pub name: String,
    pub version: u32,
    /// Its name on the page.
    pub title: String,
    /// The page of the vendor that describes its webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    pub authentication: Authentication,
    /// Whether the vendor issues the secret. Otherwise Ticketbridge makes one.
    #[serde(default)]
    pub has_vendor_secret: bool,
    /// The kinds that it needs besides the built-in ones.
    #[serde(default)]
    pub kinds_added: Vec<KindInfo>,
    #[serde(default)]
    pub format: SourceFormat,
    #[serde(default)]
    pub response: SuccessResponse,
    /// What to do at the vendor. `{url}`, `{header}` and `{secret}` are filled in.
    pub steps: Vec<String>,
    /// A text to paste at the vendor, such as a payload template. `{url}`, `{header}` and
    /// `{secret}` are filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paste: Option<String>,
    /// What a person should know, such as that alerts are never resolved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

/// The format in which a source posts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceFormat {
    /// The format of the webhook guide.
    #[default]
    CloudEvents,
    /// A format of its own, which a mapping translates.
    Mapped(Box<EventMapping>),
    /// A format of its own without a mapping yet. Each message is quarantined, so that a person can
    /// make the mapping from it and replay it.
    Unmapped,
}

/// A version of a preset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PresetVersion {
    pub name: String,
    pub version: u32,
}

/// The response to a message that was accepted, as the vendor expects it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuccessResponse {
    /// 200 to 299.
    #[schemars(range(min = 200, max = 299))]
    pub status: u16,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub body: String,
}

impl Default for SuccessResponse {
    fn default() -> Self {
        Self {
            status: 202,
            body: String::new(),
        }
    }
}

/// Lists the files, whose names are `NAME.vVERSION.json`.
macro_rules! files {
    ($($name:literal $version:literal,)*) => {
        &[$(($name, $version, include_str!(concat!("presets/", $name, ".v", $version, ".json")))),*]
    };
}

/// Name, version and text of each preset, in the order of the page.
const FILES: &[(&str, u32, &str)] = files![
    "cloudevents" 1,
    "generic" 1,
    "huntress" 1,
    "ninjaone" 1,
    "ncentral" 1,
    "datto_rmm" 1,
    "gravityzone" 1,
    "gravityzone_cef" 1,
    "cipp" 1,
    "alertmanager" 1,
    "grafana" 1,
    "zabbix" 1,
    "uptime_kuma" 1,
    "wazuh" 1,
    "datadog" 1,
    "pagerduty_events_v2" 1,
    "security_hub_asff" 1,
    "security_hub_ocsf" 1,
    "guardduty" 1,
];

/// Returns all versions of all presets.
pub fn all() -> impl Iterator<Item = Preset> {
    FILES.iter().filter_map(|(_, _, text)| parse(text))
}

/// Returns one version of a preset.
#[must_use]
pub fn get(name: &str, version: u32) -> Option<Preset> {
    let file = FILES
        .iter()
        .find(|(known, known_version, _)| (*known, *known_version) == (name, version));
    file.and_then(|(_, _, text)| parse(text))
}

/// Returns the newest version of a preset.
#[must_use]
pub fn latest(name: &str) -> Option<Preset> {
    let versions = FILES.iter().filter(|(known, ..)| *known == name);
    let (name, version, _) = versions.max_by_key(|(_, version, _)| *version)?;
    get(name, *version)
}

/// A test parses each file, so none is missing.
fn parse(text: &str) -> Option<Preset> {
    serde_json::from_str(text).ok()
}

/// The values of the placeholders in steps and in the text to paste.
#[derive(Debug, Clone, Copy)]
pub struct Placeholders<'a> {
    pub url: &'a str,
    pub secret: &'a str,
}

impl Preset {
    #[must_use]
    pub fn mapping(&self) -> Option<&EventMapping> {
        match &self.format {
            SourceFormat::Mapped(mapping) => Some(mapping),
            SourceFormat::CloudEvents | SourceFormat::Unmapped => None,
        }
    }

    /// Fills in the placeholders of a step or of the text to paste.
    #[must_use]
    pub fn fill(&self, text: &str, values: Placeholders<'_>) -> String {
        let header = match &self.authentication {
            Authentication::Header { header } => header.as_str(),
            Authentication::Hmac(scheme) => scheme.header.as_str(),
            Authentication::Bearer | Authentication::Basic => "authorization",
            Authentication::StandardWebhooks { .. }
            | Authentication::Query { .. }
            | Authentication::BodyMember { .. } => "",
        };
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        // One pass, so that a value is never taken for a placeholder.
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let values = [
                ("url}", values.url),
                ("header}", header),
                ("secret}", values.secret),
            ];
            let found = values
                .into_iter()
                .find_map(|(name, value)| Some((after.strip_prefix(name)?, value)));
            match found {
                Some((after, value)) => {
                    filled.push_str(value);
                    rest = after;
                }
                None => {
                    filled.push('{');
                    rest = after;
                }
            }
        }
        filled.push_str(rest);
        filled
    }
}
