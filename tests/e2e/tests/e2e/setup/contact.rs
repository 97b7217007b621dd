//! The emergency contact, its confirmation and mails, and the link that signs a person in again.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::environment::{Browser, MAIL_FROM, TestEnvironment, after, partner};
use crate::monitoring::logs::Log;

const CONTACT: &str = "contact";

async fn save(browser: &mut Browser, address: &str, version: u64) -> u16 {
    let desired = json!({ "address": address, "version": version });
    browser.post(CONTACT, &desired).await.status
}

/// The links in a mail's text.
fn links(mail: &Value) -> Vec<String> {
    let text = mail["BodyText"].as_str().unwrap();
    let words = text.split_whitespace();
    let links = words.filter(|word| word.starts_with("https://setup.example/"));
    links.map(str::to_owned).collect()
}

fn view(address: Option<&str>, pending: Option<&str>, version: u64) -> Value {
    json!({ "address": address, "pending": pending, "version": version })
}

async fn seen(browser: &mut Browser) -> Value {
    let mut seen = browser.get_json(CONTACT).await.expect(200).json();
    let pending = seen["pending"]["address"].take();
    seen["pending"] = pending;
    seen
}

/// Recipient and subject of each mail.
async fn sent(env: &TestEnvironment) -> Vec<(String, String)> {
    let mails = env.account.mails().await.into_iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mails = mails.map(|mail| (text(&mail["To"][0]), text(&mail["Subject"])));
    mails.collect()
}

const ANNA: &str = "anna@northwind.example";
const BEN: &str = "ben@northwind.example";
const CLEO: &str = "cleo@northwind.example";
const CONFIRM: &str = "Please confirm: emergency contact of northwind at Ticketbridge";
const IS_TO_CHANGE: &str = "Ticketbridge: the emergency contact of northwind is to change";
const CHANGED: &str = "Ticketbridge: the emergency contact of northwind was changed";

fn mails<const N: usize>(expected: [(&str, &str); N]) -> Vec<(String, String)> {
    let expected = expected.into_iter();
    let expected = expected.map(|(to, subject)| (to.to_owned(), subject.to_owned()));
    expected.collect()
}

#[tokio::test]
async fn a_contact_counts_once_confirmed_and_the_old_one_is_notified() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    assert_eq!(seen(&mut browser).await, view(None, None, 0));
    assert_eq!(save(&mut browser, "unknown", 0).await, 422);
    let first = [("address", " anna@northwind.example "), ("version", "0")];
    let saved = browser.post_form(CONTACT, &first).await.expect(303);
    assert_eq!(saved.header("location"), "contact?done=confirmation_sent");
    assert_eq!(
        save(&mut browser, "mallory@elsewhere.example", 0).await,
        409
    );
    assert_eq!(seen(&mut browser).await, view(None, Some(ANNA), 1));
    let page = browser.get(CONTACT).await.expect(200).text;
    assert!(page.contains("waits for confirmation"), "{page}");
    let overview = browser.get("overview").await.expect(200).text;
    assert!(overview.contains("waits for confirmation"), "{overview}");
    // Before the confirmation no other mail is sent.
    browser.submit("contact-test", &Value::Null, 422).await;
    env.confirm_contact().await;
    assert_eq!(seen(&mut browser).await, view(Some(ANNA), None, 2));
    assert_eq!(sent(&env).await, mails([(ANNA, CONFIRM)]));
    assert_eq!(save(&mut browser, ANNA, 2).await, 200);
    assert_eq!(
        seen(&mut browser).await,
        view(Some(ANNA), None, 2),
        "no change"
    );

    assert_eq!(save(&mut browser, BEN, 2).await, 200);
    assert_eq!(seen(&mut browser).await, view(Some(ANNA), Some(BEN), 3));
    let page = browser.get(CONTACT).await.expect(200).text;
    assert!(
        page.contains("mails go to anna@northwind.example as before"),
        "{page}"
    );
    let asked = mails([(ANNA, CONFIRM), (BEN, CONFIRM), (ANNA, IS_TO_CHANGE)]);
    assert_eq!(sent(&env).await, asked);
    browser.submit("contact-test", &Value::Null, 200).await;
    assert_eq!(sent(&env).await[3].0, ANNA, "the old contact still counts");

    env.confirm_contact().await;
    assert_eq!(seen(&mut browser).await, view(Some(BEN), None, 4));
    let last = sent(&env).await.pop().unwrap();
    assert_eq!(last, (ANNA.to_owned(), CHANGED.to_owned()));
    env.confirm_contact_at(Timestamp::now()).await.expect(422);
    let page = env.audit_page().await;
    let done: Vec<_> = page
        .entries
        .iter()
        .map(|entry| entry.what.as_str())
        .collect();
    assert_eq!(
        done,
        [
            "contact_confirmed",
            "contact_change_requested",
            "contact_confirmed",
            "contact_change_requested",
            "session_began"
        ]
    );
}

