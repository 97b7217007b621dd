//! Many alerts of one tenant at once share the ticket of a storm.

use domain::Blocked;
use domain::alert::storm::StormRule;
use domain::monitoring::pipeline::Schedule;
use domain::wire::message::Message;
use jiff::Timestamp;
use serde_json::Value;

use crate::environment::{
    TENANT, TestEnvironment, after, key, partner, raised_event, resolved_event, settings, tenant,
};
use crate::reconcile::drift::close_by_technician;

/// An environment where more than 3 alerts within 5 minutes are a storm.
async fn environment() -> TestEnvironment {
    let env = TestEnvironment::new().await;
    let mut own = settings();
    own.storm = Some(StormRule {
        alerts: 3,
        minutes: 5,
    });
    env.put_settings(&own).await;
    env
}

async fn raise(env: &mut TestEnvironment, alerts: std::ops::Range<i64>) {
    for n in alerts {
        env.deliver(&raised_event(&format!("up-{n}"), &format!("a{n}"), n))
            .await;
    }
}

async fn resolve(env: &mut TestEnvironment, alerts: std::ops::Range<i64>) {
    for n in alerts {
        let event = resolved_event(&format!("down-{n}"), &format!("a{n}"), 100 + n);
        env.deliver(&event).await;
    }
}

/// Runs reconcile at a time in minutes from now, and then processes the messages that it sent.
async fn reconcile(env: &mut TestEnvironment, minutes: i64) {
    env.run_reconcile(after(Timestamp::now(), 60 * minutes))
        .await;
    env.worker.work().await;
}

/// The tickets of storms.
async fn storm_tickets(env: &TestEnvironment) -> Vec<Value> {
    let mut tickets = env.connectwise.tickets().await;
    tickets.retain(|ticket| {
        let summary = ticket["summary"].as_str().unwrap_or_default();
        summary.starts_with("Alert storm")
    });
    tickets
}

/// The numbers of the alerts that a text lists.
fn listed(text: &str) -> usize {
    text.lines().filter(|line| line.starts_with("- ")).count()
}

async fn has_storm(env: &TestEnvironment) -> bool {
    let storms = &env.config.storms;
    let stored = storms.get(&partner(), &tenant(TENANT)).await.unwrap().value;
    !stored.storms().is_empty()
}

#[tokio::test]
async fn a_storm_has_one_ticket_that_lists_its_alerts_and_is_closed_when_all_are_resolved() {
    let mut env = environment().await;
    raise(&mut env, 0..10).await;
    assert_eq!(env.connectwise.tickets().await.len(), 3);
    for n in 3..10 {
        let reason = env.reason(&format!("a{n}")).await;
        assert!(matches!(reason, Some(Blocked::Storm(_))), "{n}: {reason:?}");
    }
    reconcile(&mut env, 1).await;
    let tickets = storm_tickets(&env).await;
    let [ticket] = &tickets[..] else {
        panic!("{} tickets", tickets.len());
    };
    let description = &env.connectwise.notes(ticket).await[0];
    assert_eq!(listed(description["text"].as_str().unwrap()), 7);
    // The same alerts are listed once.
    reconcile(&mut env, 2).await;
    assert_eq!(env.connectwise.notes(ticket).await.len(), 1);

    raise(&mut env, 10..12).await;
    reconcile(&mut env, 3).await;
    let notes = env.connectwise.notes(ticket).await;
    assert_eq!(notes.len(), 2);
    let note = notes[1]["text"].as_str().unwrap();
    assert_eq!(listed(note), 2, "{note}");
    assert!(
        note.contains("9 alerts so far, 9 of them still active"),
        "{note}"
    );

    resolve(&mut env, 3..11).await;
    reconcile(&mut env, 4).await;
    reconcile(&mut env, 5).await;
    assert_eq!(storm_tickets(&env).await[0]["closedFlag"], false);
    resolve(&mut env, 11..12).await;
    for minute in 6..10 {
        reconcile(&mut env, minute).await;
    }
    assert_eq!(storm_tickets(&env).await[0]["closedFlag"], true);
    assert!(!has_storm(&env).await);
    assert_eq!(env.connectwise.tickets().await.len(), 4);
}

#[tokio::test]
async fn reconcile_is_due_at_once_when_a_storm_begins() {
    let mut env = environment().await;
    let is_due = async |env: &TestEnvironment| {
        let now = after(Timestamp::now(), 60);
        let due = env.schedule.due.list(Schedule::Reconcile, now, 9).await;
        due.unwrap().contains(&partner())
    };
    raise(&mut env, 0..3).await;
    assert!(!is_due(&env).await, "no storm yet");
    raise(&mut env, 3..4).await;
    assert!(is_due(&env).await);
}

#[tokio::test]
async fn a_ticket_that_a_technician_closed_stays_closed_and_gets_no_list() {
    let mut env = environment().await;
    raise(&mut env, 0..6).await;
    reconcile(&mut env, 0).await;
    let ticket = storm_tickets(&env).await.remove(0);
    close_by_technician(&env, ticket["id"].as_u64().unwrap()).await;
    let before = env.connectwise.notes(&ticket).await.len();
    raise(&mut env, 6..8).await;
    for _ in 0..3 {
        reconcile(&mut env, 0).await;
    }
    assert_eq!(storm_tickets(&env).await[0]["closedFlag"], true);
    assert_eq!(env.connectwise.notes(&ticket).await.len(), before);
    assert_eq!(env.connectwise.tickets().await.len(), 4);
    assert!(has_storm(&env).await, "its alerts are active");
}

#[tokio::test]
async fn an_alert_of_a_storm_that_has_ended_gets_its_own_ticket() {
    let mut env = environment().await;
    raise(&mut env, 0..5).await;
    let storms = &env.config.storms;
    let stored = storms.get(&partner(), &tenant(TENANT)).await.unwrap();
    let id = stored.value.storms()[0].id.clone();
    let without = stored.value.without(&id);
    let saved = storms
        .save(&partner(), &tenant(TENANT), &without, stored.version)
        .await;
    assert!(saved.unwrap().is_saved());
    env.put_settings(&settings()).await;
    reconcile(&mut env, 1).await;
    assert_eq!(env.connectwise.tickets().await.len(), 5);
    assert_eq!(storm_tickets(&env).await.len(), 0);
}

#[tokio::test]
async fn an_alert_of_a_storm_that_a_person_releases_gets_its_own_ticket() {
    let mut env = environment().await;
    raise(&mut env, 0..5).await;
    let release = Message::Release(key(TENANT, "a4")).to_json();
    env.queue.send(&release).await;
    env.worker.work().await;
    assert_eq!(env.connectwise.tickets().await.len(), 4);
    assert_eq!(env.reason("a4").await, None);
    assert!(matches!(env.reason("a3").await, Some(Blocked::Storm(_))));
}

#[tokio::test]
async fn a_storm_of_one_tenant_leaves_the_tickets_of_another_alone() {
    let mut env = environment().await;
    raise(&mut env, 0..6).await;
    assert_eq!(env.connectwise.tickets().await.len(), 3);
    let mut other = raised_event("other", "b", 0);
    other["data"]["tenant"] = "fabrikam".into();
    let mapping = env.mapping(TENANT).await;
    env.put_mapping("fabrikam", &mapping).await;
    env.deliver(&other).await;
    assert_eq!(env.connectwise.tickets().await.len(), 4);
}
