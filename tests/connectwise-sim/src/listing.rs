//! Lists as in ConnectWise: `conditions`, `orderBy`, `fields`, pages with a `Link` header,
//! forward-only cursors and counts. It is independent of record types: records are `Row`s.

use axum::http::header;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use crate::conditions::{Condition, Scalar, compare};
use crate::response::{ApiError, ApiResponse, Outcome};
use crate::schema::Schema;
use crate::site::Call;

/// Larger page sizes are reduced to this silently.
const LARGEST_PAGE: usize = 1000;
const USUAL_PAGE: usize = 25;

/// Characters that `Link` does not encode in a query.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/');

/// A record that can be filtered without being rendered first.
pub(crate) trait Row {
    fn id(&self) -> i64;
    fn field(&self, path: &str) -> Scalar<'_>;
    fn record(&self) -> Value;
}

/// Set-up records are few, so they are rendered first and filtered as JSON.
impl Row for Value {
    fn id(&self) -> i64 {
        self.get("id").and_then(Self::as_i64).unwrap_or_default()
    }

    fn field(&self, path: &str) -> Scalar<'_> {
        let found = match path {
            "lastUpdated" | "updatedBy" | "dateEntered" | "enteredBy" => {
                self.get("_info").and_then(|info| info.get(path))
            }
            _ => path
                .split('/')
                .try_fold(self, |value, member| value.get(member)),
        };
        found.map_or(Scalar::Null, scalar)
    }

    fn record(&self) -> Value {
        self.clone()
    }
}

/// A JSON value as a scalar for conditions.
pub(crate) fn scalar(value: &Value) -> Scalar<'_> {
    match value {
        Value::Bool(value) => Scalar::Boolean(*value),
        Value::Number(number) => number.as_f64().map_or(Scalar::Null, Scalar::Number),
        Value::String(text) => Scalar::text(text),
        Value::Null | Value::Array(_) | Value::Object(_) => Scalar::Null,
    }
}

/// The filters and the order of a list, from the query or a search's body.
#[derive(Default)]
struct Filters<'t> {
    conditions: &'t str,
    on_items: &'t str,
    on_custom_fields: &'t str,
    order: &'t str,
}

impl<'t> Filters<'t> {
    fn of_query(call: &'t Call) -> Self {
        let text = |name: &str| call.parameter(name).unwrap_or_default();
        Self {
            conditions: text("conditions"),
            on_items: text("childConditions"),
            on_custom_fields: text("customFieldConditions"),
            order: text("orderBy"),
        }
    }
}

/// The parsed parameters of a list.
struct Request<'c> {
    condition: Condition,
    /// Lists inside the record, with the condition that one of their items must match.
    on_items: Vec<(String, Condition)>,
    /// Field and whether descending.
    order: Vec<(String, bool)>,
    fields: Option<Vec<&'c str>>,
}

/// `GET` of a list. `origin` is the scheme and host of the `Link` header.
pub(crate) fn list<R: Row>(
    call: &Call,
    schema: &Schema,
    origin: &str,
    rows: impl Iterator<Item = R>,
) -> Outcome {
    page(call, schema, origin, rows, &Filters::of_query(call))
}

/// `POST …/search`: conditions and order in the body, pages in the query.
pub(crate) fn search<R: Row>(
    call: &Call,
    schema: &Schema,
    origin: &str,
    rows: impl Iterator<Item = R>,
) -> Outcome {
    let filter = Schema::named("FilterValues").read(&call.body)?;
    let text = |name: &str| filter.get(name).and_then(Value::as_str).unwrap_or_default();
    let filters = Filters {
        conditions: text("conditions"),
        on_items: text("childconditions"),
        on_custom_fields: text("customfieldconditions"),
        order: text("orderBy"),
    };
    page(call, schema, origin, rows, &filters)
}

