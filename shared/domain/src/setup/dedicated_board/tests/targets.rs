//! Targets for boards that the partner already has.

use super::*;
use crate::alert::flapping::FlapRule;
use crate::alert::kind::with_added;
use crate::alert::storm::StormRule;
use crate::setup::assignment::{Assignee, BoardAssignment};
use crate::setup::custom_fields::{CustomField, FieldType, ValueSource};
use crate::setup::ticket_links::TicketLinks;

/// A kind that a source adds.
fn added() -> KindInfo {
    KindInfo {
        kind: Kind::parse("monitoring").unwrap(),
        category: Category::Operations,
        type_name: "Monitoring".to_owned(),
    }
}

#[test]
fn an_existing_board_gives_the_types_of_added_kinds_too() {
    let types = |category| {
        let types = [("CPU", 1), ("Monitoring", 2)].map(|(name, id)| FoundType {
            id,
            name: name.to_owned(),
            inactive: false,
        });
        on_own(category, &[], &types)
    };
    assert_eq!(types(Category::Operations), "- - cpu=1 monitoring=2");
    assert_eq!(types(Category::CyberAlerts), "- - ");
}

/// The target for an existing board, as a text: start status, closing status, kinds with their
/// types.
fn on_own(category: Category, statuses: &[FoundStatus], types: &[FoundType]) -> String {
    let parts = BoardParts {
        board: BOARD,
        statuses: statuses.to_vec(),
        types: types.to_vec(),
        teams: vec![],
    };
    let target = existing_board_target(category, BOARD, Some(&parts), &with_added(&[added()]));
    assert_eq!(target.board, Some(BOARD));
    let id = |id: Option<RecordId>| id.map_or("-".to_owned(), |id| id.to_string());
    let types: Vec<_> = target
        .types
        .iter()
        .map(|(kind, id)| format!("{kind}={id}"))
        .collect();
    format!(
        "{} {} {}",
        id(target.start_status),
        id(target.closing_status),
        types.join(" ")
    )
}

#[test]
fn an_existing_board_gives_its_default_status_if_usable() {
    let ops = Category::Operations;
    let open = status(11, "New", "");
    let closed = status(14, ">Closed", "c");
    for (statuses, expected) in [
        (
            vec![open.clone(), status(12, "Triage", "d"), closed.clone()],
            "12 14 ",
        ),
        (
            vec![open.clone(), status(12, "Triage", "di"), closed.clone()],
            "11 14 ",
        ),
        (
            vec![open.clone(), status(12, "Done", "dc"), closed.clone()],
            "11 12 ",
        ),
        (vec![status(10, "Old", "i"), open.clone()], "11 - "),
        (vec![status(13, "Gone", "ci"), closed.clone()], "- 14 "),
        (vec![], "- - "),
    ] {
        assert_eq!(on_own(ops, &statuses, &[]), expected, "{statuses:?}");
    }
    let mut old = ticket_type(33, "CPU");
    old.inactive = true;
    let types = [
        ticket_type(31, " disk"),
        ticket_type(32, "Incident"),
        old,
        ticket_type(34, "Next-Gen Antivirus"),
    ];
    assert_eq!(
        on_own(ops, &[], &types),
        "- - disk=31 next_gen_antivirus_notification=34"
    );
    assert_eq!(
        on_own(Category::CyberAlerts, &[], &types),
        "- - next_gen_antivirus=34"
    );
}

#[test]
fn invisible_parts_of_a_board_are_left_to_connectwise() {
    for (category, on_resolve) in [
        (Category::Operations, OnResolve::Close),
        (Category::CyberAlerts, OnResolve::Note),
    ] {
        let unseen = existing_board_target(category, BOARD, None, &with_added(&[]));
        assert_eq!(
            unseen,
            BoardTarget {
                board: Some(BOARD),
                on_resolve,
                ..BoardTarget::default()
            }
        );
        assert_eq!(
            connectwise_defaults(category),
            BoardTarget {
                board: None,
                ..unseen
            }
        );
    }
}

#[test]
fn other_boards_keep_decisions_but_no_foreign_ids() {
    let target = |board, on_resolve, reopen_days| BoardTarget {
        board: Some(board),
        on_resolve,
        reopen_days,
        ..BoardTarget::default()
    };
    let new = || {
        (
            target(7, OnResolve::Close, 0),
            target(8, OnResolve::Note, 0),
        )
    };
    let (operations, cyber_alerts) = new();
    let usual = std::collections::BTreeMap::from([(Severity::Critical, 99)]);
    let first = choose_boards(None, operations, cyber_alerts, usual.clone(), 3, &[]);
    assert_eq!(first.priorities, usual);
    assert_eq!((first.epoch, first.note_interval_minutes), (Some(3), 60));
    assert_eq!(
        (&first.operations, &first.cyber_alerts),
        (&new().0, &new().1)
    );
    let before = Settings {
        operations: target(1, OnResolve::Note, 5),
        cyber_alerts: target(2, OnResolve::Close, 9),
        kinds_off: [kind("cpu")].into(),
        kinds_on_since: BTreeMap::new(),
        priorities: [(Severity::Critical, 31)].into(),
        lowers_priority: true,
        links: TicketLinks {
            configuration: true,
            contact: false,
        },
        flapping: Some(FlapRule {
            raises: 3,
            minutes: 30,
        }),
        storm: Some(StormRule {
            alerts: 20,
            minutes: 5,
        }),
        wont_fix_days: 14,
        note_interval_minutes: 30,
        notes_for_customers: true,
        source: Some(6),
        epoch: Some(3),
    };
    for (epoch, priorities, source) in [
        (3, before.priorities.clone(), Some(6)),
        (4, usual.clone(), None),
    ] {
        let (operations, cyber_alerts) = new();
        let expected = Settings {
            operations: target(7, OnResolve::Note, 5),
            cyber_alerts: target(8, OnResolve::Close, 9),
            priorities,
            source,
            epoch: Some(epoch),
            ..before.clone()
        };
        assert_eq!(
            choose_boards(
                Some(before.clone()),
                operations,
                cyber_alerts,
                usual.clone(),
                epoch,
                &[]
            ),
            expected
        );
    }
}

