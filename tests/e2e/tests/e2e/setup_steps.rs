//! The steps of the page, each for itself: what it refuses, and what two people at once see.

use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use connectwise_sim::{Seed, Sim};
use domain::settings::Mapping;
use domain::{Blocked, SourceId};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use store::{Connection, MAX_UNMAPPED};

use crate::setup_client::{Answered, Browser};
use crate::world::{COMPANY, OPERATIONS, SOURCE, TENANT, World, event, partner, tenant};

/// Seen, and mapped to nothing.
const UNMAPPED: &str = "cedar-valley";

async fn seen(world: &World, id: &str, name: &str) {
    world
        .config
        .tenants
        .list_new(
            &partner(),
            &tenant(id),
            &SourceId::parse(SOURCE).unwrap(),
            Some(name),
        )
        .await
        .unwrap();
}

fn keys(world: &World, version: u64) -> Value {
    json!({
        "site": world.connectwise(), "company_id": "tbdemo", "public_key": "tbPublicKey01",
        "private_key": "tbPrivateKey01", "version": version,
    })
}

/// From which a change of the connection begins now.
async fn version(world: &World) -> u64 {
    let connection = world.access.connections.get(&partner()).await;
    connection.unwrap().version
}

async fn one(browser: &mut Browser, tenant: &str) -> Value {
    let path = format!("/setup/tenant?tenant={tenant}");
    browser.get_json(&path).await.expect(200).json()
}

