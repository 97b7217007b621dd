//! Secrets do not leak: random secrets go through every flow, and then everything that Ticketbridge
//! wrote, sent, answered or logged is searched for them.

use std::collections::BTreeMap;

use connectwise_sim::Seed;
use domain::EmailAddress;
use jiff::{SignedDuration, Timestamp};
use scheduled::Driver;
use serde_json::{Value, json};

use crate::environment::{
    Browser, MAIL_FROM, PARTNER, SOURCE, TestEnvironment, minute, raised_event, record_answers,
    resolved_event, signed, take_answers,
};
use crate::monitoring::logs::Log;
use crate::security::leak_search::{
    ALLOWED, Canary, CapturedTexts, Location, forms, found, random, signing_secret,
};

/// A site with random keys.
fn seed(canaries: &BTreeMap<Canary, String>) -> Seed {
    let text = Seed::DEMO_JSON
        .replace("tbPrivateKey01", &canaries[&Canary::PrivateKey])
        .replace("tbPublicKey01", &canaries[&Canary::PublicKey]);
    let mut seed: Value = serde_json::from_str(&text).unwrap();
    seed["clientId"] = canaries[&Canary::ClientId].as_str().into();
    Seed::from_json(&seed.to_string()).unwrap()
}

async fn post(
    env: &TestEnvironment,
    source: &str,
    secret: &str,
    event: &Value,
    captured: &mut CapturedTexts,
) -> i64 {
    let request = signed(
        source,
        secret,
        "application/cloudevents+json",
        event.to_string().as_bytes(),
        Timestamp::now(),
    );
    let answer = env.source.receive(request, Timestamp::now()).await;
    captured.add(Location::Answers, &format!("{answer:?}"));
    captured.queues(env).await;
    answer.status_code
}

fn health(env: &TestEnvironment, mail_from: &str, operator: &str) -> Driver<health::HealthJob> {
    let config = health::Config {
        mail_from: mail_from.into(),
        operator_mail: Some(EmailAddress::parse(operator).unwrap()),
        stack: "test".into(),
        ..env.health_config()
    };
    health::driver(&config, &env.aws).unwrap()
}

/// The webhook endpoint: accepted, wrongly signed and malformed events, and a poison message.
async fn send_to_webhook(
    env: &mut TestEnvironment,
    canaries: &BTreeMap<Canary, String>,
    captured: &mut CapturedTexts,
) {
    let secret = &canaries[&Canary::SourceSecret];
    let raised = raised_event("e1", "a1", 0);
    assert_eq!(post(env, SOURCE, secret, &raised, captured).await, 202);
    let wrong = &canaries[&Canary::WrongSecret];
    assert_eq!(post(env, SOURCE, wrong, &raised, captured).await, 401);
    assert_eq!(post(env, wrong, wrong, &raised, captured).await, 401);
    let mut malformed = raised.clone();
    malformed["data"]["kind"] = json!("dreadful");
    assert_eq!(post(env, SOURCE, secret, &malformed, captured).await, 400);
    let mut unmapped = raised_event("e2", "a2", 0);
    unmapped["data"]["tenant"] = json!("harbor-hotel");
    assert_eq!(post(env, SOURCE, secret, &unmapped, captured).await, 202);
    env.queue.send("not a message").await;
    captured.queues(env).await;
    env.worker.work().await;
    let resolved = resolved_event("e3", "a1", 5);
    assert_eq!(post(env, SOURCE, secret, &resolved, captured).await, 202);
    env.worker.work().await;
    captured.queues(env).await;
    assert_eq!(env.connectwise.tickets().await.len(), 1);
}

