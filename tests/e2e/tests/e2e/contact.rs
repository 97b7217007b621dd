//! The emergency contact, its mails, and the fresh link for those whose session is over.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::logs::Log;
use crate::setup_client::Browser;
use crate::ticks::after;
use crate::world::{MAIL_FROM, World, partner};

const CONTACT: &str = "/setup/contact";

async fn save(browser: &mut Browser, address: &str, version: u64) -> u16 {
    let wanted = json!({ "address": address, "version": version });
    browser.post(CONTACT, &wanted).await.status
}

/// The links in a mail's text.
fn links(mail: &Value) -> Vec<String> {
    let text = mail["BodyText"].as_str().unwrap();
    let words = text.split_whitespace();
    let links = words.filter(|word| word.starts_with("https://setup.example/"));
    links.map(str::to_owned).collect()
}

#[tokio::test]
async fn whose_address_it_was_is_told_that_it_is_no_more() {
    let world = World::new().await;
    let mut browser = world.signed_in().await;
    let view = browser.get_json(CONTACT).await.expect(200).json();
    assert_eq!(view, json!({ "address": null, "version": 0 }));
    assert_eq!(save(&mut browser, "nobody", 0).await, 422);
    let first = [("address", " anna@northwind.example "), ("version", "0")];
    let saved = browser.post_form(CONTACT, &first).await.expect(303);
    assert_eq!(saved.header("location"), "/setup/contact?done=saved");
    assert_eq!(
        save(&mut browser, "mallory@elsewhere.example", 0).await,
        409
    );
    assert_eq!(save(&mut browser, "anna@northwind.example", 1).await, 200);
    let view = browser.get_json(CONTACT).await.expect(200).json();
    assert_eq!(
        view,
        json!({ "address": "anna@northwind.example", "version": 1 })
    );
    assert_eq!(world.mails().await.len(), 0, "nobody was there before");

    assert_eq!(save(&mut browser, "ben@northwind.example", 1).await, 200);
    let mails = world.mails().await;
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0]["To"], json!(["anna@northwind.example"]));
    assert_eq!(
        mails[0]["Subject"],
        "Ticketbridge: the emergency contact of northwind was changed"
    );
    let page = browser.get(CONTACT).await.expect(200).text;
    assert!(page.contains(r#"value="ben@northwind.example""#), "{page}");
}

#[tokio::test]
async fn a_change_that_nobody_could_be_told_of_is_saved_and_says_so() {
    let world = World::new().await;
    let mut browser = world.signed_in().await;
    assert_eq!(save(&mut browser, "anna@northwind.example", 0).await, 200);
    let ses = aws_sdk_sesv2::Client::new(&world.aws);
    let forget = ses.delete_email_identity().email_identity(MAIL_FROM);
    forget.send().await.unwrap();
    let wanted = json!({ "address": "ben@northwind.example", "version": 1 });
    let saved = browser.post(CONTACT, &wanted).await.expect(200).json();
    assert_eq!(
        saved,
        json!({ "next": "/setup/contact?done=old_address_not_told", "old_address_told": false })
    );
    let page = browser
        .get(saved["next"].as_str().unwrap())
        .await
        .expect(200)
        .text;
    assert!(page.contains("could not be told by mail"), "{page}");
    let signs = world.config.pipeline().await.unwrap().signs;
    let failed = signs.mails_failed.map(|failed| failed.count);
    assert_eq!(failed, Some(1), "the operator hears of it");
    assert!(page.contains("ben@northwind.example"), "{page}");
}

#[tokio::test]
async fn a_test_mail_arrives_or_tells_who_can_mend_it() {
    let world = World::new().await;
    let mut browser = world.signed_in().await;
    let now = Timestamp::now();
    let test = async |browser: &mut Browser, second| {
        browser.now = Some(after(now, second));
        browser.post("/setup/contact/test", &Value::Null).await
    };
    test(&mut browser, 0).await.expect(422);
    assert_eq!(save(&mut browser, "anna@northwind.example", 0).await, 200);
    let sent = test(&mut browser, 0).await.expect(200).json();
    assert_eq!(sent["next"], "/setup/contact?done=mail_sent");
    test(&mut browser, 61).await.expect(200);
    let mails = world.mails().await;
    assert_eq!(mails.len(), 2);
    assert_eq!(
        mails[0]["Subject"],
        "Ticketbridge: a test mail for northwind"
    );

    let ses = aws_sdk_sesv2::Client::new(&world.aws);
    let forget = ses.delete_email_identity().email_identity(MAIL_FROM);
    forget.send().await.unwrap();
    let refused = test(&mut browser, 122).await.expect(422).json();
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("Only the operator"), "{detail}");
    let verify = ses.create_email_identity().email_identity(MAIL_FROM);
    verify.send().await.unwrap();
    let details = ses.put_account_details().production_access_enabled(false);
    let details = details.mail_type(aws_sdk_sesv2::types::MailType::Transactional);
    let details = details.website_url("https://ticketbridge.example");
    details.send().await.unwrap();
    let refused = test(&mut browser, 183).await.expect(422).json();
    assert_eq!(refused["field"], "address");
}

