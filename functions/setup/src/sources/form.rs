//! The queries and forms of the sources' pages.

use domain::monitoring::inactive_source::InactivityRules;
use domain::source::authentication::Authentication;
use domain::source::presets;
use domain::{PartnerId, SourceId};
use serde::Deserialize;
use serde_json::Value;

use crate::http::input::{filled, parse_name};
use crate::http::problem::Problem;
use crate::sources::authentication::form::AuthenticationForm;
use crate::sources::format::{DEFAULT_USER, FormatRequest, SecretOrigin};
use crate::sources::manage::{NewSecret, NewSource};

/// The choice of a source without a preset.
pub(super) const OTHER: &str = "other";
/// The preset whose kinds a source without a preset gets.
const KINDS_OF: &str = "generic";
/// The longest user of Basic authentication, in bytes.
const MAX_USER: usize = 64;

#[derive(Deserialize)]
pub(crate) struct SourceQuery {
    pub(super) source: SourceId,
    pub(super) done: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct NewSourceForm {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) preset: String,
    /// For [`OTHER`].
    #[serde(flatten)]
    pub(super) authentication: AuthenticationForm,
}

impl NewSourceForm {
    pub(super) fn parse(&self, partner: PartnerId) -> Result<NewSource, Problem> {
        let name = parse_name("name", &self.name)?;
        let (format, kinds_added) = match self.preset.as_str() {
            "" => return Err(Problem::invalid("preset", "Choose the product.")),
            OTHER => {
                let format = FormatRequest {
                    mapping: Some(Value::Null),
                    ..self.authentication.parse()?
                };
                let kinds = presets::latest(KINDS_OF).map(|preset| preset.kinds_added);
                (format, kinds.unwrap_or_default())
            }
            preset => {
                let format = FormatRequest {
                    preset: Some(preset.to_owned()),
                    ..FormatRequest::default()
                };
                (format, vec![])
            }
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
    secret: Option<String>,
    /// The user of Basic authentication.
    user: Option<String>,
}

impl SecretForm {
    pub(super) fn parse(&self, authentication: &Authentication) -> Result<SecretOrigin, Problem> {
        let user = filled(self.user.as_deref()).unwrap_or(DEFAULT_USER);
        let is_plain = user.bytes().all(|b| b.is_ascii_graphic() && b != b':');
        if user.len() > MAX_USER || !is_plain {
            return Err(Problem::invalid(
                "user",
                "It has at most 64 letters, digits and signs, and no colon.",
            ));
        }
        let Some(secret) = &self.secret else {
            return Ok(SecretOrigin::Generated {
                user: user.to_owned(),
            });
        };
        let secret = filled(Some(secret))
            .ok_or_else(|| Problem::invalid("secret", "Enter the secret that the vendor shows."))?;
        Ok(SecretOrigin::Issued(match authentication {
            // The page has a field for each of the two parts.
            Authentication::Basic if self.user.is_some() => format!("{user}:{secret}"),
            Authentication::Basic
            | Authentication::StandardWebhooks { .. }
            | Authentication::Hmac(_)
            | Authentication::Header { .. }
            | Authentication::Bearer
            | Authentication::Query { .. }
            | Authentication::BodyMember { .. } => secret.to_owned(),
        }))
    }
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