/// ConnectWise refuses the keys, loses answers and has an outage; keys are stored for another host;
/// health probes and sends mails.
async fn break_connection(
    env: &mut TestEnvironment,
    canaries: &BTreeMap<Canary, String>,
    captured: &mut CapturedTexts,
) {
    let secret = &canaries[&Canary::SourceSecret];
    let operator = &canaries[&Canary::Operator];
    let now = Timestamp::now();
    let unable = health(env, "contact@unverified.example", operator);
    let app = health(env, MAIL_FROM, operator);
    let mut minutes = 0;
    let faults = [
        json!({ "lost_answer_rate": 1.0 }),
        json!({ "lost_answer_rate": 0.0, "error_rate": 1.0 }),
        json!({ "error_rate": 0.0, "rate_limit_per_minute": 1 }),
        json!({ "rate_limit_per_minute": 0, "missing_rights": ["service_tickets.add"] }),
        json!({ "missing_rights": [], "client_id": "refused" }),
        json!({ "client_id": "ok", "keys": "revoked" }),
    ];
    for (n, faults) in faults.into_iter().enumerate() {
        env.connectwise.set_faults(faults).await;
        env.worker.app = env.new_tickets_app();
        let alert = format!("t{n}");
        let raised = raised_event(&format!("e-{alert}"), &alert, 10);
        assert_eq!(post(env, SOURCE, secret, &raised, captured).await, 202);
        env.worker.work_once().await;
        let reconcile = env.reconcile();
        for app in [&unable, &app] {
            minutes += 1;
            let at = now + SignedDuration::from_mins(minutes);
            env.schedule.run(&reconcile, at).await;
            let due = &env.schedule.due;
            let partner = crate::environment::partner();
            due.bring_forward(&partner, domain::monitoring::pipeline::Schedule::Health, at)
                .await
                .unwrap();
            app.handle(json!({}), &minute(at)).await.unwrap();
        }
        captured.queues(env).await;
    }
    env.set_fault("keys", "ok").await;
    // Keys of another host.
    let other = json!({
        "origin": "https://elsewhere.example", "company_id": "tbdemo",
        "public_key": canaries[&Canary::PublicKey], "private_key": canaries[&Canary::PrivateKey],
    });
    let name = format!("tb/connection/{PARTNER}");
    env.account.put_secret(&name, &other.to_string()).await;
    env.worker.app = env.new_tickets_app();
    let raised = raised_event("e-host", "t-host", 10);
    assert_eq!(post(env, SOURCE, secret, &raised, captured).await, 202);
    env.worker.work_once().await;
    // A malformed document.
    let private = &canaries[&Canary::PrivateKey];
    env.account
        .put_secret(&name, &format!("{{\"private_key\": \"{private}\", "))
        .await;
    env.worker.app = env.new_tickets_app();
    let raised = raised_event("e-doc", "t-doc", 10);
    assert_eq!(post(env, SOURCE, secret, &raised, captured).await, 202);
    env.worker.work_once().await;
    put_keys(env, canaries).await;
}

async fn put_keys(env: &TestEnvironment, canaries: &BTreeMap<Canary, String>) {
    let keys = json!({
        "origin": env.connectwise.origin(), "company_id": "tbdemo",
        "public_key": canaries[&Canary::PublicKey], "private_key": canaries[&Canary::PrivateKey],
    });
    let name = format!("tb/connection/{PARTNER}");
    env.account.put_secret(&name, &keys.to_string()).await;
}

