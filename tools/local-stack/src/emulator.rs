//! The emulator of AWS: one ministack process on loopback.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use aws::startup::{self, Account};
use aws_credential_types::Credentials;
use rustix::process::Pid;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::process::Command;

use crate::environment;
use crate::process::{ProcessGroup, capture};
use crate::progress::wait_for;
use crate::venv::Venv;

/// The first start in a fresh environment compiles the Python modules.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// The region of everything local.
pub const REGION: &str = "us-east-1";
/// Key and secret of the account's root.
pub const ROOT_KEY: &str = "test";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IamMode {
    /// Signatures are verified and policies are evaluated: a function may do what its role in the
    /// template allows, and nothing else.
    Enforced,
    /// Nothing is checked. Any 12-digit access key is an account of its own, so tests can run in
    /// parallel.
    Open,
}

/// The credentials of an assumed role.
pub struct RoleSession {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: String,
}

/// A service's answer to a call.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum CallResult {
    Error { code: String, message: String },
    Success { answer: Value },
}

/// Batches of the queue that ended without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailedBatches {
    /// The function's process died during the batch.
    pub killed: usize,
    pub timed_out: usize,
}

impl FailedBatches {
    fn from_log(log: &str) -> Self {
        let count = |words: &str| {
            let is_batch =
                |line: &&str| line.contains("failed processing SQS batch") && line.contains(words);
            log.lines().filter(is_batch).count()
        };
        Self {
            killed: count("Runtime exited before returning a response"),
            timed_out: count("Task timed out after"),
        }
    }
}

#[derive(Debug)]
pub struct Emulator {
    log: PathBuf,
    process: ProcessGroup,
    venv: Venv,
    endpoint: String,
    mail_url: String,
}

