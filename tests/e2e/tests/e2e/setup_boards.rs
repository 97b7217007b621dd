//! The page's way to boards: the default one, and two that are made for the partner, whatever interrupts the making.

use std::collections::BTreeSet;
use std::pin::pin;

use domain::access::{Partner, Session, TokenHash};
use domain::settings::OnResolve;
use domain::{Kind, Secret};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde_json::{Value, json};
use setup::App;
use store::{AccessTable, ConfigTable, DedicatedBoard, DedicatedBoards};

use crate::proxy::{Proxy, Stop, When};
use crate::setup_client::{Answered, Call, PAGE};
use crate::world::{World, partner, settings};

const PROGRESS: &str = "/setup/boards/progress";
/// Names that the seed does not have.
const OPERATIONS: &str = "Watch: Operations";
const CYBER_ALERTS: &str = "Watch: Cyber Alerts";

fn asked(version: u64) -> Value {
    let board = |name| json!({ "name": name, "location": 2, "department": 10, "team_lead": 151 });
    json!({ "operations": board(OPERATIONS), "cyber_alerts": board(CYBER_ALERTS), "version": version })
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

/// The rows of a list of ConnectWise's, as a technician sees them.
async fn rows(world: &World, path: &str) -> Vec<Value> {
    let path = format!("{path}?pageSize=1000");
    let rows = world.technician(Method::GET, &path, None).await;
    rows.as_array().unwrap().clone()
}

fn names(rows: &[Value]) -> Vec<&str> {
    rows.iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect()
}

/// Both boards are there once, whole, with nothing twice, and tickets go to them.
async fn both_are_whole(world: &World, config: &ConfigTable, details: &str) {
    let boards = rows(world, "/service/boards").await;
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
        let found = rows(world, &path("types")).await;
        let unique: BTreeSet<_> = names(&found).into_iter().collect();
        assert_eq!(
            (found.len(), unique.len()),
            (types, types),
            "{details}: {found:?}"
        );
        assert_eq!(target.types.len(), types, "{details}");
        let statuses = rows(world, &path("statuses")).await;
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
        let teams = rows(world, &path("teams")).await;
        let ours = names(&teams).iter().filter(|name| **name == team).count();
        assert_eq!(ours, 1, "{details}: {teams:?}");
    }
}

#[tokio::test]
async fn both_boards_are_made_through_the_page_and_keep_what_the_partner_decided() {
    for statuses in ["default", "none"] {
        let world = World::new().await;
        world
            .faults(json!({ "variants": { "new_board_statuses": statuses } }))
            .await;
        let mut own = settings();
        own.operations.on_resolve = OnResolve::Note;
        own.operations.reopen_days = 5;
        world.config.settings.put(&partner(), &own).await.unwrap();
        let mut browser = world.signed_in().await;

        let view = browser.get_json("/setup/boards").await.expect(200).json();
        assert_eq!(
            (&view["mode"], &view["boards_version"]),
            (&json!("dedicated"), &json!(0))
        );
        assert_eq!(view["default_board"], "Service Desk");
        let leads = view["offers"]["team_leads"].as_array().unwrap();
        assert!(leads.iter().any(|lead| lead["id"] == 151), "{leads:?}");
        let page = browser.get("/setup/boards").await.expect(200);
        assert!(page.text.contains("Make both boards"), "{}", page.text);

        let answer = browser.post("/setup/boards/dedicated", &asked(0)).await;
        assert_eq!(answer.expect(200).json()["next"], "/setup/boards");
        let page = browser.get("/setup/boards").await.expect(200).text;
        assert!(
            page.contains(&format!("data-progress=\"{PROGRESS}?partner=northwind\"")),
            "{page}"
        );
        let stale = browser.post("/setup/boards/dedicated", &asked(0)).await;
        stale.expect(409);

        // By its form, as somebody without a script.
        let answer = browser.post_form(PROGRESS, &[]).await.expect(303);
        assert_eq!(answer.header("location"), "/setup/boards?done=boards_ready");
        both_are_whole(&world, &world.config, statuses).await;
        let now = world
            .config
            .settings
            .get(&partner())
            .await
            .unwrap()
            .value
            .unwrap();
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
        let view = browser.get_json("/setup/boards").await.expect(200).json();
        assert_eq!(view["mode"], "dedicated");
        assert_eq!(view["operations"]["name"], OPERATIONS);
    }
}

