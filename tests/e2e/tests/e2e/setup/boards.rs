//! Boards on the page: the default board, and two boards that are created for the partner, with every
//! interruption of their creation.

use std::collections::BTreeSet;
use std::pin::pin;

use domain::setup::access::{PageSession, Partner, TokenHash};
use domain::setup::settings::OnResolve;
use domain::{Kind, Secret};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};
use setup::SetupHandler;
use store::{AccessTable, ConfigTable, DedicatedBoard, DedicatedBoards};

use crate::environment::{Answer, Call, PAGE, PARTNER, TestEnvironment, partner, settings};
use crate::proxy::{Proxy, Stop, When};

const PROGRESS: &str = "boards-progress";
const EXISTING: &str = "boards-existing";
/// Names that the seed does not have.
const OPERATIONS: &str = "Watch: Operations";
const CYBER_ALERTS: &str = "Watch: Cyber Alerts";

fn asked(version: u64) -> Value {
    let board = |name| json!({ "name": name, "location": 2, "department": 10, "team_lead": 151 });
    json!({
        "operations": board(OPERATIONS), "cyber_alerts": board(CYBER_ALERTS),
        "version": version, "reviewed": true,
    })
}

/// Tickets of both categories go to this board.
fn one_board(board: u64, version: &Value) -> Value {
    json!({ "operations": board, "cyber_alerts": board, "version": version, "reviewed": true })
}

fn desired() -> DedicatedBoards {
    let board = |name: &str| DedicatedBoard {
        name: name.to_owned(),
        location: 2,
        department: 10,
        team_lead: 151,
    };
    DedicatedBoards {
        operations: board(OPERATIONS),
        cyber_alerts: board(CYBER_ALERTS),
        epoch: 1,
        finished: false,
    }
}

/// The rows of a ConnectWise list, read as a technician.
async fn rows(env: &TestEnvironment, path: &str) -> Vec<Value> {
    let path = format!("{path}?pageSize=1000");
    let rows = env
        .connectwise
        .call_as_technician(Method::GET, &path, None)
        .await;
    rows.as_array().unwrap().clone()
}

fn names(rows: &[Value]) -> Vec<&str> {
    rows.iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect()
}

/// Asserts that both boards exist once, complete, without duplicates, and that tickets go to them.
async fn both_are_whole(env: &TestEnvironment, config: &ConfigTable, details: &str) {
    let boards = rows(env, "/service/boards").await;
    let settings = config
        .settings
        .get(&partner())
        .await
        .unwrap()
        .value
        .unwrap();
    assert_eq!(settings.epoch, Some(1), "{details}");
    for (name, team, types, target) in [
        (OPERATIONS, "Operations", 7, &settings.operations),
        (CYBER_ALERTS, "Cyber Alerts", 5, &settings.cyber_alerts),
    ] {
        let ours: Vec<_> = boards
            .iter()
            .filter(|board| board["name"] == name)
            .collect();
        assert_eq!(ours.len(), 1, "{details}: {boards:?}");
        let id = ours[0]["id"].as_u64().unwrap();
        assert_eq!(target.board, Some(id), "{details}");
        let path = |table| format!("/service/boards/{id}/{table}");
        let found = rows(env, &path("types")).await;
        let unique: BTreeSet<_> = names(&found).into_iter().collect();
        assert_eq!(
            (found.len(), unique.len()),
            (types, types),
            "{details}: {found:?}"
        );
        assert_eq!(target.types.len(), types, "{details}");
        let statuses = rows(env, &path("statuses")).await;
        let unique: BTreeSet<_> = names(&statuses).into_iter().collect();
        assert_eq!(statuses.len(), unique.len(), "{details}: {statuses:?}");
        let of = |name| {
            statuses
                .iter()
                .find(|status| status["name"] == name)
                .unwrap()
        };
        assert_eq!(target.start_status, of("New")["id"].as_u64(), "{details}");
        assert_eq!(
            target.closing_status,
            of("Closed")["id"].as_u64(),
            "{details}"
        );
        assert_eq!(of("New")["defaultFlag"], true, "{details}");
        let teams = rows(env, &path("teams")).await;
        let ours = names(&teams).iter().filter(|name| **name == team).count();
        assert_eq!(ours, 1, "{details}: {teams:?}");
    }
}

