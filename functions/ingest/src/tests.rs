use domain::webhook::{EventRejection, InvalidField};

use super::*;

fn request(text: &str, base64: bool) -> ApiGatewayV2httpRequest {
    let mut request = ApiGatewayV2httpRequest::default();
    request.body = Some(text.to_owned());
    request.is_base64_encoded = base64;
    request
}

#[test]
fn the_body_is_the_raw_bytes_however_the_gateway_hands_it_over() {
    assert_eq!(body(&request("{}", false)), Some(b"{}".to_vec()));
    assert_eq!(body(&request("e30=", true)), Some(b"{}".to_vec()));
    assert_eq!(body(&request("no base64", true)), Some(vec![]));
    assert_eq!(body(&ApiGatewayV2httpRequest::default()), Some(vec![]));
}

#[test]
fn a_body_of_256_kib_is_read_and_one_byte_more_is_not() {
    let largest = "x".repeat(MAX_BODY);
    let larger = "x".repeat(MAX_BODY + 1);
    assert!(body(&request(&largest, false)).is_some());
    assert!(body(&request(&larger, false)).is_none());
    assert!(body(&request(&STANDARD.encode(&largest), true)).is_some());
    assert!(body(&request(&STANDARD.encode(&larger), true)).is_none());
}

#[test]
fn every_answer_says_what_to_mend() {
    let rejected = |index, field: &str| EventRejection {
        index,
        error: InvalidField {
            field: field.into(),
            problem: "unknown".into(),
        },
        partner: None,
    };
    let accepted = |events, rejected| Answer::Accepted { events, rejected };
    let answers = [
        (accepted(3, vec![]), 202, "{\"accepted\":3}"),
        (
            accepted(2, vec![rejected(1, "[1].id")]),
            202,
            r#"{"accepted":2,"rejected":[{"detail":"[1].id: unknown","field":"[1].id","index":1}]}"#,
        ),
        (
            Answer::Rejected(vec![rejected(0, "data.kind")]),
            400,
            r#"{"detail":"data.kind: unknown","field":"data.kind","status":400"#,
        ),
        (
            Answer::Rejected(vec![rejected(0, "[0].id"), rejected(1, "[1].id")]),
            400,
            r#""rejected":[{"detail":"[0].id: unknown","field":"[0].id","index":0},{"detail":"[1].id: unknown","#,
        ),
        (
            Answer::Unreadable(rejected(0, "body").error),
            400,
            r#""detail":"body: unknown""#,
        ),
        (Answer::TooManyEvents(1001), 413, "at most 1000 events"),
        (Answer::UnsupportedEncoding, 415, "content-encoding: gzip"),
        (Answer::Unauthorized, 401, "within 300 seconds"),
        (Answer::TooLarge, 413, "262144 bytes"),
        (
            Answer::UnsupportedMediaType,
            415,
            "application/cloudevents+json",
        ),
        (Answer::Unavailable, 503, "same webhook-id"),
    ];
    for (answer, status, text) in answers {
        let response = answer.into_response();
        assert_eq!(response.status_code, status);
        let Some(aws_lambda_events::encodings::Body::Text(body)) = &response.body else {
            panic!("no body")
        };
        assert!(body.contains(text), "{body}");
        assert_eq!(response.headers.contains_key("retry-after"), status == 503);
    }
}

#[test]
fn an_outdated_secret_is_no_key() {
    let now: Timestamp = "2026-11-22T07:30:00Z".parse().unwrap();
    let document = |not_after: &str| {
        serde_json::from_str::<SourceDocument>(&format!(
            r#"{{"partner":"acme","enabled":true,"secrets":[{{"value":"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD","not_after":"{not_after}"}}]}}"#
        ))
        .unwrap()
    };
    assert_eq!(live_keys(&document("2026-11-22T07:30:00Z"), now).len(), 1);
    assert_eq!(live_keys(&document("2026-11-22T07:29:59Z"), now).len(), 0);
    assert_eq!(live_keys(&SourceDocument::decoy().unwrap(), now).len(), 1);
}
