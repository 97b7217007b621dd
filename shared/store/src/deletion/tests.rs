use domain::wire::message::QuarantineEntry;
use domain::{AlertKey, TenantId};
use jiff::Timestamp;
use serde_dynamo::aws_sdk_dynamodb_1::{to_attribute_value, to_item};
use serde_json::json;

use super::classify::{self, AlertItem, DeliveryItem, KnownScopes};
use super::*;

const SOURCE: &str = "src_0123456789abcdefghijklmnop";
const OTHER: &str = "src_zzzzzzzzzzzzzzzzzzzzzzzzzz";

fn partner() -> PartnerId {
    PartnerId::parse("northwind").unwrap()
}

fn tenant(id: &str) -> TenantId {
    TenantId::parse(id).unwrap()
}

fn source(id: &str) -> SourceId {
    SourceId::parse(id).unwrap()
}

fn alert(of: &str, tenant: &str, source: &str, id: &str) -> AlertKey {
    AlertKey {
        partner: PartnerId::parse(of).unwrap(),
        tenant: TenantId::parse(tenant).unwrap(),
        source: SourceId::parse(source).unwrap(),
        alert_id: domain::AlertId::parse(id).unwrap(),
    }
}

fn item(members: &[(&str, &str)]) -> Item {
    let members = members.iter();
    members
        .map(|(name, value)| ((*name).to_owned(), string(*value)))
        .collect()
}

/// An item of a partner with this sort key.
fn partner_item(sk: &str, members: &[(&str, &str)]) -> Item {
    let mut item = item(members);
    item.insert("pk".to_owned(), string("P#northwind"));
    item.insert("sk".to_owned(), string(sk));
    item
}

fn sort_keys(rows: Vec<(String, String)>) -> Vec<String> {
    rows.into_iter().map(|(_, sk)| sk).collect()
}

fn quarantined(of: &str, body: &str) -> Item {
    use base64::Engine as _;
    let entry = QuarantineEntry {
        partner: partner(),
        source: source(of),
        received_at: Timestamp::UNIX_EPOCH,
        sent_at: Timestamp::UNIX_EPOCH,
        indexes: vec![],
        field: "tenant".into(),
        problem: "nothing there".into(),
        body: base64::engine::general_purpose::STANDARD.encode(body),
    };
    let mut item: Item = to_item(&entry).unwrap();
    item.insert("pk".to_owned(), string("P#northwind"));
    item.insert("sk".to_owned(), string(format!("quarantine#{body}")));
    item
}

fn scopes() -> [DeletionScope; 4] {
    [
        DeletionScope::Partner,
        DeletionScope::Source(source(SOURCE)),
        DeletionScope::Tenant(tenant("contoso")),
        DeletionScope::Alert(alert("northwind", "contoso", SOURCE, "a1")),
    ]
}

