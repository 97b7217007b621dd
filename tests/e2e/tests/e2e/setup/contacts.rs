//! The contacts, their confirmation and mails, and the link that signs a person in again.

use domain::setup::contacts::MailKind;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::environment::{Browser, MAIL_FROM, TestEnvironment, after, partner};
use crate::monitoring::logs::Log;

const CONTACTS: &str = "contacts";
const BROKEN: &str = "broken_connection";
const WAITING: &str = "waiting_alerts";

/// Adds a contact that receives mails about a broken connection.
async fn add(browser: &mut Browser, address: &str, version: u64) -> u16 {
    let new = with_mails(address, &[BROKEN], version);
    browser.post(CONTACTS, &new).await.status
}

fn with_mails(address: &str, mails: &[&str], version: u64) -> Value {
    json!({ "address": address, "mails": mails, "version": version })
}

fn existing(address: &str, version: u64) -> Value {
    json!({ "address": address, "version": version })
}

/// The links in a mail's text.
fn links(mail: &Value) -> Vec<String> {
    let text = mail["BodyText"].as_str().unwrap();
    let words = text.split_whitespace();
    let links = words.filter(|word| word.starts_with("https://setup.example/"));
    links.map(str::to_owned).collect()
}

/// The addresses that the page shows, with what each receives, and the version.
async fn seen(browser: &mut Browser) -> (Vec<String>, u64) {
    let seen = browser.get_json(CONTACTS).await.expect(200).json();
    let contacts = seen["contacts"].as_array().unwrap().iter();
    let contacts = contacts.map(|contact| {
        let mails: Vec<_> = contact["mails"].as_array().unwrap().iter().collect();
        let mails: Vec<_> = mails.iter().map(|mail| mail.as_str().unwrap()).collect();
        let state = match contact["confirmation"].is_null() {
            true => "",
            false => " waits",
        };
        let address = contact["address"].as_str().unwrap();
        format!("{address}{state}: {}", mails.join(" "))
    });
    (contacts.collect(), seen["version"].as_u64().unwrap())
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
const CONFIRM: &str = "Please confirm: contact of northwind at Ticketbridge";
const CHANGED: &str = "Ticketbridge: the contacts of northwind were changed";

fn mails<const N: usize>(expected: [(&str, &str); N]) -> Vec<(String, String)> {
    let expected = expected.into_iter();
    let expected = expected.map(|(to, subject)| (to.to_owned(), subject.to_owned()));
    expected.collect()
}

#[tokio::test]
async fn a_contact_counts_once_confirmed_and_changes_are_notified() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    assert_eq!(seen(&mut browser).await, (vec![], 0));
    assert_eq!(add(&mut browser, "unknown", 0).await, 422);
    let none = browser.post(CONTACTS, &with_mails(ANNA, &[], 0)).await;
    assert_eq!(none.expect(422).json()["field"], "mails[]");
    let first = [
        ("address", " anna@northwind.example "),
        ("mails[]", BROKEN),
        ("version", "0"),
    ];
    let saved = browser.post_form(CONTACTS, &first).await.expect(303);
    assert_eq!(saved.header("location"), "contacts?done=confirmation_sent");
    assert_eq!(add(&mut browser, "mallory@elsewhere.example", 0).await, 409);
    let waits = format!("{ANNA} waits: {BROKEN}");
    assert_eq!(seen(&mut browser).await, (vec![waits], 1));
    let page = browser.get(CONTACTS).await.expect(200).text;
    assert!(page.contains("Waits for confirmation"), "{page}");
    let overview = browser.get("overview").await.expect(200).text;
    assert!(overview.contains("1 not confirmed"), "{overview}");
    // Before the confirmation no other mail is sent.
    let test = json!({ "address": ANNA });
    browser.submit("contact-test", &test, 422).await;
    env.confirm_contact().await;
    let anna = format!("{ANNA}: {BROKEN}");
    assert_eq!(seen(&mut browser).await, (vec![anna.clone()], 2));
    assert_eq!(sent(&env).await, mails([(ANNA, CONFIRM)]));
    assert_eq!(add(&mut browser, ANNA, 2).await, 422, "a contact already");

    let ben = with_mails(BEN, &[WAITING], 2);
    browser.submit(CONTACTS, &ben, 200).await;
    let asked = [(ANNA, CONFIRM), (BEN, CONFIRM), (ANNA, CHANGED)];
    assert_eq!(sent(&env).await, mails(asked));
    browser.submit("contact-test", &test, 200).await;
    env.confirm_contact().await;
    env.confirm_contact_at(Timestamp::now()).await.expect(422);
    let ben = format!("{BEN}: {WAITING}");
    assert_eq!(seen(&mut browser).await, (vec![anna, ben], 4));

    // Each is notified of a change of its own, and emergency contacts of all.
    let before = env.account.mails().await.len();
    let more = with_mails(BEN, &[BROKEN, WAITING], 4);
    browser.submit("contact-change", &more, 200).await;
    let same = with_mails(BEN, &[BROKEN, WAITING], 5);
    browser.submit("contact-change", &same, 200).await;
    browser
        .submit("contact-remove", &existing(ANNA, 5), 200)
        .await;
    let last = sent(&env).await.split_off(before);
    let both = [(BEN, CHANGED), (ANNA, CHANGED)];
    let both = [both[0], both[1], both[1], both[0]];
    assert_eq!(last, mails(both));
    let texts = env.account.mails().await.split_off(before);
    let texts = texts.iter().map(|mail| mail["BodyText"].as_str().unwrap());
    for (text, expected) in texts.zip([
        "It receives these now: Broken connection, Waiting alerts.",
        "the mails of another contact were changed",
        "This address was removed",
        "another contact was removed",
    ]) {
        assert!(text.contains(expected), "{text}");
    }
    let ben = format!("{BEN}: {BROKEN} {WAITING}");
    assert_eq!(seen(&mut browser).await, (vec![ben], 6));
    let page = env.audit_page().await;
    let done = page.entries.iter().map(|entry| entry.what.as_str());
    assert_eq!(
        done.collect::<Vec<_>>(),
        [
            "contact_removed",
            "contact_changed",
            "contact_confirmed",
            "contact_added",
            "contact_confirmed",
            "contact_added",
            "session_began"
        ]
    );
}

