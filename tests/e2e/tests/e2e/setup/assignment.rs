//! The page's choice of team and owner, for a board, a kind of alert and a tenant.

use domain::Kind;
use domain::setup::assignment::{Assignee, TeamOnBoard, TenantAssignment};
use reqwest::Method;
use serde_json::{Value, json};

use crate::environment::{Browser, COMPANY, OPERATIONS, TENANT, TestEnvironment, partner, tenant};
use crate::setup::tenants::get_tenant;

const TARA: u64 = 151;
const LEFT: u64 = 153;
const API_MEMBER: u64 = 181;
const SERVICE: u64 = 41;
const SECURITY: u64 = 42;

fn ids(options: &Value) -> Vec<u64> {
    let options = options.as_array().unwrap().iter();
    options.map(|of| of["id"].as_u64().unwrap()).collect()
}

/// The choices on "Tickets", as the page shows them, with others for operations.
async fn ticket_form(browser: &mut Browser, operations: &Value) -> Value {
    let view = browser.get_json("tickets").await.expect(200).json();
    let mut form = json!({
        "operations": { "on_resolve": "close", "reopen_days": 0, "start_status": 221, "closing_status": 224 },
        "cyber_alerts": { "on_resolve": "note", "reopen_days": 0, "start_status": 231, "closing_status": 234 },
        "on": ["disk"],
        "note_interval_minutes": 60,
        "version": view["version"],
    });
    for (name, value) in operations.as_object().into_iter().flatten() {
        form["operations"][name] = value.clone();
    }
    form
}

#[tokio::test]
async fn team_and_owner_are_offered_and_saved_for_a_board_and_its_kinds() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let view = browser.get_json("tickets").await.expect(200).json();
    assert_eq!(ids(&view["operations"]["teams"]), [SECURITY, SERVICE]);
    // Members who left are not offered.
    assert_eq!(ids(&view["owners"]), [152, TARA]);

    let chosen = json!({ "team": SERVICE, "owner": TARA, "teams": { "disk": SECURITY } });
    let form = ticket_form(&mut browser, &chosen).await;
    browser.post("tickets", &form).await.expect(200);
    let disk = Kind::parse("disk").unwrap();
    let saved = env.settings().await.operations.assignment;
    let (team, owner) = (Some(SERVICE), Some(TARA));
    assert_eq!(saved.all, Assignee { team, owner });
    let (team, owner) = (Some(SECURITY), None);
    assert_eq!(saved.kinds, [(disk, Assignee { team, owner })].into());
    let history = env.audit_page().await;
    let detail = format!("{:?}", history.entries[0].detail);
    assert!(detail.contains("Service Team (before: none)"), "{detail}");
    assert!(detail.contains("Tara Smith (before: none)"), "{detail}");

    // What is not sent stays, and an empty text is a choice.
    let form = ticket_form(
        &mut browser,
        &json!({ "owner": "", "teams": { "disk": "" } }),
    )
    .await;
    browser.post("tickets", &form).await.expect(200);
    let saved = env.settings().await.operations.assignment;
    let (team, owner) = (Some(SERVICE), None);
    assert_eq!(saved.all, Assignee { team, owner });
    assert!(saved.kinds.is_empty());
}