#[test]
fn a_scope_covers_its_own_items_of_the_config_table_only() {
    let items = [
        partner_item("settings", &[]),
        partner_item("T#contoso", &[("name", "Contoso \"Dental\"")]),
        partner_item("T#contoso-2", &[("name", "Contoso Two")]),
        partner_item("held#contoso", &[]),
        partner_item("test", &[("tenant", "contoso")]),
        partner_item("lookup#0a", &[("tenant", "contoso")]),
        partner_item("lookup#0b", &[("tenant", "fabrikam")]),
        partner_item(&format!("unmapped#{SOURCE}"), &[]),
        partner_item(&format!("source_activity#{SOURCE}"), &[]),
        partner_item(&format!("source_activity#{OTHER}"), &[]),
        partner_item(&format!("rejected#{SOURCE}#2026-11-22"), &[]),
        partner_item(&format!("sample#{SOURCE}#1"), &[("text", "{}")]),
        partner_item(
            &format!("sample#{OTHER}#1"),
            &[("text", r#"{"c":"CONTOSO \"Dental\""}"#)],
        ),
        partner_item(
            "tenant_changes#1",
            &[("changes", r#"[{"tenant":"contoso"}]"#)],
        ),
        partner_item(
            "tenant_changes#2",
            &[("changes", r#"[{"tenant":"fabrikam"}]"#)],
        ),
        quarantined(SOURCE, r#"{"client":"fabrikam"}"#),
        quarantined(OTHER, r#"{"client":"Contoso \"Dental\""}"#),
    ];
    let all: Vec<_> = items
        .iter()
        .map(|item| item["sk"].as_s().unwrap().clone())
        .collect();
    let found = scopes().map(|scope| {
        let names = classify::tenant_names(&scope, &items);
        sort_keys(classify::config_rows(&scope, &names, &items))
    });
    assert_eq!(found[0], all);
    assert_eq!(
        found[1],
        [
            format!("unmapped#{SOURCE}"),
            format!("source_activity#{SOURCE}"),
            format!("rejected#{SOURCE}#2026-11-22"),
            format!("sample#{SOURCE}#1"),
            r#"quarantine#{"client":"fabrikam"}"#.to_owned(),
        ]
    );
    assert_eq!(
        found[2],
        [
            "T#contoso".to_owned(),
            "held#contoso".to_owned(),
            "test".to_owned(),
            "lookup#0a".to_owned(),
            format!("sample#{OTHER}#1"),
            "tenant_changes#1".to_owned(),
            r#"quarantine#{"client":"Contoso \"Dental\""}"#.to_owned(),
        ]
    );
    assert!(found[3].is_empty());
}

#[test]
fn a_scope_covers_its_own_items_of_the_access_table_only() {
    let items = [
        partner_item("connection", &[]),
        partner_item(&format!("source#{SOURCE}"), &[]),
        partner_item(&format!("source#{OTHER}"), &[]),
        partner_item("audit#2026-11-22T07:30:00.000Z#1", &[]),
    ];
    let found = scopes().map(|scope| sort_keys(classify::access_rows(&scope, &items)));
    assert_eq!(found[0].len(), 4);
    assert_eq!(found[1], [format!("source#{SOURCE}")]);
    assert!(found[2].is_empty() && found[3].is_empty());
}

#[test]
fn records_with_and_without_a_key_are_covered_by_their_alert() {
    let keys = [
        alert("northwind", "contoso", SOURCE, "a1"),
        alert("northwind", "contoso", SOURCE, "a2"),
        alert("northwind", "contoso", OTHER, "a1"),
        alert("northwind", "fabrikam", SOURCE, "a1"),
    ];
    let mut known = KnownScopes::new(&partner());
    known.add_items(
        &[
            partner_item("T#contoso", &[]),
            partner_item("T#fabrikam", &[]),
        ],
        &[
            partner_item(&format!("source#{SOURCE}"), &[]),
            partner_item(&format!("source#{OTHER}"), &[]),
        ],
    );
    let expected = [
        [true, true, true, true],
        [true, true, false, true],
        [true, true, true, false],
        [true, false, false, false],
    ];
    for (scope, expected) in scopes().iter().zip(expected) {
        let with_key = keys.each_ref().map(|key| classify::covers(scope, key));
        let imported = keys
            .each_ref()
            .map(|key| known.covers(scope, &key.item_key()));
        assert_eq!((with_key, imported), (expected, expected), "{scope:?}");
        let other = alert("tailspin", "contoso", SOURCE, "a1");
        assert!(!known.covers(scope, &other.item_key()), "{scope:?}");
    }
}

#[test]
fn an_item_of_the_alerts_table_belongs_to_one_partner() {
    let record = |of: &str| {
        let key = alert(of, "contoso", SOURCE, "a1");
        let mut item = item(&[("pk", &key.item_key())]);
        item.insert("key".to_owned(), to_attribute_value(&key).unwrap());
        item
    };
    let snapshot = |of: &str| {
        item(&[
            ("pk", "snapshot-0-0-1"),
            ("partner", of),
            ("tenant", "contoso"),
            ("source", SOURCE),
        ])
    };
    let index = |of: &str| item(&[("pk", &format!("ticket_index#{of}"))]);
    let of = |item: &Item| AlertItem::of(item, &partner());
    assert!(matches!(
        of(&record("northwind")),
        Some(AlertItem::Record { .. })
    ));
    assert!(matches!(
        of(&snapshot("northwind")),
        Some(AlertItem::Snapshot { .. })
    ));
    assert!(matches!(
        of(&index("northwind")),
        Some(AlertItem::TicketIndex)
    ));
    for other in [record("tailspin"), snapshot("tailspin")] {
        assert!(of(&other).is_none(), "{other:?}");
    }
    // The first half of its key decides later.
    assert!(matches!(
        of(&index("tailspin")),
        Some(AlertItem::Imported { .. })
    ));
}

#[test]
fn a_row_of_the_deliveries_table_belongs_to_an_alert_or_to_a_source_itself() {
    let row = |pk: &str, sk: &str| item(&[("pk", pk), ("sk", sk)]);
    let event = |of: &str| {
        let key = alert(of, "contoso", SOURCE, "a1");
        let mut item = row(&format!("A#{}", key.item_key()), "event#0000000000001");
        item.insert("key".to_owned(), to_attribute_value(&key).unwrap());
        item
    };
    let of = |item: &Item| DeliveryItem::of(item, &partner());
    assert!(matches!(
        of(&event("northwind")),
        Some(DeliveryItem::Event { key, .. }) if key.partner == partner()
    ));
    assert!(of(&event("tailspin")).is_none());
    let key = alert("northwind", "contoso", SOURCE, "a1");
    let queue = row(&format!("A#{}", key.item_key()), "queue");
    assert!(matches!(
        of(&queue),
        Some(DeliveryItem::Queue { alert, .. }) if alert == key.item_key()
    ));
    assert!(of(&row(&format!("R#{SOURCE}"), "receiver")).is_none());
}

#[test]
fn a_scope_knows_its_own_tenant_and_source_after_their_items_are_deleted() {
    let mut known = KnownScopes::new(&partner());
    let key = alert("northwind", "contoso", SOURCE, "a1");
    for scope in [scopes()[1].clone(), scopes()[2].clone()] {
        assert!(!known.covers(&scope, &key.item_key()), "{scope:?}");
    }
    known.add_scope(&scopes()[1]);
    known.add_scope(&scopes()[2]);
    for scope in scopes() {
        assert!(known.covers(&scope, &key.item_key()), "{scope:?}");
    }
}

#[test]
fn an_open_ticket_is_named_and_a_closed_one_is_not() {
    let actual = |value: serde_json::Value| {
        Item::from([("actual".to_owned(), to_attribute_value(value).unwrap())])
    };
    let open = actual(json!({
        "state": "open", "ticket_id": 77, "company_id": 19, "epoch": 1,
        "opened_at": "2026-11-22T07:30:00Z", "severity": "medium"
    }));
    let closed = actual(json!({
        "state": "closed", "ticket_id": 78, "occurrence": 1, "epoch": 1,
        "at": "2026-11-22T07:30:00Z", "ended_at": "2026-11-22T07:30:00Z", "by": "us"
    }));
    assert_eq!(
        classify::open_ticket(&open).map(|id| id.to_string()),
        Some("77".to_owned())
    );
    assert_eq!(classify::open_ticket(&closed), None);
    assert_eq!(classify::open_ticket(&Item::new()), None);
}
