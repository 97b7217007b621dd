//! Technicians' changes of tickets, which reconcile detects in ConnectWise's list of open tickets: they
//! are recorded and kept.

use crate::environment::{
    COMPANY, CYBER_ALERTS, OPERATIONS, TENANT, TestEnvironment, key, minute, partner, raised_event,
    resolved_event,
};
use crate::reconcile::closing::run_reconcile;
use domain::alert::record::{Actual, ClosedBy};
use jiff::{SignedDuration, Timestamp};
use reconcile::ReconcileTotals;
use reqwest::Method;
use scheduled::RunSummary;
use serde_json::{Value, json};

const OTHER_COMPANY: u64 = 302;

fn ticket_path(ticket: u64) -> String {
    format!("/service/tickets/{ticket}")
}

pub(crate) async fn raise_alerts(env: &mut TestEnvironment, alerts: &[String]) -> Vec<u64> {
    for alert in alerts {
        let raised = raised_event(&format!("e{alert}"), alert, -300);
        env.source.post(&raised).await;
    }
    env.worker.work().await;
    let mut tickets = vec![];
    for alert in alerts {
        let record = env.record(alert).await.unwrap();
        tickets.push(record.open().unwrap().ticket_id);
    }
    tickets
}

pub(crate) async fn close_by_technician(env: &TestEnvironment, ticket: u64) {
    let closed = json!({ "id": OPERATIONS.2 });
    env.patch(&ticket_path(ticket), "status", closed).await;
}

async fn closed_by(env: &TestEnvironment, alert: &str) -> Option<ClosedBy> {
    match env.record(alert).await.unwrap().actual {
        Some(Actual::Closed(closed)) => Some(closed.by),
        Some(Actual::Open(_)) | None => None,
    }
}

/// The number of commands of one run, and the calls that the run and its commands made.
async fn calls_of_a_run(env: &mut TestEnvironment, minutes: i64) -> (usize, Vec<String>) {
    let before = env.connectwise.calls().await.len();
    let commands = run_reconcile(env, minutes).await;
    (commands, env.connectwise.calls().await.split_off(before))
}

pub(crate) fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("a{n}")).collect()
}

#[tokio::test]
async fn technicians_changes_are_recorded_and_kept() {
    let mut env = TestEnvironment::new().await;
    let tickets = raise_alerts(&mut env, &names(6)).await;
    close_by_technician(&env, tickets[1]).await;
    env.delete(&ticket_path(tickets[2])).await;
    let merge = json!({ "mergeTicketIds": [tickets[3]], "status": { "id": OPERATIONS.1 } });
    let path = format!("{}/merge", ticket_path(tickets[0]));
    env.connectwise
        .call_as_technician(Method::POST, &path, Some(merge))
        .await;
    let company = json!({ "id": OTHER_COMPANY });
    env.patch(&ticket_path(tickets[4]), "company", company)
        .await;
    let board = json!([
        { "op": "replace", "path": "board", "value": { "id": CYBER_ALERTS.0 } },
        { "op": "replace", "path": "status", "value": { "id": CYBER_ALERTS.1 } },
        { "op": "replace", "path": "type", "value": { "id": 2302 } },
    ]);
    let path = ticket_path(tickets[5]);
    env.connectwise
        .call_as_technician(Method::PATCH, &path, Some(board))
        .await;

    let (commands, calls) = calls_of_a_run(&mut env, 2).await;
    assert_eq!(commands, 5);
    for (alert, ended) in [
        ("a0", None),
        ("a1", Some(ClosedBy::Technician)),
        ("a2", Some(ClosedBy::Deleted)),
        ("a3", Some(ClosedBy::Moved)),
        ("a4", Some(ClosedBy::Moved)),
        ("a5", None),
    ] {
        assert_eq!(closed_by(&env, alert).await, ended, "{alert}");
    }
    let moved = env.record("a5").await.unwrap();
    assert_eq!(moved.open().unwrap().board_id, Some(CYBER_ALERTS.0));
    let mut about_tickets = calls.iter().filter(|call| !call.contains(" /system/"));
    assert!(
        about_tickets.all(|call| call.starts_with("GET ")),
        "{calls:?}"
    );
    // One list, one search for the tickets that are not in it, and one read of each that differs.
    let lists = calls.iter().filter(|call| *call == "GET /service/tickets");
    assert_eq!(lists.count(), 2, "{calls:?}");

    // Recorded once: the next run reads one list and no ticket.
    let (commands, calls) = calls_of_a_run(&mut env, 18).await;
    assert_eq!((commands, calls), (0, vec!["GET /service/tickets".into()]));
    // A moved ticket is still closed when its alert is resolved, on its new board.
    env.deliver(&resolved_event("r5", "a5", 0)).await;
    assert_eq!(closed_by(&env, "a5").await, Some(ClosedBy::Us));
}

