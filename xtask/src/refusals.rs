//! What a function must not do: each call that its role does not need, made with the deployed role's own session on the stack that
//! enforces permissions.
//!
//! Three things keep the table honest. A call counts as refused only if the answer is AWS's "access denied" and names the very action:
//! a wrong parameter, a missing table or a bad signature is no refusal. Each role also makes calls that it may make, to each kind of
//! thing that it has, so that broken credentials fail and so does an emulator that mistakes what a call is about. And at the end every
//! refused call is allowed and made again: what is refused even then was never refused by the role.
//!
//! The calls are checked against AWS's own models (botocore) before they are sent.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use aws_credential_types::Credentials;
use serde::Serialize;
use serde_json::{Value, json};

use crate::local::emulator::{Answer, Emulator, Session, http_client};
use crate::local::{MAIL_FROM, Stack};
use crate::operator::Operator;
use crate::progress::step;
use crate::story::table;

/// A call as AWS's models name it.
#[derive(Debug, Serialize)]
struct Call {
    service: &'static str,
    operation: &'static str,
    parameters: Value,
    /// What it is about, for the reader.
    #[serde(skip)]
    on: String,
}

fn call(service: &'static str, operation: &'static str, on: &str, parameters: Value) -> Call {
    Call {
        service,
        operation,
        parameters,
        on: on.to_owned(),
    }
}

/// What the deployed template's things are called.
struct Names {
    queue_url: String,
    queue: String,
    dead_letters_url: String,
    dead_letters: String,
    alerts: String,
    config: String,
    access: String,
    source_secret: String,
    connection_secret: String,
    client_id_secret: String,
    other_source_secret: String,
    other_connection_secret: String,
    ingest: String,
    tickets: String,
    reconcile: String,
    health: String,
    setup: String,
}

/// A function's calls: some that it makes every day, and those that it must not be able to make.
struct Expected {
    /// What the account itself does first, so that the role's calls find what they are about.
    before: Vec<Call>,
    allowed: Vec<Call>,
    refused: Vec<Call>,
}

/// Makes every call as every function and prints what was answered; how many were refused. It is the last thing that a stack is for:
/// in the end the calls are let through, and tables and queues go.
///
/// # Errors
/// When a call that must be refused is not, or one that is allowed is.
pub(crate) async fn check(stack: &Stack) -> Result<usize> {
    let (rows, wrong) = step("what no function may do", async {
        let names = names(stack).await?;
        let mut rows = vec![["function", "call", "on", "answer"].map(str::to_owned)];
        let mut wrong = Vec::new();
        let mut tried = Vec::new();
        for (function, expected) in [
            ("ingest", ingest(&names)),
            ("tickets", tickets(&names)),
            ("reconcile", reconcile(&names)),
            ("health", health(&names)),
            ("setup", setup(&names)),
        ] {
            let role = role_of(stack, function).await?;
            let session = session_of(&stack.emulator, &role).await?;
            for answer in stack.emulator.ask(&expected.before, None).await? {
                ensure!(
                    matches!(answer, Answer::Done { .. }),
                    "the account cannot prepare {function}'s calls: {answer:?}"
                );
            }
            let answers = stack
                .emulator
                .ask(&expected.allowed, Some(&session))
                .await?;
            for (call, answer) in expected.allowed.iter().zip(answers) {
                let verdict = match answer {
                    Answer::Done { .. } => "done, as it must be".to_owned(),
                    Answer::Refused { code, message } => {
                        wrong.push(format!(
                            "{function} cannot {}: {code}: {message}",
                            call.operation
                        ));
                        code
                    }
                };
                rows.push(row(function, call, verdict));
            }
            let answers = stack
                .emulator
                .ask(&expected.refused, Some(&session))
                .await?;
            for (call, answer) in expected.refused.iter().zip(answers) {
                let verdict = match judge(call, &answer) {
                    Ok(code) => code,
                    Err(why) => {
                        wrong.push(format!(
                            "{function}, {} on {}: {why}",
                            call.operation, call.on
                        ));
                        format!("WRONG: {why}")
                    }
                };
                rows.push(row(function, call, verdict));
            }
            tried.push((role, session, expected.refused));
        }
        wrong.extend(let_into_the_operators_api(stack, &tried).await?);
        for (role, session, mut calls) in tried {
            // It would take the roles away too.
            calls.retain(|call| call.operation != "DeleteStack");
            wrong.extend(refused_when_allowed(&stack.emulator, &role, &session, &calls).await?);
        }
        Ok((rows, wrong))
    })
    .await?;
    println!("\n{}\n", table(&rows).join("\n"));
    ensure!(wrong.is_empty(), "roles do not hold:\n{}", wrong.join("\n"));
    let allowed = rows.iter().filter(|row| row[3].starts_with("done")).count();
    // The first row is the heading.
    Ok(rows.len() - 1 - allowed)
}