#[tokio::test]
async fn a_confirmation_ends_by_time_replacement_or_removal() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let now = Timestamp::now();
    let use_of = async |token: &str, at| {
        let mut reader = env.setup.browser();
        reader.now = Some(at);
        let token = json!({ "token": token });
        let answer = reader.post("/setup/contact/confirm", &token).await;
        (answer.status, answer.text)
    };
    let refusal = use_of("northwind.nothing", now).await;
    assert_eq!(refusal.0, 422);
    assert_eq!(add(&mut browser, ANNA, 0).await, 200);
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
    let again = browser
        .submit("contact-resend", &existing(ANNA, 1), 200)
        .await;
    assert_eq!(again["next"], "contacts?done=confirmation_sent");
    let second = env.confirmation().await;
    assert_eq!(use_of(&first, now).await, refusal);
    browser
        .submit("contact-remove", &existing(ANNA, 1), 409)
        .await;
    browser
        .submit("contact-remove", &existing(ANNA, 2), 200)
        .await;
    assert_eq!(use_of(&second, now).await, refusal);
    browser
        .submit("contact-resend", &existing(ANNA, 3), 409)
        .await;
    assert_eq!(add(&mut browser, ANNA, 3).await, 200);
    env.confirm_contact().await;
    browser
        .submit("contact-resend", &existing(ANNA, 5), 422)
        .await;
    assert_eq!(
        sent(&env).await,
        mails([(ANNA, CONFIRM), (ANNA, CONFIRM), (ANNA, CONFIRM)]),
        "an address that was never confirmed gets no mail about its removal"
    );
}

