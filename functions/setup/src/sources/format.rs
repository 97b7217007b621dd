//! How a source authenticates and what it posts: from a preset, or as the request says.

use aws::secrets::{SourceDocument, SourceSecret};
use domain::Secret;
use domain::source::authentication::{Authentication, Network, SecretEncoding};
use domain::source::mapping::EventMapping;
use domain::source::presets::{self, Preset, PresetVersion, SourceFormat, SuccessResponse};
use domain::wire::webhook::InvalidField;
use serde_json::Value;

use crate::http::input::sentence;
use crate::http::problem::Problem;
use crate::random;

/// A source's list of networks.
const MAX_NETWORKS: usize = 50;
/// The longest body of a source's own response, in bytes.
const MAX_RESPONSE: usize = 1024;

/// The members of a request that concern authentication and format. What is left out stays.
#[derive(Clone, Default)]
pub(crate) struct FormatRequest {
    pub(crate) preset: Option<String>,
    pub(crate) preset_version: Option<u32>,
    pub(crate) authentication: Option<Authentication>,
    pub(crate) networks: Option<Vec<Network>>,
    pub(crate) mapping: Option<Value>,
    pub(crate) response: Option<SuccessResponse>,
}

impl FormatRequest {
    /// Applies the request to a document that already has its partners and kinds.
    pub(crate) fn apply(self, document: &mut SourceDocument) -> Result<(), Problem> {
        if let Some(name) = &self.preset {
            let preset = find_preset(name, self.preset_version)?;
            document.preset = Some(PresetVersion {
                name: preset.name,
                version: preset.version,
            });
            document.authentication = preset.authentication;
            document.format = preset.format;
            document.response = preset.response;
            for kind in preset.kinds_added {
                if document
                    .kinds_added
                    .iter()
                    .all(|known| known.kind != kind.kind)
                {
                    document.kinds_added.push(kind);
                }
            }
        }
        if let Some(authentication) = self.authentication {
            document.authentication = authentication;
        }
        if let Some(networks) = self.networks {
            check_networks(&networks)?;
            document.networks = networks;
        }
        if let Some(response) = self.response {
            document.response = response;
        }
        match self.mapping {
            Some(Value::Null) => document.format = SourceFormat::Unmapped,
            Some(mapping) => document.format = parse_mapping(&mapping, document)?,
            None => {}
        }
        check(document)
    }
}

fn find_preset(name: &str, version: Option<u32>) -> Result<Preset, Problem> {
    let preset = match version {
        Some(version) => presets::get(name, version),
        None => presets::latest(name),
    };
    preset.ok_or_else(|| {
        let mut names: Vec<String> = presets::all().map(|preset| preset.name).collect();
        names.dedup();
        Problem::invalid("preset", format!("It is one of {}.", names.join(", ")))
    })
}

/// Parses a mapping for the kinds of this document.
pub(crate) fn parse_mapping(
    mapping: &Value,
    document: &SourceDocument,
) -> Result<SourceFormat, Problem> {
    let mapping = EventMapping::parse(&mapping.to_string(), &document.kinds_added);
    let mapping = mapping.map_err(|err| invalid("mapping", &err))?;
    Ok(SourceFormat::Mapped(Box::new(mapping)))
}

/// Checks that the parts of a document fit each other.
fn check(document: &SourceDocument) -> Result<(), Problem> {
    let checked = document.authentication.check();
    checked.map_err(|err| Problem::invalid(err.field, sentence(&err.problem)))?;
    check_response(&document.response)?;
    match &document.format {
        SourceFormat::CloudEvents => Ok(()),
        SourceFormat::Mapped(_) | SourceFormat::Unmapped if document.partner.is_none() => {
            Err(Problem::invalid(
                "partner",
                "A source with a format of its own posts for one \"partner\".",
            ))
        }
        SourceFormat::Mapped(mapping) => {
            let checked = mapping.check(&document.kinds_added);
            checked.map_err(|err| invalid("mapping", &err))
        }
        SourceFormat::Unmapped => Ok(()),
    }
}

