//! The page "Sources": how a source proves itself is chosen, and changed later.

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::source::authentication::Authentication;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::environment::sender::Sender;
use crate::environment::{Browser, TestEnvironment};

const NEW: &str = "source-new";
const ONE: &str = "source";
const SECRET: &str = "source-secret";
const AUTHENTICATION: &str = "source-authentication";

async fn view(browser: &mut Browser, path: &str, id: &str) -> Value {
    let path = format!("{path}?source={id}");
    browser.get_json(&path).await.expect(200).json()
}

/// Makes a secret, and returns a sender that uses it.
async fn make_secret(browser: &mut Browser, id: &str, user: Option<&str>) -> Sender {
    let version = view(browser, ONE, id).await["version"].clone();
    let form = json!({ "source": id, "version": version, "user": user });
    let made = browser.post(SECRET, &form).await.expect(200).json();
    Sender {
        source: id.to_owned(),
        authentication: authentication(&made),
        secret: made["secret"].as_str().unwrap().to_owned(),
    }
}

fn authentication(view: &Value) -> Authentication {
    serde_json::from_value(view["authentication"].clone()).unwrap()
}

/// Changes the authentication of a source.
async fn change(browser: &mut Browser, id: &str, form: Value) -> crate::environment::Answer {
    let mut form = form;
    form["source"] = json!(id);
    form["version"] = view(browser, AUTHENTICATION, id).await["version"].clone();
    browser.post(AUTHENTICATION, &form).await
}

/// The status of the response to a message, when the endpoint reads the source's document again.
async fn post(env: &TestEnvironment, sender: &Sender, minutes: i64) -> i64 {
    let at = Timestamp::now() + SignedDuration::from_mins(minutes);
    let request = sender.request(b"{\"n\": 1}", at);
    send(env, request, at).await
}

async fn send(env: &TestEnvironment, request: ApiGatewayV2httpRequest, at: Timestamp) -> i64 {
    env.source.receive(request, at).await.status_code
}

#[tokio::test]
async fn a_signature_is_chosen_field_by_field() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let mut fields = vec![
        ("name", "Backup"),
        ("preset", "other"),
        ("authentication[scheme]", "hmac"),
        ("authentication[hmac][header]", "X-Signature"),
        ("authentication[hmac][algorithm]", "sha1"),
        ("authentication[hmac][encoding]", "base64"),
        ("authentication[hmac][prefix]", "sha1="),
        ("authentication[hmac][signed]", "id.ts.body"),
        ("authentication[hmac][timestamp_header]", "X-Time"),
        ("authentication[hmac][timestamp_format]", "rfc3339"),
        ("authentication[hmac][tolerance_s]", "60"),
        ("authentication[hmac][id_header]", ""),
        ("authentication[hmac][secret]", "base64"),
        ("response[status]", "200"),
        ("response[body]", "thanks"),
    ];
    // Without a script, the page returns with what was typed, and the problem beside its field.
    let page = browser.post_form_of(NEW, NEW, &fields).await;
    let page = page.expect(422).text;
    for typed in ["Backup", "X-Signature", "sha1=", "X-Time", "thanks"] {
        assert!(
            page.contains(&format!("value=\"{typed}\"")),
            "{typed}: {page}"
        );
    }
    let (_, beside) = page
        .split_once("name=\"authentication[hmac][id_header]\"")
        .unwrap();
    let (beside, _) = beside.split_once("</small>").unwrap();
    assert!(
        beside.contains("It is needed, since the id is signed."),
        "{beside}"
    );
    fields[11].1 = "X-Id";
    let made = browser.post_form(NEW, &fields).await.expect(303);
    let (_, id) = made.header("location").split_once("?source=").unwrap();
    let id = id.split_once('&').unwrap().0.to_owned();

    let sender = make_secret(&mut browser, &id, None).await;
    let request = sender.request(b"{}", Timestamp::now());
    let response = env.source.receive(request, Timestamp::now()).await;
    assert_eq!(
        (response.status_code, response.body),
        (200, Some("thanks".into()))
    );
    let wrong = Sender {
        secret: STANDARD.encode([7; 32]),
        ..sender.clone()
    };
    assert_eq!(post(&env, &wrong, 0).await, 401);
    env.queue.allow_leftovers();
}

