//! A person is told when the integration is broken, once, with what to do, and once when it works again.

use domain::event::Severity;
use domain::settings::Mapping;
use jiff::Timestamp;
use reqwest::Method;
use scheduled::Driver;
use serde_json::{Value, json};
use store::HeldClosings;

use crate::hours::message;
use crate::setup_held::hold_of;
use crate::ticks::after;
use crate::world::{COMPANY, OPERATIONS, TENANT, World, event, partner, settings, tenant};

pub(crate) const CONTACT: &str = "anna@northwind.example";

/// A world in which somebody is told, and both schedules go on minute by minute.
pub(crate) struct Told {
    pub(crate) world: World,
    health: Driver<health::HealthJob>,
    reconcile: Driver<reconcile::ReconcileJob>,
    pub(crate) begun: Timestamp,
    pub(crate) minutes: i64,
}

impl Told {
    pub(crate) async fn new() -> Self {
        let world = World::new().await;
        world.set_contact(CONTACT).await;
        let acme = Mapping {
            company: Some(COMPANY),
            enabled: true,
            name: Some("Acme Dental".into()),
            ..Mapping::default()
        };
        let config = &world.config;
        config
            .tenants
            .put(&partner(), &tenant(TENANT), &acme)
            .await
            .unwrap();
        let begun = Timestamp::now();
        world.make_health_due(begun).await;
        Self {
            health: world.health(),
            reconcile: world.reconcile(),
            world,
            begun,
            minutes: 0,
        }
    }

    /// One minute: both ticks, and what they ask to be decided again.
    pub(crate) async fn minute(&mut self) {
        // Behind what was handed over at this minute.
        let at = after(self.begun, self.minutes * 60 + 30);
        self.world.try_out(&self.health, at).await;
        self.world.tick(&self.reconcile, at).await;
        let asked = self.world.asked_for().await;
        let messages = asked.iter().map(message).collect();
        let left = self.world.hand_over(messages, self.minutes).await;
        assert_eq!(left.len(), 0, "{left:?}");
        self.minutes += 1;
    }

    pub(crate) async fn minutes(&mut self, count: usize) {
        for _ in 0..count {
            self.minute().await;
        }
    }

    /// An alert of the mapped tenant, handed to `tickets` by now.
    pub(crate) async fn raise(&mut self, alert: &str) {
        let raised = [event("alert.raised", "e1", alert, 0)];
        let messages = self.world.taken(&raised).await;
        self.world.hand_over(messages, self.minutes).await;
    }

    /// The subjects of the mails so far.
    pub(crate) async fn subjects(&self) -> Vec<String> {
        let mails = self.world.mails().await;
        let subject = |mail: &Value| mail["Subject"].as_str().unwrap().to_owned();
        mails.iter().map(subject).collect()
    }

    /// The newest mail's text. Its HTML says the same.
    pub(crate) async fn text(&self) -> String {
        let mails = self.world.mails().await;
        let mail = mails.last().unwrap();
        assert_eq!(mail["To"], json!([CONTACT]));
        let (text, html) = (&mail["BodyText"], mail["BodyHtml"].as_str().unwrap());
        let text = text.as_str().unwrap().to_owned();
        let first = text.lines().next().unwrap();
        assert!(html.contains(first), "{first}\n{html}");
        text
    }

    pub(crate) async fn blocked(&self) -> usize {
        let blocked = self
            .world
            .alerts
            .lists
            .blocked_keys(&partner())
            .await
            .unwrap();
        blocked.len()
    }
}

pub(crate) const WORKS: &str = "Ticketbridge: working again (northwind)";

