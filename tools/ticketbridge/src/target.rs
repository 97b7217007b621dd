//! The stack that a command works on: a deployed one, or the one that `cargo xtask up` runs.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use aws::startup::{self, Account};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_types::SdkConfig;
use jiff::SignedDuration;
use serde::Deserialize;

use crate::aws_environment::{AccountOptions, AwsEnvironment, stack_outputs};

/// What `cargo xtask up` writes about the stack that it runs, below the clone's root.
const STACK_FILE: &str = "target/local/stack.json";
/// Key and secret of the emulator's root account, and its region.
const LOCAL_KEY: &str = "test";
const LOCAL_REGION: &str = "us-east-1";

/// Which stack a command works on. Without a name it is the one that `cargo xtask up` runs.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Stack")]
pub struct TargetOptions {
    /// The name of a deployed stack; without it, the stack that `cargo xtask up` runs
    #[arg(long, value_name = "NAME", global = true)]
    pub stack_name: Option<String>,
    /// The profile of your AWS configuration
    #[arg(long, value_name = "NAME", global = true)]
    pub profile: Option<String>,
    /// The region, if your AWS configuration has none
    #[arg(long, value_name = "REGION", global = true)]
    pub region: Option<String>,
    /// Another address than AWS's own
    #[arg(long, value_name = "URL", global = true)]
    pub endpoint_url: Option<String>,
    /// The address of the operator's API, in place of the stack's output OperatorUrl
    #[arg(long, value_name = "URL", global = true)]
    pub operator_url: Option<String>,
}

/// Queues and tables that can replace the stack's name.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "In place of the stack's name")]
pub struct ResourceNames {
    /// The event queue
    #[arg(long, value_name = "URL", conflicts_with = "stack_name")]
    pub queue_url: Option<String>,
    /// The dead-letter queue
    #[arg(long, value_name = "URL", conflicts_with = "stack_name")]
    pub dead_letter_queue_url: Option<String>,
    /// The queue of outgoing events, the stack's output DeliveryQueueUrl
    #[arg(long, value_name = "URL", conflicts_with = "stack_name")]
    pub delivery_queue_url: Option<String>,
    /// The stack's output DeliveryDeadLetterQueueUrl
    #[arg(long, value_name = "URL", conflicts_with = "stack_name")]
    pub delivery_dead_letter_queue_url: Option<String>,
    /// The stack's output AlertsTableName
    #[arg(long, value_name = "NAME", conflicts_with = "stack_name")]
    pub alerts_table: Option<String>,
    /// The stack's output ConfigTableName
    #[arg(long, value_name = "NAME", conflicts_with = "stack_name")]
    pub config_table: Option<String>,
    /// The stack's output AccessTableName
    #[arg(long, value_name = "NAME", conflicts_with = "stack_name")]
    pub access_table: Option<String>,
}

/// Queues, tables and the operator's API, and the credentials to use them.
#[derive(Debug)]
pub struct TargetStack {
    pub aws: SdkConfig,
    /// The name in CloudFormation, if it is known.
    stack_name: Option<String>,
    /// By the names of the template's outputs.
    outputs: BTreeMap<String, String>,
    /// Sign requests to the operator's API, if not the account's credentials do.
    operator_keys: Option<Credentials>,
}

/// The members of the stack file that are needed here.
#[derive(Deserialize)]
struct RunningStack {
    stack_name: String,
    aws_endpoint_url: String,
    queue_url: String,
    dead_letter_queue_url: String,
    delivery_queue_url: String,
    delivery_dead_letter_queue_url: String,
    alerts_table: String,
    config_table: String,
    access_table: String,
    deliveries_table: String,
    secret_prefix: String,
    history_days: String,
    operator_url: String,
    operator: OperatorKeys,
}

#[derive(Deserialize)]
struct OperatorKeys {
    access_key_id: String,
    secret_access_key: String,
}

impl TargetStack {
    /// Queues and tables by the names of the template's outputs.
    pub fn new(aws: SdkConfig, outputs: BTreeMap<String, String>) -> Self {
        Self {
            aws,
            stack_name: None,
            outputs,
            operator_keys: None,
        }
    }

    pub fn queue_url(&self) -> Result<&str> {
        self.output("QueueUrl", "--queue-url")
    }

    pub fn dead_letter_queue_url(&self) -> Result<&str> {
        self.output("DeadLetterQueueUrl", "--dead-letter-queue-url")
    }

    pub fn delivery_queue_url(&self) -> Result<&str> {
        self.output("DeliveryQueueUrl", "--delivery-queue-url")
    }

