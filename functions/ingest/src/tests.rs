use domain::wire::webhook::{AcceptedAlert, EventRejection, InvalidField};

use super::*;

fn request(text: &str, base64: bool) -> ApiGatewayV2httpRequest {
    let mut request = ApiGatewayV2httpRequest::default();
    request.body = Some(text.to_owned());
    request.is_base64_encoded = base64;
    request
}

#[test]
fn the_body_is_decoded_if_the_gateway_encoded_it() {
    assert_eq!(raw_body(&request("{}", false)), Some(b"{}".to_vec()));
    assert_eq!(raw_body(&request("e30=", true)), Some(b"{}".to_vec()));
    assert_eq!(raw_body(&request("no base64", true)), Some(vec![]));
    assert_eq!(raw_body(&ApiGatewayV2httpRequest::default()), Some(vec![]));
}

#[test]
fn a_body_of_256_kib_is_read_and_one_byte_more_is_not() {
    let largest = "x".repeat(MAX_BODY);
    let larger = "x".repeat(MAX_BODY + 1);
    assert!(raw_body(&request(&largest, false)).is_some());
    assert!(raw_body(&request(&larger, false)).is_none());
    assert!(raw_body(&request(&STANDARD.encode(&largest), true)).is_some());
    assert!(raw_body(&request(&STANDARD.encode(&larger), true)).is_none());
}

#[test]
fn every_response_says_what_to_correct() {
    let rejected = |index, field: &str| EventRejection {
        index,
        error: InvalidField {
            field: field.into(),
            problem: "unknown".into(),
        },
        partner: None,
    };
    let accepted = |events, rejected| WebhookResponse::Accepted {
        events,
        alerts: vec![],
        rejected,
    };
    let alert_key = "0f1e2d3c4b5a6978-0123456789abcdef0123456789abcdef".to_owned();
    let with_key = WebhookResponse::Accepted {
        events: 1,
        alerts: vec![AcceptedAlert {
            index: 0,
            alert_key,
        }],
        rejected: vec![],
    };
    let answers = [
        (accepted(3, vec![]), 202, "{\"accepted\":3}"),
        (
            with_key,
            202,
            r#"{"accepted":1,"alerts":[{"alert_key":"0f1e2d3c4b5a6978-0123456789abcdef0123456789abcdef","index":0}]}"#,
        ),
        (
            accepted(2, vec![rejected(1, "[1].id")]),
            202,
            r#"{"accepted":2,"rejected":[{"detail":"[1].id: unknown","field":"[1].id","index":1}]}"#,
        ),
        (
            WebhookResponse::Rejected(vec![rejected(0, "data.kind")]),
            400,
            r#"{"detail":"data.kind: unknown","field":"data.kind","status":400"#,
        ),
        (
            WebhookResponse::Rejected(vec![rejected(0, "[0].id"), rejected(1, "[1].id")]),
            400,
            r#""rejected":[{"detail":"[0].id: unknown","field":"[0].id","index":0},{"detail":"[1].id: unknown","#,
        ),
        (
            WebhookResponse::Unreadable(rejected(0, "body").error),
            400,
            r#""detail":"body: unknown""#,
        ),
        (
            WebhookResponse::TooManyEvents(1001),
            413,
            "at most 1000 events",
        ),
        (
            WebhookResponse::UnsupportedEncoding,
            415,
            "content-encoding: gzip",
        ),
        (WebhookResponse::Unauthorized, 401, "within 300 seconds"),
        (WebhookResponse::TooLarge, 413, "262144 bytes"),
        (
            WebhookResponse::UnsupportedMediaType,
            415,
            "application/cloudevents+json",
        ),
        (WebhookResponse::Unavailable, 503, "same webhook-id"),
        (WebhookResponse::Failed, 500, "same webhook-id"),
    ];
    for (answer, status, text) in answers {
        let response = answer.into_http();
        assert_eq!(response.status_code, status);
        let Some(aws_lambda_events::encodings::Body::Text(body)) = &response.body else {
            panic!("no body")
        };
        assert!(body.contains(text), "{body}");
        assert_eq!(response.headers.contains_key("retry-after"), status == 503);
        let expected = match status {
            202 => "application/json",
            _ => "application/problem+json",
        };
        assert_eq!(response.headers["content-type"], expected);
    }
}

#[tokio::test]
async fn a_panic_is_answered_with_a_problem() {
    let response = or_failed(async { panic!("a secret") }).await;
    assert_eq!(response.status_code, 500);
    assert_eq!(response.headers["content-type"], "application/problem+json");
    let Some(aws_lambda_events::encodings::Body::Text(body)) = response.body else {
        panic!("no body")
    };
    assert!(body.contains("defect of Ticketbridge"), "{body}");
    assert!(!body.contains("secret"), "{body}");
}
