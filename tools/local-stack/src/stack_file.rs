//! Describes the running stack for other programs: `target/local/stack.json`, and the environment
//! file for `cargo lambda watch`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::deployment::STACK;
use crate::emulator::credentials;
use crate::environment;
use crate::stack::Stack;

/// The files exist while this value lives, since the addresses of a stopped stack would mislead.
#[derive(Debug)]
pub struct StackFile {
    json: PathBuf,
    env: PathBuf,
}

#[derive(Serialize)]
struct StackDescription<'a> {
    stack_name: &'a str,
    webhook_url: String,
    webhook_secret: &'a str,
    partner: &'a str,
    /// Mapped and enabled.
    tenants: Vec<&'a str>,
    disabled_tenant: &'a str,
    unmapped_tenant: &'a str,
    setup_url: String,
    operator_url: &'a str,
    operator: OperatorKeys<'a>,
    aws_endpoint_url: &'a str,
    mail_url: &'a str,
    /// Where a webhook of a source may be received.
    receiver_origin: &'a str,
    connectwise: ConnectWiseKeys<'a>,
    functions: &'a BTreeMap<String, String>,
    queue_url: &'a str,
    dead_letter_queue_url: &'a str,
    delivery_queue_url: &'a str,
    delivery_dead_letter_queue_url: &'a str,
    alerts_table: &'a str,
    config_table: &'a str,
    access_table: &'a str,
    deliveries_table: &'a str,
    secret_prefix: &'a str,
    history_days: &'a str,
}

#[derive(Serialize)]
struct OperatorKeys<'a> {
    access_key_id: &'a str,
    secret_access_key: &'a str,
}

#[derive(Serialize)]
struct ConnectWiseKeys<'a> {
    base_url: &'a str,
    company_id: &'a str,
    public_key: &'a str,
    private_key: &'a str,
    client_id: &'a str,
}

impl StackFile {
    /// The path of the environment file.
    pub fn env(&self) -> &Path {
        &self.env
    }

    /// The path of the description.
    pub fn json(&self) -> &Path {
        &self.json
    }

    pub fn write(stack: &Stack) -> Result<Self> {
        let file = Self {
            json: environment::target("local/stack.json"),
            env: environment::target("local/functions.env"),
        };
        let keys = &stack.simulator.integration;
        let description = StackDescription {
            stack_name: STACK,
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
            operator: OperatorKeys {
                access_key_id: stack.operator.keys().access_key_id(),
                secret_access_key: stack.operator.keys().secret_access_key(),
            },
            aws_endpoint_url: stack.emulator.endpoint(),
            mail_url: stack.emulator.mail_url(),
            receiver_origin: &stack.receiver_origin,
            connectwise: ConnectWiseKeys {
                base_url: stack.simulator.origin(),
                company_id: &keys.company_id,
                public_key: &keys.public_key,
                private_key: &keys.private_key,
                client_id: &keys.client_id,
            },
            functions: &stack.deployed.functions,
            queue_url: &stack.deployed.queue_url,
            dead_letter_queue_url: &stack.deployed.dead_letter_queue_url,
            delivery_queue_url: &stack.deployed.delivery_queue_url,
            delivery_dead_letter_queue_url: &stack.deployed.delivery_dead_letter_queue_url,
            alerts_table: &stack.deployed.alerts_table,
            config_table: &stack.deployed.config_table,
            access_table: &stack.deployed.access_table,
            deliveries_table: &stack.deployed.deliveries_table,
            secret_prefix: &stack.deployed.secret_prefix,
            history_days: &stack.deployed.history_days,
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
        // Written last, and renamed when complete, so that a waiting program can read it at once.
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
