//! `cargo xtask lint`: formatting, clippy, the API's document, the template, the files for
//! releases, the documentation and the dependencies.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use local_stack::environment;
use local_stack::process::{capture, run as run_program};
use local_stack::progress::step;
use local_stack::venv::{PythonTools, Venv};
use tokio::time::timeout;

use crate::api_tests;
use crate::programs::Architecture;
use crate::tool::{DENY, SHEAR, ZIZMOR};
use crate::{docs, release};

const TEMPLATE: &str = "infra/template.yaml";
/// The region whose resource types the template is checked against: it has new features first.
const REGION: &str = "us-east-1";

/// The time limit for fetching the advisories, which takes some seconds where it works.
const FETCH_WITHIN: Duration = Duration::from_secs(90);

/// In an environment of its own: newer versions, such as the SAM CLI installs, no longer run the
/// SAM transform and miss most mistakes.
const CFN_LINT: PythonTools = PythonTools {
    name: "cfn-lint",
    requirements: &["cfn-lint==1.51.0"],
    file: "",
};

pub(crate) const SAM: PythonTools = PythonTools {
    name: "sam",
    requirements: &["aws-sam-cli==1.170.0"],
    file: "",
};

/// In an environment of its own: it pins many packages that the other tools need newer.
const CHECKOV: PythonTools = PythonTools {
    name: "checkov",
    requirements: &["checkov==3.3.30"],
    file: "",
};

/// Checkers of the workflow and the Terraform module. None of them needs the network.
const RELEASE_LINTERS: PythonTools = PythonTools {
    name: "release-linters",
    requirements: &["check-jsonschema==0.39.0", "python-hcl2==8.1.4"],
    file: "",
};
/// The workflows, and the Terraform module, from the repository's root.
const WORKFLOWS: &str = ".github/workflows";
const TERRAFORM: &str = "infra/terraform";

pub(crate) async fn run() -> Result<()> {
    print_unchecked(&check().await?);
    Ok(())
}

pub(crate) fn print_unchecked(unchecked: &[String]) {
    for what in unchecked {
        eprintln!("\nNOT CHECKED: {what}\n");
    }
}

/// Returns what could not be checked on this machine.
///
/// # Errors
/// At the first problem.
pub(crate) async fn check() -> Result<Vec<String>> {
    step("formatting", async {
        let fmt = environment::cargo(&["fmt", "--all", "--check"]);
        run_program("cargo fmt", fmt)
            .await
            .context("`cargo fmt --all` fixes it")
    })
    .await?;
    let mut clippy = environment::cargo(&["clippy", "--workspace", "--all-targets", "--quiet"]);
    clippy.args(["--", "-D", "warnings"]);
    step("clippy", run_program("cargo clippy", clippy)).await?;
    api_tests::validate().await?;
    template().await?;
    release_files().await?;
    docs::build().await?;
    unused_dependencies().await?;
    dependencies().await
}

/// Three linters, since each finds what the others miss: cfn-lint knows what CloudFormation
/// accepts, SAM its own transform, and checkov insecure settings.
async fn template() -> Result<()> {
    let cfn_lint = Venv::ensure(CFN_LINT).await?;
    let released = released_template()?;
    step("cfn-lint", async {
        let mut command = cfn_lint.tool("cfn-lint");
        command
            .current_dir(environment::root())
            .args(["--regions", REGION, "--template", TEMPLATE])
            .arg(released);
        run_program("cfn-lint", command).await
    })
    .await?;
    let sam = Venv::ensure(SAM).await?;
    step("sam validate", async {
        let mut command = sam.tool("sam");
        command
            .current_dir(environment::root())
            .env("SAM_CLI_TELEMETRY", "0")
            .args(["validate", "--region", REGION, "--template-file", TEMPLATE]);
        capture("sam validate", command).await
    })
    .await?;
    let checkov = Venv::ensure(CHECKOV).await?;
    // The template suppresses single findings, each with its reason.
    step("checkov", async {
        let mut command = checkov.tool("checkov");
        command
            .current_dir(environment::root())
            .args(["--framework", "cloudformation", "--skip-download"])
            .args(["--compact", "--quiet", "--file", TEMPLATE]);
        run_program("checkov", command).await
    })
    .await
}

