//! The options of the form, in words.

use domain::source::authentication::{
    Authentication, HmacAlgorithm, HmacEncoding, SecretEncoding, SignedContent, TimestampFormat,
};

use super::form::SchemeName;

/// An option: what it is, its name in the form, and its words.
pub(super) type Choice<T> = (T, &'static str, &'static str);

pub(super) const SCHEMES: [Choice<SchemeName>; 7] = [
    (
        SchemeName::Bearer,
        "bearer",
        "The secret in the header Authorization, after Bearer",
    ),
    (SchemeName::Header, "header", "The secret in another header"),
    (
        SchemeName::Basic,
        "basic",
        "User and password (Basic authentication)",
    ),
    (SchemeName::Query, "query", "The secret in the address"),
    (
        SchemeName::BodyMember,
        "body_member",
        "The secret in the message",
    ),
    (
        SchemeName::StandardWebhooks,
        "standard_webhooks",
        "A signature by Standard Webhooks or Svix",
    ),
    (
        SchemeName::Hmac,
        "hmac",
        "Another signature in a header (HMAC)",
    ),
];

pub(super) const ALGORITHMS: [Choice<HmacAlgorithm>; 2] = [
    (HmacAlgorithm::Sha256, "sha256", "SHA-256"),
    (HmacAlgorithm::Sha1, "sha1", "SHA-1"),
];

pub(super) const ENCODINGS: [Choice<HmacEncoding>; 2] = [
    (HmacEncoding::Hex, "hex", "hexadecimal"),
    (HmacEncoding::Base64, "base64", "base64"),
];

pub(super) const SIGNED: [Choice<SignedContent>; 6] = [
    (SignedContent::Body, "body", "the body"),
    (
        SignedContent::TimestampDotBody,
        "ts.body",
        "time, a dot, the body",
    ),
    (
        SignedContent::TimestampColonBody,
        "ts:body",
        "time, a colon, the body",
    ),
    (SignedContent::TimestampBody, "ts+body", "time, the body"),
    (SignedContent::BodyTimestamp, "body+ts", "the body, time"),
    (
        SignedContent::IdTimestampBody,
        "id.ts.body",
        "id, a dot, time, a dot, the body",
    ),
];

pub(super) const TIMESTAMP_FORMATS: [Choice<TimestampFormat>; 3] = [
    (TimestampFormat::Seconds, "seconds", "seconds since 1970"),
    (
        TimestampFormat::Milliseconds,
        "milliseconds",
        "milliseconds since 1970",
    ),
    (
        TimestampFormat::Rfc3339,
        "rfc3339",
        "RFC 3339, such as 2026-01-31T12:00:00Z",
    ),
];

pub(super) const SECRET_ENCODINGS: [Choice<SecretEncoding>; 3] = [
    (SecretEncoding::Whsec, "whsec", "whsec_ and base64"),
    (SecretEncoding::Base64, "base64", "base64"),
    (SecretEncoding::Raw, "raw", "a plain text"),
];

/// The words of an option.
pub(super) fn of<T: Copy + PartialEq>(choices: &[Choice<T>], value: T) -> &'static str {
    let mut choices = choices.iter();
    let found = choices.find(|(choice, ..)| *choice == value);
    found.map_or("", |(.., words)| words)
}

/// How a source proves itself, in a few words.
pub(crate) fn describe(authentication: &Authentication) -> String {
    match authentication {
        Authentication::Header { header } => format!("The secret in the header {header}"),
        Authentication::Query { parameter } => {
            format!("The secret in the address, as the parameter {parameter}")
        }
        Authentication::BodyMember { at } => format!("The secret in the message, at {at}"),
        Authentication::Hmac(scheme) => format!(
            "A signature in the header {} (HMAC with {})",
            scheme.header,
            of(&ALGORITHMS, scheme.algorithm)
        ),
        Authentication::Bearer
        | Authentication::Basic
        | Authentication::StandardWebhooks { .. } => {
            of(&SCHEMES, SchemeName::of(authentication)).to_owned()
        }
    }
}

/// What a person does at a vendor without a preset, so that its requests prove themselves.
pub(crate) fn steps(authentication: &Authentication, secret: &str) -> Vec<String> {
    match authentication {
        Authentication::Bearer => vec![format!("Add the header `Authorization: Bearer {secret}`.")],
        Authentication::Header { header } => {
            vec![format!(
                "Add the header `{header}` with the value {secret}."
            )]
        }
        Authentication::Basic => vec![format!(
            "Enter user and password: the parts of {secret} before and after the colon."
        )],
        Authentication::Query { .. } => vec![],
        Authentication::StandardWebhooks { .. } => {
            vec![format!("Enter {secret} as the signing secret.")]
        }
        Authentication::Hmac(scheme) => {
            let mut steps = vec![
                format!("Enter {secret} as the secret for the signature."),
                format!(
                    "Sign by HMAC with {}: {}. Send the signature in {}, in the header `{}`{}.",
                    of(&ALGORITHMS, scheme.algorithm),
                    of(&SIGNED, scheme.signed),
                    of(&ENCODINGS, scheme.encoding),
                    scheme.header,
                    match scheme.prefix.as_str() {
                        "" => String::new(),
                        prefix => format!(" after `{prefix}`"),
                    }
                ),
            ];
            if let Some(header) = &scheme.timestamp_header {
                steps.push(format!(
                    "Send the time in the header `{header}`, as {}.",
                    of(&TIMESTAMP_FORMATS, scheme.timestamp_format)
                ));
            }
            if let Some(header) = &scheme.id_header {
                steps.push(format!(
                    "Send the id of the message in the header `{header}`."
                ));
            }
            steps
        }
        Authentication::BodyMember { at } => {
            vec![format!("Post {secret} as the member `{at}` of the body.")]
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::json;

    use super::*;

    fn check<T: DeserializeOwned + PartialEq + std::fmt::Debug>(choices: &[Choice<T>]) {
        for (value, name, _) in choices {
            let read: T = serde_json::from_value(json!(name)).unwrap();
            assert_eq!(read, *value, "{name}");
        }
    }

    #[test]
    fn each_option_is_sent_by_its_name() {
        check(&SCHEMES);
        check(&ALGORITHMS);
        check(&ENCODINGS);
        check(&SIGNED);
        check(&TIMESTAMP_FORMATS);
        check(&SECRET_ENCODINGS);
    }
}
