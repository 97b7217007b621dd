//! "Check connection" on the page: each problem has its own message, and alerts continue after a repair.

use crate::environment::{TestEnvironment, partner};
use domain::PartnerId;
use domain::monitoring::pipeline::Schedule;
use domain::setup::rights;
use jiff::Timestamp;
use serde_json::{Value, json};
use store::Due;

fn row<'a>(view: &'a Value, right: &str) -> &'a Value {
    let rows = view["rights"].as_array().unwrap();
    rows.iter().find(|row| row["right"] == right).unwrap()
}

#[tokio::test]
async fn a_good_connection_is_shown_with_its_member_and_all_rights() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let view = browser.get_json("check?now=true").await.expect(200).json();
    assert_eq!(
        (&view["verdict"], &view["off"]),
        (&json!("good"), &json!([]))
    );
    assert_eq!(view["site"]["company_id"], "tbdemo");
    assert_eq!(view["member"]["identifier"], "Ticketbridge");
    assert_eq!(view["member"]["default_board"], "Service Desk");
    assert_eq!(row(&view, rights::TABLES_ADD)["status"], "granted");
    let page = browser.get("check?now=true").await.expect(200).text;
    for words in [
        "The connection works, and the API member has all rights",
        "<caption>Rights of the API member's security role",
        "<th scope=\"row\">System › Table Setup</th>",
        "for new boards",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
}

#[tokio::test]
async fn each_connection_problem_has_its_own_message() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    for (faults, code) in [
        (json!({ "keys": "revoked" }), "keys_refused"),
        (json!({ "client_id": "refused" }), "client_id_refused"),
        (json!({ "outage": true }), "down"),
        (json!({ "error_rate": 1.0 }), "down"),
    ] {
        env.connectwise.set_faults(faults.clone()).await;
        let view = browser.get_json("check?now=true").await.expect(200).json();
        assert_eq!(
            (&view["verdict"], &view["error"]["code"]),
            (&json!("broken"), &json!(code))
        );
        let add = row(&view, rights::TICKETS_ADD);
        assert_eq!(add["status"], Value::Null, "{faults}");
        let page = browser.get("check?now=true").await.expect(200).text;
        assert!(
            page.contains("role=\"alert\"") && page.contains("Change the connection"),
            "{page}"
        );
        env.connectwise.reset().await;
    }
    // The check uses keys that were replaced a moment ago, not the cached ones.
    for (key, verdict) in [
        ("tbPrivateKey01", "good"),
        ("wrong", "broken"),
        ("tbPrivateKey01", "good"),
    ] {
        env.put_keys(key).await;
        let view = browser.get_json("check?now=true").await.expect(200).json();
        assert_eq!(view["verdict"], verdict, "{key}");
    }

    let other_partner = PartnerId::parse("other").unwrap();
    let mut other = env.setup.signed_in_at(&other_partner).await;
    let view = other.get_json("check?now=true").await.expect(200).json();
    assert_eq!(view["verdict"], "not_connected");
    let page = other.get("check").await.expect(200).text;
    assert!(page.contains("Nothing is connected yet"), "{page}");
}

#[tokio::test]
async fn a_missing_right_is_shown_until_it_is_granted() {
    let env = TestEnvironment::new().await;
    let missing = ["service_tickets.add", "table_setup.add"];
    env.set_fault("missing_rights", missing).await;
    for right in [missing[0], missing[1], "newer.right"] {
        env.config
            .breaker
            .add_missing_right(&partner(), right)
            .await
            .unwrap();
    }
    let mut browser = env.setup.signed_in().await;
    let view = browser.get_json("check?now=true").await.expect(200).json();
    assert_eq!(view["verdict"], "rights_missing");
    assert_eq!(view["off"].as_array().unwrap().len(), 1);
    let add = row(&view, rights::TICKETS_ADD);
    assert_eq!(
        (&add["status"], &add["need"]),
        (&json!("missing"), &json!("required"))
    );
    assert_eq!(
        add["place"],
        "System > Security Roles > the API member's role > Service Desk > Service Tickets: Add = All"
    );
    let right_issues = async || env.breaker().await.missing_rights;
    assert_eq!(right_issues().await.len(), 3, "no missing right is dropped");
    let due = Due::new(&env.aws, "config".into());
    let is_due = async || {
        let due = due.list(Schedule::Reconcile, Timestamp::now(), 10).await;
        due.unwrap().contains(&partner())
    };
    assert!(!is_due().await);

    env.set_fault("missing_rights", ["table_setup.add"]).await;
    let view = browser.get_json("check?now=true").await.expect(200).json();
    assert_eq!(view["verdict"], "limited");
    assert_eq!(
        view["off"],
        json!([
            "Boards cannot be created for you. Tickets can go to the API member's default board."
        ])
    );
    let left: Vec<_> = right_issues().await.into_iter().collect();
    assert_eq!(left, ["newer.right", "table_setup.add"]);
    assert!(is_due().await, "alerts blocked by the right are released");
}