#[tokio::test]
async fn an_tenant_is_mapped_to_a_company_that_can_be_used_and_by_one_person_at_a_time() {
    let world = World::new().await;
    seen(&world, UNMAPPED, "Cedar Valley Clinic").await;
    let mut browser = world.signed_in().await;

    // Without a search those of its name come, the deleted one with why it cannot be chosen.
    let page = one(&mut browser, UNMAPPED).await;
    let found: Vec<_> = page["companies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|of| (&of["id"], &of["unusable"]))
        .collect();
    let deleted = json!("deleted in ConnectWise");
    assert_eq!(
        found,
        [(&json!(303), &Value::Null), (&json!(304), &deleted)]
    );
    let html = browser
        .get(&format!("/setup/tenant?tenant={UNMAPPED}&search=dunmore"))
        .await
        .expect(200);
    assert!(
        html.text.contains("inactive in ConnectWise"),
        "{}",
        html.text
    );

    let version = &page["version"];
    for (chosen, field) in [
        (json!({ "company": 304, "enabled": true }), "company"),
        (json!({ "company": 999, "enabled": true }), "company"),
        (json!({ "company": 305, "enabled": true }), "company"),
        (json!({ "company": 305, "enabled": false }), "company"),
        (json!({ "enabled": true }), "company"),
    ] {
        let mut chosen = chosen;
        chosen["tenant"] = json!(UNMAPPED);
        chosen["version"] = version.clone();
        let refused = browser
            .post("/setup/tenant", &chosen)
            .await
            .expect(422)
            .json();
        assert_eq!(refused["field"], field, "{refused}");
    }

    let chosen = json!({ "tenant": UNMAPPED, "company": 303, "enabled": true, "version": version });
    browser.post("/setup/tenant", &chosen).await.expect(200);
    // Somebody else began from what was there before.
    let other = json!({ "tenant": UNMAPPED, "company": 301, "enabled": true, "version": version });
    browser.post("/setup/tenant", &other).await.expect(409);
    let mapping = world
        .config
        .tenants
        .get(&partner(), &tenant(UNMAPPED))
        .await
        .unwrap()
        .value
        .unwrap();
    let name = mapping.company_name.as_deref();
    assert_eq!(
        (mapping.company, name, mapping.epoch, mapping.enabled),
        (Some(303), Some("Cedar Valley Clinic"), Some(1), true)
    );

    // A form says the same, and a switch that is not set is not sent.
    let page = one(&mut browser, UNMAPPED).await;
    let version = page["version"].to_string();
    let off = [
        ("tenant", UNMAPPED),
        ("company", "303"),
        ("version", version.as_str()),
    ];
    let answer = browser.post_form("/setup/tenant", &off).await.expect(303);
    assert_eq!(answer.header("location"), "/setup/tenants?done=saved");
    assert!(
        !one(&mut browser, UNMAPPED).await["enabled"]
            .as_bool()
            .unwrap()
    );
    let history = browser.get_json("/setup/history").await.expect(200).json();
    let entries = history["entries"].as_array().unwrap().iter();
    let whats: Vec<_> = entries.map(|entry| entry["what"].clone()).collect();
    let saved = "tenant_saved";
    assert_eq!(whats, [saved, saved, "session_began"], "{history}");
}

#[tokio::test]
async fn companies_of_exactly_the_same_name_are_suggested_and_never_confirmed_by_themselves() {
    let mut seed: Value = serde_json::from_str(Seed::DEMO_JSON).unwrap();
    let companies = seed["companies"].as_array_mut().unwrap();
    for n in 0..2500 {
        companies.push(json!({ "id": 1000 + n, "identifier": format!("C{n}"), "name": format!("Company {n}"), "status": { "id": 1 } }));
    }
    let world = World::of(Seed::from_json(&seed.to_string()).unwrap()).await;
    seen(&world, UNMAPPED, "cedar valley clinic").await;
    seen(&world, "last", "Company 2499").await;
    seen(&world, "nobody", "Company").await;
    let mut browser = world.signed_in().await;

    let read = browser
        .post("/setup/suggestions/progress", &json!({}))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&read["done"], &read["total"]),
        (&json!(2509), &json!(2509)),
        "{read}"
    );
    assert_eq!(read["next"], "/setup/tenants?done=suggested");
    let calls = world.calls().await;
    let pages = calls
        .iter()
        .filter(|call| *call == "GET /company/companies")
        .count();
    assert_eq!(pages, 3);

    let page = browser.get_json("/setup/tenants").await.expect(200).json();
    let suggested = |id: &str| {
        let tenants = page["tenants"].as_array().unwrap();
        let of = tenants.iter().find(|of| of["tenant"] == id).unwrap();
        assert_eq!(
            (&of["company"], of["enabled"].as_bool()),
            (&Value::Null, Some(false))
        );
        of["suggested"]
            .as_array()
            .unwrap()
            .iter()
            .map(|of| of["company"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    // The deleted one of the same name is none.
    assert_eq!(
        (suggested(UNMAPPED), suggested("last"), suggested("nobody")),
        (vec![303], vec![3499], vec![])
    );
}

/// Whether tickets can be made for a company is said by ConnectWise's flags, and a company that became unusable can still be switched off.
#[tokio::test]
async fn a_company_that_became_unusable_says_why_and_its_tenant_is_switched_off() {
    let world = World::new().await;
    let mut browser = world.signed_in().await;
    let (northwind, unmapped) = (partner(), tenant(UNMAPPED));
    seen(&world, UNMAPPED, "Dunmore").await;
    let refused = json!({ "tenant": UNMAPPED, "company": 305, "enabled": true, "version": 1 });
    let refused = browser.post("/setup/tenant", &refused).await;
    let detail = refused.expect(422).json()["detail"].clone();
    let detail = detail.as_str().unwrap();
    assert!(detail.contains("is inactive in ConnectWise"), "{detail}");
    // It was chosen while it could be used; then it was made inactive, or deleted for good.
    for company in [305, 999] {
        let read = world.config.tenants.get(&northwind, &unmapped);
        let version = read.await.unwrap().version;
        let mapping = Mapping {
            company: Some(company),
            company_name: Some("Dunmore".into()),
            epoch: Some(1),
            enabled: true,
            ..Mapping::default()
        };
        let put = world.config.tenants.put(&northwind, &unmapped, &mapping);
        put.await.unwrap();
        let off = json!({ "tenant": UNMAPPED, "company": company, "enabled": false, "version": version + 1 });
        browser.post("/setup/tenant", &off).await.expect(200);
        let mapping = world.config.tenants.get(&northwind, &unmapped).await;
        let mapping = mapping.unwrap().value.unwrap();
        assert_eq!((mapping.company, mapping.enabled), (Some(company), false));
        let on = json!({ "tenant": UNMAPPED, "company": company, "enabled": true, "version": version + 2 });
        browser.post("/setup/tenant", &on).await.expect(422);
    }
}

/// Suggestions were one item once, which has room for 400 KB.
#[tokio::test]
async fn three_thousand_tenants_are_listed_by_page_each_with_its_suggestion() {
    const COUNT: usize = 3000;
    let name = |n: usize| {
        format!(
            "Customer number {n} with a name that is rather long {}",
            "x".repeat(60)
        )
    };
    let mut seed: Value = serde_json::from_str(Seed::DEMO_JSON).unwrap();
    let companies = seed["companies"].as_array_mut().unwrap();
    for n in 0..COUNT {
        companies.push(json!({ "id": 1000 + n, "identifier": format!("C{n}"), "name": name(n), "status": { "id": 1 } }));
    }
    let world = World::of(Seed::from_json(&seed.to_string()).unwrap()).await;
    let ids: Vec<String> = (0..COUNT)
        .map(|n| format!("customer-{n:04}-{}", "y".repeat(80)))
        .collect();
    let table = aws_sdk_dynamodb::Client::new(&world.aws);
    for some in (0..COUNT).collect::<Vec<_>>().chunks(25) {
        let put = |n: &usize| {
            let text = |text: &str| AttributeValue::S(text.to_owned());
            let put = PutRequest::builder()
                .item("pk", text("P#northwind"))
                .item("sk", text(&format!("T#{}", ids[*n])))
                .item("name", text(&name(*n)))
                .item("version", AttributeValue::N("1".into()));
            let put = put.build().unwrap();
            WriteRequest::builder().put_request(put).build()
        };
        let puts: Vec<_> = some.iter().map(put).collect();
        let write = table.batch_write_item().request_items("config", puts);
        write.send().await.unwrap();
    }
    let mut browser = world.signed_in().await;
    let mut requests = 0;
    loop {
        let read = browser
            .post("/setup/suggestions/progress", &json!({}))
            .await;
        requests += 1;
        if read.expect(200).json()["next"] == "/setup/tenants?done=suggested" {
            break;
        }
        assert!(requests < 20);
    }
    let page = browser.get("/setup/tenants").await.expect(200).text;
    assert!(page.len() < 200_000, "{}", page.len());
    let (mut listed, mut suggested, mut pages) = (0, 0, 0);
    let mut path = "/setup/tenants".to_owned();
    let mut next = Some(Value::Null);
    while next.is_some() {
        let page = browser.get_json(&path).await.expect(200).json();
        for of in page["tenants"].as_array().unwrap() {
            listed += 1;
            suggested += of["suggested"].as_array().unwrap().len();
        }
        pages += 1;
        next = page.get("next").filter(|next| !next.is_null()).cloned();
        if let Some(next) = &next {
            path = format!("/setup/tenants?from={}", next.as_str().unwrap());
        }
    }
    // Two are seeded.
    assert_eq!((listed, suggested, pages), (COUNT + 2, COUNT, 31));
    // Behind the last one is the last page.
    let beyond = browser.get_json("/setup/tenants?from=zzzz").await;
    let beyond = beyond.expect(200).json();
    let beyond = beyond["tenants"].as_array().unwrap();
    assert_eq!(beyond.len(), 100);
    assert_eq!(beyond[98]["tenant"], ids[COUNT - 1].as_str());
}

#[tokio::test]
async fn a_source_lists_a_bounded_number_of_unmapped_tenants_and_loses_no_alert() {
    let mut world = World::new().await;
    let northwind = partner();
    let table = aws_sdk_dynamodb::Client::new(&world.aws);
    let counter = async |tenants: Option<u32>| {
        let sk = AttributeValue::S(format!("unmapped#{SOURCE}"));
        let pk = AttributeValue::S("P#northwind".into());
        if let Some(tenants) = tenants {
            let put = table.put_item().table_name("config").item("pk", pk.clone());
            let put = put.item("tenants", AttributeValue::N(tenants.to_string()));
            put.item("sk", sk.clone()).send().await.unwrap();
        }
        let get = table.get_item().table_name("config").key("pk", pk);
        let item = get.key("sk", sk).send().await.unwrap().item;
        let tenants = item.and_then(|item| item["tenants"].as_n().unwrap().parse::<u32>().ok());
        tenants.unwrap_or_default()
    };
    let is_listed = async |world: &World, id: &str| {
        let mapping = world.config.tenants.get(&northwind, &tenant(id)).await;
        mapping.unwrap().value.is_some()
    };
    // The last one that there is room for, and one more.
    counter(Some(MAX_UNMAPPED - 1)).await;
    for id in ["last", "further"] {
        let mut raised = event("alert.raised", id, &format!("alert-of-{id}"), 1);
        raised["data"]["tenant"] = json!(id);
        world.post(&raised).await;
        world.work().await;
    }
    assert!(is_listed(&world, "last").await);
    assert!(!is_listed(&world, "further").await);
    assert_eq!(counter(None).await, MAX_UNMAPPED);
    let mut browser = world.signed_in().await;
    let page = browser.get("/setup/tenants").await.expect(200).text;
    assert!(page.contains("tenants that are not mapped"), "{page}");
    // Its alert waits in sight, and a person can map it from there.
    let page = browser.get("/setup/waiting").await.expect(200).text;
    assert!(page.contains("/setup/tenant?tenant=further"), "{page}");
    one(&mut browser, "further").await;
    // A run of reconcile counts what is there.
    let now = Timestamp::now();
    world.make_due(now).await;
    let reconcile = world.reconcile();
    world.tick(&reconcile, now).await;
    assert_eq!(counter(None).await, 1);
    let page = browser.get("/setup/tenants").await.expect(200).text;
    assert!(!page.contains("tenants that are not mapped"), "{page}");
    let mut updated = event("alert.updated", "again", "alert-of-further", 2);
    updated["data"]["tenant"] = json!("further");
    world.post(&updated).await;
    world.work().await;
    assert!(is_listed(&world, "further").await);
    assert_eq!(counter(None).await, 2);
}

#[tokio::test]
async fn reading_companies_goes_on_where_the_last_request_stopped() {
    let world = World::new().await;
    seen(&world, UNMAPPED, "Cedar Valley Clinic").await;
    let stored = store::CompanyScan {
        epoch: 1,
        next: Some(302),
        read: 3,
        total: 9,
        ..store::CompanyScan::default()
    };
    world
        .config
        .suggestions
        .save_scan(&partner(), &stored, 0)
        .await
        .unwrap();
    let mut browser = world.signed_in().await;
    let page = browser.get("/setup/tenants").await.expect(200);
    assert!(
        page.text
            .contains("data-progress=\"/setup/suggestions/progress?partner=northwind\""),
        "{}",
        page.text
    );
    let read = browser
        .post("/setup/suggestions/progress", &json!({}))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&read["done"], &read["total"]),
        (&json!(9), &json!(9)),
        "{read}"
    );
}

