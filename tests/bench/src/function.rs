//! The programs that are measured, and a running one under a runtime API of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use local_stack::binaries::{self, Profile};
use local_stack::deployment::FUNCTIONS;
use local_stack::emulator::credentials;
use local_stack::environment;
use local_stack::process::ProcessGroup;
use local_stack::process_usage::{self, Memory};
use local_stack::progress::step;
use local_stack::run_folder::RunFolder;
use local_stack::runtime_api::RuntimeApi;
use local_stack::venv::{PythonTools, Venv};
use serde_json::Value;
use tokio::process::Command;

use crate::PATIENCE;

/// The minimal function, with which all others are compared.
pub(crate) const HELLO: &str = "hello";
/// The peer of `ingest` in Python.
pub(crate) const PEER: &str = "ingest in Python";

const PEER_FOLDER: &str = "tests/bench/peer";
const PEER_TOOLS: PythonTools = PythonTools {
    name: "bench-peer",
    requirements: &["awslambdaric==4.2.2", "boto3==1.44.8"],
    file: "",
};

/// The release builds of all functions and of the minimal one, and the peer.
#[derive(Debug)]
pub(crate) struct Programs {
    built: BTreeMap<String, PathBuf>,
    peer: Venv,
}

impl Programs {
    /// Builds all functions together, as a release does: cargo chooses the features of their
    /// dependencies for all of them.
    pub(crate) async fn build() -> Result<Self> {
        let mut arguments = vec!["-p", HELLO];
        for function in FUNCTIONS {
            arguments.extend(["-p", function]);
        }
        arguments.push("--bins");
        let what = "building all functions for release (half an hour from nothing on two CPUs)";
        let built = step(what, binaries::build(Profile::Release, &arguments)).await?;
        let peer = Venv::ensure(PEER_TOOLS).await?;
        Ok(Self { built, peer })
    }

    /// The programs of the template's functions, by name.
    pub(crate) fn functions(&self) -> Result<BTreeMap<String, PathBuf>> {
        let functions = FUNCTIONS.iter();
        let functions = functions.map(|name| Ok(((*name).to_owned(), self.path(name)?.to_owned())));
        functions.collect()
    }

    pub(crate) fn path(&self, function: &str) -> Result<&Path> {
        binaries::program(&self.built, function)
    }

    /// What starts a function.
    pub(crate) fn command(&self, function: &str) -> Result<Command> {
        if function != PEER {
            return Ok(Command::new(self.path(function)?));
        }
        let mut python = self.peer.python();
        let folder = environment::root().join(PEER_FOLDER);
        python
            .current_dir(folder)
            .args(["-B", "-m", "awslambdaric", "ingest.handler"]);
        Ok(python)
    }
}

/// A running function. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct RunningFunction {
    process: ProcessGroup,
    runtime: RuntimeApi,
    log: PathBuf,
    /// From the start of the process to its first request for an input.
    pub(crate) start_time: Duration,
}

impl RunningFunction {
    /// Starts a function with all variables that any function reads, and waits until it is ready.
    pub(crate) async fn start(
        name: &str,
        mut command: Command,
        folder: &RunFolder,
        variables: &[(&str, String)],
    ) -> Result<Self> {
        let runtime = RuntimeApi::start().await?;
        command
            .env_clear()
            .envs(LAMBDA_VARIABLES)
            .envs(OWN_VARIABLES)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .env("AWS_LAMBDA_RUNTIME_API", runtime.address());
        let log = folder.path().join(format!("{name}.log"));
        let started = Instant::now();
        let mut process = ProcessGroup::start_logged(name, command, &log)?;
        let ready = runtime.first_request(PATIENCE).await;
        process.check_running(&log)?;
        Ok(Self {
            start_time: ready?.saturating_duration_since(started),
            process,
            runtime,
            log,
        })
    }

    /// Passes an input and returns the answer.
    pub(crate) async fn invoke(&mut self, input: &Value) -> Result<Value> {
        let answer = self.runtime.invoke(input, PATIENCE).await;
        if answer.is_err() {
            self.process.check_running(&self.log)?;
        }
        answer
    }

    /// Waits until it has ended this many invocations, all of its work included.
    pub(crate) async fn idle_after(&self, invocations: u64) -> Result<()> {
        self.runtime.idle_after(invocations, PATIENCE).await
    }

    /// What it has used since its start.
    pub(crate) fn usage(&self) -> Result<FunctionUsage> {
        let log_bytes = u32::try_from(self.log.metadata()?.len());
        Ok(FunctionUsage {
            cpu_time: self.cpu_time()?,
            log_bytes: log_bytes.map(f64::from).context("the log is too long")?,
        })
    }

    pub(crate) fn cpu_time(&self) -> Result<Duration> {
        process_usage::cpu_time(self.process.id())
    }

    pub(crate) fn memory(&self) -> Result<Memory> {
        process_usage::memory(self.process.id())
    }

    pub(crate) fn log(&self) -> &Path {
        &self.log
    }
}

/// What a function used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FunctionUsage {
    pub(crate) cpu_time: Duration,
    pub(crate) log_bytes: f64,
}

impl FunctionUsage {
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            cpu_time: self.cpu_time.saturating_sub(before.cpu_time),
            log_bytes: self.log_bytes - before.log_bytes,
        }
    }
}

/// The variables of a client of AWS at this address.
pub(crate) fn aws_variables(endpoint: &str) -> Vec<(&'static str, String)> {
    credentials(endpoint)
}

/// The variables that Lambda sets.
const LAMBDA_VARIABLES: [(&str, &str); 7] = [
    ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    ("AWS_LAMBDA_LOG_STREAM_NAME", "bench"),
    ("AWS_LAMBDA_LOG_GROUP_NAME", "bench"),
    ("LANG", "en_US.UTF-8"),
    ("TZ", ":UTC"),
];

/// The variables of the template, for all functions.
const OWN_VARIABLES: [(&str, &str); 22] = [
    ("ACCESS_TABLE", "access"),
    ("ALERTS_TABLE", "alerts"),
    ("CLIENT_ID_SECRET", "bench/client-id"),
    ("CONFIG_TABLE", "config"),
    ("CONNECTION_SECRET_PREFIX", "bench/connection/"),
    (
        "DEAD_LETTER_QUEUE_URL",
        "http://127.0.0.1/000000000000/dead",
    ),
    ("DELIVERIES_TABLE", "deliveries"),
    (
        "DELIVERY_QUEUE_URL",
        "http://127.0.0.1/000000000000/deliveries",
    ),
    ("HEALTH_SECONDS", "900"),
    ("HISTORY_DAYS", "399"),
    ("MAIL_FROM", "ticketbridge@mail.example"),
    ("PAGE_ORIGIN", "https://alerts.example"),
    ("PARTNERS_PER_TICK", "500"),
    ("QUARANTINE_DAYS", "13"),
    ("QUEUE_URL", "http://127.0.0.1/000000000000/events"),
    ("RECONCILE_SECONDS", "900"),
    ("SETTLE_SECONDS", "600"),
    ("SNAPSHOT_LAG_SECONDS", "600"),
    ("SOURCE_SECRET_PREFIX", "bench/source/"),
    ("STACK", "bench"),
    ("TIMELINE_DAYS", "90"),
    ("WEBHOOK_URL", "https://events.example/v1/events/{source}"),
];