#[tokio::test]
async fn a_confirmation_ends_by_time_replacement_or_cancellation() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let now = Timestamp::now();
    let of_pending = |version: u64| json!({ "version": version });
    let use_of = async |token: &str, at| {
        let mut reader = env.setup.browser();
        reader.now = Some(at);
        let token = json!({ "token": token });
        let answer = reader.post("/setup/contact/confirm", &token).await;
        (answer.status, answer.text)
    };
    let refusal = use_of("northwind.nothing", now).await;
    assert_eq!(refusal.0, 422);
    assert_eq!(save(&mut browser, ANNA, 0).await, 200);
    let first = env.confirmation().await;
    let (_, token) = first.rsplit_once('.').unwrap();
    // Tokens of another partner, of an invalid partner, of no partner, and a truncated token.
    env.setup
        .signed_in_at(&domain::PartnerId::parse("contoso").unwrap())
        .await;
    for wrong in [
        format!("contoso.{token}"),
        format!("unknown.{token}"),
        format!("NOT AN ID.{token}"),
        token.to_owned(),
        first[..first.len() - 1].to_owned(),
        String::new(),
    ] {
        assert_eq!(use_of(&wrong, now).await, refusal, "{wrong}");
    }
    assert_eq!(
        use_of(&first, after(now, 24 * 3600 + 60)).await,
        refusal,
        "expired"
    );

    // Sent again: the token of the earlier mail is invalid.
    let again = browser.submit("contact-resend", &of_pending(1), 200).await;
    assert_eq!(again["next"], "contact?done=confirmation_sent");
    let second = env.confirmation().await;
    assert_eq!(use_of(&first, now).await, refusal);
    // Cancelled by hand, or because the contact stays the same.
    browser.submit("contact-cancel", &of_pending(1), 409).await;
    browser.submit("contact-cancel", &of_pending(2), 200).await;
    assert_eq!(use_of(&second, now).await, refusal);
    browser.submit("contact-resend", &of_pending(3), 422).await;
    assert_eq!(save(&mut browser, ANNA, 3).await, 200);
    env.confirm_contact().await;
    assert_eq!(save(&mut browser, BEN, 5).await, 200);
    let of_ben = env.confirmation().await;
    assert_eq!(save(&mut browser, ANNA, 6).await, 200);
    assert_eq!(use_of(&of_ben, now).await, refusal);
    assert_eq!(seen(&mut browser).await, view(Some(ANNA), None, 7));
}

