//! A running stack without partners: emulator, functions, simulator and proxy.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use domain::SourceId;
use serde_json::{Value, json};

use crate::binaries::{self, Compression, Profile};
use crate::deployment::{self, DeployedStack};
use crate::emulator::{Emulator, IamMode, free_port};
use crate::operator::OperatorClient;
use crate::progress::step;
use crate::proxy::Proxy;
use crate::run_folder::RunFolder;
use crate::simulator::SimulatorProcess;
use crate::venv::{EMULATOR, Venv};

/// How often the schedules run. The emulator reads this as "at each of its own rounds", every ten
/// seconds. AWS and the template allow no rate below a minute.
const TICK: &str = "rate(0 minutes)";

/// Receives mails about the local Ticketbridge's own problems.
const OPERATOR_MAIL: &str = "operator@example.com";
/// The sender of mails to partners.
pub const MAIL_FROM: &str = "ticketbridge@example.com";
/// The template's default name for the secret with the operator's `clientId`.
const CLIENT_ID_SECRET: &str = "ticketbridge/client-id";

/// The template's time parameters, in seconds.
#[derive(Debug, Clone, Copy)]
pub struct StackTimes {
    /// The time-out of `tickets` for one batch.
    tickets_timeout: u32,
    /// The queue's visibility time-out: six times the former, as the template says.
    visibility: u32,
    /// How long after an unanswered creation an empty search result is not trusted.
    settle: u32,
    /// How often an idle partner is reconciled and its connection probed.
    period: u32,
}

impl StackTimes {
    /// As deployed anywhere, but with short periods, so that a person sees the effects.
    pub const DEMO: Self = Self {
        tickets_timeout: 60,
        visibility: 360,
        settle: 30,
        period: 30,
    };
    /// As `DEMO`, but only a callback of ConnectWise makes reconcile compare tickets within minutes.
    pub const LONG_PERIOD: Self = Self {
        period: 900,
        ..Self::DEMO
    };
    /// For functions that live for seconds and are killed often. `settle` is longer than the
    /// latest commit of a chaos run.
    pub const CHAOS: Self = Self {
        tickets_timeout: 10,
        visibility: 60,
        settle: 75,
        period: 900,
    };
    /// As `CHAOS`, and connections and refused alerts are retried within the run.
    pub const ALL_FAULTS: Self = Self {
        period: 60,
        ..Self::CHAOS
    };
}

/// Dropping it ends everything that it started, in the order of its members.
#[derive(Debug)]
pub struct EmptyStack {
    /// Gives the HTTP API a plain address.
    pub proxy: Proxy,
    pub emulator: Emulator,
    pub simulator: SimulatorProcess,
    /// More ConnectWise sites that connections may point at.
    pub other_sites: Vec<SimulatorProcess>,
    pub deployed: DeployedStack,
    pub operator: OperatorClient,
    /// Where a webhook of a source may be received: an origin at which nothing listens yet.
    pub receiver_origin: String,
    folder: RunFolder,
}

impl EmptyStack {
    /// Installs what is missing, builds, starts and deploys, with `others` additional sites.
    pub async fn start(run: &str, times: StackTimes, others: usize) -> Result<Self> {
        Self::start_with(run, times, others, BTreeMap::new()).await
    }

