//! Creates many open tickets and their records quickly: the tickets with one call of the
//! simulator for thousands, the records in batches, in the form that `store` writes.

use std::collections::HashMap;

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use domain::alert::event::{EventDigest, EventOrder, Receipt, Severity};
use domain::alert::kind::Category;
use domain::alert::record::{Actual, AlertDetails, Desired, OpenTicket, Record};
use domain::ticketing::ticket_index::TicketIndex;
use domain::{AlertId, AlertKey, Kind, PartnerId, RecordId, SourceId, TenantId};
use futures_util::{TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use local_stack::empty_stack::EmptyStack;
use local_stack::emulator::sdk_config;
use local_stack::simulator::SimulatorProcess;
use serde_dynamo::aws_sdk_dynamodb_1::to_item;
use serde_json::{Value, json};
use store::Alerts;

type Item = HashMap<String, AttributeValue>;

/// The tenants of the alerts.
const TENANTS: usize = 100;
/// The most tickets in one call to the simulator, and records in one call to DynamoDB.
const TICKETS: usize = 10_000;
const RECORDS: usize = 25;
/// Concurrent batches.
const BATCHES: usize = 4;
const SOURCE: &str = "src_0123456789abcdefghijklmnop";
/// The board, status and company of all tickets, in the simulator's seed.
const BOARD: RecordId = 22;
const STATUS: RecordId = 221;
const COMPANY: RecordId = 301;

/// Creates active alerts of one partner, each with an open ticket.
///
/// # Errors
/// When the simulator or DynamoDB refuses, or the records differ from those of `store`.
pub(crate) async fn create(
    stack: &EmptyStack,
    partner: &PartnerId,
    site: &SimulatorProcess,
    count: usize,
) -> Result<()> {
    let aws = sdk_config(stack.emulator.endpoint())?;
    let table = &stack.deployed.alerts_table;
    let alerts = Alerts::new(&aws, table.clone());
    let client = aws_sdk_dynamodb::Client::new(&aws);
    alerts
        .ticket_index
        .begin(partner, &TicketIndex::new(1, true))
        .await?;
    let now = Timestamp::now() - SignedDuration::from_hours(1);
    let keys = (0..count).map(|n| key(partner, n));
    let keys = keys.collect::<Result<Vec<AlertKey>>>()?;
    for chunk in keys.chunks(TICKETS) {
        let first = tickets(site, chunk).await?;
        let records = (first..).zip(chunk);
        let records = records.map(|(ticket, key)| record(key, ticket, now));
        let records = records.collect::<Result<Vec<Record>>>()?;
        if let Some(record) = records.first() {
            compare_with_store(&client, table, &alerts, record).await?;
        }
        stream::iter(records.chunks(RECORDS).map(Ok))
            .try_for_each_concurrent(BATCHES, |batch| write(&client, table, batch))
            .await?;
    }
    Ok(())
}

fn key(partner: &PartnerId, n: usize) -> Result<AlertKey> {
    Ok(AlertKey {
        partner: partner.clone(),
        tenant: TenantId::parse(format!("customer-{:03}", n % TENANTS))?,
        source: SourceId::parse(SOURCE)?,
        alert_id: AlertId::parse(format!("workstation-{n:06}/disk/c"))?,
    })
}

/// Creates the tickets of these alerts, and returns the id of the first. The others follow it.
async fn tickets(site: &SimulatorProcess, keys: &[AlertKey]) -> Result<RecordId> {
    let references = keys
        .iter()
        .map(|key| Record::new(key.clone()).occurrence_ref());
    let tickets = json!({
        "ticket": {
            "summary": "Disk C: is full",
            "board": { "id": BOARD },
            "status": { "id": STATUS },
            "company": { "id": COMPANY },
        },
        "references": references.map(|ticket_ref| ticket_ref.to_string()).collect::<Vec<_>>(),
    });
    let made: Value = site.create_tickets(&tickets).await?;
    ensure!(made["made"] == keys.len(), "the simulator made {made}");
    made["first"].as_u64().context("the answer has no first id")
}

fn record(key: &AlertKey, ticket_id: RecordId, at: Timestamp) -> Result<Record> {
    let mut record = Record::new(key.clone());
    record.rev = 1;
    record.desired = Desired {
        last: Some(EventOrder {
            occurred_at: at,
            receipt: Receipt {
                at,
                index: 0,
                bounds_time: false,
            },
            rank: 2,
            digest: EventDigest::new(&[&key.item_key()]),
        }),
        last_received_at: Some(at),
        active: true,
        details: Some(AlertDetails {
            kind: Kind::parse("disk")?,
            category: Category::Operations,
            severity: Severity::Medium,
            raised_at: at,
            raise_received_at: at,
            previous_event_at: None,
            repeats: 0,
            expires_at: None,
        }),
        resolution: None,
    };
    record.actual = Some(Actual::Open(OpenTicket {
        ticket_id,
        board_id: Some(BOARD),
        company_id: COMPANY,
        epoch: 1,
        opened_at: at,
        severity: Severity::Medium,
        kind: None,
        last_note_at: None,
        noted_repeats: 0,
        noted_resolved: false,
        owes_reopened_note: false,
        title_note_at: None,
        ticket_ref: None,
        made: None,
        manual_change: None,
        action: None,
        link_at: None,
    }));
    Ok(record)
}

fn item(record: &Record) -> Result<Item> {
    let item_key = record.key.item_key();
    let (state_of, tenant_since) = record
        .index(&item_key)
        .context("the record is in no index")?;
    let mut item: Item = to_item(record)?;
    item.retain(|_, value| !matches!(value, AttributeValue::L(list) if list.is_empty()));
    for (name, value) in [
        ("pk", item_key),
        ("state_of", state_of),
        ("tenant_since", tenant_since),
    ] {
        item.insert(name.to_owned(), AttributeValue::S(value));
    }
    item.insert("schema".to_owned(), AttributeValue::N("1".to_owned()));
    Ok(item)
}

/// Writes one record with `store` and compares, so that the test reads what `store` would write.
async fn compare_with_store(
    client: &aws_sdk_dynamodb::Client,
    table: &str,
    alerts: &Alerts,
    record: &Record,
) -> Result<()> {
    let new = Record {
        rev: 0,
        ..record.clone()
    };
    alerts.write(&new).await?;
    let get = client.get_item().table_name(table).consistent_read(true);
    let get = get.key("pk", AttributeValue::S(record.key.item_key()));
    let stored = get
        .send()
        .await?
        .item
        .context("the record was not written")?;
    let own = item(record)?;
    ensure!(
        stored == own,
        "store writes {stored:?}, this module {own:?}"
    );
    Ok(())
}

async fn write(client: &aws_sdk_dynamodb::Client, table: &str, records: &[Record]) -> Result<()> {
    let mut batch = vec![];
    for record in records {
        let put = PutRequest::builder()
            .set_item(Some(item(record)?))
            .build()?;
        batch.push(WriteRequest::builder().put_request(put).build());
    }
    let call = client.batch_write_item().request_items(table, batch);
    let unprocessed = call.send().await?.unprocessed_items;
    ensure!(
        unprocessed.is_none_or(|items| items.is_empty()),
        "DynamoDB left records unprocessed"
    );
    Ok(())
}
