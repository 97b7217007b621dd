//! A ConnectWise site: the simulator's own program on loopback.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use connectwise_sim::{Credentials, Seed};
use reqwest::RequestBuilder;
use serde::Serialize;
use serde_json::Value;
use tokio::process::Command;

use crate::emulator::http_client;
use crate::environment;
use crate::journal::JournalEntry;
use crate::process::ProcessGroup;
use crate::progress::wait_for;

const READY_WITHIN: Duration = Duration::from_secs(20);
/// The words before the address in the simulator's log.
const ANNOUNCEMENT: &str = "listening on ";

#[derive(Debug)]
pub struct SimulatorProcess {
    _process: ProcessGroup,
    origin: String,
    http: reqwest::Client,
    /// The API keys of the integration.
    pub integration: Credentials,
    technician: Credentials,
}

impl SimulatorProcess {
    /// Starts a site on a free port and waits until it listens.
    pub async fn start(program: &Path, log: &Path) -> Result<Self> {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(environment::bare_environment())
            .args(["--port", "0"]);
        let mut process = ProcessGroup::start_logged("the simulator", command, log)?;
        let origin = wait_for("the simulator", READY_WITHIN, async || {
            process.check_running(log)?;
            let text = fs::read_to_string(log)?;
            let address = text.lines().find_map(|line| line.split_once(ANNOUNCEMENT));
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

    /// The site's origin: connections point at it, and it shows a page for people.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Reads a list or a record through the ConnectWise API, as the integration.
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value> {
        self.get_as(&self.integration, path, query).await
    }

    /// Reads as a technician, whom revoked keys and missing rights of the integration do not
    /// affect.
    pub async fn get_as_technician(&self, path: &str, query: &impl Serialize) -> Result<Value> {
        self.get_as(&self.technician, path, query).await
    }

    /// Merges faults into the present ones: members that are left out keep their value.
    pub async fn set_faults(&self, faults: &Value) -> Result<()> {
        let url = format!("{}/_sim/faults", self.origin);
        send(self.http.put(&url).json(faults), &url).await?;
        Ok(())
    }

    /// Does to a ticket what a technician does, such as `"close"` or `{"merge_into": 10002}`.
    pub async fn act(&self, ticket: u64, action: &Value) -> Result<()> {
        let url = format!("{}/_sim/tickets/{ticket}", self.origin);
        send(self.http.post(&url).json(action), &url).await?;
        Ok(())
    }

    /// Creates many tickets at once: `{"ticket": {…}, "references": […]}`. The answer is
    /// `{"first", "made"}`.
    pub async fn create_tickets(&self, tickets: &Value) -> Result<Value> {
        let url = format!("{}/_sim/tickets", self.origin);
        let body = send(self.http.post(&url).json(tickets), &url).await?;
        parse(&body, &url)
    }

    /// The journal without its first `skip` entries.
    pub async fn journal(&self, skip: usize) -> Result<Vec<JournalEntry>> {
        let url = format!("{}/_sim/journal?after={skip}", self.origin);
        let answer = self.http.get(&url).send().await;
        let answer = answer.with_context(|| url.clone())?;
        let calls = answer.error_for_status()?.json().await;
        calls.with_context(|| format!("{url}: not a journal"))
    }

    async fn get_as(
        &self,
        keys: &Credentials,
        path: &str,
        query: &(impl Serialize + ?Sized),
    ) -> Result<Value> {
        let url = format!("{}/v4_6_release/apis/3.0{path}", self.origin);
        let user = format!("{}+{}", keys.company_id, keys.public_key);
        let request = self
            .http
            .get(&url)
            .query(query)
            .basic_auth(user, Some(&keys.private_key))
            .header("clientId", &keys.client_id);
        parse(&send(request, &url).await?, &url)
    }
}

/// The body of a successful answer.
async fn send(request: RequestBuilder, url: &str) -> Result<String> {
    let answer = request.send().await.with_context(|| url.to_owned())?;
    let status = answer.status();
    let body = answer.text().await?;
    ensure!(status.is_success(), "{url}: {status}: {body}");
    Ok(body)
}

fn parse(body: &str, url: &str) -> Result<Value> {
    serde_json::from_str(body).with_context(|| format!("{url}: not JSON"))
}
