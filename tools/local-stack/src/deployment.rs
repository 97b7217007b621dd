//! Deploys `infra/template.yaml` to the emulator as it is deployed to AWS: package, then deploy,
//! with the AWS CLI.
//!
//! The SDK's crates for CloudFormation and S3 would do too, but they are among its largest: every
//! fresh build would compile them for five calls that take half a second each, and packaging would
//! remain to be written.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::emulator::Emulator;
use crate::environment;

/// The template's functions, by the names of their programs.
pub const FUNCTIONS: [&str; 6] = [
    "ingest",
    "tickets",
    "reconcile",
    "health",
    "deliveries",
    "setup",
];

pub const STACK: &str = "ticketbridge-local";
const BUCKET: &str = "ticketbridge-code";

/// The resources that the template created.
#[derive(Debug)]
pub struct DeployedStack {
    /// The id of the HTTP API.
    pub api_id: String,
    pub queue_url: String,
    pub dead_letter_queue_url: String,
    pub delivery_queue_url: String,
    pub delivery_dead_letter_queue_url: String,
    pub alerts_table: String,
    pub config_table: String,
    pub access_table: String,
    pub deliveries_table: String,
    /// Precedes `connection/` and `source/` in the names of secrets.
    pub secret_prefix: String,
    /// How long entries of a history are stored.
    pub history_days: String,
    /// The deployed name of each function.
    pub functions: BTreeMap<String, String>,
    /// The environment variables of each function.
    pub variables: BTreeMap<String, BTreeMap<String, String>>,
}

