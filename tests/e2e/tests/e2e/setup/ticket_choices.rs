//! The page's choices for tickets.

use crate::environment::{TestEnvironment, TypeChildren, settings};
use domain::Kind;
use domain::alert::event::Severity;
use domain::setup::settings::OnResolve;
use serde_json::{Value, json};

/// The seeded settings as JSON.
fn as_seeded(version: u64) -> Value {
    json!({
        "operations": {
            "start_status": 221, "closing_status": 224, "types": { "disk": 2203, "cpu": 2201 },
            "on_resolve": "close", "reopen_days": 0,
        },
        "cyber_alerts": {
            "start_status": 231, "closing_status": 234, "types": { "ransomware_encryption": 2302 },
            "on_resolve": "note", "reopen_days": 0,
        },
        "on": on(),
        "priorities": { "critical": 31, "high": 32, "medium": 33, "low": 34 },
        "note_interval_minutes": 60,
        "version": version,
    })
}

/// All kinds except the one that the seed disables.
fn on() -> Vec<&'static str> {
    let kinds = domain::alert::kind::BUILT_IN.iter().map(|(kind, ..)| *kind);
    kinds.filter(|kind| *kind != "memory").collect()
}

#[tokio::test]
async fn ticket_choices_are_shown_and_saved_from_a_form() {
    let env = TestEnvironment::new().await;
    let mut browser = env.setup.signed_in().await;
    let view = browser.get_json("tickets").await.expect(200).json();
    let statuses = view["operations"]["start_statuses"].as_array().unwrap();
    let of = |id: u64| statuses.iter().find(|status| status["id"] == id).unwrap();
    assert_eq!(of(221)["unfit"], Value::Null);
    assert_eq!(
        (&of(224)["unfit"], &of(225)["unfit"]),
        (&json!("closes"), &json!("inactive"))
    );
    let closing = view["operations"]["closing_statuses"].as_array().unwrap();
    assert_eq!(closing[0]["unfit"], "leaves_open");
    assert_eq!(
        (&view["operations"]["name"], &view["off"]),
        (&json!("Operations"), &json!([]))
    );
    let page = browser.get("tickets").await.expect(200).text;
    let disabled = "<option value=\"224\" disabled>&gt;Closed (it counts as closed";
    assert!(page.contains(disabled), "{page}");

    let version = view["version"].to_string();
    let fields = [
        ("version", version.as_str()),
        ("operations[start_status]", "222"),
        ("operations[closing_status]", "224"),
        ("operations[types][disk]", "2204"),
        ("operations[types][cpu]", ""),
        ("operations[on_resolve]", "note"),
        ("operations[reopen_days]", "7"),
        ("cyber_alerts[start_status]", ""),
        ("cyber_alerts[closing_status]", ""),
        ("cyber_alerts[on_resolve]", "close"),
        ("cyber_alerts[reopen_days]", "0"),
        ("on[]", "disk"),
        ("on[]", "memory"),
        ("priorities[critical]", "32"),
        ("priorities[low]", ""),
        ("note_interval_minutes", "1440"),
        ("notes_for_customers", "true"),
        ("link_contact", "true"),
    ];
    let answer = browser.post_form("tickets", &fields).await.expect(303);
    assert_eq!(answer.header("location"), "tickets?done=saved");
    let saved = env.settings().await;
    let kind = |name: &str| Kind::parse(name).unwrap();
    let operations = &saved.operations;
    assert_eq!(
        (
            operations.board,
            operations.start_status,
            operations.closing_status
        ),
        (Some(22), Some(222), Some(224))
    );
    assert_eq!(operations.types, [(kind("disk"), 2204)].into());
    assert_eq!(
        (operations.on_resolve, operations.reopen_days),
        (OnResolve::Note, 7)
    );
    assert_eq!(
        (saved.cyber_alerts.board, saved.cyber_alerts.start_status),
        (Some(23), None)
    );
    // It was not part of the form.
    assert_eq!(saved.cyber_alerts.types, settings().cyber_alerts.types);
    assert_eq!(saved.kinds_off.len(), 10);
    assert!(saved.kinds_off.contains(&kind("cpu")) && !saved.kinds_off.contains(&kind("memory")));
    assert_eq!(saved.priorities.get(&Severity::Critical), Some(&32));
    assert_eq!(saved.priorities.get(&Severity::Low), None);
    assert_eq!(
        (saved.note_interval_minutes, saved.notes_for_customers),
        (1440, true)
    );
    assert_eq!(
        (saved.links.configuration, saved.links.contact),
        (false, true)
    );
    assert_eq!(saved.epoch, Some(1));
    let history = env.audit_page().await;
    assert_eq!(history.entries[0].what, "tickets_saved");

    let stale = browser.post_form("tickets", &fields).await.expect(409);
    assert!(
        stale.text.contains("Another person changed this"),
        "{}",
        stale.text
    );
}

