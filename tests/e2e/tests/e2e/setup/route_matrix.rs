//! Every route of set-up, called by every kind of caller: an unauthorized caller learns nothing and
//! changes nothing.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::PartnerId;
use domain::setup::mapping::Mapping;
use jiff::Timestamp;
use serde_json::{Value, json};
use setup::{CALLBACK_ROUTE, OPERATOR_ROUTE, PAGE_ROUTES, Route, RouteAccess, SOURCE_ROUTE};

use crate::environment::{
    Answer, Browser, Call, PAGE, PARTNER, SOURCE, TENANT, TestEnvironment, after, partner,
    settings, tenant,
};
use crate::setup::approve_closings::hold_of;

/// The public routes, each with the reason why it reveals nothing and gives no access.
const OPEN: &[(&str, &str)] = &[
    ("GET", "/setup"),
    ("GET", "/setup/open"),
    ("GET", "/setup/assets/style.css"),
    ("GET", "/setup/assets/page.js"),
    ("GET", "/setup/assets/icon.svg"),
    ("POST", "/setup/session"),
    ("GET", "/setup/link"),
    ("POST", "/setup/link"),
    ("GET", "/setup/alerts/{key}"),
    ("GET", "/setup/contact/confirm"),
    ("POST", "/setup/contact/confirm"),
];
/// The cookie of the seeded partner's session.
const SESSION_COOKIE: &str = "__Host-session-northwind";
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/// Markup that every page must escape.
const HOSTILE: &str = r#"<script>alert("x")</script>'"><img src=x onerror=y>"#;
/// A text that occurs only in the seeded partner's configuration.
const MARK: &str = "only-northwind-knows";

/// When its closings were held.
const STOPPED: Timestamp = Timestamp::UNIX_EPOCH;

/// The route's path with its parameters filled in.
fn path(route: &Route) -> String {
    let path = route.path.replace("{partner}", PARTNER);
    let path = path.replace("{window}", "patch-night");
    let path = path.replace("{source}", SOURCE).replace("{tenant}", TENANT);
    let path = path.replace("{preset}", "generic");
    let path = path.replace("{alert}", "no-such-alert");
    let path = path.replace("{token}", "no-such-token");
    let path = path.replace("{key}", "0f1e2d3c4b5a6978-0123456789abcdef0123456789abcdef");
    assert!(
        !path.contains('{'),
        "{path}: add the expected answer to this test"
    );
    path
}

fn is_write(route: &Route) -> bool {
    route.method != "GET"
}

/// Asserts the headers that every answer must have.
#[track_caller]
fn guarded(answer: &Answer) {
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
    if answer.status >= 400 {
        let media_type = answer.header("content-type");
        let forms = ["application/problem+json", "text/html; charset=utf-8"];
        assert!(forms.contains(&media_type), "{answer:?}");
    }
}

#[track_caller]
fn refused(what: &str, route: &Route, answer: &Answer, status: u16) {
    guarded(answer);
    assert_eq!(answer.status, status, "{what}: {route:?} {answer:?}");
    assert!(!answer.text.contains(MARK), "{what}: {route:?} {answer:?}");
    assert!(
        answer.headers.get("set-cookie").is_none(),
        "{what}: {route:?}"
    );
}

/// A request to a route as the page makes it. A changing request has an empty JSON body.
fn call(browser: &Browser, route: &Route) -> Call {
    let call = browser.call(route.method.as_str(), &path(route));
    match is_write(route) {
        true => call.json(&json!({})),
        false => call,
    }
}

/// An environment whose partner has configured everything that pages show, marked with `MARK`.
async fn marked_environment() -> TestEnvironment {
    let env = TestEnvironment::new().await;
    let name = json!({ "name": format!("{MARK} {HOSTILE}"), "manages_sources": true });
    env.operate("PUT", "/v1/operator/partners/northwind", &name, 201)
        .await;
    let (northwind, acme) = (partner(), tenant(TENANT));
    let read = env.config.tenants.get(&northwind, &acme).await;
    let read = read.unwrap();
    let mapping = Mapping {
        name: Some(format!("{MARK} {HOSTILE}")),
        company_name: Some(format!("{MARK} {HOSTILE}")),
        ..read.value.unwrap()
    };
    let saved = env.config.tenants.put(&northwind, &acme, &mapping).await;
    saved.unwrap();
    let contact = json!({ "address": format!("{MARK}@northwind.example"), "mails": ["broken_connection"], "version": 0 });
    let saved = env.setup.signed_in().await.post("contacts", &contact).await;
    saved.expect(200);
    let closings = hold_of(0, 42, 60);
    let stop = env
        .config
        .closing_holds
        .hold(&northwind, &acme, &closings, STOPPED);
    assert!(stop.await.unwrap());
    env
}

