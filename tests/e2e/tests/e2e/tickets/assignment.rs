//! The team and the owner of new tickets.

use std::collections::BTreeMap;

use domain::setup::assignment::{Assignee, BoardAssignment, TeamOnBoard, TenantAssignment};
use domain::setup::mapping::Mapping;
use domain::setup::settings::{OnResolve, Settings};
use domain::{Blocked, Kind, TicketTarget};
use reqwest::Method;
use serde_json::{Value, json};

use crate::environment::{
    COMPANY, OPERATIONS, TENANT, TestEnvironment, partner, raised_event, resolved_event, settings,
    tenant,
};
use crate::reconcile::closing::run_reconcile;

/// An active member of the seed, another one, and one who left.
const TARA: u64 = 151;
const JONAS: u64 = 152;
const LEFT: u64 = 153;
/// Teams of the seed. They are on every board.
const SERVICE: u64 = 41;
const SECURITY: u64 = 42;

fn assigned(all: (Option<u64>, Option<u64>), disk: (Option<u64>, Option<u64>)) -> Settings {
    let assignee = |(team, owner)| Assignee { team, owner };
    let mut settings = settings();
    settings.operations.assignment = BoardAssignment {
        all: assignee(all),
        kinds: BTreeMap::from([(Kind::parse("disk").unwrap(), assignee(disk))]),
    };
    settings
}

async fn assign_tenant(env: &TestEnvironment, assignment: TenantAssignment) {
    let mapping = Mapping {
        company: Some(COMPANY),
        enabled: true,
        assignment,
        ..Mapping::default()
    };
    let (partner, tenant) = (partner(), tenant(TENANT));
    let put = env.config.tenants.put(&partner, &tenant, &mapping);
    put.await.unwrap();
}

/// Raises an alert of this kind and returns team and owner of its ticket.
async fn raise(env: &mut TestEnvironment, alert: &str, kind: &str) -> (Value, Value) {
    let mut event = raised_event(&format!("{alert}-1"), alert, 0);
    event["data"]["kind"] = kind.into();
    env.deliver(&event).await;
    let record = env.record(alert).await.unwrap();
    let number = record.open().unwrap().ticket_id;
    let mut tickets = env.connectwise.tickets().await.into_iter();
    let ticket = tickets.find(|ticket| ticket["id"] == number).unwrap();
    (ticket["team"]["id"].clone(), ticket["owner"]["id"].clone())
}

#[tokio::test]
async fn a_ticket_is_created_with_the_chosen_team_and_owner_in_one_call() {
    let mut env = TestEnvironment::new().await;
    env.put_settings(&assigned(
        (Some(SERVICE), Some(TARA)),
        (Some(SECURITY), None),
    ))
    .await;
    let of_kind = raise(&mut env, "a1", "disk").await;
    assert_eq!(of_kind, (json!(SECURITY), json!(TARA)));
    let before = env.connectwise.calls().await.len();
    let of_board = raise(&mut env, "a2", "cpu").await;
    assert_eq!(of_board, (json!(SERVICE), json!(TARA)));
    let calls = env.connectwise.calls().await.split_off(before);
    let calls: Vec<_> = calls
        .iter()
        .filter(|call| *call != "GET /service/tickets")
        .collect();
    assert_eq!(calls, ["POST /service/tickets"]);

    let (board, ..) = OPERATIONS;
    let own = TenantAssignment {
        owner: Some(JONAS),
        operations: Some(TeamOnBoard {
            board,
            team: SERVICE,
        }),
        cyber_alerts: None,
    };
    assign_tenant(&env, own).await;
    let of_tenant = raise(&mut env, "a3", "disk").await;
    assert_eq!(of_tenant, (json!(SERVICE), json!(JONAS)));
}

