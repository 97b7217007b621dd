//! The connection step of the page: address and keys, client id, confirmation.

use connectwise_sim::{Seed, Simulator};
use domain::setup::custom_fields::{CustomField, FieldType, ValueSource};
use domain::setup::mapping::Mapping;
use domain::{Blocked, Kind};
use jiff::Timestamp;
use serde_json::{Value, json};
use store::Connection;

use crate::environment::{
    Answer, Browser, COMPANY, OPERATIONS, TENANT, TestEnvironment, TypeChildren, partner, settings,
};
use crate::setup::tenants::get_tenant;

fn keys(env: &TestEnvironment, version: u64) -> Value {
    json!({
        "site": env.connectwise.origin(), "company_id": "tbdemo", "public_key": "tbPublicKey01",
        "private_key": "tbPrivateKey01", "version": version,
    })
}

/// The connection's present version.
async fn version(env: &TestEnvironment) -> u64 {
    let connection = env.access.connections.get(&partner()).await;
    connection.unwrap().version
}

#[tokio::test]
async fn stored_keys_are_never_sent_to_a_new_address() {
    let elsewhere = Simulator::start(Seed::demo(), ([127, 0, 0, 1], 0).into());
    let elsewhere = elsewhere.await.unwrap();
    let listed = [elsewhere.base_url()];
    let env = TestEnvironment::with_origins(Seed::demo(), &listed).await;
    let mut browser = env.setup.signed_in().await;
    let before = env.access.connections.get(&partner()).await.unwrap();
    let without_key = |site: &str, company: &str, public: &str| json!({ "site": site, "company_id": company, "public_key": public, "private_key": "", "version": before.version });
    let here = env.connectwise.origin();
    // Another allowed address; another company id; another public key of the same site.
    for (entered, field) in [
        (
            without_key(&elsewhere.base_url(), "tbdemo", "tbPublicKey01"),
            "private_key",
        ),
        (without_key(&here, "other", "tbPublicKey01"), "private_key"),
        (without_key(&here, "tbdemo", "tbPublicKey02"), "private_key"),
        (
            without_key("https://169.254.169.254", "tbdemo", "tbPublicKey01"),
            "site",
        ),
    ] {
        let refused = browser.submit("connection", &entered, 422).await;
        assert_eq!(refused["field"], field, "{refused}");
    }
    let mut wrong = keys(&env, before.version);
    wrong["private_key"] = json!("not-the-key");
    let refused = browser.post("connection", &wrong).await.expect(422);
    assert!(
        refused.text.contains("refuses the keys") && !refused.text.contains("not-the-key"),
        "{refused:?}"
    );

    assert_eq!(
        env.access.connections.get(&partner()).await.unwrap(),
        before
    );
    let shown = browser.get_json("connection").await.expect(200);
    assert_eq!(shown.json()["private_key_set"], true);
    assert!(!shown.text.contains("tbPrivateKey01"), "{}", shown.text);

    let journal = format!("{}/_sim/journal?after=0", elsewhere.base_url());
    let journal: Vec<Value> = reqwest::get(journal).await.unwrap().json().await.unwrap();
    let asked = journal.iter().map(|call| call["path"].as_str().unwrap());
    // Only the company look-up, which needs no key.
    assert_eq!(asked.collect::<Vec<_>>(), ["/login/companyinfo/tbdemo"]);

    // The same address with an empty key field: the stored key is used, and no choice is dropped.
    let same = without_key(&here, "tbdemo", "tbPublicKey01");
    browser.post("connection", &same).await.expect(200);
    let after = env.connection().await;
    assert_eq!((after.epoch, after.confirmed), (1, true));
    // A second person started from the earlier version.
    browser.post("connection", &same).await.expect(409);
}

