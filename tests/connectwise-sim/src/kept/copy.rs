//! `POST /service/boards/copy`: a board with its statuses and types under a new name.

use super::Kept;
use super::write::{self, Place};
use crate::answer::{Answer, Outcome, Refusal};
use crate::schema::Schema;
use crate::world::{Call, World};

pub(crate) fn board(world: &mut World, call: &Call) -> Outcome {
    let schema = Schema::named("BoardCopy");
    let body = schema.read(&call.body)?;
    let place = Place {
        kept: Kept::Board,
        parent: None,
    };
    let mut problems = schema.problems(&body, true);
    problems.extend(write::taken(world, place, None, &body));
    if !problems.is_empty() {
        return Err(Refusal::invalid_object("boardCopy", &problems));
    }
    let text = |name: &str| body.get(name).cloned().unwrap_or_default();
    let original = text("id").as_i64().unwrap_or_default();
    super::find_parent(world, call, Kept::Status, Some(original))?;
    let Some(mut board) = world.site.board(original).cloned() else {
        return Err(Refusal::record_not_found("Board", original));
    };
    board.id = world.shelves.new_id();
    text("name")
        .as_str()
        .unwrap_or_default()
        .clone_into(&mut board.name);
    for status in &mut board.statuses {
        status.id = world.shelves.new_id();
    }
    for kind in &mut board.types {
        kind.id = world.shelves.new_id();
    }
    let id = board.id;
    world.site.boards.push(board);
    Ok(Answer::patched(place.row(world, call, id)?, true))
}
