//! Compares status and media type of each answer of the API with the OpenAPI document, whatever a test
//! wants to know of it. `cargo xtask api` compares the bodies with their schemas too.

use std::sync::LazyLock;

use serde_json::Value;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let text = include_str!("../../../../../docs/api/openapi.json");
    serde_json::from_str(text).unwrap()
});

/// Panics if the answer to this request is not in the document.
#[track_caller]
pub(super) fn check(method: &str, path: &str, status: u16, media_type: &str, body: &str) {
    let what = format!("not in the document: {method} {path}: {status} {media_type} {body}");
    let Some(operation) = operation(method, path) else {
        let is_refusal = matches!(status, 404 | 405);
        assert!(is_refusal, "{what}");
        assert_eq!(media_type, "application/problem+json", "{what}");
        return;
    };
    let responses = &operation["responses"];
    let response = responses.get(status.to_string());
    let response = response.or_else(|| responses.get(format!("{}XX", status / 100)));
    let Some(content) = response.expect(&what).get("content") else {
        return;
    };
    assert!(content.get(media_type).is_some(), "{what}");
}

/// The operation of a path with values for its variables.
fn operation(method: &str, path: &str) -> Option<&'static Value> {
    let fits = |template: &str| {
        let mut parts = template.split('/').zip(path.split('/'));
        let is_as_long = template.split('/').count() == path.split('/').count();
        is_as_long && parts.all(|(part, of)| part == of || part.starts_with('{'))
    };
    let mut paths = DOCUMENT["paths"].as_object().unwrap().iter();
    let (_, methods) = paths.find(|(template, _)| fits(template))?;
    methods.get(method.to_ascii_lowercase())
}
