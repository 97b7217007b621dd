//! The page "Sources": a partner creates its sources, makes their mappings, and replays messages.

use domain::setup::mapping::Mapping;
use domain::source::authentication::Authentication;
use domain::{Kind, PartnerId};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::environment::sender::Sender;
use crate::environment::{Browser, PARTNER, SOURCE, TestEnvironment, is_open, partner, tenant};

const LIST: &str = "sources";
const NEW: &str = "source-new";
const ONE: &str = "source";
const SECRET: &str = "source-secret";
const AUTHENTICATION: &str = "source-authentication";
const SAMPLE: &str = "source-sample";
const MAPPING: &str = "source-mapping";
const MESSAGES: &str = "source-messages";
const MESSAGE: &str = "source-message";
const REPLAY: &str = "source-replay";

/// A message of a product that Ticketbridge does not know.
fn message(status: &str) -> Value {
    json!({
        "incident": { "id": "inc-17", "status": status, "severity": "warning" },
        "customer": { "name": "fabrikam" },
        "title": "Backup failed",
        "host": "SRV-01",
    })
}

async fn environment() -> TestEnvironment {
    let env = TestEnvironment::new().await;
    let mapping = Mapping {
        company: Some(301),
        company_name: Some("Acme Dental Ltd".to_owned()),
        enabled: true,
        ..Mapping::default()
    };
    let (northwind, fabrikam) = (partner(), tenant("fabrikam"));
    let put = env.config.tenants.put(&northwind, &fabrikam, &mapping);
    put.await.unwrap();
    env
}

/// Creates a source, and returns its id.
async fn create(browser: &mut Browser, preset: &str) -> String {
    let form =
        json!({ "name": "Backup", "preset": preset, "authentication": { "scheme": "bearer" } });
    let made = browser.post(NEW, &form).await.expect(200).json();
    let id = made["source"].as_str().unwrap().to_owned();
    assert_eq!(made["next"], format!("{ONE}?source={id}&done=source_made"));
    id
}

async fn view(browser: &mut Browser, path: &str, id: &str) -> Value {
    let path = format!("{path}?source={id}");
    browser.get_json(&path).await.expect(200).json()
}

/// Makes the secret of a new source.
async fn sender(browser: &mut Browser, id: &str) -> Sender {
    let version = view(browser, ONE, id).await["version"].clone();
    let form = json!({ "source": id, "version": version });
    let made = browser.post(SECRET, &form).await.expect(200).json();
    Sender {
        source: id.to_owned(),
        authentication: serde_json::from_value(made["authentication"].clone()).unwrap(),
        secret: made["secret"].as_str().unwrap().to_owned(),
    }
}

async fn post(env: &TestEnvironment, sender: &Sender, body: &Value, minutes: i64) -> i64 {
    post_text(env, sender, &body.to_string(), minutes).await
}

async fn post_text(env: &TestEnvironment, sender: &Sender, body: &str, minutes: i64) -> i64 {
    let at = Timestamp::now() + SignedDuration::from_mins(minutes);
    let request = sender.request(body.as_bytes(), at);
    env.source.receive(request, at).await.status_code
}

async fn edit(
    browser: &mut Browser,
    id: &str,
    action: &str,
    members: Value,
) -> crate::environment::Answer {
    let version = view(browser, MAPPING, id).await["version"].clone();
    let mut form = members;
    form["source"] = json!(id);
    form["version"] = version;
    form["action"] = json!(action);
    browser.post(MAPPING, &form).await
}

