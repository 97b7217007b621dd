//! What each function's role must allow and deny.

use local_stack::empty_stack::MAIL_FROM;

use super::call::IamCall;
use super::requests::{
    access, administration_of_queue, administration_of_secret, administration_of_table,
    batch_get_item, consuming, create_secret, delete_secret, get_item, get_secret, invoke, list,
    mail, put_secret, query, queue_attributes, reads, restore_secret, send, sending, unrelated,
    update_item, writes, writes_of_access,
};
use super::resources::ResourceNames;

/// The calls of a function's role.
pub(super) struct RolePermissions {
    /// What root does first, so that the role's calls find their resources.
    pub(super) prepare: Vec<IamCall>,
    pub(super) allowed: Vec<IamCall>,
    pub(super) denied: Vec<IamCall>,
}

/// All calls on the table but these.
fn table_except(table: &str, allowed: &[&str]) -> Vec<IamCall> {
    let calls = reads(table).into_iter().chain(writes(table));
    let denied = calls.filter(|call| !allowed.contains(&call.operation));
    denied.chain(administration_of_table(table)).collect()
}

/// All calls on both queues, for a role that sends to the event queue. It neither receives from it
/// nor reads its attributes.
fn queues_except_send(names: &ResourceNames) -> Vec<IamCall> {
    let mut denied = consuming(&names.queue, &names.queue_url);
    denied.push(queue_attributes(&names.queue, &names.queue_url));
    denied.extend(administration_of_queue(&names.queue, &names.queue_url));
    denied.extend(sending(&names.dead_letters, &names.dead_letters_url));
    denied.extend(consuming(&names.dead_letters, &names.dead_letters_url));
    denied
}

/// All calls on the table of deliveries but these, and all calls on its queues.
fn deliveries_except(names: &ResourceNames, allowed: &[&str]) -> Vec<IamCall> {
    let mut denied = table_except(&names.deliveries_table, allowed);
    for (queue, url) in [
        (&names.delivery_queue, &names.delivery_queue_url),
        (
            &names.delivery_dead_letters,
            &names.delivery_dead_letters_url,
        ),
    ] {
        denied.extend(sending(queue, url));
        denied.extend(consuming(queue, url));
        denied.extend(administration_of_queue(queue, url));
    }
    denied
}

/// Reads of secrets of sources and of another stack, for a role that reads those of connections.
fn secrets_of_others(names: &ResourceNames) -> [IamCall; 3] {
    let others = [
        &names.source_secret,
        &names.other_source_secret,
        &names.other_connection_secret,
    ];
    others.map(|name| get_secret(name))
}

pub(super) fn ingest(names: &ResourceNames) -> RolePermissions {
    let mut denied = table_except(&names.alerts, &[]);
    denied.extend(table_except(&names.config, &[]));
    denied.extend(access(&names.access, &[]));
    denied.extend(queues_except_send(names));
    denied.extend(deliveries_except(names, &[]));
    for name in [
        &names.connection_secret,
        &names.client_id_secret,
        &names.other_source_secret,
        &names.other_connection_secret,
    ] {
        denied.push(get_secret(name));
    }
    denied.extend(administration_of_secret(&names.source_secret));
    denied.extend(unrelated(&names.ingest, &names.tickets));
    RolePermissions {
        prepare: vec![],
        // The message becomes a dead letter of the stack, which is stopped soon.
        allowed: vec![
            get_secret(&names.source_secret),
            send(&names.queue, &names.queue_url),
        ],
        denied,
    }
}

pub(super) fn tickets(names: &ResourceNames) -> RolePermissions {
    // It may get, put and update items by key. It lists nothing and deletes nothing.
    let by_key = ["GetItem", "BatchGetItem", "PutItem", "UpdateItem"];
    let mut denied = table_except(&names.alerts, &by_key);
    denied.push(list(&names.alerts, "by_time", "list_of"));
    denied.extend(table_except(&names.config, &by_key));
    denied.extend(access(&names.access, &["BatchGetItem"]));
    // A consumer that sends to its own queue would be a loop.
    denied.extend(sending(&names.queue, &names.queue_url));
    denied.extend(administration_of_queue(&names.queue, &names.queue_url));
    denied.extend(consuming(&names.dead_letters, &names.dead_letters_url));
    let deliveries = deliveries_except(names, &[]).into_iter();
    let is_sent = |call: &IamCall| {
        call.on == names.delivery_queue && call.operation.starts_with("SendMessage")
    };
    denied.extend(deliveries.filter(|call| !is_sent(call)));
    denied.extend(secrets_of_others(names));
    denied.extend(administration_of_secret(&names.connection_secret));
    denied.extend(unrelated(&names.tickets, &names.ingest));
    let allowed = vec![
        get_secret(&names.connection_secret),
        get_secret(&names.client_id_secret),
        get_item(&names.alerts),
        get_item(&names.config),
        batch_get_item(&names.config),
        batch_get_item(&names.access),
        queue_attributes(&names.queue, &names.queue_url),
        send(&names.delivery_queue, &names.delivery_queue_url),
    ];
    RolePermissions {
        prepare: vec![],
        allowed,
        denied,
    }
}

