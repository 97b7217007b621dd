//! What technicians do with our tickets, found in ConnectWise's list of open ones: recorded, and not fought.

use domain::record::{Actual, ClosedBy};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};

use crate::ticks::minute;
use crate::world::{COMPANY, CYBER_ALERTS, OPERATIONS, TENANT, World, event, key, partner};

const OTHER_COMPANY: u64 = 302;

fn ticket_path(ticket: u64) -> String {
    format!("/service/tickets/{ticket}")
}

fn replace(path: &str, value: &Value) -> Value {
    json!([{ "op": "replace", "path": path, "value": value }])
}

impl World {
    pub(crate) async fn raised(&mut self, alerts: &[String]) -> Vec<u64> {
        for alert in alerts {
            let raised = event("alert.raised", &format!("e{alert}"), alert, -300);
            self.post(&raised).await;
        }
        self.work().await;
        let mut tickets = vec![];
        for alert in alerts {
            let record = self.record(alert).await.unwrap();
            tickets.push(record.open().unwrap().ticket_id);
        }
        tickets
    }

    pub(crate) async fn closes(&self, ticket: u64) {
        let status = replace("status", &json!({ "id": OPERATIONS.2 }));
        let path = ticket_path(ticket);
        self.technician(Method::PATCH, &path, Some(status)).await;
    }

    async fn ended(&self, alert: &str) -> Option<ClosedBy> {
        match self.record(alert).await.unwrap().actual {
            Some(Actual::Closed(closed)) => Some(closed.by),
            Some(Actual::Open(_)) | None => None,
        }
    }

    /// The calls that one run and its commands made.
    async fn calls_of_a_run(&mut self, minutes: i64) -> (usize, Vec<String>) {
        let before = self.calls().await.len();
        let commands = self.reconciled(minutes).await;
        (commands, self.calls().await.split_off(before))
    }
}

pub(crate) fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("a{n}")).collect()
}

#[tokio::test]
async fn what_technicians_did_with_tickets_is_recorded_and_not_fought() {
    let mut world = World::new().await;
    let tickets = world.raised(&names(6)).await;
    world.closes(tickets[1]).await;
    let path = ticket_path(tickets[2]);
    world.technician(Method::DELETE, &path, None).await;
    let merge = json!({ "mergeTicketIds": [tickets[3]], "status": { "id": OPERATIONS.1 } });
    let path = format!("{}/merge", ticket_path(tickets[0]));
    world.technician(Method::POST, &path, Some(merge)).await;
    let company = replace("company", &json!({ "id": OTHER_COMPANY }));
    let path = ticket_path(tickets[4]);
    world.technician(Method::PATCH, &path, Some(company)).await;
    let board = json!([
        { "op": "replace", "path": "board", "value": { "id": CYBER_ALERTS.0 } },
        { "op": "replace", "path": "status", "value": { "id": CYBER_ALERTS.1 } },
        { "op": "replace", "path": "type", "value": { "id": 2302 } },
    ]);
    let path = ticket_path(tickets[5]);
    world.technician(Method::PATCH, &path, Some(board)).await;

    let (commands, calls) = world.calls_of_a_run(2).await;
    assert_eq!(commands, 5);
    for (alert, ended) in [
        ("a0", None),
        ("a1", Some(ClosedBy::Technician)),
        ("a2", Some(ClosedBy::Deleted)),
        ("a3", Some(ClosedBy::Moved)),
        ("a4", Some(ClosedBy::Moved)),
        ("a5", None),
    ] {
        assert_eq!(world.ended(alert).await, ended, "{alert}");
    }
    let moved = world.record("a5").await.unwrap();
    assert_eq!(moved.open().unwrap().board_id, Some(CYBER_ALERTS.0));
    assert!(
        calls.iter().all(|call| call.starts_with("GET ")),
        "{calls:?}"
    );
    // One list, one question for those that are not in it, and a look at each that differs.
    let lists = calls.iter().filter(|call| *call == "GET /service/tickets");
    assert_eq!(lists.count(), 2, "{calls:?}");

    // Recorded once: the next run has nothing to ask, and reads one list.
    let (commands, calls) = world.calls_of_a_run(18).await;
    assert_eq!((commands, calls), (0, vec!["GET /service/tickets".into()]));
    // A moved ticket still closes when its alert is gone, on the board where it lies.
    world.post(&event("alert.resolved", "r5", "a5", 0)).await;
    world.work().await;
    assert_eq!(world.ended("a5").await, Some(ClosedBy::Us));
}