#[tokio::test]
async fn a_team_of_another_board_and_a_member_who_left_are_refused() {
    let env = TestEnvironment::new().await;
    let body = json!({ "name": "Night", "teamLeader": { "id": TARA } });
    let post = Method::POST;
    let path = "/service/boards/23/teams";
    let made = env
        .connectwise
        .call_as_technician(post, path, Some(body))
        .await;
    let mut browser = env.setup.signed_in().await;
    for (chosen, field, words) in [
        (
            json!({ "team": made["id"] }),
            "operations[team]",
            "no such team",
        ),
        (
            json!({ "teams": { "disk": made["id"] } }),
            "operations[teams][disk]",
            "no such team",
        ),
        (json!({ "owner": LEFT }), "operations[owner]", "inactive"),
        (
            json!({ "owner": API_MEMBER }),
            "operations[owner]",
            "no such member",
        ),
        (
            json!({ "owners": { "disk": 999 } }),
            "operations[owners][disk]",
            "no such member",
        ),
        (
            json!({ "owners": { "zero_trust": TARA } }),
            "operations[owners][zero_trust]",
            "no kind",
        ),
    ] {
        let form = ticket_form(&mut browser, &chosen).await;
        let refused = browser.submit("tickets", &form, 422).await;
        assert_eq!(refused["field"], field, "{refused}");
        assert!(
            refused["detail"].as_str().unwrap().contains(words),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn without_the_right_to_read_members_a_chosen_owner_stays() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let form = ticket_form(&mut browser, &json!({ "owner": TARA })).await;
    browser.post("tickets", &form).await.expect(200);
    env.set_fault("missing_rights", ["member_maintenance.inquire"])
        .await;
    let view = browser.get_json("tickets").await.expect(200).json();
    assert_eq!(ids(&view["owners"]), [0; 0]);
    let off = view["off"].to_string();
    assert!(off.contains("owner of a ticket cannot be chosen"), "{off}");
    let form = ticket_form(&mut browser, &json!({ "team": SERVICE })).await;
    browser.post("tickets", &form).await.expect(200);
    let saved = env.settings().await.operations.assignment.all;
    assert_eq!((saved.team, saved.owner), (Some(SERVICE), Some(TARA)));
    let form = ticket_form(&mut browser, &json!({ "owner": 152 })).await;
    browser.post("tickets", &form).await.expect(422);
}

#[tokio::test]
async fn a_tenant_has_its_own_team_and_owner() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let version = get_tenant(&mut browser, TENANT).await["version"].clone();
    let on = json!({ "tenant": TENANT, "version": version, "company": COMPANY, "enabled": true });
    browser.post("tenant", &on).await.expect(200);
    let path = format!("tenant-assignment?tenant={TENANT}");
    let view = browser.get_json(&path).await.expect(200).json();
    assert_eq!(view["boards"][0]["category"], "operations");
    assert_eq!(ids(&view["boards"][0]["teams"]), [SECURITY, SERVICE]);
    let form = json!({
        "tenant": TENANT, "version": view["version"], "owner": TARA, "operations_team": SECURITY,
    });
    browser.post("tenant-assignment", &form).await.expect(200);
    let (board, ..) = OPERATIONS;
    let expected = TenantAssignment {
        owner: Some(TARA),
        operations: Some(TeamOnBoard {
            board,
            team: SECURITY,
        }),
        cyber_alerts: None,
    };
    let mapping = env.mapping(TENANT).await;
    assert_eq!(mapping.assignment, expected);
    assert_eq!(
        env.audit_page().await.entries[0].what,
        "tenant_assignment_saved"
    );
    // Another person started from the earlier version.
    browser.post("tenant-assignment", &form).await.expect(409);

    for (field, value) in [
        ("owner", LEFT),
        ("operations_team", 999),
        ("cyber_alerts_team", 999),
    ] {
        let version = browser.get_json(&path).await.json()["version"].clone();
        let mut form = json!({ "tenant": TENANT, "version": version });
        form[field] = value.into();
        let refused = browser.submit("tenant-assignment", &form, 422).await;
        assert_eq!(refused["field"], field, "{refused}");
    }

    // Switching the tenant off keeps the choice, and unmapping it removes the choice.
    let switch = |version: &Value, company: Option<u64>| json!({ "tenant": TENANT, "version": version, "company": company, "enabled": false });
    let version = browser.get_json(&path).await.json()["version"].clone();
    let off = browser
        .post("tenant", &switch(&version, mapping.company))
        .await;
    let version = off.expect(200).json()["version"].clone();
    assert_eq!(env.mapping(TENANT).await.assignment, expected);
    browser
        .post("tenant", &switch(&version, None))
        .await
        .expect(200);
    assert!(env.mapping(TENANT).await.assignment.is_empty());
    browser.get_json(&path).await.expect(422);
}

#[tokio::test]
async fn the_operator_moves_the_assignment_with_the_configuration() {
    let env = TestEnvironment::new().await;
    let northwind = "/v1/operator/partners/northwind";
    env.operate("PUT", northwind, &json!({ "name": "Northwind IT" }), 201)
        .await;
    let path = format!("{northwind}/configuration");
    let mut desired = env.operate("GET", &path, &Value::Null, 200).await;
    let (board, ..) = OPERATIONS;
    desired["settings"]["operations"]["assignment"] = json!({ "all": { "team": SERVICE } });
    desired["tenants"][0]["assignment"] =
        json!({ "owner": TARA, "operations": { "board": board, "team": SECURITY } });
    env.operate("PUT", &path, &desired, 200).await;
    let stored = env.operate("GET", &path, &Value::Null, 200).await;
    assert_eq!(
        stored["tenants"][0]["assignment"],
        desired["tenants"][0]["assignment"]
    );
    assert_eq!(
        env.settings().await.operations.assignment.all.team,
        Some(SERVICE)
    );
    for (assignment, field) in [
        (json!({ "owner": LEFT }), "tenants[0].assignment.owner"),
        (
            json!({ "operations": { "board": 23, "team": SECURITY } }),
            "tenants[0].assignment.operations.board",
        ),
        (
            json!({ "operations": { "board": board, "team": 999 } }),
            "tenants[0].assignment.operations.team",
        ),
    ] {
        let mut desired = stored.clone();
        desired["tenants"][0]["assignment"] = assignment;
        let refused = env.operate("PUT", &path, &desired, 422).await;
        assert_eq!(refused["field"], field, "{refused}");
    }
    let mut without = stored.clone();
    without["tenants"][0]
        .as_object_mut()
        .unwrap()
        .remove("assignment");
    let changed = env.operate("PUT", &path, &without, 200).await;
    assert_eq!(changed["tenants_changed"], 1, "{changed}");
    let mapping = env.config.tenants.get(&partner(), &tenant(TENANT)).await;
    assert!(mapping.unwrap().value.unwrap().assignment.is_empty());
}