/// All items of the seeded partner in the config and access tables, except the mail limits.
pub(crate) async fn items_of_partner(
    env: &TestEnvironment,
) -> Vec<BTreeMap<String, AttributeValue>> {
    let client = aws_sdk_dynamodb::Client::new(&env.aws);
    let mut items = vec![];
    for table in ["config", "access"] {
        let scanned = client.scan().table_name(table).send().await.unwrap();
        items.extend(scanned.items.unwrap());
    }
    let of_partner = items.into_iter().filter(|item| {
        let text = |name: &str| item[name].as_s().unwrap().clone();
        // Its figures are counted whenever its page is shown.
        let is_of_partner = text("pk") == format!("P#{PARTNER}") && text("sk") != "figures";
        let is_tenant = text("pk") == format!("P#{PARTNER}#tenants");
        is_of_partner || is_tenant || text("sk").ends_with(&format!("#{PARTNER}"))
    });
    let mut items: Vec<BTreeMap<_, _>> =
        of_partner.map(|item| item.into_iter().collect()).collect();
    items.sort_by_key(|item| format!("{:?}", (&item["pk"], &item["sk"])));
    items
}

fn routes_behind(env: &TestEnvironment, access: RouteAccess) -> Vec<Route> {
    let routes = env.setup.app.routes().iter();
    routes
        .filter(|route| route.access == access)
        .cloned()
        .collect()
}

#[tokio::test]
async fn only_the_listed_routes_are_public() {
    let env = TestEnvironment::new().await;
    let open = routes_behind(&env, RouteAccess::Open);
    let open: Vec<_> = open
        .iter()
        .map(|route| (route.method.as_str(), route.path.as_str()))
        .collect();
    assert_eq!(open, OPEN);
    for route in env.setup.app.routes() {
        let operators = route.path.starts_with("/v1/operator/");
        assert_eq!(
            operators,
            route.access == RouteAccess::Operator,
            "{route:?}"
        );
        let sources = route.path.starts_with("/v1/tickets/");
        assert_eq!(sources, route.access == RouteAccess::Source, "{route:?}");
        let callbacks = route.path.starts_with("/v1/callbacks/");
        assert_eq!(
            callbacks,
            route.access == RouteAccess::Callback,
            "{route:?}"
        );
        let session = route.access == RouteAccess::Session;
        let of_partner = route.path.starts_with("/setup/partners/{partner}/");
        assert_eq!(session, of_partner, "{route:?}");
        let page = route.path.starts_with("/setup");
        assert!(operators || sources || callbacks || page, "{route:?}");
    }
    assert!(routes_behind(&env, RouteAccess::Session).len() >= 4);
    assert_eq!(routes_behind(&env, RouteAccess::Operator).len(), 41);
}

