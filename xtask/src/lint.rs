//! `cargo xtask lint`: formatting, clippy, the template and what comes in from outside.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::timeout;

use crate::cargo_tool::DENY;
use crate::config;
use crate::process::{read, run as run_program};
use crate::progress::step;
use crate::venv::{CFN_LINT, CHECKOV, SAM, Venv};

const TEMPLATE: &str = "infra/template.yaml";
/// The region whose resource types the template is checked against; the newest features are there first.
const REGION: &str = "us-east-1";

/// How long the advisories may take to arrive: some seconds where they can be had.
const FETCHED_WITHIN: Duration = Duration::from_secs(90);

/// Everything that is wrong without running anything.
pub(crate) async fn run() -> Result<()> {
    tell(&check().await?);
    Ok(())
}

/// Says loudly what could not be checked.
pub(crate) fn tell(unchecked: &[String]) {
    for what in unchecked {
        eprintln!("\nNOT CHECKED: {what}\n");
    }
}

/// As `run`; answers what could not be checked here.
///
/// # Errors
/// At the first thing that is wrong.
pub(crate) async fn check() -> Result<Vec<String>> {
    step("formatting", async {
        let fmt = config::cargo(&["fmt", "--all", "--check"]);
        run_program("cargo fmt", fmt)
            .await
            .context("`cargo fmt --all` mends it")
    })
    .await?;
    let clippy = config::cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ]);
    step("clippy", run_program("cargo clippy", clippy)).await?;
    template().await?;
    dependencies().await
}

/// Three linters, since none finds what the others do: cfn-lint knows what CloudFormation takes, SAM its own transform, checkov what
/// is not safe.
async fn template() -> Result<()> {
    let cfn_lint = Venv::with(CFN_LINT).await?;
    step("cfn-lint", async {
        let mut command = cfn_lint.tool("cfn-lint");
        command
            .current_dir(config::root())
            .args(["--regions", REGION, "--template", TEMPLATE]);
        run_program("cfn-lint", command).await
    })
    .await?;
    let sam = Venv::with(SAM).await?;
    step("sam validate", async {
        let mut command = sam.tool("sam");
        command
            .current_dir(config::root())
            .env("SAM_CLI_TELEMETRY", "0")
            .args(["validate", "--region", REGION, "--template-file", TEMPLATE]);
        read("sam validate", command).await
    })
    .await?;
    let checkov = Venv::with(CHECKOV).await?;
    // What it must not mind stands in the template, each with its reason.
    step("checkov", async {
        let mut command = checkov.tool("checkov");
        command
            .current_dir(config::root())
            .args(["--framework", "cloudformation", "--skip-download"])
            .args(["--compact", "--quiet", "--file", TEMPLATE]);
        run_program("checkov", command).await
    })
    .await
}

/// What deny.toml says, for which the lock file is enough; and what became known of it since, which only its database tells.
async fn dependencies() -> Result<Vec<String>> {
    let deny = DENY.ready().await?;
    let check = |what: &[&str]| {
        let mut command = deny.command();
        // A warning is what nobody reads.
        command
            .args([
                "--locked",
                "--log-level",
                "warn",
                "check",
                "-D",
                "warnings",
                "--hide-inclusion-graph",
            ])
            .args(what);
        run_program("cargo deny", command)
    };
    step(
        "dependencies: bans, licences, sources",
        check(&["bans", "licenses", "sources"]),
    )
    .await?;
    let mut fetch = deny.command();
    fetch
        .args(["fetch", "db"])
        // Nobody is there to be asked for a password.
        .env("GIT_TERMINAL_PROMPT", "0");
    let fetched = match timeout(FETCHED_WITHIN, read("cargo deny fetch", fetch)).await {
        Ok(fetched) => fetched.map(drop),
        Err(late) => Err(late.into()),
    };
    if let Err(why) = fetched {
        let why = format!(
            "the dependencies' known vulnerabilities and yanked versions. The advisory database is not to be had from here; \
             run `cargo xtask lint` where github.com can be reached.\n{why}"
        );
        return Ok(vec![why]);
    }
    step("dependencies: advisories", check(&["advisories"])).await?;
    Ok(Vec::new())
}
