//! `POST /service/boards/copy`: a board with its statuses and types under a new name.

use super::WritableTable;
use super::write::{self, Collection};
use crate::response::{ApiError, ApiResponse, Outcome};
use crate::schema::Schema;
use crate::site::{Call, Site};

pub(crate) fn board(site: &mut Site, call: &Call) -> Outcome {
    let schema = Schema::named("BoardCopy");
    let body = schema.read(&call.body)?;
    let collection = Collection {
        table: WritableTable::Board,
        parent: None,
    };
    let mut problems = schema.problems(&body, true);
    problems.extend(write::taken(site, collection, None, &body));
    if !problems.is_empty() {
        return Err(ApiError::invalid_object("boardCopy", &problems));
    }
    let text = |name: &str| body.get(name).cloned().unwrap_or_default();
    let original = text("id").as_i64().unwrap_or_default();
    super::find_parent(site, call, WritableTable::Status, Some(original))?;
    let Some(mut board) = site.setup.board(original).cloned() else {
        return Err(ApiError::record_not_found("Board", original));
    };
    board.id = site.stored.new_id();
    text("name")
        .as_str()
        .unwrap_or_default()
        .clone_into(&mut board.name);
    for status in &mut board.statuses {
        status.id = site.stored.new_id();
    }
    for kind in &mut board.types {
        kind.id = site.stored.new_id();
    }
    let id = board.id;
    site.setup.boards.push(board);
    Ok(ApiResponse::patched(collection.row(site, call, id)?, true))
}