#[tokio::test]
async fn a_new_site_is_confirmed_and_mapped_again() {
    let seed = Seed::DEMO_JSON.replacen("\"tbdemo\"", "\"moved\"", 1);
    let mut env = TestEnvironment::with_seed(Seed::from_json(&seed).unwrap()).await;
    let mut browser = env.setup.signed_in().await;
    let version = version(&env).await;
    let mut moved = keys(&env, version);
    moved["company_id"] = json!("moved");
    // The page asks first, and drops nothing without consent.
    let asked = browser.submit("connection", &moved, 422).await;
    assert_eq!(asked["field"], "drop_choices");
    let detail = asked["detail"].as_str().unwrap();
    assert!(detail.contains("2 mapped tenants are dropped"), "{detail}");
    let kept = env.connection().await;
    assert_eq!((kept.epoch, kept.company_id.as_str()), (1, "tbdemo"));
    moved["drop_choices"] = json!(true);
    browser.post("connection", &moved).await.expect(200);
    let connection = env.connection().await;
    assert_eq!(
        (
            connection.epoch,
            connection.confirmed,
            connection.company_id.as_str()
        ),
        (2, false, "moved")
    );

    // Earlier choices have no epoch: they are stored with the first one.
    let of_before = Mapping {
        company: Some(COMPANY),
        enabled: true,
        epoch: Some(1),
        ..Mapping::default()
    };
    env.put_mapping(TENANT, &of_before).await;
    let page = get_tenant(&mut browser, TENANT).await;
    assert_eq!(page["company"], Value::Null);
    env.deliver(&crate::environment::raised_event("evt-1", "a1", 0))
        .await;
    assert_eq!(env.reason("a1").await, Some(Blocked::NotSetUp));
}

#[tokio::test]
async fn old_alerts_are_released_by_a_person() {
    let mut env = TestEnvironment::new().await;
    env.source
        .post(&crate::environment::raised_event("evt-1", "a1", 0))
        .await;
    // The alert is blocked before a worker receives it, because a kind was enabled long after.
    let off = Mapping {
        company: Some(COMPANY),
        enabled: false,
        ..Mapping::default()
    };
    env.put_mapping(TENANT, &off).await;
    env.worker.work().await;
    let record = env.record("a1").await.unwrap();
    let text = record.payload.clone();
    let older = record.with_blocked(Blocked::OlderThanBackfill, text.as_ref(), Timestamp::now());
    env.alerts.write(&older).await.unwrap();
    let on = Mapping {
        enabled: true,
        ..off
    };
    env.put_mapping(TENANT, &on).await;

    let mut browser = env.setup.signed_in().await;
    let page = browser.get_json("waiting").await.expect(200).json();
    assert_eq!(page["tenants"][0]["older"], 1, "{page}");
    let release = json!({ "tenant": TENANT, "reason": "older" });
    let released = browser.submit("waiting-release", &release, 200).await;
    assert_eq!(
        (&released["released"], &released["left"]),
        (&json!(1), &json!(0))
    );
    env.worker.work().await;
    assert_eq!(env.connectwise.tickets().await.len(), 1);
    browser.submit("waiting-release", &release, 422).await;
}

#[tokio::test]
async fn an_own_client_id_is_stored_until_removed() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let own = Seed::demo().integration().unwrap().client_id;
    // The fields that are sent beside the version, and whether a client id of the partner is stored then.
    for (sent, stored) in [
        (json!({}), false),
        (json!({ "client_id": own }), true),
        (json!({ "client_id": "" }), true),
        (json!({ "drop_client_id": true }), false),
    ] {
        let version = version(&env).await;
        let mut entered = keys(&env, version);
        entered
            .as_object_mut()
            .unwrap()
            .extend(sent.as_object().unwrap().clone());
        browser.submit("connection", &entered, 200).await;
        let shown = browser.get_json("connection").await.expect(200);
        assert_eq!(shown.json()["client_id_set"], stored, "{sent}");
        assert!(!shown.text.contains(&own), "{}", shown.text);
    }
    let mut wrong = keys(&env, 99);
    wrong["client_id"] = json!("00000000-0000-0000-0000-000000000000");
    let refused = browser.submit("connection", &wrong, 422).await;
    assert_eq!(refused["field"], "client_id", "{refused}");
}

#[tokio::test]
async fn a_refused_own_client_id_is_named_as_the_partners() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    for (own, code) in [
        (false, "client_id_refused"),
        (true, "own_client_id_refused"),
    ] {
        if own {
            let mut entered = keys(&env, version(&env).await);
            entered["client_id"] = json!(Seed::demo().integration().unwrap().client_id);
            browser.submit("connection", &entered, 200).await;
        }
        env.set_fault("client_id", "refused").await;
        let check = browser.get_json("check?now=true").await.expect(200).json();
        assert_eq!(check["error"]["code"], code, "{check}");
        env.set_fault("client_id", "ok").await;
    }
}