#[tokio::test]
async fn a_live_partner_keeps_an_emergency_contact() {
    let env = TestEnvironment::new().await;
    let broken = [MailKind::BrokenConnection];
    let waiting = [MailKind::WaitingAlerts];
    env.set_contacts(&[(ANNA, &broken), (BEN, &waiting)]).await;
    let mut browser = env.setup.signed_in().await;
    let last = browser.post("contact-remove", &existing(ANNA, 1)).await;
    let last = last.expect(422).json();
    let detail = last["detail"].as_str().unwrap();
    assert!(
        detail.contains("at least one confirmed contact"),
        "{detail}"
    );
    let other_mails = with_mails(ANNA, &[WAITING], 1);
    browser.submit("contact-change", &other_mails, 422).await;
    let path = "/v1/operator/partners/northwind/contacts";
    let only_ben = json!({ "contacts": [{ "address": BEN, "mails": [WAITING] }] });
    env.operate("PUT", path, &only_ben, 422).await;
    assert_eq!(sent(&env).await, []);
    let both = with_mails(BEN, &[BROKEN, WAITING], 1);
    browser.submit("contact-change", &both, 200).await;
    browser
        .submit("contact-remove", &existing(ANNA, 2), 200)
        .await;
    let ben = format!("{BEN}: {BROKEN} {WAITING}");
    assert_eq!(seen(&mut browser).await, (vec![ben], 3));
}

#[tokio::test]
async fn the_operator_sets_contacts_without_confirmation() {
    let env = TestEnvironment::new().await;
    let mut thief = env.setup.signed_in().await;
    assert_eq!(add(&mut thief, "mallory@elsewhere.example", 0).await, 200);
    env.operate(
        "DELETE",
        "/v1/operator/partners/northwind/sessions",
        &Value::Null,
        204,
    )
    .await;
    env.confirm_contact_at(Timestamp::now()).await.expect(422);

    let path = "/v1/operator/partners/northwind/contacts";
    let of = |address: &str, mails: &[&str]| json!({ "address": address, "mails": mails });
    let set = async |contacts: &[Value]| {
        let contacts = json!({ "contacts": contacts });
        env.setup.operator("PUT", path, &contacts).await.status
    };
    let anna = of(ANNA, &[BROKEN]);
    assert_eq!(set(&[of("unknown", &[BROKEN])]).await, 422);
    assert_eq!(set(&[of(ANNA, &[])]).await, 422);
    assert_eq!(set(&[anna.clone(), anna.clone()]).await, 422, "twice");
    assert_eq!(set(std::slice::from_ref(&anna)).await, 204);
    let mut browser = env.setup.signed_in().await;
    let only_anna = vec![format!("{ANNA}: {BROKEN}")];
    assert_eq!(seen(&mut browser).await, (only_anna.clone(), 2));
    assert_eq!(env.account.mails().await.len(), 1, "no contact before");
    assert_eq!(add(&mut browser, BEN, 2).await, 200);
    let listed = env.operate("GET", path, &Value::Null, 200).await;
    assert_eq!(listed["contacts"][1]["confirmed"], false, "{listed}");
    // Setting it again changes nothing else and removes the contact that waits.
    assert_eq!(set(std::slice::from_ref(&anna)).await, 204);
    assert_eq!(set(std::slice::from_ref(&anna)).await, 204);
    env.confirm_contact_at(Timestamp::now()).await.expect(422);
    assert_eq!(seen(&mut browser).await, (only_anna, 4));
    let before = env.account.mails().await.len();
    assert_eq!(set(&[of(CLEO, &[BROKEN])]).await, 204);
    let last = sent(&env).await.split_off(before);
    assert_eq!(last, mails([(ANNA, CHANGED)]));
    let unknown = json!({ "contacts": [] });
    let path = "/v1/operator/partners/unknown/contacts";
    env.operate("PUT", path, &unknown, 404).await;
}

#[tokio::test]
async fn only_a_contact_that_has_to_act_gets_a_link() {
    let mut env = TestEnvironment::new().await;
    let lambda = env.start_lambda(202).await;
    env.setup.signed_in().await;
    env.set_contacts(&[
        (ANNA, &[MailKind::BrokenConnection]),
        (BEN, &[MailKind::WaitingAlerts]),
    ])
    .await;
    let now = Timestamp::now();
    let ask = async |address: &str, minutes: i64| {
        let mut stranger = env.setup.browser();
        stranger.now = Some(after(now, minutes * 60));
        let form = [("partner", "northwind"), ("address", address)];
        let asked = stranger.post_form("/setup/link", &form).await.expect(303);
        assert_eq!(lambda.run(after(now, minutes * 60)).await, [true]);
        asked.text
    };
    let answers = [
        ask("mallory@elsewhere.example", 0).await,
        ask(BEN, 1).await,
        ask("ANNA@northwind.example", 7).await,
    ];
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[1], answers[2]);
    let link = "Your link to the Ticketbridge set-up of northwind";
    assert_eq!(sent(&env).await, mails([(BEN, link), (ANNA, link)]));
}

