//! Changes of many tenants: looked over, confirmed, and made in parts.

use std::time::Instant;

use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use connectwise_sim::Seed;
use domain::setup::mapping::Mapping;
use serde_json::{Value, json};

use crate::environment::{Answer, Browser, TestEnvironment, partner, raised_event, raises, tenant};
use crate::setup::tenants::{get_tenant, read_companies};

/// An environment with this many companies, from the id 1000 on, and as many unmapped tenants of
/// nearly the same names.
pub(crate) async fn environment(companies: usize, tenants: usize) -> TestEnvironment {
    let mut seed: Value = serde_json::from_str(Seed::DEMO_JSON).unwrap();
    let seeded = seed["companies"].as_array_mut().unwrap();
    for n in 0..companies {
        seeded.push(json!({ "id": 1000 + n, "identifier": format!("C{n}"), "name": format!("Customer {n:05}, Inc."), "status": { "id": 1 } }));
    }
    let env = TestEnvironment::with_seed(Seed::from_json(&seed.to_string()).unwrap()).await;
    let table = aws_sdk_dynamodb::Client::new(&env.aws);
    for some in (0..tenants).collect::<Vec<_>>().chunks(25) {
        let put = |n: &usize| {
            let text = |text: String| AttributeValue::S(text);
            let put = PutRequest::builder()
                .item("pk", text("P#northwind#tenants".to_owned()))
                .item("sk", text(format!("T#{}", id(*n))))
                .item("name", text(format!("CUSTOMER {n:05} Ltd")))
                .item("version", AttributeValue::N("1".into()));
            let put = put.build().unwrap();
            WriteRequest::builder().put_request(put).build()
        };
        let puts: Vec<_> = some.iter().map(put).collect();
        let write = table.batch_write_item().request_items("config", puts);
        write.send().await.unwrap();
    }
    env
}

pub(crate) fn id(n: usize) -> String {
    format!("customer-{n:05}")
}

/// Sends a file as a browser does.
pub(crate) async fn upload(browser: &mut Browser, file: &str) -> Answer {
    let mut call = browser
        .call("POST", "tenants-import")
        .header("content-type", "multipart/form-data; boundary=----boundary");
    call.body = Some(format!(
        "------boundary\r\nContent-Disposition: form-data; name=\"file\"; filename=\"tenants.csv\"\r\n\
         Content-Type: text/csv\r\n\r\n{file}\r\n------boundary--\r\n"
    ));
    browser
        .send(call.header("accept", "application/json"))
        .await
}

/// Confirms the changes as they are shown.
async fn confirm(browser: &mut Browser) {
    let view = browser.get_json("tenants-changes").await.expect(200).json();
    let version = json!({ "version": view["version"] });
    let confirmed = browser.submit("tenants-changes", &version, 200).await;
    assert_eq!(confirmed["next"], "tenants-changes-progress");
}

/// Makes the changes, over as many requests as it takes. Returns the last answer.
pub(crate) async fn make(browser: &mut Browser) -> Value {
    for _ in 0..100 {
        let made = browser
            .submit("tenants-changes-progress", &json!({}), 200)
            .await;
        if made["next"] == "tenants-changes" {
            return made;
        }
    }
    unreachable!("making changes does not end");
}

async fn outcomes(browser: &mut Browser) -> Vec<(String, Value)> {
    let view = browser.get_json("tenants-changes").await.expect(200).json();
    let rows = view["rows"].as_array().unwrap().iter();
    rows.map(|row| {
        (
            row["tenant"].as_str().unwrap().to_owned(),
            row["outcome"].clone(),
        )
    })
    .collect()
}

