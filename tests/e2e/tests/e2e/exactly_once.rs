//! One ticket an alert, though ConnectWise is late, searches are blind, tables are lost and connections are re-pointed.

use aws_lambda_events::sqs::SqsMessage;
use domain::Blocked;
use domain::command::{Command, CommandAction};
use domain::message::Message;
use domain::record::{Actual, ClosedBy};
use serde_json::{Value, json};

use crate::hours::{message, reconsider};
use crate::rebuilding::ticket_index;
use crate::world::{
    COMPANY, CYBER_ALERTS, OPERATIONS, TENANT, World, event, key, partner, settings, tenant,
};

fn is_open(ticket: &Value) -> bool {
    ticket["closedFlag"] == false
}

async fn count(world: &World, call: &str) -> usize {
    let calls = world.calls().await;
    calls.iter().filter(|made| *made == call).count()
}

/// A create that is given up, and happens while the second one does: two tickets.
async fn two_tickets(world: &mut World) {
    world
        .faults(json!({ "late_commit": { "rate": 1.0, "seconds": 4.0 } }))
        .await;
    let raised = world.taken(&[event("alert.raised", "e1", "a1", 0)]).await;
    let raised = world.hand_over(raised, 0).await;
    assert_eq!(raised.len(), 1, "uncertain");
    world
        .faults(json!({ "late_commit": { "rate": 0.0 } }))
        .await;
    world.until_done(raised, 11, 1).await;
    assert_eq!(world.record("a1").await.unwrap().rechecks.len(), 1);
    world.eventually_tickets(2).await;
}

#[tokio::test]
async fn a_ticket_that_comes_later_than_anybody_waits_is_closed_and_both_say_so() {
    let mut world = World::new().await;
    two_tickets(&mut world).await;
    let recorded = world.record("a1").await.unwrap().open().unwrap().ticket_id;

    let look = vec![reconsider(&key(TENANT, "a1"))];
    world.until_done(look.clone(), 30, 1).await;
    let open = world.all_tickets().await;
    assert_eq!(open.iter().filter(|t| is_open(t)).count(), 2, "not yet");
    world.until_done(look, 90, 1).await;
    let tickets = world.all_tickets().await;
    let (open, closed): (Vec<_>, Vec<_>) = tickets.iter().partition(|ticket| is_open(ticket));
    assert_eq!((open.len(), closed.len()), (1, 1));
    assert_eq!(open[0]["id"], recorded);
    for (ticket, other) in [(open[0], closed[0]), (closed[0], open[0])] {
        let notes = world.notes(ticket).await;
        let names = |note: &Value| {
            note["text"]
                .as_str()
                .unwrap()
                .contains(&other["id"].to_string())
                && note["internalAnalysisFlag"] == true
        };
        assert_eq!(
            notes.iter().filter(|note| names(note)).count(),
            1,
            "{notes:?}"
        );
    }
    let record = world.record("a1").await.unwrap();
    assert!(
        record.duplicates.is_empty() && record.rechecks[0].last,
        "{record:?}"
    );
    world
        .until_done(vec![reconsider(&key(TENANT, "a1"))], 26 * 60, 1)
        .await;
    assert_eq!(world.record("a1").await.unwrap().rechecks, []);
}

#[tokio::test]
async fn of_two_tickets_the_one_that_a_technician_changed_stays() {
    let mut world = World::new().await;
    two_tickets(&mut world).await;
    let recorded = world.record("a1").await.unwrap().open().unwrap().ticket_id;
    let late = world.all_tickets().await;
    let late = late.iter().find(|ticket| ticket["id"] != recorded).unwrap();
    let late = late["id"].as_u64().unwrap();
    let patch = json!([{ "op": "replace", "path": "priority", "value": { "id": 31 } }]);
    world
        .technician(
            reqwest::Method::PATCH,
            &format!("/service/tickets/{late}"),
            Some(patch),
        )
        .await;
    world
        .until_done(vec![reconsider(&key(TENANT, "a1"))], 90, 1)
        .await;
    let record = world.record("a1").await.unwrap();
    assert_eq!(record.open().unwrap().ticket_id, late);
    let tickets = world.all_tickets().await;
    let open: Vec<_> = tickets.iter().filter(|ticket| is_open(ticket)).collect();
    assert_eq!((open.len(), &open[0]["id"]), (1, &json!(late)));
}

