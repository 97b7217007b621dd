//! Our AWS: one ministack process on loopback.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use aws::startup::{self, Account};
use aws_credential_types::Credentials;
use rustix::process::Pid;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::process::Command;

use crate::config;
use crate::process::{Running, read};
use crate::progress::wait_for;
use crate::venv::Venv;

/// The first start of a fresh environment compiles its modules.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// The region that everything local is in.
pub(crate) const REGION: &str = "us-east-1";
/// The account's own key and secret: root.
pub(crate) const ROOT_KEY: &str = "test";

/// Whether permissions are enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Signatures are verified and policies evaluated: a function may do what its role in the template says, and nothing else.
    Enforced,
    /// Any 12-digit access key is an account of its own, so that tests run beside each other.
    Open,
}

/// The credentials of a role's session.
pub(crate) struct Session {
    /// Its access key.
    pub(crate) key: String,
    /// What it signs with.
    pub(crate) secret: String,
    /// What says whose it is.
    pub(crate) token: String,
}

/// What a service said to a call.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Answer {
    /// It did not do it.
    Refused { code: String, message: String },
    /// It did it, and answered.
    Done { done: Value },
}

/// Batches that came to no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    /// The function's process died in the middle.
    pub(crate) killed: usize,
    /// The function's time was up.
    pub(crate) timed_out: usize,
}

impl Cut {
    fn told_by(log: &str) -> Self {
        let told = |words: &str| {
            let of_a_batch =
                |line: &&str| line.contains("failed processing SQS batch") && line.contains(words);
            log.lines().filter(of_a_batch).count()
        };
        Self {
            killed: told("Runtime exited before returning a response"),
            timed_out: told("Task timed out after"),
        }
    }
}

/// A running emulator.
#[derive(Debug)]
pub(crate) struct Emulator {
    log: PathBuf,
    process: Running,
    venv: Venv,
    endpoint: String,
    mail_url: String,
}

