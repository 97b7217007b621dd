//! The life of an alert and its ticket: raised, repeated, more severe, resolved, raised again.

use crate::environment::{
    COMPANY, TENANT, TestEnvironment, assert_closed_by, event, is_open, key, raised_event,
    resolved_event,
};
use domain::alert::record::ClosedBy;
use serde_json::json;

#[tokio::test]
async fn a_raised_alert_becomes_one_ticket_with_all_its_fields() {
    let mut env = TestEnvironment::new().await;
    let mut raised = raised_event("e1", "a1", 0);
    raised["data"]["title"] = "Disk \u{202e}C: of web-1 is full\n".repeat(9).into();
    env.deliver(&raised).await;
    let tickets = env.connectwise.tickets().await;
    assert_eq!(tickets.len(), 1);
    let ticket = &tickets[0];
    assert_eq!(
        ticket["externalXRef"],
        format!("tb1-{}-1", key(TENANT, "a1").item_key())
    );
    assert_eq!(ticket["company"]["id"], COMPANY);
    assert_eq!(ticket["board"]["name"], "Operations");
    assert_eq!(ticket["status"]["name"], "New");
    assert_eq!(ticket["type"]["name"], "Disk");
    assert_eq!(ticket["priority"]["name"], "Priority 3 - Medium");
    assert_eq!(ticket["recordType"], "ServiceTicket");
    let summary = ticket["summary"].as_str().unwrap();
    assert!(
        summary.starts_with("Disk C: of web-1 is full Disk") && summary.ends_with('…'),
        "{summary}"
    );
    assert_eq!(summary.chars().count(), 100);
    let seconds = &raised["time"].as_str().unwrap()[..19];
    assert_eq!(ticket["estimatedStartDate"], format!("{seconds}Z"));
    let description = env.connectwise.notes(ticket).await[0]["text"]
        .as_str()
        .unwrap()
        .to_owned();
    for part in [
        "1 % is left",
        "Tenant: Acme Dental (acme-dental)",
        "Device: web-1",
        "Severity: medium",
        "https://example.com/a",
    ] {
        assert!(description.contains(part), "{part} in {description}");
    }
    assert_eq!(
        env.connectwise
            .calls()
            .await
            .iter()
            .filter(|call| !call.starts_with("GET"))
            .count(),
        1,
        "one call for each ticket"
    );
}

#[tokio::test]
async fn an_event_delivered_twice_and_out_of_order_is_one_ticket() {
    let mut env = TestEnvironment::new().await;
    let raised = raised_event("e1", "a1", 0);
    let updated = event("alert.updated", "e2", "a1", 1);
    for event in [&updated, &raised, &updated, &raised, &raised] {
        env.source.post(event).await;
    }
    env.worker.work().await;
    env.deliver(&raised).await;
    assert_eq!(env.connectwise.tickets().await.len(), 1);
}

#[tokio::test]
async fn a_repeat_is_noted_once_and_a_worse_one_raises_the_priority() {
    let mut env = TestEnvironment::new().await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    let mut worse = raised_event("e2", "a1", 5);
    worse["data"]["severity"] = "critical".into();
    env.deliver(&worse).await;
    env.deliver(&raised_event("e3", "a1", 6)).await;
    let ticket = env.connectwise.tickets().await.remove(0);
    assert_eq!(ticket["priority"]["name"], "Priority 1 - Critical");
    let notes = env.connectwise.notes(&ticket).await;
    let repeats: Vec<_> = notes
        .iter()
        .filter(|note| note["text"].as_str().unwrap().contains("repeated once"))
        .collect();
    assert_eq!(repeats.len(), 1, "{notes:?}");
    assert_eq!(repeats[0]["internalAnalysisFlag"], true);
    assert_eq!(repeats[0]["detailDescriptionFlag"], false);
}

#[tokio::test]
async fn a_resolved_alert_closes_its_ticket_and_says_why() {
    let mut env = TestEnvironment::new().await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    env.deliver(&resolved_event("e2", "a1", 5)).await;
    let ticket = env.connectwise.tickets().await.remove(0);
    assert_eq!(ticket["closedFlag"], true);
    let words = ["Ticketbridge closes this ticket"];
    env.connectwise.assert_noted(&ticket, &words).await;
    let record = env.record("a1").await.unwrap();
    assert_closed_by(&record, ClosedBy::Us);
}

