//! Direct writes to the tables, which no function makes: losses, restores and corrupted items.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_types::SdkConfig;
use domain::ticketing::ticket_index::{TicketIndex, TicketIndexState};
use store::Alerts;

use super::fixtures::{PARTNER, TENANT, key, partner};

pub(crate) struct Database {
    client: Client,
    alerts: Alerts,
}

impl Database {
    pub(super) fn new(aws: &SdkConfig, alerts: Alerts) -> Self {
        let client = Client::new(aws);
        Self { client, alerts }
    }

    /// Sets what the alerts table knows of ConnectWise's tickets. `None`: it was never asked.
    pub(crate) async fn set_ticket_index(&self, state: Option<TicketIndexState>) {
        self.delete(&format!("ticket_index#{PARTNER}")).await;
        if let Some(state) = state {
            let index = TicketIndex::new(1, state == TicketIndexState::Complete);
            let begun = self.alerts.ticket_index.begin(&partner(), &index).await;
            assert!(begun.unwrap());
        }
    }

    /// Loses the record of an alert of `TENANT`.
    pub(crate) async fn delete_record(&self, alert: &str) {
        self.delete(&key(TENANT, alert).item_key()).await;
    }

    /// Loses the whole alerts table.
    pub(crate) async fn delete_all_alerts(&self) {
        let items = self.client.scan().table_name("alerts").send().await;
        for item in items.unwrap().items.unwrap_or_default() {
            self.delete(item["pk"].as_s().unwrap()).await;
        }
    }

    async fn delete(&self, pk: &str) {
        let delete = self.client.delete_item().table_name("alerts");
        let delete = delete.key("pk", AttributeValue::S(pk.to_owned()));
        delete.send().await.unwrap();
    }

    /// Writes the breaker with another version of the connection's keys.
    pub(crate) async fn set_key_version(&self, version: &str) {
        self.put("breaker", "key_version", version).await;
    }

    /// Makes the breaker's item unreadable.
    pub(crate) async fn corrupt_breaker(&self) {
        self.put("breaker", "generation", "nonsense").await;
    }

    /// Makes the item with the partner's incidents unreadable.
    pub(crate) async fn corrupt_health(&self) {
        self.put("health", "failing", "nonsense").await;
    }

    async fn put(&self, sk: &str, attribute: &str, value: &str) {
        let put = self.client.put_item().table_name("config");
        let put = put
            .item("pk", AttributeValue::S(format!("P#{PARTNER}")))
            .item("sk", AttributeValue::S(sk.to_owned()))
            .item(attribute, AttributeValue::S(value.into()));
        put.send().await.unwrap();
    }
}
