//! `cargo xtask lint`: formatting, clippy and the template.

use anyhow::{Context, Result};

use crate::config;
use crate::process::{read, run as run_program};
use crate::progress::step;
use crate::venv::{CFN_LINT, SAM, Venv};

const TEMPLATE: &str = "infra/template.yaml";
/// The region whose resource types the template is checked against; the newest features are there first.
const REGION: &str = "us-east-1";

/// Everything that is wrong without running anything.
pub(crate) async fn run() -> Result<()> {
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
    template().await
}

/// Two linters, since neither finds what the other does.
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
    Ok(())
}