#[tokio::test]
async fn a_stored_key_is_never_sent_to_a_changed_place_and_unproven_keys_are_stored_nowhere() {
    let elsewhere = Sim::start(Seed::demo(), ([127, 0, 0, 1], 0).into());
    let elsewhere = elsewhere.await.unwrap();
    let listed = [elsewhere.base_url()];
    let world = World::beside(Seed::demo(), &listed).await;
    let mut browser = world.signed_in().await;
    let before = world.access.connections.get(&partner()).await.unwrap();
    let without_key = |site: &str, company: &str, public: &str| json!({ "site": site, "company_id": company, "public_key": public, "private_key": "", "version": before.version });
    let here = world.connectwise();
    // One that is listed, but another; another company id; another key of the same site.
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
        let refused = browser
            .post("/setup/connection", &entered)
            .await
            .expect(422)
            .json();
        assert_eq!(refused["field"], field, "{refused}");
    }
    let mut wrong = keys(&world, before.version);
    wrong["private_key"] = json!("not-the-key");
    let refused = browser.post("/setup/connection", &wrong).await.expect(422);
    assert!(
        refused.text.contains("refuses the keys") && !refused.text.contains("not-the-key"),
        "{refused:?}"
    );

    assert_eq!(
        world.access.connections.get(&partner()).await.unwrap(),
        before
    );
    let shown = browser.get_json("/setup/connection").await.expect(200);
    assert_eq!(shown.json()["private_key_set"], true);
    assert!(!shown.text.contains("tbPrivateKey01"), "{}", shown.text);

    let journal = format!("{}/_sim/journal?after=0", elsewhere.base_url());
    let journal: Vec<Value> = reqwest::get(journal).await.unwrap().json().await.unwrap();
    let asked = journal.iter().map(|call| call["path"].as_str().unwrap());
    // Whether it knows the company, and nothing with a key.
    assert_eq!(asked.collect::<Vec<_>>(), ["/login/companyinfo/tbdemo"]);

    // The same place with the field left empty: the stored key is used, and nothing is chosen anew.
    let same = without_key(&here, "tbdemo", "tbPublicKey01");
    browser.post("/setup/connection", &same).await.expect(200);
    let after = world
        .access
        .connections
        .get(&partner())
        .await
        .unwrap()
        .value
        .unwrap();
    assert_eq!((after.epoch, after.confirmed), (1, true));
    // A second person began from the version before.
    browser.post("/setup/connection", &same).await.expect(409);
}

