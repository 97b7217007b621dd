//! Mails about incidents: one when the integration breaks, with what to do, and one when it works
//! again.

use domain::alert::event::Severity;
use domain::closing::resolution_plan::Hold;
use domain::setup::mapping::Mapping;
use jiff::Timestamp;
use reqwest::Method;
use serde_json::json;
use store::HeldClosings;

use crate::environment::{
    COMPANY, OPERATIONS, TENANT, TestEnvironment, after, partner, raised_event, settings, tenant,
};
use crate::health::incident_test::{CONTACT, IncidentTest};
use crate::setup::approve_closings::hold_of;

pub(crate) const WORKS: &str = "Ticketbridge: working again (northwind)";

#[tokio::test]
async fn revoked_keys_are_notified_once_and_their_recovery_once() {
    let mut test = IncidentTest::new().await;
    test.minute().await;
    assert_eq!(test.subjects().await, [""; 0]);
    test.env.set_fault("keys", "revoked").await;
    for alert in ["a1", "a2", "a3"] {
        test.raise(alert).await;
    }
    assert_eq!(test.blocked().await, 3);
    let calls = test.env.connectwise.calls().await.len();
    test.minutes(2).await;
    let refused = "Ticketbridge: ConnectWise refuses the keys (northwind)";
    assert_eq!(test.subjects().await, [refused]);
    test.assert_text(&[
        "no alert of northwind has become a ticket",
        "What to do: check that the API member is active. If it is, create new keys for it",
        "3 alerts are blocked by it: Acme Dental (3). No alert is lost",
        "https://setup.example/setup/partners/northwind/overview\n",
        "https://setup.example/setup/link",
    ])
    .await;
    test.minutes(10).await;
    assert_eq!(test.subjects().await, [refused]);
    let calls = test.env.connectwise.calls().await.split_off(calls);
    let is_probe = |call: &String| call == "GET /company/companies";
    assert!(calls.iter().all(is_probe), "{calls:?}");
    assert!((10..=13).contains(&calls.len()), "{}", calls.len());

    test.env.set_fault("keys", "ok").await;
    test.minutes(2).await;
    assert_eq!(test.env.connectwise.tickets().await.len(), 3);
    assert_eq!(
        test.subjects().await,
        [refused],
        "the recovery may be brief"
    );
    test.minutes(5).await;
    assert_eq!(test.subjects().await, [refused, WORKS]);
    test.assert_text(&["3 alerts that were blocked by it have continued"])
        .await;
}

#[tokio::test]
async fn only_a_lasting_outage_is_notified() {
    let mut test = IncidentTest::new().await;
    test.env.set_fault("outage", true).await;
    test.minutes(2).await;
    test.env.set_fault("outage", false).await;
    test.minutes(3).await;
    assert_eq!(test.subjects().await, [""; 0]);

    test.env.set_fault("outage", true).await;
    test.make_due().await;
    test.minutes(2).await;
    assert_eq!(
        test.subjects().await,
        [""; 0],
        "not before the third failure"
    );
    test.minutes(12).await;
    let outage = "Ticketbridge: ConnectWise reports an error (northwind)";
    assert_eq!(test.subjects().await, [outage]);
    test.assert_text(&[
        "What to do: nothing if ConnectWise is down: it is tried again each minute.",
    ])
    .await;
    // The failure lasts longer than messages back off.
    test.minutes(4).await;
    test.raise("a1").await;
    assert_eq!(test.blocked().await, 1);
    test.env.set_fault("outage", false).await;
    test.minutes(6).await;
    assert_eq!(test.subjects().await, [outage, WORKS]);
    assert_eq!(test.env.connectwise.tickets().await.len(), 1);
    test.assert_text(&["1 alert that was blocked by it has continued"])
        .await;
}

#[tokio::test]
async fn redirects_and_html_pages_count_as_an_outage() {
    for (status, body) in [(302, "empty"), (404, "page"), (403, "page")] {
        let mut test = IncidentTest::new().await;
        let answer = json!({ "answer": { "status": status, "body": body } });
        let rules = json!({ "rules": [{ "then": answer }] });
        test.env.connectwise.set_faults(rules).await;
        test.minutes(2).await;
        assert_eq!(
            test.subjects().await,
            [""; 0],
            "{status}: maintenance of a minute"
        );
        test.minutes(2).await;
        let outage = "Ticketbridge: something else answers for ConnectWise (northwind)";
        assert_eq!(test.subjects().await, [outage], "{status}");
        let text = test.text().await;
        assert!(!text.contains("connect again"), "{text}");
        test.env.set_fault("rules", json!([])).await;
        test.minutes(6).await;
        assert_eq!(test.subjects().await, [outage, WORKS], "{status}");
    }
}

