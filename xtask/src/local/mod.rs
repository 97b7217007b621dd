//! The whole of Ticketbridge on this machine: emulator, functions, simulator and front door, alive as long as a `Stack` is.

pub(crate) mod deploy;
pub(crate) mod emulator;
mod front_door;
pub(crate) mod seed;
pub(crate) mod simulator;
pub(crate) mod stack_file;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::ops::Deref;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use domain::SourceId;
use serde_json::json;

use crate::binaries::{self, Profile};
use crate::config;
use crate::operator::Operator;
use crate::progress::step;
use crate::venv::{EMULATOR, Venv};
use deploy::Deployed;
use emulator::{Access, Emulator};
use front_door::FrontDoor;
use seed::Seeded;
use simulator::Simulator;

/// How often it is looked who is due here. The emulator takes it for each of its own rounds, every ten seconds; AWS takes no rate below
/// a minute.
const TICK: &str = "rate(0 minutes)";

/// Whom the local Ticketbridge tells of its own trouble.
const OPERATOR_MAIL: &str = "operator@example.com";
/// Whom the partners' mails come from.
pub(crate) const MAIL_FROM: &str = "ticketbridge@example.com";
/// Where the template's default looks for the operator's `clientId`.
const CLIENT_ID_SECRET: &str = "ticketbridge/client-id";

/// The times that a stack is deployed with, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// What `tickets` has for one batch.
    tickets_timeout: u32,
    /// How long the queue hides a message that is worked on; six times the former, as the template says.
    visibility: u32,
    /// How long after an unanswered creation "there is none" is not believed.
    settle: u32,
    /// How often a partner with nothing to do is looked after, and its connection tried.
    period: u32,
}

impl Times {
    /// As deployed anywhere, but that it settles and looks around soon, so that a person sees it happen.
    pub(crate) const SHOWN: Self = Self {
        tickets_timeout: 60,
        visibility: 360,
        settle: 30,
        period: 30,
    };
    /// Functions that live for seconds and die often. It settles later than the latest commit that the chaos makes.
    pub(crate) const CHAOS: Self = Self {
        tickets_timeout: 10,
        visibility: 60,
        settle: 75,
        period: 900,
    };
    /// As `CHAOS`, and connections and refused alerts are tried again within the run.
    pub(crate) const ALL_FAULTS: Self = Self {
        period: 60,
        ..Self::CHAOS
    };
}

/// A running stack that serves nobody yet. Dropping it ends everything that it started, in the order of its members.
#[derive(Debug)]
pub(crate) struct EmptyStack {
    /// The plain address of the HTTP API.
    pub(crate) front_door: FrontDoor,
    /// Our AWS.
    pub(crate) emulator: Emulator,
    /// Our ConnectWise.
    pub(crate) simulator: Simulator,
    /// Other sites of ConnectWise, which connections may point at too.
    pub(crate) other_sites: Vec<Simulator>,
    /// What the template made.
    pub(crate) deployed: Deployed,
    /// Who makes partners, sources and links.
    pub(crate) operator: Operator,
    folder: Folder,
}

/// A running stack with a partner to play with.
#[derive(Debug)]
pub(crate) struct Stack {
    empty: EmptyStack,
    /// The partner whom all of this serves.
    pub(crate) seeded: Seeded,
}

impl Deref for Stack {
    type Target = EmptyStack;

    fn deref(&self) -> &EmptyStack {
        &self.empty
    }
}

impl Stack {
    /// Installs what is missing, builds, starts, deploys and seeds; its logs are in `target/local/<run>`.
    pub(crate) async fn start(run: &str, times: Times) -> Result<Self> {
        Self::with_other_sites(run, times, 0).await
    }

    /// As `start`, with more sites of ConnectWise.
    pub(crate) async fn with_other_sites(run: &str, times: Times, others: usize) -> Result<Self> {
        let empty = EmptyStack::start(run, times, others).await?;
        let seeded = step("setting a partner up", seed::seed(&empty)).await;
        if seeded.is_err() {
            empty.save_function_logs().await;
        }
        Ok(Self {
            seeded: seeded?,
            empty,
        })
    }

    /// Where the seeded source posts.
    pub(crate) fn webhook_url(&self) -> String {
        self.webhook_url_of(&self.seeded.source)
    }
}