#[tokio::test]
async fn tickets_that_a_technician_closed_are_recorded_at_the_next_run_and_raised_again_anew() {
    let mut world = World::new().await;
    let alerts = names(10);
    let tickets = world.raised(&alerts).await;
    for ticket in &tickets {
        world.closes(*ticket).await;
    }
    assert_eq!(world.reconciled(2).await, 10);
    for alert in &alerts {
        let ended = world.ended(alert).await;
        assert_eq!(ended, Some(ClosedBy::Technician), "{alert}");
    }
    world.post(&event("alert.raised", "again", "a0", 0)).await;
    world.work().await;
    assert_eq!(world.all_tickets().await.len(), 10, "it never ended");
    for alert in ["a0", "a1"] {
        world.post(&event("alert.resolved", "over", alert, 0)).await;
        world.work().await;
    }
    world.post(&event("alert.raised", "anew", "a0", 0)).await;
    world.work().await;
    let all = world.all_tickets().await;
    assert_eq!(all.len(), 11);
    let ticket_ref = format!("tb1-{}-2", key(TENANT, "a0").item_key());
    let next = all
        .iter()
        .find(|ticket| ticket["externalXRef"] == ticket_ref);
    let notes = world.notes(next.unwrap()).await;
    let before = format!("Seen before: ticket {}", tickets[0]);
    assert!(notes[0]["text"].as_str().unwrap().contains(&before));

    // The other setting: the same ticket goes on.
    let mut settings = crate::world::settings();
    settings.operations.reopen_days = 7;
    world
        .config
        .settings
        .put(&partner(), &settings)
        .await
        .unwrap();
    world.post(&event("alert.raised", "anew", "a1", 0)).await;
    world.work().await;
    let all = world.all_tickets().await;
    assert_eq!(all.len(), 11);
    let reopened = all.iter().find(|ticket| ticket["id"] == tickets[1]);
    assert_eq!(reopened.unwrap()["closedFlag"], false);
    // Open again as recorded: no run sees a difference.
    assert_eq!(world.reconciled(18).await, 0);
}

#[tokio::test]
async fn of_two_tickets_with_one_token_one_is_closed_and_both_say_so() {
    let mut world = World::new().await;
    let tickets = world.raised(&names(2)).await;
    let ticket_ref = format!("tb1-{}-1", key(TENANT, "a0").item_key());
    let twin = json!({
        "summary": "x", "company": { "id": COMPANY }, "board": { "id": OPERATIONS.0 }, "status": { "id": OPERATIONS.1 },
        "externalXRef": ticket_ref,
    });
    let path = "/service/tickets";
    let twin = world.technician(Method::POST, path, Some(twin)).await;
    assert_eq!(world.reconciled(2).await, 1);
    let all = world.all_tickets().await;
    let is_open = |id: &Value| {
        all.iter()
            .any(|ticket| ticket["id"] == *id && ticket["closedFlag"] == false)
    };
    let (first, second) = (json!(tickets[0]), twin["id"].clone());
    assert!(is_open(&first) != is_open(&second), "{all:?}");
    for id in [first, second] {
        let notes = world.notes(&json!({ "id": id })).await;
        let said = notes.iter().any(|note| {
            note["text"]
                .as_str()
                .unwrap()
                .contains("Ticketbridge closes")
        });
        assert!(said, "{notes:?}");
    }
    let record = world.record("a0").await.unwrap();
    assert!(is_open(&json!(record.open().unwrap().ticket_id)));
    assert_eq!(record.duplicates, []);
    assert_eq!(world.reconciled(18).await, 0);
}

#[tokio::test]
async fn a_ticket_that_was_recorded_since_the_list_began_is_not_taken_for_deleted() {
    let mut world = World::new().await;
    let tickets = world.raised(&names(2)).await;
    // As a list sees it that was begun before the ticket was there.
    let path = ticket_path(tickets[1]);
    world.technician(Method::DELETE, &path, None).await;
    assert_eq!(world.reconciled(0).await, 0);
    assert_eq!(world.ended("a1").await, None);
    assert_eq!(world.reconciled(17).await, 1);
    assert_eq!(world.ended("a1").await, Some(ClosedBy::Deleted));
}

