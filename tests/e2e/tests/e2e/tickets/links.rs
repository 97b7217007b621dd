//! The configuration of an alert's device, and the contact of its user, on new tickets.

use domain::setup::settings::Settings;
use domain::setup::ticket_links::{CompanyRecordName, LookupKey, TicketLinks};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};
use store::CompanyLookup;

use crate::environment::{
    COMPANY, TENANT, TestEnvironment, partner, raised_event, reconsider, resolved_event, settings,
    tenant,
};

const ANNA: &str = "Anna@acme.example";
const CONFIGURATIONS: &str = "GET /company/configurations";
const CONTACTS: &str = "GET /company/contacts";
const CREATE: &str = "POST /service/tickets";

fn linked(configuration: bool, contact: bool) -> Settings {
    Settings {
        links: TicketLinks {
            configuration,
            contact,
        },
        ..settings()
    }
}

/// A raise of an alert of this device and user.
fn raised(alert: &str, device: &str, user: &str) -> Value {
    let mut event = raised_event(&format!("{alert}-1"), alert, 0);
    event["data"]["device"] = device.into();
    event["data"]["user"] = user.into();
    event
}

async fn post(env: &TestEnvironment, path: &str, body: Value) -> u64 {
    let made = env
        .connectwise
        .call_as_technician(Method::POST, path, Some(body))
        .await;
    made["id"].as_u64().unwrap()
}

async fn add_configuration(env: &TestEnvironment, name: &str, company: u64, active: bool) -> u64 {
    let body = json!({ "name": name, "company": { "id": company }, "activeFlag": active });
    post(env, "/company/configurations", body).await
}

async fn add_contact(env: &TestEnvironment, address: &str) -> u64 {
    let body = json!({
        "firstName": "Anna", "company": { "id": COMPANY },
        "communicationItems": [{ "value": address, "communicationType": "Email" }],
    });
    post(env, "/company/contacts", body).await
}

/// The calls of the functions for this event, without those of the test.
async fn calls(env: &mut TestEnvironment, event: &Value) -> Vec<String> {
    let before = env.connectwise.calls().await.len();
    env.deliver(event).await;
    env.connectwise.calls().await.split_off(before)
}

async fn ticket(env: &TestEnvironment, alert: &str) -> u64 {
    let record = env.record(alert).await.unwrap();
    assert_eq!((&record.claim, &record.blocked), (&None, &None), "{alert}");
    record.open().unwrap().ticket_id
}

/// The configurations that the alert's ticket is linked to.
async fn configurations(env: &TestEnvironment, alert: &str) -> Vec<u64> {
    let path = format!(
        "/service/tickets/{}/configurations",
        ticket(env, alert).await
    );
    let rows = env
        .connectwise
        .call_as_technician(Method::GET, &path, None)
        .await;
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| row["id"].as_u64().unwrap()).collect()
}

/// The contact of the alert's ticket.
async fn contact(env: &TestEnvironment, alert: &str) -> Value {
    let number = ticket(env, alert).await;
    let mut tickets = env.connectwise.tickets().await.into_iter();
    let ticket = tickets.find(|ticket| ticket["id"] == number).unwrap();
    ticket["contact"]["id"].clone()
}

#[tokio::test]
async fn a_ticket_is_linked_to_the_configuration_of_its_device_with_one_look_up_a_device() {
    let mut env = TestEnvironment::new().await;
    env.put_settings(&linked(true, false)).await;
    let web = add_configuration(&env, "WEB-1", COMPANY, true).await;
    add_configuration(&env, "web-1", 302, true).await;
    add_configuration(&env, "web-1", COMPANY, false).await;

    let first = calls(&mut env, &raised("a1", "web-1", "-")).await;
    let number = ticket(&env, "a1").await;
    let link = format!("POST /service/tickets/{number}/configurations");
    assert_eq!(first, [CREATE, CONFIGURATIONS, &link]);
    assert_eq!(configurations(&env, "a1").await, [web]);
    assert_eq!(
        env.record("a1").await.unwrap().open().unwrap().link_at,
        None
    );

    // Nothing is looked up again, neither by this process nor by another one.
    let second = calls(&mut env, &raised("a2", "web-1", "-")).await;
    assert_eq!(second[0], CREATE);
    assert_eq!(second.len(), 2, "{second:?}");
    assert_eq!(configurations(&env, "a2").await, [web]);
    env.worker.app = env.new_tickets_app();
    let third = calls(&mut env, &raised("a3", "Web-1", "-")).await;
    assert_eq!(third.len(), 2, "{third:?}");
    assert_eq!(configurations(&env, "a3").await, [web]);

    // A repeat and a resolve find nothing left to link.
    env.deliver(&resolved_event("r1", "a1", 9)).await;
    let links = env.connectwise.count_calls(&link).await;
    assert_eq!(links, 1);
}

