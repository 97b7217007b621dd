//! What a person types about a source's authentication, and how it is parsed.

use aws::secrets::SourceDocument;
use domain::source::authentication::{
    Authentication, HeaderName, HmacAlgorithm, HmacEncoding, HmacScheme, Network, SecretEncoding,
    SignedContent, TimestampFormat,
};
use domain::source::mapping::Pointer;
use domain::source::presets::SuccessResponse;
use serde::Deserialize;

use crate::http::input::sentence;
use crate::http::problem::Problem;
use crate::sources::format::{FormatRequest, check_networks, check_response};

/// As it was typed. Fields of schemes that are not chosen are ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct AuthenticationForm {
    pub(super) authentication: SchemeForm,
    /// One a line.
    pub(super) networks: String,
    pub(super) response: ResponseForm,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct SchemeForm {
    pub(super) scheme: SchemeName,
    pub(super) header: String,
    pub(super) parameter: String,
    pub(super) member: String,
    /// How the key of a Standard Webhooks signature is written.
    pub(super) encoding: SecretEncoding,
    pub(super) hmac: HmacForm,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SchemeName {
    #[default]
    Bearer,
    Header,
    Basic,
    Query,
    BodyMember,
    StandardWebhooks,
    Hmac,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct HmacForm {
    pub(super) header: String,
    pub(super) algorithm: HmacAlgorithm,
    pub(super) encoding: HmacEncoding,
    pub(super) prefix: String,
    pub(super) signed: SignedContent,
    pub(super) timestamp_header: String,
    pub(super) timestamp_format: TimestampFormat,
    pub(super) tolerance_s: String,
    pub(super) id_header: String,
    pub(super) secret: SecretEncoding,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct ResponseForm {
    pub(super) status: String,
    pub(super) body: String,
}

impl Default for SchemeForm {
    fn default() -> Self {
        Self {
            scheme: SchemeName::default(),
            header: "x-api-key".to_owned(),
            parameter: "token".to_owned(),
            member: String::new(),
            encoding: SecretEncoding::default(),
            hmac: HmacForm::default(),
        }
    }
}

impl Default for HmacForm {
    fn default() -> Self {
        Self {
            header: String::new(),
            algorithm: HmacAlgorithm::default(),
            encoding: HmacEncoding::default(),
            prefix: String::new(),
            signed: SignedContent::default(),
            timestamp_header: String::new(),
            timestamp_format: TimestampFormat::default(),
            tolerance_s: "300".to_owned(),
            id_header: String::new(),
            secret: SecretEncoding::Raw,
        }
    }
}

impl Default for ResponseForm {
    fn default() -> Self {
        Self::of(&SuccessResponse::default())
    }
}

impl AuthenticationForm {
    /// The present state of a source.
    pub(super) fn of(document: &SourceDocument) -> Self {
        let networks = document.networks.iter().map(Network::to_string);
        Self {
            authentication: SchemeForm::of(&document.authentication),
            networks: networks.collect::<Vec<_>>().join("\n"),
            response: ResponseForm::of(&document.response),
        }
    }

    /// Parses everything. The problem has the name of the form's field.
    pub(crate) fn parse(&self) -> Result<FormatRequest, Problem> {
        Ok(FormatRequest {
            authentication: Some(self.authentication.parse()?),
            ..self.parse_limits()?
        })
    }

    /// Parses networks and response, for a source whose preset has the authentication.
    pub(super) fn parse_limits(&self) -> Result<FormatRequest, Problem> {
        Ok(FormatRequest {
            networks: Some(parse_networks(&self.networks)?),
            response: Some(self.response.parse()?),
            ..FormatRequest::default()
        })
    }
}

impl SchemeForm {
    fn of(authentication: &Authentication) -> Self {
        let scheme = SchemeName::of(authentication);
        let form = Self {
            scheme,
            ..Self::default()
        };
        match authentication {
            Authentication::Bearer | Authentication::Basic => form,
            Authentication::Header { header } => Self {
                header: header.to_string(),
                ..form
            },
            Authentication::Query { parameter } => Self {
                parameter: parameter.clone(),
                ..form
            },
            Authentication::BodyMember { at } => Self {
                member: at.to_string(),
                ..form
            },
            Authentication::StandardWebhooks { secret } => Self {
                encoding: *secret,
                ..form
            },
            Authentication::Hmac(scheme) => Self {
                hmac: HmacForm::of(scheme),
                ..form
            },
        }
    }

    fn parse(&self) -> Result<Authentication, Problem> {
        let authentication = match self.scheme {
            SchemeName::Bearer => Authentication::Bearer,
            SchemeName::Basic => Authentication::Basic,
            SchemeName::Header => Authentication::Header {
                header: parse_header("authentication[header]", &self.header)?,
            },
            SchemeName::Query => Authentication::Query {
                parameter: self.parameter.trim().to_owned(),
            },
            SchemeName::BodyMember => Authentication::BodyMember {
                at: parse_member(&self.member)?,
            },
            SchemeName::StandardWebhooks => Authentication::StandardWebhooks {
                secret: self.encoding,
            },
            SchemeName::Hmac => Authentication::Hmac(self.hmac.parse()?),
        };
        let checked = authentication.check();
        checked.map_err(|err| {
            let within = match authentication.hmac() {
                Some(_) => "authentication.hmac.",
                None => "authentication.",
            };
            let member = err.field.replace("authentication.", within);
            Problem::invalid(form_name(&member), it(&err.problem))
        })?;
        Ok(authentication)
    }
}

impl SchemeName {
    pub(super) fn of(authentication: &Authentication) -> Self {
        match authentication {
            Authentication::StandardWebhooks { .. } => Self::StandardWebhooks,
            Authentication::Hmac(_) => Self::Hmac,
            Authentication::Header { .. } => Self::Header,
            Authentication::Bearer => Self::Bearer,
            Authentication::Basic => Self::Basic,
            Authentication::Query { .. } => Self::Query,
            Authentication::BodyMember { .. } => Self::BodyMember,
        }
    }
}

impl HmacForm {
    fn of(scheme: &HmacScheme) -> Self {
        let header = |name: &Option<HeaderName>| {
            name.as_ref()
                .map_or_else(String::new, HeaderName::to_string)
        };
        Self {
            header: scheme.header.to_string(),
            algorithm: scheme.algorithm,
            encoding: scheme.encoding,
            prefix: scheme.prefix.clone(),
            signed: scheme.signed,
            timestamp_header: header(&scheme.timestamp_header),
            timestamp_format: scheme.timestamp_format,
            tolerance_s: scheme.tolerance_s.to_string(),
            id_header: header(&scheme.id_header),
            secret: scheme.secret,
        }
    }

    fn parse(&self) -> Result<HmacScheme, Problem> {
        let optional = |field: &str, text: &str| match text.trim() {
            "" => Ok(None),
            text => parse_header(field, text).map(Some),
        };
        let tolerance_s = self.tolerance_s.trim().parse().map_err(|_| {
            let field = "authentication[hmac][tolerance_s]";
            Problem::invalid(field, "It is a number of seconds from 1 to 3600.")
        })?;
        Ok(HmacScheme {
            header: parse_header("authentication[hmac][header]", &self.header)?,
            algorithm: self.algorithm,
            encoding: self.encoding,
            prefix: self.prefix.trim().to_owned(),
            signed: self.signed,
            timestamp_header: optional(
                "authentication[hmac][timestamp_header]",
                &self.timestamp_header,
            )?,
            timestamp_format: self.timestamp_format,
            tolerance_s,
            id_header: optional("authentication[hmac][id_header]", &self.id_header)?,
            secret: self.secret,
        })
    }
}

impl ResponseForm {
    fn of(response: &SuccessResponse) -> Self {
        Self {
            status: response.status.to_string(),
            body: response.body.clone(),
        }
    }

    fn parse(&self) -> Result<SuccessResponse, Problem> {
        let status = self.status.trim().parse();
        let response = SuccessResponse {
            status: status.map_err(|_| {
                Problem::invalid("response[status]", "It is a number from 200 to 299.")
            })?,
            body: self.body.clone(),
        };
        check_response(&response).map_err(|problem| Problem {
            field: problem.field.as_deref().map(form_name),
            ..problem
        })?;
        Ok(response)
    }
}

fn parse_header(field: &str, text: &str) -> Result<HeaderName, Problem> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Problem::invalid(field, "Enter the name of the header."));
    }
    HeaderName::try_from(text.to_owned()).map_err(|_| {
        let words =
            "The name of a header has at most 64 letters, digits, hyphens, underscores and dots.";
        Problem::invalid(field, words)
    })
}