#[tokio::test]
async fn a_late_ticket_of_an_alert_that_is_gone_is_closed() {
    let mut world = World::new().await;
    world
        .faults(json!({ "late_commit": { "rate": 1.0, "seconds": 4.0 } }))
        .await;
    let events = [
        event("alert.raised", "e1", "a1", 0),
        event("alert.resolved", "e2", "a1", 5),
    ];
    let raised = world.taken(&events[..1]).await;
    let raised = world.hand_over(raised, 0).await;
    let resolved = world.taken(&events[1..]).await;
    let both = [raised, world.hand_over(resolved, 0).await].concat();
    world
        .faults(json!({ "late_commit": { "rate": 0.0 } }))
        .await;
    world.until_done(both, 11, 1).await;
    let record = world.record("a1").await.unwrap();
    assert!(record.actual.is_none() && record.claim.is_none(), "cleared");
    world.eventually_tickets(1).await;
    world
        .until_done(vec![reconsider(&key(TENANT, "a1"))], 90, 1)
        .await;
    assert!(!is_open(&world.all_tickets().await[0]));
    assert_eq!(count(&world, "POST /service/tickets").await, 1);
}

/// A ticket that is the sentinel of its board, and a second alert whose ticket is uncertain and was not made.
async fn uncertain_beside_a_sentinel(world: &mut World) -> (String, Vec<SqsMessage>) {
    let first = world.taken(&[event("alert.raised", "e0", "a0", 0)]).await;
    world.until_done(first, 0, 1).await;
    world.faults(json!({ "error_rate": 1.0 })).await;
    let raised = world.taken(&[event("alert.raised", "e1", "a1", 0)]).await;
    let raised = world.hand_over(raised, 0).await;
    world.faults(json!({ "error_rate": 0.0 })).await;
    let sentinel = world.all_tickets().await[0]["id"].clone();
    (format!("/service/tickets/{sentinel}"), raised)
}

#[tokio::test]
async fn a_search_that_does_not_return_its_sentinel_says_nothing() {
    for (hidden, shown) in [
        (
            json!({ "variants": { "hidden_board_ids": [OPERATIONS.0] } }),
            json!({ "variants": { "hidden_board_ids": [] } }),
        ),
        (
            json!({ "variants": { "rights_at_my": ["service_tickets.inquire"] } }),
            json!({ "variants": { "rights_at_my": [] } }),
        ),
    ] {
        let mut world = World::new().await;
        let (_, mut raised) = uncertain_beside_a_sentinel(&mut world).await;
        world.faults(hidden.clone()).await;
        for minutes in [11, 12, 13, 40] {
            raised = world.hand_over(raised, minutes).await;
            assert_eq!(raised.len(), 1, "after {minutes} minutes: {hidden}");
        }
        assert_eq!(
            count(&world, "POST /service/tickets").await,
            2,
            "the sentinel, and one: {hidden}"
        );
        raised = world.hand_over(raised, 90).await;
        assert_eq!(raised.len(), 0);
        let record = world.record("a1").await.unwrap();
        let missing = Blocked::MissingRight("service_tickets.inquire".into());
        assert_eq!(record.blocked.unwrap().reason, missing, "a person is asked");
        assert_eq!(count(&world, "POST /service/tickets").await, 2);

        // A search that sees again goes on where it stopped.
        world.faults(shown).await;
        let look = vec![reconsider(&key(TENANT, "a1"))];
        world.until_done(look, 101, 1).await;
        assert!(world.record("a1").await.unwrap().open().is_some());
    }
}

/// As where somebody tidies up: nothing hides a ticket here.
#[tokio::test]
async fn a_sentinel_that_is_gone_is_needed_no_longer() {
    let renamed = json!([{ "op": "replace", "path": "externalXRef", "value": "INC-7" }]);
    for (method, change) in [
        (reqwest::Method::DELETE, None),
        (reqwest::Method::PATCH, Some(renamed)),
    ] {
        let mut world = World::new().await;
        let (sentinel, raised) = uncertain_beside_a_sentinel(&mut world).await;
        world.technician(method.clone(), &sentinel, change).await;
        world.until_done(raised, 11, 3).await;
        assert!(
            world.record("a1").await.unwrap().open().is_some(),
            "{method}"
        );
        assert_eq!(count(&world, "POST /service/tickets").await, 3, "{method}");
        let ticket_index = ticket_index(&world).await;
        let sentinels = ticket_index.sentinels.values().flat_map(|of| &of.tickets);
        let ticket_refs: Vec<_> = sentinels.map(|of| of.ticket_ref.item_key()).collect();
        assert_eq!(ticket_refs, [key(TENANT, "a1").item_key()], "{method}");
    }
}