#[tokio::test]
async fn unreadable_keys_must_be_entered_again() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    env.account.put_secret("tb/connection/northwind", "{").await;
    let check = browser.get_json("check?now=true").await.expect(200).json();
    assert_eq!(check["error"]["code"], "no_keys", "{check}");
    let entered = keys(&env, version(&env).await);
    browser.submit("connection", &entered, 200).await;
    let check = browser.get_json("check?now=true").await.expect(200).json();
    assert_eq!(check["verdict"], "good", "{check}");
}

/// A partner that has made all choices and has not confirmed.
async fn unconfirmed(env: &TestEnvironment) -> Browser {
    let mut browser = env.setup.signed_in().await;
    let contact = json!({ "address": "oncall@northwind.example", "mails": ["broken_connection"], "version": 0 });
    browser.post("contacts", &contact).await.expect(200);
    env.confirm_contact().await;
    let unconfirmed = Connection {
        confirmed: false,
        ..env.connection().await
    };
    env.put_connection(&unconfirmed).await;
    browser
}

async fn confirm(browser: &mut Browser) -> Answer {
    let page = browser.get_json("confirm").await.expect(200).json();
    assert_eq!(page["missing"], json!([]), "{page}");
    let confirm = json!({ "version": page["version"] });
    browser.post("confirm", &confirm).await
}

#[tokio::test]
async fn a_custom_field_that_was_deleted_is_found_before_going_live() {
    let env = TestEnvironment::new().await;
    let mut own = settings();
    own.operations.custom_fields = vec![CustomField {
        id: 1,
        caption: "Affected device".to_owned(),
        field_type: FieldType::Text,
        value: ValueSource::Device,
        text: None,
        options: vec![],
    }];
    env.put_settings(&own).await;
    let mut browser = unconfirmed(&env).await;
    env.delete("/system/userDefinedFields/1").await;
    let refused = confirm(&mut browser).await.expect(422).text;
    assert!(
        refused.contains("The custom field Affected device cannot be filled"),
        "{refused}"
    );
    own.operations.custom_fields.clear();
    env.put_settings(&own).await;
    confirm(&mut browser).await.expect(200);
}

#[tokio::test]
async fn a_subtype_that_was_removed_is_found_before_going_live() {
    let env = TestEnvironment::new().await;
    let TypeChildren { subtype, .. } = env.connectwise.add_type_children(22, 2203).await;
    let mut own = settings();
    own.operations.subtypes = [(Kind::parse("disk").unwrap(), subtype)].into();
    env.put_settings(&own).await;
    let mut browser = unconfirmed(&env).await;
    let path = format!("/service/boards/22/subtypes/{subtype}");
    env.patch(&path, "inactiveFlag", true).await;
    let refused = confirm(&mut browser).await.expect(422).text;
    assert!(
        refused.contains("The subtype of disk cannot be used"),
        "{refused}"
    );
    env.patch(&path, "inactiveFlag", false).await;
    confirm(&mut browser).await.expect(200);
}

#[tokio::test]
async fn confirming_is_refused_after_a_change_in_connectwise() {
    let env = TestEnvironment::new().await;
    let mut browser = unconfirmed(&env).await;
    env.set_fault("keys", "revoked").await;
    let refused = confirm(&mut browser).await.expect(422);
    assert!(refused.text.contains("Check connection"), "{refused:?}");
    env.set_fault("keys", "ok").await;

    let (board, start, closing) = OPERATIONS;
    let status = |id: u64| format!("/service/boards/{board}/statuses/{id}");
    for (id, closed, words) in [
        (start, true, "The start status cannot be used"),
        (closing, false, "The closing status cannot be used"),
    ] {
        env.patch(&status(id), "closedStatus", closed).await;
        let refused = confirm(&mut browser).await.expect(422);
        assert!(refused.text.contains(words), "{refused:?}");
        env.patch(&status(id), "closedStatus", !closed).await;
    }
    let settings = env.settings().await;
    let mut without_start = settings.clone();
    without_start.operations.start_status = None;
    env.put_settings(&without_start).await;
    let refused = confirm(&mut browser).await.expect(422);
    assert!(refused.text.contains("the start status"), "{refused:?}");

    env.put_settings(&settings).await;
    confirm(&mut browser).await.expect(200);
    assert!(env.connection().await.confirmed);
}
