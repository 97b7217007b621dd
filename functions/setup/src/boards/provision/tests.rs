use std::time::Duration;

use connectwise::{Credentials, HostList, Http, Origin};
use connectwise_sim::{Seed, Sim};
use domain::Secret;
use domain::boards::BoardName;
use domain::kind::{BUILT_IN, Category};
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

/// A board with everything but that "New" is its default, which it says it made and never does.
fn stubborn(method: &str, path: &str) -> Value {
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

fn both(operations: &str, cyber_alerts: &str) -> BoardPair {
    let named = |category, name| DesiredBoard {
        name: BoardName::parse(name).unwrap(),
        ..desired(category)
    };
    BoardPair {
        operations: named(Category::Operations, operations),
        cyber_alerts: named(Category::CyberAlerts, cyber_alerts),
    }
}

/// A client of a site; ours but for the origin.
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
    let sim = Sim::start(Seed::demo(), ([127, 0, 0, 1], 0).into()).await;
    let sim = sim.unwrap();
    let keys = Seed::demo().integration().unwrap();
    let client = client(&sim.base_url(), &keys.private_key, &keys.client_id);
    let both = both("Watch: Operations", "Watch: Cyber Alerts");
    let calls_end = Instant::now() + Duration::from_secs(60);
    let (mut done, mut requests) = (0, 0);
    let targets = loop {
        // No time at all at first, then for one call or another, and in the end enough on any machine.
        let until = Instant::now() + Duration::from_millis(2) * requests;
        requests += 1;
        let far = provision(&client, &both, until, calls_end).await.unwrap();
        // A request that ends while it lists the boards does not know the progress.
        let known = if far.doing.starts_with("listing") {
            0
        } else {
            done
        };
        assert!(
            (known..=22).contains(&far.done) && far.total == 22,
            "{far:?}"
        );
        assert!(!far.doing.is_empty() && requests < 1000, "{far:?}");
        done = done.max(far.done);
        if let Some(targets) = far.targets {
            break targets;
        }
    };
    assert!(requests > 1, "all at once");
    assert_eq!(done, 22);
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
    let (origin, mut heard) = server(stubborn).await;
    let client = client(&origin, "private", "client");
    let both = both("Operations", "Cyber Alerts");
    let end = Instant::now() + Duration::from_secs(10);
    let problem = provision(&client, &both, end, end).await.unwrap_err();
    assert!(
        problem
            .detail
            .contains("reported success but did not do this")
            && problem.detail.contains("the board's default"),
        "{problem:?}"
    );
    let mut patches = 0;
    while let Ok(asked) = heard.try_recv() {
        patches += usize::from(asked.starts_with("PATCH"));
    }
    assert_eq!(patches, 1);

    // No time: nothing is asked, and how far it is is not known.
    let far = provision(&client, &both, Instant::now(), end)
        .await
        .unwrap();
    assert_eq!((far.done, far.total, far.targets), (0, 22, None));
    assert!(heard.try_recv().is_err());
}