/// `GET …/count`.
pub(crate) fn count<R: Row>(
    call: &Call,
    schema: &Schema,
    rows: impl Iterator<Item = R>,
) -> Outcome {
    let filters = Filters {
        order: "",
        ..Filters::of_query(call)
    };
    let request = Request::read(call, schema, &filters)?;
    let count = rows.filter(|row| request.passes(row)).count();
    Ok(ApiResponse::read(json!({ "count": count })))
}

/// `GET` of one record, with `fields`.
pub(crate) fn one<R: Row>(call: &Call, schema: &Schema, row: &R) -> Outcome {
    let request = Request::read(call, schema, &Filters::default())?;
    Ok(ApiResponse::read(request.project(row.record())))
}

fn page<R: Row>(
    call: &Call,
    schema: &Schema,
    origin: &str,
    rows: impl Iterator<Item = R>,
    filters: &Filters<'_>,
) -> Outcome {
    let request = Request::read(call, schema, filters)?;
    let size = whole_number(call, "pageSize")?
        .unwrap_or(USUAL_PAGE)
        .clamp(1, LARGEST_PAGE);
    if call.forward_only {
        if !request.order.is_empty() {
            return Err(ApiError::malformed(
                "orderBy is not supported with forward-only pagination.",
            ));
        }
        let after = whole_number(call, "pageId")?.unwrap_or(0);
        // Rows outside the page are not rendered: all pages of a long list together cost one pass.
        let behind = |row: &R| usize::try_from(row.id()).is_ok_and(|id| id > after);
        let page = rows.filter(behind).filter(|row| request.passes(row));
        let mut rows: Vec<R> = page.take(size + 1).collect();
        let more = rows.len() > size;
        rows.truncate(size);
        let cursor = rows
            .last()
            .filter(|_| more)
            .map(|row| row.id().to_string())
            .unwrap_or_default();
        let link = format!(
            "<{}>; rel=\"next\"",
            page_url(call, origin, size, "pageId", &cursor)
        );
        let records = rows
            .iter()
            .map(|row| request.project(row.record()))
            .collect();
        return Ok(ApiResponse::read(Value::Array(records)).with_header(header::LINK, link));
    }
    let mut rows: Vec<R> = rows.filter(|row| request.passes(row)).collect();
    let number = whole_number(call, "page")?.unwrap_or(1).max(1);
    request.sort(&mut rows);
    let last = rows.len().div_ceil(size).max(1);
    let start = (number - 1).saturating_mul(size);
    let records = rows
        .iter()
        .skip(start)
        .take(size)
        .map(|row| request.project(row.record()))
        .collect();
    let answer = ApiResponse::read(Value::Array(records));
    Ok(match links(call, origin, size, number, last) {
        Some(links) => answer.with_header(header::LINK, links),
        None => answer,
    })
}

fn links(call: &Call, origin: &str, size: usize, number: usize, last: usize) -> Option<String> {
    let mut relations = Vec::new();
    if number > 1 {
        relations.extend([("first", 1), ("prev", (number - 1).min(last))]);
    }
    if number < last {
        relations.extend([("next", number + 1), ("last", last)]);
    }
    let links: Vec<String> = relations
        .into_iter()
        .map(|(relation, page)| {
            let url = page_url(call, origin, size, "page", &page.to_string());
            format!("<{url}>; rel=\"{relation}\"")
        })
        .collect();
    (!links.is_empty()).then(|| links.join(", "))
}

/// The call's URL with another page. The page comes last, because clients depend on it.
fn page_url(call: &Call, origin: &str, size: usize, parameter: &str, page: &str) -> String {
    let table = call
        .query
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "page" | "pageId" | "pageSize"))
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, QUERY)));
    let query: Vec<String> = table
        .chain([format!("pageSize={size}"), format!("{parameter}={page}")])
        .collect();
    format!("{origin}{}?{}", call.full_path, query.join("&"))
}

fn whole_number(call: &Call, name: &str) -> Result<Option<usize>, ApiError> {
    match call.parameter(name).map(str::parse) {
        None => Ok(None),
        Some(Ok(number)) => Ok(Some(number)),
        Some(Err(_)) => Err(ApiError::malformed(&format!(
            "The value of {name} is not a whole number."
        ))),
    }
}

