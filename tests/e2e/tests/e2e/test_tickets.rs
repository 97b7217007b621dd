//! Test tickets: alerts as any other, asked for at the page, before the partner confirms and for whoever is mapped.

use aws::secrets::{SigningSecret, SourceDocument};
use domain::event::Event;
use domain::kind::{BUILT_IN, Category};
use domain::message::Message;
use domain::settings::{BoardTarget, Settings};
use domain::{AlertId, AlertKey, Blocked, Kind, Secret, SourceId, test_alert};
use jiff::Timestamp;
use serde_json::{Value, json};
use store::{Connection, TestTicket};

use crate::setup_client::Browser;
use crate::ticks::after;
use crate::world::{
    CYBER_ALERTS, DISABLED, OPERATIONS, SECRET, TENANT, World, event, partner, settings, signed,
    tenant,
};

/// A test of a tenant that is mapped and switched off.
fn test_key(asked_at: Timestamp) -> AlertKey {
    test_alert::key(partner(), tenant(DISABLED), AlertId::of_test(asked_at))
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

impl World {
    async fn enqueue_event(&self, event: Event) {
        self.enqueue(&Message::Event(event).to_json()).await;
    }

    async fn unconfirm(&self) {
        let connection = self.access.connections.get(&partner()).await.unwrap().value;
        let connection = Connection {
            confirmed: false,
            ..connection.unwrap()
        };
        let put = self.access.connections.put(&partner(), &connection).await;
        put.unwrap();
    }

    async fn blocked(&self, key: &AlertKey) -> Option<Blocked> {
        let record = self.alerts.get(key).await.unwrap().unwrap();
        record.blocked.map(|blocked| blocked.reason)
    }
}

#[tokio::test]
async fn a_test_ticket_comes_once_before_the_partner_confirms_and_is_closed_when_a_person_says_so()
{
    let mut world = World::new().await;
    world.unconfirm().await;
    let asked_at = Timestamp::now();
    for _ in 0..2 {
        world.enqueue_event(raised(asked_at)).await;
    }
    world.post(&event("alert.raised", "e1", "a1", 0)).await;
    world.work().await;
    let real = world.record("a1").await.unwrap();
    assert_eq!(real.blocked.unwrap().reason, Blocked::NotSetUp);
    let tickets = world.all_tickets().await;
    assert_eq!(tickets.len(), 1);
    let ticket = &tickets[0];
    assert_eq!(ticket["summary"], "[Test] Ticketbridge test ticket");
    assert_eq!(ticket["board"]["id"], CYBER_ALERTS.0);
    assert_eq!(ticket["company"]["id"], 308);
    assert_eq!(ticket["closedFlag"], false);

    // Others of this board only get a note.
    let closed = test_alert::resolved(test_key(asked_at), asked_at, Timestamp::now());
    world.enqueue_event(closed).await;
    world.work().await;
    assert_eq!(world.all_tickets().await[0]["closedFlag"], true);
}

#[tokio::test]
async fn a_test_of_whom_nothing_is_set_up_waits_as_any_alert_does() {
    let mut world = World::new().await;
    let asked_at = Timestamp::now();
    let settings = Settings {
        operations: BoardTarget::default(),
        epoch: Some(7),
        ..settings()
    };
    let put = world.config.settings.put(&partner(), &settings).await;
    put.unwrap();
    world.enqueue_event(raised(asked_at)).await;
    world.work().await;
    let blocked = world.blocked(&test_key(asked_at)).await;
    assert_eq!(blocked, Some(Blocked::NotSetUp));
    world.has_no_ticket_and_called_nobody().await;
}

#[tokio::test]
async fn a_test_that_was_held_up_goes_on_by_itself_and_nothing_else_with_it() {
    let mut world = World::new().await;
    let reconcile = world.reconcile();
    world.unconfirm().await;
    world.faults(json!({ "keys": "revoked" })).await;
    let asked_at = Timestamp::now();
    world.enqueue_event(raised(asked_at)).await;
    let mut real = event("alert.raised", "e1", "a1", 0);
    real["data"]["tenant"] = DISABLED.into();
    world.post(&real).await;
    world.work().await;
    let blocked = world.blocked(&test_key(asked_at)).await;
    assert_eq!(blocked, Some(Blocked::ConnectionBroken));
    world.faults(json!({ "keys": "ok" })).await;

    let now = Timestamp::now();
    let calls = world.calls().await.len();
    let health = world.health();
    world.make_health_due(now).await;
    world.make_due(now).await;
    assert_eq!(world.try_out(&health, now).await.completed, 1);
    assert_eq!(world.tick(&reconcile, now).await.totals.released, 0);
    assert_eq!(world.calls().await.len(), calls, "nobody asked for a test");
    let test = TestTicket {
        tenant: tenant(DISABLED),
        alert_id: AlertId::of_test(asked_at),
        kind: Kind::parse("ransomware_encryption").unwrap(),
        category: Category::CyberAlerts,
        asked_at,
        gone: false,
    };
    let saved = world.config.test_ticket.save(&partner(), &test, 0).await;
    saved.unwrap();
    world.make_health_due(after(now, 60)).await;
    world.try_out(&health, after(now, 60)).await;
    let tick = world.tick(&reconcile, after(now, 90)).await;
    assert_eq!(tick.totals.released, 1);
    world.work().await;
    assert_eq!(world.all_tickets().await.len(), 1);
    assert_eq!(world.blocked(&test_key(asked_at)).await, None);
    let real = world.record_of(DISABLED, "a1").await.unwrap();
    assert_eq!(real.blocked.unwrap().reason, Blocked::NotSetUp);
}

#[tokio::test]
async fn the_door_takes_nothing_from_set_ups_own_source() {
    let world = World::new().await;
    let source = SourceId::of_set_up();
    let document = SourceDocument {
        partner: Some(partner()),
        partners: vec![],
        enabled: true,
        kinds_added: vec![],
        secrets: vec![SigningSecret {
            value: Secret::new(SECRET),
            not_after: None,
        }],
    };
    let document = serde_json::to_string(&document).unwrap();
    world
        .put_secret(&format!("tb/source/{source}"), &document)
        .await;
    let mut raised = event("alert.raised", "e1", "a1", 0);
    raised["data"]["tenant"] = TENANT.into();
    let body = raised.to_string();
    let request = signed(
        source.as_str(),
        SECRET,
        "application/cloudevents+json",
        body.as_bytes(),
        Timestamp::now(),
    );
    let answer = world.ingest.handle(request).await;
    assert_eq!(answer.status_code, 401);
    assert_eq!(world.waiting(&world.queue_url).await, 0);
}

#[tokio::test]
async fn somebody_at_the_page_asks_for_a_test_ticket_and_closes_it() {
    let mut world = World::new().await;
    world.unconfirm().await;
    let mut browser = world.signed_in().await;
    let view = browser.get_json("/setup/test").await.expect(200).json();
    assert_eq!(view["last"], json!(null));
    let offered = view["tenants"].as_array().unwrap();
    let ids: Vec<_> = offered.iter().map(|tenant| &tenant["id"]).collect();
    assert_eq!(ids, [TENANT, DISABLED]);

    let wish = [("tenant", DISABLED), ("category", "operations")];
    let asked = browser.post_form("/setup/test", &wish).await.expect(303);
    let next = "/setup/test?done=test_asked";
    assert_eq!(asked.header("location"), next);
    let page = browser.get(next).await.expect(200);
    assert!(page.text.contains(r#"data-poll="/setup/test""#), "{page:?}");
    let last = async |browser: &mut Browser| {
        let view = browser.get_json("/setup/test").await.expect(200);
        view.json()["last"].clone()
    };
    assert_eq!(last(&mut browser).await["state"], "waiting");
    world.work().await;
    let open = last(&mut browser).await;
    assert_eq!(
        (&open["state"], &open["can_close"]),
        (&json!("open"), &json!(true))
    );
    let tickets = world.all_tickets().await;
    assert_eq!((tickets.len(), &tickets[0]["id"]), (1, &open["ticket"]));
    assert_eq!(tickets[0]["board"]["id"], OPERATIONS.0);
    let page = browser.get("/setup/test").await.expect(200);
    assert!(!page.text.contains("data-poll"), "nothing to wait for");

    let wish = json!({ "tenant": TENANT, "category": "cyber_alerts" });
    let refused = browser.post("/setup/test", &wish).await.expect(422);
    assert!(refused.text.contains("Close it before"), "{refused:?}");
    let closed = browser.post("/setup/test/close", &Value::Null).await;
    let closed = closed.expect(200).json();
    assert_eq!(closed["next"], "/setup/test?done=test_closed");
    assert_eq!(last(&mut browser).await["state"], "closing");
    world.work().await;
    assert_eq!(last(&mut browser).await["state"], "closed");
    assert_eq!(world.all_tickets().await[0]["closedFlag"], true);
    // Again: nothing more to close.
    browser
        .post("/setup/test/close", &Value::Null)
        .await
        .expect(200);
    assert_eq!(world.waiting(&world.queue_url).await, 0);
    let history = world.access.audit.page(&partner(), None, 10).await.unwrap();
    let whats: Vec<_> = history.entries.iter().map(|entry| &entry.what).collect();
    assert_eq!(whats, ["test_closed", "test_asked", "session_began"]);

    browser.post("/setup/test", &wish).await.expect(200);
    world.work().await;
    assert_eq!(last(&mut browser).await["state"], "open");
    assert_eq!(world.all_tickets().await.len(), 2);
}

#[tokio::test]
async fn a_test_that_cannot_become_a_ticket_is_refused_and_says_what_is_missing() {
    let world = World::new().await;
    let mut browser = world.signed_in().await;
    let refused = async |browser: &mut Browser, tenant: &str, words: &str| {
        let wish = json!({ "tenant": tenant, "category": "operations" });
        let refused = browser.post("/setup/test", &wish).await.expect(422).json();
        let detail = refused["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{detail}");
        refused["field"].clone()
    };
    let field = refused(&mut browser, "nobody", "no company").await;
    assert_eq!(field, "tenant");
    let mut settings = settings();
    let operations = BUILT_IN
        .iter()
        .filter(|(_, category, _)| *category == Category::Operations);
    settings.kinds_off = operations
        .map(|(kind, ..)| Kind::parse(*kind).unwrap())
        .collect();
    let put = world.config.settings.put(&partner(), &settings).await;
    put.unwrap();
    let field = refused(&mut browser, TENANT, "switched off").await;
    assert_eq!(field, "category");
    // The connection is pointed elsewhere since.
    settings.epoch = Some(7);
    let put = world.config.settings.put(&partner(), &settings).await;
    put.unwrap();
    let field = refused(&mut browser, TENANT, "Choose the boards").await;
    assert_eq!(field, json!(null));
    let view = browser.get_json("/setup/test").await.expect(200).json();
    assert!(view["hindrance"].is_string(), "{view}");
    browser
        .post("/setup/test/close", &Value::Null)
        .await
        .expect(422);
    assert_eq!(world.waiting(&world.queue_url).await, 0);
}

#[tokio::test]
async fn a_test_that_was_noted_and_never_sent_is_sent_when_it_is_asked_for_again() {
    let mut world = World::new().await;
    let mut browser = world.signed_in().await;
    let wish = json!({ "tenant": TENANT, "category": "operations" });
    browser.post("/setup/test", &wish).await.expect(200);
    // It is lost.
    assert_eq!(world.queued().await["type"], "event");
    let other = json!({ "tenant": DISABLED, "category": "operations" });
    browser.post("/setup/test", &other).await.expect(422);
    for _ in 0..2 {
        browser.post("/setup/test", &wish).await.expect(200);
    }
    world.work_once().await;
    assert_eq!(world.all_tickets().await.len(), 1);
    browser.post("/setup/test", &wish).await.expect(422);
}

#[tokio::test]
async fn what_holds_a_test_up_is_said_in_plain_words() {
    let mut world = World::new().await;
    let mut browser = world.signed_in().await;
    let missing = json!({ "missing_rights": ["service_tickets.add"] });
    world.faults(missing).await;
    let wish = json!({ "tenant": TENANT, "category": "operations" });
    browser.post("/setup/test", &wish).await.expect(200);
    world.work().await;
    let view = browser.get_json("/setup/test").await.expect(200).json();
    assert_eq!(view["last"]["state"], "blocked");
    assert_eq!(view["last"]["reason"], "missing_right(service_tickets.add)");
    let page = browser.get("/setup/test").await.expect(200);
    assert!(page.text.contains("lacks the right service_tickets.add"));
    // Closed before there is a ticket: there never will be one.
    browser
        .post("/setup/test/close", &Value::Null)
        .await
        .expect(200);
    world.work().await;
    let view = browser.get_json("/setup/test").await.expect(200).json();
    assert_eq!(view["last"]["state"], "withdrawn");
}

#[tokio::test]
async fn a_test_whose_end_was_sent_and_never_noted_is_over_all_the_same() {
    let mut world = World::new().await;
    let mut browser = world.signed_in().await;
    let wish = json!({ "tenant": TENANT, "category": "operations" });
    browser.post("/setup/test", &wish).await.expect(200);
    world.work().await;
    let test = world.config.test_ticket.get(&partner()).await;
    let test = test.unwrap().value.unwrap();
    let key = test_alert::key(partner(), test.tenant, test.alert_id);
    let resolved = test_alert::resolved(key, test.asked_at, Timestamp::now());
    world.enqueue_event(resolved).await;
    world.work().await;
    let view = browser.get_json("/setup/test").await.expect(200).json();
    assert_eq!(view["last"]["state"], "closed");
    browser.post("/setup/test", &wish).await.expect(200);
    world.work().await;
    assert_eq!(world.all_tickets().await.len(), 2);
}