#[tokio::test]
async fn each_scheme_of_the_page_authenticates_a_message() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    for scheme in [
        json!({ "scheme": "bearer" }),
        json!({ "scheme": "header", "header": "X-Token" }),
        json!({ "scheme": "basic" }),
        json!({ "scheme": "query", "parameter": "key" }),
        json!({ "scheme": "body_member", "member": "/n" }),
        json!({ "scheme": "standard_webhooks", "encoding": "raw" }),
        json!({ "scheme": "hmac", "hmac": { "header": "x-sig" } }),
    ] {
        let form = json!({ "name": "Backup", "preset": "other", "authentication": scheme });
        let made = browser.post(NEW, &form).await.expect(200).json();
        let id = made["source"].as_str().unwrap();
        let user = (scheme["scheme"] == "basic").then_some("alice");
        let sender = make_secret(&mut browser, id, user).await;
        assert_eq!(
            sender.secret.starts_with("alice:"),
            user.is_some(),
            "{scheme}"
        );
        assert_eq!(post(&env, &sender, 0).await, 202, "{scheme}");
    }
    env.queue.allow_leftovers();
}

#[tokio::test]
async fn a_secret_ends_only_if_the_person_chooses_so() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let form = json!({ "name": "Backup", "preset": "other" });
    let made = browser.post(NEW, &form).await.expect(200).json();
    let id = made["source"].as_str().unwrap().to_owned();
    let bearer = make_secret(&mut browser, &id, None).await;
    assert_eq!(post(&env, &bearer, 0).await, 202);

    // The same secret in a header, and only from one network.
    let form = json!({
        "authentication": { "scheme": "header", "header": "x-token" }, "networks": "203.0.113.0/24\n2001:db8::1",
        "response": { "status": "204", "body": "" },
    });
    change(&mut browser, &id, form).await.expect(200);
    let source = view(&mut browser, ONE, &id).await;
    assert_eq!(source["needs_secret"], false);
    let header = Sender {
        authentication: authentication(&source),
        ..bearer.clone()
    };
    let at = Timestamp::now() + SignedDuration::from_mins(6);
    for (address, status) in [("203.0.113.9", 204), ("198.51.100.1", 401)] {
        let mut request = header.request(b"{}", at);
        request.request_context.http.source_ip = Some(address.to_owned());
        assert_eq!(send(&env, request, at).await, status, "{address}");
    }
    assert_eq!(post(&env, &bearer, 6).await, 401);

    // The present secret is no user with a password.
    let basic = json!({ "authentication": { "scheme": "basic" } });
    let refused = change(&mut browser, &id, basic.clone()).await.expect(422);
    assert_eq!(refused.json()["field"], "secret");
    let unchanged = view(&mut browser, ONE, &id).await;
    assert_eq!(unchanged["version"], source["version"]);
    // One that could be used in the new way ends too, if the person chose so.
    let form =
        json!({ "authentication": { "scheme": "query", "parameter": "key" }, "secret": "end" });
    change(&mut browser, &id, form).await.expect(200);
    let source = view(&mut browser, ONE, &id).await;
    assert_eq!(source["needs_secret"], true);
    let query = Sender {
        authentication: authentication(&source),
        ..bearer.clone()
    };
    assert_eq!(post(&env, &query, 12).await, 401);
    change(&mut browser, &id, basic).await.expect(200);
    let source = view(&mut browser, ONE, &id).await;
    assert_eq!(
        (&source["needs_secret"], &source["user"]),
        (&json!(true), &json!("ticketbridge"))
    );

    // The vendor's password, in its own field.
    let form = json!({ "source": id, "version": source["version"], "user": "alice", "secret": "a long password" });
    browser.post(SECRET, &form).await.expect(200);
    let alice = Sender {
        authentication: Authentication::Basic,
        secret: "alice:a long password".to_owned(),
        ..bearer
    };
    assert_eq!(post(&env, &alice, 18).await, 202);
    assert_eq!(view(&mut browser, ONE, &id).await["user"], "alice");
    let form = json!({ "source": id, "version": 9, "user": "a:b" });
    browser.post(SECRET, &form).await.expect(409);
    let version = view(&mut browser, ONE, &id).await["version"].clone();
    let form = json!({ "source": id, "version": version, "user": "a:b" });
    let refused = browser.post(SECRET, &form).await.expect(422).json();
    assert_eq!(refused["field"], "user");
    env.queue.allow_leftovers();
}

#[tokio::test]
async fn the_authentication_of_a_preset_stays() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let form = json!({ "name": "Alertmanager", "preset": "alertmanager" });
    let made = browser.post(NEW, &form).await.expect(200).json();
    let id = made["source"].as_str().unwrap();
    let form = json!({ "authentication": { "scheme": "query" }, "networks": "203.0.113.9" });
    change(&mut browser, id, form).await.expect(200);
    let shown = view(&mut browser, AUTHENTICATION, id).await;
    assert_eq!(shown["authentication"], json!({ "scheme": "bearer" }));
    let page = browser.get(&format!("{AUTHENTICATION}?source={id}")).await;
    assert!(page.text.contains("203.0.113.9/32"), "{}", page.text);
}
