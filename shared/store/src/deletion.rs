//! Deletion of what the tables have about a partner, a source, a tenant or an alert.
//!
//! Only the operator's program deletes, with the operator's own rights: the roles of the functions
//! cannot. Each item is deleted by itself, so a deletion that was interrupted is repeated.

mod classify;
mod scope;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::scan::ScanError;
use aws_smithy_async::future::pagination_stream::PaginationStream;
use aws_types::SdkConfig;
use classify::{AlertItem, DeliveryItem, KnownScopes};
use domain::outgoing::cloud_event::ping_queue;
use domain::{PartnerId, RecordId, SourceId};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

pub use scope::DeletionScope;

use crate::Error;
use crate::access::{OPERATOR, partner_sk, source_sk};
use crate::deliveries::{queue_pk, receiver_pk};
use crate::table::{Item, Table, alert_key, key, partner_pk, query_all, string, tenants_pk};

/// Items that are deleted concurrently.
const MAX_CALLS: usize = 16;

/// What the tables have, by the keys of the items.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredData {
    /// Records of alerts.
    pub records: Vec<String>,
    /// Parts of snapshots.
    pub snapshots: Vec<String>,
    /// Outgoing events and their queues, by their partition and sort keys.
    pub deliveries: Vec<(String, String)>,
    /// The partner's items in the config table, by their partition and sort keys.
    pub config: Vec<(String, String)>,
    /// The partner's items in the access table, by their partition and sort keys.
    pub access: Vec<(String, String)>,
    /// Links and sessions, by their partition and sort keys.
    pub sessions: Vec<(String, String)>,
    /// Whether there is a state of the partner's ticket index.
    pub has_ticket_index: bool,
    /// The tickets of the records that are open, as far as is known.
    pub open_tickets: BTreeSet<RecordId>,
}

impl StoredData {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// The number of items.
    #[must_use]
    pub fn count(&self) -> usize {
        self.records.len()
            + self.snapshots.len()
            + self.deliveries.len()
            + self.config.len()
            + self.access.len()
            + self.sessions.len()
            + usize::from(self.has_ticket_index)
    }
}

/// The names of all tables.
#[derive(Debug, Clone)]
pub struct TableNames {
    pub alerts: String,
    pub config: String,
    pub access: String,
    pub deliveries: String,
}

/// Finds and deletes items of all tables.
#[derive(Debug, Clone)]
pub struct DeletionStore {
    alerts: Table,
    config: Table,
    access: Table,
    deliveries: Table,
}

impl DeletionStore {
    #[must_use]
    pub fn new(aws: &SdkConfig, names: TableNames) -> Self {
        Self {
            alerts: Table::new(aws, names.alerts),
            config: Table::new(aws, names.config),
            access: Table::new(aws, names.access),
            deliveries: Table::new(aws, names.deliveries),
        }
    }