#[tokio::test]
async fn a_lasting_429_is_notified_without_traffic() {
    let mut test = IncidentTest::new().await;
    test.minute().await;
    let throttled = json!({ "all": true, "retry_after_seconds": 3600 });
    test.env.set_fault("throttle", throttled).await;
    test.raise("a1").await;
    assert_eq!(test.blocked().await, 1);
    let calls = test.env.connectwise.calls().await.len();
    test.minutes(20).await;
    let limited = "Ticketbridge: ConnectWise limits the rate of calls (northwind)";
    assert_eq!(test.subjects().await, [limited]);
    let text = test.text().await;
    assert!(
        text.contains("1 alert is blocked by it: Acme Dental (1)"),
        "{text}"
    );
    assert_eq!(
        test.env.connectwise.calls().await.len(),
        calls,
        "the pause still holds"
    );
}

#[tokio::test]
async fn an_open_incident_is_notified_once_a_day() {
    let mut test = IncidentTest::new().await;
    test.env.set_fault("keys", "revoked").await;
    test.minutes(2).await;
    for hour in [1, 5, 12, 23] {
        test.minutes = hour * 60;
        test.minutes(1).await;
    }
    assert_eq!(test.subjects().await.len(), 1);
    for day in [1, 2] {
        test.minutes = day * 24 * 60 + 5;
        test.minutes(3).await;
    }
    let refused = "ConnectWise refuses the keys (northwind)";
    assert_eq!(
        test.subjects().await,
        [
            format!("Ticketbridge: {refused}"),
            format!("Ticketbridge: still, {refused}"),
            format!("Ticketbridge: still, {refused}"),
        ]
    );
}

