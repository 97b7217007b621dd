//! `/service/boards/{board}/items/{item}/associations`: the subtypes that an item belongs to, for each
//! type of the board.

use serde_json::{Value, json};

use super::{StoredRecords, Table, WritableTable, find_parent, rows};
use crate::listing::Row;
use crate::render;
use crate::response::{ApiError, ApiResponse, Outcome, Problem};
use crate::schema::Schema;
use crate::site::{Call, Site};

const SCHEMA: &str = "BoardItemAssociation";

/// The item's associations, one a type of the board. Their ids are those of the types.
pub(crate) fn table(site: &Site, call: &Call, board: i64, item: i64) -> Result<Table, ApiError> {
    find_item(site, call, board, item)?;
    let types = site.setup.board(board).map(|board| &board.types);
    let types = types.into_iter().flatten();
    let rows = types.map(|kind| association(site, board, item, kind.id));
    Ok(Table::new(SCHEMA, SCHEMA, rows))
}

/// PUT of one association.
pub(crate) fn replace(
    site: &mut Site,
    call: &Call,
    board: i64,
    (item, kind): (i64, i64),
) -> Outcome {
    find_item(site, call, board, item)?;
    if site
        .setup
        .board(board)
        .and_then(|board| board.kind(kind))
        .is_none()
    {
        return Err(ApiError::record_not_found(SCHEMA, kind));
    }
    let schema = Schema::named(SCHEMA);
    let body = schema.read(&call.body)?;
    let mut problems = schema.problems(&body, true);
    let flag = |name: &str| body.get(name) == Some(&Value::Bool(true));
    let known = subtypes_of_type(site, board, kind);
    let chosen = if flag("addAllSubTypesFlag") {
        known
    } else if flag("removeAllSubTypesFlag") {
        Vec::new()
    } else {
        let ids = body.get("subTypeAssociationIds").and_then(Value::as_array);
        let ids = ids.into_iter().flatten().filter_map(Value::as_i64);
        let ids: Vec<i64> = ids.collect();
        problems.extend(ids.iter().filter(|id| !known.contains(id)).map(|id| {
            let message = format!("BoardSubType {id} not found");
            Problem::not_found(message, "subTypeAssociationIds".to_owned())
        }));
        ids
    };
    if !problems.is_empty() {
        return Err(ApiError::invalid_object("boardItemAssociation", &problems));
    }
    site.stored.item_associations.insert((item, kind), chosen);
    let row = association(site, board, item, kind);
    Ok(ApiResponse::patched(row, true))
}

fn association(site: &Site, board: i64, item: i64, kind: i64) -> Value {
    json!({
        "id": kind,
        "subTypeAssociationIds": site.stored.subtypes_of_item(item, kind),
        "item": { "id": item },
        "board": { "id": board },
        "_info": render::seeded(),
    })
}

fn subtypes_of_type(site: &Site, board: i64, kind: i64) -> Vec<i64> {
    let subtypes = rows(site, WritableTable::SubType, Some(board));
    let belongs = |row: &&Value| {
        let types = row.get("typeAssociationIds").and_then(Value::as_array);
        types.is_some_and(|types| types.contains(&json!(kind)))
    };
    subtypes.iter().filter(belongs).map(Row::id).collect()
}

fn find_item(site: &Site, call: &Call, board: i64, item: i64) -> Result<(), ApiError> {
    find_parent(site, call, WritableTable::Item, Some(board))?;
    let items = rows(site, WritableTable::Item, Some(board));
    match items.iter().any(|row| Row::id(row) == item) {
        true => Ok(()),
        false => Err(ApiError::record_not_found("BoardItem", item)),
    }
}

impl StoredRecords {
    /// The subtypes that the item belongs to, below a type.
    pub(crate) fn subtypes_of_item(&self, item: i64, kind: i64) -> &[i64] {
        let chosen = self.item_associations.get(&(item, kind));
        chosen.map_or(&[], Vec::as_slice)
    }
}