#[tokio::test]
async fn a_lost_table_is_found_again_and_doubles_nothing() {
    let mut world = World::new().await;
    let mut events = vec![];
    for n in 0..60 {
        events.push(event("alert.raised", &format!("e{n}"), &format!("a{n}"), 0));
        if n >= 50 {
            events.push(event(
                "alert.resolved",
                &format!("r{n}"),
                &format!("a{n}"),
                5,
            ));
        }
    }
    let messages = world.taken(&events).await;
    world.until_done(messages.clone(), 0, 1).await;
    let before = world.all_tickets().await;
    assert_eq!(before.iter().filter(|ticket| is_open(ticket)).count(), 50);

    world.empty_alerts_table().await;
    // In another order: the raises of closed tickets before their resolves, and the other way round.
    let mut again = messages;
    again.reverse();
    world.until_done(again, 1, 1).await;
    let after = world.all_tickets().await;
    assert_eq!(after.len(), 60, "none is new");
    assert_eq!(after.iter().filter(|ticket| is_open(ticket)).count(), 50);
    assert_eq!(count(&world, "POST /service/tickets").await, 60);
    let mut adopted = 0;
    for n in 0..50 {
        let record = world.record(&format!("a{n}")).await.unwrap();
        let open = record.open().unwrap();
        let ticket = before.iter().find(|ticket| ticket["id"] == open.ticket_id);
        assert_eq!(
            ticket.unwrap()["externalXRef"],
            record.occurrence_ref().as_str()
        );
        adopted += 1;
    }
    assert_eq!(adopted, 50);
    let gone = world.taken(&[event("alert.resolved", "r1", "a1", 9)]).await;
    world.until_done(gone, 2, 1).await;
    let open = world.all_tickets().await;
    assert_eq!(open.iter().filter(|ticket| is_open(ticket)).count(), 49);
}

#[tokio::test]
async fn a_resolve_closes_a_ticket_that_the_table_forgot() {
    let mut world = World::new().await;
    let raised = world.taken(&[event("alert.raised", "e1", "a1", 0)]).await;
    world.until_done(raised, 0, 1).await;
    world.empty_alerts_table().await;
    let resolved = world.taken(&[event("alert.resolved", "e2", "a1", 5)]).await;
    world.until_done(resolved, 1, 1).await;
    assert!(!is_open(&world.all_tickets().await[0]));
}

#[tokio::test]
async fn a_new_ticket_costs_one_call() {
    let mut world = World::new().await;
    world.empty_alerts_table().await;
    let events: Vec<_> = (0..40)
        .map(|n| event("alert.raised", &format!("e{n}"), &format!("a{n}"), 0))
        .collect();
    let messages = world.taken(&events[..1]).await;
    world.until_done(messages, 0, 1).await;
    assert_eq!(
        world.calls().await,
        ["GET /service/tickets", "POST /service/tickets"],
        "one look whether there is anything to remember"
    );
    let before = world.calls().await.len();
    let messages = world.taken(&events[1..]).await;
    world.until_done(messages, 0, 1).await;
    assert_eq!(world.calls().await.len() - before, 39);
}