#[tokio::test]
async fn revoked_keys_are_told_once_in_an_episode_and_once_when_they_are_taken_again() {
    let mut notified = Told::new().await;
    notified.minute().await;
    assert_eq!(notified.subjects().await, [""; 0]);
    notified.world.faults(json!({ "keys": "revoked" })).await;
    for alert in ["a1", "a2", "a3"] {
        notified.raise(alert).await;
    }
    assert_eq!(notified.blocked().await, 3);
    let calls = notified.world.calls().await.len();
    notified.minutes(2).await;
    let refused = "Ticketbridge: ConnectWise refuses the keys (northwind)";
    assert_eq!(notified.subjects().await, [refused]);
    let text = notified.text().await;
    for said in [
        "no alert of northwind has become a ticket",
        "What to do: see that the API member is active. If it is, make new keys for it",
        "3 alerts are blocked by it: Acme Dental (3). No alert is lost",
        "https://setup.example/setup\n",
        "https://setup.example/setup/link",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
    notified.minutes(10).await;
    assert_eq!(notified.subjects().await, [refused]);
    let calls = notified.world.calls().await.split_off(calls);
    let is_probe = |call: &String| call == "GET /company/companies";
    assert!(calls.iter().all(is_probe), "{calls:?}");
    assert!((10..=13).contains(&calls.len()), "{}", calls.len());

    notified.world.faults(json!({ "keys": "ok" })).await;
    notified.minutes(2).await;
    assert_eq!(notified.world.all_tickets().await.len(), 3);
    assert_eq!(
        notified.subjects().await,
        [refused],
        "it may be back in a moment"
    );
    notified.minutes(5).await;
    assert_eq!(notified.subjects().await, [refused, WORKS]);
    let text = notified.text().await;
    assert!(
        text.contains("3 alerts that were blocked by it have continued"),
        "{text}"
    );
}

#[tokio::test]
async fn an_outage_is_told_when_it_lasts_and_not_when_it_is_over_in_a_moment() {
    let mut notified = Told::new().await;
    notified.world.faults(json!({ "outage": true })).await;
    notified.minutes(2).await;
    notified.world.faults(json!({ "outage": false })).await;
    notified.minutes(3).await;
    assert_eq!(notified.subjects().await, [""; 0]);

    notified.world.faults(json!({ "outage": true })).await;
    notified
        .world
        .make_health_due(after(notified.begun, notified.minutes * 60))
        .await;
    notified.minutes(2).await;
    assert_eq!(notified.subjects().await, [""; 0], "not before the third");
    notified.minutes(12).await;
    let outage = "Ticketbridge: ConnectWise is in trouble (northwind)";
    assert_eq!(notified.subjects().await, [outage]);
    let text = notified.text().await;
    assert!(
        text.contains("What to do: nothing, if ConnectWise is known to be down"),
        "{text}"
    );
    // It has been failing for longer than messages back off.
    notified.minutes(4).await;
    notified.raise("a1").await;
    assert_eq!(notified.blocked().await, 1);
    notified.world.faults(json!({ "outage": false })).await;
    notified.minutes(6).await;
    assert_eq!(notified.subjects().await, [outage, WORKS]);
    assert_eq!(notified.world.all_tickets().await.len(), 1);
    let text = notified.text().await;
    assert!(
        text.contains("1 alert that was blocked by it has continued"),
        "{text}"
    );
}

#[tokio::test]
async fn a_redirect_or_a_page_for_every_call_is_an_outage_and_nobody_is_told_to_connect_again() {
    for (status, body) in [(302, "empty"), (404, "page"), (403, "page")] {
        let mut notified = Told::new().await;
        let answer = json!({ "answer": { "status": status, "body": body } });
        let rules = json!({ "rules": [{ "then": answer }] });
        notified.world.faults(rules).await;
        notified.minutes(2).await;
        assert_eq!(
            notified.subjects().await,
            [""; 0],
            "{status}: maintenance of a minute"
        );
        notified.minutes(2).await;
        let outage = "Ticketbridge: something else answers for ConnectWise (northwind)";
        assert_eq!(notified.subjects().await, [outage], "{status}");
        let text = notified.text().await;
        assert!(!text.contains("connect again"), "{text}");
        notified.world.faults(json!({ "rules": [] })).await;
        notified.minutes(6).await;
        assert_eq!(notified.subjects().await, [outage, WORKS], "{status}");
    }
}

#[tokio::test]
async fn a_lasting_429_is_told_as_such_though_nobody_calls_for_an_hour() {
    let mut notified = Told::new().await;
    notified.minute().await;
    let throttled = json!({ "all": true, "retry_after_seconds": 3600 });
    notified
        .world
        .faults(json!({ "throttle": throttled }))
        .await;
    notified.raise("a1").await;
    assert_eq!(notified.blocked().await, 1);
    let calls = notified.world.calls().await.len();
    notified.minutes(20).await;
    let limited = "Ticketbridge: ConnectWise limits the rate of calls (northwind)";
    assert_eq!(notified.subjects().await, [limited]);
    let text = notified.text().await;
    assert!(
        text.contains("1 alert waits for it: Acme Dental (1)"),
        "{text}"
    );
    assert_eq!(
        notified.world.calls().await.len(),
        calls,
        "the pause is kept"
    );
}

#[tokio::test]
async fn a_day_later_it_is_told_again_and_in_between_it_is_not() {
    let mut notified = Told::new().await;
    notified.world.faults(json!({ "keys": "revoked" })).await;
    notified.minutes(2).await;
    for hour in [1, 5, 12, 23] {
        notified.minutes = hour * 60;
        notified.minutes(1).await;
    }
    assert_eq!(notified.subjects().await.len(), 1);
    for day in [1, 2] {
        notified.minutes = day * 24 * 60 + 5;
        notified.minutes(3).await;
    }
    let refused = "ConnectWise refuses the keys (northwind)";
    assert_eq!(
        notified.subjects().await,
        [
            format!("Ticketbridge: {refused}"),
            format!("Ticketbridge: still, {refused}"),
            format!("Ticketbridge: still, {refused}"),
        ]
    );
}

#[tokio::test]
async fn the_partners_own_client_id_and_the_operators_are_told_apart_from_keys() {
    for (own, headline, to_do) in [
        (
            false,
            "ConnectWise refuses this service's clientId",
            "tell the operator of this service",
        ),
        (
            true,
            "ConnectWise refuses your own clientId",
            "check it at developer.connectwise.com",
        ),
    ] {
        let mut notified = Told::new().await;
        if own {
            notified
                .world
                .put_own_client_id("f5b0c9ae-0000-4000-8000-00000000dead")
                .await;
        } else {
            notified
                .world
                .faults(json!({ "client_id": "refused" }))
                .await;
        }
        notified.minutes(2).await;
        assert_eq!(
            notified.subjects().await,
            [format!("Ticketbridge: {headline} (northwind)")]
        );
        let text = notified.text().await;
        assert!(
            text.contains(to_do) && text.contains("keys are not the problem"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_missing_right_is_named_and_one_that_nothing_needs_is_not() {
    let mut notified = Told::new().await;
    let faults = json!({ "missing_rights": ["table_setup.add", "member_maintenance.inquire"] });
    notified.world.faults(faults).await;
    notified.minutes(3).await;
    assert_eq!(notified.subjects().await, [""; 0]);
    let faults = json!({ "missing_rights": ["service_tickets.add"] });
    notified.world.faults(faults).await;
    notified
        .world
        .make_health_due(after(notified.begun, notified.minutes * 60))
        .await;
    notified.raise("a1").await;
    notified.minutes(4).await;
    let missing = "Ticketbridge: a right is missing in ConnectWise (northwind)";
    assert_eq!(notified.subjects().await, [missing]);
    let text = notified.text().await;
    for said in [
        "needed for making tickets and their notes",
        "Service Desk > Service Tickets: Add = All",
        "1 alert waits for it: Acme Dental (1).",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
    notified.world.faults(json!({ "missing_rights": [] })).await;
    notified.minutes(6).await;
    assert_eq!(notified.subjects().await, [missing, WORKS]);
    assert_eq!(notified.world.all_tickets().await.len(), 1);
}

#[tokio::test]
async fn a_deleted_board_is_told_once_and_the_other_boards_tickets_go_on() {
    let mut notified = Told::new().await;
    let path = format!("/service/boards/{}", OPERATIONS.0);
    let renamed = json!([{ "op": "replace", "path": "name", "value": "Renamed" }]);
    notified
        .world
        .technician(Method::PATCH, &path, Some(renamed))
        .await;
    notified.minutes(2).await;
    assert_eq!(
        notified.subjects().await,
        [""; 0],
        "another name is the same board"
    );
    notified.world.technician(Method::DELETE, &path, None).await;
    notified.raise("a1").await;
    notified
        .world
        .make_health_due(after(notified.begun, notified.minutes * 60))
        .await;
    notified.minutes(12).await;
    let gone = "Ticketbridge: a board cannot be used (northwind)";
    assert_eq!(notified.subjects().await, [gone]);
    let text = notified.text().await;
    for said in [
        "The board for operations alerts cannot be used: it is gone",
        "1 alert waits for it",
        "under Boards",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
    let mut cyber = event("alert.raised", "e9", "c1", 0);
    cyber["data"]["kind"] = "ransomware_encryption".into();
    let messages = notified.world.taken(&[cyber]).await;
    notified.world.hand_over(messages, notified.minutes).await;
    assert_eq!(notified.world.all_tickets().await.len(), 1);

    // The partner chooses another one.
    let mut chosen = settings();
    chosen.operations = chosen.cyber_alerts.clone();
    notified
        .world
        .config
        .settings
        .put(&partner(), &chosen)
        .await
        .unwrap();
    notified.minutes(6).await;
    assert_eq!(notified.subjects().await, [gone, WORKS]);
    assert_eq!(notified.world.all_tickets().await.len(), 2);
}

#[tokio::test]
async fn a_start_status_that_became_a_closing_one_is_told_and_mended() {
    let mut notified = Told::new().await;
    let (board, start, _) = OPERATIONS;
    let path = format!("/service/boards/{board}/statuses/{start}");
    let closes =
        |closes: bool| Some(json!([{ "op": "replace", "path": "closedStatus", "value": closes }]));
    notified
        .world
        .technician(Method::PATCH, &path, closes(true))
        .await;
    notified.minutes(12).await;
    let unfit = "Ticketbridge: a status cannot be used (northwind)";
    assert_eq!(notified.subjects().await, [unfit]);
    let text = notified.text().await;
    assert!(
        text.contains("The status of new tickets for operations alerts cannot be used: it counts as closed by now."),
        "{text}"
    );
    notified
        .world
        .technician(Method::PATCH, &path, closes(false))
        .await;
    notified.minutes(5).await;
    assert_eq!(notified.subjects().await, [unfit, WORKS]);
}

#[tokio::test]
async fn a_priority_that_is_gone_is_seen_within_three_probes() {
    let mut notified = Told::new().await;
    let mut chosen = settings();
    chosen.priorities.insert(Severity::High, 999);
    notified
        .world
        .config
        .settings
        .put(&partner(), &chosen)
        .await
        .unwrap();
    for _ in 0..3 {
        notified.minute().await;
        notified.minutes += 15;
    }
    let gone = "Ticketbridge: a priority was deleted (northwind)";
    assert_eq!(notified.subjects().await, [gone]);
}

#[tokio::test]
async fn a_tenants_company_that_is_deleted_is_told_by_its_name_and_the_others_go_on() {
    let mut notified = Told::new().await;
    let other = Mapping {
        company: Some(302),
        enabled: true,
        name: Some("Baker <b>& Sons</b>".into()),
        ..Mapping::default()
    };
    let config = &notified.world.config;
    config
        .tenants
        .put(&partner(), &tenant("baker"), &other)
        .await
        .unwrap();
    let deleted = json!([{ "op": "replace", "path": "deletedFlag", "value": true }]);
    notified
        .world
        .technician(Method::PATCH, "/company/companies/302", Some(deleted))
        .await;
    notified.minutes(8).await;
    assert_eq!(
        notified.subjects().await,
        ["Ticketbridge: the company of Baker <b>& Sons</b> cannot be used (northwind)"]
    );
    let text = notified.text().await;
    for said in [
        "The ConnectWise company of Baker <b>& Sons</b> is deleted.",
        "Alerts that need them wait. Everything else works.",
        "under Tenants",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
    let html = notified.world.mails().await[0]["BodyHtml"].to_string();
    assert!(
        !html.contains("<b>& Sons") && html.contains("&lt;b&gt;&amp; Sons"),
        "{html}"
    );
    notified.raise("a1").await;
    assert_eq!(notified.world.all_tickets().await.len(), 1, "Acme's");

    // Somebody else's is gone too: it is told when an hour has passed, with what is new.
    let deleted = json!([{ "op": "replace", "path": "deletedFlag", "value": true }]);
    let acme = format!("/company/companies/{COMPANY}");
    notified
        .world
        .technician(Method::PATCH, &acme, Some(deleted))
        .await;
    notified.minutes(30).await;
    assert_eq!(notified.subjects().await.len(), 1);
    notified.minutes = 70;
    notified.minutes(20).await;
    assert_eq!(notified.subjects().await.len(), 2);
    let text = notified.text().await;
    assert!(
        text.contains("This is new. 1 earlier problem is still there."),
        "{text}"
    );
    assert!(text.contains("company of Acme Dental is deleted"), "{text}");
    assert!(!text.contains("Baker"), "{text}");
}

#[tokio::test]
async fn trouble_that_nobody_could_be_told_of_is_told_when_there_is_a_contact() {
    let world = World::new().await;
    let mut browser = world.signed_in().await;
    let health = world.health();
    let now = Timestamp::now();
    world.faults(json!({ "keys": "revoked" })).await;
    world.make_health_due(now).await;
    for minute in 0..3 {
        let tick = world.try_out(&health, after(now, minute * 61)).await;
        assert_eq!((tick.completed, tick.totals.mails), (1, 0));
    }
    let desired = json!({ "address": CONTACT, "version": 0 });
    browser.post("/setup/contact", &desired).await.expect(200);
    world.try_out(&health, after(now, 250)).await;
    assert_eq!(world.mails().await.len(), 1, "the confirmation alone");
    world.confirm_contact().await;
    world.try_out(&health, after(now, 320)).await;
    let mails = world.mails().await;
    assert_eq!(mails.len(), 2);
    assert!(
        mails[1]["Subject"].as_str().unwrap().contains("keys"),
        "{mails:?}"
    );
}

#[tokio::test]
async fn closings_that_were_stopped_are_told_once() {
    let mut notified = Told::new().await;
    let config = notified.world.config.clone();
    let (acme, now) = (tenant(TENANT), notified.begun);
    assert!(
        config
            .closing_holds
            .hold(&partner(), &acme, &hold_of(0, 42, 60), now)
            .await
            .unwrap()
    );
    notified.minute().await;
    let held = "Ticketbridge: tickets were not closed, please check (northwind)";
    assert_eq!(notified.subjects().await, [held]);
    let text = notified.text().await;
    for said in [
        "none was closed",
        "42 of 60 alerts of Acme Dental would have counted as resolved at once",
        "approve the closings on the page",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
    let of = async || -> HeldClosings {
        config.closing_holds.get_held(&partner()).await.unwrap()[&acme].clone()
    };
    assert!(of().await.notified_at.is_some());
    // Counted anew, it is the same stop.
    assert!(
        !config
            .closing_holds
            .hold(&partner(), &acme, &hold_of(0, 44, 60), now)
            .await
            .unwrap()
    );
    for _ in 0..3 {
        notified
            .world
            .make_health_due(after(notified.begun, notified.minutes * 60))
            .await;
        notified.minute().await;
    }
    assert_eq!(notified.subjects().await, [held]);
    // Let through, and then more than that: another stop.
    let shown = of().await;
    let (northwind, shown) = (partner(), (shown.digest.as_str(), shown.since));
    let approved = config
        .closing_holds
        .approve(&northwind, &acme, shown, Timestamp::now());
    assert!(approved.await.unwrap());
    assert!(
        config
            .closing_holds
            .hold(&partner(), &acme, &hold_of(0, 50, 60), now)
            .await
            .unwrap()
    );
    notified
        .world
        .make_health_due(after(notified.begun, notified.minutes * 60))
        .await;
    notified.minute().await;
    assert_eq!(notified.subjects().await, [held, held]);
}

#[tokio::test]
async fn the_page_says_since_when_and_what_is_wrong() {
    let world = World::new().await;
    let mut browser = world.signed_in().await;
    let health = world.health();
    let now = Timestamp::now();
    world.make_health_due(now).await;
    world.try_out(&health, now).await;
    let page = browser.get("/setup").await.expect(200).text;
    assert!(page.contains("Live: alerts become tickets."), "{page}");
    world.faults(json!({ "keys": "revoked" })).await;
    world.make_health_due(after(now, 60)).await;
    world.try_out(&health, after(now, 60)).await;
    let page = browser.get("/setup").await.expect(200).text;
    assert!(page.contains("ConnectWise refuses the keys"), "{page}");
    assert!(page.contains("since "), "{page}");
}