#[tokio::test]
async fn a_device_without_a_configuration_is_looked_up_once_an_hour() {
    let mut env = TestEnvironment::new().await;
    env.put_settings(&linked(true, false)).await;
    // It is not known which of the two is meant.
    for _ in 0..2 {
        add_configuration(&env, "twice", COMPANY, true).await;
    }
    env.deliver(&raised("a0", "other", "-")).await;
    for (alert, device) in [("a1", "twice"), ("a2", "unknown")] {
        let asked = calls(&mut env, &raised(alert, device, "-")).await;
        assert_eq!(asked, [CREATE, CONFIGURATIONS]);
        let again = calls(&mut env, &raised(&format!("{alert}-b"), device, "-")).await;
        assert_eq!(again, [CREATE]);
        assert_eq!(configurations(&env, alert).await, Vec::<u64>::new());
    }
    // Conditions cannot name this one.
    let quoted = calls(&mut env, &raised("a3", "a\"b", "-")).await;
    assert_eq!(quoted, [CREATE]);

    let web = add_configuration(&env, "unknown", COMPANY, true).await;
    let messages = env.post_and_take(&[raised("a4", "unknown", "-")]).await;
    assert!(env.worker.handle_at(messages, 61).await.is_empty());
    assert_eq!(configurations(&env, "a4").await, [web]);
}

#[tokio::test]
async fn a_link_that_is_refused_or_lost_blocks_nothing() {
    let mut env = TestEnvironment::new().await;
    env.put_settings(&linked(true, false)).await;
    let web = add_configuration(&env, "web-1", COMPANY, true).await;
    env.deliver(&raised("a0", "web-1", "-")).await;
    let rule = |then: Value| {
        json!({ "rules": [{
            "when": { "method": "POST", "path": "/service/tickets/*/configurations" },
            "then": then, "times": 1,
        }] })
    };

    // The answer is lost: the ticket is linked, and linked again later without a second link.
    env.connectwise.set_faults(rule(json!("lost"))).await;
    env.deliver(&raised("lost", "web-1", "-")).await;
    assert_eq!(configurations(&env, "lost").await, [web]);
    let record = env.record("lost").await.unwrap();
    assert!(record.open().unwrap().link_at > Some(Timestamp::now()));
    let again = vec![reconsider(&record.key)];
    assert!(env.worker.handle_at(again, 20).await.is_empty());
    assert_eq!(configurations(&env, "lost").await, [web]);
    let record = env.record("lost").await.unwrap();
    assert_eq!(record.open().unwrap().link_at, None);

    // ConnectWise refuses it: the ticket is noted and closed as any other, and the configuration is
    // not used again.
    let deleted = format!("/company/configurations/{web}");
    env.connectwise
        .call_as_technician(Method::DELETE, &deleted, None)
        .await;
    env.deliver(&raised("refused", "web-1", "-")).await;
    assert_eq!(configurations(&env, "refused").await, Vec::<u64>::new());
    let next = calls(&mut env, &raised("next", "web-1", "-")).await;
    assert_eq!(next, [CREATE]);
    let open = env.connectwise.count_open().await;
    env.deliver(&resolved_event("r1", "refused", 9)).await;
    assert_eq!(env.connectwise.count_open().await, open - 1);
}

#[tokio::test]
async fn without_its_right_a_ticket_is_created_as_if_nothing_was_chosen() {
    let mut env = TestEnvironment::new().await;
    env.put_settings(&linked(true, true)).await;
    add_configuration(&env, "web-1", COMPANY, true).await;
    add_contact(&env, ANNA).await;
    env.deliver(&raised("a0", "other", "-")).await;
    let missing = json!({ "missing_rights": ["configurations.inquire", "contacts.inquire"] });
    env.connectwise.set_faults(missing).await;
    let first = calls(&mut env, &raised("a1", "web-1", ANNA)).await;
    assert_eq!(first, [CONTACTS, CREATE, CONFIGURATIONS]);
    let second = calls(&mut env, &raised("a2", "web-1", ANNA)).await;
    assert_eq!(second, [CREATE]);
    env.worker.app = env.new_tickets_app();
    let third = calls(&mut env, &raised("a3", "web-1", ANNA)).await;
    assert_eq!(third, [CREATE], "another process does not ask either");
    for alert in ["a1", "a2", "a3"] {
        assert_eq!(contact(&env, alert).await, Value::Null);
        assert_eq!(configurations(&env, alert).await, Vec::<u64>::new());
    }
    let breaker = env.config.breaker.get(&partner()).await.unwrap();
    assert!(breaker.missing_rights.is_empty(), "{breaker:?}");
}