#[tokio::test]
async fn an_unknown_product_becomes_tickets_from_its_own_message() {
    let mut env = environment().await;
    let mut browser = env.setup.signed_in().await;
    let id = create(&mut browser, "other").await;
    let listed = browser.get_json(LIST).await.expect(200).json();
    let row = listed["sources"].as_array().unwrap().iter();
    let row = row.clone().find(|row| row["id"] == id.as_str()).unwrap();
    assert_eq!(
        (&row["needs_secret"], &row["format"]),
        (&json!(true), &json!("unmapped"))
    );
    let sender = sender(&mut browser, &id).await;
    let page = browser.get(&format!("{ONE}?source={id}")).await.expect(200);
    assert!(!page.text.contains(&sender.secret), "it is shown once");

    // Without a mapping, a message waits and nothing becomes a ticket.
    assert_eq!(post(&env, &sender, &message("open"), 0).await, 202);
    env.worker.work().await;
    assert_eq!(env.connectwise.tickets().await.len(), 0);
    let waiting = view(&mut browser, ONE, &id).await["messages"].clone();
    let waiting_id = waiting[0]["id"].as_str().unwrap().to_owned();
    let overview = browser.get_json("overview").await.expect(200).json();
    assert_eq!(overview["quarantined"][0]["messages"], 1, "{overview}");
    let shown = format!("{MESSAGE}?id={}", waiting_id.replace('#', "%23"));
    let shown = browser.get(&shown).await.expect(200);
    assert!(shown.text.contains("Backup failed"));

    // The message is the first sample, and the mapping is guessed from it.
    let form = json!({ "source": id, "message": waiting_id });
    browser.post(SAMPLE, &form).await.expect(200);
    let editor = view(&mut browser, MAPPING, &id).await;
    assert_eq!(
        editor["mapping"]["alert_id"],
        json!({ "at": "/incident/id" })
    );
    let preview = &editor["preview"]["samples"][0];
    assert_eq!(
        preview["result"]["events"][0]["ticket"]["summary"],
        "Backup failed"
    );
    assert_eq!(preview["tickets"][0]["blocked"], Value::Null, "{preview}");

    // A resolve of another alert would never close the ticket.
    let mapping = editor["mapping"].to_string();
    let mut other = message("closed");
    other["incident"]["id"] = json!("inc-18");
    let members = json!({ "mapping": mapping, "sample": other.to_string() });
    let refused = edit(&mut browser, &id, "save", members)
        .await
        .expect(422)
        .json();
    assert_eq!(refused["field"], "alert_id", "{refused}");
    let members = json!({ "mapping": mapping });
    edit(&mut browser, &id, "remove:2", members)
        .await
        .expect(200);
    let members = json!({ "mapping": mapping, "sample": message("closed").to_string() });
    let saved = edit(&mut browser, &id, "save", members)
        .await
        .expect(200)
        .json();
    assert_eq!(
        saved["next"],
        format!("{ONE}?source={id}&done=mapping_saved")
    );

    let replay = format!("{REPLAY}?source={id}");
    let replayed = browser.post(&replay, &json!({})).await.expect(200).json();
    assert_eq!(
        (&replayed["replayed"], &replayed["left"]),
        (&json!(1), &json!(0))
    );
    env.worker.work().await;
    let tickets = env.connectwise.tickets().await;
    assert_eq!(tickets.iter().filter(|ticket| is_open(ticket)).count(), 1);
    assert_eq!(tickets[0]["summary"], "Backup failed");
    // The endpoint reads the mapping again after five minutes.
    assert_eq!(post(&env, &sender, &message("closed"), 6).await, 202);
    env.worker.work().await;
    let tickets = env.connectwise.tickets().await;
    assert_eq!(tickets.len(), 1);
    assert!(!is_open(&tickets[0]));

    // A change that reads the samples in another way is shown before it is saved.
    let mut changed = editor["mapping"].clone();
    changed["title"] = json!({ "is": "Backup" });
    let members = json!({ "mapping": changed.to_string() });
    edit(&mut browser, &id, "save", members.clone())
        .await
        .expect(409);
    let tried = edit(&mut browser, &id, "check", members.clone())
        .await
        .expect(200)
        .json();
    let differences = tried["preview"]["differences"].as_array().unwrap();
    let title = differences
        .iter()
        .find(|of| of["member"] == "alert 1: title")
        .unwrap();
    assert_eq!(
        (&title["before"], &title["after"]),
        (&json!("Backup failed"), &json!("Backup"))
    );
    let mut members = members;
    members["checked"] = tried["checked"].clone();
    edit(&mut browser, &id, "save", members).await.expect(200);
}

