//! Capacity units of DynamoDB, by the rules of its documentation ("DynamoDB read and write
//! operations", "Item sizes and formats").
//!
//! The emulator computes those of writes, with the indexes. Those of reads are computed here,
//! because for reads it answers the same number whatever the size.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value, json};

/// Bytes of one unit of a write, and of one unit of a consistent read.
const WRITE_UNIT: usize = 1024;
const READ_UNIT: usize = 4096;
/// What a call may say about the items of its answer. A filter or a projection does not lower the
/// units, so they are computed without both.
const NARROWING: [&str; 2] = ["FilterExpression", "ProjectionExpression"];

/// Units that calls consumed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Units {
    pub read: f64,
    /// Of tables.
    pub write: f64,
    /// Of each index, by its name.
    pub index_writes: BTreeMap<String, f64>,
}

impl Units {
    pub fn add(&mut self, other: &Self) {
        self.add_times(other, 1.0);
    }

    #[must_use]
    pub fn since(mut self, before: &Self) -> Self {
        self.add_times(before, -1.0);
        self
    }

    #[must_use]
    pub fn for_each(&self, count: f64) -> Self {
        let mut each = Self::default();
        each.add_times(self, 1.0 / count);
        each
    }

    pub fn all_index_writes(&self) -> f64 {
        self.index_writes.values().sum()
    }

    fn add_times(&mut self, other: &Self, times: f64) {
        self.read += other.read * times;
        self.write += other.write * times;
        for (index, units) in &other.index_writes {
            *self.index_writes.entry(index.clone()).or_default() += units * times;
        }
    }

    fn of_read(read: f64) -> Self {
        Self {
            read,
            ..Self::default()
        }
    }
}

/// A call with what makes the emulator say which units it consumed.
#[must_use]
pub fn with_report(operation: &str, mut call: Value) -> Value {
    if is_write(operation) {
        call["ReturnConsumedCapacity"] = json!("INDEXES");
        if call["ConditionExpression"].is_string() {
            call["ReturnValuesOnConditionCheckFailure"] = json!("ALL_OLD");
        }
    }
    call
}

/// A query for all that a narrower one reads; `None` if the call answers all that it reads.
#[must_use]
pub fn wider_query(operation: &str, call: &Value) -> Option<Value> {
    let is_narrow = NARROWING.iter().any(|name| !call[*name].is_null());
    if operation != "Query" || !is_narrow {
        return None;
    }
    let mut wider = call.clone();
    let conditions = call["KeyConditionExpression"].as_str().unwrap_or_default();
    let members = wider.as_object_mut()?;
    for name in NARROWING {
        members.remove(name);
    }
    // A name or value that no expression uses is refused.
    for name in ["ExpressionAttributeNames", "ExpressionAttributeValues"] {
        if let Some(used) = members.get_mut(name).and_then(Value::as_object_mut) {
            used.retain(|name, _| uses(conditions, name));
            if used.is_empty() {
                members.remove(name);
            }
        }
    }
    Some(wider)
}

fn uses(expression: &str, name: &str) -> bool {
    let mut rest = expression;
    while let Some((_, after)) = rest.split_once(name) {
        let is_name = |next: char| next.is_alphanumeric() || next == '_';
        if !after.starts_with(is_name) {
            return true;
        }
        rest = after;
    }
    false
}

/// The units of a call, by its answer.
///
/// # Errors
/// For an operation without a rule here, and for an answer that is not as documented.
pub fn units_of(operation: &str, call: &Value, answer: &Value) -> Result<Units> {
    let is_consistent = |of: &Value| of["ConsistentRead"] == true;
    match operation {
        "GetItem" => {
            ensure!(
                call["ProjectionExpression"].is_null(),
                "a read that leaves something out does not show what it reads"
            );
            let size = answer.get("Item").map_or(Ok(0), item_size)?;
            Ok(Units::of_read(read_units(size, is_consistent(call))?))
        }
        // Each item of a batch is rounded up by itself, and a missing one costs a unit too.
        "BatchGetItem" => {
            let mut read = 0.0;
            let tables = call["RequestItems"].as_object();
            for (table, of) in tables.context("a batch names no tables")? {
                let found = items(&answer["Responses"][table]);
                let asked = of["Keys"].as_array().map_or(0, Vec::len);
                let missing = asked.checked_sub(found.len());
                let missing = missing.context("a batch answers more items than it names")?;
                let sizes = found.iter().map(item_size);
                for size in sizes.chain((0..missing).map(|_| Ok(0))) {
                    read += read_units(size?, is_consistent(of))?;
                }
            }
            Ok(Units::of_read(read))
        }
        // The items of a query are added up before they are rounded.
        "Query" => {
            ensure!(
                wider_query(operation, call).is_none(),
                "a query that leaves something out does not show what it reads"
            );
            let size = items(&answer["Items"])
                .iter()
                .map(item_size)
                .sum::<Result<usize>>()?;
            Ok(Units::of_read(read_units(size, is_consistent(call))?))
        }
        _ if is_write(operation) => write_units(answer),
        _ => bail!("no rule says how many capacity units {operation} consumes"),
    }
}

