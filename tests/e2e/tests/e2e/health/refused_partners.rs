//! ConnectWise refuses some writes while the connection works: one notification is sent, one alert of
//! the group is retried from time to time, and all of them continue once one is accepted.

use domain::{Blocked, Kind};
use serde_json::{Value, json};

use crate::environment::{COMPANY, TypeChildren, event, raised_event, settings};
use crate::health::incident_test::IncidentTest;
use crate::health::notifications::WORKS;

fn five() -> Vec<String> {
    (0..5).map(|n| format!("a{n}")).collect()
}

const TICKETS: &str = "/service/tickets";

#[tokio::test]
async fn a_newly_required_field_is_notified_and_retried_singly() {
    let mut test = IncidentTest::new().await;
    let required = |names: &[&str]| json!({ "required": { "on_create": names } });
    test.env
        .connectwise
        .set_faults(required(&["customFields/Site ID"]))
        .await;
    test.raise_all(&five(), |_| "Disk is full".into()).await;
    assert_eq!(
        (test.blocked().await, test.writes("POST", TICKETS).await),
        (5, 5)
    );
    // A repeat of a refused alert costs no call.
    test.hand(&[raised_event("again", "a1", 30)]).await;
    assert_eq!(test.writes("POST", TICKETS).await, 5);

    let retries = test.writes_in(70, "POST", TICKETS).await;
    assert!((3..=4).contains(&retries.len()), "{retries:?}");
    let refuses = "Ticketbridge: ConnectWise refuses to create tickets (northwind)";
    assert_eq!(test.subjects().await, [refuses]);
    test.assert_text(&[
        "- 5 alerts have no ticket (severity: medium), because ConnectWise refused the request. It says: \"The Site ID field is required.",
        "What to do: correct what ConnectWise reports",
    ])
    .await;

    test.env.connectwise.set_faults(required(&[])).await;
    let retries = test.writes_in(70, "POST", TICKETS).await;
    assert_eq!(retries.len(), 5);
    assert_eq!((test.open_tickets().await, test.blocked().await), (5, 0));
    assert_eq!(test.subjects().await, [refuses]);
}

#[tokio::test]
async fn a_demanded_subtype_is_sent_once_it_is_chosen() {
    let mut test = IncidentTest::new().await;
    let TypeChildren { subtype, item } = test.env.connectwise.add_type_children(22, 2203).await;
    let required = json!({ "on_create": ["subType", "item", "source"] });
    test.env.set_fault("required", required).await;
    test.raise_all(&five(), |_| "Disk is full".into()).await;
    let refused = test.env.record("a0").await.unwrap().blocked.unwrap().reason;
    let words = "The subType/id field is required.";
    assert!(
        matches!(&refused, Blocked::Rejected(said) if said.starts_with(words)),
        "{refused:?}"
    );

    let disk = Kind::parse("disk").unwrap();
    let mut own = settings();
    own.operations.subtypes = [(disk.clone(), subtype)].into();
    own.operations.items = [(disk, item)].into();
    own.source = Some(1);
    test.env.put_settings(&own).await;
    test.minutes(70).await;
    assert_eq!((test.open_tickets().await, test.blocked().await), (5, 0));
    for ticket in test.env.connectwise.tickets().await {
        let id = |member: &str| ticket[member]["id"].as_u64();
        assert_eq!(
            (id("subType"), id("item"), id("source")),
            (Some(subtype), Some(item), Some(1))
        );
    }
}

#[tokio::test]
async fn a_field_required_for_closing_is_notified_and_retried() {
    let mut test = IncidentTest::new().await;
    test.raise_all(&five(), |_| "Disk is full".into()).await;
    assert_eq!(test.open_tickets().await, 5);
    let required = |names: &[&str]| json!({ "required": { "on_close": names } });
    test.env
        .connectwise
        .set_faults(required(&["customFields/Cause"]))
        .await;
    test.resolve_all(&five()).await;
    assert_eq!(
        (test.blocked().await, test.writes("PATCH", TICKETS).await),
        (5, 5)
    );
    let retries = test.writes_in(70, "PATCH", TICKETS).await;
    assert!((3..=4).contains(&retries.len()), "{retries:?}");
    let refuses = "Ticketbridge: ConnectWise refuses to close tickets (northwind)";
    assert_eq!(test.subjects().await, [refuses]);
    let text = test.text().await;
    let said = "5 tickets that should be closed stay open (severity: medium), because ConnectWise refused the request.";
    assert!(text.contains(said), "{text}");
    test.env.connectwise.set_faults(required(&[])).await;
    test.minutes(70).await;
    assert_eq!((test.open_tickets().await, test.blocked().await), (0, 0));
    assert_eq!(test.subjects().await, [refuses]);
}

#[tokio::test]
async fn a_company_status_without_tickets_is_notified() {
    let mut test = IncidentTest::new().await;
    let set_status = async |test: &IncidentTest, status: u64| {
        let path = format!("/company/companies/{COMPANY}");
        test.env
            .patch(&path, "status", json!({ "id": status }))
            .await;
    };
    // The status's name is arbitrary: only its flag matters.
    set_status(&test, 4).await;
    test.raise_all(&five(), |_| "Disk is full".into()).await;
    let before = test.writes("POST", TICKETS).await;
    let retries = test.writes_in(60, "POST", TICKETS).await;
    assert!(retries.len() <= 1, "{retries:?}");
    assert_eq!((before, test.blocked().await), (5, 5));
    let subjects = test.subjects().await;
    assert_eq!(subjects.len(), 1, "{subjects:?}");
    assert!(
        subjects[0].contains("the company of Acme Dental"),
        "{subjects:?}"
    );
    set_status(&test, 1).await;
    test.minutes(30).await;
    assert_eq!((test.open_tickets().await, test.blocked().await), (5, 0));
    assert_eq!(test.subjects().await.len(), 2);
}

