//! Every route of set-up, tried by everybody: whoever may not use it is told nothing, and changes nothing.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::PartnerId;
use domain::settings::Mapping;
use jiff::Timestamp;
use serde_json::{Value, json};
use setup::{OPERATOR_ROUTE, PAGE_ROUTES, Route, RouteAccess};

use crate::setup_client::{Answered, Browser, Call, PAGE};
use crate::setup_held::hold_of;
use crate::ticks::after;
use crate::world::{PARTNER, SOURCE, TENANT, World, partner, settings, tenant};

/// What anybody may use. Whoever adds to it says why it tells nobody anything, and lets nobody in.
const OPEN: &[(&str, &str)] = &[
    ("GET", "/setup/open"),
    ("GET", "/setup/assets/style.css"),
    ("GET", "/setup/assets/page.js"),
    ("GET", "/setup/assets/icon.svg"),
    ("POST", "/setup/session"),
    ("GET", "/setup/link"),
    ("POST", "/setup/link"),
    ("GET", "/setup/contact/confirm"),
    ("POST", "/setup/contact/confirm"),
];
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/// What no page may show as it is.
const HOSTILE: &str = r#"<script>alert("x")</script>'"><img src=x onerror=y>"#;
/// Stands in what the seeded partner set up, and nowhere else.
const MARK: &str = "only-northwind-knows";

/// When its closings were stopped.
const STOPPED: Timestamp = Timestamp::UNIX_EPOCH;

/// The route's path with names in it.
fn path(route: &Route) -> String {
    let path = route.path.replace("{partner}", PARTNER);
    let path = path.replace("{source}", SOURCE).replace("{tenant}", TENANT);
    assert!(
        !path.contains('{'),
        "{path}: tell this test what stands there"
    );
    path
}

fn is_write(route: &Route) -> bool {
    route.method != "GET"
}

