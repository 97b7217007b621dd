//! Every kind of invalid request gets the right status and a detail that says what to fix, and puts
//! nothing on the queue.

use crate::environment::{SECRET, SOURCE, TestEnvironment, answer, raised_event, signed};
use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use aws_lambda_events::http::HeaderName;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::wire::message::Message;
use jiff::Timestamp;
use ring::hmac;
use serde_json::{Value, json};

const EVENT: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";

/// Sends a request and checks the answer's status, its form and the start of its detail.
async fn refused(
    env: &TestEnvironment,
    what: &str,
    request: ApiGatewayV2httpRequest,
    now: Timestamp,
    expected: (i64, &str),
) {
    let response = env.source.receive(request, now).await;
    let body = answer(&response);
    let detail = body["detail"].as_str().unwrap_or_default();
    assert_eq!(response.status_code, expected.0, "{what}: {body}");
    assert!(detail.starts_with(expected.1), "{what}: {detail}");
    assert_eq!(body["status"], expected.0, "{what}");
    assert_eq!(
        response.headers["content-type"], "application/problem+json",
        "{what}"
    );
    assert!(body.to_string().len() < 1500, "{what}: {body}");
}

/// Asserts that the queue has only reports of rejected events.
async fn has_only_reports(env: &TestEnvironment) {
    loop {
        let (event, messages) = env.queue.receive().await;
        if messages.is_empty() {
            return;
        }
        for record in event.records {
            let message = Message::from_json(record.body.as_deref().unwrap()).unwrap();
            assert!(matches!(message, Message::Rejected(_)), "{message:?}");
        }
    }
}

fn good() -> String {
    raised_event("e1", "a1", 0).to_string()
}

/// A request with this id and timestamp, signed correctly.
fn with_headers(id: &str, timestamp: &str) -> ApiGatewayV2httpRequest {
    let body = good();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(&SECRET[6..]).unwrap());
    let text = format!("{id}.{timestamp}.{body}");
    let signature = format!("v1,{}", STANDARD.encode(hmac::sign(&key, text.as_bytes())));
    let request = signed(SOURCE, SECRET, EVENT, body.as_bytes(), Timestamp::now());
    let request = with_header(request, "webhook-id", id);
    let request = with_header(request, "webhook-timestamp", timestamp);
    with_header(request, "webhook-signature", &signature)
}

fn with_header(
    mut request: ApiGatewayV2httpRequest,
    name: &'static str,
    value: &str,
) -> ApiGatewayV2httpRequest {
    let value = value.parse().unwrap();
    request.headers.insert(HeaderName::from_static(name), value);
    request
}

#[tokio::test]
async fn a_wrong_signature_timestamp_or_id_is_a_401() {
    let env = TestEnvironment::new().await;
    let now = Timestamp::now();
    let seconds = now.as_second();
    let right = || with_headers("msg_1", &seconds.to_string());
    let signature = right().headers["webhook-signature"]
        .to_str()
        .unwrap()
        .to_owned();
    let bare = signature.trim_start_matches("v1,");
    let mut cases = vec![];
    for wrong in [
        "",
        " ",
        ",",
        "v1",
        "v1,",
        "v1,AAAA",
        "v1,!",
        "v1,AAAA v1,",
        bare,
        &format!("v2,{bare}"),
        &format!("v1a,{bare}"),
        &format!("V1,{bare}"),
        &format!("v1, {bare}"),
        &format!("v1,{bare}="),
        &format!("v1,{}", bare.trim_end_matches('=')),
        &format!("v1,{}", bare.replace(['+', '/'], "_").to_ascii_lowercase()),
        &"v1,AAAA ".repeat(8),
        &format!("{signature},{signature}"),
        &format!("{signature} ").repeat(9),
        &format!("{signature} ").repeat(200),
        &"v1,AAAA ".repeat(200),
        &"v1,".repeat(3000),
    ] {
        cases.push((
            format!("signature {wrong:.60}"),
            with_header(right(), "webhook-signature", wrong),
        ));
    }
    for wrong in [
        "",
        "0",
        "1",
        "+1",
        "-1",
        "lunchtime",
        "-9223372036854775808",
        "9223372036854775807",
        "18446744073709551616",
        &(seconds - 301).to_string(),
        &(seconds + 301).to_string(),
        &format!("{seconds}.0"),
        &format!("{seconds}.5"),
        &format!("+{seconds}"),
        &format!("0{seconds}"),
        &format!("{seconds}000"),
        &format!("{seconds}e0"),
        "2026-11-22T07:30:00Z",
    ] {
        cases.push((format!("timestamp {wrong}"), with_headers("msg_1", wrong)));
    }
    for wrong in ["", " ", "a b", "a\tb", &"x".repeat(257)] {
        cases.push((
            format!("id {wrong:.20}"),
            with_headers(wrong, &seconds.to_string()),
        ));
    }
    for missing in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let mut request = right();
        request.headers.remove(missing);
        cases.push((format!("no {missing}"), request));
    }
    let mut request = right();
    request.headers.insert(
        "webhook-id",
        aws_lambda_events::http::HeaderValue::from_bytes(b"msg_\xff").unwrap(),
    );
    cases.push(("an id that is no text".to_owned(), request));
    let mut request = right();
    request.body = Some("no base64!".to_owned());
    cases.push(("a body that is no base64".to_owned(), request));
    let mut request = right();
    request.body = None;
    cases.push(("another body".to_owned(), request));
    for source in [
        "",
        "..",
        "src_",
        "src_0123456789ABCDEFGHIJKLMNOP",
        "src_0123456789abcdefghijklmno\u{0}",
        &"x".repeat(5000),
    ] {
        let mut request = right();
        request
            .path_parameters
            .insert("source".into(), source.into());
        cases.push((format!("source {source:.40}"), request));
    }
    let count = cases.len();
    for (what, request) in cases {
        refused(&env, &what, request, now, (401, "Sign the raw body")).await;
    }
    println!("{count} of {count} refused with a 401");
    assert_eq!(env.queue.count().await, 1, "the report of all of them");
    // The corrected requests are accepted.
    for right in [
        right(),
        with_headers(&"x".repeat(256), &(seconds - 300).to_string()),
        with_headers("!~", &(seconds + 300).to_string()),
    ] {
        assert_eq!(env.source.receive(right, now).await.status_code, 202);
    }
    assert_eq!(env.queue.count().await, 4);
    env.queue.expect_leftovers(4);
}

