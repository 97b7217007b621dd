//! The audit log: each change by a person leaves an entry for each partner that it concerns.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use connectwise_sim::{Seed, Simulator};
use domain::alert::fold::fold;
use domain::alert::kind::Category;
use domain::alert::record::{ClosedBy, Record};
use domain::alert::test_alert;
use domain::wire::message::QuarantineEntry;
use domain::{Blocked, Kind, PartnerId, SourceId};
use jiff::Timestamp;
use serde_json::{Value, json};
use setup::RouteAccess;

use crate::environment::{
    Answer, Browser, COMPANY, Lambda, PARTNER, TENANT, TestEnvironment, key, partner, tenant,
};
use crate::setup::approve_closings::hold_of;
use crate::setup::existing_tickets::ticket_form;

/// A second partner of the same operator.
const OTHER: &str = "contoso";

/// A tour through all routes, and the audit entries that each call left.
struct AuditedRoutes {
    env: TestEnvironment,
    lambda: Lambda,
    /// A second simulated site.
    elsewhere: Simulator,
    browser: Browser,
    /// The number of entries of each partner.
    seen: BTreeMap<&'static str, usize>,
    used: BTreeSet<(String, &'static str)>,
}

impl AuditedRoutes {
    async fn begin() -> Self {
        let elsewhere = Simulator::start(Seed::demo(), ([127, 0, 0, 1], 0).into());
        let elsewhere = elsewhere.await.unwrap();
        let mut env = TestEnvironment::with_origins(Seed::demo(), &[elsewhere.base_url()]).await;
        let lambda = env.start_lambda(202).await;
        let browser = env.setup.browser();
        Self {
            env,
            lambda,
            elsewhere,
            browser,
            seen: BTreeMap::from([(PARTNER, 0), (OTHER, 0)]),
            used: BTreeSet::new(),
        }
    }

    /// Calls a route as the operator. `{partner}` and `{source}` stand for `value`.
    async fn operator(
        &mut self,
        method: &str,
        route: &'static str,
        (id, body): (&str, Value),
        left: &[(&str, &str)],
    ) -> Answer {
        let path = route.replace("{partner}", id).replace("{source}", id);
        let path = path.replace("{window}", "patch-night");
        let answer = self.env.setup.operator(method, &path, &body).await;
        self.left(method, route, answer, left).await
    }

    /// Posts to a route of the page.
    async fn post(&mut self, route: &'static str, body: Value, left: &[&str]) -> Value {
        let answer = self.browser.post(route, &body).await;
        let left: Vec<_> = left.iter().map(|what| (PARTNER, *what)).collect();
        self.left("POST", route, answer, &left).await.json()
    }

    /// Posts to a route whose address has a query.
    async fn post_to(&mut self, route: &'static str, query: &str, left: &[&str]) {
        let path = format!("{route}?{query}");
        let answer = self.browser.post(&path, &json!({})).await;
        let left: Vec<_> = left.iter().map(|what| (PARTNER, *what)).collect();
        self.left("POST", route, answer, &left).await;
    }

    /// A page's JSON.
    async fn view(&mut self, path: &str) -> Value {
        self.browser.get_json(path).await.expect(200).json()
    }