#[tokio::test]
async fn what_two_boards_cannot_be_is_refused_with_the_field() {
    let world = World::new().await;
    let mut browser = world.signed_in().await;
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
        let answer = browser.post("/setup/boards/dedicated", &asked).await;
        let problem = answer.expect(422).json();
        assert_eq!(problem["field"], format!("{of}[{member}]"), "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{detail}");
    }
    let nothing = browser.post(PROGRESS, &json!({})).await.expect(422).json();
    assert!(
        nothing["detail"]
            .as_str()
            .unwrap()
            .contains("No boards were asked for")
    );
}

#[tokio::test]
async fn the_default_board_is_taken_with_what_can_be_seen_of_it() {
    let world = World::new().await;
    let mut browser = world.signed_in().await;
    let version = browser.get_json("/setup/boards").await.json()["settings_version"].clone();
    let version = json!({ "version": version });
    let answer = browser
        .post("/setup/boards/default", &version)
        .await
        .expect(200);
    assert_eq!(answer.json()["next"], "/setup/boards?done=saved");
    let seen = world
        .config
        .settings
        .get(&partner())
        .await
        .unwrap()
        .value
        .unwrap();
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
    browser
        .post("/setup/boards/default", &version)
        .await
        .expect(409);

    // Without Table Setup the board is set, and its statuses are left to ConnectWise.
    world
        .faults(json!({ "missing_rights": ["table_setup.inquire"] }))
        .await;
    let view = browser.get_json("/setup/boards").await.expect(200).json();
    let off = view["off"].to_string();
    assert!(
        off.contains("Boards cannot be made for you") && off.contains("Table Setup"),
        "{off}"
    );
    assert_eq!(view["offers"], Value::Null);
    let version = json!({ "version": view["settings_version"] });
    browser
        .post("/setup/boards/default", &version)
        .await
        .expect(200);
    let unseen = world
        .config
        .settings
        .get(&partner())
        .await
        .unwrap()
        .value
        .unwrap();
    assert_eq!(
        (
            unseen.operations.board,
            unseen.operations.start_status,
            unseen.operations.closing_status
        ),
        (Some(21), None, None)
    );
    let refused = browser
        .post("/setup/boards/dedicated", &asked(0))
        .await
        .expect(422)
        .json();
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("Table Setup: Inquire = All"),
        "{refused}"
    );
}

#[tokio::test]
async fn an_api_member_without_a_default_board_leaves_everything_to_connectwise_and_hidden_boards_are_told()
 {
    let world = World::new().await;
    let none = json!([
        { "op": "replace", "path": "serviceDefaultBoard", "value": null },
        { "op": "replace", "path": "excludedServiceBoardIds", "value": [23] },
    ]);
    world
        .technician(Method::PATCH, "/system/apiMembers/181", Some(none))
        .await;
    let mut browser = world.signed_in().await;
    let view = browser.get_json("/setup/boards").await.expect(200).json();
    assert_eq!(view["default_board"], Value::Null);
    let page = browser.get("/setup/boards").await.expect(200).text;
    assert!(
        page.contains("Leave it to ConnectWise")
            && page.contains("the start status cannot be chosen"),
        "{page}"
    );
    let version = json!({ "version": view["settings_version"] });
    browser
        .post("/setup/boards/default", &version)
        .await
        .expect(200);
    let saved = world
        .config
        .settings
        .get(&partner())
        .await
        .unwrap()
        .value
        .unwrap();
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
    let view = browser.get_json("/setup/boards").await.expect(200).json();
    assert_eq!(view["mode"], "left_to_connectwise");
    let tickets = browser.get_json("/setup/tickets").await.expect(200).json();
    assert_eq!(
        (&tickets["operations"]["board"], &tickets["off"]),
        (&Value::Null, &json!([]))
    );

    let check = browser.get_json("/setup/check").await.expect(200).json();
    assert_eq!(check["member"]["default_board"], Value::Null);
    assert_eq!(check["member"]["excluded_boards"], json!([23]));
    let page = browser.get("/setup/check").await.expect(200).text;
    assert!(
        page.contains("<dd>none</dd>") && page.contains("(number 23)"),
        "{page}"
    );
}

