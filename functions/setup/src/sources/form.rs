//! The queries and forms of the sources' pages.

use domain::SourceId;
use domain::monitoring::inactive_source::InactivityRules;
use domain::source::authentication::{Authentication, HeaderName, SecretEncoding};
use domain::source::presets;
use serde::Deserialize;
use serde_json::Value;

use crate::http::input::{filled, parse_name, sentence};
use crate::http::problem::Problem;
use crate::sources::format::FormatRequest;
use crate::sources::manage::{NewSecret, NewSource};

/// The choice of a source without a preset.
pub(super) const OTHER: &str = "other";
/// The preset whose kinds a source without a preset gets.
const KINDS_OF: &str = "generic";
/// The header of a source without a preset, unless another is chosen.
pub(super) const DEFAULT_HEADER: &str = "x-api-key";
/// The parameter of the address of a source without a preset.
const PARAMETER: &str = "token";

#[derive(Deserialize)]
pub(crate) struct SourceQuery {
    pub(super) source: SourceId,
    pub(super) done: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct NewSourceForm {
    name: String,
    preset: String,
    #[serde(default)]
    authentication: String,
    #[serde(default)]
    header: String,
}

/// How a source without a preset proves that a message is its own.
pub(super) const AUTHENTICATIONS: [(&str, &str); 5] = [
    ("bearer", "Authorization: Bearer and the secret"),
    ("header", "The secret in a header"),
    ("basic", "User and password"),
    ("query", "The secret in the address"),
    ("standard_webhooks", "A Standard Webhooks signature"),
];

impl NewSourceForm {
    pub(super) fn parse(self, partner: domain::PartnerId) -> Result<NewSource, Problem> {
        let name = parse_name("name", &self.name)?;
        let (format, kinds_added) = if self.preset == OTHER {
            let format = FormatRequest {
                authentication: Some(self.authentication()?),
                mapping: Some(Value::Null),
                ..FormatRequest::default()
            };
            let kinds = presets::latest(KINDS_OF).map(|preset| preset.kinds_added);
            (format, kinds.unwrap_or_default())
        } else {
            let format = FormatRequest {
                preset: Some(self.preset),
                ..FormatRequest::default()
            };
            (format, vec![])
        };
        Ok(NewSource {
            inactivity: InactivityRules::default(),
            name,
            partner: Some(partner),
            partners: vec![],
            enabled: true,
            kinds_added,
            format,
            secret: NewSecret::Later,
        })
    }

    fn authentication(&self) -> Result<Authentication, Problem> {
        Ok(match self.authentication.as_str() {
            "" | "bearer" => Authentication::Bearer,
            "header" => {
                let header = filled(Some(&self.header)).unwrap_or(DEFAULT_HEADER);
                let header = HeaderName::try_from(header.to_owned());
                let header =
                    header.map_err(|problem| Problem::invalid("header", sentence(problem)))?;
                Authentication::Header { header }
            }
            "basic" => Authentication::Basic,
            "query" => Authentication::Query {
                parameter: PARAMETER.to_owned(),
            },
            "standard_webhooks" => Authentication::StandardWebhooks {
                secret: SecretEncoding::Whsec,
            },
            _ => {
                return Err(Problem::invalid(
                    "authentication",
                    "Choose one of the listed ways.",
                ));
            }
        })
    }
}

#[derive(Deserialize)]
pub(crate) struct SourceForm {
    pub(super) source: SourceId,
    pub(super) version: u64,
    pub(super) name: String,
    /// An unticked box sends nothing.
    #[serde(default)]
    pub(super) enabled: bool,
    /// Hours, or an empty text for longer than usual.
    pub(super) inactive_after_hours: Option<String>,
    /// Days, or an empty text for never.
    pub(super) tenant_inactive_after_days: Option<String>,
    #[serde(default)]
    pub(super) inactive_ticket: bool,
}

#[derive(Deserialize)]
pub(crate) struct SecretForm {
    pub(super) source: SourceId,
    pub(super) version: u64,
    /// The secret that the vendor shows. Absent: a new one is made.
    pub(super) secret: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct SampleForm {
    pub(super) source: SourceId,
    #[serde(default)]
    pub(super) sample: String,
    /// A message that could not be read, instead of a pasted sample.
    #[serde(default)]
    pub(super) message: String,
}

#[derive(Deserialize)]
pub(crate) struct PresetForm {
    pub(super) source: SourceId,
    pub(super) version: u64,
    pub(super) preset_version: u32,
}