#[tokio::test]
async fn a_product_that_posts_xml_becomes_tickets_from_its_own_message() {
    let mut env = environment().await;
    let mut browser = env.setup.signed_in().await;
    let id = create(&mut browser, "other").await;
    let sender = sender(&mut browser, &id).await;
    let message = |status: &str| {
        format!(
            "<?xml version=\"1.0\"?><alert id=\"a-17\"><status>{status}</status><customer>fabrikam</customer>\
             <title>Backup &amp; sync failed</title><host>SRV-01</host></alert>"
        )
    };
    assert_eq!(post_text(&env, &sender, &message("open"), 0).await, 202);
    env.worker.work().await;
    let waiting = view(&mut browser, ONE, &id).await["messages"][0]["id"].clone();
    let form = json!({ "source": id, "message": waiting });
    browser.post(SAMPLE, &form).await.expect(200);
    let editor = view(&mut browser, MAPPING, &id).await;
    let mapping = editor["mapping"].clone();
    assert_eq!(mapping["alert_id"], json!({ "at": "/alert/@id" }));
    let page = browser.get(&format!("{MAPPING}?source={id}")).await;
    let page = page.expect(200).text;
    assert!(page.contains("/alert/host"), "the tree has its places");
    let members = json!({ "mapping": mapping.to_string(), "sample": "<alert>" });
    let refused = edit(&mut browser, &id, "save", members).await.expect(422);
    let refused = refused.json();
    assert_eq!(refused["field"], "sample", "{refused}");
    let members = json!({ "mapping": mapping.to_string(), "sample": message("closed") });
    edit(&mut browser, &id, "save", members).await.expect(200);
    let replay = format!("{REPLAY}?source={id}");
    browser.post(&replay, &json!({})).await.expect(200);
    env.worker.work().await;
    let tickets = env.connectwise.tickets().await;
    assert_eq!(tickets[0]["summary"], "Backup & sync failed");
    // The endpoint reads the mapping again after five minutes.
    assert_eq!(post_text(&env, &sender, &message("closed"), 6).await, 202);
    env.worker.work().await;
    let tickets = env.connectwise.tickets().await;
    assert_eq!(tickets.len(), 1);
    assert!(!is_open(&tickets[0]));
}

#[tokio::test]
async fn a_preview_names_what_the_ticket_gets() {
    let env = environment().await;
    let mut browser = env.setup.signed_in().await;
    let id = create(&mut browser, "other").await;
    let form = json!({ "source": id, "sample": message("open").to_string() });
    browser.post(SAMPLE, &form).await.expect(200);
    let mut mapping = view(&mut browser, MAPPING, &id).await["mapping"].clone();
    mapping["kind"] = json!({ "is": "disk" });
    mapping["severity"] = json!({ "is": "high" });
    let members = json!({ "mapping": mapping.to_string() });
    for (faults, expected) in [
        (
            json!(0.0),
            [
                "Acme Dental Ltd",
                "Operations, for operations alerts",
                "Disk, for kind disk",
                "Priority 2 - High, for severity high",
            ],
        ),
        // ConnectWise is down.
        (
            json!(1.0),
            [
                "Acme Dental Ltd",
                "number 22 (its name cannot be read now), for operations alerts",
                "number 2203 (its name cannot be read now), for kind disk",
                "number 32 (its name cannot be read now), for severity high",
            ],
        ),
    ] {
        env.connectwise
            .set_faults(json!({ "error_rate": faults }))
            .await;
        let tried = edit(&mut browser, &id, "check", members.clone()).await;
        let tried = tried.expect(200).json();
        let ticket = &tried["preview"]["samples"][0]["tickets"][0];
        let target = ["company", "board", "type_name", "priority"].map(|name| &ticket[name]);
        assert_eq!(target, expected);
    }
}

#[tokio::test]
async fn a_preset_is_ready_with_the_secret_of_the_vendor() {
    let mut env = environment().await;
    let mut browser = env.setup.signed_in().await;
    let id = create(&mut browser, "huntress").await;
    let source = view(&mut browser, ONE, &id).await;
    assert_eq!(source["has_vendor_secret"], true);
    assert!(source["steps"].as_array().unwrap().len() > 1);
    let version = source["version"].clone();
    for (secret, field) in [(None, "secret"), (Some("short"), "secret")] {
        let form = json!({ "source": id, "version": version, "secret": secret });
        let refused = browser.post(SECRET, &form).await.expect(422).json();
        assert_eq!(refused["field"], field);
    }
    let issued = "whsec_bm90IGEgcmVhbCBvbmUsIG9ubHkgZm9yIHRoaXMgdGVzdA==";
    let form = json!({ "source": id, "version": version, "secret": issued });
    let saved = browser.post(SECRET, &form).await.expect(200);
    assert!(!saved.text.contains(issued));
    let source = view(&mut browser, ONE, &id).await;
    assert_eq!(source["needs_secret"], false);
    // Another window still has the version before.
    browser.post(SECRET, &form).await.expect(409);
    let form = json!({ "source": id, "version": source["version"], "name": "Huntress 2" });
    browser.post(ONE, &form).await.expect(200);
    let source = view(&mut browser, ONE, &id).await;
    assert_eq!(
        (&source["name"], &source["enabled"]),
        (&json!("Huntress 2"), &json!(false))
    );
    let authentication = serde_json::from_value(source["authentication"].clone());
    let authentication: Authentication = authentication.unwrap();
    let sender = Sender {
        source: id,
        authentication,
        secret: issued.to_owned(),
    };
    assert_eq!(
        post(&env, &sender, &json!({}), 0).await,
        401,
        "it is switched off"
    );
    env.worker.work().await;
    let source = view(&mut browser, ONE, &sender.source).await;
    assert_eq!(source["last_refused"]["reason"], "disabled");
}