#[tokio::test]
async fn the_own_team_and_owner_are_no_work_of_a_person() {
    let mut env = TestEnvironment::new().await;
    let mut own = assigned((Some(SERVICE), Some(TARA)), (None, None));
    own.operations.on_resolve = OnResolve::CloseUntouched;
    env.put_settings(&own).await;
    raise(&mut env, "untouched", "disk").await;
    env.deliver(&resolved_event("r1", "untouched", 9)).await;
    assert_eq!(env.connectwise.count_open().await, 0);

    raise(&mut env, "taken", "disk").await;
    let taken = env.record("taken").await.unwrap();
    let number = taken.open().unwrap().ticket_id;
    let assign = json!({ "assign": JONAS });
    env.connectwise.act_on_ticket(number, &assign).await;
    env.deliver(&resolved_event("r2", "taken", 9)).await;
    assert_eq!(env.connectwise.count_open().await, 1);
}

#[tokio::test]
async fn an_owner_who_left_blocks_the_ticket_until_another_is_chosen() {
    let mut env = TestEnvironment::new().await;
    env.put_settings(&assigned((None, Some(LEFT)), (None, None)))
        .await;
    env.deliver(&raised_event("e1", "a1", 0)).await;
    let owner = Some(Blocked::TargetMissing(TicketTarget::Owner));
    assert_eq!(env.reason("a1").await, owner);
    assert_eq!(env.connectwise.tickets().await.len(), 0);
    let record = env.record("a1").await.unwrap();
    let refusal = record.blocked.unwrap().refusal.unwrap();
    assert_eq!(refusal.record, Some(LEFT));

    // Reconcile reads the members, and makes no further attempt while they say the same.
    let before = env.connectwise.calls().await.len();
    run_reconcile(&mut env, 1).await;
    run_reconcile(&mut env, 90).await;
    let calls = env.connectwise.calls().await.split_off(before);
    assert!(
        !calls.contains(&"POST /service/tickets".to_owned()),
        "{calls:?}"
    );
    assert!(
        calls.contains(&"GET /system/members".to_owned()),
        "{calls:?}"
    );

    env.put_settings(&assigned((None, Some(TARA)), (None, None)))
        .await;
    run_reconcile(&mut env, 92).await;
    let tickets = env.connectwise.tickets().await;
    assert_eq!(tickets.len(), 1);
    assert_eq!(tickets[0]["owner"]["id"], TARA);
}

#[tokio::test]
async fn a_deleted_team_of_one_tenant_blocks_no_other_tenant() {
    let mut env = TestEnvironment::new().await;
    let (board, ..) = OPERATIONS;
    let path = format!("/service/boards/{board}/teams");
    let body = json!({ "name": "Night", "teamLeader": { "id": TARA } });
    let made = env
        .connectwise
        .call_as_technician(Method::POST, &path, Some(body))
        .await;
    let team = made["id"].as_u64().unwrap();
    let own = TenantAssignment {
        operations: Some(TeamOnBoard { board, team }),
        ..TenantAssignment::default()
    };
    assign_tenant(&env, own).await;

    let path = format!("{path}/{team}");
    env.connectwise
        .call_as_technician(Method::DELETE, &path, None)
        .await;
    env.deliver(&raised_event("e2", "a2", 0)).await;
    let missing = Some(Blocked::TargetMissing(TicketTarget::Team));
    assert_eq!(env.reason("a2").await, missing);
    let mut other = raised_event("e3", "a3", 0);
    other["data"]["tenant"] = "cedar".into();
    let cedar = Mapping {
        company: Some(303),
        enabled: true,
        ..Mapping::default()
    };
    let (partner, tenant) = (partner(), tenant("cedar"));
    let put = env.config.tenants.put(&partner, &tenant, &cedar);
    put.await.unwrap();
    env.deliver(&other).await;
    assert_eq!(env.connectwise.tickets().await.len(), 1);

    assign_tenant(&env, TenantAssignment::default()).await;
    run_reconcile(&mut env, 1).await;
    assert_eq!(env.connectwise.tickets().await.len(), 2);
}