#[tokio::test]
async fn a_connection_that_is_pointed_elsewhere_is_confirmed_and_mapped_anew() {
    let seed = Seed::DEMO_JSON.replacen("\"tbdemo\"", "\"moved\"", 1);
    let mut world = World::of(Seed::from_json(&seed).unwrap()).await;
    let mut browser = world.signed_in().await;
    let version = version(&world).await;
    let mut moved = keys(&world, version);
    moved["company_id"] = json!("moved");
    // Asked first, and nothing is dropped without a yes.
    let asked = browser.post("/setup/connection", &moved).await.expect(422);
    let asked = asked.json();
    assert_eq!(asked["field"], "drop_choices");
    let detail = asked["detail"].as_str().unwrap();
    assert!(detail.contains("2 mapped tenants are dropped"), "{detail}");
    let kept = world
        .access
        .connections
        .get(&partner())
        .await
        .unwrap()
        .value
        .unwrap();
    assert_eq!((kept.epoch, kept.company_id.as_str()), (1, "tbdemo"));
    moved["drop_choices"] = json!(true);
    browser.post("/setup/connection", &moved).await.expect(200);
    let connection = world
        .access
        .connections
        .get(&partner())
        .await
        .unwrap()
        .value
        .unwrap();
    assert_eq!(
        (
            connection.epoch,
            connection.confirmed,
            connection.company_id.as_str()
        ),
        (2, false, "moved")
    );

    // What was chosen before had no epoch: it is written as of the first one here.
    let of_before = Mapping {
        company: Some(COMPANY),
        enabled: true,
        epoch: Some(1),
        ..Mapping::default()
    };
    world
        .config
        .tenants
        .put(&partner(), &tenant(TENANT), &of_before)
        .await
        .unwrap();
    let page = one(&mut browser, TENANT).await;
    assert_eq!(page["company"], Value::Null);
    world
        .post(&crate::world::event("alert.raised", "evt-1", "a1", 0))
        .await;
    world.work().await;
    let record = world.record("a1").await.unwrap();
    assert_eq!(record.blocked.unwrap().reason, Blocked::NotSetUp);
}

