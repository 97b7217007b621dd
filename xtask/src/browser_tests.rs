//! `cargo xtask browser`: tries the partner's page in Chromium. The tests are Python, in
//! `tests/browser`; this starts the stacks that they use and says where they are.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use local_stack::debian::DebianProgram;
use local_stack::empty_stack::{EmptyStack, StackTimes};
use local_stack::emulator::{REGION, ROOT_KEY};
use local_stack::environment;
use local_stack::process::run as run_program;
use local_stack::run_folder::RunFolder;
use local_stack::venv::{PythonTools, Venv};
use serde_json::{Value, json};

/// pytest, Playwright, and axe-core. Chromium comes from the system.
const TOOLS: PythonTools = PythonTools {
    name: "browser",
    requirements: &[
        "playwright==1.65.2",
        "pytest==9.2.0",
        "pytest-xdist==3.8.0",
        "axe-playwright-python==0.1.8",
        "botocore==1.44.8",
        "urllib3==2.8.0",
    ],
    file: "",
};

/// Where the tests are, from the repository's root.
const TESTS: &str = "tests/browser";
/// The table of the documents' pictures: each file, and the inspection that it is from.
const PICTURES: &str = include_str!("../../tests/browser/pictures.json");
/// Where the documents find them, from the repository's root.
const SCREENS: &str = "docs/screens";
/// The variable in which the tests find the file that describes the stacks, one for each worker.
const STACKS: &str = "TICKETBRIDGE_STACKS";
/// How many files of tests run side by side. Each worker has a stack of its own, since tests switch
/// faults of ConnectWise on.
const WORKERS: usize = 2;

/// Playwright drives it, and does not bring it. Without a font every letter is a box.
const CHROMIUM: DebianProgram = DebianProgram {
    program: "chromium",
    packages: &["chromium", "fonts-dejavu-core"],
};

#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct BrowserOptions {
    /// After all tests have passed, replace the pictures in docs/screens by those of this run
    #[arg(long)]
    pictures: bool,
    /// Arguments for pytest, such as `-k boards`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pytest: Vec<String>,
}

/// Runs the tests against fresh stacks that have no partner. A selection of them runs with one
/// worker, and so in its order.
///
/// # Errors
/// When Chromium cannot be installed, a stack does not start, or a test fails.
pub(crate) async fn run(options: &BrowserOptions) -> Result<()> {
    let folder = RunFolder::create("browser")?;
    CHROMIUM.ensure(folder.path()).await?;
    let venv = Venv::ensure(TOOLS).await?;
    let workers = match options.pytest.is_empty() {
        true => WORKERS,
        false => 1,
    };
    let mut stacks = Vec::new();
    for worker in 0..workers {
        let run = format!("browser-{worker}");
        stacks.push(EmptyStack::start(&run, StackTimes::DEMO, 0).await?);
    }
    let description = folder.path().join("stacks.json");
    let described: Vec<Value> = stacks.iter().map(describe).collect();
    fs::write(&description, format!("{:#}\n", json!(described)))
        .context("cannot write the description of the stacks")?;
    let mut pytest = venv.python();
    // -B: no compiled files beside the tests.
    pytest
        .args(["-B", "-m", "pytest"])
        .arg(environment::root().join(TESTS))
        .args(&options.pytest)
        .env_clear()
        .envs(environment::bare_environment())
        .env(STACKS, &description);
    if workers > 1 {
        // The tests of a file are steps, each of which begins where the one before it ended.
        pytest.args(["--numprocesses", &workers.to_string(), "--dist", "loadfile"]);
    }
    println!("- the partner's page in Chromium");
    let tested = run_program("pytest", pytest).await;
    if tested.is_err() {
        for stack in &stacks {
            stack.save_function_logs().await;
        }
    }
    println!(
        "  screenshots of each page are in {}",
        folder.path().join("screens").display()
    );
    tested?;
    if options.pictures {
        replace_pictures(&folder.path().join("pictures"))?;
    }
    Ok(())
}

/// Replaces all pictures of the documents, or none if a selection of the tests did not make all.
fn replace_pictures(taken: &Path) -> Result<()> {
    let table: BTreeMap<String, Value> = serde_json::from_str(PICTURES)?;
    let mut pictures = Vec::new();
    for file in table.into_keys() {
        let missing = || format!("no test made the picture {file}: run all tests (without -k)");
        pictures.push((fs::read(taken.join(&file)).with_context(missing)?, file));
    }
    let screens = environment::root().join(SCREENS);
    for (picture, file) in &pictures {
        fs::write(screens.join(file), picture).with_context(|| format!("cannot write {file}"))?;
    }
    println!("- {} pictures in {SCREENS} are of this run", pictures.len());
    Ok(())
}

/// What the tests need to know. The names are those of the `stack.json` of `cargo xtask up`.
fn describe(stack: &EmptyStack) -> Value {
    let operator = stack.operator.keys();
    let integration = &stack.simulator.integration;
    json!({
        "origin": stack.proxy.origin(),
        "operator_url": stack.operator.url(),
        "operator": {
            "access_key_id": operator.access_key_id(),
            "secret_access_key": operator.secret_access_key(),
        },
        "aws_endpoint_url": stack.emulator.endpoint(),
        "aws_region": REGION,
        "aws_root_key": ROOT_KEY,
        "mail_url": stack.emulator.mail_url(),
        "connectwise": {
            "base_url": stack.simulator.origin(),
            "company_id": integration.company_id,
            "public_key": integration.public_key,
            "private_key": integration.private_key,
            "client_id": integration.client_id,
        },
        "alerts_table": stack.deployed.alerts_table,
        "config_table": stack.deployed.config_table,
    })
}
