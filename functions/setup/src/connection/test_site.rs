//! The simulator as a site for tests, and connections without AWS.

use std::time::Duration;

use aws::invocation::Invocation;
use aws::startup::{Account, sdk_config};
use aws_credential_types::Credentials;
use connections::{Connections, ConnectionsConfig};
use connectwise::ModelVersion;
use connectwise_sim::{Seed, Simulator};
use domain::Secret;
use domain::setup::rights::RightStatus;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::connection::error::ConnectionError;
use crate::connection::prove::{EnteredKeys, ProvenConnection, find_site, prove_keys};
use crate::connection::rights::read_rights;

/// An entered connection.
#[derive(Debug, Clone)]
pub(super) struct EnteredConnection {
    pub(super) site: String,
    pub(super) company_id: String,
    pub(super) public_key: String,
    pub(super) private_key: Secret,
    pub(super) client_id: Option<Secret>,
}

pub(super) async fn prove(
    connections: &Connections,
    candidate: EnteredConnection,
    invocation: &Invocation,
) -> Result<ProvenConnection, ConnectionError> {
    let EnteredConnection {
        site, company_id, ..
    } = &candidate;
    let found = find_site(connections, site, company_id, invocation).await?;
    let entered = EnteredKeys {
        public_key: candidate.public_key,
        private_key: candidate.private_key,
        client_id: candidate.client_id,
    };
    prove_keys(connections, found, entered, invocation).await
}

/// No server listens there.
pub(super) const DEAD: &str = "http://127.0.0.1:1";

pub(super) struct TestSite {
    pub(super) sim: Simulator,
    pub(super) connections: Connections,
    pub(super) control: reqwest::Client,
}

impl TestSite {
    pub(super) async fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let sim = Simulator::start(Seed::demo(), ([127, 0, 0, 1], 0).into()).await;
        let sim = sim.unwrap();
        let control = reqwest::Client::builder().no_proxy();
        let control = control.timeout(Duration::from_secs(10)).build().unwrap();
        Self {
            connections: connections(&[&sim.base_url(), DEAD]),
            sim,
            control,
        }
    }

    pub(super) async fn faults(&self, faults: Value) {
        let url = format!("{}/_sim/faults", self.sim.base_url());
        let answer = self.control.put(url).json(&faults).send().await.unwrap();
        assert!(answer.status().is_success(), "{faults}");
    }

    pub(super) async fn clear_faults(&self) {
        let url = format!("{}/_sim/reset", self.sim.base_url());
        let answer = self.control.post(url).send().await.unwrap();
        assert!(answer.status().is_success());
    }

    pub(super) fn candidate(&self) -> EnteredConnection {
        let keys = Seed::demo().integration().unwrap();
        EnteredConnection {
            site: self.sim.base_url(),
            company_id: keys.company_id,
            public_key: keys.public_key,
            private_key: Secret::new(keys.private_key),
            client_id: Some(Secret::new(keys.client_id)),
        }
    }

    pub(super) async fn prove(
        &self,
        candidate: EnteredConnection,
    ) -> Result<ProvenConnection, ConnectionError> {
        prove(&self.connections, candidate, &seconds(20)).await
    }

    pub(super) async fn code(&self, candidate: EnteredConnection) -> &'static str {
        match self.prove(candidate).await {
            Ok(_) => "proven",
            Err(err) => err.code(),
        }
    }

    pub(super) async fn rights(&self) -> Vec<(&'static str, RightStatus)> {
        let proven = self.prove(self.candidate()).await.unwrap();
        let client = self
            .connections
            .clients
            .build_with(proven.keys)
            .await
            .unwrap();
        let held = read_rights(&client, &seconds(20)).await;
        held.iter().map(|(of, is)| (of.right, *is)).collect()
    }
}

/// Nothing here may call AWS: the endpoint does not exist.
pub(super) fn connections(listed: &[&str]) -> Connections {
    let account = Account {
        region: "us-east-1".into(),
        endpoint_url: Some("http://127.0.0.1:9".into()),
        credentials: Credentials::new("test", "test", None, None, "test"),
    };
    let config = ConnectionsConfig {
        config_table: "config".into(),
        access_table: "access".into(),
        connection_secret_prefix: "connection/".into(),
        client_id_secret: "client-id".into(),
        allowed_origins: listed.iter().map(|origin| (*origin).to_owned()).collect(),
        model_version: ModelVersion::default(),
    };
    Connections::build(&config, &sdk_config(&account).unwrap()).unwrap()
}

pub(super) fn seconds(seconds: i64) -> Invocation {
    let now = Timestamp::now();
    Invocation::at("test", now, now + SignedDuration::from_secs(seconds))
}
