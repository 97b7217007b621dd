//! Held closings on the page: they are shown, and a person who saw their number approves them.

use domain::PartnerId;
use domain::alert::key::ItemKey;
use domain::closing::alert_set::AlertSet;
use domain::closing::resolution_plan::Hold;
use domain::monitoring::pipeline::Schedule;
use domain::setup::mapping::Mapping;
use jiff::Timestamp;
use serde_json::{Value, json};
use store::{AuditEntry, HeldClosings};

use crate::environment::{Browser, TENANT, TestEnvironment, after, partner, tenant};

const SENTENCE: &str =
    "42 of 60 tickets of Acme Dental would have been closed at once. None was closed.";

/// Holds closings of `TENANT`, as reconcile does.
async fn hold_closings(env: &TestEnvironment, closings: u32, open: u32, now: Timestamp) {
    hold_closings_from(env, 0, closings, open, now).await;
}

/// The same with alerts from the number `from` on.
async fn hold_closings_from(
    env: &TestEnvironment,
    from: u32,
    closings: u32,
    open: u32,
    now: Timestamp,
) {
    let (northwind, acme) = (partner(), tenant(TENANT));
    let stop = hold_of(from, closings, open);
    let stop = env.config.closing_holds.hold(&northwind, &acme, &stop, now);
    stop.await.unwrap();
}

async fn current_hold(env: &TestEnvironment) -> Option<HeldClosings> {
    let held = env.held_closings().await;
    held.get(&tenant(TENANT)).cloned()
}

async fn approvals_in_history(env: &TestEnvironment) -> Vec<AuditEntry> {
    let page = env.audit_page().await;
    let entries = page.entries.into_iter();
    entries
        .filter(|entry| entry.what == "closings_approved")
        .collect()
}

async fn is_due(env: &TestEnvironment, now: Timestamp) -> bool {
    let due = env
        .schedule
        .due
        .list(Schedule::Reconcile, now, 10)
        .await
        .unwrap();
    due.contains(&partner())
}

/// Numbered alerts that were never raised.
pub(crate) fn hold_of(from: u32, closings: u32, open: u32) -> Hold {
    let alerts = (from..from + closings).map(|n| format!("{:016x}-{n:032x}", 0));
    let alerts = alerts.map(|key| ItemKey::parse(&key).unwrap());
    Hold {
        closings,
        open,
        alerts: AlertSet::new(alerts),
    }
}

/// The form of the only held tenant, as a browser sends it.
async fn form(browser: &mut Browser) -> Value {
    let view = browser.get_json("overview").await.expect(200).json();
    let of = &view["held"][0];
    json!({ "tenant": of["tenant"], "digest": of["digest"], "since": of["since"] })
}

