//! Searches a whole stack for what was deleted: all tables, secrets, queues and logs.

use anyhow::{Context, Result};
use aws_sdk_dynamodb::types::AttributeValue;
use local_stack::emulator::sdk_config;
use local_stack::stack::Stack;
use serde_json::{Value, json};

/// Where a text was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) place: String,
    pub(super) text: String,
}

/// Each place that has one of the texts.
pub(super) async fn search(stack: &Stack, texts: &[&str]) -> Result<Vec<Found>> {
    let mut places = tables(stack).await?;
    places.extend(secrets(stack).await?);
    places.extend(messages(stack).await?);
    places.extend(logs(stack).await?);
    let found = places.iter().flat_map(|(place, content)| {
        let texts = texts.iter().filter(|text| content.contains(**text));
        texts.map(|text| Found {
            place: place.clone(),
            text: (*text).to_owned(),
        })
    });
    let mut found: Vec<_> = found.collect();
    found.dedup();
    Ok(found)
}

async fn tables(stack: &Stack) -> Result<Vec<(String, String)>> {
    let client = aws_sdk_dynamodb::Client::new(&sdk_config(stack.emulator.endpoint())?);
    let deployed = &stack.deployed;
    let mut places = vec![];
    for (name, table) in [
        ("alerts", &deployed.alerts_table),
        ("config", &deployed.config_table),
        ("access", &deployed.access_table),
        ("deliveries", &deployed.deliveries_table),
    ] {
        let scan = client.scan().table_name(table).consistent_read(true);
        let mut items = scan.into_paginator().items().send();
        while let Some(item) = items.next().await {
            let item = item.context("cannot scan a table")?;
            let key = |name| item.get(name).and_then(|value| value.as_s().ok());
            let (pk, sk) = (key("pk"), key("sk"));
            let sk = sk.map_or("", String::as_str);
            let pk = pk.map_or("", String::as_str);
            let content = item.values().map(text_of).collect::<Vec<_>>().join("\n");
            places.push((format!("{name} {pk} {sk}"), content));
        }
    }
    Ok(places)
}

/// The texts of a value, also those of compressed or binary ones as far as they are text.
fn text_of(value: &AttributeValue) -> String {
    match value.as_b() {
        Ok(bytes) => String::from_utf8_lossy(bytes.as_ref()).into_owned(),
        Err(_) => format!("{value:?}"),
    }
}

async fn secrets(stack: &Stack) -> Result<Vec<(String, String)>> {
    let list = call("secretsmanager", "ListSecrets", &json!({}));
    let listed = stack.emulator.call_all(&[list]).await?;
    let names = listed[0]["SecretList"].as_array();
    let names = names.context("no list of secrets")?.iter();
    let names: Vec<_> = names.filter_map(|secret| secret["Name"].as_str()).collect();
    let gets = names.iter().map(|name| {
        call(
            "secretsmanager",
            "GetSecretValue",
            &json!({ "SecretId": name }),
        )
    });
    let values = stack.emulator.call_all(&gets.collect::<Vec<_>>()).await?;
    let places = names.iter().zip(values);
    Ok(places
        .map(|(name, value)| (format!("secret {name}"), value.to_string()))
        .collect())
}

/// The messages of all queues. They are visible again at once.
async fn messages(stack: &Stack) -> Result<Vec<(String, String)>> {
    let deployed = &stack.deployed;
    let queues = [
        ("queue", &deployed.queue_url),
        ("dead letters", &deployed.dead_letter_queue_url),
        ("delivery queue", &deployed.delivery_queue_url),
        (
            "delivery dead letters",
            &deployed.delivery_dead_letter_queue_url,
        ),
    ];
    let receive = queues.map(|(_, url)| {
        let parameters = json!({
            "QueueUrl": url,
            "MaxNumberOfMessages": 10,
            "VisibilityTimeout": 0,
            "MessageAttributeNames": ["All"],
        });
        call("sqs", "ReceiveMessage", &parameters)
    });
    let answers = stack.emulator.call_all(&receive).await?;
    let places = queues.iter().zip(answers);
    Ok(places
        .map(|((name, _), answer)| ((*name).to_owned(), answer["Messages"].to_string()))
        .collect())
}

async fn logs(stack: &Stack) -> Result<Vec<(String, String)>> {
    let mut places = vec![];
    for (function, deployed) in &stack.deployed.functions {
        let group = format!("/aws/lambda/{deployed}");
        let mut token: Option<String> = None;
        loop {
            let mut parameters = json!({ "logGroupName": group });
            if let Some(token) = &token {
                parameters["nextToken"] = json!(token);
            }
            let filter = call("logs", "FilterLogEvents", &parameters);
            let answers = stack.emulator.call_all(&[filter]).await?;
            places.push((
                format!("log of {function}"),
                answers[0]["events"].to_string(),
            ));
            let next = answers[0]["nextToken"].as_str().map(str::to_owned);
            if next.is_none() || next == token {
                break;
            }
            token = next;
        }
    }
    Ok(places)
}

fn call(service: &str, operation: &str, parameters: &Value) -> Value {
    json!({ "service": service, "operation": operation, "parameters": parameters })
}