#[tokio::test]
async fn an_alert_repeated_after_a_manual_close_gets_a_new_ticket() {
    let mut env = TestEnvironment::new().await;
    let alerts = names(10);
    let tickets = raise_alerts(&mut env, &alerts).await;
    for ticket in &tickets {
        close_by_technician(&env, *ticket).await;
    }
    assert_eq!(run_reconcile(&mut env, 2).await, 10);
    for alert in &alerts {
        let ended = closed_by(&env, alert).await;
        assert_eq!(ended, Some(ClosedBy::Technician), "{alert}");
    }
    env.deliver(&raised_event("again", "a0", 0)).await;
    assert_eq!(
        env.connectwise.tickets().await.len(),
        10,
        "the alert never ended"
    );
    for alert in ["a0", "a1"] {
        env.deliver(&resolved_event("over", alert, 0)).await;
    }
    env.deliver(&raised_event("anew", "a0", 0)).await;
    let all = env.connectwise.tickets().await;
    assert_eq!(all.len(), 11);
    let next = env.find_ticket("a0", 2).await.unwrap();
    let notes = env.connectwise.notes(&next).await;
    let before = format!("Seen before: ticket {}", tickets[0]);
    assert!(notes[0]["text"].as_str().unwrap().contains(&before));

    // With the other setting the same ticket is reopened.
    let mut settings = crate::environment::settings();
    settings.operations.reopen_days = 7;
    env.put_settings(&settings).await;
    env.deliver(&raised_event("anew", "a1", 0)).await;
    let all = env.connectwise.tickets().await;
    assert_eq!(all.len(), 11);
    let reopened = all.iter().find(|ticket| ticket["id"] == tickets[1]);
    assert_eq!(reopened.unwrap()["closedFlag"], false);
    // The ticket is open as recorded: a run detects no difference.
    assert_eq!(run_reconcile(&mut env, 18).await, 0);
}

#[tokio::test]
async fn one_of_two_tickets_with_one_reference_is_closed() {
    let mut env = TestEnvironment::new().await;
    let tickets = raise_alerts(&mut env, &names(2)).await;
    let ticket_ref = format!("tb1-{}-1", key(TENANT, "a0").item_key());
    let twin = json!({
        "summary": "x", "company": { "id": COMPANY }, "board": { "id": OPERATIONS.0 }, "status": { "id": OPERATIONS.1 },
        "externalXRef": ticket_ref,
    });
    let path = "/service/tickets";
    let twin = env
        .connectwise
        .call_as_technician(Method::POST, path, Some(twin))
        .await;
    assert_eq!(run_reconcile(&mut env, 2).await, 1);
    let all = env.connectwise.tickets().await;
    let is_open = |id: &Value| {
        all.iter()
            .any(|ticket| ticket["id"] == *id && ticket["closedFlag"] == false)
    };
    let (first, second) = (json!(tickets[0]), twin["id"].clone());
    assert!(is_open(&first) != is_open(&second), "{all:?}");
    for id in [first, second] {
        let ticket = json!({ "id": id });
        let words = ["Ticketbridge closes"];
        env.connectwise.assert_noted(&ticket, &words).await;
    }
    let record = env.record("a0").await.unwrap();
    assert!(is_open(&json!(record.open().unwrap().ticket_id)));
    assert_eq!(record.duplicates, []);
    assert_eq!(run_reconcile(&mut env, 18).await, 0);
}

#[tokio::test]
async fn a_ticket_newer_than_the_list_does_not_count_as_deleted() {
    let mut env = TestEnvironment::new().await;
    let tickets = raise_alerts(&mut env, &names(2)).await;
    // The record is newer than the list.
    env.delete(&ticket_path(tickets[1])).await;
    assert_eq!(run_reconcile(&mut env, 0).await, 0);
    assert_eq!(closed_by(&env, "a1").await, None);
    assert_eq!(run_reconcile(&mut env, 17).await, 1);
    assert_eq!(closed_by(&env, "a1").await, Some(ClosedBy::Deleted));
}