#[tokio::test]
async fn tickets_of_a_board_that_a_role_hides_are_left_as_they_are() {
    let mut world = World::new().await;
    world.raised(&names(3)).await;
    let hidden = json!({ "variants": { "hidden_board_ids": [OPERATIONS.0] } });
    world.faults(hidden).await;
    assert_eq!(world.reconciled(2).await, 0);
    world
        .faults(json!({ "variants": { "hidden_board_ids": [] } }))
        .await;
    for alert in names(3) {
        assert_eq!(world.ended(&alert).await, None, "{alert}");
    }
    assert_eq!(world.reconciled(18).await, 0);
}

#[tokio::test]
async fn a_look_that_fails_leaves_the_ticket_as_it_is_until_the_next_run() {
    let mut world = World::new().await;
    let tickets = world.raised(&names(1)).await;
    world.closes(tickets[0]).await;
    let at = Timestamp::now() + SignedDuration::from_mins(2);
    world.make_due(at).await;
    assert_eq!(world.tick(&world.reconcile(), at).await.totals.commands, 1);
    world.faults(json!({ "error_rate": 1.0 })).await;
    world.work_once().await;
    assert_eq!(world.ended("a0").await, None);
    world.faults(json!({ "error_rate": 0.0 })).await;
    world.work().await;
    assert_eq!(world.reconciled(18).await, 1);
    assert_eq!(world.ended("a0").await, Some(ClosedBy::Technician));
}

#[tokio::test]
async fn a_run_that_meets_its_deadline_goes_on_where_it_stopped() {
    let mut world = World::new().await;
    let tickets = world.raised(&names(3)).await;
    world.closes(tickets[0]).await;
    world.closes(tickets[2]).await;
    let at = Timestamp::now() + SignedDuration::from_mins(2);
    world.make_due(at).await;
    // Too little time to begin a page.
    let short = aws::invocation::Invocation::at("short", at, at + SignedDuration::from_secs(15));
    let app = world.reconcile();
    let summary = app.handle(json!({}), &short).await.unwrap();
    assert_eq!(
        (
            summary.completed,
            summary.totals.left,
            summary.totals.commands
        ),
        (1, 1, 0)
    );
    // Due again in a minute, not in a quarter of an hour.
    let soon = at + SignedDuration::from_secs(61);
    let summary = app.handle(json!({}), &minute(soon)).await.unwrap();
    assert_eq!(
        (
            summary.completed,
            summary.totals.left,
            summary.totals.commands
        ),
        (1, 0, 2)
    );
    world.work().await;
    assert_eq!(world.ended("a0").await, Some(ClosedBy::Technician));
    assert_eq!(world.ended("a1").await, None);
}

#[tokio::test]
async fn what_is_left_of_an_alert_after_ninety_days_still_knows_old_events() {
    let mut world = World::new().await;
    let raised = world.taken(&[event("alert.raised", "e1", "a0", 0)]).await;
    let resolved = world.taken(&[event("alert.resolved", "r1", "a0", 5)]).await;
    world.until_done(raised.clone(), 0, 1).await;
    world.until_done(resolved, 0, 1).await;
    let day = 24 * 60;
    let listed = |minutes| {
        let (alerts, at) = (
            world.alerts.clone(),
            Timestamp::now() + SignedDuration::from_mins(minutes),
        );
        async move { alerts.lists.due(&partner(), at, 9).await.unwrap().keys }
    };
    assert_eq!(listed(89 * day).await, []);
    let keys = listed(91 * day).await;
    assert_eq!(keys, [key(TENANT, "a0")]);
    let again = vec![crate::hours::reconsider(&keys[0])];
    world.until_done(again, 91 * day, 1).await;
    let record = world.record("a0").await.unwrap();
    assert_eq!(
        (record.desired.details.is_none(), record.occurrence),
        (true, 1)
    );
    assert_eq!(record.look_at(), None);
    assert_eq!(record.index(&record.key.item_key()), None);
    world.until_done(raised, 91 * day, 1).await;
    assert_eq!(world.all_tickets().await.len(), 1);
    let new = world.taken(&[event("alert.raised", "e2", "a0", 60)]).await;
    world.until_done(new, 91 * day, 1).await;
    let tickets = world.all_tickets().await;
    let ticket_ref = format!("tb1-{}-2", key(TENANT, "a0").item_key());
    assert!(
        tickets
            .iter()
            .any(|ticket| ticket["externalXRef"] == ticket_ref)
    );
}
