//! Our ConnectWise: the simulator's own program on loopback.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use connectwise_sim::{Credentials, Seed};
use tokio::process::Command;

use crate::config;
use crate::local::emulator::{free_port, http_client};
use crate::process::Running;
use crate::progress::wait_for;

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
}

impl Simulator {
    /// Starts one on a free port and waits until it says that it listens.
    pub(crate) async fn start(program: &Path, folder: &Path) -> Result<Self> {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(config::bare_environment())
            .args(["--port", &free_port()?.to_string()]);
        let log = folder.join("simulator.log");
        let mut process = Running::start_logged("the simulator", command, &log)?;
        let origin = wait_for("the simulator", READY_WITHIN, async || {
            process.must_run(&log)?;
            let said = fs::read_to_string(&log)?;
            let address = said.lines().find_map(|line| line.split_once(ANNOUNCED));
            Ok(address.map(|(_, address)| address.trim().trim_end_matches('/').to_owned()))
        })
        .await?;
        let integration = Seed::demo()
            .integration()
            .context("the simulator's seed has no API member")?;
        Ok(Self {
            _process: process,
            origin,
            http: http_client()?,
            integration,
        })
    }

    /// Its address as an origin: what connections point at, and a page for people.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// Reads a list or a record through the ConnectWise API, as the integration.
    pub(crate) async fn get(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<serde_json::Value> {
        let url = format!("{}/v4_6_release/apis/3.0{path}", self.origin);
        let keys = &self.integration;
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
        anyhow::ensure!(status.is_success(), "GET {url}: {status}: {body}");
        serde_json::from_str(&body).with_context(|| format!("GET {url}: not JSON"))
    }
}
