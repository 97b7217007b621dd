//! The names of the deployed resources.

use anyhow::{Result, ensure};
use local_stack::deployment::STACK;
use local_stack::stack::Stack;

pub(super) struct ResourceNames {
    pub(super) queue_url: String,
    pub(super) queue: String,
    pub(super) dead_letters_url: String,
    pub(super) dead_letters: String,
    pub(super) delivery_queue_url: String,
    pub(super) delivery_queue: String,
    pub(super) delivery_dead_letters_url: String,
    pub(super) delivery_dead_letters: String,
    pub(super) alerts: String,
    pub(super) config: String,
    pub(super) access: String,
    pub(super) deliveries_table: String,
    pub(super) source_secret: String,
    pub(super) connection_secret: String,
    pub(super) client_id_secret: String,
    pub(super) other_source_secret: String,
    pub(super) other_connection_secret: String,
    pub(super) ingest: String,
    pub(super) tickets: String,
    pub(super) reconcile: String,
    pub(super) health: String,
    pub(super) deliveries: String,
    pub(super) setup: String,
}

/// Lists the resources, and creates the secrets of another stack in the same account.
pub(super) async fn resource_names(stack: &Stack) -> Result<ResourceNames> {
    let deployed = &stack.deployed;
    let queue = |url: &str| url.rsplit('/').next().unwrap_or_default().to_owned();
    let source_prefix = deployed.variable("ingest", "SOURCE_SECRET_PREFIX")?;
    let connection_prefix = deployed.variable("tickets", "CONNECTION_SECRET_PREFIX")?;
    let source = format!("{source_prefix}{}", stack.seeded.source);
    let connection = format!("{connection_prefix}{}", stack.seeded.partner);
    let of_other_stack = |name: &str| name.replace(&format!("/{STACK}/"), "/other/");
    let other_source = of_other_stack(&source);
    let other_connection = of_other_stack(&connection);
    ensure!(
        other_source != source && other_connection != connection,
        "the names of the secrets do not contain the stack's name"
    );
    for name in [&other_source, &other_connection] {
        let create = [
            "secretsmanager",
            "create-secret",
            "--name",
            name,
            "--secret-string",
            "{}",
        ];
        stack.emulator.aws(&create).await?;
    }
    Ok(ResourceNames {
        queue: queue(&deployed.queue_url),
        queue_url: deployed.queue_url.clone(),
        dead_letters: queue(&deployed.dead_letter_queue_url),
        dead_letters_url: deployed.dead_letter_queue_url.clone(),
        delivery_queue: queue(&deployed.delivery_queue_url),
        delivery_queue_url: deployed.delivery_queue_url.clone(),
        delivery_dead_letters: queue(&deployed.delivery_dead_letter_queue_url),
        delivery_dead_letters_url: deployed.delivery_dead_letter_queue_url.clone(),
        alerts: deployed.alerts_table.clone(),
        config: deployed.config_table.clone(),
        access: deployed.access_table.clone(),
        deliveries_table: deployed.deliveries_table.clone(),
        source_secret: source,
        connection_secret: connection,
        client_id_secret: deployed.variable("tickets", "CLIENT_ID_SECRET")?.to_owned(),
        other_source_secret: other_source,
        other_connection_secret: other_connection,
        ingest: deployed.functions["ingest"].clone(),
        tickets: deployed.functions["tickets"].clone(),
        reconcile: deployed.functions["reconcile"].clone(),
        health: deployed.functions["health"].clone(),
        deliveries: deployed.functions["deliveries"].clone(),
        setup: deployed.functions["setup"].clone(),
    })
}