#[tokio::test]
async fn what_was_typed_is_on_the_page_beside_its_error() {
    let env = environment().await;
    let mut browser = env.setup.signed_in().await;
    let id = create(&mut browser, "other").await;
    let form = json!({ "source": id, "sample": message("open").to_string() });
    browser.post(SAMPLE, &form).await.expect(200);
    let version = view(&mut browser, MAPPING, &id).await["version"].to_string();
    let fields = [
        ("source", id.as_str()),
        ("version", version.as_str()),
        ("action", "save"),
        ("fields[alert_id][from]", "at"),
        ("fields[alert_id][value]", "no pointer"),
        ("fields[tenant][from]", "at"),
        ("fields[tenant][value]", "/customer/name"),
        ("fields[tenant][otherwise]", "(no customer)"),
        ("fields[kind][from]", "is"),
        ("fields[kind][value]", "monitoring"),
        ("fields[severity][from]", "is"),
        ("fields[severity][value]", "low"),
        ("fields[title][from]", "text"),
        ("fields[title][value]", "{/title} on {/host}"),
        ("sample", "not JSON"),
    ];
    let page = browser.post_form(MAPPING, &fields).await.expect(422).text;
    for kept in [
        "no pointer",
        "{/title} on {/host}",
        "not JSON",
        "It is not JSON",
    ] {
        assert!(page.contains(kept), "{kept}: {page}");
    }
    let without_sample = &fields[..fields.len() - 1];
    let page = browser
        .post_form(MAPPING, without_sample)
        .await
        .expect(422)
        .text;
    let (_, row) = page.split_once("fields[alert_id][value]").unwrap();
    let row = row.split_once("</fieldset>").unwrap().0;
    assert!(row.contains("role=\"alert\""), "{row}");
    let mut corrected = without_sample.to_vec();
    corrected[4].1 = "/incident/id";
    browser.post_form(MAPPING, &corrected).await.expect(303);
    let stored = view(&mut browser, MAPPING, &id).await;
    assert_eq!(
        stored["mapping"]["title"],
        json!({ "text": "{/title} on {/host}" })
    );
    // Too many samples, and one that is too large.
    for n in 1..5 {
        let form = json!({ "source": id, "sample": json!({ "n": n }).to_string() });
        browser.post(SAMPLE, &form).await.expect(200);
    }
    for sample in ["{}".to_owned(), json!("x".repeat(70_000)).to_string()] {
        let form = json!({ "source": id, "sample": sample });
        let refused = browser.post(SAMPLE, &form).await.expect(422).json();
        assert_eq!(refused["field"], "sample");
    }
}

