//! Subtypes and items of a board's ticket types, and which may be chosen together.

use crate::setup::found_board::FoundType;
use crate::setup::settings::BoardTarget;
use crate::{Kind, RecordId};

/// The subtypes and items of a board, including inactive ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TypeHierarchy {
    pub subtypes: Vec<FoundType>,
    pub items: Vec<FoundType>,
    pub associations: Vec<TypeAssociation>,
}

/// A type with one of its subtypes, and an item of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypeAssociation {
    pub type_: RecordId,
    pub subtype: RecordId,
    pub item: Option<RecordId>,
}

/// A choice that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HierarchyChoice {
    /// The subtype of this kind.
    Subtype(Kind),
    /// The item of this kind.
    Item(Kind),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HierarchyIssue {
    #[error("the board no longer has it")]
    Missing,
    #[error("it is inactive in ConnectWise")]
    Inactive,
    #[error("it needs a type and a subtype above it")]
    WithoutParent,
    #[error("in ConnectWise it does not belong to the chosen type and subtype")]
    NotAssociated,
}

impl TypeHierarchy {
    /// The types that a subtype belongs to.
    pub fn types_of(&self, subtype: RecordId) -> impl Iterator<Item = RecordId> {
        let of_subtype = self
            .associations
            .iter()
            .filter(move |of| of.subtype == subtype);
        of_subtype.map(|of| of.type_)
    }

    /// The pairs of type and subtype that an item belongs to.
    pub fn pairs_of(&self, item: RecordId) -> impl Iterator<Item = (RecordId, RecordId)> {
        let of_item = self
            .associations
            .iter()
            .filter(move |of| of.item == Some(item));
        of_item.map(|of| (of.type_, of.subtype))
    }
}

/// Checks the subtypes and items of a target. Its types are checked elsewhere.
#[must_use]
pub fn find_hierarchy_issues(
    target: &BoardTarget,
    hierarchy: &TypeHierarchy,
) -> Vec<(HierarchyChoice, HierarchyIssue)> {
    let subtypes = target.subtypes.iter().filter_map(|(kind, id)| {
        let issue = usable(&hierarchy.subtypes, *id).and_then(|()| {
            let type_ = target
                .types
                .get(kind)
                .ok_or(HierarchyIssue::WithoutParent)?;
            let mut types = hierarchy.types_of(*id);
            associated(types.any(|of| of == *type_))
        });
        Some((HierarchyChoice::Subtype(kind.clone()), issue.err()?))
    });
    let items = target.items.iter().filter_map(|(kind, id)| {
        let issue = usable(&hierarchy.items, *id).and_then(|()| {
            let parents = (target.types.get(kind), target.subtypes.get(kind));
            let (Some(type_), Some(subtype)) = parents else {
                return Err(HierarchyIssue::WithoutParent);
            };
            let mut pairs = hierarchy.pairs_of(*id);
            associated(pairs.any(|pair| pair == (*type_, *subtype)))
        });
        Some((HierarchyChoice::Item(kind.clone()), issue.err()?))
    });
    subtypes.chain(items).collect()
}

fn usable(found: &[FoundType], id: RecordId) -> Result<(), HierarchyIssue> {
    match found.iter().find(|found| found.id == id) {
        None => Err(HierarchyIssue::Missing),
        Some(found) if found.inactive => Err(HierarchyIssue::Inactive),
        Some(_) => Ok(()),
    }
}

fn associated(is_associated: bool) -> Result<(), HierarchyIssue> {
    match is_associated {
        true => Ok(()),
        false => Err(HierarchyIssue::NotAssociated),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &str) -> Kind {
        Kind::parse(name).unwrap()
    }

    fn found(id: RecordId, inactive: bool) -> FoundType {
        FoundType {
            id,
            name: format!("number {id}"),
            inactive,
        }
    }

    fn hierarchy() -> TypeHierarchy {
        let of = |type_, subtype, item| TypeAssociation {
            type_,
            subtype,
            item,
        };
        TypeHierarchy {
            subtypes: vec![found(11, false), found(12, false), found(13, true)],
            items: vec![found(21, false), found(22, true)],
            associations: vec![
                of(1, 11, None),
                of(1, 11, Some(21)),
                of(1, 13, None),
                of(2, 12, Some(22)),
            ],
        }
    }

    #[test]
    fn a_subtype_and_an_item_must_belong_to_what_is_above_them() {
        use HierarchyIssue::{Inactive, Missing, NotAssociated, WithoutParent};
        let (subtype, item) = (HierarchyChoice::Subtype, HierarchyChoice::Item);
        for (chosen, expected) in [
            ((Some(1), None, None), vec![]),
            ((Some(1), Some(11), None), vec![]),
            ((Some(1), Some(11), Some(21)), vec![]),
            (
                (None, Some(11), None),
                vec![(subtype(kind("cpu")), WithoutParent)],
            ),
            (
                (Some(2), Some(11), None),
                vec![(subtype(kind("cpu")), NotAssociated)],
            ),
            (
                (Some(1), Some(13), None),
                vec![(subtype(kind("cpu")), Inactive)],
            ),
            (
                (Some(1), Some(19), None),
                vec![(subtype(kind("cpu")), Missing)],
            ),
            (
                (Some(1), None, Some(21)),
                vec![(item(kind("cpu")), WithoutParent)],
            ),
            (
                (Some(2), Some(12), Some(21)),
                vec![(item(kind("cpu")), NotAssociated)],
            ),
            (
                (Some(2), Some(12), Some(22)),
                vec![(item(kind("cpu")), Inactive)],
            ),
            (
                (Some(1), Some(11), Some(29)),
                vec![(item(kind("cpu")), Missing)],
            ),
        ] {
            let (type_, subtype, item): (Option<RecordId>, Option<RecordId>, Option<RecordId>) =
                chosen;
            let of_kind =
                |id: Option<RecordId>| id.map(|id| (kind("cpu"), id)).into_iter().collect();
            let target = BoardTarget {
                types: of_kind(type_),
                subtypes: of_kind(subtype),
                items: of_kind(item),
                ..BoardTarget::default()
            };
            assert_eq!(
                find_hierarchy_issues(&target, &hierarchy()),
                expected,
                "{chosen:?}"
            );
        }
    }
}
