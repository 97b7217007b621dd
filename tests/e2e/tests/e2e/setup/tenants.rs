//! The tenants step of the page: mapping tenants to companies.

use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use connectwise_sim::Seed;
use domain::SourceId;
use domain::monitoring::inactive_source::InactivityRules;
use domain::setup::mapping::Mapping;
use domain::wire::tenant_list::{NamedTenant, TenantList};
use jiff::Timestamp;
use serde_json::{Value, json};
use store::{MAX_UNMAPPED, PartnerSource};

use crate::environment::{
    Browser, DISABLED, SOURCE, TENANT, TestEnvironment, event, partner, raised_event, tenant,
};

/// A tenant that was seen and is not mapped.
const UNMAPPED: &str = "cedar-valley";

async fn seen(env: &TestEnvironment, id: &str, name: &str) {
    env.config
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

/// Makes the source one of the partner's.
async fn bind_source(env: &TestEnvironment) {
    let bound = PartnerSource {
        since: Timestamp::now(),
        kinds: vec![],
        enabled: true,
        inactivity: InactivityRules::default(),
    };
    let (northwind, source) = (partner(), SourceId::parse(SOURCE).unwrap());
    let put = env.access.partner_sources.put(&northwind, &source, &bound);
    put.await.unwrap();
}

pub(crate) async fn get_tenant(browser: &mut Browser, tenant: &str) -> Value {
    let path = format!("tenant?tenant={tenant}");
    browser.get_json(&path).await.expect(200).json()
}

#[tokio::test]
async fn a_tenant_is_mapped_only_to_a_usable_company() {
    let env = TestEnvironment::new().await;
    seen(&env, UNMAPPED, "Cedar Valley Clinic").await;
    let mut browser = env.setup.signed_in().await;

    // Without a search text, companies of the tenant's name are listed; the deleted one says why it cannot
    // be chosen.
    let page = get_tenant(&mut browser, UNMAPPED).await;
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
        .get(&format!("tenant?tenant={UNMAPPED}&search=dunmore"))
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
        let refused = browser.submit("tenant", &chosen, 422).await;
        assert_eq!(refused["field"], field, "{refused}");
    }

    let chosen = json!({ "tenant": UNMAPPED, "company": 303, "enabled": true, "version": version });
    browser.post("tenant", &chosen).await.expect(200);
    // Another person started from the earlier version.
    let other = json!({ "tenant": UNMAPPED, "company": 301, "enabled": true, "version": version });
    browser.post("tenant", &other).await.expect(409);
    let mapping = env.mapping(UNMAPPED).await;
    let name = mapping.company_name.as_deref();
    assert_eq!(
        (mapping.company, name, mapping.epoch, mapping.enabled),
        (Some(303), Some("Cedar Valley Clinic"), Some(1), true)
    );

    // The same by a form, which omits a cleared checkbox.
    let page = get_tenant(&mut browser, UNMAPPED).await;
    let version = page["version"].to_string();
    let off = [
        ("tenant", UNMAPPED),
        ("company", "303"),
        ("version", version.as_str()),
    ];
    let answer = browser.post_form("tenant", &off).await.expect(303);
    assert_eq!(answer.header("location"), "tenants?done=saved");
    assert!(
        !get_tenant(&mut browser, UNMAPPED).await["enabled"]
            .as_bool()
            .unwrap()
    );
    let history = browser.get_json("history").await.expect(200).json();
    let entries = history["entries"].as_array().unwrap().iter();
    let whats: Vec<_> = entries.map(|entry| entry["what"].clone()).collect();
    let saved = "tenant_saved";
    assert_eq!(whats, [saved, saved, "session_began"], "{history}");
}

#[tokio::test]
async fn equal_company_names_are_suggested_but_not_saved() {
    let mut seed: Value = serde_json::from_str(Seed::DEMO_JSON).unwrap();
    let companies = seed["companies"].as_array_mut().unwrap();
    for n in 0..2500 {
        companies.push(json!({ "id": 1000 + n, "identifier": format!("C{n}"), "name": format!("Company {n}"), "status": { "id": 1 } }));
    }
    let env = TestEnvironment::with_seed(Seed::from_json(&seed.to_string()).unwrap()).await;
    seen(&env, UNMAPPED, "cedar valley clinic").await;
    seen(&env, "last", "Company 2499").await;
    seen(&env, "unknown", "Company").await;
    let mut browser = env.setup.signed_in().await;

    let read = browser.submit("tenants-companies", &json!({}), 200).await;
    assert_eq!(
        (&read["done"], &read["total"]),
        (&json!(2509), &json!(2509)),
        "{read}"
    );
    assert_eq!(read["next"], "tenants?done=suggested");
    let pages = env.connectwise.count_calls("GET /company/companies").await;
    assert_eq!(pages, 3);

    let page = browser.get_json("tenants").await.expect(200).json();
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
    // A deleted company of the same name does not count.
    assert_eq!(
        (suggested(UNMAPPED), suggested("last"), suggested("unknown")),
        (vec![303], vec![3499], vec![])
    );
    // The spelling of the legal form makes no difference, and a similar name is marked as such.
    seen(&env, "similar", "Cedar Vally Clinic, LLC").await;
    let page = browser
        .get_json("tenants?search=Vally")
        .await
        .expect(200)
        .json();
    let found = &page["tenants"][0]["suggested"];
    assert_eq!(
        (&found[0]["company"], &found[0]["exact"]),
        (&json!(303), &json!(false))
    );
}

