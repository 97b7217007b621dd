//! The overview: whether alerts become tickets, waiting alerts, and figures.

use serde_json::{Value, json};

use crate::environment::{TestEnvironment, raised_event, resolved_event};

async fn overview(env: &TestEnvironment) -> Value {
    let mut browser = env.setup.signed_in().await;
    browser.get_json("overview").await.expect(200).json()
}

#[tokio::test]
async fn figures_agree_with_the_calls_that_connectwise_answered() {
    let mut env = TestEnvironment::new().await;
    for (id, alert) in [("e1", "a"), ("e2", "b"), ("e3", "c")] {
        env.deliver(&raised_event(id, alert, 0)).await;
    }
    env.deliver(&raised_event("e4", "a", 60)).await;
    env.deliver(&resolved_event("e5", "b", 70)).await;
    env.deliver(&raised_event("e6", "b", 80)).await;
    let ticket = env.find_ticket("c", 1).await.unwrap();
    let close = json!("close");
    let id = ticket["id"].as_u64().unwrap();
    env.connectwise.act_on_ticket(id, &close).await;
    env.deliver(&raised_event("e7", "c", 90)).await;

    let view = overview(&env).await;
    let figures = &view["live"]["figures"];
    let sum = &figures["sum"];
    let calls = env.connectwise.calls().await.into_iter();
    let posts: Vec<_> = calls.filter(|call| call.starts_with("POST")).collect();
    let notes = posts.iter().filter(|call| call.ends_with("/notes")).count();
    let tickets = env.connectwise.tickets().await.len();
    assert_eq!((sum["raised"].as_u64(), tickets), (Some(4), 4), "{figures}");
    assert_eq!(sum["created"], tickets, "{figures}");
    assert_eq!(sum["noted"], notes, "{figures} {posts:?}");
    let ended = (&sum["closed"], &sum["closed_by_person"]);
    assert_eq!(ended, (&json!(1), &json!(1)), "{figures}");
    assert!(sum["delay"]["p95"].is_u64(), "{figures}");
    let days = figures["days"].as_array().unwrap();
    assert_eq!(days.len(), 7);
    assert_eq!(days[6]["created"], 4, "today is last");
}

#[tokio::test]
async fn an_overview_that_cannot_read_what_the_checks_found_is_not_green() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let mut shown = async || browser.get("overview").await.expect(200).text;
    let (green, unknown) = ("Live: alerts become tickets.", "cannot be read now");
    let page = shown().await;
    assert!(page.contains(green) && !page.contains(unknown), "{page}");
    env.database.corrupt_breaker().await;
    let page = shown().await;
    assert!(!page.contains(green) && page.contains(unknown), "{page}");
    let (mut browser, confirmed) = (env.setup.signed_in().await, "Ticketbridge is live");
    let page = browser.get("confirm").await.expect(200).text;
    assert!(page.contains(confirmed) && page.contains(unknown), "{page}");
    assert!(!page.contains("class=\"good\">Ticketbridge"), "{page}");
    env.database.corrupt_health().await;
    let page = shown().await;
    assert!(!page.contains(green) && page.contains(unknown), "{page}");
    let page = browser.get("confirm").await.expect(200).text;
    assert!(page.contains(confirmed) && page.contains(unknown), "{page}");
}

#[tokio::test]
async fn the_overview_is_green_only_if_no_alert_waits_for_a_person() {
    let mut env = TestEnvironment::new().await;
    env.deliver(&raised_event("e1", "a", 0)).await;
    let mut browser = env.setup.signed_in().await;
    let green = "Live: alerts become tickets.";
    let page = browser.get("overview").await.expect(200).text;
    assert!(page.contains(green), "{page}");
    let mut unmapped = raised_event("e2", "b", 1);
    unmapped["data"]["tenant"] = "grove".into();
    unmapped["data"]["tenant_name"] = "Grove & Sons".into();
    unmapped["data"]["severity"] = "critical".into();
    env.deliver(&unmapped).await;
    let page = browser.get("overview").await.expect(200).text;
    assert!(!page.contains(green), "{page}");
    assert!(
        page.contains("Grove &amp; Sons (1 alert, severity: critical)"),
        "{page}"
    );
    // The table of all that waits leads to the alerts of each reason.
    let path = "activity?reason=unmapped";
    assert!(page.contains(&format!("href=\"{path}\"")), "{page}");
    let list = browser.get_json(path).await.expect(200).json();
    assert_eq!(list["rows"].as_array().unwrap().len(), 1, "{list}");
    let others = browser.get_json("activity?reason=rejected").await;
    assert_eq!(others.expect(200).json()["rows"], json!([]));
}

#[tokio::test]
async fn the_figures_of_90_days_are_one_address_away() {
    let mut env = TestEnvironment::new().await;
    env.deliver(&raised_event("e1", "a", 0)).await;
    let mut browser = env.setup.signed_in().await;
    let view = browser
        .get_json("overview?days=90")
        .await
        .expect(200)
        .json();
    let figures = &view["live"]["figures"];
    assert_eq!(figures["period"], "quarter");
    assert_eq!(figures["days"].as_array().unwrap().len(), 90);
    assert_eq!(figures["sum"]["created"], 1);
}

#[tokio::test]
async fn health_counts_the_figures_when_they_are_old() {
    let mut env = TestEnvironment::new().await;
    env.deliver(&raised_event("e1", "a", 0)).await;
    let now = jiff::Timestamp::now();
    env.run_health(&env.health(), now).await;
    let partner = crate::environment::partner();
    let first = env.config.figures.get(&partner).await.unwrap().unwrap();
    assert_eq!(first.week.created, 1);
    env.deliver(&raised_event("e2", "b", 0)).await;
    let at = crate::environment::after(now, 5);
    env.run_health(&env.health(), at).await;
    let figures = env.config.figures.get(&partner).await.unwrap().unwrap();
    assert_eq!(figures, first, "not at once");
    let at = crate::environment::after(now, 61);
    env.run_health(&env.health(), at).await;
    let figures = env.config.figures.get(&partner).await.unwrap().unwrap();
    assert_eq!(figures.week.created, 2);
}