impl Emulator {
    /// Starts one on a free port and waits until it is ready.
    pub(crate) async fn start(venv: &Venv, folder: &Path, access: Access) -> Result<Self> {
        let port = free_port()?;
        let endpoint = format!("http://127.0.0.1:{port}");
        let scratch = folder.join("tmp");
        fs::create_dir_all(&scratch)?;
        let mut command = venv.tool("ministack");
        command
            .env_clear()
            // Functions inherit all of this, so it is all that there is.
            .envs(config::bare_environment())
            .envs(credentials(&endpoint))
            .env("TMPDIR", scratch)
            // Without this it listens on every interface.
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            // Queue URLs carry it; `localhost` may mean ::1, where nobody listens.
            .env("MINISTACK_HOST", "127.0.0.1")
            .env("IOT_MTLS_ENABLED", "0")
            .env("SFTP_ENABLED", "0");
        if access == Access::Enforced {
            command.env("AUTH", "true");
        }
        let log = folder.join("emulator.log");
        let mut process = Running::start_logged("the emulator", command, &log)?;
        let http = http_client()?;
        let ready = format!("{endpoint}/_ministack/ready");
        wait_for("the emulator", READY_WITHIN, async || {
            process.must_run(&log)?;
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

    /// Its address, for any AWS client.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The process, whose descendants the functions are.
    pub(crate) fn process(&self) -> Pid {
        self.process.id()
    }

    /// The batches that came to no answer, as its log tells.
    pub(crate) fn batches_cut(&self) -> Result<Cut> {
        let log =
            fs::read(&self.log).with_context(|| format!("cannot read {}", self.log.display()))?;
        Ok(Cut::told_by(&String::from_utf8_lossy(&log)))
    }

    /// Where sent mail can be read.
    pub(crate) fn mail_url(&self) -> &str {
        &self.mail_url
    }

    /// Asks the AWS CLI, as root.
    pub(crate) async fn aws(&self, arguments: &[&str]) -> Result<String> {
        let mut command = self.venv.tool("aws");
        self.surround(&mut command);
        command.env("AWS_PAGER", "").args(arguments);
        let name = arguments
            .iter()
            .take(2)
            .copied()
            .collect::<Vec<_>>()
            .join(" ");
        read(&format!("aws {name}"), command).await
    }

    /// Makes calls, `{service, operation, parameters}` as AWS's own models name them: as root, or in a session. One process for all of
    /// them is far quicker than the CLI for each.
    pub(crate) async fn ask(
        &self,
        calls: &[impl Serialize],
        session: Option<&Session>,
    ) -> Result<Vec<Answer>> {
        let program = include_str!("../ask.py");
        let said = self
            .python(program, &serde_json::to_string(calls)?, session)
            .await?;
        let lines = said.lines().map(serde_json::from_str);
        let answers: Vec<Answer> = lines
            .collect::<Result<_, _>>()
            .context("the answers cannot be read")?;
        ensure!(answers.len() == calls.len(), "an answer is missing");
        Ok(answers)
    }

    /// Makes calls as root; each must be done.
    pub(crate) async fn have_done(&self, calls: &[Value]) -> Result<Vec<Value>> {
        let answers = calls.iter().zip(self.ask(calls, None).await?);
        answers
            .map(|(call, answer)| match answer {
                Answer::Done { done } => Ok(done),
                Answer::Refused { code, message } => {
                    bail!("{}: {code}: {message}", call["operation"])
                }
            })
            .collect()
    }

    /// Runs a Python program that calls AWS.
    async fn python(
        &self,
        program: &str,
        argument: &str,
        session: Option<&Session>,
    ) -> Result<String> {
        let mut command = self.venv.python();
        self.surround(&mut command);
        if let Some(session) = session {
            command
                .env("AWS_ACCESS_KEY_ID", &session.key)
                .env("AWS_SECRET_ACCESS_KEY", &session.secret)
                .env("AWS_SESSION_TOKEN", &session.token);
        }
        command.args(["-c", program, argument]);
        read("a Python program that calls AWS", command).await
    }

    /// Nothing around the program but what leads it here, as root.
    fn surround(&self, command: &mut Command) {
        command
            .env_clear()
            .envs(config::bare_environment())
            .envs(credentials(&self.endpoint))
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    }
}

/// The SDK's configuration of an emulator's root.
pub(crate) fn sdk_config(endpoint: &str) -> Result<aws_types::SdkConfig> {
    let account = Account {
        region: REGION.to_owned(),
        endpoint_url: Some(endpoint.to_owned()),
        credentials: Credentials::new(ROOT_KEY, ROOT_KEY, None, None, "emulator"),
    };
    Ok(startup::sdk_config(&account)?)
}

/// What an AWS client needs to work as the emulator's root.
pub(crate) fn credentials(endpoint: &str) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ENDPOINT_URL", endpoint.to_owned()),
        ("AWS_ACCESS_KEY_ID", ROOT_KEY.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", ROOT_KEY.to_owned()),
        ("AWS_DEFAULT_REGION", REGION.to_owned()),
        ("AWS_REGION", REGION.to_owned()),
    ]
}

/// An HTTP client that gives up.
pub(crate) fn http_client() -> Result<reqwest::Client> {
    // It speaks plain HTTP to this machine alone, but is not made without a TLS library; a second install is refused, rightly.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(30))
        .build()
        .context("cannot make an HTTP client")
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_tells_which_batches_came_to_no_answer() {
        let log = "WARNING ESM: Lambda x failed processing SQS batch from q (errorType=Runtime.ExitError errorMessage=Runtime exited before returning a response)\n\
            WARNING Lambda x: Task timed out after 10.00 seconds\n\
            WARNING ESM: Lambda x failed processing SQS batch from q (errorType=Sandbox.Timedout errorMessage=Task timed out after 10.00 seconds)";
        let cut = Cut {
            killed: 1,
            timed_out: 1,
        };
        assert_eq!(Cut::told_by(log), cut);
    }
}