    /// Finds the items. It reads the whole tables of alerts and deliveries, and calls `on_progress`
    /// with the number of items that were read.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn find(
        &self,
        partner: &PartnerId,
        scope: &DeletionScope,
        mut on_progress: impl FnMut(usize),
    ) -> Result<StoredData, Error> {
        let mut config = self.config.partition(partner_pk(partner)).await?;
        config.extend(self.config.partition(tenants_pk(partner)).await?);
        let access = self.access.partition(partner_pk(partner)).await?;
        let mut scopes = KnownScopes::new(partner);
        scopes.add_scope(scope);
        scopes.add_items(&config, &access);
        let names = classify::tenant_names(scope, &config);
        let mut found = StoredData {
            config: classify::config_rows(scope, &names, &config),
            access: classify::access_rows(scope, &access),
            ..StoredData::default()
        };
        // An imported record has no key. It is recognised by its scope, once all are known.
        let mut without_key = vec![];
        let mut items = self.alerts.scan().into_paginator().items().send();
        let mut read = 0;
        while let Some(item) = items.next().await {
            let item = item.map_err(|err| Error::call("Scan", &err))?;
            read += 1;
            on_progress(read);
            match AlertItem::of(&item, partner) {
                Some(AlertItem::TicketIndex) => {
                    found.has_ticket_index = *scope == DeletionScope::Partner;
                }
                Some(AlertItem::Record { pk, key }) => {
                    scopes.add(&key.tenant, &key.source);
                    if classify::covers(scope, &key) {
                        found.open_tickets.extend(classify::open_ticket(&item));
                        found.records.push(pk);
                    }
                }
                Some(AlertItem::Snapshot { pk, tenant, source }) => {
                    scopes.add(&tenant, &source);
                    if classify::covers_snapshot(scope, &tenant, &source) {
                        found.snapshots.push(pk);
                    }
                }
                Some(AlertItem::Imported { pk }) => {
                    without_key.push((pk, classify::open_ticket(&item)));
                }
                None => {}
            }
        }
        // A queue of events has no key either.
        let mut queues = vec![];
        let mut rows = self.delivery_rows();
        while let Some(row) = rows.next().await {
            let row = row.map_err(|err| Error::call("Scan", &err))?;
            read += 1;
            on_progress(read);
            match DeliveryItem::of(&row, partner) {
                Some(DeliveryItem::Event { row, key }) => {
                    scopes.add(&key.tenant, &key.source);
                    if classify::covers(scope, &key) {
                        found.deliveries.push(row);
                    }
                }
                Some(DeliveryItem::Queue { row, alert }) => queues.push((row, alert)),
                None => {}
            }
        }
        let queues = queues.into_iter();
        let queues = queues.filter(|(_, alert)| scopes.covers(scope, alert));
        // After the events: a worker that finds no event leaves its queue as it is.
        found.deliveries.extend(queues.map(|(row, _)| row));
        for (pk, ticket) in without_key {
            if scopes.covers(scope, &pk) {
                found.open_tickets.extend(ticket);
                found.records.push(pk);
            }
        }
        if *scope == DeletionScope::Partner {
            found.sessions = self.sessions(partner).await?;
        }
        Ok(found)
    }

    /// Finds what the deliveries table has about a source itself: its receiver and test deliveries.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn find_source_rows(
        &self,
        source: &SourceId,
    ) -> Result<Vec<(String, String)>, Error> {
        let mut rows = vec![];
        for pk in [queue_pk(&ping_queue(source)), receiver_pk(source)] {
            let query = self
                .deliveries
                .query()
                .consistent_read(true)
                .key_condition_expression("pk = :pk")
                .projection_expression("pk, sk")
                .expression_attribute_values(":pk", string(pk));
            let items = query_all(query).await?;
            rows.extend(items.iter().filter_map(classify::row_of));
        }
        Ok(rows)
    }

    /// Deletes the items, and calls `on_progress` after each of them. Records are first: `tickets`
    /// queues outgoing events only of an alert that has one. The partner's own items are last: they
    /// tell a repetition which records and queues belong to the partner.
    ///
    /// # Errors
    /// When DynamoDB fails. Some items are then deleted: find the others again.
    pub async fn delete(
        &self,
        partner: &PartnerId,
        found: &StoredData,
        mut on_progress: impl FnMut(),
    ) -> Result<(), Error> {
        let index = found.has_ticket_index;
        let index = index.then(|| crate::alerts::ticket_index_pk(partner));
        let alerts = found.records.iter().chain(&found.snapshots);
        let alerts = alerts.chain(&index).map(|pk| (&self.alerts, alert_key(pk)));
        let deliveries = found.deliveries.iter();
        let deliveries = deliveries.map(|(pk, sk)| (&self.deliveries, key(pk, sk)));
        let config = found.config.iter();
        let config = config.map(|(pk, sk)| (&self.config, key(pk, sk)));
        let access = found.access.iter().chain(&found.sessions);
        let access = access.map(|(pk, sk)| (&self.access, key(pk, sk)));
        let own = config.chain(access);
        for items in [alerts.collect(), deliveries.collect(), own.collect()] {
            delete_items(items, &mut on_progress).await?;
        }
        Ok(())
    }

    /// Deletes rows of the deliveries table.
    ///
    /// # Errors
    /// When DynamoDB fails. Some rows are then deleted: find the others again.
    pub async fn delete_source_rows(&self, rows: &[(String, String)]) -> Result<(), Error> {
        let rows = rows.iter();
        let rows = rows.map(|(pk, sk)| (&self.deliveries, key(pk, sk)));
        delete_items(rows.collect(), || {}).await
    }

    /// Deletes the partner from the operator's list, once nothing else of it is left: the list names
    /// those whose deletion was interrupted.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn unlist_partner(&self, partner: &PartnerId) -> Result<(), Error> {
        delete_item(&self.access, key(OPERATOR, &partner_sk(partner))).await
    }

    /// Deletes the source from the operator's list, as for a partner.
    ///
    /// # Errors
    /// When DynamoDB fails.
    pub async fn unlist_source(&self, source: &SourceId) -> Result<(), Error> {
        delete_item(&self.access, key(OPERATOR, &source_sk(source))).await
    }

    /// The rows of the deliveries table, without the events themselves.
    fn delivery_rows(&self) -> PaginationStream<Result<Item, SdkError<ScanError>>> {
        let scan = self.deliveries.scan();
        let scan = scan
            .projection_expression("pk, sk, #key")
            .expression_attribute_names("#key", "key");
        scan.into_paginator().items().send()
    }

    /// Links and sessions of the partner. They are found by reading the whole access table.
    async fn sessions(&self, partner: &PartnerId) -> Result<Vec<(String, String)>, Error> {
        let scan = self
            .access
            .scan()
            .filter_expression("begins_with(pk, :prefix) AND partner = :partner")
            .expression_attribute_values(":prefix", string("S#"))
            .expression_attribute_values(":partner", string(partner.as_str()));
        let items = scan.into_paginator().items().send();
        let items: Result<Vec<Item>, _> = items.collect().await;
        let items = items.map_err(|err| Error::call("Scan", &err))?;
        Ok(items.iter().filter_map(classify::row_of).collect())
    }
}

async fn delete_items(
    items: Vec<(&Table, Item)>,
    mut on_progress: impl FnMut(),
) -> Result<(), Error> {
    let calls = items
        .into_iter()
        .map(|(table, key)| delete_item(table, key));
    let mut calls = stream::iter(calls).buffer_unordered(MAX_CALLS);
    while calls.try_next().await?.is_some() {
        on_progress();
    }
    Ok(())
}

async fn delete_item(table: &Table, key: Item) -> Result<(), Error> {
    let call = table.delete_item(key).send().await;
    call.map(drop)
        .map_err(|err| Error::call("DeleteItem", &err))
}