/// ConnectWise's flags say whether a company accepts tickets. A tenant whose company became unusable can
/// still be disabled.
#[tokio::test]
async fn a_company_that_became_unusable_is_explained() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let (northwind, unmapped) = (partner(), tenant(UNMAPPED));
    seen(&env, UNMAPPED, "Dunmore").await;
    let refused = json!({ "tenant": UNMAPPED, "company": 305, "enabled": true, "version": 1 });
    let refused = browser.post("tenant", &refused).await;
    let detail = refused.expect(422).json()["detail"].clone();
    let detail = detail.as_str().unwrap();
    assert!(detail.contains("is inactive in ConnectWise"), "{detail}");
    // The company was chosen while it was usable. Then it became inactive or was deleted. A mapping
    // can lack the company's name.
    for (company, name) in [(305, Some("Dunmore")), (999, Some("Dunmore")), (305, None)] {
        let read = env.config.tenants.get(&northwind, &unmapped);
        let version = read.await.unwrap().version;
        let mapping = Mapping {
            company: Some(company),
            company_name: name.map(str::to_owned),
            epoch: Some(1),
            enabled: true,
            ..Mapping::default()
        };
        env.put_mapping(UNMAPPED, &mapping).await;
        let off = json!({ "tenant": UNMAPPED, "company": company, "enabled": false, "version": version + 1 });
        browser.post("tenant", &off).await.expect(200);
        let mapping = env.mapping(UNMAPPED).await;
        assert_eq!((mapping.company, mapping.enabled), (Some(company), false));
        let on = json!({ "tenant": UNMAPPED, "company": company, "enabled": true, "version": version + 2 });
        browser.post("tenant", &on).await.expect(422);
    }
}

