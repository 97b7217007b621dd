//! What the operator sends about a source, and the rules for it.

use domain::alert::kind::{BUILT_IN, Category, KindInfo};
use domain::source::authentication::{Authentication, Network};
use domain::source::mapping::EventMapping;
use domain::source::presets::SuccessResponse;
use domain::{Kind, PartnerId};
use futures_util::future::try_join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::context::Setup;
use crate::http::input::{parse_id, parse_line};
use crate::http::problem::Problem;
use crate::sources::format::FormatRequest;
use crate::sources::inactivity::{InactivityEdit, days_of, hours_of};

/// The document must fit into 64 KiB.
const MAX_PARTNERS: usize = 500;
const MAX_KINDS: usize = 50;
/// ConnectWise's longest name of a ticket type.
const MAX_TYPE_NAME: usize = 50;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourceRequest {
    #[schemars(length(min = 1, max = 100))]
    pub(super) name: Option<String>,
    #[schemars(with = "Option<PartnerId>")]
    pub(super) partner: Option<String>,
    /// For a source that posts for several partners.
    #[schemars(with = "Option<Vec<PartnerId>>", length(min = 1, max = 500))]
    pub(super) partners: Option<Vec<String>>,
    pub(super) enabled: Option<bool>,
    #[schemars(length(max = 50))]
    pub(super) kinds_added: Option<Vec<KindRequest>>,
    preset: Option<String>,
    preset_version: Option<u32>,
    authentication: Option<Authentication>,
    #[schemars(length(max = 50))]
    networks: Option<Vec<Network>>,
    /// A mapping, or `null` for none: then all messages are stored until there is one.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<EventMapping>")]
    mapping: Option<Value>,
    response: Option<SuccessResponse>,
    /// The hours without a message after which the source is inactive; `null` for more than usual.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<u32>", range(min = 1, max = 8760))]
    inactive_after_hours: Option<Value>,
    /// The days without a message for a tenant after which the tenant is inactive; `null` for never.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<u32>", range(min = 1, max = 365))]
    tenant_inactive_after_days: Option<Value>,
    /// Whether an inactive source makes a ticket.
    inactive_ticket: Option<bool>,
    /// The secret that the vendor issued. Absent: one is made.
    #[schemars(length(min = 16, max = 512))]
    pub(super) secret: Option<String>,
    pub(super) version: Option<u64>,
}

impl SourceRequest {
    /// Takes the members that concern authentication and format.
    pub(super) fn take_format(&mut self) -> FormatRequest {
        FormatRequest {
            preset: self.preset.take(),
            preset_version: self.preset_version.take(),
            authentication: self.authentication.take(),
            networks: self.networks.take(),
            mapping: self.mapping.take(),
            response: self.response.take(),
        }
    }

    /// The members that concern quiet sources and tenants.
    pub(super) fn inactivity(&self) -> Result<InactivityEdit, Problem> {
        let hours = self.inactive_after_hours.as_ref().map(number);
        let days = self.tenant_inactive_after_days.as_ref().map(number);
        Ok(InactivityEdit {
            hours: hours.map(hours_of).transpose()?,
            tenant_days: days.map(days_of).transpose()?,
            ticket: self.inactive_ticket,
        })
    }
}

/// A member that is a number or `null`. The inner value is `None` if it is neither.
fn number(member: &Value) -> Option<Option<u32>> {
    let number = || {
        member
            .as_u64()
            .and_then(|number| u32::try_from(number).ok())
    };
    (!member.is_null()).then(number)
}

/// Reads a member that may be `null`, which is not the same as absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KindRequest {
    #[schemars(with = "Kind")]
    kind: String,
    category: Category,
    #[schemars(length(min = 1, max = 50))]
    type_name: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotationRequest {
    /// The secret that the vendor issued. Absent: one is made.
    #[schemars(length(min = 16, max = 512))]
    pub(super) secret: Option<String>,
    pub(super) version: Option<u64>,
}

/// The partners that a source may post for.
pub(super) struct SourcePartners {
    pub(super) partner: Option<PartnerId>,
    pub(super) partners: Vec<PartnerId>,
}

/// Parses the partners of a request, and checks that each exists; `None` if the request names none.
pub(super) async fn parse_partners(
    setup: &Setup,
    partner: Option<String>,
    partners: Option<Vec<String>>,
) -> Result<Option<SourcePartners>, Problem> {
    match (partner, partners) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(Problem::invalid(
            "partners",
            "Send \"partner\" or \"partners\", not both.",
        )),
        (Some(partner), None) => {
            let partner: PartnerId = parse_id("partner", partner)?;
            require_partner(setup, "partner", &partner).await?;
            Ok(Some(SourcePartners {
                partner: Some(partner),
                partners: vec![],
            }))
        }
        (None, Some(named)) => {
            let partners = parse_list(named)?;
            let fields = (0..partners.len()).map(|n| format!("partners[{n}]"));
            let named = partners.iter().zip(fields);
            let checks =
                named.map(async |(partner, field)| require_partner(setup, &field, partner).await);
            try_join_all(checks).await?;
            Ok(Some(SourcePartners {
                partner: None,
                partners,
            }))
        }
    }
}

fn parse_list(named: Vec<String>) -> Result<Vec<PartnerId>, Problem> {
    if !(1..=MAX_PARTNERS).contains(&named.len()) {
        let detail = format!("It names 1 to {MAX_PARTNERS} partners.");
        return Err(Problem::invalid("partners", detail));
    }
    let mut partners: Vec<PartnerId> = vec![];
    for (n, partner) in named.into_iter().enumerate() {
        let field = format!("partners[{n}]");
        let partner = parse_id(&field, partner)?;
        if partners.contains(&partner) {
            return Err(Problem::invalid(field, "It is named twice."));
        }
        partners.push(partner);
    }
    Ok(partners)
}

async fn require_partner(setup: &Setup, field: &str, partner: &PartnerId) -> Result<(), Problem> {
    match setup.access().partners.get(partner).await?.value {
        Some(_) => Ok(()),
        None => {
            let detail = format!("There is no partner {partner}: create it first.");
            Err(Problem::invalid(field, detail))
        }
    }
}

pub(super) fn parse_kinds(requests: Vec<KindRequest>) -> Result<Vec<KindInfo>, Problem> {
    if requests.len() > MAX_KINDS {
        let detail = format!("A source adds at most {MAX_KINDS} kinds.");
        return Err(Problem::invalid("kinds_added", detail));
    }
    let mut kinds: Vec<KindInfo> = vec![];
    for (n, request) in requests.into_iter().enumerate() {
        let field = format!("kinds_added[{n}].kind");
        let kind: Kind = parse_id(&field, request.kind)?;
        if BUILT_IN.iter().any(|(name, ..)| *name == kind.as_str()) {
            return Err(Problem::invalid(field, "It is a built-in kind."));
        }
        if kinds.iter().any(|info| info.kind == kind) {
            return Err(Problem::invalid(field, "It is named twice."));
        }
        let field = format!("kinds_added[{n}].type_name");
        kinds.push(KindInfo {
            kind,
            category: request.category,
            type_name: parse_line(&field, &request.type_name, MAX_TYPE_NAME)?,
        });
    }
    Ok(kinds)
}