/// What every answer says, whatever it is.
#[track_caller]
fn guarded(answer: &Answered) {
    for (name, value) in [
        (
            "content-security-policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri \
             'none'; frame-ancestors 'none'",
        ),
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("strict-transport-security", "max-age=31536000"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(answer.header(name), value, "{name} of {answer:?}");
    }
    assert!(answer.headers.get("access-control-allow-origin").is_none());
}

#[track_caller]
fn refused(what: &str, route: &Route, answer: &Answered, status: u16) {
    guarded(answer);
    assert_eq!(answer.status, status, "{what}: {route:?} {answer:?}");
    assert!(!answer.text.contains(MARK), "{what}: {route:?} {answer:?}");
    assert!(
        answer.headers.get("set-cookie").is_none(),
        "{what}: {route:?}"
    );
}

/// A request to a route as our own page makes it: with an empty body of JSON where it changes something.
fn call(browser: &Browser, route: &Route) -> Call {
    let call = browser.call(route.method.as_str(), &path(route));
    match is_write(route) {
        true => call.json(&json!({})),
        false => call,
    }
}

impl World {
    /// A world whose partner has set up all that pages show, with the mark in it.
    async fn marked() -> Self {
        let world = Self::new().await;
        let name = json!({ "name": format!("{MARK} {HOSTILE}") });
        let made = world.operator("PUT", "/v1/operator/partners/northwind", &name);
        made.await.expect(201);
        let (northwind, acme) = (partner(), tenant(TENANT));
        let read = world.config.tenants.get(&northwind, &acme).await;
        let read = read.unwrap();
        let mapping = Mapping {
            name: Some(format!("{MARK} {HOSTILE}")),
            company_name: Some(format!("{MARK} {HOSTILE}")),
            ..read.value.unwrap()
        };
        let saved = world.config.tenants.put(&northwind, &acme, &mapping).await;
        saved.unwrap();
        let contact = json!({ "address": format!("{MARK}@northwind.example"), "version": 0 });
        let saved = world
            .signed_in()
            .await
            .post("/setup/contact", &contact)
            .await;
        saved.expect(200);
        let closings = hold_of(0, 42, 60);
        let stop = world
            .config
            .closing_holds
            .hold(&northwind, &acme, &closings, STOPPED);
        assert!(stop.await.unwrap());
        world
    }

    /// All that the tables have of the seeded partner, but for notes of who was mailed when.
    async fn of_partner(&self) -> Vec<BTreeMap<String, AttributeValue>> {
        let client = aws_sdk_dynamodb::Client::new(&self.aws);
        let mut items = vec![];
        for table in ["config", "access"] {
            let scanned = client.scan().table_name(table).send().await.unwrap();
            items.extend(scanned.items.unwrap());
        }
        let of_partner = items.into_iter().filter(|item| {
            let text = |name: &str| item[name].as_s().unwrap().clone();
            text("pk") == format!("P#{PARTNER}") || text("sk").ends_with(&format!("#{PARTNER}"))
        });
        let mut items: Vec<BTreeMap<_, _>> =
            of_partner.map(|item| item.into_iter().collect()).collect();
        items.sort_by_key(|item| format!("{:?}", (&item["pk"], &item["sk"])));
        items
    }

    fn routes_behind(&self, access: RouteAccess) -> Vec<Route> {
        let routes = self.setup.routes().iter();
        routes
            .filter(|route| route.access == access)
            .cloned()
            .collect()
    }
}

#[tokio::test]
async fn what_is_open_is_listed_here_and_all_else_has_its_door() {
    let world = World::new().await;
    let open = world.routes_behind(RouteAccess::Open);
    let open: Vec<_> = open
        .iter()
        .map(|route| (route.method.as_str(), route.path))
        .collect();
    assert_eq!(open, OPEN);
    for route in world.setup.routes() {
        let operators = route.path.starts_with("/v1/operator/");
        assert_eq!(
            operators,
            route.access == RouteAccess::Operator,
            "{route:?}"
        );
        assert!(operators || route.path.starts_with("/setup"), "{route:?}");
    }
    assert!(world.routes_behind(RouteAccess::Session).len() >= 4);
    assert_eq!(world.routes_behind(RouteAccess::Operator).len(), 12);
}

#[tokio::test]
async fn nobody_without_a_session_that_counts_uses_a_partners_routes() {
    let world = World::marked().await;
    let nobody = world.browser();
    let mut ended = world.signed_in().await;
    let cookies = ended.cookies.clone();
    ended.post_form("/setup/session/end", &[]).await.expect(303);
    ended.cookies = cookies;
    let mut expired = world.signed_in().await;
    expired.now = Some(after(Timestamp::now(), 8 * 3600));
    let contoso = PartnerId::parse("contoso").unwrap();
    let off = world.signed_in_at(&contoso).await;
    let switched = json!({ "enabled": false });
    let switched = world.operator("PUT", "/v1/operator/partners/contoso", &switched);
    switched.await.expect(200);
    let link = world.operator(
        "POST",
        "/v1/operator/partners/northwind/links",
        &Value::Null,
    );
    let link = link.await.expect(201).json()["url"]
        .as_str()
        .unwrap()
        .to_owned();
    let with = |token: &str| {
        let mut browser = world.browser();
        browser
            .cookies
            .insert("__Host-session".into(), token.into());
        browser
    };
    let with_link = with(link.split_once('#').unwrap().1);
    let guessing = with("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    let before = world.of_partner().await;
    for route in world.routes_behind(RouteAccess::Session) {
        for (who, browser) in [
            ("nobody", &nobody),
            ("ended", &ended),
            ("expired", &expired),
            ("switched off", &off),
            ("with a link's token", &with_link),
            ("guessing", &guessing),
        ] {
            for accept in ["text/html", "application/json"] {
                let call = call(browser, &route).header("accept", accept);
                let answer = call.to(&world.setup).await;
                refused(who, &route, &answer, 401);
            }
        }
    }
    assert_eq!(world.of_partner().await, before);
    // The link was used up by none of that.
    world.browser().open(&link).await;
}

#[tokio::test]
async fn a_session_of_one_partner_shows_and_changes_nothing_of_another() {
    let world = World::marked().await;
    let contoso = PartnerId::parse("contoso").unwrap();
    // Set up as far as the other, so that no handler stops early.
    let connection = world
        .access
        .connections
        .get(&partner())
        .await
        .unwrap()
        .value
        .unwrap();
    let keys = json!({
        "origin": connection.origin, "company_id": connection.company_id, "public_key": "tbPublicKey01", "private_key": "tbPrivateKey01",
    });
    world
        .put_secret("tb/connection/contoso", &keys.to_string())
        .await;
    let put = world.access.connections.put(&contoso, &connection).await;
    put.unwrap();
    let put = world.config.settings.put(&contoso, &settings()).await;
    put.unwrap();
    let before = world.of_partner().await;
    for route in world.routes_behind(RouteAccess::Session) {
        for named in [
            json!({}),
            json!({ "partner": PARTNER }),
            json!({ "tenant": TENANT, "enabled": false, "version": 1 }),
            json!({ "tenant": TENANT, "category": "operations", "reason": "unmapped" }),
            json!({ "tenant": TENANT, "closings": 42, "since": STOPPED }),
            json!({ "address": "mallory@contoso.example", "version": 1 }),
            json!({ "version": 1 }),
        ] {
            let mut theirs = world.signed_in_at(&contoso).await;
            let mut call = call(&theirs, &route);
            if is_write(&route) {
                call = call.json(&named);
            }
            let event = if call.path.contains('?') { '&' } else { '?' };
            call.path = format!("{}{event}tenant={TENANT}", call.path);
            let answer = theirs.send(call).await;
            guarded(&answer);
            assert!(!answer.text.contains(MARK), "{route:?} {answer:?}");
            assert!(
                ![401, 403, 405, 500].contains(&answer.status),
                "{route:?} {answer:?}"
            );
            if !is_write(&route) {
                break;
            }
        }
    }
    assert_eq!(world.of_partner().await, before);
}

/// Where the forms of a page post to, as a browser reads it.
fn actions(page: &str) -> Vec<String> {
    let forms = page.split(r#"<form method="post" action=""#).skip(1);
    let actions = forms.map(|form| form.split('"').next().unwrap().replace("&amp;", "&"));
    actions.collect()
}

#[tokio::test]
async fn a_form_of_one_partner_changes_nothing_of_another_that_is_opened_in_a_second_tab() {
    let world = World::marked().await;
    let contoso = PartnerId::parse("contoso").unwrap();
    // One browser: the second tab's sign-in replaces the first one's cookie, and the first tab still shows its forms.
    let mut browser = world.signed_in().await;
    let before = world.of_partner().await;
    let mut forms = Vec::new();
    for route in world.routes_behind(RouteAccess::Session) {
        if route.method == "GET" {
            let page = browser.get(&path(&route)).await;
            forms.extend(actions(&page.text));
        }
    }
    assert!(forms.len() >= 20, "{forms:?}");
    let second = world.signed_in_at(&contoso).await;
    browser.cookies = second.cookies.clone();
    let of_contoso = async || {
        let connection = world.access.connections.get(&contoso).await.unwrap().value;
        let contact = world.access.contacts.get(&contoso).await.unwrap();
        (connection, contact.value.pending.is_some())
    };
    let writes = world.routes_behind(RouteAccess::Session).into_iter();
    let writes: Vec<_> = writes.filter(is_write).collect();
    for form in &forms {
        let (to, query) = form.split_once('?').expect(form);
        assert_eq!(query, format!("partner={PARTNER}"), "{form}");
        assert!(writes.iter().any(|route| route.path == to), "{form}");
    }
    let own = format!("?partner={}", contoso.as_str());
    for route in &writes {
        for (query, status) in [
            (format!("?partner={PARTNER}"), 409),
            (String::new(), 400),
            ("?partner=".to_owned(), 400),
            ("?partner=Contoso%23".to_owned(), 400),
            (format!("{own}&partner={PARTNER}"), 400),
            (format!("?partner={PARTNER}&{}", &own[1..]), 400),
        ] {
            for accept in ["text/html", "application/json"] {
                let mut call = call(&browser, route).header("accept", accept);
                call.path = format!("{}{query}", route.path);
                let answer = browser.send(call).await;
                refused(&query, route, &answer, status);
                let words = if status == 409 {
                    "nothing was saved"
                } else {
                    "Nothing was saved"
                };
                assert!(answer.text.contains(words), "{route:?} {answer:?}");
            }
        }
    }
    assert_eq!(of_contoso().await, (None, false));
    assert_eq!(world.of_partner().await, before);
    // Once its page is loaded again, the same tab goes on at the other partner, and says so.
    let page = browser.get("/setup/contact").await.expect(200).text;
    assert!(page.contains("<title>Emergency contact · contoso · Ticketbridge</title>"));
    let form = actions(&page)
        .into_iter()
        .find(|form| form.starts_with("/setup/contact?"));
    let mut call = Call::new("POST", &form.unwrap());
    call.cookies = vec![format!(
        "__Host-session={}",
        second.cookies["__Host-session"]
    )];
    let call = call
        .header("origin", PAGE)
        .form(&[("address", "it@contoso.example"), ("version", "0")]);
    call.to(&world.setup).await.expect(303);
    assert!(of_contoso().await.1);
}

#[tokio::test]
async fn every_page_of_a_session_names_its_partner() {
    let world = World::marked().await;
    let mut browser = world.signed_in().await;
    for route in world.routes_behind(RouteAccess::Session) {
        let page = browser.get(&path(&route)).await;
        if route.method != "GET" || page.status != 200 {
            continue;
        }
        let title = page.text.split("<title>").nth(1).unwrap();
        let title = title.split("</title>").next().unwrap();
        assert!(title.contains(MARK), "{route:?} {title}");
        let header = page.text.split("<header>").nth(1).unwrap();
        let header = header.split("</header>").next().unwrap();
        assert!(
            header.contains(MARK) && header.contains("(northwind)"),
            "{route:?} {header}"
        );
    }
}

#[tokio::test]
async fn a_path_that_is_encoded_reaches_nobody() {
    let world = World::marked().await;
    let mut browser = world.signed_in().await;
    let before = world.of_partner().await;
    // As the gateway hands them over: decoded once. An escape in it was encoded twice.
    let behind = [
        "#old",
        "?old",
        "%23old",
        "%3Fold",
        "%2F",
        "%00",
        "\u{0}",
        ";old",
        "/..",
        "/../contoso",
        "%252F",
        "\\",
        " ",
        "é",
        "@",
    ];
    for route in world.setup.routes().to_vec() {
        for rest in behind {
            let cut = route.path.find('}').is_some();
            let mut call = call(&browser, &route);
            call.path = match cut {
                true => route
                    .path
                    .replace("{partner}", &format!("{PARTNER}{rest}"))
                    .replace("{source}", &format!("{SOURCE}{rest}")),
                false => format!("{}{rest}", route.path),
            };
            // A question mark of the path, not of the query.
            call.is_path = true;
            let answer = browser.send(call).await;
            refused(rest, &route, &answer, 404);
        }
    }
    let off = json!({ "name": "Northwind", "enabled": false });
    let mut put = Call::new("PUT", "/v1/operator/partners/northwind#old").json(&off);
    put.is_path = true;
    put.to(&world.setup).await.expect(404);
    assert_eq!(world.of_partner().await, before);
}

#[tokio::test]
async fn the_operators_routes_and_the_pages_are_not_reached_from_each_other() {
    let world = World::marked().await;
    let mut browser = world.signed_in().await;
    let before = world.of_partner().await;
    for route in world.setup.routes().to_vec() {
        let keys: &[&str] = match route.access {
            RouteAccess::Operator => &[PAGE_ROUTES[0], PAGE_ROUTES[1], "$default", ""],
            RouteAccess::Open | RouteAccess::Session => {
                &[OPERATOR_ROUTE, "$default", "POST /v1/events/{source}", ""]
            }
        };
        for key in keys {
            let mut call = call(&browser, &route);
            call.route_key = (*key).to_owned();
            let answer = browser.send(call).await;
            refused(key, &route, &answer, 404);
        }
    }
    assert_eq!(world.of_partner().await, before);
    browser.get("/setup").await.expect(200);
}

#[tokio::test]
async fn a_change_comes_from_our_own_page_as_a_form_or_json() {
    let world = World::marked().await;
    let mut browser = world.signed_in().await;
    let before = world.of_partner().await;
    let writes = world.setup.routes().to_vec().into_iter();
    let writes: Vec<_> = writes
        .filter(|route| is_write(route) && route.access != RouteAccess::Operator)
        .collect();
    for route in &writes {
        for origin in [
            None,
            Some("null"),
            Some("https://elsewhere.example"),
            Some("http://setup.example"),
            Some("https://setup.example.elsewhere.example"),
            Some("https://setup.example:8443"),
            Some("https://setup.example/"),
        ] {
            let mut call = call(&browser, route);
            call.headers.remove("origin");
            if let Some(origin) = origin {
                call = call.header("origin", origin);
            }
            let answer = browser.send(call).await;
            refused(&format!("{origin:?}"), route, &answer, 403);
        }
        for media_type in [
            "text/plain",
            "multipart/form-data; boundary=x",
            "application/xml",
            "",
        ] {
            let call = call(&browser, route).header("content-type", media_type);
            let answer = browser.send(call).await;
            refused(media_type, route, &answer, 415);
        }
    }
    for path in ["/setup/session", "/setup/link", "/setup/contact"] {
        let large = json!({ "token": "x".repeat(64 * 1024) });
        let answer = browser.post(path, &large).await;
        guarded(&answer);
        assert_eq!(answer.status, 413, "{path}");
    }
    assert_eq!(world.of_partner().await, before);
    browser.get("/setup").await.expect(200);
    for route in world.routes_behind(RouteAccess::Operator) {
        if matches!(route.method.as_str(), "PUT" | "PATCH") {
            let call = call(&browser, &route).header("content-type", "text/plain");
            refused("text/plain", &route, &call.to(&world.setup).await, 415);
        }
    }
}

#[tokio::test]
async fn what_is_not_listed_is_not_there_by_any_method() {
    let world = World::new().await;
    let mut browser = world.signed_in().await;
    let routes = world.setup.routes().to_vec();
    let mut paths: Vec<_> = routes
        .iter()
        .map(|route| (path(route), route.access))
        .collect();
    paths.dedup();
    for (path, access) in &paths {
        for method in METHODS {
            let listed = |route: &&Route| {
                self::path(route) == *path
                    && (route.method == method || (method == "HEAD" && route.method == "GET"))
            };
            if routes.iter().any(|route| listed(&route)) {
                continue;
            }
            let call = browser.call(method, path);
            let answer = browser.send(call).await;
            guarded(&answer);
            assert_eq!(answer.status, 405, "{method} {path} {access:?}");
        }
    }
    for path in [
        "/setup/nothing",
        "/setup/",
        "/setup/open/",
        "/setup/session/begin",
        "/setup/assets/../../Cargo.toml",
        "/setup/assets/page.js.map",
        "/v1/operator/",
        "/v1/operator/partners/northwind/keys",
        "/v1/operator/sources/src_x/secret/old",
        "/v1/events/src_0123456789abcdefghijklmnop",
    ] {
        for method in METHODS {
            let mut call = browser.call(method, path);
            if path.starts_with("/v1/events") {
                OPERATOR_ROUTE.clone_into(&mut call.route_key);
            }
            let answer = browser.send(call).await;
            guarded(&answer);
            assert_eq!(answer.status, 404, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_name_is_a_name_on_every_page() {
    let world = World::marked().await;
    let mut browser = world.signed_in().await;
    let pages = world.setup.routes().to_vec().into_iter();
    let pages = pages.filter(|route| !is_write(route) && route.access != RouteAccess::Operator);
    let mut paths: Vec<_> = pages.map(|route| path(&route)).collect();
    paths.extend(
        [
            "/setup/<script>alert(1)</script>\"'",
            "/setup?done=%3Cscript%3Ealert(1)%3C/script%3E",
            "/setup/link?done=%22%3E%3Cimg%3E",
            "/setup/tenant?tenant=acme-dental",
            "/setup/tenant?tenant=acme-dental&search=%22%3E%3Cimg%3E",
        ]
        .map(str::to_owned),
    );
    for path in paths {
        let page = browser.get(&path).await;
        guarded(&page);
        if !page.header("content-type").starts_with("text/html") {
            continue;
        }
        let scripts = page.text.matches("<script").count();
        assert_eq!(scripts, 1, "{path}: {}", page.text);
        assert!(
            page.text
                .contains(r#"<script src="/setup/assets/page.js" defer></script>"#)
        );
        for raw in [
            "<img",
            "onerror=y>",
            "alert(\"x\")",
            "style=",
            "onclick",
            "javascript:",
        ] {
            assert!(!page.text.contains(raw), "{raw} in {path}: {}", page.text);
        }
    }
}

#[tokio::test]
async fn the_session_is_a_cookie_that_no_script_reads_and_no_table_has() {
    let world = World::marked().await;
    let link = world.operator(
        "POST",
        "/v1/operator/partners/northwind/links",
        &Value::Null,
    );
    let link = link.await.expect(201).json()["url"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(link.starts_with(&format!("{PAGE}/setup/open#")));
    let link_token = link.split_once('#').unwrap().1.to_owned();
    let mut browser = world.browser();
    let token = json!({ "token": link_token });
    let opened = browser.post("/setup/session", &token).await.expect(200);
    guarded(&opened);
    assert_eq!(
        opened.json(),
        json!({ "next": "/setup", "partner": PARTNER })
    );
    browser.partner = Some(PARTNER.to_owned());
    let session = browser.cookies["__Host-session"].clone();
    assert_eq!((link_token.len(), session.len()), (43, 43));
    let attributes = "Path=/; Max-Age=28800; Secure; HttpOnly; SameSite=Strict";
    assert_eq!(
        opened.header("set-cookie"),
        format!("__Host-session={session}; {attributes}")
    );

    // A session's token opens nothing as a link, and a link's is used up.
    for spent in [&link_token, &session] {
        let again = json!({ "token": spent });
        let again = world.browser().post("/setup/session", &again).await;
        guarded(&again);
        assert_eq!((again.status, again.header("set-cookie")), (401, ""));
    }
    let table = aws_sdk_dynamodb::Client::new(&world.aws);
    let items = table.scan().table_name("access").send().await.unwrap();
    let items = format!("{:?}", items.items.unwrap());
    assert!(!items.contains(&link_token) && !items.contains(&session));
    for page in ["/setup", "/setup/contact"] {
        let page = browser.get(page).await.expect(200);
        assert!(!page.text.contains(&session));
    }
    // Beside other cookies, and in whatever order.
    let mut call = browser.call("GET", "/setup");
    call.cookies = vec![
        "a=b".into(),
        format!("__Host-session={session}"),
        "session=x".into(),
    ];
    assert_eq!(call.to(&world.setup).await.status, 200);
    call.cookies = vec![
        format!("session={session}"),
        format!("__host-session={session}"),
    ];
    assert_eq!(call.to(&world.setup).await.status, 401);
    let ended = browser
        .post_form("/setup/session/end", &[])
        .await
        .expect(303);
    let attributes = "Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict";
    assert_eq!(
        ended.header("set-cookie"),
        format!("__Host-session=; {attributes}")
    );
}