#[tokio::test]
async fn creating_both_boards_keeps_the_partners_choices() {
    for statuses in ["default", "none"] {
        let env = TestEnvironment::new().await;
        env.set_fault("variants", json!({ "new_board_statuses": statuses }))
            .await;
        let mut own = settings();
        own.operations.on_resolve = OnResolve::Note;
        own.operations.reopen_days = 5;
        env.put_settings(&own).await;
        let mut browser = env.setup.signed_in().await;

        let view = browser.get_json("boards").await.expect(200).json();
        assert_eq!(
            (&view["mode"], &view["boards_version"]),
            (&json!("two_boards"), &json!(0))
        );
        assert_eq!(view["existing"]["default"]["name"], "Service Desk");
        let leads = view["offers"]["team_leads"].as_array().unwrap();
        assert!(leads.iter().any(|lead| lead["id"] == 151), "{leads:?}");
        let page = browser.get("boards").await.expect(200);
        assert!(page.text.contains("Review the new boards"), "{}", page.text);

        let answer = browser.submit("boards-dedicated", &asked(0), 200).await;
        assert_eq!(answer["next"], "boards");
        let page = browser.get("boards").await.expect(200).text;
        for (words, is_there) in [
            (&*format!("data-progress=\"{PROGRESS}\""), true),
            ("value=\"0\"", true),
            ("Stop creating boards", true),
            ("Review the new boards", false),
        ] {
            assert_eq!(page.contains(words), is_there, "{words}: {page}");
        }
        browser.submit("boards-dedicated", &asked(0), 409).await;

        // By the form, without the page's script.
        let answer = browser.post_form(PROGRESS, &[]).await.expect(303);
        assert_eq!(answer.header("location"), "boards?done=boards_ready");
        both_are_whole(&env, &env.config, statuses).await;
        let now = env.settings().await;
        assert_eq!(
            (
                now.operations.on_resolve,
                now.operations.reopen_days,
                now.kinds_off
            ),
            (OnResolve::Note, 5, own.kinds_off)
        );
        let again = browser.post(PROGRESS, &json!({})).await.expect(200).json();
        assert_eq!((&again["done"], &again["total"]), (&json!(22), &json!(22)));
        let view = browser.get_json("boards").await.expect(200).json();
        assert_eq!(view["mode"], "two_boards");
        assert_eq!(view["operations"]["name"], OPERATIONS);
    }
}

#[tokio::test]
async fn invalid_board_choices_are_refused_with_the_field() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    for (of, member, value, words) in [
        (
            "operations",
            "name",
            json!("x".repeat(51)),
            "longer than 50",
        ),
        (
            "cyber_alerts",
            "name",
            json!(" watch: OPERATIONS "),
            "different names",
        ),
        ("operations", "location", json!(99), "no such location"),
        ("operations", "department", json!(99), "no such department"),
        ("cyber_alerts", "team_lead", json!(99), "no such member"),
        ("cyber_alerts", "team_lead", json!(181), "no such member"),
    ] {
        let mut asked = asked(0);
        asked[of][member] = value;
        let problem = browser.submit("boards-dedicated", &asked, 422).await;
        assert_eq!(problem["field"], format!("{of}[{member}]"), "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{detail}");
    }
    let nothing = browser.post(PROGRESS, &json!({})).await.expect(422).json();
    assert!(
        nothing["detail"]
            .as_str()
            .unwrap()
            .contains("No boards were requested")
    );
}