#[tokio::test]
async fn an_undeliverable_confirmation_changes_nothing() {
    let env = TestEnvironment::new().await;
    env.set_contact(ANNA).await;
    let mut browser = env.setup.signed_in().await;
    let ses = aws_sdk_sesv2::Client::new(&env.aws);
    let forget = ses.delete_email_identity().email_identity(MAIL_FROM);
    forget.send().await.unwrap();
    let new = with_mails(BEN, &[BROKEN], 1);
    let refused = browser.post(CONTACTS, &new).await.expect(422).json();
    let detail = refused["detail"].as_str().unwrap();
    assert!(
        detail.contains("own address is not ready to send"),
        "{detail}"
    );
    let (contacts, version) = seen(&mut browser).await;
    assert_eq!((contacts.len(), version), (1, 1));
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
        let address = json!({ "address": ANNA });
        browser.post("contact-test", &address).await
    };
    test(&mut browser, 0).await.expect(422);
    env.set_contact(ANNA).await;
    let sent = test(&mut browser, 0).await.expect(200).json();
    assert_eq!(sent["next"], "contacts?done=mail_sent");
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
        // The next request comes later, as in reality.
        browser.now = Some(after(now, n));
        // There are at most ten contacts, and five links for each.
        let status = match n {
            1..=10 => add(&mut browser, &format!("a{n}@northwind.example"), saved).await,
            _ => {
                let address = format!("a{}@northwind.example", n % 10 + 1);
                let again = existing(&address, saved);
                browser.post("contact-resend", &again).await.status
            }
        };
        match status {
            200 => saved += 1,
            status => assert_eq!(status, 422),
        }
    }
    assert_eq!((saved, env.account.mails().await.len()), (12, 12));
    let (contacts, version) = seen(&mut browser).await;
    assert_eq!((contacts.len(), version), (10, 12), "nothing else changed");
    let again = existing("a1@northwind.example", 12);
    browser.submit("contact-resend", &again, 422).await;
    env.set_contact(ANNA).await;
    let test = json!({ "address": ANNA });
    browser.submit("contact-test", &test, 422).await;
    let ask = async |seconds| {
        let mut stranger = env.setup.browser();
        stranger.now = Some(after(now, seconds));
        let asked = stranger.post_form(
            "/setup/link",
            &[("partner", "northwind"), ("address", ANNA)],
        );
        asked.await.expect(303);
        assert_eq!(lambda.run(after(now, seconds)).await, [true]);
    };
    ask(0).await;
    assert_eq!(env.account.mails().await.len(), 12);
    // One more mail of any kind every ten minutes.
    browser.now = Some(after(now, 660));
    browser.submit("contact-test", &test, 200).await;
    browser.submit("contact-test", &test, 422).await;
    assert_eq!(env.account.mails().await.len(), 13);
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
        let asked = stranger.post_form(
            "/setup/link",
            &[("partner", "northwind"), ("address", ANNA)],
        );
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
        let asked = browser.post_form(
            "/setup/link",
            &[("partner", "northwind"), ("address", ANNA)],
        );
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
            .post(
                "/setup/link",
                &json!({ "partner": partner, "address": ANNA }),
            )
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
    assert!(add(&mut browser, "ben@northwind.example", 1).await == 200);
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
    let contacts = env.access.contacts.get(&partner()).await.unwrap().value;
    assert!(contacts.has_emergency_contact());
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
        let asked = stranger.post_form(
            "/setup/link",
            &[("partner", "northwind"), ("address", ANNA)],
        );
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
        let ask = json!({ "partner": partner, "address": ANNA });
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