/// A board's parts with statuses and types of these names, numbered from `first` on.
fn parts(
    board: RecordId,
    first: RecordId,
    statuses: &[(&str, &str)],
    types: &[&str],
) -> BoardParts {
    let ids = first..;
    BoardParts {
        board,
        statuses: ids
            .clone()
            .zip(statuses)
            .map(|(id, (name, flags))| status(id, name, flags))
            .collect(),
        types: ids
            .zip(types)
            .map(|(id, name)| ticket_type(id, name))
            .collect(),
        teams: vec![],
    }
}

#[test]
fn types_with_equal_names_stay_on_another_board() {
    let old = parts(
        1,
        10,
        &[("Triage", ""), ("Done", "c")],
        &["Incident", "Disk"],
    );
    let new = parts(
        2,
        20,
        &[("New", "d"), (" triage", ""), ("Done", ""), ("Closed", "c")],
        &["Disk", "INCIDENT", "CPU"],
    );
    let before = BoardTarget {
        board: Some(1),
        start_status: Some(10),
        closing_status: Some(11),
        // Both types were chosen by hand. The new board has another type for the CPU.
        types: [(kind("cpu"), 10), (kind("disk"), 11), (kind("memory"), 19)].into(),
        subtypes: [(kind("cpu"), 31)].into(),
        items: [(kind("cpu"), 32)].into(),
        assignment: BoardAssignment {
            all: Assignee {
                team: Some(41),
                owner: Some(151),
            },
            kinds: [].into(),
        },
        custom_fields: vec![CustomField {
            id: 7,
            caption: "Device".to_owned(),
            field_type: FieldType::Text,
            value: ValueSource::Device,
            text: None,
            options: vec![],
        }],
        ..BoardTarget::default()
    };
    let settings = |operations| Settings {
        operations,
        epoch: Some(3),
        ..Settings::default()
    };
    let moved = |before: &BoardTarget, to: RecordId, epoch, known: &[BoardParts]| {
        let parts = known.iter().find(|parts| parts.board == to);
        let kinds = with_added(&[]);
        let target = existing_board_target(Category::Operations, to, parts, &kinds);
        let cyber_alerts = connectwise_defaults(Category::CyberAlerts);
        let before = Some(settings(before.clone()));
        let priorities = BTreeMap::new();
        choose_boards(before, target, cyber_alerts, priorities, epoch, known).operations
    };
    let both = [old.clone(), new.clone()];
    let kept = moved(&before, 2, 3, &both);
    let statuses = |target: &BoardTarget| (target.start_status, target.closing_status);
    assert_eq!(statuses(&kept), (Some(20), Some(23)), "the board's own");
    assert_eq!(kept.types, [(kind("cpu"), 21), (kind("disk"), 20)].into());

    assert_eq!((kept.subtypes.len(), kept.items.len()), (0, 0));
    // A team belongs to its board, and a member does not.
    let (team, owner) = (None, Some(151));
    assert_eq!(kept.assignment.all, Assignee { team, owner });
    assert_eq!(kept.custom_fields, before.custom_fields);

    // The same board again: what was chosen stays, and what is new is added.
    let again = moved(&before, 1, 3, &both);
    assert_eq!(statuses(&again), (Some(10), Some(11)));
    assert_eq!(
        (again.subtypes, again.items),
        (before.subtypes.clone(), before.items.clone())
    );
    assert_eq!(again.assignment, before.assignment);
    assert_eq!(again.types, [(kind("cpu"), 10), (kind("disk"), 11)].into());
    assert_eq!(moved(&before, 1, 3, &[]), before);
    // Without names, or in another ConnectWise, nothing can be compared. Without names the owners
    // and custom fields stay: they have none.
    for (epoch, known) in [(3, &[][..]), (4, &both)] {
        let parts = known.iter().find(|parts| parts.board == 2);
        let kinds = with_added(&[]);
        let mut fresh = existing_board_target(Category::Operations, 2, parts, &kinds);
        if epoch == 3 {
            fresh.assignment = before.assignment.without_teams();
            fresh.custom_fields = before.custom_fields.clone();
        }
        assert_eq!(moved(&before, 2, epoch, known), fresh, "{epoch}");
    }
}

#[test]
fn a_plan_has_all_missing_parts_and_its_progress() {
    let desired = desired(Category::Operations);
    let plan = |existing: &ExistingBoards| plan_board(&desired, existing).unwrap();
    assert_eq!(plan(&ExistingBoards::default()), BoardPlan::New);
    let whole = whole(Category::Operations);
    assert_eq!(plan(&whole).done(), item_count(&desired));
    let unlisted = ExistingBoards {
        parts: None,
        ..whole
    };
    assert_eq!(plan(&unlisted), BoardPlan::Look { board: BOARD });
    let partial = but(|_, parts| {
        parts.types.truncate(1);
        parts.teams.clear();
    });
    let BoardPlan::Existing {
        missing, progress, ..
    } = plan(&partial)
    else {
        panic!("the board exists");
    };
    assert_eq!(progress.done + missing.len(), progress.of);
    assert!(matches!(missing.last(), Some(BoardStep::MakeTeam { .. })));
}