#[tokio::test]
async fn exact_matches_are_confirmed_together() {
    const COUNT: usize = 250;
    let env = environment(COUNT, COUNT).await;
    let mut browser = env.setup.signed_in().await;
    browser.submit("tenants-exact", &json!({}), 422).await;
    read_companies(&mut browser).await;
    let prepared = browser.submit("tenants-exact", &json!({}), 200).await;
    assert_eq!(prepared["next"], "tenants-changes");
    // Nothing is changed before the list was confirmed.
    browser
        .submit("tenants-changes-progress", &json!({}), 422)
        .await;
    assert_eq!(env.mapping(&id(7)).await.company, None);
    let view = browser.get_json("tenants-changes?page=3").await;
    let view = view.expect(200).json();
    assert_eq!(
        (
            &view["changes"]["changes"],
            view["rows"].as_array().unwrap().len()
        ),
        (&json!(COUNT), 50)
    );

    let before = env.connectwise.count_calls("GET /company/companies").await;
    confirm(&mut browser).await;
    let made = make(&mut browser).await;
    assert_eq!(
        (&made["applied"], &made["refused"]),
        (&json!(COUNT), &json!(0))
    );
    for n in [0, 99, 100, COUNT - 1] {
        let mapping = env.mapping(&id(n)).await;
        let company = u64::try_from(1000 + n).unwrap();
        assert_eq!(
            (mapping.company, mapping.enabled, mapping.epoch),
            (Some(company), true, Some(1))
        );
        assert!(mapping.enabled_at.is_some());
    }
    // One call of ConnectWise for a hundred companies.
    let calls = env.connectwise.count_calls("GET /company/companies").await - before;
    assert_eq!(calls, 3);
    let history = browser.get_json("history").await.expect(200).json();
    let entry = &history["entries"][0];
    assert_eq!(entry["what"], "tenants_changed", "{history}");
    assert_eq!(entry["detail"]["changes"], "250");
    let names = entry["detail"]["tenants"].as_str().unwrap();
    assert!(names.starts_with("CUSTOMER 00000 Ltd, CUSTOMER 00001 Ltd"));
    assert!(names.len() <= 500, "{names}");
    // The same again finds nothing, and the finished changes are not made again.
    browser.submit("tenants-exact", &json!({}), 422).await;
    assert_eq!(make(&mut browser).await["applied"], COUNT);
}

#[tokio::test]
async fn tenants_that_are_left_out_stay_unmapped() {
    const COUNT: usize = 103;
    let env = environment(COUNT, COUNT).await;
    let mut browser = env.setup.signed_in().await;
    read_companies(&mut browser).await;
    browser.submit("tenants-exact", &json!({}), 200).await;
    let page = browser.get("tenants-changes").await.expect(200).text;
    assert_eq!(page.matches("name=\"included[]\"").count(), 100, "{page}");
    assert_eq!(page.matches(" checked aria-label").count(), 100, "{page}");
    assert!(page.contains("Confirm 103 changes"), "{page}");

    // A browser sends the boxes that are ticked. Another page of the list is shown.
    let ticked = |places: std::ops::Range<usize>, without: &'static [usize]| -> Vec<String> {
        let places = places.filter(|place| !without.contains(place));
        places.map(|place| place.to_string()).collect()
    };
    let fields = |version: &'static str, page: &'static str, ticked: &[String], show: &str| {
        let mut fields = vec![
            ("version".to_owned(), version.to_owned()),
            ("page".to_owned(), page.to_owned()),
        ];
        let ticked = ticked.iter();
        fields.extend(ticked.map(|place| ("included[]".to_owned(), place.clone())));
        fields.extend((!show.is_empty()).then(|| ("show".to_owned(), show.to_owned())));
        fields
    };
    let form = fields("1", "1", &ticked(0..100, &[1, 7]), "2");
    let answer = send_changes(&mut browser, &form).await.expect(303);
    assert_eq!(answer.header("location"), "tenants-changes?page=2");
    let page = browser.get("tenants-changes?page=2").await.expect(200).text;
    assert!(page.contains("<b>2 tenants</b> are left out"), "{page}");
    assert!(page.contains("Confirm 101 changes"), "{page}");
    // The boxes of an older page of the list change nothing.
    send_changes(&mut browser, &form).await.expect(409);
    // A box that is ticked again counts again, and the last page is confirmed with its boxes.
    let form = fields("2", "1", &ticked(0..100, &[7]), "1");
    send_changes(&mut browser, &form).await.expect(303);
    let form = fields("3", "2", &ticked(100..103, &[102]), "");
    let answer = send_changes(&mut browser, &form).await.expect(303);
    assert_eq!(answer.header("location"), "tenants-changes-progress");
    let made = make(&mut browser).await;
    let counts = ["applied", "refused", "total"].map(|of| made[of].as_u64().unwrap());
    assert_eq!(counts, [101, 0, 101]);
    for n in 0..COUNT {
        let company = u64::try_from(1000 + n).unwrap();
        let expected = (![7, 102].contains(&n)).then_some(company);
        assert_eq!(env.mapping(&id(n)).await.company, expected, "{n}");
    }
    let page = browser.get("tenants-changes").await.expect(200).text;
    assert!(page.contains("2 tenants were left out."), "{page}");
    let history = browser.get_json("history").await.expect(200).json();
    let detail = &history["entries"][0]["detail"];
    assert_eq!(
        (&detail["changes"], &detail["left_out"]),
        (&json!("101"), &json!("2")),
        "{history}"
    );
    assert_eq!(detail["tenants_left_out"], "CUSTOMER 00007 Ltd");
    let names = detail["tenants"].as_str().unwrap();
    assert!(
        !names.contains("00007") && names.contains("00008"),
        "{names}"
    );

    // They are offered again. Without a single box nothing is confirmed.
    browser.submit("tenants-exact", &json!({}), 200).await;
    let view = browser.get_json("tenants-changes").await.expect(200).json();
    assert_eq!(view["changes"]["changes"], 2, "{view}");
    let version = view["version"].to_string();
    let none = [("version", version.as_str()), ("page", "1")];
    let path = "tenants-changes";
    let page = browser.post_form_of(path, path, &none).await;
    let page = page.expect(422).text;
    assert!(page.contains("Tick at least one."), "{page}");
    assert!(!page.contains(" checked"), "{page}");
    assert_eq!(env.mapping(&id(7)).await.company, None);
}