#[tokio::test]
async fn held_closings_are_shown_and_approved_once() {
    let env = TestEnvironment::new().await;
    let named = Mapping {
        name: Some("Acme Dental".into()),
        ..Mapping::default()
    };
    env.put_mapping(TENANT, &named).await;
    let mut browser = env.setup.signed_in().await;
    let before = browser.get("overview").await.expect(200).text;
    assert!(!before.contains("at once"), "{before}");

    let now = Timestamp::now();
    env.schedule.make_due(after(now, 900)).await;
    hold_closings(&env, 42, 60, now).await;
    let page = browser.get("overview").await.expect(200).text;
    assert!(page.contains(SENTENCE), "{page}");
    let seen = form(&mut browser).await;
    let since = seen["since"].as_str().unwrap();
    let digest = seen["digest"].as_str().unwrap();
    for field in [
        format!(r#"name="tenant" value="{TENANT}""#),
        format!(r#"name="digest" value="{digest}""#),
        format!(r#"name="since" value="{since}""#),
    ] {
        assert!(page.contains(&field), "{field} in {page}");
    }

    assert!(!is_due(&env, now).await);
    let fields = [("tenant", TENANT), ("digest", digest), ("since", since)];
    let done = browser.post_form("overview-closings", &fields).await;
    assert_eq!(
        done.expect(303).header("location"),
        "overview?done=closings_approved"
    );
    let again = browser.post("overview-closings", &seen).await.expect(200);
    assert_eq!(again.json()["next"], "overview?done=closings_approved");
    assert_eq!(current_hold(&env).await.unwrap().approved, Some(42));
    assert!(is_due(&env, Timestamp::now()).await);
    let history = approvals_in_history(&env).await;
    assert_eq!(history.len(), 1, "{history:?}");
    let detail: Vec<_> = history[0].detail.values().map(String::as_str).collect();
    assert_eq!(detail, ["42", "60", TENANT]);
    let page = browser
        .get("overview?done=closings_approved")
        .await
        .expect(200);
    assert!(
        page.text
            .contains("You approved 42 closings of Acme Dental")
            && !page.text.contains("<section aria-label=\"Held"),
        "{}",
        page.text
    );
}

#[tokio::test]
async fn closings_held_since_the_page_was_shown_are_not_approved() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let now = Timestamp::now();
    hold_closings(&env, 42, 60, now).await;
    let seen = form(&mut browser).await;

    hold_closings(&env, 43, 60, after(now, 900)).await;
    let refused = browser.post("overview-closings", &seen).await.expect(409);
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("no longer the ones that you saw"),
        "{detail}"
    );
    // As many as were shown, but others.
    hold_closings_from(&env, 1, 42, 60, after(now, 1000)).await;
    browser.post("overview-closings", &seen).await.expect(409);
    // Closings that were not shown cannot be approved.
    for digest in ["", "4294967295", "00000000000000000000000000000000"] {
        let mut invented = form(&mut browser).await;
        invented["digest"] = json!(digest);
        browser
            .post("overview-closings", &invented)
            .await
            .expect(409);
    }
    assert_eq!(current_hold(&env).await.unwrap().approved, None);

    // Held, ended, and held again: fewer closings, and not the shown ones.
    let acme = tenant(TENANT);
    env.config
        .closing_holds
        .end(&partner(), &acme)
        .await
        .unwrap();
    let over = browser.post("overview-closings", &seen).await.expect(409);
    assert!(
        over.text.contains("no longer the ones that you saw"),
        "{}",
        over.text
    );
    hold_closings(&env, 30, 60, after(now, 1800)).await;
    browser.post("overview-closings", &seen).await.expect(409);
    let since = seen["since"].as_str().unwrap();
    let digest = seen["digest"].as_str().unwrap();
    let fields = [("tenant", TENANT), ("digest", digest), ("since", since)];
    let page = browser.post_form("overview-closings", &fields).await;
    let page = page.expect(409).text;
    assert!(
        page.contains("This has changed meanwhile")
            && page.contains(r#"<a href="/setup/partners/northwind/overview">"#),
        "{page}"
    );
    assert_eq!(current_hold(&env).await.unwrap().approved, None);
    assert_eq!(approvals_in_history(&env).await, []);
    assert!(!is_due(&env, after(now, 3600)).await);

    // Fewer of the same closings do not match either.
    let seen = form(&mut browser).await;
    hold_closings(&env, 25, 60, after(now, 2700)).await;
    browser.post("overview-closings", &seen).await.expect(409);
    let seen = form(&mut browser).await;
    browser.post("overview-closings", &seen).await.expect(200);
    assert_eq!(current_hold(&env).await.unwrap().approved, Some(25));
    // More than that are held again, and shown again.
    hold_closings(&env, 31, 60, after(now, 3600)).await;
    assert_eq!(current_hold(&env).await.unwrap().closings, 31);
    assert_eq!(current_hold(&env).await.unwrap().approved, None);
}

#[tokio::test]
async fn held_closings_of_another_partner_cannot_be_approved() {
    let env = TestEnvironment::new().await;
    let now = Timestamp::now();
    hold_closings(&env, 42, 60, now).await;
    let contoso = PartnerId::parse("contoso").unwrap();
    let mut theirs = env.setup.signed_in_at(&contoso).await;
    let page = theirs.get("overview").await.expect(200).text;
    assert!(
        !page.contains(TENANT) && !page.contains("at once"),
        "{page}"
    );
    let mut ours = env.setup.signed_in().await;
    let mut named = form(&mut ours).await;
    theirs.post("overview-closings", &named).await.expect(409);
    named["partner"] = json!(partner());
    theirs.post("overview-closings", &named).await.expect(409);
    let theirs = env.config.closing_holds.get_held(&contoso).await.unwrap();
    assert!(theirs.is_empty(), "{theirs:?}");
    assert_eq!(current_hold(&env).await.unwrap().approved, None);
    assert_eq!(approvals_in_history(&env).await, []);
}