#[tokio::test]
async fn a_connection_that_points_elsewhere_leaves_its_old_tickets_alone() {
    let mut world = World::new().await;
    let raised = [
        event("alert.raised", "e1", "a1", 0),
        event("alert.raised", "e2", "a2", 0),
    ];
    let raised = world.taken(&raised).await;
    world.until_done(raised, 0, 1).await;
    // Another ConnectWise: it has none of these tickets.
    world.empty_connectwise().await;
    world.repoint(2).await;
    let events = [
        event("alert.resolved", "e3", "a1", 5),
        event("alert.updated", "e4", "a2", 5),
    ];
    let messages = world.taken(&events).await;
    world.until_done(messages, 1, 1).await;
    let gone = world.record("a1").await.unwrap();
    assert!(
        matches!(&gone.actual, Some(Actual::Closed(closed)) if closed.by == ClosedBy::OutOfReach),
        "{gone:?}"
    );
    let active = world.record("a2").await.unwrap();
    assert_eq!(active.open().unwrap().epoch, 2, "{active:?}");
    let calls = world.calls().await;
    let others = calls
        .iter()
        .filter(|call| *call != "GET /service/tickets")
        .collect::<Vec<_>>();
    assert_eq!(
        others,
        ["POST /service/tickets"],
        "only searches and the ticket of the active alert"
    );
    let new = world.taken(&[event("alert.raised", "e5", "a5", 5)]).await;
    world.until_done(new, 2, 1).await;
    let record = world.record("a5").await.unwrap();
    assert_eq!(record.open().unwrap().epoch, 2, "{record:?}");
    assert_eq!(world.all_tickets().await.len(), 2);
}

#[tokio::test]
async fn an_active_alert_gets_its_ticket_where_the_connection_points_next_without_an_event() {
    let mut world = World::new().await;
    let alerts = ["a1", "a2"].map(String::from);
    world.raised(&alerts).await;
    world.empty_connectwise().await;
    world.repoint(2).await;
    assert_eq!(world.reconciled(2).await, 2);
    for alert in &alerts {
        let record = world.record(alert).await.unwrap();
        assert_eq!(record.open().unwrap().epoch, 2, "{record:?}");
    }
    assert_eq!(world.all_tickets().await.len(), 2);
    assert_eq!(world.reconciled(18).await, 0);
}

#[tokio::test]
async fn the_same_connectwise_at_another_address_keeps_its_tickets() {
    let mut world = World::new().await;
    let raised = [
        event("alert.raised", "e1", "a1", 0),
        event("alert.raised", "e2", "a2", 0),
    ];
    let raised = world.taken(&raised).await;
    world.until_done(raised, 0, 1).await;
    let before = world.record("a2").await.unwrap();
    world.repoint(2).await;
    let events = [
        event("alert.resolved", "e3", "a1", 5),
        event("alert.updated", "e4", "a2", 5),
    ];
    let messages = world.taken(&events).await;
    world.until_done(messages, 1, 1).await;
    let gone = world.record("a1").await.unwrap();
    assert!(
        matches!(&gone.actual, Some(Actual::Closed(closed)) if closed.by == ClosedBy::Us),
        "{gone:?}"
    );
    let active = world.record("a2").await.unwrap();
    let (open, was) = (active.open().unwrap(), before.open().unwrap());
    assert_eq!((open.ticket_id, open.epoch), (was.ticket_id, 2));
    assert_eq!(world.all_tickets().await.len(), 2);
}

#[tokio::test]
async fn a_remapped_tenant_keeps_its_open_ticket_where_it_is() {
    let mut world = World::new().await;
    let raised = world.taken(&[event("alert.raised", "e1", "a1", 0)]).await;
    world.until_done(raised, 0, 1).await;
    let mut mapping = world
        .config
        .tenants
        .get(&partner(), &tenant(TENANT))
        .await
        .unwrap()
        .value
        .unwrap();
    mapping.company = Some(302);
    world
        .config
        .tenants
        .put(&partner(), &tenant(TENANT), &mapping)
        .await
        .unwrap();
    let events = [
        event("alert.resolved", "e2", "a1", 5),
        event("alert.raised", "e3", "a1", 9),
        event("alert.raised", "e4", "a4", 9),
    ];
    let messages = world.taken(&events).await;
    world.until_done(messages, 1, 1).await;
    let tickets = world.all_tickets().await;
    let companies: Vec<_> = tickets
        .iter()
        .map(|ticket| (ticket["company"]["id"].as_u64().unwrap(), is_open(ticket)))
        .collect();
    assert_eq!(companies, [(COMPANY, false), (302, true), (302, true)]);
}