    /// As [`EmptyStack::start`], with these programs in place of those that it builds, by name.
    pub async fn start_with(
        run: &str,
        times: StackTimes,
        others: usize,
        programs: BTreeMap<String, PathBuf>,
    ) -> Result<Self> {
        let folder = RunFolder::create(run)?;
        let venv = Venv::ensure(EMULATOR).await?;
        let mut built = step("building the functions and the simulator", build()).await?;
        built.extend(programs);
        let what = "starting the emulator and the simulator";
        let (emulator, simulator, other_sites) = step(what, async {
            let program = binaries::program(&built, "connectwise-sim")?;
            let simulator =
                SimulatorProcess::start(program, &folder.path().join("simulator.log")).await?;
            let mut other_sites = Vec::new();
            for number in 0..others {
                let log = folder.path().join(format!("other-site-{number}.log"));
                other_sites.push(SimulatorProcess::start(program, &log).await?);
            }
            let emulator = Emulator::start(&venv, folder.path(), IamMode::Enforced).await?;
            Ok((emulator, simulator, other_sites))
        })
        .await?;
        // The template needs the page's address, so the proxy starts before the deployment.
        let proxy = Proxy::start(emulator.endpoint()).await?;
        let receiver_origin = format!("http://127.0.0.1:{}", free_port()?);
        let (deployed, operator) = step("deploying infra/template.yaml", async {
            for function in deployment::FUNCTIONS {
                let program = binaries::program(&built, function)?;
                let package = folder.path().join(format!("{function}.zip"));
                binaries::pack(program, &package, Compression::None)?;
            }
            prepare_account(&emulator, &simulator).await?;
            let sites = std::iter::once(&simulator).chain(&other_sites);
            let origins: Vec<_> = sites.map(SimulatorProcess::origin).collect();
            let parameters = [
                ("AllowedOrigins", origins.join(",")),
                ("WebhookOrigins", receiver_origin.clone()),
                ("MailFrom", MAIL_FROM.to_owned()),
                ("OperatorMail", OPERATOR_MAIL.to_owned()),
                ("PageOrigin", proxy.origin().to_owned()),
                ("TicketsTimeout", times.tickets_timeout.to_string()),
                ("VisibilitySeconds", times.visibility.to_string()),
                ("SettleSeconds", times.settle.to_string()),
                ("ReconcileSeconds", times.period.to_string()),
                ("SnapshotLagSeconds", "1".to_owned()),
                ("HealthSeconds", times.period.to_string()),
            ];
            let deployed = deployment::deploy(&emulator, folder.path(), &parameters).await?;
            allow_mails(&emulator, &deployed).await?;
            shorten_schedules(&emulator).await?;
            let operator = OperatorClient::create_user(&emulator, &deployed.api_id).await?;
            Ok((deployed, operator))
        })
        .await?;
        proxy.set_api(&deployed.api_id);
        Ok(Self {
            proxy,
            emulator,
            simulator,
            other_sites,
            deployed,
            operator,
            receiver_origin,
            folder,
        })
    }

    pub fn webhook_url_of(&self, source: &SourceId) -> String {
        format!("{}/v1/events/{source}", self.proxy.origin())
    }

    /// The address of the partners' page.
    pub fn setup_url(&self) -> String {
        format!("{}/setup", self.proxy.origin())
    }

    /// The folder of logs and other files of this run.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Deletes the schedules, so that `reconcile` and `health` do nothing by themselves.
    pub async fn delete_schedules(&self) -> Result<()> {
        let schedules = list_schedules(&self.emulator).await?;
        let delete = schedules.iter().map(|schedule| {
            json!({ "service": "scheduler", "operation": "DeleteSchedule", "parameters": {
                "Name": schedule["Name"], "GroupName": schedule["GroupName"],
            } })
        });
        let delete: Vec<_> = delete.collect();
        self.emulator.call_all(&delete).await?;
        Ok(())
    }

    /// Runs something to its end. If it fails, saves the functions' logs before the stack stops.
    pub async fn save_logs_on_failure<T>(&self, run: impl Future<Output = Result<T>>) -> Result<T> {
        let result = run.await;
        if result.is_err() {
            self.save_function_logs().await;
        }
        result
    }