pub(crate) fn check_networks(networks: &[Network]) -> Result<(), Problem> {
    if networks.len() > MAX_NETWORKS {
        let detail = format!("A source has at most {MAX_NETWORKS} networks.");
        return Err(Problem::invalid("networks", detail));
    }
    Ok(())
}

pub(crate) fn check_response(response: &SuccessResponse) -> Result<(), Problem> {
    let SuccessResponse { status, body } = response;
    if !(200..300).contains(status) {
        return Err(Problem::invalid(
            "response.status",
            "It is from 200 to 299.",
        ));
    }
    if body.len() > MAX_RESPONSE || !body.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        return Err(Problem::invalid(
            "response.body",
            "It has at most 1024 printable ASCII characters.",
        ));
    }
    Ok(())
}

fn invalid(within: &str, err: &InvalidField) -> Problem {
    let field = match err.field.as_str() {
        field if field == within => within.to_owned(),
        field => format!("{within}.{field}"),
    };
    // A parser says where in the document it is. A person sees that by the field.
    let (problem, _) = err
        .problem
        .split_once(" at line ")
        .unwrap_or((&err.problem, ""));
    let verb = problem.split(' ').next().unwrap_or_default();
    let problem = match verb {
        "is" | "has" | "needs" => format!("it {problem}"),
        _ => problem.to_owned(),
    };
    Problem::invalid(field, sentence(&problem))
}

/// Where a secret comes from.
pub(crate) enum SecretOrigin {
    /// Ticketbridge makes it. The scheme `basic` needs a user too.
    Generated { user: String },
    /// The vendor issued it.
    Issued(String),
}

/// The user of Basic authentication, unless a person chooses another.
pub(crate) const DEFAULT_USER: &str = "ticketbridge";

impl From<Option<String>> for SecretOrigin {
    /// A request to the operator's API has a secret only if the vendor issued it.
    fn from(issued: Option<String>) -> Self {
        match issued {
            Some(issued) => Self::Issued(issued),
            None => Self::Generated {
                user: DEFAULT_USER.to_owned(),
            },
        }
    }
}

/// The secret of a new source or of a rotation. `None` if the vendor issues it and it is not known
/// yet.
pub(crate) fn new_secret(
    document: &SourceDocument,
    origin: SecretOrigin,
) -> Result<Option<Secret>, Problem> {
    let authentication = &document.authentication;
    let user = match origin {
        SecretOrigin::Generated { user } => user,
        SecretOrigin::Issued(issued) => {
            let checked = authentication.check_secret(&issued);
            checked.map_err(|err| {
                Problem::invalid(err.field, sentence(&format!("it {}", err.problem)))
            })?;
            return Ok(Some(Secret::new(issued)));
        }
    };
    let preset = document.preset.as_ref();
    let preset = preset.and_then(|preset| presets::get(&preset.name, preset.version));
    if preset.is_some_and(|preset| preset.has_vendor_secret) {
        return Ok(None);
    }
    Ok(Some(match authentication {
        Authentication::StandardWebhooks { secret } => match secret {
            SecretEncoding::Whsec => random::signing_secret()?,
            SecretEncoding::Base64 => random::base64_key()?,
            SecretEncoding::Raw => random::token()?,
        },
        Authentication::Hmac(scheme) => match scheme.secret {
            SecretEncoding::Whsec => random::signing_secret()?,
            SecretEncoding::Base64 => random::base64_key()?,
            SecretEncoding::Raw => random::token()?,
        },
        Authentication::Basic => {
            let password = random::token()?;
            Secret::new(format!("{user}:{}", password.expose()))
        }
        Authentication::Header { .. }
        | Authentication::Bearer
        | Authentication::Query { .. }
        | Authentication::BodyMember { .. } => random::token()?,
    }))
}

/// Drops the secrets that the source's authentication cannot use any more.
pub(crate) fn keep_fitting(document: &mut SourceDocument) {
    let authentication = document.authentication.clone();
    let fits = |secret: &SourceSecret| authentication.check_secret(secret.value.expose()).is_ok();
    document.secrets.retain(fits);
}
