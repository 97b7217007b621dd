//! Converts ConnectWise's records to the types of `domain::setup`.

use domain::setup::assignment::FoundMember;
use domain::setup::found_board::{FoundBoard, FoundStatus, FoundTeam, FoundType};
use domain::setup::type_hierarchy::{TypeAssociation, TypeHierarchy};

use crate::records::{
    Board, BoardItem, BoardStatus, BoardSubType, BoardTeam, BoardType, BoardTypeAssociation,
    MemberRecord,
};

impl From<Board> for FoundBoard {
    fn from(board: Board) -> Self {
        Self {
            id: board.id,
            name: board.name,
            inactive: board.inactive_flag,
            for_projects: board.project_flag,
        }
    }
}

impl From<BoardStatus> for FoundStatus {
    fn from(status: BoardStatus) -> Self {
        Self {
            id: status.id,
            name: status.name,
            inactive: status.inactive,
            closes: status.closed_status,
            is_default: status.default_flag,
        }
    }
}

impl From<BoardType> for FoundType {
    fn from(found: BoardType) -> Self {
        Self {
            id: found.id,
            name: found.name,
            inactive: found.inactive_flag,
        }
    }
}

impl From<BoardTeam> for FoundTeam {
    fn from(team: BoardTeam) -> Self {
        Self {
            id: team.id,
            name: team.name,
            is_default: team.default_flag,
        }
    }
}

impl From<MemberRecord> for FoundMember {
    fn from(member: MemberRecord) -> Self {
        let name = format!("{} {}", member.first_name, member.last_name);
        Self {
            id: member.id,
            name: match name.trim() {
                "" => member.identifier,
                name => name.to_owned(),
            },
            inactive: member.inactive_flag,
            is_program: member.license_class.as_deref() == Some("A"),
        }
    }
}

impl From<BoardItem> for FoundType {
    fn from(item: BoardItem) -> Self {
        Self {
            id: item.id,
            name: item.name,
            inactive: item.inactive_flag,
        }
    }
}

/// Joins the three lists of a board. A subtype names its types itself too, so those count even if an
/// old system lists no associations.
#[must_use]
pub fn type_hierarchy(
    subtypes: Vec<BoardSubType>,
    items: Vec<BoardItem>,
    associations: &[BoardTypeAssociation],
) -> TypeHierarchy {
    let own = subtypes.iter().flat_map(|subtype| {
        let types = subtype.type_association_ids.iter();
        types.map(|type_| TypeAssociation {
            type_: *type_,
            subtype: subtype.id,
            item: None,
        })
    });
    let listed = associations.iter().filter_map(|row| {
        Some(TypeAssociation {
            type_: row.type_.as_ref()?.id,
            subtype: row.sub_type.as_ref()?.id,
            item: row.item.as_ref().map(|item| item.id),
        })
    });
    TypeHierarchy {
        associations: own.chain(listed).collect(),
        subtypes: subtypes
            .into_iter()
            .map(|subtype| FoundType {
                id: subtype.id,
                name: subtype.name,
                inactive: subtype.inactive_flag,
            })
            .collect(),
        items: items.into_iter().map(Into::into).collect(),
    }
}
