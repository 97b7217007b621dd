//! The DynamoDB tables of `infra/template.yaml`, made in the emulator.
//!
//! Keys, indexes with their projections, TTL and streams come from the template. The emulator
//! returns from an index only what it projects, so a function that reads one more attribute from an
//! index than the template lists fails in these tests as it would in an account.

use std::sync::LazyLock;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types as dynamodb;
use aws_types::SdkConfig;
use serde::Deserialize;
use serde::de::IgnoredAny;
use yaml_serde::Value;

static TEMPLATE: LazyLock<Value> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra/template.yaml");
    yaml_serde::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
});

/// The properties of an `AWS::DynamoDB::Table`. A property that is not listed here fails to parse,
/// so that none is left out of the tests' tables by accident.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct TableProperties {
    billing_mode: String,
    attribute_definitions: Vec<AttributeDefinition>,
    key_schema: Vec<KeySchemaElement>,
    #[serde(default)]
    global_secondary_indexes: Vec<GlobalSecondaryIndex>,
    time_to_live_specification: Option<TimeToLive>,
    stream_specification: Option<StreamSpecification>,
    #[serde(rename = "TableName")]
    _table_name: IgnoredAny,
    #[serde(rename = "DeletionProtectionEnabled")]
    _deletion_protection: IgnoredAny,
    #[serde(rename = "PointInTimeRecoverySpecification")]
    _point_in_time_recovery: IgnoredAny,
    #[serde(rename = "SSESpecification")]
    _encryption: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct AttributeDefinition {
    attribute_name: String,
    attribute_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct KeySchemaElement {
    attribute_name: String,
    key_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GlobalSecondaryIndex {
    index_name: String,
    key_schema: Vec<KeySchemaElement>,
    projection: Projection,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Projection {
    projection_type: String,
    non_key_attributes: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct TimeToLive {
    attribute_name: String,
    enabled: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct StreamSpecification {
    stream_view_type: String,
}

/// Creates `table_name` with the properties of the template's resource `logical_id`.
pub(super) async fn create(aws: &SdkConfig, logical_id: &str, table_name: &str) {
    let resource = &TEMPLATE["Resources"][logical_id];
    assert_eq!(resource["Type"], "AWS::DynamoDB::Table", "{logical_id}");
    let properties = resource["Properties"].clone();
    let properties: TableProperties = yaml_serde::from_value(properties).unwrap();
    let indexes = properties.global_secondary_indexes.iter();
    let indexes: Vec<_> = indexes.map(index).collect();
    let attributes = properties.attribute_definitions.iter().map(|attribute| {
        dynamodb::AttributeDefinition::builder()
            .attribute_name(&attribute.attribute_name)
            .attribute_type(attribute.attribute_type.as_str().into())
            .build()
            .unwrap()
    });
    let stream = properties.stream_specification.map(|stream| {
        dynamodb::StreamSpecification::builder()
            .stream_enabled(true)
            .stream_view_type(stream.stream_view_type.as_str().into())
            .build()
            .unwrap()
    });
    let client = Client::new(aws);
    let table = client
        .create_table()
        .table_name(table_name)
        .billing_mode(properties.billing_mode.as_str().into())
        .set_attribute_definitions(Some(attributes.collect()))
        .set_key_schema(Some(keys(&properties.key_schema)))
        .set_global_secondary_indexes((!indexes.is_empty()).then_some(indexes))
        .set_stream_specification(stream);
    // A lost answer makes the SDK repeat the call, and the account is new: an existing table is ours.
    if let Err(error) = table.send().await {
        let error = error.into_service_error();
        assert!(error.is_resource_in_use_exception(), "{error:?}");
    }
    if let Some(time_to_live) = properties.time_to_live_specification {
        let specification = dynamodb::TimeToLiveSpecification::builder()
            .attribute_name(time_to_live.attribute_name)
            .enabled(time_to_live.enabled)
            .build()
            .unwrap();
        let update = client.update_time_to_live().table_name(table_name);
        let update = update.time_to_live_specification(specification);
        update.send().await.unwrap();
    }
}

fn keys(schema: &[KeySchemaElement]) -> Vec<dynamodb::KeySchemaElement> {
    let element = |element: &KeySchemaElement| {
        dynamodb::KeySchemaElement::builder()
            .attribute_name(&element.attribute_name)
            .key_type(element.key_type.as_str().into())
            .build()
            .unwrap()
    };
    schema.iter().map(element).collect()
}

fn index(index: &GlobalSecondaryIndex) -> dynamodb::GlobalSecondaryIndex {
    let projection = dynamodb::Projection::builder()
        .projection_type(index.projection.projection_type.as_str().into())
        .set_non_key_attributes(index.projection.non_key_attributes.clone())
        .build();
    dynamodb::GlobalSecondaryIndex::builder()
        .index_name(&index.index_name)
        .set_key_schema(Some(keys(&index.key_schema)))
        .projection(projection)
        .build()
        .unwrap()
}