/// The page: links, sessions, valid, refused and malformed keys, the contact and its mails.
async fn page(env: &mut TestEnvironment, canaries: &mut BTreeMap<Canary, String>) {
    let lambda = env.start_lambda(202).await;
    let partners = format!("/v1/operator/partners/{PARTNER}");
    env.setup
        .operator("PUT", &partners, &json!({ "name": "Northwind IT" }))
        .await;
    let links = format!("{partners}/links");
    let link = env.operate("POST", &links, &json!({}), 201).await;
    let link = link["url"].as_str().unwrap().to_owned();
    let ticket_ref = link.split_once('#').unwrap().1.to_owned();
    let mut browser = env.setup.browser();
    browser.open(&link).await;
    let session = browser.cookies.values().next().unwrap().clone();
    canaries.insert(Canary::LinkToken, ticket_ref.clone());
    canaries.insert(Canary::Session, session);
    // A token that is used twice, and one that was never issued.
    let mut stranger = env.setup.browser();
    for ticket_ref in [&ticket_ref, &canaries[&Canary::WrongToken]] {
        let ticket_ref = json!({ "token": ticket_ref });
        let refused = stranger.post("/setup/session", &ticket_ref).await;
        assert!(refused.status >= 400, "{refused:?}");
    }
    let name = browser.cookies.keys().next().unwrap().clone();
    let wrong = canaries[&Canary::WrongToken].clone();
    stranger.cookies.insert(name, wrong);
    stranger.get("overview").await.expect(401);

    let connect = async |browser: &mut Browser, site: &str, private_key: &str| {
        let view = browser.get_json("connection").await.expect(200);
        let connection = json!({
            "site": site, "company_id": "tbdemo", "public_key": canaries[&Canary::PublicKey],
            "private_key": private_key, "version": view.json()["version"],
        });
        browser.post("connection", &connection).await.status
    };
    let site = env.connectwise.origin();
    let good = &canaries[&Canary::PrivateKey];
    let refused = &canaries[&Canary::RefusedKey];
    assert_eq!(connect(&mut browser, &site, good).await, 200);
    assert!(connect(&mut browser, &site, refused).await >= 400);
    let malformed = format!("{}\r\n\u{0}", canaries[&Canary::MalformedKey]);
    assert!(connect(&mut browser, &site, &malformed).await >= 400);
    assert!(connect(&mut browser, "https://10.0.0.1", good).await >= 400);
    assert!(connect(&mut browser, "http://127.0.0.1:1", good).await >= 400);
    for path in [
        "overview",
        "connection",
        "check?now=true",
        "history",
        "tickets",
    ] {
        browser.get(path).await.expect(200);
        browser.get_json(path).await.expect(200);
    }
    // Neither a form nor JSON.
    let garbled = browser
        .call("POST", "connection")
        .header("content-type", "application/json");
    let mut garbled = garbled;
    garbled.body = Some(format!("{{\"private_key\": \"{refused}\", \"version\": "));
    assert!(browser.send(garbled).await.status >= 400);

    let contact = json!({ "address": canaries[&Canary::Contact], "mails": ["broken_connection"], "version": 0 });
    browser.post("contacts", &contact).await.expect(200);
    canaries.insert(
        Canary::Confirmation,
        env.confirmation()
            .await
            .rsplit_once('.')
            .unwrap()
            .1
            .to_owned(),
    );
    env.confirm_contact().await;
    let address = json!({ "address": canaries[&Canary::Contact] });
    browser.submit("contact-test", &address, 200).await;
    let address = canaries[&Canary::Contact].as_str();
    let ask = [("partner", PARTNER), ("address", address)];
    env.setup.browser().post_form("/setup/link", &ask).await;
    assert_eq!(lambda.run(Timestamp::now()).await, [true]);
    let mails = env.account.mails().await;
    let mailed = mails.iter().find_map(|mail| {
        let text = mail["BodyText"].as_str()?;
        let link = text
            .split_whitespace()
            .find(|word| word.contains("/setup/open#"))?;
        Some(link.split_once('#')?.1.to_owned())
    });
    canaries.insert(Canary::MailedToken, mailed.expect("no link was mailed"));
    browser.get("contacts").await.expect(200);
}

/// The operator's API creates a source and rotates its secret.
async fn source(
    env: &mut TestEnvironment,
    canaries: &mut BTreeMap<Canary, String>,
    captured: &mut CapturedTexts,
) {
    let desired = json!({ "name": "Scanner", "partner": PARTNER });
    let made = env
        .operate("POST", "/v1/operator/sources", &desired, 201)
        .await;
    let id = made["id"].as_str().unwrap();
    let path = format!("/v1/operator/sources/{id}/secret");
    let rotated = env.operate("POST", &path, &json!({}), 200).await;
    for (canary, answer) in [
        (Canary::MadeSecret, &made),
        (Canary::RotatedSecret, &rotated),
    ] {
        let secret = answer["secret"].as_str().unwrap().to_owned();
        let raised = raised_event("e-made", "made", 20);
        assert_eq!(post(env, id, &secret, &raised, captured).await, 202);
        canaries.insert(canary, secret);
    }
    env.worker.work_once().await;
    env.operate("GET", "/v1/operator/sources", &Value::Null, 200)
        .await;
}

