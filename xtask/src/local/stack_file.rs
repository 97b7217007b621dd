//! What `up` tells other programs: `target/local/stack.json`, and the environment file for `cargo lambda watch`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::config;
use crate::local::Stack;
use crate::local::emulator::credentials;

/// A description of the running stack, there as long as this value is: an address in it that no longer answers misleads.
#[derive(Debug)]
pub(crate) struct StackFile {
    json: PathBuf,
    env: PathBuf,
}

#[derive(Serialize)]
struct Description<'a> {
    webhook_url: String,
    webhook_secret: &'a str,
    partner: &'a str,
    /// Mapped and enabled.
    tenants: Vec<&'a str>,
    disabled_tenant: &'a str,
    unmapped_tenant: &'a str,
    setup_url: String,
    operator_url: &'a str,
    operator: Keys<'a>,
    aws_endpoint_url: &'a str,
    mail_url: &'a str,
    connectwise: ConnectWise<'a>,
    functions: &'a BTreeMap<String, String>,
    queue_url: &'a str,
    dead_letter_queue_url: &'a str,
    alerts_table: &'a str,
    config_table: &'a str,
    access_table: &'a str,
}

#[derive(Serialize)]
struct Keys<'a> {
    access_key_id: &'a str,
    secret_access_key: &'a str,
}

#[derive(Serialize)]
struct ConnectWise<'a> {
    base_url: &'a str,
    company_id: &'a str,
    public_key: &'a str,
    private_key: &'a str,
    client_id: &'a str,
}

impl StackFile {
    /// Where the environment file is.
    pub(crate) fn env(&self) -> &std::path::Path {
        &self.env
    }

    /// Where the description is.
    pub(crate) fn json(&self) -> &std::path::Path {
        &self.json
    }

    /// Writes both files.
    pub(crate) fn write(stack: &Stack) -> Result<Self> {
        let file = Self {
            json: config::target("local/stack.json"),
            env: config::target("local/functions.env"),
        };
        let keys = &stack.simulator.integration;
        let description = Description {
            webhook_url: stack.webhook_url(),
            webhook_secret: &stack.seeded.webhook_secret,
            partner: stack.seeded.partner.as_str(),
            tenants: stack
                .seeded
                .tenants
                .iter()
                .map(domain::TenantId::as_str)
                .collect(),
            disabled_tenant: stack.seeded.disabled.as_str(),
            unmapped_tenant: stack.seeded.unmapped.as_str(),
            setup_url: stack.setup_url(),
            operator_url: stack.operator.url(),
            operator: Keys {
                access_key_id: stack.operator.keys().access_key_id(),
                secret_access_key: stack.operator.keys().secret_access_key(),
            },
            aws_endpoint_url: stack.emulator.endpoint(),
            mail_url: stack.emulator.mail_url(),
            connectwise: ConnectWise {
                base_url: stack.simulator.origin(),
                company_id: &keys.company_id,
                public_key: &keys.public_key,
                private_key: &keys.private_key,
                client_id: &keys.client_id,
            },
            functions: &stack.deployed.functions,
            queue_url: &stack.deployed.queue_url,
            dead_letter_queue_url: &stack.deployed.dead_letter_queue_url,
            alerts_table: &stack.deployed.alerts_table,
            config_table: &stack.deployed.config_table,
            access_table: &stack.deployed.access_table,
        };
        let mut variables = BTreeMap::new();
        for (name, value) in stack.deployed.variables.values().flatten() {
            variables.insert(name.as_str(), value.clone());
        }
        variables.extend(credentials(stack.emulator.endpoint()));
        let lines: Vec<_> = variables
            .iter()
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect();
        fs::write(&file.env, lines.concat()).context("cannot write functions.env")?;
        // Last and whole: whoever waits for it may read it at once.
        let unfinished = file.json.with_extension("json.new");
        fs::write(
            &unfinished,
            serde_json::to_string_pretty(&description)? + "\n",
        )
        .context("cannot write stack.json")?;
        fs::rename(&unfinished, &file.json)?;
        Ok(file)
    }
}

impl Drop for StackFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.json);
        let _ = fs::remove_file(&self.env);
    }
}
