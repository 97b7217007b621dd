//! One ticket an alert when the connection points to another site, or the partner changes its settings.

use domain::Blocked;
use domain::alert::command::{Command, CommandAction};
use domain::alert::record::ClosedBy;
use domain::wire::message::Message;

use crate::environment::{
    COMPANY, OPERATIONS, TENANT, TestEnvironment, assert_closed_by, event, is_open, key,
    raised_event, record_of, resolved_event, settings,
};
use crate::reconcile::closing::run_reconcile;
use crate::reconcile::drift::raise_alerts;

#[tokio::test]
async fn a_new_site_leaves_the_old_sites_tickets_alone() {
    let mut env = TestEnvironment::new().await;
    let raised = [raised_event("e1", "a1", 0), raised_event("e2", "a2", 0)];
    env.process(&raised, 0).await;
    // Another site, which has none of these tickets.
    env.connectwise.reset().await;
    env.set_epoch(2).await;
    let events = [
        resolved_event("e3", "a1", 5),
        event("alert.updated", "e4", "a2", 5),
    ];
    env.process(&events, 1).await;
    let closed = env.record("a1").await.unwrap();
    assert_closed_by(&closed, ClosedBy::OutOfReach);
    let active = env.record("a2").await.unwrap();
    assert_eq!(active.open().unwrap().epoch, 2, "{active:?}");
    let calls = env.connectwise.calls().await;
    let others = calls
        .iter()
        .filter(|call| *call != "GET /service/tickets")
        .collect::<Vec<_>>();
    assert_eq!(
        others,
        ["POST /service/tickets"],
        "only searches and the active alert's ticket"
    );
    env.process(&[raised_event("e5", "a5", 5)], 2).await;
    let record = env.record("a5").await.unwrap();
    assert_eq!(record.open().unwrap().epoch, 2, "{record:?}");
    assert_eq!(env.connectwise.tickets().await.len(), 2);
}

#[tokio::test]
async fn an_active_alert_gets_its_ticket_on_the_new_site() {
    let mut env = TestEnvironment::new().await;
    let alerts = ["a1", "a2"].map(String::from);
    raise_alerts(&mut env, &alerts).await;
    env.connectwise.reset().await;
    env.set_epoch(2).await;
    assert_eq!(run_reconcile(&mut env, 2).await, 2);
    for alert in &alerts {
        let record = env.record(alert).await.unwrap();
        assert_eq!(record.open().unwrap().epoch, 2, "{record:?}");
    }
    assert_eq!(env.connectwise.tickets().await.len(), 2);
    assert_eq!(run_reconcile(&mut env, 18).await, 0);
}

#[tokio::test]
async fn the_same_site_at_another_address_keeps_its_tickets() {
    let mut env = TestEnvironment::new().await;
    let raised = [raised_event("e1", "a1", 0), raised_event("e2", "a2", 0)];
    env.process(&raised, 0).await;
    let before = env.record("a2").await.unwrap();
    env.set_epoch(2).await;
    let events = [
        resolved_event("e3", "a1", 5),
        event("alert.updated", "e4", "a2", 5),
    ];
    env.process(&events, 1).await;
    let closed = env.record("a1").await.unwrap();
    assert_closed_by(&closed, ClosedBy::Us);
    let active = env.record("a2").await.unwrap();
    let (open, was) = (active.open().unwrap(), before.open().unwrap());
    assert_eq!((open.ticket_id, open.epoch), (was.ticket_id, 2));
    assert_eq!(env.connectwise.tickets().await.len(), 2);
}

#[tokio::test]
async fn a_remapped_tenant_keeps_its_open_ticket() {
    let mut env = TestEnvironment::new().await;
    env.process(&[raised_event("e1", "a1", 0)], 0).await;
    let mut mapping = env.mapping(TENANT).await;
    mapping.company = Some(302);
    env.put_mapping(TENANT, &mapping).await;
    let events = [
        resolved_event("e2", "a1", 5),
        raised_event("e3", "a1", 9),
        raised_event("e4", "a4", 9),
    ];
    env.process(&events, 1).await;
    let tickets = env.connectwise.tickets().await;
    let companies: Vec<_> = tickets
        .iter()
        .map(|ticket| (ticket["company"]["id"].as_u64().unwrap(), is_open(ticket)))
        .collect();
    assert_eq!(companies, [(COMPANY, false), (302, true), (302, true)]);
}

#[tokio::test]
async fn a_renamed_board_works_and_a_deleted_status_blocks() {
    let mut env = TestEnvironment::new().await;
    let (board, start, _) = OPERATIONS;
    env.patch(&format!("/service/boards/{board}"), "name", "Renamed")
        .await;
    env.process(&[raised_event("e1", "a1", 0)], 0).await;
    assert_eq!(
        env.connectwise.tickets().await[0]["board"]["name"],
        "Renamed"
    );

    let mut missing = settings();
    missing.operations.start_status = Some(start + 5000);
    env.put_settings(&missing).await;
    let events = [raised_event("e2", "a2", 0), resolved_event("e3", "a1", 5)];
    env.process(&events, 1).await;
    let record = env.record("a2").await.unwrap();
    let target = Blocked::TargetMissing(domain::TicketTarget::Status);
    let blocked = record.blocked.unwrap();
    assert_eq!(blocked.reason, target);
    assert!(
        !is_open(&env.connectwise.tickets().await[0]),
        "closing does not need it"
    );
    env.put_settings(&settings()).await;
    // Reconcile sends this once ConnectWise lists the status.
    let retry = Message::Command(Command {
        key: key(TENANT, "a2"),
        occurrence: 1,
        ticket_id: None,
        action: CommandAction::Retry {
            refused_at: blocked.since,
        },
    });
    env.worker
        .handle_until_done(vec![record_of(&retry)], 2, 1)
        .await;
    assert!(env.record("a2").await.unwrap().open().is_some());
}

#[tokio::test]
async fn a_worker_with_the_old_sites_keys_reads_the_new_ones() {
    let mut env = TestEnvironment::new().await;
    env.process(&[raised_event("e1", "a1", 0)], 0).await;
    let before = env.connectwise.calls().await.len();
    env.point_at_company("other").await;
    env.process(&[raised_event("e2", "a2", 0)], 1).await;
    // The simulator has no such company: the test checks that the call was made with its keys.
    assert!(
        env.connectwise.calls().await.len() > before,
        "called with the new keys"
    );
}
