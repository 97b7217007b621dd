//! Two public ConnectWise clients that nobody here wrote, held against the simulator: it must speak what they understand.

use std::fs;

use anyhow::Result;
use connectwise_sim::{Seed, Simulator};
use tokio::process::Command;

use crate::config;
use crate::process::read_aloud;
use crate::progress::step;
use crate::venv::{CLIENTS, Venv};

/// Where the scripts are, from the repository's root.
const SCRIPTS: &str = "tests/connectwise-sim/clients";

/// Installs both clients, pinned, under `target/`, and lets them work.
///
/// # Errors
/// When one cannot be installed, or meets what it does not understand.
pub(crate) async fn run() -> Result<()> {
    let scripts = config::root().join(SCRIPTS);
    let venv = Venv::with(CLIENTS).await?;
    // npm writes beside the scripts, and nothing is written into the tree.
    let node = config::target("clients/node");
    fs::create_dir_all(&node)?;
    for file in fs::read_dir(scripts.join("node"))? {
        let file = file?;
        fs::copy(file.path(), node.join(file.file_name()))?;
    }
    let mut npm = venv.tool("npm");
    npm.current_dir(&node)
        .env("PATH", config::path_with(&venv.bin()))
        .args(["ci", "--no-audit", "--no-fund"]);
    step("installing the Node client", read_aloud("npm ci", npm)).await?;

    let site = Simulator::start(Seed::demo(), ([127, 0, 0, 1], 0).into()).await?;
    let mut python = Command::new(venv.bin().join("python"));
    python
        .arg("-B")
        .arg(scripts.join("python/check.py"))
        .arg(site.base_url());
    let said = step("pyconnectwise", read_aloud("pyconnectwise", python)).await?;
    println!("  {}", last_line(&said));
    let mut javascript = venv.tool("node");
    javascript.arg(node.join("check.mjs")).arg(site.base_url());
    let said = step(
        "connectwise-rest",
        read_aloud("connectwise-rest", javascript),
    )
    .await?;
    println!("  {}", last_line(&said));
    site.stop().await;
    Ok(())
}

fn last_line(text: &str) -> &str {
    text.trim().lines().last().unwrap_or_default()
}
