//! The list of alerts, and each alert's own page: what became of it, and why.

use domain::PartnerId;
use serde_json::{Value, json};

use crate::environment::{
    PARTNER, SOURCE, TENANT, TestEnvironment, event, raised_event, resolved_event,
};
use crate::reconcile::closing::run_reconcile;

/// The list's JSON.
async fn list(env: &TestEnvironment, query: &str) -> Value {
    let mut browser = env.setup.signed_in().await;
    let path = format!("activity{query}");
    browser.get_json(&path).await.expect(200).json()
}

fn column<'a>(list: &'a Value, member: &str) -> Vec<&'a str> {
    let rows = list["rows"].as_array().unwrap().iter();
    rows.map(|row| row[member].as_str().unwrap()).collect()
}

/// The page of the alert with this title, as JSON.
async fn alert_page(env: &TestEnvironment, title: &str) -> Value {
    let rows = list(env, "").await;
    let rows = rows["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["title"] == title).expect(title);
    let mut browser = env.setup.signed_in().await;
    let path = row["path"].as_str().unwrap();
    browser.get_json(path).await.expect(200).json()
}

/// The steps of a page, without their times.
fn steps(page: &Value) -> Vec<&str> {
    let steps = page["steps"].as_array().unwrap().iter();
    steps.map(|step| step["words"].as_str().unwrap()).collect()
}

fn named(mut event: Value, title: &str) -> Value {
    event["data"]["title"] = title.into();
    event
}

/// An alert with an open ticket, one of an unmapped tenant, and one whose ticket was closed.
pub(crate) async fn with_three_alerts() -> TestEnvironment {
    let mut env = TestEnvironment::new().await;
    env.deliver(&named(raised_event("e1", "first", 0), "Disk of web-1"))
        .await;
    let mut unmapped = named(raised_event("e2", "second", 1), "CPU of db-1");
    unmapped["data"]["tenant"] = "grove".into();
    unmapped["data"]["kind"] = "cpu".into();
    unmapped["data"]["device"] = "db-1".into();
    env.deliver(&unmapped).await;
    env.deliver(&named(raised_event("e3", "third", 2), "Disk of web-3"))
        .await;
    env.deliver(&resolved_event("e4", "third", 3)).await;
    env
}

#[tokio::test]
async fn each_alert_is_listed_with_what_became_of_it() {
    let env = with_three_alerts().await;
    let all = list(&env, "").await;
    assert_eq!(
        column(&all, "title"),
        ["Disk of web-3", "CPU of db-1", "Disk of web-1"]
    );
    assert_eq!(column(&all, "state"), ["closed", "waiting", "open"]);
    assert_eq!(
        column(&all, "tenant_name"),
        [TENANT, "Acme Dental", TENANT],
        "the seeded tenant has no name"
    );
    assert_eq!(all["rows"][1]["words"], "The tenant is not mapped.");
    let tickets = env.connectwise.tickets().await;
    assert_eq!(all["rows"][2]["ticket"], tickets[0]["id"]);
    assert!(all["rows"][1].get("ticket").is_none());
    assert_eq!(all["next"], Value::Null);

    let page = env
        .setup
        .signed_in()
        .await
        .get("activity")
        .await
        .expect(200)
        .text;
    let address = format!(
        "{}/v4_6_release/services/system_io/Service/fv_sr100_request.rails?companyName=tbdemo&amp;service_recid={}",
        env.connectwise.origin(),
        tickets[0]["id"]
    );
    assert!(page.contains(&address), "{address} in {page}");
}

#[tokio::test]
async fn the_list_is_filtered_and_searched() {
    let env = with_three_alerts().await;
    let ticket = env.connectwise.tickets().await[0]["id"].clone();
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    let (today, tomorrow) = (today.date(), today.date().tomorrow().unwrap());
    let (first, second, third) = ("Disk of web-1", "CPU of db-1", "Disk of web-3");
    for (query, expected) in [
        ("state=open".to_owned(), vec![first]),
        ("state=waiting".to_owned(), vec![second]),
        ("state=closed".to_owned(), vec![third]),
        ("state=failed".to_owned(), vec![]),
        ("tenant=grove".to_owned(), vec![second]),
        (format!("tenant={TENANT}"), vec![third, first]),
        ("kind=cpu".to_owned(), vec![second]),
        (format!("source={SOURCE}"), vec![third, second, first]),
        ("source=src_abcdefghijklmnopqrstuvwxyz".to_owned(), vec![]),
        ("search=WEB".to_owned(), vec![third, first]),
        ("search=DB-1".to_owned(), vec![second]),
        ("search=second".to_owned(), vec![second]),
        (format!("search={ticket}"), vec![first]),
        (format!("search=%23{ticket}"), vec![first]),
        (format!("since={today}"), vec![third, second, first]),
        (format!("since={tomorrow}"), vec![]),
        (format!("until={today}"), vec![third, second, first]),
        ("until=2020-01-01".to_owned(), vec![]),
        (
            "state=&tenant=&kind=&since=&search=".to_owned(),
            vec![third, second, first],
        ),
        (
            format!("state=open&search=web&tenant={TENANT}"),
            vec![first],
        ),
    ] {
        let found = list(&env, &format!("?{query}")).await;
        assert_eq!(column(&found, "title"), expected, "{query}");
    }
    let mut browser = env.setup.signed_in().await;
    // A kind that two sources add is one option.
    for name in ["One", "Two"] {
        let kind = json!([{ "kind": "backup", "category": "operations", "type_name": "Backup" }]);
        let source = json!({ "name": name, "partner": PARTNER, "kinds_added": kind });
        env.operate("POST", "/v1/operator/sources", &source, 201)
            .await;
    }
    let page = browser.get("activity").await.expect(200).text;
    assert_eq!(page.matches(r#"<option value="backup">"#).count(), 1);
    for query in [
        "state=odd",
        "since=yesterday",
        "tenant=%00",
        "from=odd",
        "since=2026-11-02&until=2026-11-01",
    ] {
        browser.get(&format!("activity?{query}")).await.expect(422);
    }
    let reversed = "activity?since=2026-11-02&until=2026-11-01";
    let page = browser.get(reversed).await.expect(422).text;
    assert_eq!(page.matches("until-problem").count(), 2, "{page}");
}

#[tokio::test]
async fn the_list_is_read_page_by_page() {
    let mut env = TestEnvironment::new().await;
    let events: Vec<_> = (0..60)
        .map(|n| {
            let raised = raised_event(&format!("e{n}"), &format!("a{n}"), n);
            named(raised, &format!("Alert {n:02}"))
        })
        .collect();
    for event in &events {
        env.source.post(event).await;
    }
    env.worker.work().await;
    let first = list(&env, "").await;
    let next = first["next"].as_str().unwrap();
    let second = list(&env, &format!("?from={next}")).await;
    let mut titles = column(&first, "title");
    assert_eq!(titles.len(), 50);
    titles.extend(column(&second, "title"));
    titles.sort_unstable();
    titles.dedup();
    assert_eq!(titles.len(), 60, "each once");
    assert_eq!(second["next"], Value::Null);
    // A position outside of the days that are asked for is ignored.
    let outside = list(&env, &format!("?until=2020-01-01&from={next}")).await;
    assert_eq!(column(&outside, "title"), Vec::<&str>::new());
}

#[tokio::test]
async fn an_alert_of_another_partner_does_not_exist() {
    let env = with_three_alerts().await;
    let path = list(&env, "").await["rows"][0]["path"]
        .as_str()
        .unwrap()
        .to_owned();
    let id = path.split_once("id=").unwrap().1;
    let contoso = PartnerId::parse("contoso").unwrap();
    let mut other = env.setup.signed_in_at(&contoso).await;
    other.get(&path).await.expect(404);
    let release = json!({ "id": id });
    other.post("activity-release", &release).await.expect(404);
    let none = other.get_json("activity").await.expect(200).json();
    assert_eq!(none["rows"], json!([]));
    other
        .get("activity-alert?id=ticket_index%23northwind")
        .await
        .expect(404);
    other.get("activity-alert?id=").await.expect(404);
}

#[tokio::test]
async fn an_alerts_page_has_the_alerts_title() {
    let env = with_three_alerts().await;
    let mut browser = env.setup.signed_in().await;
    let list = browser.get_json("activity").await.expect(200).json();
    let row = &list["rows"][0];
    let (path, title) = (
        row["path"].as_str().unwrap(),
        row["title"].as_str().unwrap(),
    );
    let page = browser.get(path).await.expect(200).text;
    assert!(page.contains(&format!("<h1>{title}</h1>")), "{page}");
    assert!(page.contains(&format!("<title>{title} ")), "{page}");
}

#[tokio::test]
async fn a_closed_alert_shows_its_steps() {
    let env = with_three_alerts().await;
    let page = alert_page(&env, "Disk of web-3").await;
    let ticket = &page["ticket"];
    assert_eq!(
        steps(&page),
        [
            "The source raised the alert, severity medium.",
            &format!("It has ticket #{ticket}."),
            "The source resolved it.",
            &format!("A note was written on ticket #{ticket}. Reason: resolved."),
            &format!(
                "Ticket #{ticket} ended. Ticketbridge closed it, since the alert was resolved."
            ),
        ]
    );
    assert_eq!(
        page["next"],
        "Nothing, until the alert is raised again. It gets a new ticket then."
    );
    assert_eq!(page["can_release"], false);
}

#[tokio::test]
async fn a_repeated_alert_shows_the_number_of_repeats_and_its_note() {
    let mut env = TestEnvironment::new().await;
    env.deliver(&named(raised_event("e1", "a", 0), "Noisy"))
        .await;
    env.deliver(&named(raised_event("e2", "a", 5), "Noisy"))
        .await;
    let mut worse = named(event("alert.updated", "e3", "a", 6), "Noisy");
    worse["data"]["severity"] = "critical".into();
    env.deliver(&worse).await;
    let page = alert_page(&env, "Noisy").await;
    let words = steps(&page).join("\n");
    for part in [
        "A note was written",
        "The source repeated it once, severity medium.",
        "2 times by now, severity critical.",
        "The priority is set.",
    ] {
        assert!(words.contains(part), "{part} in {words}");
    }
}

#[tokio::test]
async fn a_ticket_that_a_person_ended_shows_how() {
    for (action, words) in [
        (json!("close"), "A technician closed it."),
        (json!("delete"), "It was deleted in ConnectWise."),
        (json!({ "reference": "INC-7" }), "It was merged or moved"),
    ] {
        let mut env = TestEnvironment::new().await;
        env.deliver(&named(raised_event("e1", "a", 0), "Taken"))
            .await;
        let ticket = env.connectwise.tickets().await[0]["id"].as_u64().unwrap();
        env.connectwise.act_on_ticket(ticket, &action).await;
        env.deliver(&named(raised_event("e2", "a", 1), "Taken"))
            .await;
        let page = alert_page(&env, "Taken").await;
        let last = steps(&page).pop().unwrap().to_owned();
        assert!(last.contains(words), "{last}");
        assert_eq!(page["state"], "closed");
        let next = page["next"].as_str().unwrap();
        assert!(next.contains("A repeat creates no new ticket"), "{next}");
    }
}

#[tokio::test]
async fn a_ticket_is_opened_again_for_an_active_alert_that_a_person_ended() {
    let mut env = TestEnvironment::new().await;
    env.deliver(&named(raised_event("e1", "a", 0), "Taken"))
        .await;
    let mut browser = env.setup.signed_in().await;
    let again = json!({ "id": alert_page(&env, "Taken").await["id"] });
    let path = "activity-open-again";
    browser.post(path, &again).await.expect(422);
    let ticket = env.connectwise.tickets().await[0]["id"].as_u64().unwrap();
    let close = json!("close");
    env.connectwise.act_on_ticket(ticket, &close).await;
    env.deliver(&named(raised_event("e2", "a", 1), "Taken"))
        .await;
    assert_eq!(alert_page(&env, "Taken").await["can_open_again"], true);
    browser.submit(path, &again, 200).await;
    // Pressed twice before the worker has it.
    browser.submit(path, &again, 200).await;
    env.worker.work().await;
    let tickets = env.connectwise.tickets().await;
    assert_eq!(tickets.len(), 2, "{tickets:?}");
    assert_eq!(tickets[1]["summary"], "Taken");
    let page = alert_page(&env, "Taken").await;
    let steps = steps(&page);
    let asked = steps.iter().rev().nth(1).unwrap();
    assert_eq!(*asked, "A person asked for a ticket again.", "{steps:?}");
    assert_eq!(page["ticket"], tickets[1]["id"]);
    assert_eq!(page["can_open_again"], false);
    browser.post(path, &again).await.expect(422);
    // The same request, delivered again, is of the occurrence before.
    env.connectwise
        .act_on_ticket(tickets[1]["id"].as_u64().unwrap(), &close)
        .await;
    env.deliver(&named(raised_event("e3", "a", 2), "Taken"))
        .await;
    assert_eq!(alert_page(&env, "Taken").await["can_open_again"], true);
    assert_eq!(env.connectwise.tickets().await.len(), 2);
}

#[tokio::test]
async fn a_refused_alert_shows_connectwises_words_and_is_released() {
    let mut env = TestEnvironment::new().await;
    let refusal = json!({ "answer": { "status": 400, "body": { "custom": { "message": "Summary is odd" } } } });
    let rule = json!({ "when": { "operations": ["create"] }, "then": refusal });
    env.connectwise.set_faults(json!({ "rules": [rule] })).await;
    env.deliver(&named(raised_event("e1", "a", 0), "Refused"))
        .await;
    let page = alert_page(&env, "Refused").await;
    assert_eq!(page["state"], "failed");
    let words = page["words"].as_str().unwrap();
    assert!(words.contains("Summary is odd"), "{words}");
    assert_eq!(page["can_release"], true);
    let last = steps(&page).pop().unwrap().to_owned();
    assert!(last.contains("Summary is odd"), "{last}");

    env.connectwise.set_faults(json!({ "rules": [] })).await;
    let mut browser = env.setup.signed_in().await;
    let release = json!({ "id": page["id"] });
    let released = browser.submit("activity-release", &release, 200).await;
    let shown = browser
        .get(released["next"].as_str().unwrap())
        .await
        .expect(200)
        .text;
    assert!(shown.contains("It is tried within a minute"), "{shown}");
    env.worker.work().await;
    let tickets = env.connectwise.tickets().await.len();
    assert_eq!(tickets, 1, "{:?}", env.record("a").await);
    assert_eq!(alert_page(&env, "Refused").await["state"], "open");
    let history = env.audit_page().await.entries;
    let released = history.iter().filter(|entry| entry.what == "released");
    assert_eq!(released.count(), 1);
    browser.post("activity-release", &release).await.expect(422);
}

#[tokio::test]
async fn an_expired_alert_and_a_blocked_one_show_why() {
    let mut env = TestEnvironment::new().await;
    let mut expiring = named(raised_event("e1", "a", 0), "Expiring");
    let in_a_minute = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(1);
    expiring["data"]["expires_at"] = in_a_minute.to_string().into();
    env.deliver(&expiring).await;
    run_reconcile(&mut env, 10).await;
    env.worker.work().await;
    let page = alert_page(&env, "Expiring").await;
    let words = steps(&page).join("\n");
    assert!(words.contains("not repeated before its expiry"), "{words}");

    env.connectwise
        .set_faults(json!({ "keys": "revoked" }))
        .await;
    env.deliver(&named(raised_event("e2", "b", 0), "Without keys"))
        .await;
    let page = alert_page(&env, "Without keys").await;
    assert_eq!(page["state"], "waiting", "{page}");
    let words = steps(&page).join("\n");
    assert!(
        words.contains("ConnectWise refuses the connection"),
        "{words}"
    );
    let next = page["next"].as_str().unwrap();
    assert!(next.contains("accepts requests again"), "{next}");
}

#[tokio::test]
async fn names_on_an_alerts_page_are_escaped() {
    let mut env = TestEnvironment::new().await;
    let hostile = r#"<script>alert("x")</script>"#;
    let mut raised = named(raised_event("e1", "a<b>", 0), hostile);
    raised["data"]["device"] = hostile.into();
    env.deliver(&raised).await;
    let list = list(&env, "").await;
    let path = list["rows"][0]["path"].as_str().unwrap();
    let mut browser = env.setup.signed_in().await;
    for path in [path, "activity", "activity?search=%3Cscript%3E"] {
        let page = browser.get(path).await.expect(200).text;
        assert_eq!(page.matches("<script").count(), 1, "{path}");
    }
    assert!(list["rows"][0]["tenant"] == TENANT && PARTNER == "northwind");
}