impl EmptyStack {
    /// Installs what is missing, builds, starts and deploys, with so many more sites of ConnectWise.
    pub(crate) async fn start(run: &str, times: Times, others: usize) -> Result<Self> {
        let folder = Folder::of(run)?;
        let venv = Venv::with(EMULATOR).await?;
        let built = step("building the functions and the simulator", build()).await?;
        let what = "starting the emulator and the simulator";
        let (emulator, simulator, other_sites) = step(what, async {
            let program = binaries::program(&built, "connectwise-sim")?;
            let simulator = Simulator::start(program, &folder.path().join("simulator.log")).await?;
            let mut other_sites = Vec::new();
            for number in 0..others {
                let log = folder.path().join(format!("other-site-{number}.log"));
                other_sites.push(Simulator::start(program, &log).await?);
            }
            let emulator = Emulator::start(&venv, folder.path(), Access::Enforced).await?;
            Ok((emulator, simulator, other_sites))
        })
        .await?;
        // Before the API that it leads to: the page must be told where browsers find it.
        let front_door = FrontDoor::open(emulator.endpoint()).await?;
        let (deployed, operator) = step("deploying infra/template.yaml", async {
            for function in deploy::FUNCTIONS {
                let program = binaries::program(&built, function)?;
                binaries::pack(program, &folder.path().join(format!("{function}.zip")))?;
            }
            prepare_account(&emulator, &simulator).await?;
            let sites = std::iter::once(&simulator).chain(&other_sites);
            let origins: Vec<_> = sites.map(Simulator::origin).collect();
            let parameters = [
                ("Stage", "local".to_owned()),
                ("AllowedOrigins", origins.join(",")),
                ("MailFrom", MAIL_FROM.to_owned()),
                ("OperatorMail", OPERATOR_MAIL.to_owned()),
                ("PageOrigin", front_door.origin().to_owned()),
                ("TicketsTimeout", times.tickets_timeout.to_string()),
                ("VisibilitySeconds", times.visibility.to_string()),
                ("SettleSeconds", times.settle.to_string()),
                ("ReconcileSeconds", times.period.to_string()),
                ("SnapshotLagSeconds", "1".to_owned()),
                ("HealthSeconds", times.period.to_string()),
                ("Tick", TICK.to_owned()),
            ];
            let deployed = deploy::deploy(&emulator, folder.path(), &parameters).await?;
            allow_mails(&emulator, &deployed).await?;
            let operator = Operator::hire(&emulator, &deployed.api_id).await?;
            Ok((deployed, operator))
        })
        .await?;
        front_door.lead_to(&deployed.api_id);
        Ok(Self {
            front_door,
            emulator,
            simulator,
            other_sites,
            deployed,
            operator,
            folder,
        })
    }

    /// Where this source posts.
    pub(crate) fn webhook_url_of(&self, source: &SourceId) -> String {
        format!("{}/v1/events/{source}", self.front_door.origin())
    }

    /// The partners' page.
    pub(crate) fn setup_url(&self) -> String {
        format!("{}/setup", self.front_door.origin())
    }

    /// Where its logs are, and what else comes of a run.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

async fn build() -> Result<BTreeMap<String, PathBuf>> {
    // xtask is named too, so that cargo chooses one set of features and does not build its dependencies twice.
    let mut arguments = vec!["-p", "xtask", "-p", "connectwise-sim"];
    for function in deploy::FUNCTIONS {
        arguments.extend(["-p", function]);
    }
    arguments.push("--bins");
    binaries::build(Profile::Dev, &arguments).await
}

/// What an operator does in an account before the template is deployed there.
async fn prepare_account(emulator: &Emulator, simulator: &Simulator) -> Result<()> {
    let calls = [
        json!({ "service": "secretsmanager", "operation": "CreateSecret", "parameters": {
            "Name": CLIENT_ID_SECRET, "SecretString": simulator.integration.client_id,
        } }),
        json!({ "service": "sesv2", "operation": "CreateEmailIdentity", "parameters": {
            "EmailIdentity": MAIL_FROM,
        } }),
    ];
    emulator.have_done(&calls).await?;
    Ok(())
}

/// Allows those of the emulator's functions that send mails what the template allows them in AWS: mails from one address. The emulator
/// takes every mail to be about "*" and does not know whom it comes from, so the template's own words never fit there.
async fn allow_mails(emulator: &Emulator, deployed: &Deployed) -> Result<()> {
    let asked = ["health", "setup"].map(|function| {
        json!({ "service": "lambda", "operation": "GetFunctionConfiguration", "parameters": {
            "FunctionName": deployed.functions[function],
        } })
    });
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": "ses:SendEmail", "Resource": "*" }],
    });
    let mut allow = vec![];
    for answer in emulator.have_done(&asked).await? {
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
    emulator.have_done(&allow).await?;
    Ok(())
}

impl EmptyStack {
    /// Writes what the functions logged beside the other logs, for whoever looks why something was not seen. What cannot be had is
    /// left out: this is called when something is broken already.
    pub(crate) async fn save_function_logs(&self) {
        for (function, deployed) in &self.deployed.functions {
            let group = format!("/aws/lambda/{deployed}");
            let query = "events[].message";
            let asked = [
                "logs",
                "filter-log-events",
                "--log-group-name",
                &group,
                "--query",
                query,
                "--output",
                "json",
            ];
            let Ok(answer) = self.emulator.aws(&asked).await else {
                continue;
            };
            let lines: Vec<String> = serde_json::from_str(&answer).unwrap_or_default();
            let log = self.folder.path().join(format!("{function}.log"));
            if fs::write(&log, lines.join("\n")).is_ok() {
                eprintln!("what {function} logged is in {}", log.display());
            }
        }
    }
}

/// The folder of a run's logs and packages: fresh, and nobody else's while this value lives.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// The folder of a run of this name.
    ///
    /// # Errors
    /// When such a run is going on in this clone.
    pub(crate) fn of(run: &str) -> Result<Self> {
        let local = config::target("local");
        fs::create_dir_all(&local)?;
        let lock = File::create(local.join(format!("{run}.lock")))?;
        if lock.try_lock().is_err() {
            bail!("`{run}` is running in this clone already: stop it first");
        }
        let path = local.join(run);
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir_all(&path)?;
        Ok(Self { path, _lock: lock })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}