#[tokio::test]
async fn the_operator_sets_a_contact_without_confirmation() {
    let env = TestEnvironment::new().await;
    let mut thief = env.setup.signed_in().await;
    assert_eq!(save(&mut thief, "mallory@elsewhere.example", 0).await, 200);
    env.operate(
        "DELETE",
        "/v1/operator/partners/northwind/sessions",
        &Value::Null,
        204,
    )
    .await;
    env.confirm_contact_at(Timestamp::now()).await.expect(422);

    let path = "/v1/operator/partners/northwind/contact";
    let set = async |address: &str| {
        env.setup
            .operator("PUT", path, &json!({ "address": address }))
            .await
            .status
    };
    assert_eq!(set("unknown").await, 422);
    assert_eq!(set(ANNA).await, 204);
    let mut browser = env.setup.signed_in().await;
    assert_eq!(seen(&mut browser).await, view(Some(ANNA), None, 2));
    assert_eq!(
        env.account.mails().await.len(),
        1,
        "there was no earlier contact"
    );
    assert_eq!(save(&mut browser, BEN, 2).await, 200);
    // Setting it again changes nothing and cancels the pending contact.
    assert_eq!((set(ANNA).await, set(ANNA).await), (204, 204));
    env.confirm_contact_at(Timestamp::now()).await.expect(422);
    assert_eq!(seen(&mut browser).await, view(Some(ANNA), None, 4));
    assert_eq!(set(CLEO).await, 204);
    let last = sent(&env).await.pop().unwrap();
    assert_eq!(last, (ANNA.to_owned(), CHANGED.to_owned()));
    let unknown = json!({ "address": ANNA });
    env.operate(
        "PUT",
        "/v1/operator/partners/unknown/contact",
        &unknown,
        404,
    )
    .await;
}

#[tokio::test]
async fn an_undeliverable_confirmation_changes_nothing() {
    let env = TestEnvironment::new().await;
    env.set_contact(ANNA).await;
    let mut browser = env.setup.signed_in().await;
    let ses = aws_sdk_sesv2::Client::new(&env.aws);
    let forget = ses.delete_email_identity().email_identity(MAIL_FROM);
    forget.send().await.unwrap();
    let desired = json!({ "address": BEN, "version": 1 });
    let refused = browser.post(CONTACT, &desired).await.expect(422).json();
    let detail = refused["detail"].as_str().unwrap();
    assert!(
        detail.contains("own address is not ready to send"),
        "{detail}"
    );
    assert_eq!(seen(&mut browser).await, view(Some(ANNA), None, 1));
    let state = env.config.monitoring.read().await.unwrap().state;
    let failed = state.mails_failed.map(|failed| failed.count);
    assert_eq!(failed, Some(1), "the operator is notified");
}

#[tokio::test]
async fn a_test_mail_arrives_or_says_who_can_fix_it() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let now = Timestamp::now();
    let test = async |browser: &mut Browser, second| {
        browser.now = Some(after(now, second));
        browser.post("contact-test", &Value::Null).await
    };
    test(&mut browser, 0).await.expect(422);
    env.set_contact(ANNA).await;
    let sent = test(&mut browser, 0).await.expect(200).json();
    assert_eq!(sent["next"], "contact?done=mail_sent");
    test(&mut browser, 61).await.expect(200);
    let mails = env.account.mails().await;
    assert_eq!(mails.len(), 2);
    assert_eq!(
        mails[0]["Subject"],
        "Ticketbridge: a test mail for northwind"
    );

    let ses = aws_sdk_sesv2::Client::new(&env.aws);
    let forget = ses.delete_email_identity().email_identity(MAIL_FROM);
    forget.send().await.unwrap();
    let refused = test(&mut browser, 122).await.expect(422).json();
    let detail = refused["detail"].as_str().unwrap();
    assert!(
        detail.contains("own address is not ready to send"),
        "{detail}"
    );
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
async fn all_mails_of_a_page_share_one_rate_limit() {
    let mut env = TestEnvironment::new().await;
    let lambda = env.start_lambda(202).await;
    let mut browser = env.setup.signed_in().await;
    let now = Timestamp::now();
    browser.now = Some(now);
    let mut saved = 0;
    for n in 1..=40 {
        let address = format!("a{n}@northwind.example");
        // The next request comes later, as in reality.
        browser.now = Some(after(now, n));
        match save(&mut browser, &address, saved).await {
            200 => saved += 1,
            status => assert_eq!(status, 422),
        }
    }
    assert_eq!((saved, env.account.mails().await.len()), (6, 6));
    assert_eq!(
        seen(&mut browser).await,
        view(None, Some("a6@northwind.example"), 6),
        "refused requests changed nothing"
    );
    let again = json!({ "version": 6 });
    browser.submit("contact-resend", &again, 422).await;
    env.set_contact(ANNA).await;
    browser.submit("contact-test", &Value::Null, 422).await;
    let ask = async |seconds| {
        let mut stranger = env.setup.browser();
        stranger.now = Some(after(now, seconds));
        let asked = stranger.post_form("/setup/link", &[("partner", "northwind")]);
        asked.await.expect(303);
        assert_eq!(lambda.run(after(now, seconds)).await, [true]);
    };
    ask(0).await;
    assert_eq!(env.account.mails().await.len(), 6);
    // One more mail of any kind every ten minutes.
    browser.now = Some(after(now, 660));
    browser.submit("contact-test", &Value::Null, 200).await;
    browser.submit("contact-test", &Value::Null, 422).await;
    assert_eq!(env.account.mails().await.len(), 7);
}