#[tokio::test]
async fn what_is_older_goes_on_when_a_person_says_so() {
    let mut world = World::new().await;
    world
        .post(&crate::world::event("alert.raised", "evt-1", "a1", 0))
        .await;
    // Held up before a worker sees it, by a switch that was set long after.
    let off = Mapping {
        company: Some(COMPANY),
        enabled: false,
        ..Mapping::default()
    };
    world
        .config
        .tenants
        .put(&partner(), &tenant(TENANT), &off)
        .await
        .unwrap();
    world.work().await;
    let record = world.record("a1").await.unwrap();
    let text = record.payload.clone();
    let older = record.with_blocked(Blocked::OlderThanBackfill, text.as_ref(), Timestamp::now());
    world.alerts.write(&older).await.unwrap();
    let on = Mapping {
        enabled: true,
        ..off
    };
    world
        .config
        .tenants
        .put(&partner(), &tenant(TENANT), &on)
        .await
        .unwrap();

    let mut browser = world.signed_in().await;
    let page = browser.get_json("/setup/waiting").await.expect(200).json();
    assert_eq!(page["tenants"][TENANT]["older"], 1, "{page}");
    let release = json!({ "tenant": TENANT, "reason": "older" });
    let released = browser
        .post("/setup/waiting/release", &release)
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&released["released"], &released["left"]),
        (&json!(1), &json!(0))
    );
    world.work().await;
    assert_eq!(world.all_tickets().await.len(), 1);
    browser
        .post("/setup/waiting/release", &release)
        .await
        .expect(422);
}

#[tokio::test]
async fn an_own_client_id_is_kept_until_it_is_dropped() {
    let world = World::new().await;
    let mut browser = world.signed_in().await;
    let own = Seed::demo().integration().unwrap().client_id;
    // What is sent beside the version, and whether an own one is stored then.
    for (sent, stored) in [
        (json!({}), false),
        (json!({ "client_id": own }), true),
        (json!({ "client_id": "" }), true),
        (json!({ "drop_client_id": true }), false),
    ] {
        let version = version(&world).await;
        let mut entered = keys(&world, version);
        entered
            .as_object_mut()
            .unwrap()
            .extend(sent.as_object().unwrap().clone());
        browser
            .post("/setup/connection", &entered)
            .await
            .expect(200);
        let shown = browser.get_json("/setup/connection").await.expect(200);
        assert_eq!(shown.json()["client_id_set"], stored, "{sent}");
        assert!(!shown.text.contains(&own), "{}", shown.text);
    }
    let mut wrong = keys(&world, 99);
    wrong["client_id"] = json!("00000000-0000-0000-0000-000000000000");
    let refused = browser
        .post("/setup/connection", &wrong)
        .await
        .expect(422)
        .json();
    assert_eq!(refused["field"], "client_id", "{refused}");
}