#[tokio::test]
async fn partner_routes_need_a_valid_session() {
    let env = marked_environment().await;
    let signed_out = env.setup.browser();
    let mut ended = env.setup.signed_in().await;
    let cookies = ended.cookies.clone();
    ended.post_form("sign-out", &[]).await.expect(303);
    ended.cookies = cookies;
    let mut expired = env.setup.signed_in().await;
    expired.now = Some(after(Timestamp::now(), 8 * 3600));
    let contoso = PartnerId::parse("contoso").unwrap();
    let off = env.setup.signed_in_at(&contoso).await;
    let switched = json!({ "enabled": false });
    env.operate("PUT", "/v1/operator/partners/contoso", &switched, 200)
        .await;
    let link = env
        .operate(
            "POST",
            "/v1/operator/partners/northwind/links",
            &Value::Null,
            201,
        )
        .await["url"]
        .as_str()
        .unwrap()
        .to_owned();
    let with = |token: &str| {
        let mut browser = env.setup.browser();
        browser.cookies.insert(SESSION_COOKIE.into(), token.into());
        browser
    };
    let with_link = with(link.split_once('#').unwrap().1);
    let guessing = with("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    let before = items_of_partner(&env).await;
    for route in routes_behind(&env, RouteAccess::Session) {
        for (who, browser) in [
            ("signed out", &signed_out),
            ("ended", &ended),
            ("expired", &expired),
            ("switched off", &off),
            ("with a link's token", &with_link),
            ("guessing", &guessing),
        ] {
            for accept in ["text/html", "application/json"] {
                let call = call(browser, &route).header("accept", accept);
                let answer = call.to(&env.setup.app).await;
                refused(who, &route, &answer, 401);
            }
        }
    }
    assert_eq!(items_of_partner(&env).await, before);
    // None of these requests used up the link.
    env.setup.browser().open(&link).await;
}

#[tokio::test]
async fn a_session_reaches_no_other_partner() {
    let env = marked_environment().await;
    let contoso = PartnerId::parse("contoso").unwrap();
    // Configured like the other partner, so that no handler returns early.
    let connection = env.connection().await;
    let keys = json!({
        "origin": connection.origin, "company_id": connection.company_id, "public_key": "tbPublicKey01", "private_key": "tbPrivateKey01",
    });
    env.account
        .put_secret("tb/connection/contoso", &keys.to_string())
        .await;
    let put = env.access.connections.put(&contoso, &connection).await;
    put.unwrap();
    let put = env.config.settings.put(&contoso, &settings()).await;
    put.unwrap();
    let before = items_of_partner(&env).await;
    for route in routes_behind(&env, RouteAccess::Session) {
        for named in [
            json!({}),
            json!({ "partner": PARTNER }),
            json!({ "tenant": TENANT, "enabled": false, "version": 1 }),
            json!({ "tenant": TENANT, "category": "operations", "reason": "unmapped" }),
            json!({ "tenant": TENANT, "closings": 42, "since": STOPPED }),
            json!({ "address": "mallory@contoso.example", "version": 1 }),
            json!({ "version": 1 }),
            json!({ "source": SOURCE, "version": 1, "name": "theirs", "secret": "sixteen letters and more" }),
            json!({ "source": SOURCE, "version": 1, "sample": "{}", "action": "save", "mapping": "{}", "preset_version": 1 }),
        ] {
            let mut theirs = env.setup.signed_in_at(&contoso).await;
            let mut call = call(&theirs, &route);
            if is_write(&route) {
                call = call.json(&named);
            }
            call.path = format!("{}?tenant={TENANT}", call.path);
            let other = call.clone();
            // The other partner's page, and with its own token under the other's name.
            let status = if is_write(&route) { 409 } else { 401 };
            let mut renamed = other.clone();
            let answer = theirs.send(other).await;
            refused("other partner", &route, &answer, status);
            let token = theirs.cookies["__Host-session-contoso"].clone();
            renamed.cookies = vec![format!("{SESSION_COOKIE}={token}")];
            let answer = renamed.to(&env.setup.app).await;
            refused("renamed cookie", &route, &answer, 401);
            // Its own page, with what belongs to the other partner.
            call.path = call.path.replace(PARTNER, "contoso");
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
    assert_eq!(items_of_partner(&env).await, before);
}

/// The targets of a page's forms, as a browser reads them.
fn actions(page: &str) -> Vec<String> {
    let forms = page.split(r#"<form method="post" action=""#).skip(1);
    let actions = forms.map(|form| form.split('"').next().unwrap().replace("&amp;", "&"));
    actions.collect()
}

#[tokio::test]
async fn a_form_changes_only_the_partner_of_its_page() {
    let env = marked_environment().await;
    let contoso = PartnerId::parse("contoso").unwrap();
    let mut browser = env.setup.signed_in().await;
    let before = items_of_partner(&env).await;
    let mut forms = Vec::new();
    for route in routes_behind(&env, RouteAccess::Session) {
        if route.method == "GET" {
            let page = browser.get(&path(&route)).await;
            forms.extend(actions(&page.text));
        }
    }
    assert!(forms.len() >= 20, "{forms:?}");
    let writes = routes_behind(&env, RouteAccess::Session).into_iter();
    let writes: Vec<_> = writes.filter(is_write).collect();
    // The first tab's session ends, and its forms are still shown. The second tab's is another
    // partner's.
    browser.cookies = env.setup.signed_in_at(&contoso).await.cookies;
    for form in &forms {
        let to = form.split('?').next().unwrap();
        let route = writes
            .iter()
            .find(|route| route.path == format!("/setup/partners/{{partner}}/{to}"));
        let route = route.expect(form);
        for accept in ["text/html", "application/json"] {
            let call = call(&browser, route).header("accept", accept);
            let answer = browser.send(call).await;
            refused(form, route, &answer, 409);
            assert!(answer.text.contains("nothing was saved"), "{answer:?}");
        }
    }
    assert_eq!(items_of_partner(&env).await, before);
}

#[tokio::test]
async fn two_partners_pages_work_side_by_side_in_one_browser() {
    let env = marked_environment().await;
    let contoso = PartnerId::parse("contoso").unwrap();
    let mut browser = env.setup.signed_in().await;
    let start = browser.get("/setup").await.expect(303);
    assert_eq!(
        start.header("location"),
        "/setup/partners/northwind/overview"
    );
    let second = env.setup.signed_in_at(&contoso).await;
    browser.cookies.extend(second.cookies.clone());
    let start = browser.get("/setup").await.expect(200).text;
    for (partner, address) in [
        ("northwind", "it@northwind.example"),
        ("contoso", "it@contoso.example"),
    ] {
        assert!(start.contains(&format!("/setup/partners/{partner}/overview")));
        browser.partner = partner.to_owned();
        let version = browser.get_json("contacts").await.expect(200).json()["version"].to_string();
        let fields = [
            ("address", address),
            ("mails[]", "broken_connection"),
            ("version", version.as_str()),
        ];
        browser.post_form("contacts", &fields).await.expect(303);
        let id = PartnerId::parse(partner).unwrap();
        let contacts = env.access.contacts.get(&id).await.unwrap().value;
        let addresses = contacts.iter().map(|contact| contact.address.as_str());
        assert_eq!(addresses.last(), Some(address));
    }
    // Signing out of one leaves the other.
    browser.post_form("sign-out", &[]).await.expect(303);
    browser.get("overview").await.expect(401);
    browser.partner = PARTNER.to_owned();
    browser.get("overview").await.expect(200);
    browser.post_form("sign-out", &[]).await.expect(303);
    let start = browser.get("/setup").await.expect(303);
    assert_eq!(start.header("location"), "/setup/link");
}

#[tokio::test]
async fn a_browser_keeps_its_twenty_newest_sessions() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.browser();
    // In the order in which a browser sends them: the oldest first.
    for number in 0..25 {
        let other = PartnerId::parse(format!("partner-{number:02}")).unwrap();
        let link = env.setup.link_of(&other).await;
        browser.open(&link).await;
    }
    let kept: Vec<_> = browser.cookies.keys().map(String::as_str).collect();
    assert_eq!(kept.len(), 20);
    assert_eq!(kept[0], "__Host-session-partner-05");
    let sent: usize = browser.cookies.iter().map(|(n, v)| n.len() + v.len()).sum();
    assert!(sent < 4096, "{sent} bytes");
}

#[tokio::test]
async fn every_page_of_a_session_names_its_partner() {
    let env = marked_environment().await;
    let mut browser = env.setup.signed_in().await;
    let mut statuses = std::collections::BTreeMap::new();
    for route in routes_behind(&env, RouteAccess::Session) {
        let page = browser.get(&path(&route)).await;
        let is_page = page.header("content-type").starts_with("text/html");
        if route.method != "GET" || !is_page {
            continue;
        }
        // Routes with an id that does not exist answer with a problem, which is such a page too.
        *statuses.entry(page.status).or_insert(0) += 1;
        let title = page.text.split("<title>").nth(1).unwrap();
        let title = title.split("</title>").next().unwrap();
        assert!(title.contains(MARK), "{route:?} {title}");
        let header = page.text.split("<header>").nth(1).unwrap();
        let header = header.split("</header>").next().unwrap();
        assert!(
            header.contains(MARK) && header.contains("(northwind)"),
            "{route:?} {header}"
        );
        assert!(
            page.text.contains("<nav aria-label=\"Steps\">"),
            "{route:?}"
        );
    }
    assert!(statuses.len() > 1, "{statuses:?}");
    for (path, status) in [("no-such-page", 404), ("activity-alert?id=x", 404)] {
        let page = browser.get(path).await.expect(status).text;
        assert!(page.contains("(northwind)"), "{path} {page}");
        assert!(page.contains("href=\"overview\""), "{path} {page}");
    }
    // A form without a script that is refused.
    let refused = browser.post_form("test", &[("tenant", "no such tenant")]);
    let page = refused.await.expect(422).text;
    assert!(page.contains("(northwind)"), "{page}");
    // Without a session no name is shown.
    browser.cookies.clear();
    let page = browser.get("no-such-page").await.expect(404).text;
    assert!(!page.contains(MARK), "{page}");
}

#[tokio::test]
async fn an_encoded_path_reaches_no_route() {
    let env = marked_environment().await;
    let mut browser = env.setup.signed_in().await;
    let before = items_of_partner(&env).await;
    // The gateway decodes paths once. An escape that is left was encoded twice.
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
    for route in env.setup.app.routes().to_vec() {
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
            // A question mark in the path, not the start of a query.
            call.is_path = true;
            let answer = browser.send(call).await;
            refused(rest, &route, &answer, 404);
        }
    }
    let off = json!({ "name": "Northwind", "enabled": false });
    let mut put = Call::new("PUT", "/v1/operator/partners/northwind#old").json(&off);
    put.is_path = true;
    put.to(&env.setup.app).await.expect(404);
    assert_eq!(items_of_partner(&env).await, before);
}

#[tokio::test]
async fn operator_routes_and_page_routes_are_separate() {
    let env = marked_environment().await;
    let mut browser = env.setup.signed_in().await;
    let before = items_of_partner(&env).await;
    for route in env.setup.app.routes().to_vec() {
        let keys: &[&str] = match route.access {
            RouteAccess::Operator => {
                &[PAGE_ROUTES[0], PAGE_ROUTES[1], SOURCE_ROUTE, "$default", ""]
            }
            RouteAccess::Source | RouteAccess::Callback => {
                &[OPERATOR_ROUTE, PAGE_ROUTES[0], PAGE_ROUTES[1], "$default"]
            }
            RouteAccess::Open | RouteAccess::Session => &[
                OPERATOR_ROUTE,
                SOURCE_ROUTE,
                CALLBACK_ROUTE,
                "$default",
                "POST /v1/events/{source}",
                "",
            ],
        };
        for key in keys {
            let mut call = call(&browser, &route);
            call.route_key = (*key).to_owned();
            let answer = browser.send(call).await;
            refused(key, &route, &answer, 404);
        }
    }
    assert_eq!(items_of_partner(&env).await, before);
    browser.get("overview").await.expect(200);
}

#[tokio::test]
async fn a_change_needs_our_origin_and_a_form_or_json() {
    let env = marked_environment().await;
    let mut browser = env.setup.signed_in().await;
    let before = items_of_partner(&env).await;
    let writes = env.setup.app.routes().to_vec().into_iter();
    let writes: Vec<_> = writes
        .filter(|route| {
            let for_programs = [RouteAccess::Operator, RouteAccess::Callback];
            is_write(route) && !for_programs.contains(&route.access)
        })
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
            // This route reads a file, which has this media type.
            if media_type.starts_with("multipart") && route.path.ends_with("/tenants-import") {
                continue;
            }
            let call = call(&browser, route).header("content-type", media_type);
            let answer = browser.send(call).await;
            refused(media_type, route, &answer, 415);
        }
    }
    for path in ["/setup/session", "/setup/link", "contacts"] {
        let large = json!({ "token": "x".repeat(64 * 1024) });
        let answer = browser.post(path, &large).await;
        guarded(&answer);
        assert_eq!(answer.status, 413, "{path}");
    }
    assert_eq!(items_of_partner(&env).await, before);
    browser.get("overview").await.expect(200);
    for route in routes_behind(&env, RouteAccess::Operator) {
        if matches!(route.method.as_str(), "PUT" | "PATCH") {
            let call = call(&browser, &route).header("content-type", "text/plain");
            refused("text/plain", &route, &call.to(&env.setup.app).await, 415);
        }
    }
}