#[tokio::test]
async fn an_alert_resolved_before_its_raise_arrives_makes_no_ticket() {
    let mut env = TestEnvironment::new().await;
    env.deliver(&resolved_event("e2", "a1", 5)).await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    env.connectwise.assert_untouched().await;
}

#[tokio::test]
async fn a_resolved_cyber_alert_stays_open_with_a_note() {
    let mut env = TestEnvironment::new().await;
    let mut raised = raised_event("e1", "a1", 0);
    raised["data"]["kind"] = "ransomware_encryption".into();
    env.deliver(&raised).await;
    env.deliver(&resolved_event("e2", "a1", 5)).await;
    env.deliver(&resolved_event("e3", "a1", 6)).await;
    let ticket = env.connectwise.tickets().await.remove(0);
    assert_eq!(
        (&ticket["closedFlag"], &ticket["board"]["name"]),
        (&json!(false), &json!("Cyber Alerts"))
    );
    let words = ["Nothing was closed"];
    env.connectwise.assert_noted(&ticket, &words).await;
}

#[tokio::test]
async fn a_recurring_alert_gets_a_ticket_that_names_the_old_one() {
    let mut env = TestEnvironment::new().await;
    for (kind, id, second) in [
        ("alert.raised", "e1", 0),
        ("alert.resolved", "e2", 5),
        ("alert.raised", "e3", 10),
    ] {
        env.deliver(&event(kind, id, "a1", second)).await;
    }
    let mut tickets = env.connectwise.tickets().await;
    tickets.sort_by_key(|ticket| ticket["id"].as_u64());
    assert_eq!(tickets.len(), 2);
    assert_eq!(
        tickets[1]["externalXRef"],
        format!("tb1-{}-2", key(TENANT, "a1").item_key())
    );
    let description = env.connectwise.notes(&tickets[1]).await[0]["text"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        description.contains(&format!("Seen before: ticket {}", tickets[0]["id"])),
        "{description}"
    );
}

#[tokio::test]
async fn a_technicians_close_or_move_is_kept() {
    let mut env = TestEnvironment::new().await;
    for alert in ["closed", "moved", "deleted"] {
        env.deliver(&raised_event("e1", alert, 0)).await;
    }
    let path = async |env: &TestEnvironment, alert: &str| {
        let ticket = env.find_ticket(alert, 1).await.unwrap();
        format!("/service/tickets/{}", ticket["id"])
    };
    let closed = path(&env, "closed").await;
    env.patch(&closed, "status", json!({ "id": 224 })).await;
    let moved = path(&env, "moved").await;
    env.patch(&moved, "company", json!({ "id": 302 })).await;
    env.delete(&path(&env, "deleted").await).await;
    for alert in ["closed", "moved", "deleted"] {
        env.deliver(&resolved_event("e2", alert, 5)).await;
    }
    for (alert, by) in [
        ("closed", ClosedBy::Technician),
        ("moved", ClosedBy::Moved),
        ("deleted", ClosedBy::Deleted),
    ] {
        assert_closed_by(&env.record(alert).await.unwrap(), by);
    }
    assert!(is_open(&env.find_ticket("moved", 1).await.unwrap()));
}

#[tokio::test]
async fn shuffled_duplicate_events_make_one_ticket_an_alert() {
    let mut env = TestEnvironment::new().await;
    let mut events = vec![];
    for alert in 0..50 {
        let alert = format!("alert-{alert}");
        events.push(raised_event("e0", &alert, 0));
        for repeat in 1..4 {
            events.push(event(
                "alert.updated",
                &format!("e{repeat}"),
                &alert,
                repeat,
            ));
        }
    }
    events.extend(events.clone());
    // A fixed shuffle: a multiplier without a common factor with the length visits each index once.
    let length = events.len();
    let shuffled: Vec<_> = (0..length)
        .map(|place| events[place * 147 % length].clone())
        .collect();
    for batch in shuffled.chunks(20) {
        let body = serde_json::to_vec(batch).unwrap();
        let response = env.source.post_batch(&body).await;
        assert_eq!(response.status_code, 202, "{response:?}");
    }
    env.worker.work().await;
    let tickets = env.connectwise.tickets().await;
    assert_eq!(tickets.len(), 50);
    let ticket_refs: std::collections::HashSet<_> = tickets
        .iter()
        .map(|ticket| ticket["externalXRef"].to_string())
        .collect();
    assert_eq!(ticket_refs.len(), 50);
    assert_eq!(env.dead_letter_queue.count().await, 0);
}