fn is_write(operation: &str) -> bool {
    ["PutItem", "UpdateItem", "DeleteItem"].contains(&operation)
}

/// A write that changes nothing, or whose condition is not met, is charged too: by the item that
/// exists.
fn write_units(answer: &Value) -> Result<Units> {
    let kind = answer["__type"].as_str().unwrap_or_default();
    if kind.ends_with("ConditionalCheckFailedException") {
        let size = answer.get("Item").map_or(Ok(0), item_size)?;
        return Ok(Units {
            write: rounded(size, WRITE_UNIT)?,
            ..Units::default()
        });
    }
    let consumed = &answer["ConsumedCapacity"];
    let write = consumed["Table"]["CapacityUnits"].as_f64();
    let indexes = consumed["GlobalSecondaryIndexes"].as_object();
    let indexes = indexes.into_iter().flatten().map(|(name, index)| {
        let units = index["CapacityUnits"].as_f64();
        (name.clone(), units.unwrap_or_default())
    });
    Ok(Units {
        read: 0.0,
        write: write.with_context(|| format!("the emulator reports no units: {answer}"))?,
        index_writes: indexes.collect(),
    })
}

fn read_units(size: usize, is_consistent: bool) -> Result<f64> {
    let units = rounded(size, READ_UNIT)?;
    Ok(if is_consistent { units } else { units / 2.0 })
}

fn rounded(size: usize, unit: usize) -> Result<f64> {
    Ok(f64::from(u32::try_from(size.div_ceil(unit).max(1))?))
}