async fn send_changes(browser: &mut Browser, form: &[(String, String)]) -> Answer {
    let form: Vec<_> = form
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    browser.post_form("tenants-changes", &form).await
}

#[tokio::test]
async fn a_file_is_previewed_and_changes_what_is_still_as_it_was() {
    let env = environment(5, 5).await;
    let mut browser = env.setup.signed_in().await;
    read_companies(&mut browser).await;
    let file = browser
        .get("tenants-export?search=customer")
        .await
        .expect(200);
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(file.text.lines().count(), 6, "{}", file.text);
    // The file as it was written changes nothing.
    let answer = upload(&mut browser, &file.text).await.expect(200);
    assert_eq!(answer.json()["next"], "tenants-changes");
    let view = browser.get_json("tenants-changes").await.expect(200).json();
    let counts = |view: &Value| {
        let changes = &view["changes"];
        ["changes", "unchanged", "invalid"].map(|of| changes[of].as_u64().unwrap())
    };
    assert_eq!(counts(&view), [0, 5, 0]);

    let lines = [
        "Tenant id,Company id,Company name,Tickets".to_owned(),
        format!("{},C0,,", id(0)),
        format!("{},,customer 00001 LLC,off", id(1)),
        format!("{},1002,,", id(2)),
        format!("{},1003,,", id(3)),
        format!("{},Dunmore,,", id(4)),
        "unknown,1000,,".to_owned(),
        format!("{},1001,,", id(0)),
    ];
    upload(&mut browser, &lines.join("\r\n")).await.expect(200);
    let view = browser.get_json("tenants-changes").await.expect(200).json();
    assert_eq!(counts(&view), [4, 0, 3], "{view}");
    let lines: Vec<_> = view["changes"]["errors"]
        .as_array()
        .unwrap()
        .iter()
        .collect();
    let lines: Vec<_> = lines
        .iter()
        .map(|err| err["line"].as_u64().unwrap())
        .collect();
    assert_eq!(lines, [6, 7, 8], "{view}");
    let page = browser.get("tenants-changes").await.expect(200).text;
    assert!(
        page.contains("Dunmore Logistics is inactive in ConnectWise"),
        "{page}"
    );

    // Meanwhile another person mapped a tenant, and a company was deleted.
    let other = json!({ "tenant": id(2), "company": 301, "enabled": true, "version": 1 });
    browser.post("tenant", &other).await.expect(200);
    env.patch("/company/companies/1003", "deletedFlag", true)
        .await;
    confirm(&mut browser).await;
    let made = make(&mut browser).await;
    assert_eq!((&made["applied"], &made["refused"]), (&json!(2), &json!(2)));
    let expected = [
        (id(0), json!("applied")),
        (id(1), json!("applied")),
        (id(2), json!("conflict")),
        (id(3), json!({ "unusable": "deleted" })),
    ];
    assert_eq!(outcomes(&mut browser).await, expected);
    let mut companies = vec![];
    for n in 0..4 {
        let mapping = env.mapping(&id(n)).await;
        companies.push((n, mapping.company, mapping.enabled));
    }
    assert_eq!(
        companies,
        [
            (0, Some(1000), true),
            (1, Some(1001), false),
            (2, Some(301), true),
            (3, None, false),
        ]
    );
}