fn parse_member(text: &str) -> Result<Pointer, Problem> {
    let invalid = |words: &str| Problem::invalid("authentication[member]", words);
    let text = text.trim();
    if !text.starts_with('/') || text.len() == 1 {
        return Err(invalid(
            "Enter the place of the secret. It begins with a slash, such as /routing_key.",
        ));
    }
    Pointer::parse(text.to_owned()).map_err(|problem| invalid(&sentence(problem)))
}

fn parse_networks(text: &str) -> Result<Vec<Network>, Problem> {
    let typed = text.split(['\n', ',']).map(str::trim);
    let typed = typed.filter(|network| !network.is_empty());
    let networks = typed.map(|network| {
        Network::try_from(network.to_owned()).map_err(|_| {
            Problem::invalid(
                "networks",
                format!(
                    "\"{network}\" is neither an address nor a network such as 203.0.113.0/24."
                ),
            )
        })
    });
    let networks = networks.collect::<Result<Vec<_>, _>>()?;
    check_networks(&networks)?;
    Ok(networks)
}

/// The form's name of a member of the API: `a.b` is `a[b]`.
fn form_name(member: &str) -> String {
    let mut steps = member.split('.');
    let first = steps.next().unwrap_or_default().to_owned();
    steps.fold(first, |name, step| format!("{name}[{step}]"))
}