#[tokio::test]
async fn tickets_on_a_hidden_board_are_left_alone() {
    let mut env = TestEnvironment::new().await;
    raise_alerts(&mut env, &names(3)).await;
    let hidden = json!({ "variants": { "hidden_board_ids": [OPERATIONS.0] } });
    env.connectwise.set_faults(hidden).await;
    assert_eq!(run_reconcile(&mut env, 2).await, 0);
    env.connectwise
        .set_faults(json!({ "variants": { "hidden_board_ids": [] } }))
        .await;
    for alert in names(3) {
        assert_eq!(closed_by(&env, &alert).await, None, "{alert}");
    }
    assert_eq!(run_reconcile(&mut env, 18).await, 0);
}

#[tokio::test]
async fn a_failed_look_up_leaves_the_ticket_until_the_next_run() {
    let mut env = TestEnvironment::new().await;
    let tickets = raise_alerts(&mut env, &names(1)).await;
    close_by_technician(&env, tickets[0]).await;
    let at = Timestamp::now() + SignedDuration::from_mins(2);
    assert_eq!(env.run_reconcile(at).await.totals.commands, 1);
    env.set_fault("error_rate", 1.0).await;
    env.worker.work_once().await;
    assert_eq!(closed_by(&env, "a0").await, None);
    env.set_fault("error_rate", 0.0).await;
    env.worker.work().await;
    assert_eq!(run_reconcile(&mut env, 18).await, 1);
    assert_eq!(closed_by(&env, "a0").await, Some(ClosedBy::Technician));
}

#[tokio::test]
async fn a_run_continues_where_its_deadline_stopped_it() {
    let mut env = TestEnvironment::new().await;
    let tickets = raise_alerts(&mut env, &names(3)).await;
    close_by_technician(&env, tickets[0]).await;
    close_by_technician(&env, tickets[2]).await;
    let at = Timestamp::now() + SignedDuration::from_mins(2);
    env.schedule.make_due(at).await;
    // Too little time for the next page.
    let short = aws::invocation::Invocation::at("short", at, at + SignedDuration::from_secs(15));
    let app = env.reconcile();
    let progress = |summary: &RunSummary<ReconcileTotals>| {
        let totals = &summary.totals;
        (summary.completed, totals.left, totals.commands)
    };
    let summary = app.handle(json!({}), &short).await.unwrap();
    assert_eq!(progress(&summary), (1, 1, 0));
    // Due again in a minute, not in 15 minutes.
    let soon = at + SignedDuration::from_secs(61);
    let summary = app.handle(json!({}), &minute(soon)).await.unwrap();
    assert_eq!(progress(&summary), (1, 0, 2));
    env.worker.work().await;
    assert_eq!(closed_by(&env, "a0").await, Some(ClosedBy::Technician));
    assert_eq!(closed_by(&env, "a1").await, None);
}

#[tokio::test]
async fn a_tombstone_still_rejects_old_events() {
    let mut env = TestEnvironment::new().await;
    let raised = env.post_and_take(&[raised_event("e1", "a0", 0)]).await;
    let resolved = env.post_and_take(&[resolved_event("r1", "a0", 5)]).await;
    env.worker.handle_until_done(raised.clone(), 0, 1).await;
    env.worker.handle_until_done(resolved, 0, 1).await;
    let day = 24 * 60;
    let listed = |minutes| {
        let (alerts, at) = (
            env.alerts.clone(),
            Timestamp::now() + SignedDuration::from_mins(minutes),
        );
        async move { alerts.lists.due(&partner(), at, 9).await.unwrap().keys }
    };
    assert_eq!(listed(89 * day).await, []);
    let keys = listed(91 * day).await;
    assert_eq!(keys, [key(TENANT, "a0")]);
    let again = vec![crate::environment::reconsider(&keys[0])];
    env.worker.handle_until_done(again, 91 * day, 1).await;
    let record = env.record("a0").await.unwrap();
    assert_eq!(
        (record.desired.details.is_none(), record.occurrence),
        (true, 1)
    );
    assert_eq!(
        record.next_check_at(SignedDuration::from_hours(90 * 24)),
        None
    );
    assert_eq!(record.index(&record.key.item_key()), None);
    env.worker.handle_until_done(raised, 91 * day, 1).await;
    assert_eq!(env.connectwise.tickets().await.len(), 1);
    env.process(&[raised_event("e2", "a0", 60)], 91 * day).await;
    assert!(env.find_ticket("a0", 2).await.is_some());
}