fn items(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

/// The bytes of an item: its names and values.
fn item_size(item: &Value) -> Result<usize> {
    let attributes = item.as_object();
    let attributes = attributes.with_context(|| format!("{item} is no item"))?;
    let sizes = attributes
        .iter()
        .map(|(name, value)| Ok(name.len() + value_size(value)?));
    sizes.sum()
}

fn value_size(value: &Value) -> Result<usize> {
    let (kind, content) = value
        .as_object()
        .and_then(|value| value.iter().next())
        .with_context(|| format!("{value} has no type"))?;
    let text = || {
        content
            .as_str()
            .with_context(|| format!("{value} is no text"))
    };
    let list = || {
        content
            .as_array()
            .with_context(|| format!("{value} is no list"))
    };
    Ok(match kind.as_str() {
        "S" => text()?.len(),
        "N" => number_size(text()?),
        // Base64 has four characters for three bytes.
        "B" => text()?.trim_end_matches('=').len() * 3 / 4,
        "BOOL" | "NULL" => 1,
        "SS" | "NS" | "BS" => {
            let element = &kind[..1];
            let sizes = list()?
                .iter()
                .map(|entry| value_size(&json!({ element: entry })));
            sizes.sum::<Result<usize>>()?
        }
        // A list or map has 3 bytes of its own, and 1 for each element.
        "L" => {
            let sizes = list()?.iter().map(|entry| Ok(1 + value_size(entry)?));
            3 + sizes.sum::<Result<usize>>()?
        }
        "M" => {
            let members = content.as_object().map_or(0, Map::len);
            3 + members + item_size(content)?
        }
        other => bail!("{other} is no type of DynamoDB"),
    })
}

/// About one byte for two significant digits, one more, and one for a sign.
fn number_size(text: &str) -> usize {
    let digits = text.trim_start_matches('-').replace('.', "");
    let digits = digits.trim_start_matches('0').trim_end_matches('0');
    digits.len().div_ceil(2) + 1 + usize::from(text.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_has_the_size_of_its_names_and_values() {
        for (value, expected) in [
            (json!({ "name": { "S": "é" } }), 6),
            (json!({ "n": { "N": "12345" } }), 5),
            (json!({ "n": { "N": "-1200" } }), 4),
            (json!({ "n": { "NULL": true } }), 2),
            (json!({ "b": { "B": "AAECAw==" } }), 5),
            (
                json!({ "l": { "L": [{ "S": "ab" }, { "BOOL": true }] } }),
                9,
            ),
            (json!({ "m": { "M": { "key": { "S": "ab" } } } }), 10),
            (json!({ "s": { "SS": ["ab", "c"] } }), 4),
        ] {
            assert_eq!(item_size(&value).unwrap(), expected, "{value}");
        }
    }

    /// An item of this many bytes.
    fn item(bytes: usize) -> Value {
        json!({ "text": { "S": "x".repeat(bytes - 4) } })
    }

    fn read(operation: &str, call: &Value, answer: &Value) -> f64 {
        units_of(operation, call, answer).unwrap().read
    }

    #[test]
    fn a_read_is_charged_by_4_kilobytes_and_half_if_it_is_not_consistent() {
        for (answer, consistent) in [
            (json!({}), 1.0),
            (json!({ "Item": item(4096) }), 1.0),
            (json!({ "Item": item(4097) }), 2.0),
        ] {
            let call = json!({ "ConsistentRead": true });
            let is = |units: f64, expected: f64| (units - expected).abs() < 1e-9;
            assert!(is(read("GetItem", &call, &answer), consistent), "{answer}");
            let eventual = read("GetItem", &json!({}), &answer);
            assert!(is(eventual, consistent / 2.0), "{answer}");
        }
    }

    #[test]
    fn a_read_of_a_part_of_an_item_is_refused() {
        let call = json!({ "ProjectionExpression": "text" });
        let err = units_of("GetItem", &call, &json!({ "Item": item(10) })).unwrap_err();
        assert!(err.to_string().contains("leaves something out"), "{err}");
    }

    #[test]
    fn each_item_of_a_batch_is_charged_by_itself() {
        let call = json!({ "RequestItems": {
            "alerts": { "Keys": [1, 2, 3], "ConsistentRead": true },
            "config": { "Keys": [1, 2] },
        } });
        let answer = json!({ "Responses": {
            "alerts": [item(10), item(5000)], "config": [item(10), item(10)],
        } });
        // 1 + 2 and 1 for the missing one, then twice a half.
        let units = read("BatchGetItem", &call, &answer);
        assert!((units - 5.0).abs() < 1e-9, "{units}");
    }

    #[test]
    fn the_items_of_a_query_are_charged_together() {
        let query = json!({ "ConsistentRead": true });
        for (items, expected) in [(0, 1.0), (4, 1.0), (5, 2.0)] {
            let answer = json!({ "Items": vec![item(1000); items] });
            let units = read("Query", &query, &answer);
            assert!((units - expected).abs() < 1e-9, "{items}: {units}");
        }
    }

    #[test]
    fn a_query_is_widened_to_all_that_it_reads() {
        let query = json!({
            "KeyConditionExpression": "pk = :pk", "FilterExpression": "#s = :p",
            "ProjectionExpression": "pk, #s", "Limit": 100,
            "ExpressionAttributeNames": { "#s": "state" },
            "ExpressionAttributeValues": { ":pk": { "S": "a" }, ":p": { "S": "b" } },
        });
        assert!(units_of("Query", &query, &json!({ "Items": [] })).is_err());
        let expected = json!({
            "KeyConditionExpression": "pk = :pk", "Limit": 100,
            "ExpressionAttributeValues": { ":pk": { "S": "a" } },
        });
        let wider = wider_query("Query", &query).unwrap();
        assert_eq!(wider, expected);
        assert_eq!(wider_query("Query", &wider), None);
    }

    #[test]
    fn a_write_is_charged_for_the_table_and_each_index() {
        let answer = json!({ "ConsumedCapacity": {
            "CapacityUnits": 5.0, "Table": { "CapacityUnits": 2.0 },
            "GlobalSecondaryIndexes": {
                "by_state": { "CapacityUnits": 2.0 }, "by_look": { "CapacityUnits": 1.0 },
            },
        } });
        let expected = Units {
            read: 0.0,
            write: 2.0,
            index_writes: [("by_look", 1.0), ("by_state", 2.0)]
                .map(|(name, units)| (name.to_owned(), units))
                .into(),
        };
        for operation in ["PutItem", "UpdateItem", "DeleteItem"] {
            assert_eq!(units_of(operation, &json!({}), &answer).unwrap(), expected);
            let err = units_of(operation, &json!({}), &json!({})).unwrap_err();
            assert!(err.to_string().contains("reports no units"), "{err}");
        }
    }

    #[test]
    fn a_write_whose_condition_is_not_met_is_charged_by_the_item_that_exists() {
        let kind = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
        for (answer, write) in [
            (json!({ "__type": kind }), 1.0),
            (json!({ "__type": kind, "Item": item(2000) }), 2.0),
        ] {
            let units = units_of("UpdateItem", &json!({}), &answer).unwrap();
            assert!((units.write - write).abs() < 1e-9, "{units:?}");
        }
        let reported = with_report("UpdateItem", json!({ "ConditionExpression": "a = b" }));
        assert_eq!(reported["ReturnValuesOnConditionCheckFailure"], "ALL_OLD");
        assert_eq!(reported["ReturnConsumedCapacity"], "INDEXES");
        assert_eq!(with_report("Query", json!({})), json!({}));
    }

    #[test]
    fn an_operation_without_a_rule_is_refused() {
        let err = units_of("TransactWriteItems", &json!({}), &json!({})).unwrap_err();
        assert!(err.to_string().contains("TransactWriteItems"), "{err}");
    }
}
