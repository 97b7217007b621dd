//! Our ConnectWise: the simulator's own program on loopback.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use connectwise_sim::{Credentials, Seed};
use serde::Serialize;
use serde_json::Value;
use tokio::process::Command;

use crate::config;
use crate::local::emulator::{free_port, http_client};
use crate::process::Running;
use crate::progress::wait_for;
use crate::sight::Call;

const READY_WITHIN: Duration = Duration::from_secs(20);
const ANNOUNCED: &str = "listening on ";

/// A running simulator.
#[derive(Debug)]
pub(crate) struct Simulator {
    _process: Running,
    origin: String,
    http: reqwest::Client,
    /// What the integration logs in with.
    pub(crate) integration: Credentials,
    technician: Credentials,
}

impl Simulator {
    /// Starts one on a free port and waits until it says that it listens.
    pub(crate) async fn start(program: &Path, log: &Path) -> Result<Self> {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(config::bare_environment())
            .args(["--port", &free_port()?.to_string()]);
        let mut process = Running::start_logged("the simulator", command, log)?;
        let origin = wait_for("the simulator", READY_WITHIN, async || {
            process.must_run(log)?;
            let said = fs::read_to_string(log)?;
            let address = said.lines().find_map(|line| line.split_once(ANNOUNCED));
            Ok(address.map(|(_, address)| address.trim().trim_end_matches('/').to_owned()))
        })
        .await?;
        let seed = Seed::demo();
        let integration = seed
            .integration()
            .context("the simulator's seed has no API member")?;
        let technician = seed
            .technician()
            .context("the simulator's seed has no member with keys")?;
        Ok(Self {
            _process: process,
            origin,
            http: http_client()?,
            integration,
            technician,
        })
    }

    /// Its address as an origin: what connections point at, and a page for people.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// Reads a list or a record through the ConnectWise API, as the integration.
    pub(crate) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value> {
        self.get_as(&self.integration, path, query).await
    }

    /// Reads as a technician sees it: neither revoked keys nor missing rights stand in the way.
    pub(crate) async fn get_as_technician(
        &self,
        path: &str,
        query: &impl Serialize,
    ) -> Result<Value> {
        self.get_as(&self.technician, path, query).await
    }

    /// Lays faults over those that there are; members left out keep their value.
    pub(crate) async fn set_faults(&self, faults: &Value) -> Result<()> {
        let url = format!("{}/_sim/faults", self.origin);
        let answer = self.http.put(&url).json(faults).send().await;
        let answer = answer.with_context(|| format!("PUT {url}"))?;
        let status = answer.status();
        let said = answer.text().await?;
        ensure!(status.is_success(), "PUT {url}: {status}: {said}");
        Ok(())
    }

    /// Does to a ticket what a technician does in ConnectWise, such as `"close"` or `{"merge_into": 10002}`.
    pub(crate) async fn act(&self, ticket: u64, action: &Value) -> Result<()> {
        let url = format!("{}/_sim/tickets/{ticket}", self.origin);
        let answer = self.http.post(&url).json(action).send().await;
        let answer = answer.with_context(|| format!("POST {url}"))?;
        let status = answer.status();
        let said = answer.text().await?;
        ensure!(status.is_success(), "POST {url}: {status}: {said}");
        Ok(())
    }

    /// Has it make many tickets at once: `{"ticket": {…}, "references": […]}`; answers `{"first", "made"}`.
    pub(crate) async fn stock(&self, stock: &Value) -> Result<Value> {
        let url = format!("{}/_sim/tickets", self.origin);
        let answer = self.http.post(&url).json(stock).send().await;
        let answer = answer.with_context(|| format!("POST {url}"))?;
        let status = answer.status();
        let said = answer.text().await?;
        ensure!(status.is_success(), "POST {url}: {status}: {said}");
        serde_json::from_str(&said).with_context(|| format!("POST {url}: not JSON"))
    }

    /// The calls that came after the first `n`.
    pub(crate) async fn journal(&self, n: usize) -> Result<Vec<Call>> {
        let url = format!("{}/_sim/journal?after={n}", self.origin);
        let answer = self.http.get(&url).send().await;
        let answer = answer.with_context(|| format!("GET {url}"))?;
        let calls = answer.error_for_status()?.json().await;
        calls.with_context(|| format!("GET {url}: not a journal"))
    }

    async fn get_as(
        &self,
        keys: &Credentials,
        path: &str,
        query: &(impl Serialize + ?Sized),
    ) -> Result<Value> {
        let url = format!("{}/v4_6_release/apis/3.0{path}", self.origin);
        let answer = self
            .http
            .get(&url)
            .query(query)
            .basic_auth(
                format!("{}+{}", keys.company_id, keys.public_key),
                Some(&keys.private_key),
            )
            .header("clientId", &keys.client_id)
            .send()
            .await
            .with_context(|| format!("GET {url}"))?;
        let status = answer.status();
        let body = answer.text().await?;
        ensure!(status.is_success(), "GET {url}: {status}: {body}");
        serde_json::from_str(&body).with_context(|| format!("GET {url}: not JSON"))
    }
}
