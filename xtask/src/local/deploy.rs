//! Deploying `infra/template.yaml` to the emulator the way it is deployed to AWS: package, then deploy, with the AWS CLI.
//!
//! The CLI, and not the SDK's CloudFormation and S3 crates: those are among its largest, and every fresh build would pay for five
//! calls that take half a second each; and packaging is the CLI's own trade.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::config;
use crate::local::emulator::Emulator;

/// The functions of the template, by the names of their programs.
pub(crate) const FUNCTIONS: [&str; 5] = ["ingest", "tickets", "reconcile", "health", "setup"];

pub(crate) const STACK: &str = "ticketbridge-local";
const BUCKET: &str = "ticketbridge-code";

/// What the template made.
#[derive(Debug)]
pub(crate) struct Deployed {
    /// The HTTP API.
    pub(crate) api_id: String,
    /// Where events wait.
    pub(crate) queue_url: String,
    /// Where dead letters are.
    pub(crate) dead_letter_queue_url: String,
    /// The alert records.
    pub(crate) alerts_table: String,
    /// Settings and mappings, and what functions note of partners.
    pub(crate) config_table: String,
    /// Who may act for which partner.
    pub(crate) access_table: String,
    /// The deployed name of each function.
    pub(crate) functions: BTreeMap<String, String>,
    /// The variables that the template gave each function.
    pub(crate) variables: BTreeMap<String, BTreeMap<String, String>>,
}

impl Deployed {
    /// A variable of a function, as the template set it.
    pub(crate) fn variable(&self, function: &str, name: &str) -> Result<&str> {
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
struct Output {
    output_key: String,
    output_value: String,
}

#[derive(Deserialize)]
struct Configured {
    name: String,
    variables: BTreeMap<String, String>,
}

/// Deploys the template with each function's package from `folder`.
///
/// # Errors
/// When a step fails, with the CLI's words.
pub(crate) async fn deploy(
    emulator: &Emulator,
    folder: &Path,
    parameters: &[(&str, String)],
) -> Result<Deployed> {
    let source = config::root().join("infra/template.yaml");
    let template =
        fs::read_to_string(&source).with_context(|| format!("cannot read {}", source.display()))?;
    let local = folder.join("template.yaml");
    fs::write(&local, with_packages(&template, folder)?)?;
    let packaged = folder.join("packaged.yaml");

    emulator
        .aws(&["s3", "mb", &format!("s3://{BUCKET}")])
        .await?;
    let (local, packaged) = (local.to_string_lossy(), packaged.to_string_lossy());
    let mut package = vec![
        "cloudformation",
        "package",
        "--template-file",
        &local,
        "--s3-bucket",
        BUCKET,
    ];
    package.extend(["--output-template-file", &packaged]);
    emulator.aws(&package).await?;

    let parameters: Vec<_> = parameters
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut deploy = vec![
        "cloudformation",
        "deploy",
        "--template-file",
        &packaged,
        "--stack-name",
        STACK,
        // A template of more than 51,200 bytes is deployed from a bucket.
        "--s3-bucket",
        BUCKET,
    ];
    deploy.extend([
        "--capabilities",
        "CAPABILITY_IAM",
        "CAPABILITY_AUTO_EXPAND",
        "--parameter-overrides",
    ]);
    deploy.extend(parameters.iter().map(String::as_str));
    if let Err(error) = emulator.aws(&deploy).await {
        let events = emulator
            .aws(&[
                "cloudformation",
                "describe-stack-events",
                "--stack-name",
                STACK,
            ])
            .await;
        bail!("{error:#}\n{}", events.unwrap_or_default());
    }
    describe(emulator).await
}

async fn describe(emulator: &Emulator) -> Result<Deployed> {
    let query = "Stacks[0].Outputs";
    let outputs = emulator
        .aws(&[
            "cloudformation",
            "describe-stacks",
            "--stack-name",
            STACK,
            "--query",
            query,
            "--output",
            "json",
        ])
        .await?;
    let outputs: Vec<Output> =
        serde_json::from_str(&outputs).context("the stack's outputs cannot be read")?;
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

    let functions = BTreeMap::from([
        ("ingest".to_owned(), output("IngestFunctionName")?),
        ("tickets".to_owned(), output("TicketsFunctionName")?),
        ("reconcile".to_owned(), output("ReconcileFunctionName")?),
        ("health".to_owned(), output("HealthFunctionName")?),
        ("setup".to_owned(), output("SetupFunctionName")?),
    ]);
    let query = "Functions[].{name: FunctionName, variables: Environment.Variables}";
    let answer = emulator
        .aws(&[
            "lambda",
            "list-functions",
            "--query",
            query,
            "--output",
            "json",
        ])
        .await?;
    let answer: Vec<Configured> =
        serde_json::from_str(&answer).context("the functions' variables cannot be read")?;
    let mut configured: BTreeMap<_, _> = answer
        .into_iter()
        .map(|of| (of.name, of.variables))
        .collect();
    let variables = functions
        .iter()
        .map(|(name, deployed)| {
            (
                name.clone(),
                configured.remove(deployed).unwrap_or_default(),
            )
        })
        .collect();
    Ok(Deployed {
        api_id: output("ApiId")?,
        queue_url: output("QueueUrl")?,
        dead_letter_queue_url: output("DeadLetterQueueUrl")?,
        alerts_table: output("AlertsTableName")?,
        config_table: output("ConfigTableName")?,
        access_table: output("AccessTableName")?,
        functions,
        variables,
    })
}

/// The template with nothing changed but each function's `CodeUri`, which names its package instead of the sources: what
/// `sam build` does too.
fn with_packages(template: &str, folder: &Path) -> Result<String> {
    let mut packed = Vec::new();
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
                .context("in the template a CodeUri has no Binary before it")?;
            let indent = &line[..line.len() - text.len()];
            lines.push(format!(
                "{indent}CodeUri: {}",
                folder.join(format!("{binary}.zip")).display()
            ));
            packed.push(binary);
        } else {
            lines.push(line.to_owned());
        }
    }
    ensure!(
        packed == FUNCTIONS,
        "the template packs {packed:?}, xtask {FUNCTIONS:?}: name every function in both"
    );
    lines.push(String::new());
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_code_uris_of_the_template_change() {
        let template = fs::read_to_string(config::root().join("infra/template.yaml")).unwrap();
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
                "CodeUri: .. -> CodeUri: /somewhere/setup.zip",
            ]
        );
        assert_eq!(template.lines().count(), local.lines().count());
    }
}