#[tokio::test]
async fn the_default_board_is_used_with_its_visible_settings() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let version = browser.get_json("boards").await.json()["settings_version"].clone();
    let form = one_board(21, &version);
    let answer = browser.submit(EXISTING, &form, 200).await;
    assert_eq!(answer["next"], "boards?done=saved");
    let seen = env.settings().await;
    for target in [&seen.operations, &seen.cyber_alerts] {
        assert_eq!(
            (
                target.board,
                target.start_status,
                target.closing_status,
                target.types.len()
            ),
            (Some(21), Some(211), Some(214), 0)
        );
    }
    assert_eq!(seen.cyber_alerts.on_resolve, OnResolve::Note);
    assert!(seen.kinds_off.contains(&Kind::parse("memory").unwrap()));
    browser.submit(EXISTING, &form, 409).await;

    // Without Table Setup the board can be saved again, and what was chosen stays.
    env.set_fault("missing_rights", ["table_setup.inquire"])
        .await;
    let view = browser.get_json("boards").await.expect(200).json();
    let off = view["off"].to_string();
    assert!(
        off.contains("Boards cannot be created for you") && off.contains("Table Setup"),
        "{off}"
    );
    assert_eq!(view["offers"], Value::Null);
    let form = one_board(21, &view["settings_version"]);
    browser.submit(EXISTING, &form, 200).await;
    let unseen = env.settings().await;
    assert_eq!(
        (
            unseen.operations.board,
            unseen.operations.start_status,
            unseen.operations.closing_status
        ),
        (Some(21), Some(211), Some(214))
    );
    // Another board is saved without statuses and types: ConnectWise chooses them.
    let view = browser.get_json("boards").await.expect(200).json();
    let form = one_board(22, &view["settings_version"]);
    browser.submit(EXISTING, &form, 200).await;
    let unseen = env.settings().await;
    assert_eq!(
        (
            unseen.operations.board,
            unseen.operations.start_status,
            unseen.operations.closing_status
        ),
        (Some(22), None, None)
    );
    let refused = browser.submit("boards-dedicated", &asked(0), 422).await;
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("Table Setup: Inquire = All"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_choice_is_reviewed_before_it_is_saved() {
    let env = TestEnvironment::new().await;
    let mut own = settings();
    own.operations.types = [(Kind::parse("disk").unwrap(), 2212)].into();
    env.put_settings(&own).await;
    let mut browser = env.setup.signed_in().await;
    let view = browser.get_json("boards").await.expect(200).json();
    let version = &view["settings_version"];
    let form =
        json!({ "operations": 21, "cyber_alerts": own.cyber_alerts.board, "version": version });
    let review = browser.post(EXISTING, &form).await.expect(200).json();
    assert_eq!(review["live"], true);
    let boards = review["boards"].as_array().unwrap();
    assert_eq!(
        (&boards[0]["changes"], &boards[1]["changes"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(boards[0]["after"], "Service Desk");
    assert_eq!(boards[0]["uses"]["start_status"], "New", "{review}");
    assert_eq!(env.settings().await, own, "nothing is saved yet");
    let version = version.to_string();
    let page = browser
        .post_form(
            EXISTING,
            &[
                ("operations", "21"),
                ("cyber_alerts", "23"),
                ("version", &version),
            ],
        )
        .await
        .expect(200)
        .text;
    for words in [
        "Ticketbridge is live",
        "Use these boards",
        "name=\"reviewed\" value=\"true\"",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }

    let mut dedicated = asked(0);
    dedicated["operations"]["name"] = json!("Operations");
    dedicated["reviewed"] = json!(false);
    let review = browser
        .post("boards-dedicated", &dedicated)
        .await
        .expect(200)
        .json();
    let creates = |n: usize| review["boards"][n]["creates"].as_array().unwrap().clone();
    assert!(
        creates(1)[0]
            .as_str()
            .unwrap()
            .contains("the board with its statuses"),
        "{review}"
    );
    let writes = env.connectwise.calls().await;
    assert!(
        writes.iter().all(|call| call.starts_with("GET")),
        "{writes:?}"
    );
    assert_eq!(env.config.boards.get(&partner()).await.unwrap().version, 0);
}

#[tokio::test]
async fn boards_that_take_no_tickets_cannot_be_chosen() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let view = browser.get_json("boards").await.expect(200).json();
    let offered = view["existing"]["usable"].as_array().unwrap();
    let inactive = json!([{ "op": "replace", "path": "inactiveFlag", "value": true }]);
    env.connectwise
        .call_as_technician(Method::PATCH, "/service/boards/22", Some(inactive))
        .await;
    let now = browser.get_json("boards").await.expect(200).json();
    assert_eq!(
        now["existing"]["usable"].as_array().unwrap().len(),
        offered.len() - 1
    );
    for (board, words) in [(99, "no such board"), (22, "inactive")] {
        let form = one_board(board, &view["settings_version"]);
        let problem = browser.submit(EXISTING, &form, 422).await;
        assert_eq!(problem["field"], "operations");
        assert!(
            problem["detail"].as_str().unwrap().contains(words),
            "{problem}"
        );
    }
}

#[tokio::test]
async fn a_reload_shows_what_exists_and_the_work_can_be_stopped() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    browser.submit("boards-dedicated", &asked(0), 200).await;
    // The least that one request does is one part.
    let body = json!({ "seconds": 0 });
    let mut done = 0;
    for _ in 0..3 {
        let answer = browser.submit(PROGRESS, &body, 200).await;
        assert_eq!(answer["next"], PROGRESS, "{answer}");
        assert!(answer["done"].as_u64().unwrap() > done, "{answer}");
        done = answer["done"].as_u64().unwrap();
        let view = browser.get_json("boards").await.expect(200).json();
        assert_eq!(
            (&view["mode"], &view["making"]["done"]),
            (&json!("making"), &json!(done))
        );
    }
    let before = env.settings().await;
    browser.submit("boards-stop", &json!({}), 200).await;
    let view = browser.get_json("boards").await.expect(200).json();
    assert_eq!(
        (&view["mode"], &view["requested"]["operations"]["name"]),
        (&json!("two_boards"), &json!(OPERATIONS))
    );
    assert_eq!(env.settings().await, before);
    // The same names again: what exists is used.
    browser
        .submit(
            "boards-dedicated",
            &asked(view["boards_version"].as_u64().unwrap()),
            200,
        )
        .await;
    let answer = browser.submit(PROGRESS, &json!({}), 200).await;
    assert_eq!(answer["next"], "boards?done=boards_ready", "{answer}");
    both_are_whole(&env, &env.config, "stopped").await;
}

#[tokio::test]
async fn no_default_board_leaves_the_choice_to_connectwise() {
    let env = TestEnvironment::new().await;
    let none = json!([
        { "op": "replace", "path": "serviceDefaultBoard", "value": null },
        { "op": "replace", "path": "excludedServiceBoardIds", "value": [23] },
    ]);
    env.connectwise
        .call_as_technician(Method::PATCH, "/system/apiMembers/181", Some(none))
        .await;
    let mut browser = env.setup.signed_in().await;
    let view = browser.get_json("boards").await.expect(200).json();
    assert_eq!(view["existing"]["has_no_default"], true);
    let page = browser.get("boards").await.expect(200).text;
    assert!(
        page.contains("chosen by ConnectWise")
            && page.contains("the start status cannot be chosen"),
        "{page}"
    );
    let version = json!({ "version": view["settings_version"], "reviewed": true });
    browser.submit(EXISTING, &version, 200).await;
    let saved = env.settings().await;
    for target in [&saved.operations, &saved.cyber_alerts] {
        assert_eq!(
            (
                target.board,
                target.start_status,
                target.closing_status,
                target.types.len()
            ),
            (None, None, None, 0)
        );
    }
    let view = browser.get_json("boards").await.expect(200).json();
    assert_eq!(view["mode"], "left_to_connectwise");
    let tickets = browser.get_json("tickets").await.expect(200).json();
    assert_eq!(
        (&tickets["operations"]["board"], &tickets["off"]),
        (&Value::Null, &json!([]))
    );

    let check = browser.get_json("check?now=true").await.expect(200).json();
    assert_eq!(check["member"]["default_board"], Value::Null);
    assert_eq!(check["member"]["excluded_boards"], json!([23]));
    let page = browser.get("check?now=true").await.expect(200).text;
    assert!(
        page.contains("<dd>none</dd>") && page.contains("(number 23)"),
        "{page}"
    );
}

#[tokio::test]
async fn two_browser_windows_create_a_board_once() {
    let env = TestEnvironment::new().await;
    let mut one = env.setup.signed_in().await;
    one.submit("boards-dedicated", &asked(0), 200).await;
    env.set_fault("latency_ms", 20).await;
    let mut other = one.clone();
    let body = json!({});
    let (first, second) = tokio::join!(one.post(PROGRESS, &body), other.post(PROGRESS, &body));
    let waits = [&first, &second].map(|answer| answer.json()["wait"] == true);
    assert!(waits[0] != waits[1], "{first:?} {second:?}");
    both_are_whole(&env, &env.config, "two windows").await;

    // A lock that is not released expires.
    let mut again = desired();
    again.operations.name = "A third".to_owned();
    let version = env.config.boards.get(&partner()).await.unwrap().version;
    let saved = env.config.boards.save(&partner(), &again, version).await;
    assert!(saved.unwrap().is_saved());
    let now = Timestamp::now();
    let until = now + SignedDuration::from_secs(34);
    let taken = env
        .config
        .boards
        .lease(&partner(), "dead", now, until)
        .await;
    assert!(taken.unwrap().is_some());
    let writes = |calls: &[String]| calls.iter().filter(|call| call.starts_with("POST")).count();
    let before = writes(&env.connectwise.calls().await);
    assert_eq!(
        one.post(PROGRESS, &body).await.expect(200).json()["wait"],
        true
    );
    assert_eq!(writes(&env.connectwise.calls().await), before);
    one.now = Some(until);
    let answer = one.post(PROGRESS, &body).await.expect(200).json();
    assert_eq!(answer["next"], "boards?done=boards_ready", "{answer}");
}

/// A set-up process whose calls all go through a proxy, with config and access tables of its own.
struct SetupProcess {
    env: TestEnvironment,
    proxy: Proxy,
    config: ConfigTable,
    setup: setup::Config,
}

const TOKEN: &str = "another-process";

impl SetupProcess {
    async fn new() -> Self {
        let env = TestEnvironment::new().await;
        let proxy = env.proxy().await;
        let through = env.config_through("boards", &proxy).await;
        let config = ConfigTable::new(&env.aws, through.connections.config_table.clone());
        let access = AccessTable::new(&env.aws, through.connections.access_table.clone());
        let setup = setup::Config {
            connections: through.connections,
            ..env.setup_config()
        };
        let now = Timestamp::now();
        let item = Partner {
            name: "Northwind".into(),
            enabled: true,
            made_at: now,
            sessions_from: None,
            manages_sources: false,
        };
        let saved = access.partners.save(&partner(), &item, 0).await;
        assert!(saved.unwrap().is_saved());
        let session = PageSession {
            partner: partner(),
            linked_at: now + SignedDuration::from_millis(1),
            expires_at: now + SignedDuration::from_hours(1000),
        };
        let hash = TokenHash::new(&Secret::new(TOKEN));
        access.sessions.put(&hash, &session).await.unwrap();
        Self {
            env,
            proxy,
            config,
            setup,
        }
    }

    /// Resets to a state without our boards in which both are requested.
    async fn begin(&self, statuses: &str) {
        self.env.connectwise.reset().await;
        let faults = json!({ "variants": { "new_board_statuses": statuses } });
        self.env.connectwise.set_faults(faults).await;
        let version = self.config.boards.get(&partner()).await.unwrap().version;
        let boards = &self.config.boards;
        let saved = boards.save(&partner(), &desired(), version).await;
        assert!(saved.unwrap().is_saved());
        self.config
            .settings
            .put(&partner(), &settings())
            .await
            .unwrap();
    }

    /// Sends one request in a new process. `None` if the process died at the stop.
    async fn request(&self, stop: Option<Stop>, now: Timestamp) -> Option<Answer> {
        let name = self.proxy.count(stop);
        let aws = self
            .env
            .account
            .sdk_config_through(&self.proxy.origin, &name);
        let app = SetupHandler::build(&self.setup, &aws).unwrap();
        let mut call = Call::new("POST", &format!("/setup/partners/{PARTNER}/{PROGRESS}"))
            .json(&json!({}))
            .header("origin", PAGE)
            .header("accept", "application/json");
        call.cookies = vec![format!("__Host-session-{PARTNER}={TOKEN}")];
        call.now = now;
        let answer = pin!(call.to(&app));
        tokio::select! {
            answer = answer => Some(answer),
            () = self.proxy.stopped() => None,
        }
    }

    /// Sends requests until both boards exist.
    async fn finish(&self, mut now: Timestamp, details: &str) {
        for requests in 0.. {
            assert!(requests < 10, "{details}: it never ends");
            // The dead process's lock has expired.
            now += SignedDuration::from_mins(1);
            let answer = self.request(None, now).await.unwrap();
            assert_eq!(answer.status, 200, "{details}: {answer:?}");
            if answer.json()["next"] != PROGRESS {
                return both_are_whole(&self.env, &self.config, details).await;
            }
        }
    }
}

#[tokio::test]
async fn board_creation_resumes_after_an_interruption_at_any_call() {
    let behind = SetupProcess::new().await;
    let mut scenarios = 0_i64;
    let begun = Timestamp::now();
    for statuses in ["none", "default"] {
        behind.begin(statuses).await;
        // Each scenario starts long after the one before it, whose lock may still be held.
        let later = |scenarios: i64| begun + SignedDuration::from_mins(20 * scenarios);
        behind.finish(later(scenarios + 1), statuses).await;
        let calls = behind.proxy.calls();
        assert!(calls.len() > 30, "{calls:?}");
        for (n, call) in (1..).zip(&calls) {
            // A read whose answer is lost has the same effect as no read.
            let whens: &[When] = match call.what.starts_with("GET") {
                true => &[When::After],
                false => &[When::Lost, When::After],
            };
            for when in whens {
                let details = format!("{statuses}: {n} {when:?} {}", call.what);
                behind.begin(statuses).await;
                scenarios += 1;
                let now = later(scenarios + 1);
                let stop = Stop { at: n, when: *when };
                let answer = behind.request(Some(stop), now).await;
                assert!(answer.is_none() || behind.proxy.is_past_stop(), "{details}");
                behind.finish(now, &details).await;
            }
        }
    }
    assert!(scenarios > 100, "{scenarios}");
}

#[tokio::test]
async fn board_creation_survives_failures_and_late_commits() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    browser.submit("boards-dedicated", &asked(0), 200).await;
    env.connectwise
        .set_faults(json!({
            "error_rate": 0.15,
            "lost_answer_rate": 0.15,
            "truncate_rate": 0.1,
            "late_commit": { "rate": 0.15, "seconds": 0.05 },
        }))
        .await;
    for n in 0.. {
        let answer = browser.post(PROGRESS, &json!({})).await;
        assert!(n < 200, "the scenarios never end: {answer:?}");
        if answer.status == 200 && answer.json()["next"] != PROGRESS {
            break;
        }
        assert!([200, 503, 422].contains(&answer.status), "{answer:?}");
    }
    env.connectwise
        .set_faults(json!({
            "error_rate": 0.0,
            "lost_answer_rate": 0.0,
            "truncate_rate": 0.0,
            "late_commit": { "rate": 0.0 },
        }))
        .await;
    // Late creates are refused because the name is taken.
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    both_are_whole(&env, &env.config, "failing").await;
}
