//! A partner's ConnectWise moves to another address. The partner's choices are kept only if it is the
//! same site.

use domain::setup::mapping::Mapping;
use serde_json::{Value, json};
use store::Connection;

use crate::environment::{
    Browser, COMPANY, TENANT, TestEnvironment, partner, raised_event, resolved_event,
};
use crate::reconcile::drift::raise_alerts;

const OLD_ADDRESS: &str = "https://psa.old.example";
const NAME: &str = "Acme Dental Group";

struct MovedConnection {
    env: TestEnvironment,
    browser: Browser,
}

/// A partner with a mapped company of this name and with raised alerts, whose stored address no longer
/// works.
async fn moved(company_name: Option<&str>, alerts: &[&str]) -> MovedConnection {
    let mut env = TestEnvironment::new().await;
    let mapping = Mapping {
        company: Some(COMPANY),
        company_name: company_name.map(String::from),
        enabled: true,
        epoch: Some(1),
        ..Mapping::default()
    };
    env.put_mapping(TENANT, &mapping).await;
    let alerts: Vec<_> = alerts.iter().map(|id| (*id).to_owned()).collect();
    if !alerts.is_empty() {
        raise_alerts(&mut env, &alerts).await;
    }
    let connection = Connection {
        origin: OLD_ADDRESS.into(),
        ..env.connection().await
    };
    env.put_connection(&connection).await;
    let browser = env.setup.signed_in().await;
    MovedConnection { env, browser }
}

impl MovedConnection {
    async fn connection(&self) -> Connection {
        self.env.connection().await
    }

    /// Enters an address without the consent to drop the partner's choices.
    async fn save(&mut self, site: &str) -> (u16, Value) {
        let stored = self.env.access.connections.get(&partner()).await;
        let entered = json!({
            "site": site, "company_id": "tbdemo", "public_key": "tbPublicKey01", "private_key": "tbPrivateKey01",
            "version": stored.unwrap().version,
        });
        let answer = self.browser.post("connection", &entered).await;
        let body = answer.json();
        (answer.status, body)
    }

    /// Asserts that the simulator's address is not saved without the consent.
    async fn must_ask(&mut self, why: &str) {
        let site = self.env.connectwise.origin();
        let before = self.connection().await;
        let (status, body) = self.save(&site).await;
        assert_eq!(
            (status, &body["field"]),
            (422, &json!("drop_choices")),
            "{why}: {body}"
        );
        assert_eq!(self.connection().await, before, "{why}: nothing is saved");
    }
}

#[tokio::test]
async fn the_same_connectwise_keeps_boards_mappings_and_tickets() {
    let mut moved = moved(Some(NAME), &["a1", "a2"]).await;
    let site = moved.env.connectwise.origin();
    let (status, body) = moved.save(&site).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["next"], "check?done=address_changed");
    let connection = moved.connection().await;
    assert_eq!(
        (
            connection.origin.as_str(),
            connection.epoch,
            connection.confirmed
        ),
        (site.as_str(), 1, true)
    );
    let env = &mut moved.env;
    let events = [
        resolved_event("e-resolved", "a1", 5),
        raised_event("e-new", "a3", 5),
    ];
    env.process(&events, 1).await;
    let (a1, a3) = (
        env.record("a1").await.unwrap(),
        env.record("a3").await.unwrap(),
    );
    assert!(a1.open().is_none(), "{a1:?}");
    assert_eq!(a3.open().unwrap().company_id, COMPANY);
    assert_eq!(env.connectwise.tickets().await.len(), 3);
    let entries = env.audit_page().await.entries;
    let entry = entries.iter().find(|entry| entry.what == "address_changed");
    let entry = entry.expect("the history tells");
    assert_eq!(entry.detail["before"], format!("tbdemo at {OLD_ADDRESS}"));
}

#[tokio::test]
async fn a_server_without_the_newest_ticket_needs_confirmation() {
    let mut moved = moved(Some(NAME), &["a1"]).await;
    // A copy from before the alert: the same companies, but not its ticket.
    moved.env.connectwise.reset().await;
    moved.must_ask("no ticket of this number").await;
}

#[tokio::test]
async fn a_ticket_without_our_reference_needs_confirmation() {
    let mut moved = moved(Some(NAME), &["a1"]).await;
    let ticket = moved.env.find_ticket("a1", 1).await.unwrap();
    let path = format!("/service/tickets/{}", ticket["id"]);
    moved.env.patch(&path, "externalXRef", "INC-1").await;
    moved.must_ask("another reference").await;
}

#[tokio::test]
async fn other_company_names_need_confirmation() {
    let mut renamed = moved(Some("Fabrikam Inc"), &["a1"]).await;
    renamed.must_ask("another name for the number").await;

    let mut without_tickets = moved(Some(NAME), &[]).await;
    without_tickets.must_ask("no ticket to compare").await;

    let mut without_names = moved(None, &["a1"]).await;
    without_names.must_ask("no name to compare").await;
}

#[tokio::test]
async fn another_company_id_needs_confirmation() {
    let mut moved = moved(Some(NAME), &["a1"]).await;
    let connection = Connection {
        company_id: "sandbox".into(),
        ..moved.connection().await
    };
    moved.env.put_connection(&connection).await;
    moved.must_ask("another company id").await;
}

#[tokio::test]
async fn a_failed_comparison_saves_nothing() {
    let mut moved = moved(Some(NAME), &["a1"]).await;
    let before = moved.connection().await;
    let faults = json!({ "rules": [{
        "when": { "method": "GET", "path": "/service/tickets" }, "then": { "answer": { "status": 502, "body": "page" } },
    }] });
    moved.env.connectwise.set_faults(faults).await;
    let site = moved.env.connectwise.origin();
    let (status, body) = moved.save(&site).await;
    assert_eq!(status, 503, "{body}");
    let detail = body["detail"].as_str().unwrap();
    assert!(detail.contains("save again in a moment"), "{detail}");
    assert_eq!(moved.connection().await, before);
}