#[tokio::test]
async fn changes_continue_after_the_process_died() {
    let env = environment(150, 150).await;
    let mut browser = env.setup.signed_in().await;
    read_companies(&mut browser).await;
    browser.submit("tenants-exact", &json!({}), 200).await;
    confirm(&mut browser).await;
    // It died within the first part: some tenants were saved, and the progress was not.
    let (tenants, northwind) = (&env.config.tenants, partner());
    for n in 0..40 {
        let saved = tenant(&id(n));
        let read = tenants.get(&northwind, &saved).await.unwrap();
        let mapping = Mapping {
            company: Some(u64::try_from(1000 + n).unwrap()),
            company_name: Some(format!("Customer {n:05}, Inc.")),
            epoch: Some(1),
            enabled: true,
            ..read.value.unwrap()
        };
        let save = tenants.save(&northwind, &saved, &mapping, read.version);
        assert!(save.await.unwrap().is_saved());
    }
    // Other changes cannot be prepared before these are finished.
    let refused = browser.submit("tenants-exact", &json!({}), 422).await;
    assert!(refused["detail"].as_str().unwrap().contains("not finished"));
    let page = browser
        .get("tenants-changes-progress")
        .await
        .expect(200)
        .text;
    assert!(
        page.contains("data-progress=\"tenants-changes-progress\""),
        "{page}"
    );
    let made = make(&mut browser).await;
    assert_eq!(
        (&made["applied"], &made["refused"]),
        (&json!(150), &json!(0))
    );
    // A tenant that was saved before has not been saved twice.
    let read = env.config.tenants.get(&partner(), &tenant(&id(3))).await;
    assert_eq!(read.unwrap().version, 2);
}

#[tokio::test]
async fn stopped_changes_leave_the_others_as_they_were() {
    let env = environment(3, 3).await;
    let mut browser = env.setup.signed_in().await;
    read_companies(&mut browser).await;
    browser.submit("tenants-exact", &json!({}), 200).await;
    let view = browser.get_json("tenants-changes").await.expect(200).json();
    confirm(&mut browser).await;
    // The version that was shown before does not confirm them again.
    let again = json!({ "version": view["version"] });
    browser.submit("tenants-changes", &again, 422).await;
    let stopped = browser.post_form("tenants-changes-stop", &[]).await;
    assert_eq!(stopped.expect(303).header("location"), "tenants-changes");
    let page = browser.get("tenants-changes").await.expect(200).text;
    assert!(page.contains("3 tenants stayed as before"), "{page}");
    assert_eq!(make(&mut browser).await["applied"], 0);
    assert_eq!(
        get_tenant(&mut browser, &id(0)).await["company"],
        Value::Null
    );
    // They can be prepared again.
    browser.submit("tenants-exact", &json!({}), 200).await;
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_refused() {
    let env = environment(1, 1).await;
    let mut browser = env.setup.signed_in().await;
    let header = "Tenant id,Company id\n";
    let refused = upload(&mut browser, header).await.expect(422).json();
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("Read the companies first")
    );
    let page = browser.get("tenants-import").await.expect(200).text;
    assert!(page.contains("action=\"tenants-companies\""), "{page}");
    read_companies(&mut browser).await;
    let page = browser.get("tenants-import").await.expect(200).text;
    assert!(page.contains("enctype=\"multipart/form-data\""), "{page}");
    for file in [
        "",
        "a,b\n1,2\n",
        &(header.to_owned() + &"x,1\n".repeat(10_001)),
    ] {
        let refused = upload(&mut browser, file).await.expect(422).json();
        assert_eq!(refused["field"], "file", "{refused}");
    }
    let large = upload(&mut browser, &"x".repeat(2 * 1024 * 1024)).await;
    assert_eq!(large.status, 413);
    // A program sends JSON.
    let json = json!({ "file": format!("{header}{},1000\n", id(0)) });
    browser.submit("tenants-import", &json, 200).await;
    let view = browser.get_json("tenants-changes").await.expect(200).json();
    assert_eq!(view["changes"]["changes"], 1, "{view}");
}