#[tokio::test]
async fn a_recurrence_opens_the_old_ticket_where_the_partner_wants_it() {
    let mut world = World::new().await;
    let mut desired = settings();
    desired.operations.reopen_days = 7;
    world
        .config
        .settings
        .put(&partner(), &desired)
        .await
        .unwrap();
    let life = |n: i64| {
        [
            event("alert.raised", &format!("e{n}"), "a1", n),
            event("alert.resolved", &format!("r{n}"), "a1", n + 1),
        ]
    };
    let messages = world.taken(&life(0)).await;
    world.until_done(messages, 0, 1).await;
    for n in [10, 20] {
        let messages = world.taken(&life(n)[..1]).await;
        world.until_done(messages, 1, 1).await;
        let tickets = world.all_tickets().await;
        assert_eq!((tickets.len(), is_open(&tickets[0])), (1, true), "life {n}");
        assert_eq!(tickets[0]["status"]["id"], OPERATIONS.1);
        let messages = world.taken(&life(n)[1..]).await;
        world.until_done(messages, 1, 1).await;
        assert!(!is_open(&world.all_tickets().await[0]));
    }
    let record = world.record("a1").await.unwrap();
    assert_eq!(record.occurrence, 3);

    // Deleted by a technician: then a new one, and the lives go on.
    let id = world.all_tickets().await[0]["id"].clone();
    world
        .technician(
            reqwest::Method::DELETE,
            &format!("/service/tickets/{id}"),
            None,
        )
        .await;
    let messages = world.taken(&life(30)[..1]).await;
    world.until_done(messages, 2, 1).await;
    let record = world.record("a1").await.unwrap();
    assert_eq!(record.open().unwrap().ticket_ref, None, "{record:?}");
    assert_ne!(world.all_tickets().await[0]["id"], id);
}

#[tokio::test]
async fn a_ticket_that_was_moved_to_the_other_board_is_opened_again_there() {
    let mut world = World::new().await;
    let mut desired = settings();
    desired.operations.reopen_days = 7;
    world
        .config
        .settings
        .put(&partner(), &desired)
        .await
        .unwrap();
    let life = [
        event("alert.raised", "e1", "a1", 0),
        event("alert.resolved", "e2", "a1", 1),
    ];
    let messages = world.taken(&life).await;
    world.until_done(messages, 0, 1).await;
    let id = world.all_tickets().await[0]["id"].clone();
    let (board, start, closed) = CYBER_ALERTS;
    let moved = json!([
        { "op": "replace", "path": "board", "value": { "id": board } },
        { "op": "replace", "path": "status", "value": { "id": closed } },
        { "op": "replace", "path": "type", "value": { "id": 2302 } }
    ]);
    world
        .technician(
            reqwest::Method::PATCH,
            &format!("/service/tickets/{id}"),
            Some(moved),
        )
        .await;
    let again = world.taken(&[event("alert.raised", "e3", "a1", 9)]).await;
    world.until_done(again, 1, 1).await;
    let tickets = world.all_tickets().await;
    assert_eq!((tickets.len(), is_open(&tickets[0])), (1, true));
    assert_eq!(tickets[0]["status"]["id"], start);
}

#[tokio::test]
async fn a_ticket_that_was_moved_while_it_was_searched_for_is_left_alone() {
    let mut world = World::new().await;
    world.faults(json!({ "lost_answer_rate": 1.0 })).await;
    let raised = world.taken(&[event("alert.raised", "e1", "a1", 0)]).await;
    let raised = world.hand_over(raised, 0).await;
    world.faults(json!({ "lost_answer_rate": 0.0 })).await;
    let id = world.all_tickets().await[0]["id"].clone();
    let moved = json!([{ "op": "replace", "path": "company", "value": { "id": 302 } }]);
    world
        .technician(
            reqwest::Method::PATCH,
            &format!("/service/tickets/{id}"),
            Some(moved),
        )
        .await;
    world.until_done(raised, 1, 1).await;
    let record = world.record("a1").await.unwrap();
    assert!(
        matches!(&record.actual, Some(Actual::Closed(closed)) if closed.by == ClosedBy::Moved),
        "{record:?}"
    );
    assert_eq!(count(&world, "POST /service/tickets").await, 1);
}