#[tokio::test]
async fn refused_client_ids_are_distinguished_from_refused_keys() {
    for (own, headline, to_do) in [
        (
            false,
            "ConnectWise refuses this service's clientId",
            "inform the operator of this service",
        ),
        (
            true,
            "ConnectWise refuses your own clientId",
            "check it at developer.connectwise.com",
        ),
    ] {
        let mut test = IncidentTest::new().await;
        if own {
            test.env
                .put_own_client_id("f5b0c9ae-0000-4000-8000-00000000dead")
                .await;
        } else {
            test.env.set_fault("client_id", "refused").await;
        }
        test.minutes(2).await;
        assert_eq!(
            test.subjects().await,
            [format!("Ticketbridge: {headline} (northwind)")]
        );
        let text = test.text().await;
        assert!(
            text.contains(to_do) && text.contains("keys are not the problem"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn only_a_missing_right_that_is_needed_is_notified() {
    let mut test = IncidentTest::new().await;
    let faults = json!({ "missing_rights": ["table_setup.add", "member_maintenance.inquire"] });
    test.env.connectwise.set_faults(faults).await;
    test.minutes(3).await;
    assert_eq!(test.subjects().await, [""; 0]);
    let faults = json!({ "missing_rights": ["service_tickets.add"] });
    test.env.connectwise.set_faults(faults).await;
    test.make_due().await;
    test.raise("a1").await;
    test.minutes(4).await;
    let missing = "Ticketbridge: a right is missing in ConnectWise (northwind)";
    assert_eq!(test.subjects().await, [missing]);
    test.assert_text(&[
        "needed for making tickets and their notes",
        "Service Desk > Service Tickets: Add = All",
        "1 alert is blocked by it: Acme Dental (1).",
    ])
    .await;
    test.env.set_fault("missing_rights", json!([])).await;
    test.minutes(6).await;
    assert_eq!(test.subjects().await, [missing, WORKS]);
    assert_eq!(test.env.connectwise.tickets().await.len(), 1);
}

#[tokio::test]
async fn a_deleted_board_is_notified_and_the_other_board_works() {
    let mut test = IncidentTest::new().await;
    let path = format!("/service/boards/{}", OPERATIONS.0);
    test.env.patch(&path, "name", "Renamed").await;
    test.minutes(2).await;
    assert_eq!(
        test.subjects().await,
        [""; 0],
        "another name is the same board"
    );
    test.env.delete(&path).await;
    test.raise("a1").await;
    test.make_due().await;
    test.minutes(12).await;
    let deleted = "Ticketbridge: a board cannot be used (northwind)";
    assert_eq!(test.subjects().await, [deleted]);
    test.assert_text(&[
        "The board for operations alerts cannot be used: it no longer exists",
        "1 alert is blocked by it",
        "under Boards",
    ])
    .await;
    let mut cyber = raised_event("e9", "c1", 0);
    cyber["data"]["kind"] = "ransomware_encryption".into();
    let messages = test.env.post_and_take(&[cyber]).await;
    test.env.worker.handle_at(messages, test.minutes).await;
    assert_eq!(test.env.connectwise.tickets().await.len(), 1);

    // The partner chooses another priority.
    let mut chosen = settings();
    chosen.operations = chosen.cyber_alerts.clone();
    test.env.put_settings(&chosen).await;
    test.minutes(6).await;
    assert_eq!(test.subjects().await, [deleted, WORKS]);
    assert_eq!(test.env.connectwise.tickets().await.len(), 2);
}

#[tokio::test]
async fn a_start_status_that_became_closing_is_notified() {
    let mut test = IncidentTest::new().await;
    let (board, start, _) = OPERATIONS;
    let path = format!("/service/boards/{board}/statuses/{start}");
    let closes =
        |closes: bool| Some(json!([{ "op": "replace", "path": "closedStatus", "value": closes }]));
    test.env
        .connectwise
        .call_as_technician(Method::PATCH, &path, closes(true))
        .await;
    test.minutes(12).await;
    let unfit = "Ticketbridge: a status cannot be used (northwind)";
    assert_eq!(test.subjects().await, [unfit]);
    test.assert_text(&["The status of new tickets for operations alerts cannot be used: it is a closed status now."]).await;
    test.env
        .connectwise
        .call_as_technician(Method::PATCH, &path, closes(false))
        .await;
    test.minutes(5).await;
    assert_eq!(test.subjects().await, [unfit, WORKS]);
}

#[tokio::test]
async fn a_deleted_priority_is_detected_within_three_probes() {
    let mut test = IncidentTest::new().await;
    let mut chosen = settings();
    chosen.priorities.insert(Severity::High, 999);
    test.env.put_settings(&chosen).await;
    for _ in 0..3 {
        test.minute().await;
        test.minutes += 15;
    }
    let deleted = "Ticketbridge: a priority was deleted (northwind)";
    assert_eq!(test.subjects().await, [deleted]);
}

#[tokio::test]
async fn a_deleted_company_is_named_and_other_tenants_work() {
    let mut test = IncidentTest::new().await;
    let other = Mapping {
        company: Some(302),
        enabled: true,
        name: Some("Baker <b>& Sons</b>".into()),
        ..Mapping::default()
    };
    let config = &test.env.config;
    config
        .tenants
        .put(&partner(), &tenant("baker"), &other)
        .await
        .unwrap();
    test.env
        .patch("/company/companies/302", "deletedFlag", true)
        .await;
    test.minutes(8).await;
    assert_eq!(
        test.subjects().await,
        ["Ticketbridge: the company of Baker <b>& Sons</b> cannot be used (northwind)"]
    );
    test.assert_text(&[
        "The ConnectWise company of Baker <b>& Sons</b> is deleted.",
        "Alerts that need them are blocked. Everything else works.",
        "under Tenants",
    ])
    .await;
    let html = test.env.account.mails().await[0]["BodyHtml"].to_string();
    assert!(
        !html.contains("<b>& Sons") && html.contains("&lt;b&gt;&amp; Sons"),
        "{html}"
    );
    test.raise("a1").await;
    assert_eq!(test.env.connectwise.tickets().await.len(), 1, "Acme's");

    // A second company is deleted: its notification follows an hour later and names what is new.
    let deleted = json!([{ "op": "replace", "path": "deletedFlag", "value": true }]);
    let acme = format!("/company/companies/{COMPANY}");
    test.env
        .connectwise
        .call_as_technician(Method::PATCH, &acme, Some(deleted))
        .await;
    test.minutes(30).await;
    assert_eq!(test.subjects().await.len(), 1);
    test.minutes = 70;
    test.minutes(20).await;
    assert_eq!(test.subjects().await.len(), 2);
    let text = test.text().await;
    assert!(
        text.contains("This is new. 1 earlier problem is still there."),
        "{text}"
    );
    assert!(text.contains("company of Acme Dental is deleted"), "{text}");
    assert!(!text.contains("Baker"), "{text}");
}

#[tokio::test]
async fn an_incident_is_notified_once_a_contact_is_set() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let health = env.health();
    let now = Timestamp::now();
    env.set_fault("keys", "revoked").await;
    env.schedule.make_health_due(now).await;
    for minute in 0..3 {
        let tick = env
            .schedule
            .tick_health(&health, after(now, minute * 61))
            .await;
        assert_eq!((tick.completed, tick.totals.mails), (1, 0));
    }
    let desired = json!({ "address": CONTACT, "mails": ["broken_connection"], "version": 0 });
    browser.post("contacts", &desired).await.expect(200);
    env.schedule.tick_health(&health, after(now, 250)).await;
    assert_eq!(env.account.mails().await.len(), 1, "only the confirmation");
    env.confirm_contact().await;
    env.schedule.tick_health(&health, after(now, 320)).await;
    let mails = env.account.mails().await;
    assert_eq!(mails.len(), 2);
    assert!(
        mails[1]["Subject"].as_str().unwrap().contains("keys"),
        "{mails:?}"
    );
}

#[tokio::test]
async fn held_closings_are_notified_once() {
    let mut test = IncidentTest::new().await;
    let config = test.env.config.clone();
    let (acme, now) = (tenant(TENANT), test.begun);
    let hold = async |hold: &Hold| {
        let holds = &config.closing_holds;
        holds.hold(&partner(), &acme, hold, now).await.unwrap()
    };
    assert!(hold(&hold_of(0, 42, 60)).await);
    test.minute().await;
    let held = "Ticketbridge: tickets were not closed, please check (northwind)";
    assert_eq!(test.subjects().await, [held]);
    test.assert_text(&[
        "none was closed",
        "42 of 60 alerts of Acme Dental would have counted as resolved at once",
        "approve the closings on the page",
    ])
    .await;
    let of = async || -> HeldClosings {
        config.closing_holds.get_held(&partner()).await.unwrap()[&acme].clone()
    };
    assert!(of().await.notified_at.is_some());
    // Counted again, it is the same hold.
    assert!(!hold(&hold_of(0, 44, 60)).await);
    for _ in 0..3 {
        test.make_due().await;
        test.minute().await;
    }
    assert_eq!(test.subjects().await, [held]);
    // Approved, and then more closings than that: a new hold.
    let shown = of().await;
    assert!(test.env.approve((&shown.digest, shown.since)).await);
    assert!(hold(&hold_of(0, 50, 60)).await);
    test.make_due().await;
    test.minute().await;
    assert_eq!(test.subjects().await, [held, held]);
}

#[tokio::test]
async fn the_page_shows_open_incidents_with_their_start() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let health = env.health();
    let now = Timestamp::now();
    env.run_health(&health, now).await;
    let page = browser.get("overview").await.expect(200).text;
    assert!(page.contains("Live: alerts become tickets."), "{page}");
    env.set_fault("keys", "revoked").await;
    env.run_health(&health, after(now, 60)).await;
    let page = browser.get("overview").await.expect(200).text;
    assert!(page.contains("ConnectWise refuses the keys"), "{page}");
    assert!(page.contains("since "), "{page}");
}

#[tokio::test]
async fn the_page_does_not_claim_that_one_customers_company_stops_all_tickets() {
    let env = TestEnvironment::new().await;
    let company = format!("/company/companies/{COMPANY}");
    env.patch(&company, "deletedFlag", true).await;
    env.run_health(&env.health(), Timestamp::now()).await;
    let mut browser = env.setup.signed_in().await;
    let page = browser.get("overview").await.expect(200).text;
    let words = "cannot be used: no tickets are created for";
    assert!(page.contains(words), "{page}");
    assert!(page.contains("Live: alerts become tickets, but"), "{page}");
    assert!(!page.contains("No tickets are created"), "{page}");
}