#[tokio::test]
async fn one_of_many_tenants_is_typed_instead_of_chosen() {
    let mut env = environment(1, 150).await;
    let mut raised = raised_event("e1", "a1", 0);
    raised["data"]["tenant"] = id(7).into();
    env.deliver(&raised).await;
    let mut browser = env.setup.signed_in().await;
    let option = format!("<option value=\"{}\"", id(7));
    for path in ["activity", "maintenance"] {
        let page = browser.get(path).await.expect(200).text;
        assert!(!page.contains(&option), "{page}");
    }
    for (tenant, count) in [(id(7), 1), ("00007+ltd".to_owned(), 1), (id(8), 0)] {
        let path = format!("activity?tenant={tenant}");
        let list = browser.get_json(&path).await.expect(200).json();
        assert_eq!(list["rows"].as_array().unwrap().len(), count, "{path}");
    }
    for (tenant, words) in [
        ("customer", "150 tenants match"),
        ("unknown", "No tenant matches"),
    ] {
        let path = format!("activity?tenant={tenant}");
        let page = browser.get(&path).await.expect(422).text;
        assert!(page.contains(words), "{page}");
        assert!(page.contains("aria-invalid=\"true\""), "{page}");
    }
    for (tenant, words) in [
        ("Customer 00007 LTD", "no company in ConnectWise"),
        ("customer", "150 tenants match"),
    ] {
        let wish = json!({ "tenant": tenant, "category": "operations" });
        let refused = browser.post("test", &wish).await.expect(422).json();
        assert_eq!(refused["field"], "tenant", "{refused}");
        let detail = refused["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{refused}");
    }

    let window = |lines: &'static str| {
        [
            ("name", "Night"),
            ("zone", "Europe/Berlin"),
            ("starts", "2026-11-01T22:00"),
            ("hours", "8"),
            ("repeats", "daily"),
            ("tenant_lines", lines),
        ]
    };
    let fields = window("00007\r\ncustomer-00009\r\n");
    browser.post_form("maintenance", &fields).await.expect(303);
    let view = browser.get_json("maintenance").await.expect(200).json();
    let covers = view["windows"][0]["covers"].as_str().unwrap();
    let names = "CUSTOMER 00007 Ltd, CUSTOMER 00009 Ltd";
    assert!(covers.contains(names), "{view}");
    let path = format!(
        "maintenance?window={}",
        view["windows"][0]["id"].as_str().unwrap()
    );
    let page = browser.get(&path).await.expect(200).text;
    let lines = "CUSTOMER 00007 Ltd\nCUSTOMER 00009 Ltd</textarea>";
    assert!(page.contains(lines), "{page}");
    let fields = window("customer 000");
    let page = browser.post_form("maintenance", &fields).await;
    let page = page.expect(422).text;
    assert!(page.contains("data-field=\"tenant_lines\""), "{page}");
}

/// Prints how long each page takes in this process, the emulator's time included. It asserts no
/// time: the machine and the build decide it.
#[tokio::test]
#[ignore = "a measurement: run it alone with --run-ignored and --no-capture"]
async fn five_thousand_tenants_and_twenty_thousand_companies_are_timed() {
    let mut env = environment(20_000, 5_000).await;
    let mut browser = env.setup.signed_in().await;
    // Of 400 alerts 100 have tickets, and the others wait, each of another tenant.
    let mut events = raises(0..400);
    for (n, event) in events.iter_mut().enumerate().skip(100) {
        event["data"]["tenant"] = id(n).into();
    }
    for some in events.chunks(50) {
        env.process(some, 1).await;
    }
    let list = browser.get_json("activity").await.expect(200).json();
    let alert = list["rows"][0]["path"].as_str().unwrap();
    let started = Instant::now();
    read_companies(&mut browser).await;
    eprintln!("reading 20,000 companies: {:?}", started.elapsed());
    for path in [
        "tenants",
        "tenants",
        "tenants?page=30",
        "tenants?search=customer+0123&show=unmapped",
        "tenants?show=waiting",
        "tenants?choose=customer-00000",
        "tenant?tenant=customer-00000",
        "tenants-export",
        "waiting",
        "overview",
        "overview",
        "activity",
        "activity?state=waiting",
        "activity?reason=unmapped",
        "activity?search=a399",
        alert,
        "history",
        "test",
        "confirm",
        "maintenance",
    ] {
        let started = Instant::now();
        let page = browser.get(path).await.expect(200);
        eprintln!("{path}: {:?}, {} bytes", started.elapsed(), page.text.len());
    }
    let file = (0..1_000).map(|n| format!("{},{}\n", id(n), 1_000 + n));
    let file = "Tenant id,Company id\n".to_owned() + &file.collect::<String>();
    let started = Instant::now();
    upload(&mut browser, &file).await.expect(200);
    eprintln!(
        "1,000 lines of a file, to the preview: {:?}",
        started.elapsed()
    );
    let started = Instant::now();
    browser.get("tenants-changes?page=7").await.expect(200);
    eprintln!("a page of the preview: {:?}", started.elapsed());
    confirm(&mut browser).await;
    let started = Instant::now();
    assert_eq!(make(&mut browser).await["applied"], 1_000);
    eprintln!("1,000 changes: {:?}", started.elapsed());
    let started = Instant::now();
    browser.submit("tenants-exact", &json!({}), 200).await;
    eprintln!(
        "4,000 exact matches, to the preview: {:?}",
        started.elapsed()
    );
    confirm(&mut browser).await;
    let started = Instant::now();
    assert_eq!(make(&mut browser).await["applied"], 4_000);
    eprintln!("4,000 changes: {:?}", started.elapsed());
}