impl DeployedStack {
    /// An environment variable of a function.
    pub fn variable(&self, function: &str, name: &str) -> Result<&str> {
        let value = self
            .variables
            .get(function)
            .and_then(|variables| variables.get(name));
        value
            .map(String::as_str)
            .with_context(|| format!("the template gives {function} no {name}"))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StackOutput {
    output_key: String,
    output_value: String,
}

#[derive(Deserialize)]
struct FunctionVariables {
    name: String,
    variables: BTreeMap<String, String>,
}

/// Deploys the template with each function's package from `folder`.
///
/// # Errors
/// When a step fails, with the CLI's message.
pub async fn deploy(
    emulator: &Emulator,
    folder: &Path,
    parameters: &[(&str, String)],
) -> Result<DeployedStack> {
    let source = environment::root().join("infra/template.yaml");
    let template =
        fs::read_to_string(&source).with_context(|| format!("cannot read {}", source.display()))?;
    let local = folder.join("template.yaml");
    fs::write(&local, with_packages(&template, folder)?)?;
    let packaged = folder.join("packaged.yaml");

    emulator
        .aws(&["s3", "mb", &format!("s3://{BUCKET}")])
        .await?;
    let (local, packaged) = (local.to_string_lossy(), packaged.to_string_lossy());
    let mut package = vec!["cloudformation", "package"];
    package.extend(["--template-file", &local, "--s3-bucket", BUCKET]);
    package.extend(["--output-template-file", &packaged]);
    emulator.aws(&package).await?;

    let parameters: Vec<_> = parameters
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut deploy = vec!["cloudformation", "deploy"];
    deploy.extend(["--template-file", &packaged, "--stack-name", STACK]);
    // A template of more than 51,200 bytes must be deployed from a bucket.
    deploy.extend(["--s3-bucket", BUCKET]);
    deploy.extend(["--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]);
    deploy.push("--parameter-overrides");
    deploy.extend(parameters.iter().map(String::as_str));
    if let Err(error) = emulator.aws(&deploy).await {
        let describe = [
            "cloudformation",
            "describe-stack-events",
            "--stack-name",
            STACK,
        ];
        let events = emulator.aws(&describe).await;
        bail!("{error:#}\n{}", events.unwrap_or_default());
    }
    describe(emulator).await
}

async fn describe(emulator: &Emulator) -> Result<DeployedStack> {
    let command = ["cloudformation", "describe-stacks", "--stack-name", STACK];
    let outputs: Vec<StackOutput> = query(emulator, &command, "Stacks[0].Outputs").await?;
    let outputs: BTreeMap<_, _> = outputs
        .into_iter()
        .map(|o| (o.output_key, o.output_value))
        .collect();
    let output = |name: &str| {
        outputs
            .get(name)
            .cloned()
            .with_context(|| format!("the template has no output {name}"))
    };
    let functions = FUNCTIONS.map(|function| {
        let (first, rest) = function.split_at(1);
        let name = output(&format!("{}{rest}FunctionName", first.to_uppercase()))?;
        Ok((function.to_owned(), name))
    });
    let functions = functions.into_iter().collect::<Result<BTreeMap<_, _>>>()?;
    let members = "Functions[].{name: FunctionName, variables: Environment.Variables}";
    let listed: Vec<FunctionVariables> =
        query(emulator, &["lambda", "list-functions"], members).await?;
    let mut listed: BTreeMap<_, _> = listed
        .into_iter()
        .map(|function| (function.name, function.variables))
        .collect();
    let variables = functions
        .iter()
        .map(|(name, deployed)| (name.clone(), listed.remove(deployed).unwrap_or_default()))
        .collect();
    Ok(DeployedStack {
        api_id: output("ApiId")?,
        queue_url: output("QueueUrl")?,
        dead_letter_queue_url: output("DeadLetterQueueUrl")?,
        delivery_queue_url: output("DeliveryQueueUrl")?,
        delivery_dead_letter_queue_url: output("DeliveryDeadLetterQueueUrl")?,
        alerts_table: output("AlertsTableName")?,
        config_table: output("ConfigTableName")?,
        access_table: output("AccessTableName")?,
        deliveries_table: output("DeliveriesTableName")?,
        secret_prefix: output("SecretPrefix")?,
        history_days: output("HistoryDays")?,
        functions,
        variables,
    })
}

/// Runs a command of the CLI and parses the queried part of its answer.
async fn query<T: DeserializeOwned>(
    emulator: &Emulator,
    command: &[&str],
    query: &str,
) -> Result<T> {
    let arguments = [command, &["--query", query, "--output", "json"]].concat();
    let answer = emulator.aws(&arguments).await?;
    serde_json::from_str(&answer)
        .with_context(|| format!("cannot parse the answer to `aws {}`", command.join(" ")))
}

/// The template with each function's `CodeUri` pointing at its package in `folder`.
fn with_packages(template: &str, folder: &Path) -> Result<String> {
    replace_code_uris(template, |function| {
        folder.join(format!("{function}.zip")).display().to_string()
    })
}

/// The template with another `CodeUri` for each function instead of the sources, as `sam build`
/// does it. Nothing else changes.
///
/// # Errors
/// When the template has other functions than [`FUNCTIONS`].
pub fn replace_code_uris(template: &str, code_uri: impl Fn(&str) -> String) -> Result<String> {
    let mut packages = Vec::new();
    let mut lines = Vec::new();
    let mut binary = None;
    for line in template.lines() {
        let text = line.trim();
        let is_resource = line.starts_with("  ") && !line.starts_with("   ") && text.ends_with(':');
        if is_resource {
            binary = None;
        }
        if let Some((_, rest)) = text.split_once("Binary:") {
            binary = Some(rest.trim_matches([' ', '}']).to_owned());
        }
        if text.starts_with("CodeUri:") {
            let binary = binary
                .take()
                .context("the template has a CodeUri without a Binary before it")?;
            let indent = &line[..line.len() - text.len()];
            lines.push(format!("{indent}CodeUri: {}", code_uri(&binary)));
            packages.push(binary);
        } else {
            lines.push(line.to_owned());
        }
    }
    ensure!(
        packages == FUNCTIONS,
        "the template packages {packages:?}, local-stack {FUNCTIONS:?}: name every function in both"
    );
    lines.push(String::new());
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_code_uris_of_the_template_change() {
        let template = environment::root().join("infra/template.yaml");
        let template = fs::read_to_string(template).unwrap();
        let local = with_packages(&template, Path::new("/somewhere")).unwrap();
        let changed: Vec<_> = template
            .lines()
            .zip(local.lines())
            .filter(|(before, after)| before != after)
            .map(|(before, after)| format!("{} -> {}", before.trim(), after.trim()))
            .collect();
        assert_eq!(
            changed,
            [
                "CodeUri: .. -> CodeUri: /somewhere/ingest.zip",
                "CodeUri: .. -> CodeUri: /somewhere/tickets.zip",
                "CodeUri: .. -> CodeUri: /somewhere/reconcile.zip",
                "CodeUri: .. -> CodeUri: /somewhere/health.zip",
                "CodeUri: .. -> CodeUri: /somewhere/deliveries.zip",
                "CodeUri: .. -> CodeUri: /somewhere/setup.zip",
            ]
        );
        assert_eq!(template.lines().count(), local.lines().count());
    }
}