fn row(function: &str, call: &Call, verdict: String) -> [String; 4] {
    [function.to_owned(), action(call), call.on.clone(), verdict]
}

/// The code of a refusal that is one; otherwise why it is none.
fn judge(call: &Call, answer: &Answer) -> Result<String, String> {
    match answer {
        Answer::Done { .. } => Err("was done".to_owned()),
        Answer::Refused { code, message } => {
            if !matches!(code.as_str(), "AccessDenied" | "AccessDeniedException") {
                return Err(format!("failed, but was not refused: {code}: {message}"));
            }
            let action = action(call);
            let named = message
                .split_once(" is not authorized to perform: ")
                .and_then(|(_, rest)| rest.split_whitespace().next())
                .unwrap_or_default();
            if named == action {
                Ok(code.clone())
            } else {
                Err(format!("not refused as {action}: {message}"))
            }
        }
    }
}

/// How IAM calls what a call does: nearly always as the call itself.
fn action(call: &Call) -> String {
    let (service, operation) = (call.service, call.operation);
    match (service, operation) {
        ("lambda", "Invoke") => "lambda:InvokeFunction".to_owned(),
        ("s3", "ListBuckets") => "s3:ListAllMyBuckets".to_owned(),
        ("s3", "ListObjectsV2") => "s3:ListBucket".to_owned(),
        ("sesv2", _) => format!("ses:{operation}"),
        _ => format!("{service}:{operation}"),
    }
}

/// Knocks at the operator's API as those who have no right to it: with keys that are none, and as each function. The operator comes
/// last, so that a door that is always shut is seen too.
async fn let_into_the_operators_api(
    stack: &Stack,
    functions: &[(String, Session, Vec<Call>)],
) -> Result<Vec<String>> {
    let (emulator, api_id) = (&stack.emulator, &stack.deployed.api_id);
    let operators = stack.operator.keys();
    let guessed = Credentials::new(operators.access_key_id(), "guessed", None, None, "guessed");
    let mut knocking = vec![("whoever guesses a secret", guessed)];
    for (role, session, _) in functions {
        let token = Some(session.token.clone());
        let keys = Credentials::new(&session.key, &session.secret, token, None, "role");
        knocking.push((role, keys));
    }
    let mut wrong = Vec::new();
    for (who, keys) in knocking {
        let impostor = Operator::with_keys(emulator, api_id, keys)?;
        let status = impostor.try_partners().await?;
        if status != 403 {
            wrong.push(format!("the operator's API answers {status} to {who}"));
        }
    }
    let unsigned = http_client()?.get(format!("{}/partners", stack.operator.url()));
    for request in [
        unsigned,
        http_client()?.get(format!(
            "{}/v1/operator/partners",
            stack.front_door.origin()
        )),
    ] {
        let status = request.send().await?.status();
        if status != 403 {
            wrong.push(format!("the operator's API answers {status} to nobody"));
        }
    }
    let status = stack.operator.try_partners().await?;
    if status != 200 {
        wrong.push(format!(
            "the operator's API answers {status} to the operator"
        ));
    }
    Ok(wrong)
}