#[tokio::test]
async fn two_windows_do_not_make_one_board_twice() {
    let world = World::new().await;
    let mut one = world.signed_in().await;
    one.post("/setup/boards/dedicated", &asked(0))
        .await
        .expect(200);
    world.faults(json!({ "latency_ms": 20 })).await;
    let mut other = one.clone();
    let body = json!({});
    let (first, second) = tokio::join!(one.post(PROGRESS, &body), other.post(PROGRESS, &body));
    let waits = [&first, &second].map(|answer| answer.json()["wait"] == true);
    assert!(waits[0] != waits[1], "{first:?} {second:?}");
    both_are_whole(&world, &world.config, "two windows").await;

    // A turn that nobody gives back ends by itself.
    let mut again = desired();
    again.operations.name = "A third".to_owned();
    let version = world.config.boards.get(&partner()).await.unwrap().version;
    world
        .config
        .boards
        .save(&partner(), &again, version)
        .await
        .unwrap();
    let now = Timestamp::now();
    let until = now + SignedDuration::from_secs(34);
    let taken = world
        .config
        .boards
        .lease(&partner(), "dead", now, until)
        .await;
    assert!(taken.unwrap().is_some());
    let writes = |calls: &[String]| calls.iter().filter(|call| call.starts_with("POST")).count();
    let before = writes(&world.calls().await);
    assert_eq!(
        one.post(PROGRESS, &body).await.expect(200).json()["wait"],
        true
    );
    assert_eq!(writes(&world.calls().await), before);
    one.now = Some(until);
    let answer = one.post(PROGRESS, &body).await.expect(200).json();
    assert_eq!(
        answer["next"], "/setup/boards?done=boards_ready",
        "{answer}"
    );
}

/// Set-up as a process whose calls all go through a proxy, over a table of its own.
struct Behind {
    world: World,
    proxy: Proxy,
    config: ConfigTable,
    setup: setup::Config,
}

const TOKEN: &str = "somebody";

impl Behind {
    async fn new() -> Self {
        let world = World::new().await;
        let proxy = world.proxy().await;
        let through = world.through("boards", &proxy).await;
        let config = ConfigTable::new(&world.aws, through.connections.config_table.clone());
        let access = AccessTable::new(&world.aws, through.connections.access_table.clone());
        let setup = setup::Config {
            page_origin: PAGE.into(),
            webhook_url: "https://events.example/v1/events/{source}".into(),
            queue_url: world.queue_url.clone(),
            alerts_table: "alerts".into(),
            connections: through.connections,
            source_secret_prefix: "tb/source/".into(),
            mail_from: "ticketbridge@mail.example".into(),
            function_name: "setup".into(),
        };
        let now = Timestamp::now();
        let item = Partner {
            name: "Northwind".into(),
            enabled: true,
            made_at: now,
            sessions_from: None,
        };
        access.partners.save(&partner(), &item, 0).await.unwrap();
        let session = Session {
            partner: partner(),
            linked_at: now + SignedDuration::from_millis(1),
            expires_at: now + SignedDuration::from_hours(1000),
        };
        let hash = TokenHash::of(&Secret::new(TOKEN));
        access.sessions.put(&hash, &session).await.unwrap();
        Self {
            world,
            proxy,
            config,
            setup,
        }
    }

