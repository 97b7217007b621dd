//! Presets: sources that are known, as data. A preset brings its authentication, its mapping, the
//! kinds that it needs, and the steps to follow at the vendor.
//!
//! A version of a preset never changes, since sources use it: a better mapping is a new version.
//! Sources move to it only when a person chooses so.

use serde::{Deserialize, Serialize};

use crate::alert::kind::KindInfo;
use crate::source::authentication::Authentication;
use crate::source::mapping::EventMapping;

/// A preset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// A text to paste at the vendor, such as a payload template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paste: Option<String>,
    /// What a person should know, such as that alerts are never resolved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

/// The format in which a source posts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresetVersion {
    pub name: String,
    pub version: u32,
}

/// The response to a message that was accepted, as the vendor expects it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuccessResponse {
    /// 200 to 299.
    pub status: u16,
    #[serde(default, skip_serializing_if = "String::is_empty")]
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