    async fn left(
        &mut self,
        method: &str,
        route: &'static str,
        answer: Answer,
        expected: &[(&str, &str)],
    ) -> Answer {
        assert!(answer.status < 300, "{method} {route}: {answer:?}");
        self.used.insert((method.to_owned(), route));
        let mut left = vec![];
        for (partner, seen) in &mut self.seen {
            let id = PartnerId::parse(*partner).unwrap();
            let page = self.env.access.audit.page(&id, None, 100).await.unwrap();
            let new = page.entries.len() - *seen;
            *seen = page.entries.len();
            let new = page.entries.into_iter().take(new).rev();
            left.extend(new.map(|entry| (*partner, entry.what)));
        }
        let mut expected = expected.to_vec();
        expected.sort_by_key(|(partner, _)| *partner);
        let left: Vec<_> = left
            .iter()
            .map(|(partner, what)| (*partner, what.as_str()))
            .collect();
        assert_eq!(left, expected, "{method} {route}");
        answer
    }
}

async fn by_the_operator(routes: &mut AuditedRoutes) {
    const PARTNERS: &str = "/v1/operator/partners/{partner}";
    const SOURCE: &str = "/v1/operator/sources/{source}";
    let named = json!({ "name": "Contoso IT" });
    for (id, body, what) in [
        (PARTNER, json!({ "name": "Northwind" }), "partner_made"),
        (OTHER, named.clone(), "partner_made"),
        (OTHER, json!({ "name": "Contoso" }), "partner_changed"),
        (OTHER, json!({ "enabled": false }), "partner_switched_off"),
        (OTHER, json!({ "enabled": true }), "partner_switched_on"),
    ] {
        routes
            .operator("PUT", PARTNERS, (id, body), &[(id, what)])
            .await;
    }
    let contacts = "/v1/operator/partners/{partner}/contacts";
    let oncall = json!({ "address": "oncall@contoso.example", "mails": ["broken_connection"] });
    let only = json!({ "contacts": [oncall] });
    for left in [&[(OTHER, "contacts_set")][..], &[]] {
        routes
            .operator("PUT", contacts, (OTHER, only.clone()), left)
            .await;
    }
    maintenance_by_the_operator(routes).await;
    // A call that changes nothing leaves no entry.
    let same = (OTHER, json!({ "enabled": true }));
    routes.operator("PUT", PARTNERS, same, &[]).await;

    let both = |what| [(PARTNER, what), (OTHER, what)];
    let made = json!({ "name": "Scanner", "partners": [PARTNER, OTHER] });
    let path = "/v1/operator/sources";
    let made = routes
        .operator("POST", path, ("", made), &both("source_made"))
        .await;
    let made = made.json();
    let id = made["id"].as_str().unwrap();
    for (body, left) in [
        (json!({ "name": "Scanner 2" }), both("source_changed")),
        (json!({ "enabled": false }), both("source_changed")),
        (
            json!({ "partner": OTHER, "enabled": true }),
            [(PARTNER, "source_taken_away"), (OTHER, "source_changed")],
        ),
        (
            json!({ "partner": PARTNER }),
            [(PARTNER, "source_added"), (OTHER, "source_taken_away")],
        ),
        (
            json!({ "partners": [PARTNER, OTHER] }),
            [(PARTNER, "source_changed"), (OTHER, "source_added")],
        ),
    ] {
        routes.operator("PATCH", SOURCE, (id, body), &left).await;
    }
    let rotated = both("source_secret_rotated");
    routes
        .operator(
            "POST",
            "/v1/operator/sources/{source}/secret",
            (id, json!({})),
            &rotated,
        )
        .await;
    webhook_by_the_operator(routes, id).await;
    let path = "/v1/operator/partners/{partner}/tenants";
    let tenants = json!({ "source": id, "tenants": [{ "id": "cedar", "name": "Cedar" }] });
    for left in [&[(PARTNER, "tenants_listed")][..], &[]] {
        let body = (PARTNER, tenants.clone());
        routes.operator("PUT", path, body, left).await;
    }
    let connection = routes.env.access.connections.get(&partner()).await;
    let connection = connection.unwrap().value.unwrap();
    let renamed = json!({ "id": "cedar", "name": "Cedar Ltd", "enabled": false });
    let configuration = json!({
        "connectwise": { "origin": connection.origin, "company_id": connection.company_id },
        "tenants": [renamed],
    });
    for left in [&[(PARTNER, "configuration_imported")][..], &[]] {
        let path = "/v1/operator/partners/{partner}/configuration";
        let body = (PARTNER, configuration.clone());
        routes.operator("PUT", path, body, left).await;
    }
    let tried = json!({ "preset": "generic", "samples": ["{}"] });
    routes
        .operator("POST", "/v1/operator/preview", ("", tried), &[])
        .await;
    let allowed = json!({ "manages_sources": true });
    let changed = [(PARTNER, "partner_changed")];
    routes
        .operator("PUT", PARTNERS, (PARTNER, allowed), &changed)
        .await;
    let ended = [(OTHER, "sessions_ended")];
    let path = "/v1/operator/partners/{partner}/sessions";
    routes
        .operator("DELETE", path, (OTHER, Value::Null), &ended)
        .await;

    let path = "/v1/operator/partners/{partner}/links";
    let made = [(PARTNER, "link_made")];
    let link = routes
        .operator("POST", path, (PARTNER, json!({})), &made)
        .await;
    let link = link.json()["url"].as_str().unwrap().to_owned();
    let (_, token) = link.split_once('#').unwrap();
    routes
        .post(
            "/setup/session",
            json!({ "token": token }),
            &["session_began"],
        )
        .await;
}

/// Sets a webhook, rotates its secret, tests it, replays the test and removes it.
async fn webhook_by_the_operator(routes: &mut AuditedRoutes, id: &str) {
    const WEBHOOK: &str = "/v1/operator/sources/{source}/webhook";
    let both = |what| [(PARTNER, what), (OTHER, what)];
    let private = json!({ "url": "https://10.0.0.1/hooks" });
    let path = WEBHOOK.replace("{source}", id);
    let refused = routes.env.setup.operator("PUT", &path, &private).await;
    assert_eq!(refused.status, 422);
    let set = both("source_webhook_set");
    let url = json!({ "url": "https://hooks.example.com/tickets" });
    let made = routes
        .operator("PUT", WEBHOOK, (id, url.clone()), &set)
        .await
        .json();
    let secret = made["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("whsec_"));
    let again = routes
        .operator("PUT", WEBHOOK, (id, url), &set)
        .await
        .json();
    assert_eq!(again["secret"], Value::Null, "it is shown once");
    assert_eq!(again["takes_actions"], false);
    for (takes_actions, what) in [
        (true, "source_actions_allowed"),
        (false, "source_actions_denied"),
    ] {
        let changed = [both("source_webhook_set"), both(what)].concat();
        let body =
            json!({ "url": "https://hooks.example.com/tickets", "takes_actions": takes_actions });
        let now = routes
            .operator("PUT", WEBHOOK, (id, body), &changed)
            .await
            .json();
        assert_eq!(now["takes_actions"], takes_actions);
    }
    let path = "/v1/operator/sources/{source}/webhook/secret";
    let rotated = both("source_webhook_secret_rotated");
    let rotated = routes
        .operator("POST", path, (id, json!({})), &rotated)
        .await
        .json();
    assert_ne!(rotated["secret"], secret);
    assert_eq!(rotated["secrets_until"].as_array().unwrap().len(), 2);
    let path = "/v1/operator/sources/{source}/webhook/ping";
    let tested = both("source_webhook_tested");
    let ping = routes
        .operator("POST", path, (id, json!({})), &tested)
        .await
        .json();
    let path = format!("/v1/operator/sources/{id}/deliveries?state=pending");
    let log = routes
        .env
        .setup
        .operator("GET", &path, &json!({}))
        .await
        .json();
    assert_eq!(log["deliveries"][0]["id"], ping["delivery"]);
    assert_eq!(log["deliveries"][0]["type"], "ping");
    let path = "/v1/operator/sources/{source}/deliveries/replay";
    let replayed = both("deliveries_replayed");
    let one = json!({ "delivery": ping["delivery"] });
    let answer = routes
        .operator("POST", path, (id, one), &replayed)
        .await
        .json();
    assert_eq!(answer["replayed"], 0, "it is pending already");
    let removed = both("source_webhook_removed");
    routes
        .operator("DELETE", WEBHOOK, (id, json!({})), &removed)
        .await;
}

async fn maintenance_by_the_operator(routes: &mut AuditedRoutes) {
    const ALL: &str = "/v1/operator/partners/{partner}/maintenance-windows";
    const ONE: &str = "/v1/operator/partners/{partner}/maintenance-windows/{window}";
    const END: &str = "/v1/operator/partners/{partner}/maintenance-windows/{window}/end";
    let now = Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .datetime();
    let window = json!({
        "name": "Patch night", "zone": "UTC", "starts": now.to_string(), "repeats": { "kind": "once" },
    });
    for (method, route, body, left) in [
        ("POST", ALL, window.clone(), Some("maintenance_saved")),
        ("PUT", ONE, window.clone(), Some("maintenance_saved")),
        ("PUT", ONE, window, None),
        ("POST", END, json!({}), Some("maintenance_ended")),
        ("POST", END, json!({}), None),
        ("DELETE", ONE, json!({}), Some("maintenance_deleted")),
        ("DELETE", ONE, json!({}), None),
    ] {
        let left: Vec<_> = left.map(|what| (OTHER, what)).into_iter().collect();
        routes.operator(method, route, (OTHER, body), &left).await;
    }
}

async fn maintenance(routes: &mut AuditedRoutes) {
    let now = Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .datetime();
    let form = json!({
        "name": "Patch night", "zone": "UTC", "starts": now.strftime("%Y-%m-%dT%H:%M").to_string(),
        "hours": "2", "repeats": "once",
    });
    let preview = routes.post("maintenance-preview", form.clone(), &[]).await;
    assert_eq!(preview["preview"].as_array().unwrap().len(), 1, "{preview}");
    routes
        .post("maintenance", form, &["maintenance_saved"])
        .await;
    let view = routes.view("maintenance").await;
    let window = json!({ "window": view["windows"][0]["id"] });
    assert_eq!(view["windows"][0]["is_running"], true, "{view}");
    routes
        .post("maintenance-end", window.clone(), &["maintenance_ended"])
        .await;
    routes
        .post("maintenance-delete", window, &["maintenance_deleted"])
        .await;
}

async fn of_the_connection(routes: &mut AuditedRoutes) {
    let (here, elsewhere) = (routes.env.connectwise.origin(), routes.elsewhere.base_url());
    for (site, what) in [
        (&here, "keys_replaced"),
        (&elsewhere, "connection_moved"),
        (&here, "connection_moved"),
    ] {
        let version = routes.view("connection").await["version"].clone();
        let body = json!({
            "site": site, "company_id": "tbdemo", "public_key": "tbPublicKey01", "private_key": "tbPrivateKey01", "drop_choices": true,
            "version": version,
        });
        routes.post("connection", body, &[what]).await;
    }
    let page = routes.env.audit_page().await;
    let detail = &page.entries[0].detail;
    let at = |site| format!("tbdemo at {site}");
    assert_eq!(detail["before"], at(&elsewhere));
    assert_eq!(detail["connection"], at(&here));

    let version = routes.view("boards").await["settings_version"].clone();
    let body =
        json!({ "operations": 21, "cyber_alerts": 21, "version": version, "reviewed": true });
    routes
        .post("boards-existing", body, &["boards_chosen"])
        .await;
    let board = json!({ "location": 2, "department": 10, "team_lead": 151 });
    let version = routes.view("boards").await["boards_version"].clone();
    let body = json!({
        "operations": board, "cyber_alerts": board, "version": version, "reviewed": true,
    });
    routes
        .post("boards-dedicated", body, &["boards_asked_for"])
        .await;
    let stopped = &["boards_stopped"];
    routes.post("boards-stop", json!({}), stopped).await;
    let version = routes.view("boards").await["boards_version"].clone();
    let body = json!({
        "operations": board, "cyber_alerts": board, "version": version, "reviewed": true,
    });
    routes
        .post("boards-dedicated", body, &["boards_asked_for"])
        .await;
    let path = "boards-progress";
    routes.post(path, json!({}), &["boards_ready"]).await;
}

async fn of_what_is_chosen(routes: &mut AuditedRoutes) {
    let view = routes.view("tickets").await;
    let form = ticket_form(&view, &json!(["disk"]));
    routes.post("tickets", form, &["tickets_saved"]).await;
    let saved = &routes.env.audit_page().await.entries[0];
    let off = &saved.detail["kinds_switched_off"];
    assert!(
        off.contains("cpu") && off.contains("(before: "),
        "{saved:?}"
    );
    let path = format!("tenant?tenant={TENANT}");
    let version = routes.view(&path).await["version"].clone();
    let chosen =
        json!({ "tenant": TENANT, "company": COMPANY, "enabled": true, "version": version });
    routes.post("tenant", chosen, &["tenant_saved"]).await;
    let path = format!("tenant-assignment?tenant={TENANT}");
    let version = routes.view(&path).await["version"].clone();
    let assigned = json!({ "tenant": TENANT, "owner": 151, "version": version });
    let saved = &["tenant_assignment_saved"];
    routes.post("tenant-assignment", assigned, saved).await;
    let view = routes.view("tenants").await;
    let new = json!({ "tenant": "elm", "source": view["sources"][0]["id"] });
    routes.post("tenants", new, &["tenant_added"]).await;
    // This call only reads from ConnectWise.
    routes.post("tenants-companies", json!({}), &[]).await;
    of_many_tenants(routes, &view["sources"][0]["id"]).await;
    let oncall = "oncall@northwind.example";
    let existing = |version: u64| json!({ "address": oncall, "version": version });
    let with_mails = |mails: &[&str], version: u64| json!({ "address": oncall, "mails": mails, "version": version });
    let broken = &["broken_connection"][..];
    let added = ["contact_added"];
    routes.post("contacts", with_mails(broken, 0), &added).await;
    let (removed, mailed) = (["contact_removed"], ["contact_link_mailed"]);
    routes.post("contact-remove", existing(1), &removed).await;
    routes.post("contacts", with_mails(broken, 2), &added).await;
    routes.post("contact-resend", existing(3), &mailed).await;
    let (both, changed) = (
        &["broken_connection", "waiting_alerts"],
        ["contact_changed"],
    );
    let change = with_mails(both, 4);
    routes.post("contact-change", change, &changed).await;
    let token = json!({ "token": routes.env.confirmation().await });
    routes
        .post("/setup/contact/confirm", token, &["contact_confirmed"])
        .await;
    // Sending a mail is no change.
    let test = json!({ "address": oncall });
    routes.post("contact-test", test, &[]).await;
    let wish = json!({ "tenant": TENANT, "category": "operations" });
    routes.post("test", wish, &["test_asked"]).await;
    routes.post("test-close", json!({}), &["test_closed"]).await;
    let version = routes.view("confirm").await["version"].clone();
    let body = json!({ "version": version });
    routes.post("confirm", body, &["confirmed"]).await;
}

/// Preparing changes changes nothing.
async fn of_many_tenants(routes: &mut AuditedRoutes, source: &Value) {
    let new = json!({ "tenant": "cv", "name": "Cedar Valley Clinic", "source": source });
    routes.post("tenants", new, &["tenant_added"]).await;
    routes.post("tenants-exact", json!({}), &[]).await;
    for (file, made, stopped) in [
        (None, true, &[][..]),
        (
            Some("Tenant id,Company id\ncv,301\n"),
            false,
            &["tenant_changes_stopped"],
        ),
    ] {
        if let Some(file) = file {
            let file = json!({ "file": file });
            routes.post("tenants-import", file, &[]).await;
        }
        let version = routes.view("tenants-changes").await["version"].clone();
        let body = json!({ "version": version });
        routes
            .post("tenants-changes", body, &["tenants_changed"])
            .await;
        if made {
            routes
                .post("tenants-changes-progress", json!({}), &[])
                .await;
        }
        routes
            .post("tenants-changes-stop", json!({}), stopped)
            .await;
    }
}

async fn of_the_sources(routes: &mut AuditedRoutes) {
    const ONE: &str = "source";
    const MAPPING: &str = "source-mapping";
    const MESSAGE: &str = "source-message";
    let mut ids = vec![];
    for preset in ["other", "generic"] {
        let form = json!({ "name": "Backup", "preset": preset });
        let made = routes.post("source-new", form, &["source_made"]).await;
        ids.push(made["source"].as_str().unwrap().to_owned());
    }
    let (id, of_preset) = (ids[0].as_str(), ids[1].as_str());
    let form = json!({ "source": id, "version": 2 });
    let path = "source-secret";
    routes.post(path, form, &["source_secret_rotated"]).await;
    let body = json!({ "id": "a", "title": "Backup failed" });
    let form = json!({ "source": id, "sample": body.to_string() });
    let path = "source-sample";
    for left in [&["sample_added"][..], &[]] {
        routes.post(path, form.clone(), left).await;
    }
    let editor = routes.view(&format!("{MAPPING}?source={id}")).await;
    let mapping = editor["mapping"].to_string();
    for (action, version, left) in [
        ("check", 4, None),
        ("remove:1", 4, Some("sample_removed")),
        ("save", 4, Some("source_changed")),
    ] {
        let form =
            json!({ "source": id, "version": version, "action": action, "mapping": mapping });
        routes.post(MAPPING, form, left.as_slice()).await;
    }
    let form = json!({ "source": id, "version": 6, "name": "Backups", "enabled": true });
    routes.post(ONE, form, &["source_changed"]).await;
    let form = json!({
        "source": id, "version": 8, "authentication": { "scheme": "header", "header": "x-key" },
        "secret": "end",
    });
    let path = "source-authentication";
    routes.post(path, form, &["source_changed"]).await;
    let history = routes.view("history").await;
    let detail = &history["entries"][0]["detail"];
    assert_eq!(
        detail["authentication"],
        "The secret in the header x-key (before: The secret in the header Authorization, after Bearer)"
    );
    assert_eq!(detail["secrets"], "0 (before: 1)");
    let form = json!({ "source": of_preset, "version": 2, "preset_version": 1 });
    let path = "source-preset";
    routes.post(path, form, &["source_changed"]).await;

    let now = Timestamp::now();
    let mut messages = vec![];
    for n in 0..4 {
        let body = json!({ "id": n, "title": "Backup failed" });
        let entry = QuarantineEntry {
            partner: partner(),
            source: SourceId::parse(id).unwrap(),
            received_at: now,
            sent_at: now,
            indexes: vec![],
            field: "mapping".to_owned(),
            problem: "the source had no mapping when it arrived".to_owned(),
            body: STANDARD.encode(body.to_string()),
        };
        let stored = &routes.env.config.quarantine;
        stored.add(&entry).await.unwrap();
        messages.push(entry.id());
    }
    for (message, action, left) in [
        (&messages[0], "replay", "message_replayed"),
        (&messages[1], "discard", "message_discarded"),
    ] {
        let form = json!({ "id": message, "action": action });
        routes.post(MESSAGE, form, &[left]).await;
    }
    let form = json!({ "id": messages[2], "action": "discard" });
    let path = "/v1/operator/partners/{partner}/quarantine";
    let left = [(PARTNER, "message_discarded")];
    routes.operator("POST", path, (PARTNER, form), &left).await;
    let (path, query) = ("source-replay", format!("source={id}"));
    for left in [&["messages_replayed"][..], &[]] {
        routes.post_to(path, &query, left).await;
    }
}

/// An active alert whose ticket a technician closed.
fn ended_by_person(alert: &str) -> Record {
    let (key, now) = (key(TENANT, alert), Timestamp::now());
    let kind = Kind::parse("disk").unwrap();
    let raised = test_alert::raised(key.clone(), kind, Category::Operations, None, now);
    let record = fold(Record::new(key), &raised);
    record.with_closed(77, 1, ClosedBy::Technician, now)
}

async fn of_what_waits(routes: &mut AuditedRoutes) {
    maintenance(routes).await;
    let now = Timestamp::now();
    let record = Record::new(key(TENANT, "old"));
    let record = record.with_blocked(Blocked::OlderThanBackfill, None, now);
    routes.env.alerts.write(&record).await.unwrap();
    let body = json!({ "reason": "older" });
    routes.post("waiting-release", body, &["released"]).await;
    let one = json!({ "id": record.key.item_key() });
    routes.post("activity-release", one, &["released"]).await;
    let ended = ended_by_person("ended");
    routes.env.alerts.write(&ended).await.unwrap();
    let again = json!({ "id": ended.key.item_key() });
    let path = "activity-open-again";
    routes.post(path, again, &["opened_again"]).await;
    let (northwind, acme) = (partner(), tenant(TENANT));
    let closings = hold_of(0, 42, 60);
    let stop = routes
        .env
        .config
        .closing_holds
        .hold(&northwind, &acme, &closings, now);
    stop.await.unwrap();
    let held = routes.view("overview").await["held"][0].clone();
    let body = json!({ "tenant": TENANT, "digest": held["digest"], "since": held["since"] });
    routes
        .post("overview-closings", body, &["closings_approved"])
        .await;
}

#[tokio::test]
async fn each_change_is_audited_for_each_partner_concerned() {
    let mut routes = AuditedRoutes::begin().await;
    by_the_operator(&mut routes).await;
    of_the_connection(&mut routes).await;
    of_what_is_chosen(&mut routes).await;
    of_the_sources(&mut routes).await;
    of_what_waits(&mut routes).await;
    routes.post("sign-out", json!({}), &["signed_out"]).await;
    let who = json!({ "partner": PARTNER, "address": "oncall@northwind.example" });
    // The mail is sent after the answer.
    routes.post("/setup/link", who, &[]).await;
    assert_eq!(routes.lambda.run(Timestamp::now()).await, [true]);
    let page = routes.env.audit_page().await;
    assert_eq!(page.entries[0].what, "link_mailed");

    let all = routes.env.setup.app.routes().iter();
    // A callback changes nothing that a person chose.
    let writes = all.filter(|route| route.method != "GET" && route.access != RouteAccess::Callback);
    let writes: BTreeSet<_> = writes
        .map(|route| {
            let own = route.path.strip_prefix("/setup/partners/{partner}/");
            (route.method.to_string(), own.unwrap_or(&route.path))
        })
        .collect();
    assert_eq!(routes.used, writes, "every changing route is tested here");
    routes.env.queue.expect_leftovers(7);
}

#[tokio::test]
async fn the_history_says_what_was_before_in_words() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let detail = async || env.audit_page().await.entries[0].detail.clone();

    let version = browser.get_json("boards").await.expect(200).json()["settings_version"].clone();
    let body =
        json!({ "operations": 21, "cyber_alerts": 21, "version": version, "reviewed": true });
    browser.submit("boards-existing", &body, 200).await;
    let boards = detail().await;
    for category in ["operations", "cyber_alerts"] {
        let (name, before) = boards[category].split_once(" (before: ").unwrap();
        let is_name = |text: &str| text.parse::<u64>().is_err() && !text.contains("number");
        assert!(is_name(name) && is_name(before), "{boards:?}");
    }

    let (one, all) = (
        ["broken_connection"],
        ["broken_connection", "waiting_alerts"],
    );
    let kim = "kim@northwind.example";
    let version = browser.get_json("contacts").await.expect(200).json()["version"].clone();
    let contact = json!({ "address": kim, "mails": one, "version": version });
    browser.submit("contacts", &contact, 200).await;
    assert_eq!(
        detail().await["added"],
        format!("{kim} (Broken connection)")
    );
    let version = browser.get_json("contacts").await.expect(200).json()["version"].clone();
    let contact = json!({ "address": kim, "mails": all, "version": version });
    browser.submit("contact-change", &contact, 200).await;
    let mails = "Broken connection, Waiting alerts (before: Broken connection)";
    assert_eq!(detail().await["mails"], format!("{kim}: {mails}"));
    let version = browser.get_json("contacts").await.expect(200).json()["version"].clone();
    let contact = json!({ "address": kim, "version": version });
    browser.submit("contact-remove", &contact, 200).await;
    let removed = format!("{kim} (Broken connection, Waiting alerts)");
    assert_eq!(detail().await["removed"], removed);

    let mut window = json!({
        "name": "Patch night", "zone": "UTC", "starts": "2026-11-01T22:00", "hours": "2", "repeats": "daily",
        "tenants": [TENANT], "devices": "SRV-*",
    });
    browser.submit("maintenance", &window, 200).await;
    let saved = detail().await;
    assert_eq!(saved["time"], "Each day at 22:00 (UTC), for 2 h");
    let scope = &saved["scope"];
    assert!(
        scope.contains("SRV-*") && !scope.contains("before"),
        "{saved:?}"
    );
    let view = browser.get_json("maintenance").await.expect(200).json();
    window["id"] = view["windows"][0]["id"].clone();
    window["hours"] = "3".into();
    browser.submit("maintenance", &window, 200).await;
    let changed = detail().await;
    let time = "Each day at 22:00 (UTC), for 3 h (before: Each day at 22:00 (UTC), for 2 h)";
    assert_eq!(changed["time"], time);
    assert_eq!(changed["scope"], *scope);

    let source = json!({ "name": "Scanner", "partner": PARTNER });
    let source = env
        .operate("POST", "/v1/operator/sources", &source, 201)
        .await;
    let path = format!("/v1/operator/sources/{}", source["id"].as_str().unwrap());
    let change = json!({ "name": "Scanner 2", "enabled": false });
    env.operate("PATCH", &path, &change, 200).await;
    let changed = detail().await;
    assert_eq!(changed["name"], "Scanner 2 (before: Scanner)");
    assert_eq!(changed["enabled"], "no (before: yes)");
    assert!(!changed["authentication"].contains("before"), "{changed:?}");
}