pub(super) fn reconcile(names: &ResourceNames) -> RolePermissions {
    // Apart from the lists it reads and writes single records, after a table was lost. It writes no
    // batches and deletes nothing.
    let (alerts, config) = (&names.alerts, &names.config);
    let mut denied = table_except(alerts, &["GetItem", "UpdateItem"]);
    denied.push(list(alerts, "by_time", "list_of"));
    denied.extend(table_except(config, &["GetItem", "Query", "UpdateItem"]));
    denied.extend(access(&names.access, &["GetItem", "Query"]));
    denied.extend(queues_except_send(names));
    denied.extend(deliveries_except(names, &[]));
    denied.extend(secrets_of_others(names));
    denied.extend(administration_of_secret(&names.connection_secret));
    // It may invoke itself, but no other function.
    denied.extend([invoke(&names.ingest), invoke(&names.health)]);
    denied.extend(unrelated(&names.reconcile, &names.tickets));
    let allowed = vec![
        list(&names.alerts, "by_state", "state_of"),
        list(&names.alerts, "by_look", "look_of"),
        get_item(alerts),
        update_item(alerts),
        list(config, "due", "due_of"),
        get_item(config),
        update_item(config),
        get_item(&names.access),
        query(&names.access),
        send(&names.queue, &names.queue_url),
        get_secret(&names.connection_secret),
        get_secret(&names.client_id_secret),
        invoke(&names.reconcile),
    ];
    RolePermissions {
        prepare: vec![],
        allowed,
        denied,
    }
}

pub(super) fn health(names: &ResourceNames) -> RolePermissions {
    // It lists blocked alerts. It reads and writes no record.
    let (alerts, config) = (&names.alerts, &names.config);
    let mut denied = table_except(alerts, &[]);
    denied.push(list(alerts, "by_look", "look_of"));
    denied.extend(table_except(config, &["GetItem", "Query", "UpdateItem"]));
    denied.extend(access(&names.access, &["GetItem", "Query"]));
    denied.extend(queues_except_send(names));
    denied.extend(deliveries_except(names, &[]));
    denied.extend(secrets_of_others(names));
    denied.extend(administration_of_secret(&names.connection_secret));
    // It may invoke itself, but no other function.
    denied.extend([invoke(&names.ingest), invoke(&names.reconcile)]);
    // As for setup.
    let unrelated = unrelated(&names.health, &names.tickets).into_iter();
    denied.extend(unrelated.filter(|call| call.operation != "SendEmail"));
    let allowed = vec![
        list(alerts, "by_state", "state_of"),
        list(alerts, "by_time", "list_of"),
        list(config, "due", "due_of"),
        get_item(config),
        update_item(config),
        get_item(&names.access),
        query(&names.access),
        send(&names.queue, &names.queue_url),
        get_secret(&names.connection_secret),
        get_secret(&names.client_id_secret),
        mail(MAIL_FROM),
        invoke(&names.health),
    ];
    RolePermissions {
        prepare: vec![],
        allowed,
        denied,
    }
}

pub(super) fn deliveries(names: &ResourceNames) -> RolePermissions {
    // It knows no record, no partner and no key of a ConnectWise.
    let table = &names.deliveries_table;
    let mut denied = table_except(&names.alerts, &[]);
    denied.extend(table_except(&names.config, &[]));
    denied.extend(access(&names.access, &[]));
    let by_key = ["GetItem", "Query", "PutItem", "UpdateItem"];
    denied.extend(table_except(table, &by_key));
    denied.extend(queues_except_send(names));
    // A consumer that sends to its own queue would be a loop.
    let (queue, url) = (&names.delivery_queue, &names.delivery_queue_url);
    denied.extend(sending(queue, url));
    denied.extend(administration_of_queue(queue, url));
    let (dead_letters, dead_letters_url) = (
        &names.delivery_dead_letters,
        &names.delivery_dead_letters_url,
    );
    denied.extend(consuming(dead_letters, dead_letters_url));
    for name in [
        &names.connection_secret,
        &names.client_id_secret,
        &names.other_source_secret,
        &names.other_connection_secret,
    ] {
        denied.push(get_secret(name));
    }
    denied.extend(administration_of_secret(&names.source_secret));
    denied.extend(unrelated(&names.deliveries, &names.tickets));
    RolePermissions {
        prepare: vec![],
        allowed: vec![
            get_item(table),
            update_item(table),
            query(table),
            list(table, "due", "due_of"),
            list(table, "by_state", "list_of"),
            queue_attributes(queue, url),
            get_secret(&names.source_secret),
            // Answers to actions.
            send(&names.queue, &names.queue_url),
        ],
        denied,
    }
}

