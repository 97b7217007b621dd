//! Where the operator's commands work: in an account, or on the stack that `cargo xtask up` runs.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, bail};
use aws::startup::{self, Account};
use aws_credential_types::Credentials;
use aws_types::SdkConfig;
use domain::transport::is_protected;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::config;
use crate::local::deploy::Deployed;
use crate::local::emulator::sdk_config;
use crate::process::read;
use crate::venv::{EMULATOR, Venv};

/// Without any of these it is the stack that `cargo xtask up` runs.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Where {
    /// A deployed stack: CloudFormation says where its queues and tables are
    #[arg(long, value_name = "NAME")]
    stack_name: Option<String>,
    /// Where events wait; like the other four, instead of a stack's name
    #[arg(long, value_name = "URL", conflicts_with = "stack_name")]
    queue_url: Option<String>,
    /// Where dead letters are
    #[arg(long, value_name = "URL", conflicts_with = "stack_name")]
    dead_letter_queue_url: Option<String>,
    /// The stack's output `AlertsTableName`
    #[arg(long, value_name = "NAME", conflicts_with = "stack_name")]
    alerts_table: Option<String>,
    /// The stack's output `ConfigTableName`
    #[arg(long, value_name = "NAME", conflicts_with = "stack_name")]
    config_table: Option<String>,
    /// The stack's output `AccessTableName`
    #[arg(long, value_name = "NAME", conflicts_with = "stack_name")]
    access_table: Option<String>,
    /// Whose credentials, of your AWS configuration; else those that AWS's tools find by themselves
    #[arg(long)]
    profile: Option<String>,
    /// The region, if your AWS configuration does not say it
    #[arg(long)]
    region: Option<String>,
    /// Another address than AWS's own
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
}

/// Where everything is that was named, and whoever may use it.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) aws: SdkConfig,
    /// By the names of the template's outputs.
    outputs: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Whereabouts {
    region: String,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    outputs: BTreeMap<String, String>,
}

impl Place {
    /// The tables of a stack that this process runs.
    pub(crate) fn of(deployed: &Deployed, aws: SdkConfig) -> Self {
        let outputs = [
            ("AlertsTableName", &deployed.alerts_table),
            ("ConfigTableName", &deployed.config_table),
            ("AccessTableName", &deployed.access_table),
        ];
        let outputs = outputs.map(|(name, value)| (name.to_owned(), value.clone()));
        Self {
            aws,
            outputs: outputs.into(),
        }
    }

    /// Where events wait.
    pub(crate) fn queue_url(&self) -> Result<&str> {
        self.output("QueueUrl", "--queue-url")
    }

    /// Where dead letters are.
    pub(crate) fn dead_letter_queue_url(&self) -> Result<&str> {
        self.output("DeadLetterQueueUrl", "--dead-letter-queue-url")
    }

    /// The table of alert records.
    pub(crate) fn alerts_table(&self) -> Result<&str> {
        self.output("AlertsTableName", "--alerts-table")
    }

    /// The table of what partners set up.
    pub(crate) fn config_table(&self) -> Result<&str> {
        self.output("ConfigTableName", "--config-table")
    }

    /// The table of who may act for which partner.
    pub(crate) fn access_table(&self) -> Result<&str> {
        self.output("AccessTableName", "--access-table")
    }

    fn output(&self, name: &str, option: &str) -> Result<&str> {
        let found = self.outputs.get(name).map(String::as_str);
        found.with_context(|| {
            format!("{name} is not known: give {option}, or the --stack-name of a Ticketbridge")
        })
    }
}

impl Where {
    /// A deployed stack of this name.
    pub(crate) fn deployed(stack_name: &str) -> Self {
        Self {
            stack_name: Some(stack_name.to_owned()),
            ..Self::default()
        }
    }

    /// Finds it.
    ///
    /// # Errors
    /// When nothing runs here, or AWS does not say where it is.
    pub(crate) async fn open(&self) -> Result<Place> {
        self.open_with(&[]).await
    }