/// A sentence about the field beside it.
fn it(problem: &str) -> String {
    sentence(&format!("it {}", problem.replace('`', "\"")))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Reads the pairs of a form as the handlers do.
    fn typed(pairs: &str) -> AuthenticationForm {
        let forms = serde_qs::Config::new().max_depth(3).use_form_encoding(true);
        forms.deserialize_str(pairs).unwrap()
    }

    #[test]
    fn each_scheme_is_read_back_as_it_was_stored() {
        for scheme in [
            json!({ "scheme": "bearer" }),
            json!({ "scheme": "basic" }),
            json!({ "scheme": "header", "header": "x-token" }),
            json!({ "scheme": "query", "parameter": "key" }),
            json!({ "scheme": "body_member", "at": "/routing_key" }),
            json!({ "scheme": "standard_webhooks", "secret": "base64" }),
            json!({
                "scheme": "hmac", "header": "x-sig", "algorithm": "sha1", "encoding": "base64", "prefix": "v1=",
                "signed": "id.ts.body", "timestamp_header": "x-time", "timestamp_format": "rfc3339",
                "tolerance_s": 60, "id_header": "x-id", "secret": "whsec",
            }),
        ] {
            let document = SourceDocument {
                authentication: serde_json::from_value(scheme.clone()).unwrap(),
                networks: vec!["203.0.113.0/24".to_owned().try_into().unwrap()],
                ..SourceDocument::default()
            };
            let request = AuthenticationForm::of(&document).parse().unwrap();
            assert_eq!(request.authentication, Some(document.authentication));
            assert_eq!(request.networks, Some(document.networks));
            assert_eq!(request.response, Some(document.response), "{scheme}");
        }
    }

    #[test]
    fn a_form_is_read_as_a_browser_sends_it() {
        let form = typed(
            "authentication[scheme]=hmac&authentication[hmac][header]=X-Signature&authentication[hmac][prefix]=sha256%3D\
             &authentication[hmac][signed]=ts.body&authentication[hmac][timestamp_header]=X-Time&authentication[header]=\
             &networks=203.0.113.7%0D%0A2001:db8::/32%0D%0A&response[status]=200&response[body]=ok",
        );
        let request = form.parse().unwrap();
        assert_eq!(
            json!([request.authentication, request.networks, request.response]),
            json!([
                {
                    "scheme": "hmac", "header": "x-signature", "algorithm": "sha256", "encoding": "hex",
                    "prefix": "sha256=", "signed": "ts.body", "timestamp_header": "x-time",
                    "timestamp_format": "seconds", "tolerance_s": 300, "secret": "raw",
                },
                ["203.0.113.7/32", "2001:db8::/32"],
                { "status": 200, "body": "ok" },
            ])
        );
    }

    #[test]
    fn an_invalid_value_is_named_by_its_field() {
        for (pairs, field) in [
            (
                "scheme]=header&authentication[header]=",
                "authentication[header]",
            ),
            (
                "scheme]=header&authentication[header]=a b",
                "authentication[header]",
            ),
            (
                "scheme]=query&authentication[parameter]=",
                "authentication[parameter]",
            ),
            (
                "scheme]=body_member&authentication[member]=key",
                "authentication[member]",
            ),
            ("scheme]=hmac", "authentication[hmac][header]"),
            (
                "scheme]=hmac&authentication[hmac][header]=x&authentication[hmac][signed]=ts.body",
                "authentication[hmac][timestamp_header]",
            ),
            (
                "scheme]=hmac&authentication[hmac][header]=x&authentication[hmac][tolerance_s]=5m",
                "authentication[hmac][tolerance_s]",
            ),
            (
                "scheme]=hmac&authentication[hmac][header]=x&authentication[hmac][prefix]=a b",
                "authentication[hmac][prefix]",
            ),
            ("scheme]=bearer&networks=example.com", "networks"),
            ("scheme]=bearer&response[status]=404", "response[status]"),
            ("scheme]=bearer&response[body]=%C3%A9", "response[body]"),
        ] {
            let problem = typed(&format!("authentication[{pairs}")).parse().err();
            let problem = problem.unwrap();
            assert_eq!(problem.field.as_deref(), Some(field), "{pairs}");
            assert!(problem.detail.ends_with('.'), "{}", problem.detail);
        }
    }

    #[test]
    fn a_scheme_that_is_not_chosen_is_ignored() {
        let form = typed("authentication[scheme]=bearer&authentication[hmac][tolerance_s]=never");
        let request = form.parse().unwrap();
        assert_eq!(json!(request.authentication), json!({ "scheme": "bearer" }));
        let nothing: AuthenticationForm =
            serde_json::from_value(Value::Object(serde_json::Map::default())).unwrap();
        assert_eq!(nothing, AuthenticationForm::default());
    }
}
