use aws_sdk_dynamodb::types::AttributeValue;
use domain::{AlertId, PartnerId, SourceId, TenantId};

use super::*;

fn record() -> Record {
    Record::new(AlertKey {
        partner: PartnerId::parse("acme").unwrap(),
        tenant: TenantId::parse("contoso").unwrap(),
        source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
        alert_id: AlertId::parse("a").unwrap(),
    })
}

#[test]
fn every_member_of_a_record_is_written() {
    let now: Timestamp = "2026-11-22T07:30:00Z".parse().unwrap();
    let mut record = record().with_blocked(
        domain::Blocked::MissingRight("service_tickets.add".into()),
        None,
        now,
    );
    let id = domain::ClaimId::parse("c").unwrap();
    record.claim = Some(domain::alert::record::Claim {
        id,
        op: domain::alert::record::Op::Create,
        reason: "raised".into(),
        ticket_ref: record.occurrence_ref(),
        ticket_id: None,
        board_id: Some(2),
        company_id: 19,
        epoch: 1,
        severity: domain::alert::event::Severity::High,
        kind: None,
        began_at: now,
        raise_received_at: None,
        repeats: 0,
        links_configuration: false,
        until: now,
        uncertain_at: None,
        visits: 0,
        visited_at: None,
        empty_visits: 0,
        suspected_refusal: None,
    });
    record.actual = Some(domain::alert::record::Actual::Closed(
        domain::alert::record::ClosedTicket {
            ticket_id: 77,
            occurrence: 1,
            epoch: 1,
            at: now,
            ended_at: now,
            by: domain::alert::record::ClosedBy::Us,
            company_id: Some(19),
            ticket_ref: None,
            action: None,
        },
    ));
    record.rechecks.push(domain::alert::record::Recheck {
        op: domain::alert::record::Op::Create,
        ticket_ref: record.occurrence_ref(),
        board_id: None,
        company_id: 19,
        epoch: 1,
        at: now,
        last: false,
    });
    record.duplicates.push(domain::alert::record::Duplicate {
        ticket_id: 78,
        ticket_ref: record.occurrence_ref(),
        company_id: 19,
        epoch: 1,
        noted: false,
        noted_on_kept: false,
    });
    let item: Item = to_item(&record).unwrap();
    for name in item.keys() {
        assert!(ATTRIBUTES.contains(&name.as_str()), "{name} would be lost");
    }
    let back: Record = from_item(item).unwrap();
    assert_eq!(back, record);
}

#[test]
fn a_repeated_write_is_recognised_by_all_that_it_wrote() {
    let record = record();
    let update = update_of(&record.key.item_key(), &record, RETENTION, true).unwrap();
    let mut item = to_item(&record).unwrap();
    item.insert("schema".into(), number(SCHEMA));
    item.insert("of_a_newer_version".into(), AttributeValue::Bool(true));
    assert!(update.is_stored_in(&item));
    assert!(!update.is_stored_in(&Item::new()));
    let mut other = item.clone();
    other.insert("rev".into(), number(7));
    assert!(!update.is_stored_in(&other));
    item.insert("claim".into(), AttributeValue::M(Item::new()));
    assert!(!update.is_stored_in(&item), "another worker's claim");
}

#[test]
fn an_attribute_that_a_record_lacks_is_removed() {
    let record = record();
    let update = update_of(&record.key.item_key(), &record, RETENTION, true).unwrap();
    let expression = update.expression();
    assert!(
        expression.ends_with(
            "REMOVE #actual, #claim, #blocked, #rechecks, #duplicates, #payload, #folded, \
             #summary, #trail, #raises, #figures, #outgoing, #state_of, #tenant_since, #look_of, \
             #look_at, #list_of, #listed_at"
        ),
        "{expression}"
    );
    let set = expression
        .split(" REMOVE ")
        .next()
        .unwrap()
        .matches(" = ")
        .count();
    assert_eq!(set + 18, ATTRIBUTES.len() + INDEX_ATTRIBUTES.len());
}