#[tokio::test]
async fn repeated_link_requests_are_slowed_down() {
    let mut env = TestEnvironment::new().await;
    let lambda = env.start_lambda(202).await;
    env.setup.signed_in().await;
    env.set_contact(ANNA).await;
    let now = Timestamp::now();
    let mut sent = vec![];
    for minutes in [0, 4, 6, 15, 17, 36, 38, 77, 79] {
        let mut stranger = env.setup.browser();
        stranger.now = Some(after(now, minutes * 60));
        let asked = stranger.post_form("/setup/link", &[("partner", "northwind")]);
        asked.await.expect(303);
        assert_eq!(lambda.run(after(now, minutes * 60)).await, [true]);
        sent.push((minutes, env.account.mails().await.len()));
    }
    assert_eq!(
        sent,
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
async fn a_requested_link_is_mailed_once_in_five_minutes() {
    let mut env = TestEnvironment::new().await;
    let lambda = env.start_lambda(202).await;
    env.setup.signed_in().await;
    env.set_contact(ANNA).await;
    let now = Timestamp::now();
    let ask = async |second| {
        let mut browser = env.setup.browser();
        browser.now = Some(after(now, second));
        let asked = browser.post_form("/setup/link", &[("partner", "northwind")]);
        asked.await.expect(303);
        assert_eq!(lambda.run(after(now, second)).await, [true]);
    };
    ask(0).await;
    ask(299).await;
    assert_eq!(env.account.mails().await.len(), 1);
    ask(301).await;
    let mails = env.account.mails().await;
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0]["To"], json!(["anna@northwind.example"]));
    let [first, second] = [&mails[0], &mails[1]].map(|mail| {
        let links = links(mail);
        assert_eq!(links.len(), 1, "{mail}");
        assert!(mail["BodyHtml"].as_str().unwrap().contains(&links[0]));
        links.into_iter().next().unwrap()
    });
    let mut late = env.setup.browser();
    late.now = Some(after(now, 30 * 60 + 5));
    let token = json!({ "token": first.split_once('#').unwrap().1 });
    late.post("/setup/session", &token).await.expect(401);
    late.open(&second).await;
    late.get("overview").await.expect(200);
}