/// Allows the calls and makes them again; answers which are refused all the same.
async fn refused_when_allowed(
    emulator: &Emulator,
    role: &str,
    session: &Session,
    calls: &[Call],
) -> Result<Vec<String>> {
    let (_, name) = role
        .rsplit_once('/')
        .context("a role's ARN ends in its name")?;
    let actions: BTreeSet<_> = calls.iter().map(action).collect();
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }],
    });
    let allow = [
        "iam",
        "put-role-policy",
        "--role-name",
        name,
        "--policy-name",
        "everything-tried",
        "--policy-document",
        &policy.to_string(),
    ];
    emulator.aws(&allow).await?;
    let answers = emulator.ask(calls, Some(session)).await?;
    let refused = calls.iter().zip(answers).filter_map(|(call, answer)| {
        let code = judge(call, &answer).ok()?;
        Some(format!(
            "{} on {} as {name} is refused even when it is allowed ({code}): the table proves nothing of it",
            action(call),
            call.on
        ))
    });
    Ok(refused.collect())
}

/// The role that the deployed function has.
async fn role_of(stack: &Stack, function: &str) -> Result<String> {
    let asked = [
        "lambda",
        "get-function-configuration",
        "--function-name",
        &stack.deployed.functions[function],
        "--query",
        "Role",
        "--output",
        "text",
    ];
    Ok(stack.emulator.aws(&asked).await?.trim().to_owned())
}

/// A session of a role. In an account only Lambda could take it; the emulator lets the account's own key take any, which is convenient
/// here and proves nothing: `template.rs` reads in the template who is trusted.
async fn session_of(emulator: &Emulator, role: &str) -> Result<Session> {
    let take = [call(
        "sts",
        "AssumeRole",
        role,
        json!({ "RoleArn": role, "RoleSessionName": "refusals" }),
    )];
    let Some(Answer::Done { done }) = emulator.ask(&take, None).await?.pop() else {
        bail!("{role} cannot be taken by the account that owns it")
    };
    let part = |member: &str| {
        let value = done["Credentials"][member].as_str();
        value
            .map(str::to_owned)
            .with_context(|| format!("the session has no {member}"))
    };
    Ok(Session {
        key: part("AccessKeyId")?,
        secret: part("SecretAccessKey")?,
        token: part("SessionToken")?,
    })
}