    pub fn delivery_dead_letter_queue_url(&self) -> Result<&str> {
        let option = "--delivery-dead-letter-queue-url";
        self.output("DeliveryDeadLetterQueueUrl", option)
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

    pub(crate) fn deliveries_table(&self) -> Result<&str> {
        self.output_of_stack("DeliveriesTableName")
    }

    /// Precedes `connection/` and `source/` in the names of secrets.
    pub(crate) fn secret_prefix(&self) -> Result<&str> {
        self.output_of_stack("SecretPrefix")
    }

    /// How long entries of a history are stored; `None` if tables replace the stack's name.
    pub(crate) fn history_retention(&self) -> Result<Option<SignedDuration>> {
        let Some(days) = self.outputs.get("HistoryDays") else {
            return Ok(None);
        };
        let days: u32 = days
            .parse()
            .context("the stack's HistoryDays is no number")?;
        Ok(Some(SignedDuration::from_hours(24 * i64::from(days))))
    }

    pub(crate) fn operator_url(&self) -> Result<&str> {
        self.output("OperatorUrl", "--operator-url")
    }

    /// The name in CloudFormation.
    pub(crate) fn stack_name(&self) -> Result<&str> {
        let name = self.stack_name.as_deref();
        name.context("the stack's name is unknown: give --stack-name")
    }

    /// Signs requests to the operator's API.
    pub(crate) async fn operator_credentials(&self) -> Result<Credentials> {
        match &self.operator_keys {
            Some(keys) => Ok(keys.clone()),
            None => self.credentials().await,
        }
    }

    /// The account's credentials.
    pub(crate) async fn credentials(&self) -> Result<Credentials> {
        let provider = self.aws.credentials_provider();
        let provider = provider.context("the target has no AWS credentials")?;
        Ok(provider.provide_credentials().await?)
    }

    pub(crate) fn region(&self) -> Result<String> {
        let region = self.aws.region().context("the target has no region")?;
        Ok(region.to_string())
    }

    /// An output that no option replaces.
    fn output_of_stack(&self, name: &str) -> Result<&str> {
        let found = self.outputs.get(name).map(String::as_str);
        found.with_context(|| {
            format!(
                "the stack has no output {name}: give the --stack-name of a stack of this release"
            )
        })
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
    pub async fn open(&self, names: &ResourceNames, aws: &AwsEnvironment) -> Result<TargetStack> {
        let mut named = names.outputs();
        let operator_url = self.operator_url.clone();
        named.extend(operator_url.map(|url| ("OperatorUrl".to_owned(), url)));
        if self.stack_name.is_none() && named.is_empty() {
            if self.profile.is_some() || self.region.is_some() || self.endpoint_url.is_some() {
                bail!("which stack? Give --stack-name, or name its queues and tables");
            }
            return running_stack();
        }
        let options = AccountOptions {
            profile: self.profile.as_deref(),
            region: self.region.as_deref(),
            endpoint_url: self.endpoint_url.as_deref(),
        };
        let aws = startup::sdk_config(&aws.account(options).await?)?;
        let mut outputs = BTreeMap::new();
        if let Some(name) = &self.stack_name {
            outputs = stack_outputs(&aws, name).await?;
        }
        outputs.extend(named);
        Ok(TargetStack {
            stack_name: self.stack_name.clone(),
            ..TargetStack::new(aws, outputs)
        })
    }
}

impl ResourceNames {
    /// By the names of the template's outputs.
    fn outputs(&self) -> BTreeMap<String, String> {
        let options = [
            ("QueueUrl", &self.queue_url),
            ("DeadLetterQueueUrl", &self.dead_letter_queue_url),
            ("DeliveryQueueUrl", &self.delivery_queue_url),
            (
                "DeliveryDeadLetterQueueUrl",
                &self.delivery_dead_letter_queue_url,
            ),
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
        ("DeliveryQueueUrl", stack.delivery_queue_url),
        (
            "DeliveryDeadLetterQueueUrl",
            stack.delivery_dead_letter_queue_url,
        ),
        ("AlertsTableName", stack.alerts_table),
        ("ConfigTableName", stack.config_table),
        ("AccessTableName", stack.access_table),
        ("DeliveriesTableName", stack.deliveries_table),
        ("SecretPrefix", stack.secret_prefix),
        ("HistoryDays", stack.history_days),
        ("OperatorUrl", stack.operator_url),
    ];
    let outputs = outputs.map(|(name, value)| (name.to_owned(), value));
    let OperatorKeys {
        access_key_id,
        secret_access_key,
    } = stack.operator;
    let keys = Credentials::new(access_key_id, secret_access_key, None, None, "operator");
    Ok(TargetStack {
        stack_name: Some(stack.stack_name),
        operator_keys: Some(keys),
        ..TargetStack::new(startup::sdk_config(&account)?, outputs.into())
    })
}

/// The stack file of the clone that the current directory is in.
fn stack_file() -> Option<PathBuf> {
    let current = std::env::current_dir().ok()?;
    let mut files = current.ancestors().map(|folder| folder.join(STACK_FILE));
    files.find(|file| file.is_file())
}
