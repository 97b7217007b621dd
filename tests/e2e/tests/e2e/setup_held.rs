//! Closings that were too many at once, on the page: shown, and let through by somebody who saw how many.

use domain::PartnerId;
use domain::key::ItemKey;
use domain::pipeline::Schedule;
use domain::plan::{AlertSet, Hold};
use domain::settings::Mapping;
use jiff::Timestamp;
use serde_json::{Value, json};
use store::{AuditEntry, HeldClosings};

use crate::setup_client::Browser;
use crate::ticks::after;
use crate::world::{TENANT, World, partner, tenant};

const SENTENCE: &str =
    "42 of 60 alerts of Acme Dental would have counted as resolved at once. Nothing was closed.";

impl World {
    /// Reconcile stops the seeded tenant's closings.
    async fn stop(&self, closings: u32, open: u32, now: Timestamp) {
        self.stop_others(0, closings, open, now).await;
    }

    /// The same, with alerts from this number on.
    async fn stop_others(&self, from: u32, closings: u32, open: u32, now: Timestamp) {
        let (northwind, acme) = (partner(), tenant(TENANT));
        let stop = hold_of(from, closings, open);
        let stop = self
            .config
            .closing_holds
            .hold(&northwind, &acme, &stop, now);
        stop.await.unwrap();
    }

    async fn held_now(&self) -> Option<HeldClosings> {
        let held = self
            .config
            .closing_holds
            .get_held(&partner())
            .await
            .unwrap();
        held.get(&tenant(TENANT)).cloned()
    }

    async fn approvals_in_history(&self) -> Vec<AuditEntry> {
        let page = self.access.audit.page(&partner(), None, 50).await.unwrap();
        let entries = page.entries.into_iter();
        entries
            .filter(|entry| entry.what == "closings_approved")
            .collect()
    }

    async fn is_due(&self, now: Timestamp) -> bool {
        let due = self.due().list(Schedule::Reconcile, now, 10).await.unwrap();
        due.contains(&partner())
    }
}

/// Numbered alerts that were never raised.
pub(crate) fn hold_of(from: u32, closings: u32, open: u32) -> Hold {
    let alerts = (from..from + closings).map(|n| format!("{:016x}-{n:032x}", 0));
    let alerts = alerts.map(|key| ItemKey::parse(&key).unwrap());
    Hold {
        closings,
        open,
        alerts: AlertSet::of(alerts),
    }
}

/// What the form of the one tenant has in it, as a browser would send it.
async fn form(browser: &mut Browser) -> Value {
    let view = browser.get_json("/setup").await.expect(200).json();
    let of = &view["held"][0];
    json!({ "tenant": of["tenant"], "digest": of["digest"], "since": of["since"] })
}

#[tokio::test]
async fn held_closings_are_shown_and_approved_once() {
    let world = World::new().await;
    let named = Mapping {
        name: Some("Acme Dental".into()),
        ..Mapping::default()
    };
    let (northwind, acme) = (partner(), tenant(TENANT));
    let put = world.config.tenants.put(&northwind, &acme, &named).await;
    put.unwrap();
    let mut browser = world.signed_in().await;
    let before = browser.get("/setup").await.expect(200).text;
    assert!(!before.contains("at once"), "{before}");

    let now = Timestamp::now();
    world.make_due(after(now, 900)).await;
    world.stop(42, 60, now).await;
    let page = browser.get("/setup").await.expect(200).text;
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

    assert!(!world.is_due(now).await);
    let fields = [("tenant", TENANT), ("digest", digest), ("since", since)];
    let done = browser.post_form("/setup/held", &fields).await;
    assert_eq!(
        done.expect(303).header("location"),
        "/setup?done=closings_approved"
    );
    let again = browser.post("/setup/held", &seen).await.expect(200);
    assert_eq!(again.json()["next"], "/setup?done=closings_approved");
    assert_eq!(world.held_now().await.unwrap().approved, Some(42));
    assert!(world.is_due(Timestamp::now()).await);
    let history = world.approvals_in_history().await;
    assert_eq!(history.len(), 1, "{history:?}");
    let detail: Vec<_> = history[0].detail.values().map(String::as_str).collect();
    assert_eq!(detail, ["42", "60", TENANT]);
    let page = browser
        .get("/setup?done=closings_approved")
        .await
        .expect(200);
    assert!(
        page.text
            .contains("You let 42 closings of Acme Dental through")
            && !page.text.contains("<section aria-label=\"Stopped"),
        "{}",
        page.text
    );
}

