//! Where the operator's commands work: in an account, on the tables that are named, or on the stack that `cargo xtask up` runs.

use std::fs;

use anyhow::{Context, Result};
use aws::startup::{self, Account};
use aws_types::SdkConfig;
use serde_json::Value;

use crate::config;
use crate::local::emulator;

/// Region and keys of an account come from the variables `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and
/// `AWS_SESSION_TOKEN`.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Tables {
    /// A deployed stack's output `AlertsTableName`; without it, the stack that `cargo xtask up` runs
    #[arg(long, value_name = "NAME", requires = "config_table")]
    alerts_table: Option<String>,
    /// The stack's output `ConfigTableName`
    #[arg(long, value_name = "NAME", requires = "alerts_table")]
    config_table: Option<String>,
    /// Another address than AWS's own
    #[arg(long, value_name = "URL", requires = "alerts_table")]
    endpoint_url: Option<String>,
}

/// The tables of one stack, and whoever may use them.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) aws: SdkConfig,
    pub(crate) alerts_table: String,
    pub(crate) config_table: String,
}

impl Tables {
    /// The named tables, or those of the running stack.
    ///
    /// # Errors
    /// When no stack is running, or the account's variables are missing.
    pub(crate) fn open(&self) -> Result<Place> {
        match (&self.alerts_table, &self.config_table) {
            (Some(alerts), Some(config)) => Ok(Place {
                aws: of_account(self.endpoint_url.as_deref())?,
                alerts_table: alerts.clone(),
                config_table: config.clone(),
            }),
            (Some(_), None) | (None, Some(_)) | (None, None) => of_running_stack(),
        }
    }
}

fn of_account(endpoint_url: Option<&str>) -> Result<SdkConfig> {
    let mut account = Account::from_env()?;
    if let Some(url) = endpoint_url {
        account.endpoint_url = Some(url.to_owned());
    }
    Ok(startup::sdk_config(&account)?)
}

fn of_running_stack() -> Result<Place> {
    let stack = fs::read(config::target("local/stack.json")).context(
        "no stack is running: start one with `cargo xtask up`, or name a deployed one's tables",
    )?;
    let stack: Value = serde_json::from_slice(&stack).context("stack.json is not JSON")?;
    let text = |member: &str| {
        let text = stack[member].as_str().map(str::to_owned);
        text.with_context(|| format!("stack.json has no {member}"))
    };
    Ok(Place {
        aws: emulator::sdk_config(&text("aws_endpoint_url")?)?,
        alerts_table: text("alerts_table")?,
        config_table: text("config_table")?,
    })
}