#[tokio::test]
async fn a_partner_that_does_not_manage_sources_only_sees_them() {
    let mut env = environment().await;
    let mut browser = env.setup.signed_in().await;
    let id = create(&mut browser, "other").await;
    let sender = sender(&mut browser, &id).await;
    assert_eq!(post(&env, &sender, &message("open"), 0).await, 202);
    env.worker.work().await;
    let source = view(&mut browser, ONE, &id).await;
    let message = source["messages"][0]["id"].clone();
    let path = format!("/v1/operator/partners/{PARTNER}");
    let off = json!({ "manages_sources": false });
    let changed = env.setup.operator("PUT", &path, &off);
    assert_eq!(changed.await.expect(200).json()["manages_sources"], false);

    let page = browser
        .get(&format!("{ONE}?source={id}"))
        .await
        .expect(200)
        .text;
    assert!(!page.contains("Make a new secret"), "{page}");
    browser.get(LIST).await.expect(200);
    browser.get(MESSAGES).await.expect(200);
    let mapping = format!("{MAPPING}?source={id}");
    let authentication = format!("{AUTHENTICATION}?source={id}");
    for path in [NEW, mapping.as_str(), authentication.as_str()] {
        browser.get(path).await.expect(403);
    }
    let version = &source["version"];
    let replay = format!("{REPLAY}?source={id}");
    for (path, form) in [
        (NEW, json!({ "name": "Another", "preset": "other" })),
        (
            ONE,
            json!({ "source": id, "version": version, "name": "Another" }),
        ),
        (SECRET, json!({ "source": id, "version": version })),
        (AUTHENTICATION, json!({ "source": id, "version": version })),
        (SAMPLE, json!({ "source": id, "sample": "{}" })),
        (
            MAPPING,
            json!({ "source": id, "version": version, "action": "check", "mapping": "{}" }),
        ),
        (
            "source-preset",
            json!({ "source": id, "version": version, "preset_version": 1 }),
        ),
        (MESSAGE, json!({ "id": message, "action": "discard" })),
        (replay.as_str(), json!({})),
    ] {
        browser.post(path, &form).await.expect(403);
    }
}

#[tokio::test]
async fn a_source_of_another_partner_does_not_exist() {
    let mut env = environment().await;
    let mut browser = env.setup.signed_in().await;
    let id = create(&mut browser, "other").await;
    let sender = sender(&mut browser, &id).await;
    assert_eq!(post(&env, &sender, &message("open"), 0).await, 202);
    env.worker.work().await;
    let source = view(&mut browser, ONE, &id).await;
    let message = source["messages"][0]["id"].as_str().unwrap();
    let contoso = PartnerId::parse("contoso").unwrap();
    let mut theirs = env.setup.signed_in_at(&contoso).await;
    let listed = theirs.get_json(LIST).await.expect(200).json();
    assert_eq!(listed["sources"], json!([]));
    let listed = theirs.get_json(MESSAGES).await.expect(200).json();
    assert_eq!(listed["messages"], json!([]));
    for path in [
        format!("{ONE}?source={id}"),
        format!("{ONE}?source={SOURCE}"),
        format!("{MAPPING}?source={id}"),
        format!("{AUTHENTICATION}?source={id}"),
        format!("{MESSAGE}?id={}", message.replace('#', "%23")),
    ] {
        theirs.get(&path).await.expect(404);
    }
    let version = &source["version"];
    let replay = format!("{REPLAY}?source={id}");
    for (path, form) in [
        (
            ONE,
            json!({ "source": id, "version": version, "name": "Another" }),
        ),
        (SECRET, json!({ "source": id, "version": version })),
        (AUTHENTICATION, json!({ "source": id, "version": version })),
        (SAMPLE, json!({ "source": id, "sample": "{}" })),
        (
            MAPPING,
            json!({ "source": id, "version": version, "action": "save", "mapping": "{}" }),
        ),
        (
            "source-preset",
            json!({ "source": id, "version": version, "preset_version": 1 }),
        ),
        (MESSAGE, json!({ "id": message, "action": "replay" })),
        (MESSAGE, json!({ "id": message, "action": "discard" })),
        (replay.as_str(), json!({})),
    ] {
        theirs.post(path, &form).await.expect(404);
    }
    assert_eq!(view(&mut browser, ONE, &id).await, source);
}