/// Writes the template as a release has it, and returns its path.
fn released_template() -> Result<PathBuf> {
    let template = fs::read_to_string(environment::root().join(TEMPLATE))?;
    let released = release::template::released(&template, release::VERSION, &Architecture::ALL)?;
    let folder = environment::target("local");
    fs::create_dir_all(&folder)?;
    let path = folder.join("released-template.yaml");
    fs::write(&path, released)?;
    Ok(path)
}

/// The workflow by its schema and for insecure steps, and the Terraform module by its syntax.
async fn release_files() -> Result<()> {
    let linters = Venv::ensure(RELEASE_LINTERS).await?;
    let (workflows, module) = (files_in(WORKFLOWS, "yml")?, files_in(TERRAFORM, "tf")?);
    step("workflows", async {
        let mut schema = linters.tool("check-jsonschema");
        schema
            .args(["--builtin-schema", "vendor.github-workflows"])
            .args(&workflows);
        run_program("check-jsonschema", schema).await?;
        let mut zizmor = ZIZMOR.command().await?;
        zizmor.args(["--offline", "--quiet"]).args(&workflows);
        run_program("zizmor", zizmor).await
    })
    .await?;
    step("the Terraform module", async {
        for file in &module {
            let mut parse = linters.tool("hcl2tojson");
            parse.arg(file);
            capture("hcl2tojson", parse)
                .await
                .with_context(|| format!("{} is not valid", file.display()))?;
        }
        Ok(())
    })
    .await
}

/// The files of a folder with this ending.
///
/// # Errors
/// When there is none, so that a moved folder is noticed.
fn files_in(folder: &str, ending: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(environment::root().join(folder));
    let entries = entries.with_context(|| format!("cannot read {folder}"))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<Result<Vec<_>, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|found| found == ending));
    ensure!(!paths.is_empty(), "{folder} has no file *.{ending}");
    paths.sort();
    Ok(paths)
}

async fn unused_dependencies() -> Result<()> {
    let mut shear = SHEAR.command().await?;
    shear.args(["--locked", "--deny-warnings"]);
    step("dependencies: unused", capture("cargo shear", shear)).await?;
    Ok(())
}

/// First the rules of deny.toml, which need only the lock file, then the advisories, which need
/// their database.
async fn dependencies() -> Result<Vec<String>> {
    check_dependencies(&["bans", "licenses", "sources"]).await?;
    let mut fetch = DENY.command().await?;
    fetch
        .args(["fetch", "db"])
        // Fail instead of asking for a password.
        .env("GIT_TERMINAL_PROMPT", "0");
    let fetched = match timeout(FETCH_WITHIN, capture("cargo deny fetch", fetch)).await {
        Ok(fetched) => fetched.map(drop),
        Err(late) => Err(late.into()),
    };
    if let Err(reason) = fetched {
        let unchecked = format!(
            "known vulnerabilities and yanked versions of the dependencies. The advisory database \
             cannot be fetched from here; run `cargo xtask lint` where github.com is \
             reachable.\n{reason}"
        );
        return Ok(vec![unchecked]);
    }
    check_dependencies(&["advisories"]).await?;
    Ok(Vec::new())
}

async fn check_dependencies(what: &[&str]) -> Result<()> {
    let mut deny = DENY.command().await?;
    deny.args(["--locked", "--log-level", "warn", "check"])
        .args(["-D", "warnings", "--hide-inclusion-graph"])
        .args(what);
    let title = format!("dependencies: {}", what.join(", "));
    step(&title, run_program("cargo deny", deny)).await
}