#[tokio::test]
async fn a_person_lets_a_refused_alert_go_on() {
    let mut world = World::new().await;
    let mut wrong = settings();
    wrong.operations.types = [(domain::Kind::parse("disk").unwrap(), 999_999)].into();
    world.config.settings.put(&partner(), &wrong).await.unwrap();
    let raised = world.taken(&[event("alert.raised", "e1", "a1", 0)]).await;
    world.until_done(raised, 0, 1).await;
    let record = world.record("a1").await.unwrap();
    let blocked = record.blocked.clone().unwrap();
    let rejected = record.with_blocked(Blocked::Rejected("no".into()), None, blocked.since);
    world.alerts.write(&rejected).await.unwrap();
    world
        .config
        .settings
        .put(&partner(), &settings())
        .await
        .unwrap();
    world
        .until_done(vec![reconsider(&key(TENANT, "a1"))], 1, 1)
        .await;
    assert!(
        world.record("a1").await.unwrap().open().is_none(),
        "not by itself"
    );
    let release = domain::message::Message::Release(key(TENANT, "a1"));
    world
        .until_done(vec![crate::hours::message(&release)], 2, 1)
        .await;
    assert!(world.record("a1").await.unwrap().open().is_some());
}

#[tokio::test]
async fn an_event_that_comes_again_three_days_later_changes_nothing() {
    let mut world = World::new().await;
    let raised = world.taken(&[event("alert.raised", "e1", "a1", 0)]).await;
    world.until_done(raised.clone(), 0, 1).await;
    let record = world.record("a1").await.unwrap();
    let calls = world.calls().await.len();
    let mut again = raised;
    again[0].message_id = Some("another".into());
    world.until_done(again, 3 * 24 * 60, 1).await;
    assert_eq!(world.record("a1").await.unwrap(), record);
    assert_eq!(world.calls().await.len(), calls);
}

#[tokio::test]
async fn workers_whose_clocks_differ_by_ten_minutes_make_one_ticket() {
    for (first, second) in [(-10, 0), (10, 0), (0, -10), (-10, 10)] {
        let mut world = World::new().await;
        world.faults(json!({ "lost_answer_rate": 1.0 })).await;
        let raised = world.taken(&[event("alert.raised", "e1", "a1", 0)]).await;
        let raised = world.hand_over(raised, first).await;
        world.faults(json!({ "lost_answer_rate": 0.0 })).await;
        world.until_done(raised, second, 1).await;
        assert!(world.record("a1").await.unwrap().open().is_some());
        let posts = count(&world, "POST /service/tickets").await;
        assert_eq!(posts, 1, "{first} {second}");
    }
}

#[tokio::test]
async fn however_slow_connectwise_is_the_function_ends_in_time_and_gives_back_the_rest() {
    let mut world = World::new().await;
    world.faults(json!({ "latency_ms": 30_000 })).await;
    let events: Vec<_> = (0..10)
        .map(|n| event("alert.raised", &format!("e{n}"), &format!("a{n}"), 0))
        .collect();
    let messages = world.taken(&events).await;
    let ends = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(8);
    let invocation = world.invocation_at(jiff::Timestamp::now(), 8);
    let back = world.hand_batch(&messages, &invocation).await;
    assert!(jiff::Timestamp::now() < ends, "Lambda would have ended it");
    assert_eq!(back.len(), 10);
    world.faults(json!({ "latency_ms": 0 })).await;
    world.until_done(back, 12, 1).await;
    for n in 0..10 {
        let record = world.record(&format!("a{n}")).await.unwrap();
        assert!(record.open().is_some(), "{record:?}");
    }
}