impl Emulator {
    /// Starts the emulator on a free port and waits until it is ready.
    pub async fn start(venv: &Venv, folder: &Path, iam: IamMode) -> Result<Self> {
        let port = free_port()?;
        let endpoint = format!("http://127.0.0.1:{port}");
        let scratch = folder.join("tmp");
        fs::create_dir_all(&scratch)?;
        let mut command = venv.tool("ministack");
        command
            .env_clear()
            // The functions inherit these variables, so they get no others.
            .envs(environment::bare_environment())
            .envs(credentials(&endpoint))
            .env("TMPDIR", scratch)
            // Without this it listens on every interface.
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            // Part of queue URLs. `localhost` may resolve to ::1, where nothing listens.
            .env("MINISTACK_HOST", "127.0.0.1")
            .env("IOT_MTLS_ENABLED", "0")
            .env("SFTP_ENABLED", "0");
        if iam == IamMode::Enforced {
            command.env("AUTH", "true");
        }
        let log = folder.join("emulator.log");
        let mut process = ProcessGroup::start_logged("the emulator", command, &log)?;
        let http = http_client()?;
        let ready = format!("{endpoint}/_ministack/ready");
        wait_for("the emulator", READY_WITHIN, async || {
            process.check_running(&log)?;
            let answer = http.get(&ready).send().await;
            Ok(answer
                .is_ok_and(|answer| answer.status().is_success())
                .then_some(()))
        })
        .await?;
        let mail_url = format!("{endpoint}/_ministack/ses/messages");
        Ok(Self {
            log,
            process,
            venv: venv.clone(),
            endpoint,
            mail_url,
        })
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The emulator's process. The functions' processes are its descendants.
    pub fn process(&self) -> Pid {
        self.process.id()
    }

    pub fn failed_batches(&self) -> Result<FailedBatches> {
        let log =
            fs::read(&self.log).with_context(|| format!("cannot read {}", self.log.display()))?;
        Ok(FailedBatches::from_log(&String::from_utf8_lossy(&log)))
    }

    /// The address that lists sent mails.
    pub fn mail_url(&self) -> &str {
        &self.mail_url
    }

    /// Starts the AWS CLI with root's credentials, and without the developer's own configuration.
    pub fn aws_cli(&self) -> impl Fn() -> Command + use<> {
        let (venv, endpoint) = (self.venv.clone(), self.endpoint.clone());
        move || {
            let mut command = venv.tool("aws");
            set_environment(&mut command, &endpoint);
            command.env("AWS_PAGER", "");
            command
        }
    }

    /// Runs the AWS CLI as root.
    pub async fn aws(&self, arguments: &[&str]) -> Result<String> {
        let mut command = self.aws_cli()();
        command.args(arguments);
        let name = arguments
            .iter()
            .take(2)
            .copied()
            .collect::<Vec<_>>()
            .join(" ");
        capture(&format!("aws {name}"), command).await
    }

    /// Makes calls, `{service, operation, parameters}` as AWS's own models name them, as root or in
    /// a role's session. One process makes all calls, which is much faster than the CLI for each.
    pub async fn call(
        &self,
        calls: &[impl Serialize],
        session: Option<&RoleSession>,
    ) -> Result<Vec<CallResult>> {
        let mut command = self.venv.python();
        set_environment(&mut command, &self.endpoint);
        if let Some(session) = session {
            command
                .env("AWS_ACCESS_KEY_ID", &session.access_key_id)
                .env("AWS_SECRET_ACCESS_KEY", &session.secret_access_key)
                .env("AWS_SESSION_TOKEN", &session.session_token);
        }
        let program = include_str!("aws_calls.py");
        command.args(["-c", program, &serde_json::to_string(calls)?]);
        let output = capture("a Python program that calls AWS", command).await?;
        let results = output.lines().map(serde_json::from_str);
        let results: Vec<CallResult> = results
            .collect::<Result<_, _>>()
            .context("cannot parse the answers")?;
        ensure!(results.len() == calls.len(), "an answer is missing");
        Ok(results)
    }

    /// Makes calls as root.
    ///
    /// # Errors
    /// When one of them fails.
    pub async fn call_all(&self, calls: &[Value]) -> Result<Vec<Value>> {
        let results = calls.iter().zip(self.call(calls, None).await?);
        results
            .map(|(call, result)| match result {
                CallResult::Success { answer } => Ok(answer),
                CallResult::Error { code, message } => {
                    bail!("{}: {code}: {message}", call["operation"])
                }
            })
            .collect()
    }
}

fn set_environment(command: &mut Command, endpoint: &str) {
    command
        .env_clear()
        .envs(environment::bare_environment())
        .envs(credentials(endpoint))
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
}

/// The SDK's configuration for root of an emulator.
pub fn sdk_config(endpoint: &str) -> Result<aws_types::SdkConfig> {
    let account = Account {
        region: REGION.to_owned(),
        endpoint_url: Some(endpoint.to_owned()),
        credentials: Credentials::new(ROOT_KEY, ROOT_KEY, None, None, "emulator"),
    };
    Ok(startup::sdk_config(&account)?)
}

/// The environment variables of an AWS client that acts as root of an emulator.
pub fn credentials(endpoint: &str) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ENDPOINT_URL", endpoint.to_owned()),
        ("AWS_ACCESS_KEY_ID", ROOT_KEY.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", ROOT_KEY.to_owned()),
        ("AWS_DEFAULT_REGION", REGION.to_owned()),
        ("AWS_REGION", REGION.to_owned()),
    ]
}

/// An HTTP client with a time-out.
pub fn http_client() -> Result<reqwest::Client> {
    // The client needs a TLS library although it speaks plain HTTP to this machine only. A second
    // installation is refused, which does not matter.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(30))
        .build()
        .context("cannot create an HTTP client")
}

/// Ports that neither Linux nor macOS gives to outgoing connections. One of those could take the
/// port before the program that is started next listens on it.
const PORTS: Range<u16> = 20_000..32_000;

/// A port that was free a moment ago, for a program that cannot choose one itself.
///
/// # Errors
/// When no port is found.
pub fn free_port() -> Result<u16> {
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    (0..100)
        .map(|_| fastrand::u16(PORTS))
        .find(is_free)
        .context("found no free port on 127.0.0.1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_gives_the_batches_without_an_answer() {
        let log = "WARNING ESM: Lambda x failed processing SQS batch from q (errorType=Runtime.ExitError errorMessage=Runtime exited before returning a response)\n\
            WARNING Lambda x: Task timed out after 10.00 seconds\n\
            WARNING ESM: Lambda x failed processing SQS batch from q (errorType=Sandbox.Timedout errorMessage=Task timed out after 10.00 seconds)";
        let failed = FailedBatches {
            killed: 1,
            timed_out: 1,
        };
        assert_eq!(FailedBatches::from_log(log), failed);
    }
}