#[tokio::test]
async fn an_unlisted_route_is_a_404_for_every_method() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let routes = env.setup.app.routes().to_vec();
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
            assert!(!answer.header("allow").is_empty(), "{method} {path}");
            if *access == RouteAccess::Operator {
                assert_eq!(answer.header("content-type"), "application/problem+json");
            }
        }
    }
    for path in [
        "/setup/nothing",
        "/setup/",
        "/setup/open/",
        "/setup/session/begin",
        "/setup/partners/northwind/",
        "/setup/partners/northwind/nothing",
        "/setup/partners/northwind/tenants/",
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
async fn names_are_escaped_on_every_page() {
    let env = marked_environment().await;
    let mut browser = env.setup.signed_in().await;
    let pages = env.setup.app.routes().to_vec().into_iter();
    let pages = pages.filter(|route| !is_write(route) && route.access != RouteAccess::Operator);
    let mut paths: Vec<_> = pages.map(|route| path(&route)).collect();
    paths.extend(
        [
            "/setup/<script>alert(1)</script>\"'",
            "overview?done=%3Cscript%3Ealert(1)%3C/script%3E",
            "/setup/link?done=%22%3E%3Cimg%3E",
            "tenant?tenant=acme-dental",
            "tenant?tenant=acme-dental&search=%22%3E%3Cimg%3E",
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
async fn the_session_token_is_in_no_script_and_no_table() {
    let env = marked_environment().await;
    let link = env
        .operate(
            "POST",
            "/v1/operator/partners/northwind/links",
            &Value::Null,
            201,
        )
        .await["url"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(link.starts_with(&format!("{PAGE}/setup/open#")));
    let link_token = link.split_once('#').unwrap().1.to_owned();
    let mut browser = env.setup.browser();
    let token = json!({ "token": link_token });
    let opened = browser.post("/setup/session", &token).await.expect(200);
    guarded(&opened);
    assert_eq!(
        opened.json(),
        json!({ "next": "/setup/partners/northwind/overview", "partner": PARTNER })
    );
    let session = browser.cookies[SESSION_COOKIE].clone();
    assert_eq!((link_token.len(), session.len()), (43, 43));
    let attributes = "Path=/; Max-Age=28800; Secure; HttpOnly; SameSite=Strict";
    assert_eq!(
        opened.header("set-cookie"),
        format!("{SESSION_COOKIE}={session}; {attributes}")
    );

    // A session's token does not work as a link, and the link's token is used up.
    for spent in [&link_token, &session] {
        let again = json!({ "token": spent });
        let again = env.setup.browser().post("/setup/session", &again).await;
        guarded(&again);
        assert_eq!((again.status, again.header("set-cookie")), (401, ""));
    }
    let table = aws_sdk_dynamodb::Client::new(&env.aws);
    let items = table.scan().table_name("access").send().await.unwrap();
    let items = format!("{:?}", items.items.unwrap());
    assert!(!items.contains(&link_token) && !items.contains(&session));
    for page in ["overview", "contacts"] {
        let page = browser.get(page).await.expect(200);
        assert!(!page.text.contains(&session));
    }
    // Beside other cookies, in any order.
    let mut call = browser.call("GET", "overview");
    call.cookies = vec![
        "a=b".into(),
        format!("{SESSION_COOKIE}={session}"),
        "session=x".into(),
    ];
    assert_eq!(call.to(&env.setup.app).await.status, 200);
    call.cookies = vec![
        format!("session={session}"),
        format!("__Host-session={session}"),
        format!("__host-session-northwind={session}"),
        format!("__Host-session-contoso={session}"),
    ];
    assert_eq!(call.to(&env.setup.app).await.status, 401);
    let ended = browser.post_form("sign-out", &[]).await.expect(303);
    let attributes = "Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict";
    assert_eq!(
        ended.header("set-cookie"),
        format!("{SESSION_COOKIE}=; {attributes}")
    );
}