#[tokio::test]
async fn an_unexpectedly_refused_company_backs_off() {
    let mut test = IncidentTest::new().await;
    let refuses = json!({ "rules": [{
        "when": { "operations": ["create"] },
        "then": { "answer": { "status": 400, "body": { "custom": {
            "code": "InvalidObject", "message": "ticket object is invalid",
            "errors": [{ "code": "InvalidField", "message": "Company is on hold", "resource": "ticket", "field": "company/id" }],
        } } } },
    }] });
    test.env.connectwise.set_faults(refuses).await;
    test.raise_all(&five(), |_| "Disk is full".into()).await;
    let retries = test.writes_in(60, "POST", TICKETS).await;
    assert!(retries.len() <= 4, "{retries:?}");
    let subject =
        "Ticketbridge: ConnectWise refuses tickets for the company of Acme Dental (northwind)";
    assert_eq!(test.subjects().await, [subject]);
    test.assert_text(&[
        "ConnectWise refuses to create tickets for the company of Acme Dental. It says: \"Company is on hold\".",
        "For this reason 5 alerts have no ticket.",
        "under Tenants",
    ]).await;
    test.env.set_fault("rules", json!([])).await;
    test.minutes(70).await;
    assert_eq!((test.open_tickets().await, test.blocked().await), (5, 0));
    assert_eq!(test.subjects().await, [subject, WORKS]);
}

#[tokio::test]
async fn a_patch_without_effect_backs_off_and_is_notified() {
    for (operation, refuses) in [
        ("close", "ConnectWise refuses to close tickets"),
        (
            "priority",
            "ConnectWise refuses to change the priority of tickets",
        ),
    ] {
        let mut test = IncidentTest::new().await;
        let alerts = five();
        test.raise_all(&alerts, |_| "Disk is full".into()).await;
        let ignored =
            json!({ "rules": [{ "when": { "operations": [operation] }, "then": "ignored" }] });
        test.env.connectwise.set_faults(ignored).await;
        if operation == "close" {
            test.resolve_all(&alerts).await;
        } else {
            let worse = alerts.iter().map(|alert| {
                let mut worse = event("alert.updated", &format!("worse-{alert}"), alert, 5);
                worse["data"]["severity"] = "critical".into();
                worse
            });
            let worse: Vec<Value> = worse.collect();
            test.hand(&worse).await;
        }
        assert_eq!(
            (test.blocked().await, test.writes("PATCH", TICKETS).await),
            (5, 5)
        );
        let retries = test.writes_in(60, "PATCH", TICKETS).await;
        assert!((1..=4).contains(&retries.len()), "{operation}: {retries:?}");
        let subject = format!("Ticketbridge: {refuses} (northwind)");
        assert_eq!(test.subjects().await, [subject.as_str()]);
        test.assert_text(&["It reports success, but the tickets do not change."])
            .await;
        test.env.set_fault("rules", json!([])).await;
        test.minutes(70).await;
        assert_eq!(test.blocked().await, 0);
        assert_eq!(test.subjects().await, [subject.as_str(), WORKS]);
        let tickets = test.env.connectwise.tickets().await;
        let done = |ticket: &&Value| match operation {
            "close" => ticket["closedFlag"] == true,
            _ => ticket["priority"]["id"] == 31,
        };
        assert_eq!(tickets.iter().filter(done).count(), 5);
    }
}

#[tokio::test]
async fn a_firewall_refusal_blocks_only_its_own_alert() {
    let mut test = IncidentTest::new().await;
    let refuses = json!({ "rules": [{
        "when": { "operations": ["create"], "text": "UNION SELECT" },
        "then": { "answer": { "status": 400, "body": "json" } },
    }] });
    test.env.connectwise.set_faults(refuses).await;
    let alerts: Vec<String> = (0..21).map(|n| format!("a{n}")).collect();
    let title = |alert: &str| match alert {
        "a7" => "Query UNION SELECT was blocked".to_owned(),
        _ => "Disk is full".to_owned(),
    };
    test.raise_all(&alerts, title).await;
    assert_eq!((test.open_tickets().await, test.blocked().await), (20, 1));
    let retries = test.writes_in(70, "POST", TICKETS).await;
    assert!((3..=4).contains(&retries.len()), "{retries:?}");
    let refuses = "Ticketbridge: ConnectWise refuses to create tickets (northwind)";
    assert_eq!(test.subjects().await, [refuses]);
    test.assert_text(&[
        "1 alert has no ticket (severity: medium), because ConnectWise refused the request.",
    ])
    .await;
    // The source resolves the alert: nothing is left to do.
    test.resolve_all(&["a7".to_owned()]).await;
    test.minutes(40).await;
    assert_eq!(test.subjects().await, [refuses]);
    assert_eq!(test.blocked().await, 0);
}