#[tokio::test]
async fn a_choice_that_the_board_lacks_is_refused() {
    let env = TestEnvironment::new().await;
    let mut own = settings();
    let other = Kind::parse("a_kind_of_a_source").unwrap();
    own.kinds_off.insert(other.clone());
    env.put_settings(&own).await;
    let mut browser = env.setup.signed_in().await;
    let version = browser.get_json("tickets").await.json()["version"]
        .as_u64()
        .unwrap();
    for (field, value, words) in [
        ("operations[start_status]", json!(224), "counts as closed"),
        ("operations[start_status]", json!(225), "inactive"),
        ("operations[start_status]", json!(231), "no longer"),
        (
            "cyber_alerts[closing_status]",
            json!(233),
            "does not count as closed",
        ),
        ("cyber_alerts[closing_status]", json!(235), "inactive"),
        ("operations[types][disk]", json!(2301), "no longer"),
        ("operations[types][zero_trust]", json!(2203), "no kind"),
        ("operations[reopen_days]", json!(366), "365"),
        ("priorities[critical]", json!(99), "no such priority"),
        ("note_interval_minutes", json!(0), "10080"),
        ("note_interval_minutes", json!(10_081), "10080"),
        ("on", json!(["disk", "a_kind_of_a_source"]), "no kind"),
    ] {
        let mut asked = as_seeded(version);
        let mut member = &mut asked;
        for name in field.split(['[', ']']).filter(|name| !name.is_empty()) {
            member = &mut member[name];
        }
        *member = value;
        let problem = browser.submit("tickets", &asked, 422).await;
        assert_eq!(problem["field"], field, "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{field}: {detail}");
    }
    assert_eq!(env.settings().await, own);
    browser.submit("tickets", &as_seeded(version), 200).await;
    let saved = env.settings().await;
    let mut expected = own;
    expected.epoch = Some(1);
    assert_eq!(saved, expected, "the saved settings equal the sent ones");
}

#[tokio::test]
async fn without_table_setup_choices_are_read_only() {
    let env = TestEnvironment::new().await;
    env.set_fault("missing_rights", ["table_setup.inquire"])
        .await;
    let mut browser = env.setup.signed_in().await;
    let view = browser.get_json("tickets").await.expect(200).json();
    let off = view["off"].to_string();
    assert!(
        off.contains("cannot be chosen") && off.contains("Table Setup: Inquire = All"),
        "{off}"
    );
    let version = view["version"].as_u64().unwrap();
    let page = browser.get("tickets").await.expect(200).text;
    assert!(
        page.contains("<option value=\"221\" selected>number 221, not listed"),
        "{page}"
    );
    let mut other = as_seeded(version);
    other["operations"]["start_status"] = json!(222);
    let refused = browser.submit("tickets", &other, 422).await;
    assert!(
        refused["detail"].as_str().unwrap().contains("Table Setup"),
        "{refused}"
    );
    let mut same = as_seeded(version);
    same["operations"]["on_resolve"] = json!("note");
    browser.post("tickets", &same).await.expect(200);
    let saved = env.settings().await;
    assert_eq!(
        (saved.operations.start_status, saved.operations.on_resolve),
        (Some(221), OnResolve::Note)
    );
}

#[tokio::test]
async fn a_subtype_an_item_and_a_source_are_chosen_and_checked() {
    let env = TestEnvironment::new().await;
    let TypeChildren { subtype, item } = env.connectwise.add_type_children(22, 2203).await;
    let mut browser = env.setup.signed_in().await;
    let view = browser.get_json("tickets").await.expect(200).json();
    let operations = &view["operations"];
    assert_eq!(operations["subtypes"][0]["below"], json!(["2203"]));
    assert_eq!(
        operations["items"][0]["below"],
        json!([format!("2203/{subtype}")])
    );
    assert_eq!(view["cyber_alerts"]["subtypes"], json!([]));
    let source = view["sources"][0]["id"].as_u64().unwrap();
    let version = view["version"].as_u64().unwrap();
    for (chosen, field, words) in [
        (
            json!({ "subtypes": { "cpu": subtype } }),
            "operations[subtypes][cpu]",
            "does not belong",
        ),
        (
            json!({ "subtypes": { "disk": 99 } }),
            "operations[subtypes][disk]",
            "no longer has it",
        ),
        (
            json!({ "items": { "disk": item } }),
            "operations[items][disk]",
            "a type and a subtype",
        ),
        (
            json!({ "subtypes": { "zero_trust": subtype } }),
            "operations[subtypes][zero_trust]",
            "no kind",
        ),
    ] {
        let mut asked = as_seeded(version);
        for (member, value) in chosen.as_object().unwrap() {
            asked["operations"][member] = value.clone();
        }
        let problem = browser.submit("tickets", &asked, 422).await;
        assert_eq!(problem["field"], field, "{problem}");
        assert!(
            problem["detail"].as_str().unwrap().contains(words),
            "{problem}"
        );
    }
    let mut asked = as_seeded(version);
    asked["source"] = json!(999);
    let problem = browser.submit("tickets", &asked, 422).await;
    assert_eq!(problem["field"], "source", "{problem}");

    asked["source"] = json!(source);
    asked["operations"]["subtypes"] = json!({ "disk": subtype });
    asked["operations"]["items"] = json!({ "disk": item });
    browser.submit("tickets", &asked, 200).await;
    let saved = env.settings().await;
    let disk = Kind::parse("disk").unwrap();
    assert_eq!(saved.operations.subtypes, [(disk.clone(), subtype)].into());
    assert_eq!(saved.operations.items, [(disk, item)].into());
    assert_eq!(saved.source, Some(source));
    // A form without them keeps them. An empty choice clears the source.
    browser
        .submit("tickets", &as_seeded(version + 1), 200)
        .await;
    let mut kept = saved.clone();
    kept.epoch = Some(1);
    assert_eq!(env.settings().await, kept);
    let mut cleared = as_seeded(version + 2);
    cleared["source"] = json!("");
    browser.submit("tickets", &cleared, 200).await;
    assert_eq!(env.settings().await.source, None);
}