#[tokio::test]
async fn no_secret_reaches_logs_tables_mails_or_responses() {
    let secret = |canary| (canary, random(24));
    let mut canaries: BTreeMap<_, _> = [
        Canary::PrivateKey,
        Canary::RefusedKey,
        Canary::MalformedKey,
        Canary::PublicKey,
        Canary::ClientId,
        Canary::WrongToken,
    ]
    .map(secret)
    .into();
    canaries.insert(Canary::SourceSecret, signing_secret());
    canaries.insert(Canary::WrongSecret, signing_secret());
    let address = |of: &str| format!("{}@{of}.example", random(16).to_ascii_lowercase());
    canaries.insert(Canary::Contact, address("northwind"));
    canaries.insert(Canary::Operator, address("operator"));

    let (log, dispatch) = Log::start_at("debug");
    let _guard = tracing::dispatcher::set_default(&dispatch);
    record_answers();
    let mut env = TestEnvironment::with_seed(seed(&canaries)).await;
    put_keys(&env, &canaries).await;
    env.account
        .put_secret("tb/client-id", &canaries[&Canary::ClientId])
        .await;
    let document = json!({
        "partner": PARTNER, "enabled": true,
        "secrets": [{ "value": canaries[&Canary::SourceSecret] }],
    });
    env.account
        .put_secret(&format!("tb/source/{SOURCE}"), &document.to_string())
        .await;
    let mut captured = CapturedTexts::default();
    // On the heap, because the futures are too large for a thread's stack.
    Box::pin(send_to_webhook(&mut env, &canaries, &mut captured)).await;
    Box::pin(page(&mut env, &mut canaries)).await;
    Box::pin(source(&mut env, &mut canaries, &mut captured)).await;
    Box::pin(break_connection(&mut env, &canaries, &mut captured)).await;

    captured.tables(&env).await;
    captured.queues(&env).await;
    let answers = take_answers();
    captured.add(Location::Answers, &answers);
    captured.add(Location::Logs, &log.text());
    for mail in env.account.mails().await {
        captured.add(Location::Mails, &mail.to_string());
    }
    captured.add(
        Location::Tickets,
        &json!(env.connectwise.tickets().await).to_string(),
    );
    captured.add(
        Location::Tickets,
        &json!(env.connectwise.journal().await).to_string(),
    );
    for location in Location::ALL {
        let bytes = captured.0.get(&location).map_or(0, String::len);
        println!("{location:?}: {bytes} bytes");
        assert!(bytes > 500, "nothing to search: {location:?}");
    }
    assert_eq!(canaries.len(), 16);
    let leaks = captured.leaks(&canaries);
    println!("{} canaries, {} found", canaries.len(), leaks.len());
    assert_eq!(leaks, [""; 0]);

    // Each allowed location contains its secret: otherwise the flow did not run, or the search finds nothing.
    for (canary, location, why) in ALLOWED {
        let is_there = found(&canaries[&canary], &captured.0[&location]).is_some();
        assert!(is_there, "{canary:?} is not in {location:?}: {why}");
    }
    // A planted secret is found at every location and in every form.
    let planted = &canaries[&Canary::PrivateKey];
    for location in Location::ALL {
        for form in forms(planted) {
            let mut careless = CapturedTexts::default();
            careless.add(location, &format!("{{\"fault\": \"…{form}…\"}}"));
            assert_eq!(careless.leaks(&canaries).len(), 1, "{location:?}");
        }
    }
    // ConnectWise's failures delay some messages beyond the end of the test.
    env.queue.allow_leftovers();
    env.dead_letter_queue.expect_leftovers(1);
}
