//! The stack that a command works on: a deployed one, or the one that `cargo xtask up` runs.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use aws::startup::{self, Account};
use aws_credential_types::Credentials;
use aws_types::SdkConfig;
use domain::wire::transport::is_protected;
use serde::Deserialize;

use crate::aws_environment::AwsEnvironment;

/// What `cargo xtask up` writes about the stack that it runs, below the clone's root.
const STACK_FILE: &str = "target/local/stack.json";
/// Key and secret of the emulator's root account, and its region.
const LOCAL_KEY: &str = "test";
const LOCAL_REGION: &str = "us-east-1";

/// Without any of these the command works on the stack that `cargo xtask up` runs.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct TargetOptions {
    /// A deployed stack; CloudFormation lists its queues and tables
    #[arg(long, value_name = "NAME")]
    pub stack_name: Option<String>,
    /// The event queue; this and the next four can replace the stack's name
    #[arg(long, value_name = "URL", conflicts_with = "stack_name")]
    pub queue_url: Option<String>,
    /// The dead-letter queue
    #[arg(long, value_name = "URL", conflicts_with = "stack_name")]
    pub dead_letter_queue_url: Option<String>,
    /// The stack's output `AlertsTableName`
    #[arg(long, value_name = "NAME", conflicts_with = "stack_name")]
    pub alerts_table: Option<String>,
    /// The stack's output `ConfigTableName`
    #[arg(long, value_name = "NAME", conflicts_with = "stack_name")]
    pub config_table: Option<String>,
    /// The stack's output `AccessTableName`
    #[arg(long, value_name = "NAME", conflicts_with = "stack_name")]
    pub access_table: Option<String>,
    /// The profile of your AWS configuration; needs version 2 of the AWS CLI
    #[arg(long)]
    pub profile: Option<String>,
    /// The region, if your AWS configuration has none
    #[arg(long)]
    pub region: Option<String>,
    /// Another address than AWS's own
    #[arg(long, value_name = "URL")]
    pub endpoint_url: Option<String>,
}

/// Queues and tables, and the credentials to use them.
#[derive(Debug)]
pub struct TargetStack {
    pub aws: SdkConfig,
    /// By the names of the template's outputs.
    outputs: BTreeMap<String, String>,
}

/// The members of the stack file that are needed here.
#[derive(Deserialize)]
struct RunningStack {
    aws_endpoint_url: String,
    queue_url: String,
    dead_letter_queue_url: String,
    alerts_table: String,
    config_table: String,
    access_table: String,
}

impl TargetStack {
    /// Queues and tables by the names of the template's outputs.
    pub fn new(aws: SdkConfig, outputs: BTreeMap<String, String>) -> Self {
        Self { aws, outputs }
    }

    pub fn queue_url(&self) -> Result<&str> {
        self.output("QueueUrl", "--queue-url")
    }

    pub fn dead_letter_queue_url(&self) -> Result<&str> {
        self.output("DeadLetterQueueUrl", "--dead-letter-queue-url")
    }

    pub fn alerts_table(&self) -> Result<&str> {
        self.output("AlertsTableName", "--alerts-table")
    }

    pub fn config_table(&self) -> Result<&str> {
        self.output("ConfigTableName", "--config-table")
    }

    pub fn access_table(&self) -> Result<&str> {
        self.output("AccessTableName", "--access-table")
    }

    fn output(&self, name: &str, option: &str) -> Result<&str> {
        let found = self.outputs.get(name).map(String::as_str);
        found.with_context(|| {
            format!("{name} is unknown: give {option}, or the --stack-name of a Ticketbridge stack")
        })
    }
}

impl TargetOptions {
    /// Finds queues, tables and credentials.
    ///
    /// # Errors
    /// When no stack runs here, or AWS does not know the stack.
    pub async fn open(&self, aws: &AwsEnvironment) -> Result<TargetStack> {
        let named = self.named();
        if self.stack_name.is_none() && named.is_empty() {
            if self.profile.is_some() || self.region.is_some() || self.endpoint_url.is_some() {
                bail!("which stack? Give --stack-name, or name its queues and tables");
            }
            return running_stack();
        }
        let endpoint_url = self
            .endpoint_url
            .clone()
            .or_else(|| aws.endpoint_url.clone());
        if let Some(url) = endpoint_url.as_ref().filter(|url| !is_protected(url)) {
            bail!("{url} is neither an https address nor one of this machine");
        }
        let profile = self.profile.as_deref();
        let region = match &self.region {
            Some(region) => region.clone(),
            None => aws.region(profile).await?,
        };
        let mut outputs = BTreeMap::new();
        if let Some(name) = &self.stack_name {
            let endpoint_url = endpoint_url.as_deref();
            outputs = aws
                .stack_outputs(name, profile, &region, endpoint_url)
                .await?;
        }
        outputs.extend(named);
        let account = Account {
            credentials: aws.credentials(profile).await?,
            region,
            endpoint_url,
        };
        Ok(TargetStack::new(startup::sdk_config(&account)?, outputs))
    }

    fn named(&self) -> BTreeMap<String, String> {
        let options = [
            ("QueueUrl", &self.queue_url),
            ("DeadLetterQueueUrl", &self.dead_letter_queue_url),
            ("AlertsTableName", &self.alerts_table),
            ("ConfigTableName", &self.config_table),
            ("AccessTableName", &self.access_table),
        ];
        let given = options
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
        given.collect()
    }
}

fn running_stack() -> Result<TargetStack> {
    let file = stack_file().context(
        "no stack runs in this clone: start one with `cargo xtask up`, or name a deployed one \
         with --stack-name",
    )?;
    let stack: RunningStack = serde_json::from_slice(&fs::read(&file)?)
        .with_context(|| format!("cannot parse {}", file.display()))?;
    let account = Account {
        region: LOCAL_REGION.to_owned(),
        endpoint_url: Some(stack.aws_endpoint_url),
        credentials: Credentials::new(LOCAL_KEY, LOCAL_KEY, None, None, "emulator"),
    };
    let outputs = [
        ("QueueUrl", stack.queue_url),
        ("DeadLetterQueueUrl", stack.dead_letter_queue_url),
        ("AlertsTableName", stack.alerts_table),
        ("ConfigTableName", stack.config_table),
        ("AccessTableName", stack.access_table),
    ];
    let outputs = outputs.map(|(name, value)| (name.to_owned(), value));
    Ok(TargetStack::new(
        startup::sdk_config(&account)?,
        outputs.into(),
    ))
}

/// The stack file of the clone that the current directory is in.
fn stack_file() -> Option<PathBuf> {
    let current = std::env::current_dir().ok()?;
    let mut files = current.ancestors().map(|folder| folder.join(STACK_FILE));
    files.find(|file| file.is_file())
}
