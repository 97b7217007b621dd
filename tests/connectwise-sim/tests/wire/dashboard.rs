//! The dashboard.

use serde_json::json;

use crate::client::{Reply, Site};

#[tokio::test]
async fn the_dashboard_shows_escaped_tickets() {
    let site = Site::start().await;
    let empty = site.without_keys("GET", "/", "").await;
    assert!(empty.text.contains("No tickets yet"), "{}", empty.text);
    let ticket = json!({
        "summary": "<script>alert('x')</script>", "company": { "id": 302 }, "externalXRef": "\"><b>",
        "initialDescription": "<img src=x onerror=alert(1)>",
        "customFields": [{ "id": 1, "value": "<b>PC-7</b>" }, { "id": 3, "value": true }],
    });
    site.post("/service/tickets", ticket).await;
    let page = site.without_keys("GET", "/", "").await;
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, Some("text/html; charset=utf-8"))
    );
    for there in [
        "10001",
        "<span class=\"badge\">New</span>",
        "&lt;script&gt;alert('x')&lt;/script&gt;",
        "Baker &amp; Sons &quot;Roofing&quot;",
        "&quot;&gt;&lt;b&gt;",
        "&lt;img src=x onerror=alert(1)&gt;",
        "<div>Affected device: &lt;b&gt;PC-7&lt;/b&gt;</div>",
        "<div>Found by monitoring: true</div>",
        "1 note",
    ] {
        assert!(page.text.contains(there), "{there}");
    }
    assert!(!page.text.contains("<img") && !page.text.contains("<script>alert"));
}

/// Sends the form of the page with faults as a browser does.
async fn send_form(site: &Site, path: &str, form: &str, origin: &str) -> Reply {
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("host", "localhost:8040"),
        ("origin", origin),
    ];
    site.send("POST", path, &headers, form).await
}

/// A form with all numbers, and these fields.
fn form(fields: &str) -> String {
    let zero = [
        "rate_limit_per_minute",
        "latency_ms",
        "error_rate",
        "lost_answer_rate",
        "late_commit.rate",
        "late_commit.seconds",
        "truncate_rate",
        "variants.false_200_rate",
        "variants.search_lag_seconds",
        "callbacks.lost_rate",
        "callbacks.doubled_rate",
    ];
    let zero = zero.map(|name| format!("{name}=0")).join("&");
    format!("{zero}&{fields}")
}

const OWN: &str = "http://localhost:8040";

#[tokio::test]
async fn faults_are_switched_on_and_off_on_a_page() {
    let site = Site::start().await;
    let rule = json!({ "rules": [{ "when": { "path": "/system/info" }, "then": "lost" }] });
    site.without_keys("PUT", "/_sim/faults", &rule.to_string())
        .await;
    let chosen = form("outage=on&missing_rights.service_tickets.add=on");
    let set = send_form(&site, "/faults", &chosen, OWN).await;
    assert_eq!((set.status, set.header("location")), (303, Some("/faults")));
    assert_eq!(site.get("/system/info").await.status, 503);
    let faults = site.without_keys("GET", "/_sim/faults", "").await.json();
    assert_eq!(faults["missing_rights"], json!(["service_tickets.add"]));
    // What the form does not have stays.
    assert_eq!(faults["rules"].as_array().unwrap().len(), 1);
    let page = site.without_keys("GET", "/faults", "").await.text;
    assert!(
        page.contains("name=\"outage\" aria-describedby=\"outage-help\" checked"),
        "{page}"
    );
    assert!(page.contains("/system/info"), "{page}");
    let tickets = site.without_keys("GET", "/", "").await.text;
    for there in ["Outage", "missing right service_tickets.add", "rules"] {
        assert!(tickets.contains(there), "{there}: {tickets}");
    }
    let off = send_form(&site, "/faults", &form(""), OWN).await;
    assert_eq!(off.status, 303);
    assert_ne!(site.get("/service/boards").await.status, 503);
    let ended = send_form(&site, "/faults/end", "", OWN).await;
    assert_eq!(ended.status, 303);
    assert_eq!(site.get("/system/info").await.status, 200);
    let tickets = site.without_keys("GET", "/", "").await.text;
    assert!(tickets.contains("Faults</a>: none"), "{tickets}");
}

#[tokio::test]
async fn a_wrong_fault_is_named_and_nothing_is_set() {
    let site = Site::start().await;
    for (fields, words) in [
        ("error_rate=2", "Errors, from 0 to 1: a rate is from 0 to 1"),
        (
            "latency_ms=fast",
            "Delay of each answer, in milliseconds: enter a whole number",
        ),
    ] {
        let name = fields.split_once('=').unwrap().0;
        let others = form("outage=on").replace(&format!("{name}=0"), fields);
        let refused = send_form(&site, "/faults", &others, OWN).await;
        assert_eq!(refused.status, 400);
        assert!(refused.text.contains(words), "{}", refused.text);
        // What was typed stays.
        let (_, typed) = fields.split_once('=').unwrap();
        assert!(
            refused.text.contains(&format!("value=\"{typed}\"")),
            "{}",
            refused.text
        );
        assert_eq!(site.get("/system/info").await.status, 200);
    }
}

#[tokio::test]
async fn another_sites_page_sets_no_faults() {
    let site = Site::start().await;
    for path in ["/faults", "/faults/end"] {
        for origin in ["http://localhost:9000", "https://example.com", "null"] {
            let refused = send_form(&site, path, &form("outage=on"), origin).await;
            assert_eq!(refused.status, 403, "{path} {origin}");
        }
    }
    assert_eq!(site.get("/system/info").await.status, 200);
}
