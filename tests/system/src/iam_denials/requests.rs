//! Requests that a role may or may not make, by the kind of resource.

use serde_json::{Value, json};

use super::call::{IamCall, call};

/// A key that fits the table. A wrong key would be refused only after the permission check.
fn key(table: &str) -> Value {
    if table.ends_with("-alerts") {
        json!({ "pk": { "S": "unknown" } })
    } else {
        json!({ "pk": { "S": "P#unknown" }, "sk": { "S": "connection" } })
    }
}

/// The items that decide who may act for which partner, and whether a partner is enabled.
const ACCESS_ITEMS: [(&str, &str, &str); 8] = [
    ("a session", "S#0000", "session"),
    ("a link", "S#0000", "link"),
    ("a partner", "OPERATOR", "partner#unknown"),
    ("a source", "OPERATOR", "source#unknown"),
    ("a connection", "P#unknown", "connection"),
    ("a contact", "P#unknown", "contacts"),
    ("a partner's source", "P#unknown", "source#unknown"),
    ("the history", "P#unknown", "audit#2026-11-22"),
];

/// Each write to each kind of item of the access table.
pub(super) fn writes_of_access(table: &str) -> Vec<IamCall> {
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

/// What a function other than set-up must not do with the access table: it writes nothing, and
/// reads only with these operations.
pub(super) fn access(table: &str, reads_by: &[&str]) -> Vec<IamCall> {
    let others = reads(table).into_iter();
    let others = others.filter(|call| !reads_by.contains(&call.operation));
    let writes = writes_of_access(table).into_iter();
    let administration = administration_of_table(table);
    others.chain(writes).chain(administration).collect()
}

pub(super) fn get_item(table: &str) -> IamCall {
    let parameters = json!({ "TableName": table, "Key": key(table) });
    call("dynamodb", "GetItem", table, parameters)
}

pub(super) fn update_item(table: &str) -> IamCall {
    let parameters = json!({ "TableName": table, "Key": key(table) });
    call("dynamodb", "UpdateItem", table, parameters)
}

pub(super) fn delete_item(table: &str) -> IamCall {
    let parameters = json!({ "TableName": table, "Key": key(table) });
    call("dynamodb", "DeleteItem", table, parameters)
}

pub(super) fn query(table: &str) -> IamCall {
    let parameters = json!({
        "TableName": table,
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": { ":pk": { "S": "P#unknown" } },
    });
    call("dynamodb", "Query", table, parameters)
}

pub(super) fn reads(table: &str) -> Vec<IamCall> {
    vec![
        get_item(table),
        query(table),
        call("dynamodb", "Scan", table, json!({ "TableName": table })),
        batch_get_item(table),
    ]
}

pub(super) fn batch_get_item(table: &str) -> IamCall {
    let parameters = json!({ "RequestItems": { table: { "Keys": [key(table)] } } });
    call("dynamodb", "BatchGetItem", table, parameters)
}

pub(super) fn list(table: &str, index: &str, hash: &str) -> IamCall {
    let parameters = json!({
        "TableName": table,
        "IndexName": index,
        "KeyConditionExpression": format!("{hash} = :of"),
        "ExpressionAttributeValues": { ":of": { "S": "unknown" } },
    });
    let on = format!("{table}/index/{index}");
    call("dynamodb", "Query", &on, parameters)
}

pub(super) fn invoke(function: &str) -> IamCall {
    let parameters = json!({ "FunctionName": function, "Payload": "{}" });
    call("lambda", "Invoke", function, parameters)
}

pub(super) fn writes(table: &str) -> Vec<IamCall> {
    let put = json!({ "TableName": table, "Item": key(table) });
    vec![
        call("dynamodb", "PutItem", table, put),
        update_item(table),
        delete_item(table),
    ]
}

pub(super) fn administration_of_table(table: &str) -> Vec<IamCall> {
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

pub(super) fn send(queue: &str, url: &str) -> IamCall {
    let parameters = json!({ "QueueUrl": url, "MessageBody": "{}" });
    call("sqs", "SendMessage", queue, parameters)
}

pub(super) fn sending(queue: &str, url: &str) -> Vec<IamCall> {
    let batch = json!({ "QueueUrl": url, "Entries": [{ "Id": "1", "MessageBody": "{}" }] });
    vec![
        send(queue, url),
        call("sqs", "SendMessageBatch", queue, batch),
    ]
}

pub(super) fn consuming(queue: &str, url: &str) -> Vec<IamCall> {
    let receipt = json!({ "QueueUrl": url, "ReceiptHandle": "none" });
    let hidden = json!({ "QueueUrl": url, "ReceiptHandle": "none", "VisibilityTimeout": 1 });
    vec![
        call("sqs", "ReceiveMessage", queue, json!({ "QueueUrl": url })),
        call("sqs", "DeleteMessage", queue, receipt),
        call("sqs", "ChangeMessageVisibility", queue, hidden),
    ]
}

pub(super) fn queue_attributes(queue: &str, url: &str) -> IamCall {
    let parameters = json!({ "QueueUrl": url, "AttributeNames": ["All"] });
    call("sqs", "GetQueueAttributes", queue, parameters)
}

pub(super) fn administration_of_queue(queue: &str, url: &str) -> Vec<IamCall> {
    let open = json!({ "QueueUrl": url, "Attributes": { "MessageRetentionPeriod": "60" } });
    let url = json!({ "QueueUrl": url });
    vec![
        call("sqs", "PurgeQueue", queue, url.clone()),
        call("sqs", "DeleteQueue", queue, url),
        call("sqs", "SetQueueAttributes", queue, open),
    ]
}

pub(super) fn get_secret(name: &str) -> IamCall {
    call(
        "secretsmanager",
        "GetSecretValue",
        name,
        json!({ "SecretId": name }),
    )
}

pub(super) fn put_secret(name: &str) -> IamCall {
    let parameters = json!({ "SecretId": name, "SecretString": "{}" });
    call("secretsmanager", "PutSecretValue", name, parameters)
}

pub(super) fn create_secret(name: &str) -> IamCall {
    let parameters = json!({ "Name": name, "SecretString": "{}" });
    call("secretsmanager", "CreateSecret", name, parameters)
}

pub(super) fn mail(from: &str) -> IamCall {
    let parameters = json!({
        "FromEmailAddress": from,
        "Destination": { "ToAddresses": ["b@example.com"] },
        "Content": { "Simple": { "Subject": { "Data": "s" }, "Body": { "Text": { "Data": "t" } } } },
    });
    call("sesv2", "SendEmail", from, parameters)
}

pub(super) fn delete_secret(name: &str) -> IamCall {
    let parameters = json!({ "SecretId": name });
    call("secretsmanager", "DeleteSecret", name, parameters)
}

pub(super) fn restore_secret(name: &str) -> IamCall {
    let parameters = json!({ "SecretId": name });
    call("secretsmanager", "RestoreSecret", name, parameters)
}

pub(super) fn administration_of_secret(name: &str) -> Vec<IamCall> {
    let with_text = json!({ "SecretId": name, "SecretString": "{}" });
    vec![
        put_secret(name),
        restore_secret(name),
        call("secretsmanager", "UpdateSecret", name, with_text),
        delete_secret(name),
    ]
}

/// Requests that no function needs: new resources, mail, code, permissions, other logs.
pub(super) fn unrelated(own: &str, other: &str) -> Vec<IamCall> {
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