#[tokio::test]
async fn closings_held_since_the_page_was_shown_are_not_approved() {
    let world = World::new().await;
    let mut browser = world.signed_in().await;
    let now = Timestamp::now();
    world.stop(42, 60, now).await;
    let seen = form(&mut browser).await;

    world.stop(43, 60, after(now, 900)).await;
    let refused = browser.post("/setup/held", &seen).await.expect(409);
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("no longer the ones that you saw"),
        "{detail}"
    );
    // As many as were seen, and others.
    world.stop_others(1, 42, 60, after(now, 1000)).await;
    browser.post("/setup/held", &seen).await.expect(409);
    // Closings that were not shown cannot be approved.
    for digest in ["", "4294967295", "00000000000000000000000000000000"] {
        let mut invented = form(&mut browser).await;
        invented["digest"] = json!(digest);
        browser.post("/setup/held", &invented).await.expect(409);
    }
    assert_eq!(world.held_now().await.unwrap().approved, None);

    // Held, over, and held for other reasons: fewer, and not what was seen.
    let acme = tenant(TENANT);
    world
        .config
        .closing_holds
        .end(&partner(), &acme)
        .await
        .unwrap();
    let over = browser.post("/setup/held", &seen).await.expect(409);
    assert!(
        over.text.contains("no longer the ones that you saw"),
        "{}",
        over.text
    );
    world.stop(30, 60, after(now, 1800)).await;
    browser.post("/setup/held", &seen).await.expect(409);
    let since = seen["since"].as_str().unwrap();
    let digest = seen["digest"].as_str().unwrap();
    let fields = [("tenant", TENANT), ("digest", digest), ("since", since)];
    let page = browser.post_form("/setup/held", &fields).await;
    let page = page.expect(409).text;
    assert!(
        page.contains("It is different by now") && page.contains(r#"<a href="/setup">"#),
        "{page}"
    );
    assert_eq!(world.held_now().await.unwrap().approved, None);
    assert_eq!(world.approvals_in_history().await, []);
    assert!(!world.is_due(after(now, 3600)).await);

    // Fewer of the same are not what was seen either.
    let seen = form(&mut browser).await;
    world.stop(25, 60, after(now, 2700)).await;
    browser.post("/setup/held", &seen).await.expect(409);
    let seen = form(&mut browser).await;
    browser.post("/setup/held", &seen).await.expect(200);
    assert_eq!(world.held_now().await.unwrap().approved, Some(25));
    // More than that are held again, and shown again.
    world.stop(31, 60, after(now, 3600)).await;
    assert_eq!(world.held_now().await.unwrap().closings, 31);
    assert_eq!(world.held_now().await.unwrap().approved, None);
}

#[tokio::test]
async fn held_closings_of_another_partner_cannot_be_approved() {
    let world = World::new().await;
    let now = Timestamp::now();
    world.stop(42, 60, now).await;
    let contoso = PartnerId::parse("contoso").unwrap();
    let mut theirs = world.signed_in_at(&contoso).await;
    let page = theirs.get("/setup").await.expect(200).text;
    assert!(
        !page.contains(TENANT) && !page.contains("at once"),
        "{page}"
    );
    let mut ours = world.signed_in().await;
    let mut named = form(&mut ours).await;
    theirs.post("/setup/held", &named).await.expect(409);
    named["partner"] = json!(partner());
    theirs.post("/setup/held", &named).await.expect(409);
    let theirs = world.config.closing_holds.get_held(&contoso).await.unwrap();
    assert!(theirs.is_empty(), "{theirs:?}");
    assert_eq!(world.held_now().await.unwrap().approved, None);
    assert_eq!(world.approvals_in_history().await, []);
}