    /// As `open`, with these variables alone for what asks AWS.
    pub(crate) async fn open_with(&self, variables: &[(&str, String)]) -> Result<Place> {
        let named = self.named();
        if self.stack_name.is_none() && named.is_empty() {
            if self.profile.is_some() || self.region.is_some() || self.endpoint_url.is_some() {
                bail!("where is it? Give --stack-name, or name what is needed");
            }
            return of_running_stack();
        }
        let whereabouts = self.whereabouts(variables).await?;
        let given = variables
            .iter()
            .find(|(name, _)| *name == "AWS_ENDPOINT_URL");
        let endpoint_url = self
            .endpoint_url
            .clone()
            .or_else(|| given.map(|(_, url)| url.clone()));
        let endpoint_url = endpoint_url.or_else(config::aws_endpoint);
        if let Some(url) = endpoint_url.as_ref().filter(|url| !is_protected(url)) {
            bail!("{url} is neither an https address nor one of this machine");
        }
        let account = Account {
            region: whereabouts.region,
            endpoint_url,
            credentials: Credentials::new(
                whereabouts.access_key_id,
                whereabouts.secret_access_key,
                whereabouts.session_token,
                None,
                "aws",
            ),
        };
        let mut outputs = whereabouts.outputs;
        outputs.extend(named);
        Ok(Place {
            aws: startup::sdk_config(&account)?,
            outputs,
        })
    }

    fn named(&self) -> BTreeMap<String, String> {
        let named = [
            ("QueueUrl", &self.queue_url),
            ("DeadLetterQueueUrl", &self.dead_letter_queue_url),
            ("AlertsTableName", &self.alerts_table),
            ("ConfigTableName", &self.config_table),
            ("AccessTableName", &self.access_table),
        ];
        let given = named
            .into_iter()
            .filter_map(|(name, given)| Some((name.to_owned(), given.clone()?)));
        given.collect()
    }

    /// By botocore, which the emulator's CLI brings: what it knows of profiles and sessions would be the largest part of xtask.
    async fn whereabouts(&self, variables: &[(&str, String)]) -> Result<Whereabouts> {
        let asked = json!({
            "stack_name": self.stack_name, "profile": self.profile, "region": self.region,
            "endpoint_url": self.endpoint_url,
        });
        let venv = Venv::with(EMULATOR).await?;
        let mut command = venv.python();
        command.args(["-c", include_str!("whereabouts.py"), &asked.to_string()]);
        if !variables.is_empty() {
            // Nobody's own profile has a say in it.
            command
                .env_clear()
                .envs(config::bare_environment())
                .env("AWS_CONFIG_FILE", "/dev/null")
                .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
                .envs(variables.iter().map(|(name, value)| (name, value)));
        }
        let said = read("asking AWS where the stack is", command).await?;
        serde_json::from_str(&said).context("what AWS says cannot be read")
    }
}

fn of_running_stack() -> Result<Place> {
    let stack = fs::read(config::target("local/stack.json")).context(
        "no stack is running: start one with `cargo xtask up`, or name a deployed one with --stack-name",
    )?;
    let stack: Value = serde_json::from_slice(&stack).context("stack.json is not JSON")?;
    let text = |member: &str| {
        let text = stack[member].as_str().map(str::to_owned);
        text.with_context(|| format!("stack.json has no {member}"))
    };
    let outputs = [
        ("QueueUrl", "queue_url"),
        ("DeadLetterQueueUrl", "dead_letter_queue_url"),
        ("AlertsTableName", "alerts_table"),
        ("ConfigTableName", "config_table"),
        ("AccessTableName", "access_table"),
    ];
    let outputs = outputs.map(|(name, member)| Ok((name.to_owned(), text(member)?)));
    Ok(Place {
        aws: sdk_config(&text("aws_endpoint_url")?)?,
        outputs: outputs.into_iter().collect::<Result<_>>()?,
    })
}
