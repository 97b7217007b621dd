//! A sender that authenticates as its source is set up.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use aws_lambda_events::http::HeaderName;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::source::authentication::{
    Authentication, HmacAlgorithm, HmacEncoding, HmacScheme, SignedContent, TimestampFormat,
};
use jiff::Timestamp;
use ring::hmac;
use serde_json::Value;

use super::source::signed;

/// What a sender knows of its source.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    pub(crate) source: String,
    pub(crate) authentication: Authentication,
    pub(crate) secret: String,
}

impl Sender {
    /// A request with this body, as the gateway hands it to the function.
    pub(crate) fn request(&self, body: &[u8], at: Timestamp) -> ApiGatewayV2httpRequest {
        let secret = &self.secret;
        let mut request = ApiGatewayV2httpRequest::default();
        let parameters = &mut request.path_parameters;
        parameters.insert("source".into(), self.source.clone());
        request.is_base64_encoded = true;
        let mut body = body.to_vec();
        match &self.authentication {
            Authentication::StandardWebhooks { secret: encoding } => {
                let key = STANDARD.encode(encoding.key(secret).unwrap());
                let secret = format!("whsec_{key}");
                return signed(&self.source, &secret, "application/json", &body, at);
            }
            Authentication::Hmac(scheme) => sign(&mut request, scheme, secret, &body, at),
            Authentication::Header { header } => set(&mut request, header.as_str(), secret),
            Authentication::Bearer => {
                set(&mut request, "authorization", &format!("Bearer {secret}"));
            }
            Authentication::Basic => {
                let encoded = STANDARD.encode(secret);
                set(&mut request, "authorization", &format!("Basic {encoded}"));
            }
            Authentication::Query { parameter } => {
                let pairs = [(parameter.clone(), vec![secret.clone()])];
                request.query_string_parameters = std::collections::HashMap::from(pairs).into();
            }
            Authentication::BodyMember { at } => {
                let mut json: Value = serde_json::from_slice(&body).unwrap();
                at.replace(&mut json, secret.as_str().into());
                body = json.to_string().into_bytes();
            }
        }
        request.body = Some(STANDARD.encode(body));
        request
    }
}

fn sign(
    request: &mut ApiGatewayV2httpRequest,
    scheme: &HmacScheme,
    secret: &str,
    body: &[u8],
    at: Timestamp,
) {
    let time = match scheme.timestamp_format {
        TimestampFormat::Seconds => at.as_second().to_string(),
        TimestampFormat::Milliseconds => at.as_millisecond().to_string(),
        TimestampFormat::Rfc3339 => at.to_string(),
    };
    if let Some(header) = &scheme.timestamp_header {
        set(request, header.as_str(), &time);
    }
    if let Some(header) = &scheme.id_header {
        set(request, header.as_str(), "msg_1");
    }
    let time = time.as_bytes();
    let text = match scheme.signed {
        SignedContent::Body => body.to_vec(),
        SignedContent::TimestampDotBody => [time, b".", body].concat(),
        SignedContent::TimestampColonBody => [time, b":", body].concat(),
        SignedContent::TimestampBody => [time, body].concat(),
        SignedContent::BodyTimestamp => [body, time].concat(),
        SignedContent::IdTimestampBody => [b"msg_1.", time, b".", body].concat(),
    };
    let algorithm = match scheme.algorithm {
        HmacAlgorithm::Sha256 => hmac::HMAC_SHA256,
        HmacAlgorithm::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
    };
    let key = scheme.secret.key(secret).unwrap();
    let tag = hmac::sign(&hmac::Key::new(algorithm, &key), &text);
    let tag = match scheme.encoding {
        HmacEncoding::Hex => tag.as_ref().iter().map(|b| format!("{b:02x}")).collect(),
        HmacEncoding::Base64 => STANDARD.encode(tag),
    };
    set(
        request,
        scheme.header.as_str(),
        &format!("{}{tag}", scheme.prefix),
    );
}

pub(crate) fn set(request: &mut ApiGatewayV2httpRequest, name: &str, value: &str) {
    let name = HeaderName::try_from(name).unwrap();
    request.headers.insert(name, value.parse().unwrap());
}