    /// No board of ours, and both asked for.
    async fn begin(&self, statuses: &str) {
        self.world.empty_connectwise().await;
        let faults = json!({ "variants": { "new_board_statuses": statuses } });
        self.world.faults(faults).await;
        let version = self.config.boards.get(&partner()).await.unwrap().version;
        self.config
            .boards
            .save(&partner(), &desired(), version)
            .await
            .unwrap();
        self.config
            .settings
            .put(&partner(), &settings())
            .await
            .unwrap();
    }

    /// A new process makes one request; none where it died at the stop.
    async fn request(&self, stop: Option<Stop>, now: Timestamp) -> Option<Answered> {
        let name = self.proxy.count(stop);
        let aws = self.world.aws_at(&self.proxy.origin, &name);
        let app = App::build(&self.setup, &aws).unwrap();
        let mut call = Call::new("POST", &format!("{PROGRESS}?partner=northwind"))
            .json(&json!({}))
            .header("origin", PAGE)
            .header("accept", "application/json");
        call.cookies = vec![format!("__Host-session={TOKEN}")];
        call.now = now;
        let answer = pin!(call.to(&app));
        tokio::select! {
            answer = answer => Some(answer),
            () = self.proxy.stopped() => None,
        }
    }

    /// Requests until both boards are there.
    async fn finish(&self, mut now: Timestamp, details: &str) {
        for requests in 0.. {
            assert!(requests < 10, "{details}: it never ends");
            // The dead one's turn has ended.
            now += SignedDuration::from_mins(1);
            let answer = self.request(None, now).await.unwrap();
            assert_eq!(answer.status, 200, "{details}: {answer:?}");
            if answer.json()["next"] != PROGRESS {
                return both_are_whole(&self.world, &self.config, details).await;
            }
        }
    }
}

#[tokio::test]
async fn both_boards_interrupted_after_any_call_and_gone_on_with_are_two_with_twelve_types() {
    let behind = Behind::new().await;
    let mut scenarios = 0_i64;
    let begun = Timestamp::now();
    for statuses in ["none", "default"] {
        behind.begin(statuses).await;
        // Each is long after the one before it, whose turn may still be somebody's.
        let later = |scenarios: i64| begun + SignedDuration::from_mins(20 * scenarios);
        behind.finish(later(scenarios + 1), statuses).await;
        let calls = behind.proxy.calls();
        assert!(calls.len() > 30, "{calls:?}");
        for (n, call) in (1..).zip(&calls) {
            // A read that is answered to nobody changes as little as one that is not made.
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
async fn boards_are_made_while_connectwise_fails_and_commits_late() {
    let world = World::new().await;
    let mut browser = world.signed_in().await;
    browser
        .post("/setup/boards/dedicated", &asked(0))
        .await
        .expect(200);
    world
        .faults(json!({
            "error_rate": 0.15,
            "lost_answer_rate": 0.15,
            "truncate_rate": 0.1,
            "late_commit": { "rate": 0.15, "seconds": 0.05 },
        }))
        .await;
    for n in 0.. {
        assert!(n < 200, "it never ends");
        let answer = browser.post(PROGRESS, &json!({})).await;
        if answer.status == 200 && answer.json()["next"] != PROGRESS {
            break;
        }
        assert!([200, 503, 422].contains(&answer.status), "{answer:?}");
    }
    world
        .faults(json!({
            "error_rate": 0.0,
            "lost_answer_rate": 0.0,
            "truncate_rate": 0.0,
            "late_commit": { "rate": 0.0 },
        }))
        .await;
    // What is late by now is refused by its name.
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    both_are_whole(&world, &world.config, "failing").await;
}
