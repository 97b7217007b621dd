//! Test tickets: ordinary alerts that are requested on the page, before the partner confirms, for any
//! mapped tenant.

use domain::alert::event::Event;
use domain::alert::kind::{BUILT_IN, Category};
use domain::alert::test_alert;
use domain::setup::settings::{BoardTarget, Settings};
use domain::wire::message::Message;
use domain::{AlertId, AlertKey, Blocked, Kind, SourceId};
use jiff::Timestamp;
use serde_json::{Value, json};
use store::{Connection, TestTicket};

use crate::environment::{
    Browser, CYBER_ALERTS, DISABLED, OPERATIONS, SECRET, TENANT, TestEnvironment, after, partner,
    raised_event, settings, signed, source_document, tenant,
};

/// A test for a tenant that is mapped and disabled.
fn test_key(asked_at: Timestamp) -> AlertKey {
    test_alert::key(partner(), tenant(DISABLED), AlertId::for_test(asked_at))
}

fn raised(asked_at: Timestamp) -> Event {
    let kind = Kind::parse("ransomware_encryption").unwrap();
    test_alert::raised(
        test_key(asked_at),
        kind,
        Category::CyberAlerts,
        Some("Grove Legal".into()),
        asked_at,
    )
}

async fn enqueue_event(env: &TestEnvironment, event: Event) {
    env.queue.send(&Message::Event(event).to_json()).await;
}

async fn unconfirm(env: &TestEnvironment) {
    let connection = Connection {
        confirmed: false,
        ..env.connection().await
    };
    env.put_connection(&connection).await;
}

async fn blocked_reason(env: &TestEnvironment, key: &AlertKey) -> Option<Blocked> {
    let record = env.alerts.get(key).await.unwrap().unwrap();
    record.blocked.map(|blocked| blocked.reason)
}

#[tokio::test]
async fn a_test_ticket_needs_no_confirmed_connection() {
    let mut env = TestEnvironment::new().await;
    unconfirm(&env).await;
    let asked_at = Timestamp::now();
    for _ in 0..2 {
        enqueue_event(&env, raised(asked_at)).await;
    }
    env.deliver(&raised_event("e1", "a1", 0)).await;
    assert_eq!(env.reason("a1").await, Some(Blocked::NotSetUp));
    let tickets = env.connectwise.tickets().await;
    assert_eq!(tickets.len(), 1);
    let ticket = &tickets[0];
    assert_eq!(ticket["summary"], "[Test] Ticketbridge test ticket");
    assert_eq!(ticket["board"]["id"], CYBER_ALERTS.0);
    assert_eq!(ticket["company"]["id"], 308);
    assert_eq!(ticket["closedFlag"], false);

    // Other alerts of this board only get a note.
    let closed = test_alert::resolved(test_key(asked_at), asked_at, Timestamp::now());
    enqueue_event(&env, closed).await;
    env.worker.work().await;
    assert_eq!(env.connectwise.tickets().await[0]["closedFlag"], true);
}

#[tokio::test]
async fn a_test_without_a_set_up_is_blocked() {
    let mut env = TestEnvironment::new().await;
    let asked_at = Timestamp::now();
    let settings = Settings {
        operations: BoardTarget::default(),
        epoch: Some(7),
        ..settings()
    };
    env.put_settings(&settings).await;
    enqueue_event(&env, raised(asked_at)).await;
    env.worker.work().await;
    let blocked = blocked_reason(&env, &test_key(asked_at)).await;
    assert_eq!(blocked, Some(Blocked::NotSetUp));
    env.connectwise.assert_untouched().await;
}