/// All suggestions in one item would exceed DynamoDB's 400 KB.
#[tokio::test]
async fn three_thousand_tenants_are_listed_by_page() {
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
    let env = TestEnvironment::with_seed(Seed::from_json(&seed.to_string()).unwrap()).await;
    let ids: Vec<String> = (0..COUNT)
        .map(|n| format!("customer-{n:04}-{}", "y".repeat(80)))
        .collect();
    let table = aws_sdk_dynamodb::Client::new(&env.aws);
    for some in (0..COUNT).collect::<Vec<_>>().chunks(25) {
        let put = |n: &usize| {
            let text = |text: &str| AttributeValue::S(text.to_owned());
            let put = PutRequest::builder()
                .item("pk", text("P#northwind#tenants"))
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
    let mut browser = env.setup.signed_in().await;
    read_companies(&mut browser).await;
    let page = browser.get("tenants").await.expect(200).text;
    assert!(page.len() < 300_000, "{}", page.len());
    let (mut names, mut suggested) = (vec![], 0);
    for page in 1..=31 {
        let path = format!("tenants?page={page}");
        let page = browser.get_json(&path).await.expect(200).json();
        assert_eq!((&page["total"], &page["pages"]), (&json!(3002), &json!(31)));
        for of in page["tenants"].as_array().unwrap() {
            let title = of["name"].as_str().or(of["tenant"].as_str());
            names.push(title.unwrap().to_lowercase());
            suggested += of["suggested"].as_array().unwrap().len();
        }
    }
    // Two tenants are seeded.
    assert_eq!((names.len(), suggested), (COUNT + 2, COUNT));
    assert!(names.is_sorted());
    // After the last page comes the last page.
    let beyond = browser.get_json("tenants?page=99").await.expect(200).json();
    assert_eq!(beyond["page"], 31);
    assert_eq!(beyond["tenants"].as_array().unwrap().len(), 2);
}

/// Reads all companies, over as many requests as it takes.
pub(crate) async fn read_companies(browser: &mut Browser) {
    for _ in 0..20 {
        let read = browser.submit("tenants-companies", &json!({}), 200).await;
        if read["next"] == "tenants?done=suggested" {
            return;
        }
    }
    unreachable!("reading companies does not end");
}

#[tokio::test]
async fn tenants_are_found_by_name_and_state() {
    let env = TestEnvironment::new().await;
    for (id, name) in [
        ("z-1", "Élan Vital"),
        ("a-9", "Zenith"),
        ("m-5", "Meridian"),
    ] {
        seen(&env, id, name).await;
    }
    let off = Mapping {
        company: Some(303),
        company_name: Some("Cedar Valley Clinic".into()),
        epoch: Some(1),
        enabled: false,
        name: Some("Off Ltd".into()),
        ..Mapping::default()
    };
    env.put_mapping("o-1", &off).await;
    let mut browser = env.setup.signed_in().await;
    for (query, expected) in [
        ("show=unmapped", &["m-5", "a-9", "z-1"][..]),
        ("show=off&search=", &["o-1"]),
        ("search=Z-1", &["z-1"]),
        ("search=zen", &["a-9"]),
        ("search=%C3%A9lan", &["z-1"]),
        // The company's name is searched too.
        ("search=cedar%20valley", &["o-1"]),
        ("search=zen&show=off", &[]),
        ("show=waiting", &[]),
    ] {
        let page = browser.get_json(&format!("tenants?{query}")).await;
        let page = page.expect(200).json();
        let found: Vec<_> = page["tenants"].as_array().unwrap().iter().collect();
        let seeded = [TENANT, DISABLED];
        let found: Vec<_> = found
            .iter()
            .map(|of| of["tenant"].as_str().unwrap())
            .filter(|id| !seeded.contains(id))
            .collect();
        assert_eq!(found, expected, "{query}");
    }
    let page = browser.get("tenants?search=nobody").await.expect(200).text;
    assert!(page.contains("No tenant matches."), "{page}");
    // Its own page carries its name, and leads back to the place of the list.
    let page = browser.get("tenant?tenant=a-9&list=show%3Dunmapped").await;
    let page = page.expect(200).text;
    assert!(page.contains("<h1>Zenith</h1>"), "{page}");
    assert!(page.contains("href=\"tenants?show=unmapped\""), "{page}");
}

#[tokio::test]
async fn a_saved_row_returns_to_its_place_in_the_list() {
    let env = TestEnvironment::new().await;
    seen(&env, UNMAPPED, "Cedar Valley Clinic").await;
    let mut browser = env.setup.signed_in().await;
    let open = format!("tenants?show=unmapped&search=cedar&choose={UNMAPPED}");
    let page = browser.get(&open).await.expect(200).text;
    // The only company that can be used is chosen already.
    assert!(page.contains("value=\"303\" required checked"), "{page}");
    assert!(page.contains("deleted in ConnectWise"), "{page}");
    let saved = [
        ("tenant", UNMAPPED),
        ("company", "303"),
        ("enabled", "true"),
        ("version", "1"),
        ("list", "search=cedar&show=unmapped&page=2"),
    ];
    let answer = browser.post_form("tenant", &saved).await.expect(303);
    let next = "tenants?done=saved&page=2&search=cedar&show=unmapped";
    assert_eq!(answer.header("location"), next);
    // No other address can be sent back.
    let version = get_tenant(&mut browser, UNMAPPED).await["version"].to_string();
    let hostile = [
        ("tenant", UNMAPPED),
        ("version", version.as_str()),
        ("list", "//elsewhere.example/?next=x"),
    ];
    let answer = browser.post_form("tenant", &hostile).await.expect(303);
    assert_eq!(answer.header("location"), "tenants?done=saved");
}

#[tokio::test]
async fn a_tenant_that_is_off_stays_off_at_another_company() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let checkbox = |page: &str| {
        let (_, after) = page
            .split_once("type=\"checkbox\" name=\"enabled\"")
            .unwrap();
        after.split_once('>').unwrap().0.contains("checked")
    };
    for (enabled, epoch, expected) in [(true, 1, true), (false, 1, false), (false, 0, false)] {
        let mapping = Mapping {
            company: Some(301),
            company_name: Some("Acme Dental Inc.".into()),
            epoch: Some(epoch),
            enabled,
            ..Mapping::default()
        };
        env.put_mapping("switched", &mapping).await;
        let page = browser.get("tenant?tenant=switched&search=cedar").await;
        assert_eq!(
            checkbox(&page.expect(200).text),
            expected,
            "{enabled} {epoch}"
        );
    }
    seen(&env, "new", "Cedar").await;
    let page = browser.get("tenant?tenant=new").await.expect(200).text;
    assert!(checkbox(&page), "a tenant that was never mapped");
}

#[tokio::test]
async fn the_number_of_listed_unmapped_tenants_is_bounded() {
    let mut env = TestEnvironment::new().await;
    bind_source(&env).await;
    let northwind = partner();
    let table = aws_sdk_dynamodb::Client::new(&env.aws);
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
    let is_listed = async |env: &TestEnvironment, id: &str| {
        let mapping = env.config.tenants.get(&northwind, &tenant(id)).await;
        mapping.unwrap().value.is_some()
    };
    // The last tenant within the limit, and one more.
    counter(Some(MAX_UNMAPPED - 1)).await;
    for id in ["last", "further"] {
        let mut raised = raised_event(id, &format!("alert-of-{id}"), 1);
        raised["data"]["tenant"] = json!(id);
        env.deliver(&raised).await;
    }
    assert!(is_listed(&env, "last").await);
    assert!(!is_listed(&env, "further").await);
    assert_eq!(counter(None).await, MAX_UNMAPPED);
    let mut browser = env.setup.signed_in().await;
    let page = browser.get("tenants").await.expect(200).text;
    assert!(page.contains("tenants that are not mapped"), "{page}");
    // Its alert is listed as blocked, and a person can map the tenant from there.
    let page = browser.get("waiting").await.expect(200).text;
    assert!(page.contains("tenant?tenant=further"), "{page}");
    get_tenant(&mut browser, "further").await;
    // A run of reconcile counts the tenants.
    let now = Timestamp::now();
    env.schedule.make_due(now).await;
    let reconcile = env.reconcile();
    env.schedule.tick(&reconcile, now).await;
    assert_eq!(counter(None).await, 1);
    let page = browser.get("tenants").await.expect(200).text;
    assert!(!page.contains("tenants that are not mapped"), "{page}");
    let mut updated = event("alert.updated", "again", "alert-of-further", 2);
    updated["data"]["tenant"] = json!("further");
    env.deliver(&updated).await;
    assert!(is_listed(&env, "further").await);
    assert_eq!(counter(None).await, 2);
}

#[tokio::test]
async fn reading_companies_continues_in_the_next_request() {
    let env = TestEnvironment::new().await;
    seen(&env, UNMAPPED, "Cedar Valley Clinic").await;
    let stored = store::CompanyScan {
        epoch: 1,
        next: Some(302),
        read: 3,
        total: 9,
        ..store::CompanyScan::default()
    };
    let saved = env.config.companies.save_scan(&partner(), &stored, 0).await;
    assert!(saved.unwrap().is_saved());
    let mut browser = env.setup.signed_in().await;
    let page = browser.get("tenants").await.expect(200);
    assert!(
        page.text.contains("data-progress=\"tenants-companies\""),
        "{}",
        page.text
    );
    let read = browser.submit("tenants-companies", &json!({}), 200).await;
    assert_eq!(
        (&read["done"], &read["total"]),
        (&json!(9), &json!(9)),
        "{read}"
    );
}

/// The list stays in memory, so each kind of change must be seen at once.
#[tokio::test]
async fn each_change_of_a_tenant_is_in_the_list_at_once() {
    let env = TestEnvironment::new().await;
    bind_source(&env).await;
    let mut browser = env.setup.signed_in().await;
    let source = SourceId::parse(SOURCE).unwrap();
    let listed = async |browser: &mut Browser| {
        let page = browser.get_json("tenants?search=quick").await;
        let page = page.expect(200).json();
        let tenants = page["tenants"].as_array().unwrap().clone();
        let row = |of: Value| format!("{} {} {}", of["tenant"], of["name"], of["company"]);
        tenants.into_iter().map(row).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(listed(&mut browser).await, "");
    seen(&env, "quick-1", "One").await;
    assert_eq!(listed(&mut browser).await, "\"quick-1\" \"One\" null");
    let named = |name: &str| TenantList {
        partner: partner(),
        source: source.clone(),
        received_at: Timestamp::now(),
        tenants: vec![NamedTenant {
            id: tenant("quick-1"),
            name: Some(name.to_owned()),
        }],
    };
    env.config.tenants.list_all(&named("Two")).await.unwrap();
    assert_eq!(listed(&mut browser).await, "\"quick-1\" \"Two\" null");
    let version = get_tenant(&mut browser, "quick-1").await["version"].clone();
    let map = json!({ "tenant": "quick-1", "company": 303, "enabled": true, "version": version });
    browser.post("tenant", &map).await.expect(200);
    assert_eq!(listed(&mut browser).await, "\"quick-1\" \"Two\" 303");
    let new = json!({ "tenant": "quick-0", "name": "Zero", "source": SOURCE });
    browser.post("tenants", &new).await.expect(200);
    let both = "\"quick-1\" \"Two\" 303\n\"quick-0\" \"Zero\" null";
    assert_eq!(listed(&mut browser).await, both);
}
