use public_http::ReceiverOrigins;

use super::*;

const ADDRESS: &str = "https://alerts.example.com/am";

fn edit(url: &str, format: Option<WebhookFormat>, authorization: Option<&str>) -> WebhookEdit {
    WebhookEdit {
        url: ReceiverUrl::parse(url, &ReceiverOrigins::default()).unwrap(),
        format,
        takes_actions: None,
        authorization: authorization.map(str::to_owned),
    }
}

fn alertmanager(url: &str, authorization: Option<&str>) -> WebhookEdit {
    edit(url, Some(WebhookFormat::Alertmanager), authorization)
}

fn signing() -> OutgoingWebhook {
    let mut webhook = edit("https://hooks.example.com/a", None, None)
        .apply(None)
        .unwrap();
    webhook.secrets.push(SourceSecret {
        value: Secret::new("whsec_c2VjcmV0"),
        not_after: None,
    });
    webhook
}

#[test]
fn an_alertmanager_takes_actions_at_first_and_signs_nothing() {
    let made = alertmanager(ADDRESS, Some("Bearer t")).apply(None).unwrap();
    assert!(made.takes_actions && made.secrets.is_empty());
    assert_eq!(made.authorization, Some(Secret::new("Bearer t")));
    let denied = WebhookEdit {
        takes_actions: Some(false),
        ..edit(ADDRESS, None, None)
    };
    let denied = denied.apply(Some(made)).unwrap();
    let again = edit(ADDRESS, None, None).apply(Some(denied)).unwrap();
    assert!(!again.takes_actions, "what is absent stays as it is");
    assert!(again.authorization.is_some());
}

#[test]
fn another_format_keeps_neither_secrets_nor_authorization_nor_actions() {
    let mut before = signing();
    before.takes_actions = false;
    let other = alertmanager(ADDRESS, None).apply(Some(before)).unwrap();
    assert!(other.takes_actions && other.secrets.is_empty());
    let other = alertmanager(ADDRESS, Some("Bearer t")).apply(Some(other));
    let back = edit(ADDRESS, Some(WebhookFormat::CloudEvents), None);
    let back = back.apply(Some(other.unwrap())).unwrap();
    assert_eq!((back.takes_actions, back.authorization), (false, None));
}

#[test]
fn an_authorization_goes_to_no_other_host() {
    let made = alertmanager(ADDRESS, Some("Basic dTpw"))
        .apply(None)
        .unwrap();
    let apply = |url, authorization| {
        let applied = edit(url, None, authorization).apply(Some(made.clone()));
        applied.map(|webhook| webhook.authorization)
    };
    let kept = Some(Secret::new("Basic dTpw"));
    assert_eq!(
        apply("https://alerts.example.com/other", None).unwrap(),
        kept
    );
    let other = "https://alerts.example.net/am";
    let refused = apply(other, None).unwrap_err();
    assert_eq!(refused.field.as_deref(), Some("authorization"));
    assert_eq!(apply(other, Some("")).unwrap(), None);
    let sent = apply(other, Some("Bearer b")).unwrap();
    assert_eq!(sent, Some(Secret::new("Bearer b")));
}

#[test]
fn what_is_no_authorization_is_refused() {
    let long = format!("Bearer canary{}", "a".repeat(MAX_AUTHORIZATION));
    for text in [
        "canary",
        "canary ",
        " Bearer canary",
        "Bearer canary\r\nx: y",
        "Bearer canäry",
        "Bearer: canary",
        &long,
    ] {
        let refused = alertmanager(ADDRESS, Some(text)).apply(None).unwrap_err();
        assert_eq!(refused.field.as_deref(), Some("authorization"), "{text}");
        assert!(!refused.detail.contains("canary"), "{text}");
    }
    let cloud_events = edit(ADDRESS, None, Some("Bearer a")).apply(None);
    let field = cloud_events.unwrap_err().field;
    assert_eq!(field.as_deref(), Some("authorization"));
}

#[test]
fn the_address_of_an_alertmanager_has_no_path_of_its_api() {
    for url in [
        "https://alerts.example.com/api/v2",
        "https://alerts.example.com/am/api/v2/",
        "https://alerts.example.com/?a=b",
    ] {
        let refused = alertmanager(url, None).apply(None).unwrap_err();
        assert_eq!(refused.field.as_deref(), Some("url"), "{url}");
    }
    for url in ["https://alerts.example.com", ADDRESS] {
        assert!(alertmanager(url, None).apply(None).is_ok(), "{url}");
    }
}