#[tokio::test]
async fn whoever_is_at_the_page_sends_few_mails_by_all_its_means_together() {
    let world = World::new().await;
    let mut browser = world.signed_in().await;
    let now = Timestamp::now();
    browser.now = Some(now);
    assert_eq!(save(&mut browser, "a0@northwind.example", 0).await, 200);
    let mut saved = 0;
    for n in 1..=40 {
        let address = format!("a{n}@northwind.example");
        match save(&mut browser, &address, saved + 1).await {
            200 => saved += 1,
            status => assert_eq!(status, 422),
        }
    }
    assert_eq!((saved, world.mails().await.len()), (6, 6));
    let view = browser.get_json(CONTACT).await.expect(200).json();
    assert_eq!(
        view["address"], "a6@northwind.example",
        "the refused ones changed nothing"
    );
    browser
        .post("/setup/contact/test", &Value::Null)
        .await
        .expect(422);
    let ask = async |seconds| {
        let mut stranger = world.browser();
        stranger.now = Some(after(now, seconds));
        let asked = stranger.post_form("/setup/link", &[("partner", "northwind")]);
        asked.await.expect(303);
    };
    ask(0).await;
    assert_eq!(world.mails().await.len(), 6);
    // One more every ten minutes, whichever it is.
    browser.now = Some(after(now, 660));
    browser
        .post("/setup/contact/test", &Value::Null)
        .await
        .expect(200);
    browser
        .post("/setup/contact/test", &Value::Null)
        .await
        .expect(422);
    assert_eq!(world.mails().await.len(), 7);
}

#[tokio::test]
async fn who_asks_for_links_again_and_again_gets_them_less_and_less_often() {
    let world = World::new().await;
    let mut browser = world.signed_in().await;
    assert_eq!(save(&mut browser, "anna@northwind.example", 0).await, 200);
    let now = Timestamp::now();
    let mut told = vec![];
    for minutes in [0, 4, 6, 15, 17, 36, 38, 77, 79] {
        let mut stranger = world.browser();
        stranger.now = Some(after(now, minutes * 60));
        let asked = stranger.post_form("/setup/link", &[("partner", "northwind")]);
        asked.await.expect(303);
        told.push((minutes, world.mails().await.len()));
    }
    assert_eq!(
        told,
        [
            (0, 1),
            (4, 1),
            (6, 2),
            (15, 2),
            (17, 3),
            (36, 3),
            (38, 4),
            (77, 4),
            (79, 5)
        ]
    );
}

#[tokio::test]
async fn a_fresh_link_is_mailed_once_in_five_minutes_and_opens_for_half_an_hour() {
    let world = World::new().await;
    let mut browser = world.signed_in().await;
    assert_eq!(save(&mut browser, "anna@northwind.example", 0).await, 200);
    let now = Timestamp::now();
    let ask = async |second| {
        let mut browser = world.browser();
        browser.now = Some(after(now, second));
        let asked = browser.post_form("/setup/link", &[("partner", "northwind")]);
        asked.await.expect(303);
    };
    ask(0).await;
    ask(299).await;
    assert_eq!(world.mails().await.len(), 1);
    ask(301).await;
    let mails = world.mails().await;
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0]["To"], json!(["anna@northwind.example"]));
    let [first, second] = [&mails[0], &mails[1]].map(|mail| {
        let links = links(mail);
        assert_eq!(links.len(), 1, "{mail}");
        assert!(mail["BodyHtml"].as_str().unwrap().contains(&links[0]));
        links.into_iter().next().unwrap()
    });
    let mut late = world.browser();
    late.now = Some(after(now, 30 * 60 + 5));
    let token = json!({ "token": first.split_once('#').unwrap().1 });
    late.post("/setup/session", &token).await.expect(401);
    late.open(&second).await;
    late.get("/setup").await.expect(200);
}

#[tokio::test]
async fn who_asks_for_a_link_learns_nothing_and_no_log_has_the_address() {
    let world = World::new().await;
    let (log, dispatch) = Log::start_at("info");
    let guard = tracing::dispatcher::set_default(&dispatch);
    let mut browser = world.signed_in().await;
    assert_eq!(save(&mut browser, "anna@northwind.example", 0).await, 200);
    let off = json!({ "name": "Off", "enabled": false });
    let made = world
        .operator("PUT", "/v1/operator/partners/off", &off)
        .await;
    made.expect(201);
    let mut seen = vec![];
    // One who is mailed, one within the pause, one who is switched off, and one who is not there.
    for partner in ["northwind", "northwind", "off", "contoso"] {
        let begun = Instant::now();
        let asked = world
            .browser()
            .post("/setup/link", &json!({ "partner": partner }))
            .await;
        let took = begun.elapsed();
        assert!(took >= Duration::from_secs(2), "{took:?}");
        seen.push((asked.status, asked.text, asked.headers));
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
    let page = world
        .browser()
        .get("/setup/link?done=link_asked")
        .await
        .expect(200)
        .text;
    assert!(page.contains("If there is such a partner"), "{page}");
    assert_eq!(world.mails().await.len(), 1);
    assert!(save(&mut browser, "ben@northwind.example", 1).await == 200);
    drop(guard);
    let lines = log.lines();
    assert!(
        lines
            .iter()
            .any(|line| line["message"] == "a fresh link was asked for"),
        "{lines:?}"
    );
    let lines = format!("{lines:?}");
    assert!(
        !lines.contains("anna") && !lines.contains("ben@"),
        "{lines}"
    );
    assert!(!lines.contains("setup/open#"), "{lines}");
    assert!(
        world
            .access
            .contact_to_change(&partner())
            .await
            .unwrap()
            .value
            .is_some()
    );
}