#[tokio::test]
async fn a_renamed_board_is_the_same_and_a_status_that_is_gone_blocks_until_it_is_set_up_anew() {
    let mut world = World::new().await;
    let (board, start, _) = OPERATIONS;
    let renamed = json!([{ "op": "replace", "path": "name", "value": "Renamed" }]);
    world
        .technician(
            reqwest::Method::PATCH,
            &format!("/service/boards/{board}"),
            Some(renamed),
        )
        .await;
    let raised = world.taken(&[event("alert.raised", "e1", "a1", 0)]).await;
    world.until_done(raised, 0, 1).await;
    assert_eq!(world.all_tickets().await[0]["board"]["name"], "Renamed");

    let mut gone = settings();
    gone.operations.start_status = Some(start + 5000);
    world.config.settings.put(&partner(), &gone).await.unwrap();
    let events = [
        event("alert.raised", "e2", "a2", 0),
        event("alert.resolved", "e3", "a1", 5),
    ];
    let messages = world.taken(&events).await;
    world.until_done(messages, 1, 1).await;
    let record = world.record("a2").await.unwrap();
    let target = Blocked::TargetGone(domain::Target::Status);
    let blocked = record.blocked.unwrap();
    assert_eq!(blocked.reason, target);
    assert!(
        !is_open(&world.all_tickets().await[0]),
        "closing does not need it"
    );
    world
        .config
        .settings
        .put(&partner(), &settings())
        .await
        .unwrap();
    // As reconcile asks for it, once ConnectWise lists the status.
    let retry = Message::Command(Command {
        key: key(TENANT, "a2"),
        occurrence: 1,
        ticket_id: None,
        action: CommandAction::Retry {
            refused_at: blocked.since,
        },
    });
    world.until_done(vec![message(&retry)], 2, 1).await;
    assert!(world.record("a2").await.unwrap().open().is_some());
}

#[tokio::test]
async fn a_worker_that_remembers_the_keys_of_the_old_site_reads_the_new_ones() {
    let mut world = World::new().await;
    let first = world.taken(&[event("alert.raised", "e1", "a1", 0)]).await;
    world.until_done(first, 0, 1).await;
    let before = world.calls().await.len();
    world.point_at_company("other").await;
    let second = world.taken(&[event("alert.raised", "e2", "a2", 0)]).await;
    world.until_done(second, 1, 1).await;
    // The simulator knows no such company: what counts is that it was asked with keys for it, and not refused before.
    assert!(
        world.calls().await.len() > before,
        "asked with the new keys"
    );
}

#[tokio::test]
async fn a_close_that_has_to_wait_after_its_note_is_ours_and_says_so_once() {
    let mut world = World::new().await;
    let raised = world.taken(&[event("alert.raised", "e1", "a1", 0)]).await;
    world.until_done(raised, 0, 1).await;
    // The ticket is read and noted, and the close is one call too many.
    world.faults(json!({ "rate_limit_per_minute": 2 })).await;
    let resolved = world.taken(&[event("alert.resolved", "e2", "a1", 5)]).await;
    let resolved = world.hand_over(resolved, 1).await;
    world.faults(json!({ "rate_limit_per_minute": 0 })).await;
    let ticket = world.all_tickets().await[0].clone();
    assert!(is_open(&ticket) && resolved.len() == 1);
    let other = world.another_worker();
    world.tickets = other;
    world.until_done(resolved, 3, 1).await;
    assert!(!is_open(&world.all_tickets().await[0]));
    let notes = world.notes(&ticket).await;
    assert_eq!(
        notes
            .iter()
            .filter(|note| note["text"].as_str().unwrap().contains("[tb "))
            .count(),
        1
    );
    let record = world.record("a1").await.unwrap();
    assert!(
        matches!(&record.actual, Some(Actual::Closed(closed)) if closed.by == ClosedBy::Us),
        "{record:?}"
    );
}

#[tokio::test]
async fn a_repair_whose_notes_have_to_wait_makes_each_of_them_once() {
    let mut world = World::new().await;
    two_tickets(&mut world).await;
    // The search, the duplicate read and noted, the other ticket read: its note is one call too many.
    world.faults(json!({ "rate_limit_per_minute": 4 })).await;
    let look = vec![reconsider(&key(TENANT, "a1"))];
    let back = world.hand_over(look, 90).await;
    world.faults(json!({ "rate_limit_per_minute": 0 })).await;
    assert_eq!(back.len(), 1);
    let other = world.another_worker();
    world.tickets = other;
    world.until_done(back, 92, 1).await;
    let tickets = world.all_tickets().await;
    assert_eq!(tickets.iter().filter(|ticket| is_open(ticket)).count(), 1);
    for ticket in &tickets {
        let notes = world.notes(ticket).await;
        let ours = notes
            .iter()
            .filter(|note| note["text"].as_str().unwrap().contains("[tb "));
        assert_eq!(ours.count(), 1, "{notes:?}");
    }
    assert!(world.record("a1").await.unwrap().duplicates.is_empty());
}