impl<'c> Request<'c> {
    fn read(call: &'c Call, schema: &Schema, filters: &Filters<'_>) -> Result<Self, ApiError> {
        let mut on_items = Vec::new();
        if !filters.on_items.is_empty() {
            on_items.push(Condition::read_on_items(filters.on_items, schema)?);
        }
        if !filters.on_custom_fields.is_empty() {
            let condition = Condition::read_on_custom_fields(filters.on_custom_fields)?;
            on_items.push(("customFields".to_owned(), condition));
        }
        let mut order = Vec::new();
        for part in filters
            .order
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let (field, direction) = part.split_once(' ').unwrap_or((part, "asc"));
            if schema.field(field).is_none() {
                return Err(ApiError::unknown_field(field));
            }
            match direction.trim().to_ascii_lowercase().as_str() {
                "asc" => order.push((field.to_owned(), false)),
                "desc" => order.push((field.to_owned(), true)),
                other => return Err(ApiError::condition(&format!("{other} is not an order."))),
            }
        }
        let fields: Option<Vec<&str>> = call.parameter("fields").map(|fields| {
            fields
                .split(',')
                .map(str::trim)
                .filter(|field| !field.is_empty())
                .collect()
        });
        for field in fields.iter().flatten() {
            // The dates of `_info` may be used bare in conditions, but not here.
            let bare = matches!(
                *field,
                "dateEntered" | "lastUpdated" | "enteredBy" | "updatedBy"
            );
            if bare || (schema.kind(field).is_none() && schema.field(field).is_none()) {
                return Err(ApiError::unknown_field(field));
            }
        }
        Ok(Self {
            condition: Condition::read(filters.conditions, schema)?,
            on_items,
            order,
            fields,
        })
    }

    fn passes<R: Row>(&self, row: &R) -> bool {
        if !self.condition.matches(&|path| row.field(path)) {
            return false;
        }
        if self.on_items.is_empty() {
            return true;
        }
        let record = row.record();
        self.on_items.iter().all(|(list, condition)| {
            let items = record.get(list).and_then(Value::as_array);
            items
                .into_iter()
                .flatten()
                .any(|item| condition.matches(&|path| Row::field(item, path)))
        })
    }

    /// Rows are sorted by id; `orderBy` sorts stably.
    fn sort<R: Row>(&self, rows: &mut Vec<R>) {
        if self.order.is_empty() {
            return;
        }
        let mut keyed: Vec<(Vec<Scalar<'static>>, R)> = rows
            .drain(..)
            .map(|row| {
                let keys = self
                    .order
                    .iter()
                    .map(|(field, _)| row.field(field).into_owned())
                    .collect();
                (keys, row)
            })
            .collect();
        keyed.sort_by(|(left, _), (right, _)| {
            let pairs = left.iter().zip(right).zip(&self.order);
            pairs.fold(
                std::cmp::Ordering::Equal,
                |order, ((left, right), (_, descending))| {
                    order.then_with(|| {
                        let order = compare(left, right);
                        if *descending { order.reverse() } else { order }
                    })
                },
            )
        });
        rows.extend(keyed.into_iter().map(|(_, row)| row));
    }

    /// Keeps the members that `fields` names; `_info` only when named.
    fn project(&self, record: Value) -> Value {
        let Some(fields) = &self.fields else {
            return record;
        };
        let mut table = Map::new();
        for field in fields {
            match field.split_once('/') {
                None => {
                    if let Some(value) = record.get(*field) {
                        table.insert((*field).to_owned(), value.clone());
                    }
                }
                Some((outer, inner)) => {
                    let Some(value) = record.get(outer).and_then(|outer| outer.get(inner)) else {
                        continue;
                    };
                    let slot = table.entry(outer).or_insert_with(|| json!({}));
                    if let Some(slot) = slot.as_object_mut() {
                        slot.insert(inner.to_owned(), value.clone());
                    }
                }
            }
        }
        Value::Object(table)
    }
}