#[tokio::test]
async fn a_blocked_test_is_released_alone() {
    let mut env = TestEnvironment::new().await;
    let reconcile = env.reconcile();
    unconfirm(&env).await;
    env.set_fault("keys", "revoked").await;
    let asked_at = Timestamp::now();
    enqueue_event(&env, raised(asked_at)).await;
    let mut real = raised_event("e1", "a1", 0);
    real["data"]["tenant"] = DISABLED.into();
    env.deliver(&real).await;
    let blocked = blocked_reason(&env, &test_key(asked_at)).await;
    assert_eq!(blocked, Some(Blocked::ConnectionBroken));
    env.set_fault("keys", "ok").await;

    let now = Timestamp::now();
    let calls = env.connectwise.calls().await.len();
    let health = env.health();
    env.schedule.make_health_due(now).await;
    env.schedule.make_due(now).await;
    assert_eq!(env.schedule.tick_health(&health, now).await.completed, 1);
    assert_eq!(env.schedule.count_released(&reconcile, now).await, 0);
    assert_eq!(
        env.connectwise.calls().await.len(),
        calls,
        "no test was requested"
    );
    let test = TestTicket {
        tenant: tenant(DISABLED),
        alert_id: AlertId::for_test(asked_at),
        kind: Kind::parse("ransomware_encryption").unwrap(),
        category: Category::CyberAlerts,
        asked_at,
        close_requested: false,
    };
    let saved = env.config.test_ticket.save(&partner(), &test, 0).await;
    assert!(saved.unwrap().is_saved());
    env.run_health(&health, after(now, 60)).await;
    let tick = env.schedule.tick(&reconcile, after(now, 90)).await;
    assert_eq!(tick.totals.released, 1);
    env.worker.work().await;
    assert_eq!(env.connectwise.tickets().await.len(), 1);
    assert_eq!(blocked_reason(&env, &test_key(asked_at)).await, None);
    let real = env.record_of(DISABLED, "a1").await.unwrap();
    assert_eq!(real.blocked.unwrap().reason, Blocked::NotSetUp);
}

#[tokio::test]
async fn the_reserved_source_cannot_post() {
    let env = TestEnvironment::new().await;
    let source = SourceId::for_test_alerts();
    let document = source_document();
    let document = serde_json::to_string(&document).unwrap();
    env.account
        .put_secret(&format!("tb/source/{source}"), &document)
        .await;
    let mut raised = raised_event("e1", "a1", 0);
    raised["data"]["tenant"] = TENANT.into();
    let body = raised.to_string();
    let request = signed(
        source.as_str(),
        SECRET,
        "application/cloudevents+json",
        body.as_bytes(),
        Timestamp::now(),
    );
    let answer = env.source.receive(request, Timestamp::now()).await;
    assert_eq!(answer.status_code, 401);
    assert_eq!(env.queue.count().await, 0);
}