#[tokio::test]
async fn messages_are_replayed_part_by_part_and_discarded() {
    let mut env = environment().await;
    let mut browser = env.setup.signed_in().await;
    let id = create(&mut browser, "other").await;
    let sender = sender(&mut browser, &id).await;
    for n in 0..3 {
        let mut body = message("open");
        body["incident"]["id"] = json!(format!("inc-{n}"));
        assert_eq!(post(&env, &sender, &body, 0).await, 202);
    }
    assert_eq!(
        post(&env, &sender, &json!({ "unlike": "the others" }), 0).await,
        202
    );
    env.worker.work().await;
    let replay = format!("{REPLAY}?source={id}");
    // Without a mapping all of them stay.
    let left = browser.post(&replay, &json!({})).await.expect(200).json();
    assert_eq!((&left["replayed"], &left["left"]), (&json!(0), &json!(4)));
    let form = json!({ "source": id, "sample": message("open").to_string() });
    browser.post(SAMPLE, &form).await.expect(200);
    let mapping = view(&mut browser, MAPPING, &id).await["mapping"].to_string();
    edit(&mut browser, &id, "save", json!({ "mapping": mapping }))
        .await
        .expect(200);
    let replayed = browser.post(&replay, &json!({})).await.expect(200).json();
    assert_eq!(
        (&replayed["replayed"], &replayed["left"]),
        (&json!(3), &json!(1))
    );
    env.worker.work().await;
    assert_eq!(env.connectwise.tickets().await.len(), 3);
    let waiting = view(&mut browser, MESSAGES, &id).await["messages"].clone();
    let message = waiting[0]["id"].clone();
    assert_eq!(waiting.as_array().unwrap().len(), 1);
    let form = json!({ "id": message, "action": "replay" });
    browser.post(MESSAGE, &form).await.expect(422);
    let form = json!({ "id": message, "action": "discard" });
    browser.post(MESSAGE, &form).await.expect(200);
    browser.post(MESSAGE, &form).await.expect(404);
    let waiting = view(&mut browser, MESSAGES, &id).await["messages"].clone();
    assert_eq!(waiting, json!([]));
}

#[tokio::test]
async fn a_replay_in_many_parts_replays_each_message_once() {
    let mut env = environment().await;
    let mut browser = env.setup.signed_in().await;
    let id = create(&mut browser, "other").await;
    let other_id = create(&mut browser, "other").await;
    let (of_source, of_other) = (
        sender(&mut browser, &id).await,
        sender(&mut browser, &other_id).await,
    );
    for n in 0..5 {
        let mut body = message("open");
        body["incident"]["id"] = json!(format!("inc-{n}"));
        for sender in [&of_source, &of_other] {
            assert_eq!(post(&env, sender, &body, 0).await, 202);
        }
    }
    // The newest message, and so part of the first part.
    let unlike = json!({ "unlike": "the others" });
    assert_eq!(post(&env, &of_source, &unlike, 1).await, 202);
    env.worker.work().await;
    let form = json!({ "source": id, "sample": message("open").to_string() });
    browser.post(SAMPLE, &form).await.expect(200);
    let mapping = view(&mut browser, MAPPING, &id).await["mapping"].to_string();
    edit(&mut browser, &id, "save", json!({ "mapping": mapping }))
        .await
        .expect(200);

    // A request with so little time replays one message.
    browser.time = SignedDuration::from_secs(2);
    let mut path = format!("{REPLAY}?source={id}");
    let mut shown = vec![];
    let mut events = 0;
    loop {
        let part = browser.post(&path, &json!({})).await.expect(200).json();
        events += part["events"].as_u64().unwrap();
        let next = part["next"].as_str().unwrap();
        if !next.starts_with(REPLAY) {
            let done = format!("{MESSAGES}?done=messages_left&source={id}");
            assert_eq!(next, done);
            // The lost answer is not counted.
            assert_eq!((&part["replayed"], &part["left"]), (&json!(4), &json!(1)));
            break;
        }
        path = next.to_owned();
        let progress = browser.get_json(&path).await.expect(200).json();
        let count = |name: &str| progress[name].as_u64().unwrap();
        shown.push((count("replayed"), count("left"), count("to_do")));
        if shown.len() == 3 {
            // The answer to this part is lost, and the page is loaded again.
            let lost = browser.post(&path, &json!({})).await.expect(200).json();
            events += lost["events"].as_u64().unwrap();
            let page = browser.get(&path).await.expect(200).text;
            assert!(page.contains("2 messages replayed so far"), "{page}");
            assert!(page.contains("2 messages to do"), "{page}");
        }
    }
    assert_eq!(shown, [(0, 1, 5), (1, 1, 4), (2, 1, 3), (3, 1, 1)]);
    assert_eq!(events, 5);
    env.worker.work().await;
    let tickets = env.connectwise.tickets().await;
    assert_eq!(tickets.len(), 5);
    let waiting = view(&mut browser, MESSAGES, &other_id).await["messages"].clone();
    assert_eq!(waiting.as_array().unwrap().len(), 5, "of the other source");
}