#[tokio::test]
async fn a_refused_client_id_is_the_partners_own_where_it_has_one() {
    let world = World::new().await;
    let mut browser = world.signed_in().await;
    for (own, code) in [
        (false, "client_id_refused"),
        (true, "own_client_id_refused"),
    ] {
        if own {
            let mut entered = keys(&world, version(&world).await);
            entered["client_id"] = json!(Seed::demo().integration().unwrap().client_id);
            let saved = browser.post("/setup/connection", &entered).await;
            saved.expect(200);
        }
        world.faults(json!({ "client_id": "refused" })).await;
        let check = browser.get_json("/setup/check").await.expect(200).json();
        assert_eq!(check["error"]["code"], code, "{check}");
        world.faults(json!({ "client_id": "ok" })).await;
    }
}

#[tokio::test]
async fn keys_that_cannot_be_read_are_entered_again() {
    let world = World::new().await;
    let mut browser = world.signed_in().await;
    world.put_secret("tb/connection/northwind", "{").await;
    let check = browser.get_json("/setup/check").await.expect(200).json();
    assert_eq!(check["error"]["code"], "no_keys", "{check}");
    let entered = keys(&world, version(&world).await);
    let saved = browser.post("/setup/connection", &entered).await;
    saved.expect(200);
    let check = browser.get_json("/setup/check").await.expect(200).json();
    assert_eq!(check["verdict"], "good", "{check}");
}

/// A partner that has chosen everything and not confirmed.
async fn unconfirmed(world: &World) -> Browser {
    let mut browser = world.signed_in().await;
    let contact = json!({ "address": "oncall@northwind.example", "version": 0 });
    browser.post("/setup/contact", &contact).await.expect(200);
    world.confirm_contact().await;
    let connection = world
        .access
        .connections
        .get(&partner())
        .await
        .unwrap()
        .value;
    let unconfirmed = Connection {
        confirmed: false,
        ..connection.unwrap()
    };
    let access = &world.access;
    access
        .connections
        .put(&partner(), &unconfirmed)
        .await
        .unwrap();
    browser
}

async fn confirm(browser: &mut Browser) -> Answered {
    let page = browser.get_json("/setup/confirm").await.expect(200).json();
    assert_eq!(page["missing"], json!([]), "{page}");
    let confirm = json!({ "version": page["version"] });
    browser.post("/setup/confirm", &confirm).await
}

#[tokio::test]
async fn confirming_is_refused_where_connectwise_says_otherwise_by_now() {
    let world = World::new().await;
    let mut browser = unconfirmed(&world).await;
    world.faults(json!({ "keys": "revoked" })).await;
    let refused = confirm(&mut browser).await.expect(422);
    assert!(refused.text.contains("Check connection"), "{refused:?}");
    world.faults(json!({ "keys": "ok" })).await;

    let (board, start, closing) = OPERATIONS;
    let status = |id: u64| format!("/service/boards/{board}/statuses/{id}");
    let closes = |id, closes| {
        let patch = json!([{ "op": "replace", "path": "closedStatus", "value": closes }]);
        (status(id), patch)
    };
    for (id, closed, words) in [
        (start, true, "The start status cannot be used"),
        (closing, false, "The closing status cannot be used"),
    ] {
        let (path, patch) = closes(id, closed);
        world.technician(Method::PATCH, &path, Some(patch)).await;
        let refused = confirm(&mut browser).await.expect(422);
        assert!(refused.text.contains(words), "{refused:?}");
        let (path, patch) = closes(id, !closed);
        world.technician(Method::PATCH, &path, Some(patch)).await;
    }
    let settings = world
        .config
        .settings
        .get(&partner())
        .await
        .unwrap()
        .value
        .unwrap();
    let mut without_start = settings.clone();
    without_start.operations.start_status = None;
    let config = &world.config;
    config
        .settings
        .put(&partner(), &without_start)
        .await
        .unwrap();
    let refused = confirm(&mut browser).await.expect(422);
    assert!(refused.text.contains("the start status"), "{refused:?}");

    let config = &world.config;
    config.settings.put(&partner(), &settings).await.unwrap();
    confirm(&mut browser).await.expect(200);
    let connection = world
        .access
        .connections
        .get(&partner())
        .await
        .unwrap()
        .value;
    assert!(connection.unwrap().confirmed);
}