async fn names(stack: &Stack) -> Result<Names> {
    let deployed = &stack.deployed;
    let queue = |url: &str| url.rsplit('/').next().unwrap_or_default().to_owned();
    let source_prefix = deployed.variable("ingest", "SOURCE_SECRET_PREFIX")?;
    let connection_prefix = deployed.variable("tickets", "CONNECTION_SECRET_PREFIX")?;
    let source = format!("{source_prefix}{}", stack.seeded.source);
    let connection = format!("{connection_prefix}{}", stack.seeded.partner);
    // Another stage's of the same account.
    let other_source = source.replace("/local/", "/prod/");
    let other_connection = connection.replace("/local/", "/prod/");
    ensure!(
        other_source != source && other_connection != connection,
        "the names of secrets do not hold the stage"
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
    Ok(Names {
        queue: queue(&deployed.queue_url),
        queue_url: deployed.queue_url.clone(),
        dead_letters: queue(&deployed.dead_letter_queue_url),
        dead_letters_url: deployed.dead_letter_queue_url.clone(),
        alerts: deployed.alerts_table.clone(),
        config: deployed.config_table.clone(),
        access: deployed.access_table.clone(),
        source_secret: source,
        connection_secret: connection,
        client_id_secret: deployed.variable("tickets", "CLIENT_ID_SECRET")?.to_owned(),
        other_source_secret: other_source,
        other_connection_secret: other_connection,
        ingest: deployed.functions["ingest"].clone(),
        tickets: deployed.functions["tickets"].clone(),
        reconcile: deployed.functions["reconcile"].clone(),
        health: deployed.functions["health"].clone(),
        setup: deployed.functions["setup"].clone(),
    })
}

fn ingest(names: &Names) -> Expected {
    let mut refused = Vec::new();
    for table in [&names.alerts, &names.config] {
        refused.extend(reads(table));
        refused.extend(writes(table));
        refused.extend(administration_of_table(table));
    }
    refused.extend(access(&names.access, &[]));
    // It fills its queue, and neither reads it nor looks at it.
    refused.extend(consuming(&names.queue, &names.queue_url));
    refused.push(queue_attributes(&names.queue, &names.queue_url));
    refused.extend(administration_of_queue(&names.queue, &names.queue_url));
    refused.extend(sending(&names.dead_letters, &names.dead_letters_url));
    refused.extend(consuming(&names.dead_letters, &names.dead_letters_url));
    for name in [
        &names.connection_secret,
        &names.client_id_secret,
        &names.other_source_secret,
        &names.other_connection_secret,
    ] {
        refused.push(get_secret(name));
    }
    refused.extend(administration_of_secret(&names.source_secret));
    refused.extend(elsewhere(&names.ingest, &names.tickets));
    Expected {
        before: vec![],
        // What is sent here ends as a dead letter of the stack that is about to go.
        allowed: vec![
            get_secret(&names.source_secret),
            send(&names.queue, &names.queue_url),
        ],
        refused,
    }
}

fn tickets(names: &Names) -> Expected {
    let mut refused = Vec::new();
    let allowed_reads = [
        (&names.alerts, ["GetItem", "BatchGetItem"].as_slice()),
        (&names.config, &["BatchGetItem"]),
    ];
    for (table, allowed) in allowed_reads {
        // What it knows the key of it may get, put and update, and no more: no lists, and nothing is ever deleted.
        refused.extend(
            reads(table)
                .into_iter()
                .filter(|call| !allowed.contains(&call.operation)),
        );
        refused.push(delete_item(table));
        refused.extend(administration_of_table(table));
    }
    refused.extend(access(&names.access, &["BatchGetItem"]));
    // The one loop that must not be: a consumer that feeds its own queue.
    refused.extend(sending(&names.queue, &names.queue_url));
    refused.extend(administration_of_queue(&names.queue, &names.queue_url));
    refused.extend(consuming(&names.dead_letters, &names.dead_letters_url));
    for name in [
        &names.source_secret,
        &names.other_source_secret,
        &names.other_connection_secret,
    ] {
        refused.push(get_secret(name));
    }
    refused.extend(administration_of_secret(&names.connection_secret));
    refused.extend(elsewhere(&names.tickets, &names.ingest));
    let allowed = vec![
        get_secret(&names.connection_secret),
        get_secret(&names.client_id_secret),
        get_item(&names.alerts),
        batch_get_item(&names.config),
        batch_get_item(&names.access),
        queue_attributes(&names.queue, &names.queue_url),
    ];
    Expected {
        before: vec![],
        allowed,
        refused,
    }
}

fn reconcile(names: &Names) -> Expected {
    // Beside the lists it reads and writes single records alone, which a lost table needs: never many, and nothing is deleted.
    let alerts = &names.alerts;
    let others = reads(alerts).into_iter().chain(writes(alerts));
    let mut refused: Vec<_> = others
        .filter(|call| !matches!(call.operation, "GetItem" | "UpdateItem"))
        .collect();
    refused.extend(administration_of_table(&names.alerts));
    let config = &names.config;
    let others = reads(config).into_iter().chain(writes(config));
    refused.extend(
        others.filter(|call| !matches!(call.operation, "GetItem" | "Query" | "UpdateItem")),
    );
    refused.extend(administration_of_table(config));
    refused.extend(access(&names.access, &["GetItem", "Query"]));
    // It fills the queue, and neither reads it nor looks at it.
    refused.extend(consuming(&names.queue, &names.queue_url));
    refused.push(queue_attributes(&names.queue, &names.queue_url));
    refused.extend(administration_of_queue(&names.queue, &names.queue_url));
    refused.extend(sending(&names.dead_letters, &names.dead_letters_url));
    refused.extend(consuming(&names.dead_letters, &names.dead_letters_url));
    for name in [
        &names.source_secret,
        &names.other_source_secret,
        &names.other_connection_secret,
    ] {
        refused.push(get_secret(name));
    }
    refused.extend(administration_of_secret(&names.connection_secret));
    // Of the functions it may run itself alone.
    refused.extend([invoke(&names.ingest), invoke(&names.health)]);
    refused.extend(elsewhere(&names.reconcile, &names.tickets));
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
    Expected {
        before: vec![],
        allowed,
        refused,
    }
}

fn health(names: &Names) -> Expected {
    // What waits is listed; no record is read or written.
    let alerts = &names.alerts;
    let mut refused: Vec<_> = reads(alerts).into_iter().chain(writes(alerts)).collect();
    refused.push(list(alerts, "by_look", "look_of"));
    refused.extend(administration_of_table(alerts));
    let config = &names.config;
    let others = reads(config).into_iter().chain(writes(config));
    refused.extend(
        others.filter(|call| !matches!(call.operation, "GetItem" | "Query" | "UpdateItem")),
    );
    refused.extend(administration_of_table(config));
    refused.extend(access(&names.access, &["GetItem", "Query"]));
    for (name, url) in [
        (&names.queue, &names.queue_url),
        (&names.dead_letters, &names.dead_letters_url),
    ] {
        refused.extend(sending(name, url));
        refused.extend(consuming(name, url));
    }
    refused.push(queue_attributes(&names.queue, &names.queue_url));
    refused.extend(administration_of_queue(&names.queue, &names.queue_url));
    for name in [
        &names.source_secret,
        &names.other_source_secret,
        &names.other_connection_secret,
    ] {
        refused.push(get_secret(name));
    }
    refused.extend(administration_of_secret(&names.connection_secret));
    // Of the functions it may run itself alone.
    refused.extend([invoke(&names.ingest), invoke(&names.reconcile)]);
    // As for setup.
    let elsewhere = elsewhere(&names.health, &names.tickets).into_iter();
    refused.extend(elsewhere.filter(|call| call.operation != "SendEmail"));
    let allowed = vec![
        list(alerts, "by_state", "state_of"),
        list(config, "due", "due_of"),
        get_item(config),
        update_item(config),
        get_item(&names.access),
        query(&names.access),
        get_secret(&names.connection_secret),
        get_secret(&names.client_id_secret),
        mail(MAIL_FROM),
        invoke(&names.health),
    ];
    Expected {
        before: vec![],
        allowed,
        refused,
    }
}

fn setup(names: &Names) -> Expected {
    // Of the records it lists what waits, and reads single ones; tickets writes them.
    let alerts = &names.alerts;
    let others = reads(alerts).into_iter().chain(writes(alerts));
    let mut refused: Vec<_> = others.filter(|call| call.operation != "GetItem").collect();
    refused.push(list(alerts, "by_look", "look_of"));
    refused.extend(administration_of_table(alerts));
    // It writes all that partners decide, one item at a time, and never walks through all of it.
    let (config, access) = (&names.config, &names.access);
    let no_need = |call: &Call| matches!(call.operation, "Scan" | "PutItem" | "DeleteItem");
    let of_config = reads(config).into_iter().chain(writes(config));
    let (of_config, allowed_of_config): (Vec<_>, Vec<_>) = of_config.partition(no_need);
    refused.extend(of_config);
    refused.push(list(config, "due", "due_of"));
    refused.extend(administration_of_table(config));
    let of_access = reads(access).into_iter().chain(writes_of_access(access));
    let (of_access, allowed_of_access): (Vec<_>, Vec<_>) =
        of_access.partition(|call| call.operation == "Scan");
    refused.extend(of_access);
    refused.extend(administration_of_table(access));
    // It fills the queue, and neither reads it nor looks at it.
    refused.extend(consuming(&names.queue, &names.queue_url));
    refused.push(queue_attributes(&names.queue, &names.queue_url));
    refused.extend(administration_of_queue(&names.queue, &names.queue_url));
    refused.extend(sending(&names.dead_letters, &names.dead_letters_url));
    refused.extend(consuming(&names.dead_letters, &names.dead_letters_url));
    for name in [&names.other_source_secret, &names.other_connection_secret] {
        refused.push(get_secret(name));
        refused.push(put_secret(name));
        refused.push(create_secret(&format!("{name}-new")));
    }
    // The operator's own, which it reads, and what is only ever replaced.
    refused.extend(administration_of_secret(&names.client_id_secret));
    for name in [&names.source_secret, &names.connection_secret] {
        let others = administration_of_secret(name).into_iter();
        refused.extend(
            others.filter(|call| !matches!(call.operation, "PutSecretValue" | "RestoreSecret")),
        );
    }
    for function in [&names.ingest, &names.reconcile, &names.health] {
        refused.push(invoke(function));
    }
    // The emulator does not know whom a mail comes from (see `local`): that is a rule over the template's text.
    let elsewhere = elsewhere(&names.setup, &names.tickets).into_iter();
    refused.extend(elsewhere.filter(|call| call.operation != "SendEmail"));
    let new_source = format!("{}-new", names.source_secret);
    let new_connection = format!("{}-new", names.connection_secret);
    let deleted_source = format!("{}-deleted", names.source_secret);
    let deleted_connection = format!("{}-deleted", names.connection_secret);
    let before = [&deleted_source, &deleted_connection];
    let before = before
        .into_iter()
        .flat_map(|name| [create_secret(name), delete_secret(name)]);
    let mut allowed = vec![
        list(alerts, "by_state", "state_of"),
        get_item(alerts),
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
    Expected {
        before: before.collect(),
        allowed,
        refused,
    }
}

/// A key that fits the table: a table's own shape is checked after permission.
fn key(table: &str) -> Value {
    if table.contains("Alerts") {
        json!({ "pk": { "S": "nobody" } })
    } else {
        json!({ "pk": { "S": "P#nobody" }, "sk": { "S": "connection" } })
    }
}

/// What decides who may act for which partner, and whether a partner is switched on.
const ACCESS_ITEMS: [(&str, &str, &str); 8] = [
    ("a session", "S#0000", "session"),
    ("a link", "S#0000", "link"),
    ("a partner", "OPERATOR", "partner#nobody"),
    ("a source", "OPERATOR", "source#nobody"),
    ("a connection", "P#nobody", "connection"),
    ("a contact", "P#nobody", "contact"),
    ("a partner's source", "P#nobody", "source#nobody"),
    ("the history", "P#nobody", "audit#2026-11-22"),
];

/// Each write of each item of the access table.
fn writes_of_access(table: &str) -> Vec<Call> {
    let mut calls = vec![];
    for (what, pk, sk) in ACCESS_ITEMS {
        let key = json!({ "pk": { "S": pk }, "sk": { "S": sk } });
        let on = format!("{what} in {table}");
        let put = json!({ "TableName": table, "Item": key });
        let one = json!({ "TableName": table, "Key": key });
        calls.extend([
            call("dynamodb", "PutItem", &on, put),
            call("dynamodb", "UpdateItem", &on, one.clone()),
            call("dynamodb", "DeleteItem", &on, one),
        ]);
    }
    calls
}

/// What a function other than set-up must not do to the access table: it writes nothing there, and reads only in these ways.
fn access(table: &str, reads_by: &[&str]) -> Vec<Call> {
    let others = reads(table).into_iter();
    let others = others.filter(|call| !reads_by.contains(&call.operation));
    let writes = writes_of_access(table).into_iter();
    let administration = administration_of_table(table);
    others.chain(writes).chain(administration).collect()
}

fn get_item(table: &str) -> Call {
    let parameters = json!({ "TableName": table, "Key": key(table) });
    call("dynamodb", "GetItem", table, parameters)
}

fn update_item(table: &str) -> Call {
    let parameters = json!({ "TableName": table, "Key": key(table) });
    call("dynamodb", "UpdateItem", table, parameters)
}

fn delete_item(table: &str) -> Call {
    let parameters = json!({ "TableName": table, "Key": key(table) });
    call("dynamodb", "DeleteItem", table, parameters)
}

fn query(table: &str) -> Call {
    let parameters = json!({
        "TableName": table,
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": { ":pk": { "S": "P#nobody" } },
    });
    call("dynamodb", "Query", table, parameters)
}

fn reads(table: &str) -> Vec<Call> {
    vec![
        get_item(table),
        query(table),
        call("dynamodb", "Scan", table, json!({ "TableName": table })),
        batch_get_item(table),
    ]
}

fn batch_get_item(table: &str) -> Call {
    let parameters = json!({ "RequestItems": { table: { "Keys": [key(table)] } } });
    call("dynamodb", "BatchGetItem", table, parameters)
}

fn list(table: &str, index: &str, hash: &str) -> Call {
    let parameters = json!({
        "TableName": table,
        "IndexName": index,
        "KeyConditionExpression": format!("{hash} = :of"),
        "ExpressionAttributeValues": { ":of": { "S": "nobody" } },
    });
    let on = format!("{table}/index/{index}");
    call("dynamodb", "Query", &on, parameters)
}

fn invoke(function: &str) -> Call {
    let parameters = json!({ "FunctionName": function, "Payload": "{}" });
    call("lambda", "Invoke", function, parameters)
}

fn writes(table: &str) -> Vec<Call> {
    let put = json!({ "TableName": table, "Item": key(table) });
    vec![
        call("dynamodb", "PutItem", table, put),
        update_item(table),
        delete_item(table),
    ]
}

fn administration_of_table(table: &str) -> Vec<Call> {
    let without_backups = json!({
        "TableName": table,
        "PointInTimeRecoverySpecification": { "PointInTimeRecoveryEnabled": false },
    });
    let without_index = json!({
        "TableName": table,
        "GlobalSecondaryIndexUpdates": [{ "Delete": { "IndexName": "by_state" } }],
    });
    let batch = json!({ "RequestItems": { table: [{ "DeleteRequest": { "Key": key(table) } }] } });
    vec![
        call("dynamodb", "BatchWriteItem", table, batch),
        call(
            "dynamodb",
            "DeleteTable",
            table,
            json!({ "TableName": table }),
        ),
        call("dynamodb", "UpdateTable", table, without_index),
        call(
            "dynamodb",
            "UpdateContinuousBackups",
            table,
            without_backups,
        ),
    ]
}

fn send(queue: &str, url: &str) -> Call {
    let parameters = json!({ "QueueUrl": url, "MessageBody": "{}" });
    call("sqs", "SendMessage", queue, parameters)
}

fn sending(queue: &str, url: &str) -> Vec<Call> {
    let batch = json!({ "QueueUrl": url, "Entries": [{ "Id": "1", "MessageBody": "{}" }] });
    vec![
        send(queue, url),
        call("sqs", "SendMessageBatch", queue, batch),
    ]
}

fn consuming(queue: &str, url: &str) -> Vec<Call> {
    let receipt = json!({ "QueueUrl": url, "ReceiptHandle": "none" });
    let hidden = json!({ "QueueUrl": url, "ReceiptHandle": "none", "VisibilityTimeout": 1 });
    vec![
        call("sqs", "ReceiveMessage", queue, json!({ "QueueUrl": url })),
        call("sqs", "DeleteMessage", queue, receipt),
        call("sqs", "ChangeMessageVisibility", queue, hidden),
    ]
}

fn queue_attributes(queue: &str, url: &str) -> Call {
    let parameters = json!({ "QueueUrl": url, "AttributeNames": ["All"] });
    call("sqs", "GetQueueAttributes", queue, parameters)
}

fn administration_of_queue(queue: &str, url: &str) -> Vec<Call> {
    let open = json!({ "QueueUrl": url, "Attributes": { "MessageRetentionPeriod": "60" } });
    let url = json!({ "QueueUrl": url });
    vec![
        call("sqs", "PurgeQueue", queue, url.clone()),
        call("sqs", "DeleteQueue", queue, url),
        call("sqs", "SetQueueAttributes", queue, open),
    ]
}

fn get_secret(name: &str) -> Call {
    call(
        "secretsmanager",
        "GetSecretValue",
        name,
        json!({ "SecretId": name }),
    )
}

fn put_secret(name: &str) -> Call {
    let parameters = json!({ "SecretId": name, "SecretString": "{}" });
    call("secretsmanager", "PutSecretValue", name, parameters)
}

fn create_secret(name: &str) -> Call {
    let parameters = json!({ "Name": name, "SecretString": "{}" });
    call("secretsmanager", "CreateSecret", name, parameters)
}

fn mail(from: &str) -> Call {
    let parameters = json!({
        "FromEmailAddress": from,
        "Destination": { "ToAddresses": ["b@example.com"] },
        "Content": { "Simple": { "Subject": { "Data": "s" }, "Body": { "Text": { "Data": "t" } } } },
    });
    call("sesv2", "SendEmail", from, parameters)
}

/// To read a secret is not to change it.
fn delete_secret(name: &str) -> Call {
    let parameters = json!({ "SecretId": name });
    call("secretsmanager", "DeleteSecret", name, parameters)
}

fn restore_secret(name: &str) -> Call {
    let parameters = json!({ "SecretId": name });
    call("secretsmanager", "RestoreSecret", name, parameters)
}

fn administration_of_secret(name: &str) -> Vec<Call> {
    let with_text = json!({ "SecretId": name, "SecretString": "{}" });
    vec![
        put_secret(name),
        restore_secret(name),
        call("secretsmanager", "UpdateSecret", name, with_text),
        delete_secret(name),
    ]
}

/// What has nothing to do with any function of ours: making things, mail, code, permissions, other logs.
fn elsewhere(own: &str, other: &str) -> Vec<Call> {
    let new_table = json!({
        "TableName": "mine",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{ "AttributeName": "pk", "AttributeType": "S" }],
        "KeySchema": [{ "AttributeName": "pk", "KeyType": "HASH" }],
    });
    let all =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let policy = json!({ "RoleName": "any", "PolicyName": "all", "PolicyDocument": all });
    let other_log = format!("/aws/lambda/{other}");
    vec![
        call("dynamodb", "CreateTable", "mine", new_table),
        call("dynamodb", "ListTables", "*", json!({})),
        call("sqs", "CreateQueue", "mine", json!({ "QueueName": "mine" })),
        call("sqs", "ListQueues", "*", json!({})),
        create_secret("mine"),
        call("secretsmanager", "ListSecrets", "*", json!({})),
        invoke(other),
        call(
            "lambda",
            "UpdateFunctionConfiguration",
            own,
            json!({ "FunctionName": own, "Timeout": 900 }),
        ),
        call("lambda", "ListFunctions", "*", json!({})),
        call("iam", "PutRolePolicy", "any", policy),
        call("iam", "ListRoles", "*", json!({})),
        call("iam", "CreateUser", "mine", json!({ "UserName": "mine" })),
        call("s3", "ListBuckets", "*", json!({})),
        call(
            "s3",
            "ListObjectsV2",
            "ticketbridge-code",
            json!({ "Bucket": "ticketbridge-code" }),
        ),
        call(
            "s3",
            "PutObject",
            "ticketbridge-code/mine",
            json!({ "Bucket": "ticketbridge-code", "Key": "mine", "Body": "x" }),
        ),
        mail("a@example.com"),
        call(
            "logs",
            "FilterLogEvents",
            &other_log,
            json!({ "logGroupName": other_log }),
        ),
        call(
            "logs",
            "CreateLogGroup",
            "mine",
            json!({ "logGroupName": "mine" }),
        ),
        call(
            "cloudformation",
            "DeleteStack",
            "ticketbridge-local",
            json!({ "StackName": "ticketbridge-local" }),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_access_denied_that_names_the_action_is_a_refusal() {
        let invoke = call("lambda", "Invoke", "tickets", json!({}));
        let said = |code: &str, action: &str| Answer::Refused {
            code: code.to_owned(),
            message: format!("User: x is not authorized to perform: {action} because of y"),
        };
        let action = "lambda:InvokeFunction";
        for code in ["AccessDenied", "AccessDeniedException"] {
            assert_eq!(judge(&invoke, &said(code, action)), Ok(code.to_owned()));
        }
        for answer in [
            Answer::Done { done: json!({}) },
            said("ResourceNotFoundException", action),
            said("ValidationException", action),
            said("InvalidClientTokenId", action),
            said("SignatureDoesNotMatch", action),
            said("AccessDenied", "lambda:ListFunctions"),
            Answer::Refused {
                code: "AccessDenied".to_owned(),
                message: "no".to_owned(),
            },
        ] {
            assert!(judge(&invoke, &answer).is_err(), "{answer:?}");
        }
    }
}