#[tokio::test]
async fn kinds_of_a_source_are_on_the_boards_and_on_the_page() {
    let env = environment().await;
    let mut browser = env.setup.signed_in().await;
    let id = create(&mut browser, "generic").await;
    let missing = view(&mut browser, ONE, &id).await["missing_types"].clone();
    assert_eq!(missing, json!(["Monitoring", "Security Incident"]));

    // The types are created with those of the built-in kinds.
    let boards = browser.get_json("boards").await.expect(200).json();
    let board = json!({ "location": 2, "department": 10, "team_lead": 151 });
    let form = json!({
        "operations": board, "cyber_alerts": board,
        "version": boards["boards_version"], "reviewed": true,
    });
    let path = "boards-dedicated";
    browser.post(path, &form).await.expect(200);
    let path = "boards-progress";
    let ready = browser.post(path, &json!({})).await.expect(200).json();
    assert_eq!(ready["next"], "boards?done=boards_ready", "{ready}");
    let missing = view(&mut browser, ONE, &id).await["missing_types"].clone();
    assert_eq!(missing, json!([]));

    // They are on the page, and can be switched off and on.
    let kind = Kind::parse("monitoring").unwrap();
    for (on, is_off) in [(&["disk"][..], true), (&["disk", "monitoring"], false)] {
        let page = browser.get("tickets").await.expect(200).text;
        assert!(page.contains("monitoring"), "{page}");
        let tickets = browser.get_json("tickets").await.expect(200).json();
        let board = |of: &str| {
            json!({
                "start_status": tickets[of]["start_status"], "closing_status": tickets[of]["closing_status"],
                "on_resolve": tickets[of]["on_resolve"], "reopen_days": 0,
            })
        };
        let form = json!({
            "operations": board("operations"), "cyber_alerts": board("cyber_alerts"), "on": on,
            "note_interval_minutes": 60, "version": tickets["version"],
        });
        browser.post("tickets", &form).await.expect(200);
        let settings = env.config.settings.get(&partner()).await.unwrap();
        let settings = settings.value.unwrap();
        assert_eq!(settings.kinds_off.contains(&kind), is_off);
        assert!(settings.operations.types.contains_key(&kind));
    }

    // A test alert has an added kind if only that one is on.
    let wish = json!({ "tenant": "fabrikam", "category": "cyber_alerts" });
    browser.post("test", &wish).await.expect(422);
    let settings = env.config.settings.get(&partner()).await.unwrap();
    let mut on = settings.value.unwrap();
    on.kinds_off.remove(&Kind::parse("incident").unwrap());
    env.config.settings.put(&partner(), &on).await.unwrap();
    browser.post("test", &wish).await.expect(200);
    env.queue.expect_leftovers(1);
}

#[tokio::test]
async fn a_partner_sets_when_its_source_counts_as_quiet() {
    let env = environment().await;
    let mut browser = env.setup.signed_in().await;
    let id = create(&mut browser, "other").await;
    let shown = view(&mut browser, ONE, &id).await;
    let rules = json!({
        "source": id, "version": shown["version"], "name": "Backup", "enabled": true,
        "inactive_after_hours": "48", "tenant_inactive_after_days": "7", "inactive_ticket": true,
    });
    for field in ["inactive_after_hours", "tenant_inactive_after_days"] {
        let mut wrong = rules.clone();
        wrong[field] = "0".into();
        let problem = browser.post(ONE, &wrong).await.expect(422).json();
        assert_eq!(problem["field"], field, "{problem}");
    }
    browser.post(ONE, &rules).await.expect(200);
    let shown = view(&mut browser, ONE, &id).await;
    let set = json!({
        "inactive_after_hours": 48, "tenant_inactive_after_days": 7, "inactive_ticket": true
    });
    assert_eq!(shown["inactivity"], set, "{shown}");
    let page = browser.get("tenants").await.expect(200).text;
    assert!(page.contains("Ticketbridge: inactive sources"), "{page}");
    let page = browser.get("tickets").await.expect(200).text;
    assert!(page.contains("inactive_source"), "{page}");
    // Empty fields remove the limits, and an unticked box the ticket.
    let none = json!({
        "source": id, "version": shown["version"], "name": "Backup", "enabled": true,
        "inactive_after_hours": "", "tenant_inactive_after_days": "",
    });
    browser.post(ONE, &none).await.expect(200);
    let shown = view(&mut browser, ONE, &id).await;
    assert_eq!(shown["inactivity"], json!({}), "{shown}");
}