/// An event whose member is `a…b` with these escapes in the middle.
fn with_text(event: &Value, pointer: &str, escapes: &str) -> String {
    let mut body = event.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = body.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    parent.insert(name.to_owned(), "MARK".into());
    body.to_string().replace("MARK", &format!("a{escapes}b"))
}

fn with(pointer: &str, value: Value) -> String {
    let mut body = raised_event("e1", "a1", 0);
    *body.pointer_mut(pointer).unwrap() = value;
    body.to_string()
}

/// A lone surrogate in a member that no ticket needs: the event is queued.
#[tokio::test]
async fn a_lone_surrogate_is_refused_only_in_an_id() {
    let env = TestEnvironment::new().await;
    let event = raised_event("e1", "a1", 0);
    let texts = TEXTS.map(|text| format!("/data/{text}"));
    let members = ["/time", "/source", "/more", "/data/link", "/data/more"];
    for member in members.into_iter().chain(texts.iter().map(String::as_str)) {
        let body = with_text(&event, member, "\\ud800");
        let response = env.source.post_raw(EVENT, body).await;
        assert_eq!(response.status_code, 202, "{member}: {}", answer(&response));
    }
    assert_eq!(env.queue.count().await, 10);
    env.queue.expect_leftovers(10);
}

const TEXTS: [&str; 5] = ["title", "description", "tenant_name", "device", "user"];
const UNFIT: [&str; 6] = [
    "\\u0000",
    "\\u0008",
    "\\u001f",
    "\\ufffe",
    "\\uffff",
    "\\ud83f\\udfff",
];

