//! "Check connection" on the page: each thing that is wrong has its own words, and what is mended goes on.

use domain::PartnerId;
use domain::pipeline::Schedule;
use domain::rights;
use jiff::Timestamp;
use serde_json::{Value, json};
use store::Due;

use crate::world::{World, partner};

fn row<'a>(view: &'a Value, right: &str) -> &'a Value {
    let rows = view["rights"].as_array().unwrap();
    rows.iter().find(|row| row["right"] == right).unwrap()
}

#[tokio::test]
async fn a_good_connection_is_shown_with_its_member_and_all_rights() {
    let world = World::new().await;
    let mut browser = world.signed_in().await;
    let view = browser.get_json("/setup/check").await.expect(200).json();
    assert_eq!(
        (&view["verdict"], &view["off"]),
        (&json!("good"), &json!([]))
    );
    assert_eq!(view["site"]["company_id"], "tbdemo");
    assert_eq!(view["member"]["identifier"], "Ticketbridge");
    assert_eq!(view["member"]["default_board"], "Service Desk");
    assert_eq!(row(&view, rights::TABLES_ADD)["status"], "granted");
    let page = browser.get("/setup/check").await.expect(200).text;
    for words in [
        "The connection works",
        "<caption>Rights of the API member's security role</caption>",
        "<th scope=\"row\">Table Setup: Add</th>",
        "for boards made for you",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
}

#[tokio::test]
async fn each_thing_that_is_wrong_with_the_stored_connection_has_its_own_words() {
    let world = World::new().await;
    let mut browser = world.signed_in().await;
    for (faults, code) in [
        (json!({ "keys": "revoked" }), "keys_refused"),
        (json!({ "client_id": "refused" }), "client_id_refused"),
        (json!({ "outage": true }), "down"),
        (json!({ "error_rate": 1.0 }), "down"),
    ] {
        world.faults(faults.clone()).await;
        let view = browser.get_json("/setup/check").await.expect(200).json();
        assert_eq!(
            (&view["verdict"], &view["error"]["code"]),
            (&json!("broken"), &json!(code))
        );
        assert_eq!(view["rights"], json!([]), "{faults}");
        let page = browser.get("/setup/check").await.expect(200).text;
        assert!(
            page.contains("role=\"alert\"") && page.contains("Change the connection"),
            "{page}"
        );
        world.empty_connectwise().await;
    }
    // Keys that were replaced a moment ago are tried, not those that are remembered.
    for (key, verdict) in [
        ("tbPrivateKey01", "good"),
        ("wrong", "broken"),
        ("tbPrivateKey01", "good"),
    ] {
        world.put_keys(key).await;
        let view = browser.get_json("/setup/check").await.expect(200).json();
        assert_eq!(view["verdict"], verdict, "{key}");
    }

    let nobody = PartnerId::parse("nobody-yet").unwrap();
    let mut other = world.signed_in_at(&nobody).await;
    let view = other.get_json("/setup/check").await.expect(200).json();
    assert_eq!(view["verdict"], "not_connected");
    let page = other.get("/setup/check").await.expect(200).text;
    assert!(page.contains("Nothing is connected yet"), "{page}");
}

#[tokio::test]
async fn a_missing_right_is_named_and_forgotten_once_it_is_there() {
    let world = World::new().await;
    let missing = ["service_tickets.add", "table_setup.add"];
    world.faults(json!({ "missing_rights": missing })).await;
    for right in [missing[0], missing[1], "newer.right"] {
        world
            .config
            .breaker
            .add_missing_right(&partner(), right)
            .await
            .unwrap();
    }
    let mut browser = world.signed_in().await;
    let view = browser.get_json("/setup/check").await.expect(200).json();
    assert_eq!(view["verdict"], "rights_missing");
    assert_eq!(view["off"].as_array().unwrap().len(), 2);
    let add = row(&view, rights::TICKETS_ADD);
    assert_eq!(
        (&add["status"], &add["need"]),
        (&json!("missing"), &json!("required"))
    );
    assert_eq!(
        add["place"],
        "System > Security Roles > the API member's role > Service Desk > Service Tickets: Add = All"
    );
    let rights_missing = async || {
        world
            .config
            .breaker
            .get(&partner())
            .await
            .unwrap()
            .missing_rights
    };
    assert_eq!(rights_missing().await.len(), 3, "nothing is forgotten");
    let due = Due::new(&world.aws, "config".into());
    let is_due = async || {
        let due = due.list(Schedule::Reconcile, Timestamp::now(), 10).await;
        due.unwrap().contains(&partner())
    };
    assert!(!is_due().await);

    world
        .faults(json!({ "missing_rights": ["table_setup.add"] }))
        .await;
    let view = browser.get_json("/setup/check").await.expect(200).json();
    assert_eq!(view["verdict"], "good");
    assert_eq!(
        view["off"],
        json!([
            "Boards cannot be made for you. Everything else works, with the API member's default board."
        ])
    );
    let left: Vec<_> = rights_missing().await.into_iter().collect();
    assert_eq!(left, ["newer.right", "table_setup.add"]);
    assert!(is_due().await, "what waited for the right goes on");
}