    /// Writes the functions' logs beside the other logs, for finding out why a run failed. Logs
    /// that cannot be read are left out, because the stack may be broken already.
    pub async fn save_function_logs(&self) {
        for (function, deployed) in &self.deployed.functions {
            let group = format!("/aws/lambda/{deployed}");
            let arguments = [
                "logs",
                "filter-log-events",
                "--log-group-name",
                &group,
                "--query",
                "events[].message",
                "--output",
                "json",
            ];
            let Ok(answer) = self.emulator.aws(&arguments).await else {
                continue;
            };
            let lines: Vec<String> = serde_json::from_str(&answer).unwrap_or_default();
            let log = self.folder.path().join(format!("{function}.log"));
            if fs::write(&log, lines.join("\n")).is_ok() {
                eprintln!("the log of {function} is in {}", log.display());
            }
        }
    }
}

async fn build() -> Result<BTreeMap<String, PathBuf>> {
    // xtask is named too, so that cargo chooses the features of dependencies that are built already.
    let mut arguments = vec!["-p", "xtask", "-p", "connectwise-sim"];
    for function in deployment::FUNCTIONS {
        arguments.extend(["-p", function]);
    }
    arguments.push("--bins");
    binaries::build(Profile::Dev, &arguments).await
}

/// What an operator does in an account before deploying the template.
async fn prepare_account(emulator: &Emulator, simulator: &SimulatorProcess) -> Result<()> {
    let calls = [
        json!({ "service": "secretsmanager", "operation": "CreateSecret", "parameters": {
            "Name": CLIENT_ID_SECRET, "SecretString": simulator.integration.client_id,
        } }),
        json!({ "service": "sesv2", "operation": "CreateEmailIdentity", "parameters": {
            "EmailIdentity": MAIL_FROM,
        } }),
    ];
    emulator.call_all(&calls).await?;
    Ok(())
}

/// Lets all schedules run as often as the emulator can.
async fn shorten_schedules(emulator: &Emulator) -> Result<()> {
    let schedules = list_schedules(emulator).await?;
    let get = schedules.iter().map(|schedule| {
        json!({ "service": "scheduler", "operation": "GetSchedule", "parameters": {
            "GroupName": schedule["GroupName"], "Name": schedule["Name"],
        } })
    });
    let mut updates = vec![];
    for schedule in emulator.call_all(&get.collect::<Vec<_>>()).await? {
        updates.push(
            json!({ "service": "scheduler", "operation": "UpdateSchedule", "parameters": {
                "GroupName": schedule["GroupName"], "Name": schedule["Name"],
                "ScheduleExpression": TICK,
                "FlexibleTimeWindow": schedule["FlexibleTimeWindow"],
                "Target": schedule["Target"],
            } }),
        );
    }
    emulator.call_all(&updates).await?;
    Ok(())
}

async fn list_schedules(emulator: &Emulator) -> Result<Vec<Value>> {
    let list = json!({ "service": "scheduler", "operation": "ListSchedules", "parameters": {} });
    let listed = emulator.call_all(&[list]).await?;
    let schedules = listed
        .first()
        .and_then(|listed| listed["Schedules"].as_array());
    Ok(schedules
        .context("the emulator lists no schedules")?
        .clone())
}

/// Allows the functions that send mails to do so on the emulator. The template allows one sender
/// address. The emulator evaluates every mail against the resource "*" without a sender, so the
/// template's statement never matches there.
async fn allow_mails(emulator: &Emulator, deployed: &DeployedStack) -> Result<()> {
    let get = ["health", "setup"].map(|function| {
        json!({ "service": "lambda", "operation": "GetFunctionConfiguration", "parameters": {
            "FunctionName": deployed.functions[function],
        } })
    });
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": "ses:SendEmail", "Resource": "*" }],
    });
    let mut allow = vec![];
    for answer in emulator.call_all(&get).await? {
        let role = answer["Role"].as_str();
        let role = role.and_then(|role| role.rsplit('/').next());
        allow.push(
            json!({ "service": "iam", "operation": "PutRolePolicy", "parameters": {
                "RoleName": role.context("a function has no role")?,
                "PolicyName": "mails-on-the-emulator",
                "PolicyDocument": policy.to_string(),
            } }),
        );
    }
    emulator.call_all(&allow).await?;
    Ok(())
}