#[tokio::test]
async fn an_invalid_body_is_a_4xx_that_names_the_field() {
    let env = TestEnvironment::new().await;
    let bytes = |text: &str| text.as_bytes().to_vec();
    let twice =
        |before: &str, more: &str| bytes(&good().replacen(before, &format!("{more}{before}"), 1));
    // From one text: the time of another may be one digit shorter.
    let mut cut = good();
    cut.pop();
    let batch = |events: &[String]| bytes(&format!("[{}]", events.join(",")));
    let mut cases: Vec<(&str, Vec<u8>, i64, String)> = vec![];
    for (body, says) in [
        (vec![], "body: is empty"),
        (vec![b' '; 256 * 1024], "body: is empty"),
        (vec![b'['; 256 * 1024], "[0]: EOF"),
        (b"{\"a\":".repeat(52_000), "body: EOF"),
        (b"\xff\xfe{\0}\0".to_vec(), "body: is UTF-16"),
        (b"\xff{}".to_vec(), "body: expected value"),
        (bytes("null"), "body: invalid type: null"),
        (
            bytes(&format!("{}{}", good(), good())),
            "body: trailing characters",
        ),
        (bytes(&cut), "body: EOF"),
        (bytes("[]"), "body: is an empty batch"),
        (twice("\"id\":", "\"id\":\"e0\","), "id: is given twice"),
        (
            twice("\"tenant\":", "\"tenant\":\"t\","),
            "data.tenant: is given twice",
        ),
        (
            twice("\"tenant\":", "\"tenan\\u0074\":\"t\","),
            "data.tenant: is given twice",
        ),
        (
            twice("\"data\":", "\"data_base64\":\"e30=\","),
            "data_base64: only one of data and data_base64 is allowed",
        ),
        (
            bytes(&with("/specversion", json!("0.3"))),
            "specversion: must be",
        ),
        (
            bytes(&with("/id", json!(5))),
            "id: invalid type: integer `5`, expected a string",
        ),
        (
            bytes(&with("/id", json!(""))),
            "id: an event id is 1 to 256 bytes long",
        ),
        (
            bytes(&with("/id", json!("x".repeat(257)))),
            "id: an event id is 1 to 256 bytes long",
        ),
        (
            bytes(&with("/type", json!("alert.exploded\n"))),
            "type: `alert.exploded` is not one of",
        ),
        (
            bytes(&with("/data", json!("text"))),
            "data: invalid type: string",
        ),
        (bytes(&with("/data", Value::Null)), "data: is missing"),
    ] {
        cases.push((EVENT, body, 400, says.into()));
    }
    for (body, says) in [
        (vec![], "body: is empty"),
        (vec![b'['; 256 * 1024], "[0]: EOF"),
        (bytes("[5]"), "[0]: invalid type"),
        (bytes("[{}, 5]"), "[0].data: is missing"),
        (
            batch(&[with("/data/kind", json!("toaster"))]),
            "[0].data.kind: unknown kind `toaster`",
        ),
    ] {
        cases.push((BATCH, body, 400, says.into()));
    }
    let too_large = "A request has at most 262144 bytes";
    for (content_type, body, says) in [
        (EVENT, vec![b' '; 256 * 1024 + 1], too_large),
        (BATCH, vec![b'['; 256 * 1024 + 1], too_large),
        (
            BATCH,
            batch(&vec!["5".to_owned(); 1001]),
            "A batch has at most 1000 events, and this one has 1001",
        ),
    ] {
        cases.push((content_type, body, 413, says.into()));
    }
    for content_type in ["text/plain", "application/xml"] {
        let says = "Send application/cloudevents+json".into();
        cases.push((content_type, bytes(&good()), 415, says));
    }
    let event = raised_event("e1", "a1", 0);
    for (pointer, field) in [
        ("/id", "id: an event id has no control"),
        ("/data/tenant", "data.tenant: a tenant id has no control"),
        (
            "/data/alert_id",
            "data.alert_id: an alert id has no control",
        ),
        ("/data/kind", "data.kind: a kind is"),
        ("/data/partner", "data.partner: a partner id is"),
    ] {
        for unfit in UNFIT {
            let body = bytes(&with_text(&event, pointer, unfit));
            cases.push((EVENT, body, 400, field.into()));
        }
    }
    for member in ["id", "type", "data/tenant", "data/alert_id", "data/kind"] {
        for half in ["\\ud800", "\\udfff"] {
            let body = bytes(&with_text(&event, &format!("/{member}"), half));
            let says = format!("{}: ", member.replace('/', "."));
            cases.push((EVENT, body, 400, says));
        }
    }
    let count = cases.len();
    for (content_type, body, status, says) in cases {
        let now = Timestamp::now();
        let what = format!(
            "{content_type} {}",
            String::from_utf8_lossy(&body)
                .chars()
                .take(300)
                .collect::<String>()
        );
        let request = signed(SOURCE, SECRET, content_type, &body, now);
        refused(&env, &what, request, now, (status, &says)).await;
    }
    println!("{count} of {count} refused with a 4xx that names what to mend");
    has_only_reports(&env).await;
    assert_eq!(env.source.post_raw(EVENT, good()).await.status_code, 202);
    env.queue.expect_leftovers(67);
}

#[tokio::test]
async fn characters_that_sqs_refuses_are_replaced() {
    let env = TestEnvironment::new().await;
    let mut event = raised_event("e1", "a1", 0);
    for text in TEXTS {
        event["data"][text] = "MARK".into();
    }
    let body = event
        .to_string()
        .replace("MARK", &format!("a{}b", UNFIT.join("")));
    assert_eq!(env.source.post_raw(EVENT, body).await.status_code, 202);
    let queued = env.queue.take_only().await;
    let payload = &queued["body"]["payload"];
    for text in TEXTS {
        let expected = if text == "description" { "ab" } else { "a b" };
        assert_eq!(payload[text], expected, "{queued}");
    }
}

#[tokio::test]
async fn the_largest_body_is_accepted() {
    let env = TestEnvironment::new().await;
    let mut event = raised_event("e1", "a1", 0);
    event["data"]["description"] = "".into();
    let room = 256 * 1024 - event.to_string().len();
    event["data"]["description"] = "é".repeat(room / 2).into();
    let mut body = event.to_string();
    body.push_str(&" ".repeat(256 * 1024 - body.len()));
    assert_eq!(env.source.post_raw(EVENT, body).await.status_code, 202);
    let queued = env.queue.take_only().await;
    let kept = queued["body"]["payload"]["description"]
        .as_str()
        .unwrap()
        .len();
    assert!((32 * 1024 - 4..=32 * 1024).contains(&kept), "{kept}");
}