#[tokio::test]
async fn a_link_request_reveals_nothing() {
    let mut env = TestEnvironment::new().await;
    let lambda = env.start_lambda(202).await;
    let (log, dispatch) = Log::start_at("info");
    let guard = tracing::dispatcher::set_default(&dispatch);
    let mut browser = env.setup.signed_in().await;
    env.set_contact(ANNA).await;
    let off = json!({ "name": "Off", "enabled": false });
    env.operate("PUT", "/v1/operator/partners/off", &off, 201)
        .await;
    let mut seen = vec![];
    // A partner that gets a mail, one within the pause, a disabled one, and one that does not exist.
    for partner in ["northwind", "northwind", "off", "contoso"] {
        let asked = env
            .setup
            .browser()
            .post("/setup/link", &json!({ "partner": partner }))
            .await;
        assert_eq!(asked.status, 200, "{asked:?}");
        seen.push((asked.status, asked.text, asked.headers));
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
    // No answer waits for the work, which is the same for each partner: one task.
    assert_eq!(lambda.waiting(), 4);
    assert_eq!(env.account.mails().await.len(), 0);
    assert_eq!(lambda.run(Timestamp::now()).await, [true; 4]);
    let page = env
        .setup
        .browser()
        .get("/setup/link?done=link_asked")
        .await
        .expect(200)
        .text;
    assert!(page.contains("If there is such a partner"), "{page}");
    assert_eq!(env.account.mails().await.len(), 1);
    assert!(save(&mut browser, "ben@northwind.example", 1).await == 200);
    drop(guard);
    let lines = log.lines();
    assert!(
        lines
            .iter()
            .any(|line| line["message"] == "no link mailed: too soon after the last mail"),
        "{lines:?}"
    );
    let lines = format!("{lines:?}");
    assert!(
        !lines.contains("anna") && !lines.contains("ben@"),
        "{lines}"
    );
    assert!(!lines.contains("setup/open#"), "{lines}");
    assert!(
        env.access
            .contacts
            .get(&partner())
            .await
            .unwrap()
            .value
            .address
            .is_some()
    );
}

#[tokio::test]
async fn a_link_task_is_retried_until_it_succeeds() {
    let mut env = TestEnvironment::new().await;
    let lambda = env.start_lambda(202).await;
    env.setup.signed_in().await;
    env.set_contact(ANNA).await;
    let now = Timestamp::now();
    let ask = async || {
        let mut stranger = env.setup.browser();
        stranger.now = Some(now);
        let asked = stranger.post_form("/setup/link", &[("partner", "northwind")]);
        asked.await.expect(303);
    };
    ask().await;
    let config = aws_sdk_dynamodb::Client::new(&env.aws);
    // The process died after the pause began and before the mail: the same request continues, another one
    // is refused.
    let request = "0123456789abcdef";
    let began = env
        .access
        .mail_limits
        .acquire_link(&partner(), request, now)
        .await;
    assert!(began.unwrap());
    for (of, may) in [(request, true), ("another", false)] {
        let northwind = partner();
        let again = env
            .access
            .mail_limits
            .acquire_link(&northwind, of, after(now, 60));
        assert_eq!(again.await.unwrap(), may, "{of}");
    }
    assert_eq!(lambda.run(now).await, [true]);
    assert_eq!(
        env.account.mails().await.len(),
        0,
        "another request is refused"
    );
    // If the table cannot be read, Lambda repeats the task.
    ask().await;
    config
        .delete_table()
        .table_name("access")
        .send()
        .await
        .unwrap();
    assert_eq!(lambda.run(now).await, [false]);
    assert_eq!(lambda.waiting(), 1);
}

#[tokio::test]
async fn a_failed_link_request_is_the_same_for_every_address() {
    let mut env = TestEnvironment::new().await;
    let lambda = env.start_lambda(429).await;
    env.setup.signed_in().await;
    env.set_contact(ANNA).await;
    let mut seen = vec![];
    for partner in ["northwind", "contoso"] {
        let ask = json!({ "partner": partner });
        let asked = env
            .setup
            .browser()
            .post("/setup/link", &ask)
            .await
            .expect(503);
        seen.push((asked.text, asked.headers));
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
    drop(lambda);
    assert_eq!(env.account.mails().await.len(), 0);
}
