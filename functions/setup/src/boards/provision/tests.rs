use std::time::Duration;

use connectwise::{Credentials, HostList, Http, Origin};
use connectwise_sim::{Seed, Simulator};
use domain::Secret;
use domain::alert::kind::{BUILT_IN, Category};
use domain::setup::board_name::BoardName;
use serde_json::{Value, json};

use super::*;
use crate::test_server::server;

fn desired(category: Category) -> DesiredBoard {
    DesiredBoard {
        category,
        name: BoardName::default_for(category),
        location: 2,
        department: 10,
        team_lead: 151,
        kinds_added: Vec::new(),
    }
}

/// A complete board, except that "New" is not its default. The server confirms that change and
/// never makes it.
fn without_effect(method: &str, path: &str) -> Value {
    let new = json!({ "id": 11, "name": "New", "defaultFlag": false });
    let last = path.rsplit('/').next().unwrap_or_default();
    match (method, last) {
        ("PATCH", _) => new,
        (_, "boards") => json!([{ "id": 7, "name": "Operations" }]),
        (_, "statuses") => json!([
            new,
            { "id": 12, "name": "Closed", "closedStatus": true },
            { "id": 13, "name": "Triage", "defaultFlag": true },
        ]),
        (_, "types") => {
            let names = (20..).zip(BUILT_IN);
            names
                .map(|(id, (.., name))| json!({ "id": id, "name": name }))
                .collect()
        }
        (_, "teams") => json!([{ "id": 41, "name": "Operations" }]),
        _ => Value::Null,
    }
}

fn pair(operations: &str, cyber_alerts: &str) -> BoardPair {
    let named = |category, name| DesiredBoard {
        name: BoardName::parse(name).unwrap(),
        ..desired(category)
    };
    BoardPair {
        operations: named(Category::Operations, operations),
        cyber_alerts: named(Category::CyberAlerts, cyber_alerts),
    }
}

fn client(origin: &str, private_key: &str, client_id: &str) -> Client {
    let http = Http::new(HostList::new([origin]).unwrap()).unwrap();
    let credentials = Credentials {
        origin: Origin::parse(origin).unwrap(),
        company_id: "tbdemo".to_owned(),
        public_key: "tbPublicKey01".to_owned(),
        private_key: Secret::new(private_key),
        client_id: Secret::new(client_id),
    };
    Client::new(&http, credentials).unwrap()
}

#[tokio::test]
async fn later_requests_continue_and_create_nothing_twice() {
    let sim = Simulator::start(Seed::demo(), ([127, 0, 0, 1], 0).into()).await;
    let sim = sim.unwrap();
    let keys = Seed::demo().integration().unwrap();
    let client = client(&sim.base_url(), &keys.private_key, &keys.client_id);
    let boards = pair("Watch: Operations", "Watch: Cyber Alerts");
    let end = Instant::now() + Duration::from_secs(60);
    let mut done = 0;
    let targets = loop {
        // No time is left once the boards are listed. One part is created nevertheless.
        let time = WorkTime {
            until: Instant::now(),
            latest: end,
            calls_end: end,
        };
        let (_, plans) = plan(&client, &boards, end).await.unwrap();
        let planned: usize = plans.iter().map(BoardPlan::done).sum();
        assert_eq!(planned, done, "the page's first progress");
        let progress = provision(&client, &boards, time).await.unwrap();
        assert_eq!(progress.total, 22);
        assert!(!progress.doing.is_empty(), "{progress:?}");
        if let Some(targets) = progress.targets {
            break targets;
        }
        assert!((done + 1..=22).contains(&progress.done), "{progress:?}");
        done = progress.done;
    };
    assert!(done > 20, "{done} parts before the last request");
    let calls_end = end;
    assert_eq!(
        (
            targets.operations.types.len(),
            targets.cyber_alerts.types.len()
        ),
        (7, 5)
    );
    let boards = client.boards(calls_end).await.unwrap();
    let ours = boards
        .iter()
        .filter(|board| board.name.starts_with("Watch: "));
    assert_eq!(ours.count(), 2);
}

#[tokio::test]
async fn a_write_without_effect_is_sent_once() {
    let (origin, mut requests) = server(without_effect).await;
    let client = client(&origin, "private", "client");
    let boards = pair("Operations", "Cyber Alerts");
    let end = Instant::now() + Duration::from_secs(10);
    let mut time = WorkTime {
        until: end,
        latest: end,
        calls_end: end,
    };
    let problem = provision(&client, &boards, time).await.unwrap_err();
    assert!(
        problem
            .detail
            .contains("reported success but did not do this")
            && problem.detail.contains("the board's default"),
        "{problem:?}"
    );
    let mut patches = 0;
    while let Ok(request) = requests.try_recv() {
        patches += usize::from(request.starts_with("PATCH"));
    }
    assert_eq!(patches, 1);

    // Without time, no request is sent and the progress is unknown.
    time.latest = Instant::now();
    let progress = provision(&client, &boards, time).await.unwrap();
    assert_eq!(
        (progress.done, progress.total, progress.targets),
        (0, 22, None)
    );
    assert!(requests.try_recv().is_err());
}