#[tokio::test]
async fn a_test_ticket_is_requested_and_closed_on_the_page() {
    let mut env = TestEnvironment::new().await;
    unconfirm(&env).await;
    let mut browser = env.setup.signed_in().await;
    let view = browser.get_json("test").await.expect(200).json();
    assert_eq!(view["last"], json!(null));
    let offered = view["tenants"].as_array().unwrap();
    let ids: Vec<_> = offered.iter().map(|tenant| &tenant["id"]).collect();
    assert_eq!(ids, [TENANT, DISABLED]);

    let wish = [("tenant", DISABLED), ("category", "operations")];
    let asked = browser.post_form("test", &wish).await.expect(303);
    let next = "test?done=test_asked";
    assert_eq!(asked.header("location"), next);
    let page = browser.get(next).await.expect(200);
    assert!(page.text.contains(r#"data-poll="test""#), "{page:?}");
    let last = async |browser: &mut Browser| {
        let view = browser.get_json("test").await.expect(200);
        view.json()["last"].clone()
    };
    assert_eq!(last(&mut browser).await["state"], "waiting");
    env.worker.work().await;
    let open = last(&mut browser).await;
    assert_eq!(
        (&open["state"], &open["can_close"]),
        (&json!("open"), &json!(true))
    );
    let tickets = env.connectwise.tickets().await;
    assert_eq!((tickets.len(), &tickets[0]["id"]), (1, &open["ticket"]));
    assert_eq!(tickets[0]["board"]["id"], OPERATIONS.0);
    let page = browser.get("test").await.expect(200);
    assert!(!page.text.contains("data-poll"), "the page does not poll");
    let address = open["ticket_address"].as_str().unwrap();
    assert!(address.ends_with(&format!("service_recid={}", open["ticket"])));
    let link = format!("<a href=\"{}\"", address.replace('&', "&amp;"));
    assert!(page.text.contains(&link), "{page:?}");

    let wish = json!({ "tenant": TENANT, "category": "cyber_alerts" });
    let refused = browser.post("test", &wish).await.expect(422);
    assert!(refused.text.contains("Close it before"), "{refused:?}");
    let closed = browser.submit("test-close", &Value::Null, 200).await;
    assert_eq!(closed["next"], "test?done=test_closed");
    assert_eq!(last(&mut browser).await["state"], "closing");
    env.worker.work().await;
    assert_eq!(last(&mut browser).await["state"], "closed");
    assert_eq!(env.connectwise.tickets().await[0]["closedFlag"], true);
    // Again: nothing more to close.
    browser.submit("test-close", &Value::Null, 200).await;
    assert_eq!(env.queue.count().await, 0);
    let history = env.audit_page().await;
    let whats: Vec<_> = history.entries.iter().map(|entry| &entry.what).collect();
    assert_eq!(whats, ["test_closed", "test_asked", "session_began"]);

    browser.post("test", &wish).await.expect(200);
    env.worker.work().await;
    assert_eq!(last(&mut browser).await["state"], "open");
    assert_eq!(env.connectwise.tickets().await.len(), 2);
}

#[tokio::test]
async fn an_impossible_test_is_refused_with_the_missing_step() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let refused = async |browser: &mut Browser, tenant: &str, words: &str| {
        let wish = json!({ "tenant": tenant, "category": "operations" });
        let refused = browser.post("test", &wish).await.expect(422).json();
        let detail = refused["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{detail}");
        refused["field"].clone()
    };
    let field = refused(&mut browser, "unknown", "no company").await;
    assert_eq!(field, "tenant");
    let mut settings = settings();
    let operations = BUILT_IN
        .iter()
        .filter(|(_, category, _)| *category == Category::Operations);
    settings.kinds_off = operations
        .map(|(kind, ..)| Kind::parse(*kind).unwrap())
        .collect();
    env.put_settings(&settings).await;
    let field = refused(&mut browser, TENANT, "switched off").await;
    assert_eq!(field, "category");
    // The connection points to another site since.
    settings.epoch = Some(7);
    env.put_settings(&settings).await;
    let field = refused(&mut browser, TENANT, "Choose the boards").await;
    assert_eq!(field, json!(null));
    let view = browser.get_json("test").await.expect(200).json();
    assert!(view["hindrance"].is_string(), "{view}");
    browser.submit("test-close", &Value::Null, 422).await;
    assert_eq!(env.queue.count().await, 0);
}

#[tokio::test]
async fn a_test_saved_but_not_sent_is_sent_on_the_next_request() {
    let mut env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let wish = json!({ "tenant": TENANT, "category": "operations" });
    browser.post("test", &wish).await.expect(200);
    // The message is lost.
    assert_eq!(env.queue.take_only().await["type"], "event");
    let other = json!({ "tenant": DISABLED, "category": "operations" });
    browser.post("test", &other).await.expect(422);
    for _ in 0..2 {
        browser.post("test", &wish).await.expect(200);
    }
    env.worker.work_once().await;
    assert_eq!(env.connectwise.tickets().await.len(), 1);
    browser.post("test", &wish).await.expect(422);
}

#[tokio::test]
async fn the_page_explains_a_blocked_test() {
    let mut env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let view = browser.get_json("test").await.expect(200).json();
    assert!(view.get("issue").is_none(), "{view}");
    let missing = json!({ "missing_rights": ["service_tickets.add"] });
    env.connectwise.set_faults(missing).await;
    let wish = json!({ "tenant": TENANT, "category": "operations" });
    browser.post("test", &wish).await.expect(200);
    env.worker.work().await;
    let view = browser.get_json("test").await.expect(200).json();
    assert_eq!(view["last"]["state"], "blocked");
    assert_eq!(view["last"]["reason"], "missing_right(service_tickets.add)");
    let page = browser.get("test").await.expect(200);
    assert!(
        page.text
            .contains("lacks the right &quot;Service Tickets: Add&quot;")
    );
    // Ended before its ticket exists: no ticket is created.
    browser.submit("test-close", &Value::Null, 200).await;
    env.worker.work().await;
    let view = browser.get_json("test").await.expect(200).json();
    assert_eq!(view["last"]["state"], "withdrawn");
    // What may delay the next is named beforehand. The page does not fail for it.
    env.database.corrupt_health().await;
    let view = browser.get_json("test").await.expect(200).json();
    let issue = view["issue"]["words"].as_str().unwrap();
    assert!(issue.contains("cannot be read now"), "{view}");
}

#[tokio::test]
async fn a_test_end_sent_but_not_saved_still_ends_it() {
    let mut env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let wish = json!({ "tenant": TENANT, "category": "operations" });
    browser.post("test", &wish).await.expect(200);
    env.worker.work().await;
    let test = env.config.test_ticket.get(&partner()).await;
    let test = test.unwrap().value.unwrap();
    let key = test_alert::key(partner(), test.tenant, test.alert_id);
    let resolved = test_alert::resolved(key, test.asked_at, Timestamp::now());
    enqueue_event(&env, resolved).await;
    env.worker.work().await;
    let view = browser.get_json("test").await.expect(200).json();
    assert_eq!(view["last"]["state"], "closed");
    browser.post("test", &wish).await.expect(200);
    env.worker.work().await;
    assert_eq!(env.connectwise.tickets().await.len(), 2);
}