#[tokio::test]
async fn a_failing_look_up_delays_no_ticket() {
    let mut env = TestEnvironment::new().await;
    env.put_settings(&linked(true, true)).await;
    let web = add_configuration(&env, "web-1", COMPANY, true).await;
    add_contact(&env, ANNA).await;
    env.deliver(&raised("a0", "other", "-")).await;
    let answer = json!({ "answer": { "status": 500 } });
    let rules = ["/company/contacts", "/company/configurations"]
        .map(|path| json!({ "when": { "path": path }, "then": answer }));
    env.connectwise.set_faults(json!({ "rules": rules })).await;
    env.deliver(&raised("a1", "web-1", ANNA)).await;
    assert_eq!(contact(&env, "a1").await, Value::Null);
    assert_eq!(configurations(&env, "a1").await, Vec::<u64>::new());

    // It is linked with the next message after a while.
    env.connectwise.set_faults(json!({ "rules": [] })).await;
    let again = vec![reconsider(&env.record("a1").await.unwrap().key)];
    assert!(env.worker.handle_at(again, 20).await.is_empty());
    assert_eq!(configurations(&env, "a1").await, [web]);
}

#[tokio::test]
async fn a_ticket_gets_the_contact_of_its_user_with_one_look_up_an_address() {
    let mut env = TestEnvironment::new().await;
    env.put_settings(&linked(false, true)).await;
    let anna = add_contact(&env, ANNA).await;
    env.deliver(&raised("a0", "web-1", "ACME\\anna")).await;
    assert_eq!(contact(&env, "a0").await, Value::Null);

    let first = calls(&mut env, &raised("a1", "web-1", "anna@acme.example")).await;
    assert_eq!(first, [CONTACTS, CREATE]);
    let second = calls(&mut env, &raised("a2", "web-1", ANNA)).await;
    assert_eq!(second, [CREATE]);
    for alert in ["a1", "a2"] {
        assert_eq!(contact(&env, alert).await, json!(anna));
    }
    let unknown = calls(&mut env, &raised("a3", "web-1", "bob@acme.example")).await;
    assert_eq!(unknown, [CONTACTS, CREATE]);
    assert_eq!(contact(&env, "a3").await, Value::Null);
}

#[tokio::test]
async fn a_contact_that_connectwise_refuses_is_left_out() {
    let mut env = TestEnvironment::new().await;
    env.put_settings(&linked(false, true)).await;
    env.deliver(&raised("a0", "web-1", "-")).await;
    // It was found yesterday, and deleted since.
    let name = CompanyRecordName::of_user(ANNA).unwrap();
    let of = (&partner(), &tenant(TENANT));
    let found = CompanyLookup {
        record: Some(9999),
        until: Timestamp::now() + SignedDuration::from_hours(1),
    };
    let key = LookupKey::new(of, 1, COMPANY, &name);
    let lookups = &env.config.company_lookups;
    lookups.put(of, &key, &found).await.unwrap();

    let first = calls(&mut env, &raised("a1", "web-1", ANNA)).await;
    assert_eq!(first, [CREATE, CREATE]);
    assert_eq!(contact(&env, "a1").await, Value::Null);
    let second = calls(&mut env, &raised("a2", "web-1", ANNA)).await;
    assert_eq!(second, [CREATE]);
    env.worker.app = env.new_tickets_app();
    let third = calls(&mut env, &raised("a3", "web-1", ANNA)).await;
    assert_eq!(third, [CREATE], "another process does not use it either");
    assert_eq!(env.connectwise.count_open().await, 4);
}

#[tokio::test]
async fn switched_off_nothing_is_looked_up_or_sent() {
    let mut env = TestEnvironment::new().await;
    add_configuration(&env, "web-1", COMPANY, true).await;
    add_contact(&env, ANNA).await;
    env.deliver(&raised("a0", "web-1", ANNA)).await;
    let off = calls(&mut env, &raised("a1", "web-1", ANNA)).await;
    assert_eq!(off, [CREATE]);
    assert_eq!(contact(&env, "a1").await, Value::Null);
    assert_eq!(configurations(&env, "a1").await, Vec::<u64>::new());
}