pub(super) fn setup(names: &ResourceNames) -> RolePermissions {
    // It lists alerts and reads their records. Only `tickets` writes them.
    let alerts = &names.alerts;
    let mut denied = table_except(alerts, &["GetItem", "BatchGetItem"]);
    denied.push(list(alerts, "by_look", "look_of"));
    // It writes partners' settings, one item at a time, and scans no table.
    let (config, access) = (&names.config, &names.access);
    let no_need = |call: &IamCall| matches!(call.operation, "Scan" | "PutItem" | "DeleteItem");
    let of_config = reads(config).into_iter().chain(writes(config));
    let (of_config, allowed_of_config): (Vec<_>, Vec<_>) = of_config.partition(no_need);
    denied.extend(of_config);
    denied.push(list(config, "due", "due_of"));
    denied.extend(administration_of_table(config));
    let of_access = reads(access).into_iter().chain(writes_of_access(access));
    let (of_access, allowed_of_access): (Vec<_>, Vec<_>) =
        of_access.partition(|call| call.operation == "Scan");
    denied.extend(of_access);
    denied.extend(administration_of_table(access));
    denied.extend(queues_except_send(names));
    let deliveries = &names.deliveries_table;
    let by_key = ["GetItem", "PutItem", "UpdateItem"];
    denied.extend(deliveries_except(names, &by_key));
    denied.push(list(deliveries, "due", "due_of"));
    for name in [&names.other_source_secret, &names.other_connection_secret] {
        denied.push(get_secret(name));
        denied.push(put_secret(name));
        denied.push(create_secret(&format!("{name}-new")));
    }
    // It reads the operator's secret. Secrets of sources and connections it only replaces.
    denied.extend(administration_of_secret(&names.client_id_secret));
    for name in [&names.source_secret, &names.connection_secret] {
        let others = administration_of_secret(name).into_iter();
        denied.extend(
            others.filter(|call| !matches!(call.operation, "PutSecretValue" | "RestoreSecret")),
        );
    }
    for function in [
        &names.ingest,
        &names.reconcile,
        &names.health,
        &names.deliveries,
    ] {
        denied.push(invoke(function));
    }
    // The emulator does not know a mail's sender (see `local_stack::empty_stack`). A rule over the
    // template's text covers it.
    let unrelated = unrelated(&names.setup, &names.tickets).into_iter();
    denied.extend(unrelated.filter(|call| call.operation != "SendEmail"));
    let new_source = format!("{}-new", names.source_secret);
    let new_connection = format!("{}-new", names.connection_secret);
    let deleted_source = format!("{}-deleted", names.source_secret);
    let deleted_connection = format!("{}-deleted", names.connection_secret);
    let prepare = [&deleted_source, &deleted_connection];
    let prepare = prepare
        .into_iter()
        .flat_map(|name| [create_secret(name), delete_secret(name)]);
    let mut allowed = vec![
        list(alerts, "by_state", "state_of"),
        list(alerts, "by_time", "list_of"),
        get_item(alerts),
        batch_get_item(alerts),
        get_item(deliveries),
        update_item(deliveries),
        list(deliveries, "by_state", "list_of"),
        send(&names.queue, &names.queue_url),
        get_secret(&names.client_id_secret),
        get_secret(&names.source_secret),
        get_secret(&names.connection_secret),
        create_secret(&new_source),
        put_secret(&new_source),
        restore_secret(&deleted_source),
        create_secret(&new_connection),
        put_secret(&new_connection),
        restore_secret(&deleted_connection),
        mail(MAIL_FROM),
        invoke(&names.setup),
    ];
    allowed.extend(allowed_of_config);
    allowed.extend(allowed_of_access);
    RolePermissions {
        prepare: prepare.collect(),
        allowed,
        denied,
    }
}
