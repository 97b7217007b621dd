mod following;
mod targets;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::alert::event::Severity;
use crate::setup::board_name::InvalidBoardName;
use crate::setup::board_targets::{choose_boards, connectwise_defaults, existing_board_target};
use crate::setup::found_board::{FoundBoard, FoundTeam};
use crate::setup::settings::{OnResolve, Settings};

const BOARD: RecordId = 7;

fn desired(category: Category) -> DesiredBoard {
    DesiredBoard {
        category,
        name: BoardName::default_for(category),
        location: 2,
        department: 10,
        team_lead: 151,
        kinds_added: Vec::new(),
    }
}

fn kind(name: &str) -> Kind {
    Kind::parse(name).unwrap()
}

fn board(id: RecordId, name: &str) -> FoundBoard {
    FoundBoard {
        id,
        name: name.to_owned(),
        inactive: false,
        for_projects: false,
    }
}

/// A status with its name and its flags: `d`efault, `c`loses, `i`nactive.
fn status(id: RecordId, name: &str, flags: &str) -> FoundStatus {
    FoundStatus {
        id,
        name: name.to_owned(),
        inactive: flags.contains('i'),
        closes: flags.contains('c'),
        is_default: flags.contains('d'),
    }
}

fn ticket_type(id: RecordId, name: &str) -> FoundType {
    FoundType {
        id,
        name: name.to_owned(),
        inactive: false,
    }
}

fn team(id: RecordId, name: &str) -> FoundTeam {
    FoundTeam {
        id,
        name: name.to_owned(),
        is_default: false,
    }
}

/// A complete board of a category.
fn whole(category: Category) -> ExistingBoards {
    let names = BUILT_IN.iter().filter(|(_, of, _)| *of == category);
    let types = (31..)
        .zip(names)
        .map(|(id, (.., name))| ticket_type(id, name));
    ExistingBoards {
        boards: vec![board(BOARD, category_name(category))],
        parts: Some(BoardParts {
            board: BOARD,
            statuses: vec![status(11, "New", "d"), status(12, "Closed", "c")],
            types: types.collect(),
            teams: vec![team(41, category_name(category))],
        }),
    }
}

/// A complete operations board, with a change.
fn but(change: impl FnOnce(&mut ExistingBoards, &mut BoardParts)) -> ExistingBoards {
    let mut there = whole(Category::Operations);
    let mut parts = there.parts.take().unwrap();
    change(&mut there, &mut parts);
    there.parts = Some(parts);
    there
}

/// The next step, as a text.
fn said(there: &ExistingBoards) -> String {
    said_of(&desired(Category::Operations), there)
}

fn said_of(desired: &DesiredBoard, there: &ExistingBoards) -> String {
    match next_board_step(desired, there) {
        Ok(BoardDecision::Look { board }) => format!("look at {board}"),
        Ok(BoardDecision::Make { step, progress }) => {
            let step = match step {
                BoardStep::MakeBoard {
                    name,
                    location,
                    department,
                } => {
                    format!("board {} at {location}/{department}", name.as_str())
                }
                BoardStep::MakeStatus {
                    board,
                    name,
                    sort_order,
                    closes,
                    is_default,
                } => {
                    let closes = if closes { " closes" } else { "" };
                    let default = if is_default { " default" } else { "" };
                    format!("status {name} {sort_order}{closes}{default} on {board}")
                }
                BoardStep::MakeDefault { board, status } => format!("default {status} on {board}"),
                BoardStep::MakeType { board, kind, name } => {
                    format!("type {name} for {kind} on {board}")
                }
                BoardStep::MakeTeam {
                    board,
                    name,
                    lead,
                    is_default,
                } => {
                    let default = if is_default { " default" } else { "" };
                    format!("team {name} led by {lead}{default} on {board}")
                }
            };
            format!("{step} ({} of {})", progress.done, progress.of)
        }
        Ok(BoardDecision::Done(_)) => "done".to_owned(),
        Err(faults) => faults.to_string(),
    }
}

#[test]
fn the_first_missing_part_is_next() {
    let table = [
        (
            ExistingBoards::default(),
            "board Operations at 2/10 (0 of 12)",
        ),
        (
            ExistingBoards {
                parts: None,
                ..whole(Category::Operations)
            },
            "look at 7",
        ),
        (but(|_, parts| parts.board = 8), "look at 7"),
        (
            but(|_, parts| {
                (parts.statuses, parts.types, parts.teams) = Default::default();
            }),
            "status New 10 default on 7 (1 of 12)",
        ),
        (
            but(|_, parts| parts.statuses[0] = status(13, "Fresh", "d")),
            "status New 10 on 7 (10 of 12)",
        ),
        (
            but(|_, parts| parts.statuses[0] = status(11, "New", "")),
            "default 11 on 7 (11 of 12)",
        ),
        (
            but(|_, parts| parts.statuses[1] = status(12, ">Closed", "c")),
            "status Closed 90 closes on 7 (11 of 12)",
        ),
        (
            but(|_, parts| drop(parts.types.remove(6))),
            "type Next-Gen Antivirus for next_gen_antivirus_notification on 7 (11 of 12)",
        ),
        (
            but(|_, parts| drop(parts.types.drain(3..5))),
            "type DNS Poisoning for dns_poisoning on 7 (10 of 12)",
        ),
        (
            but(|_, parts| parts.teams.clear()),
            "team Operations led by 151 default on 7 (11 of 12)",
        ),
        (
            but(|_, parts| {
                parts.teams = vec![FoundTeam {
                    is_default: true,
                    ..team(42, "Night")
                }];
            }),
            "team Operations led by 151 on 7 (11 of 12)",
        ),
        (whole(Category::Operations), "done"),
    ];
    for (there, expected) in table {
        assert_eq!(said(&there), expected, "{there:?}");
    }
    let cyber = desired(Category::CyberAlerts);
    assert_eq!(
        said_of(&cyber, &ExistingBoards::default()),
        "board Cyber Alerts at 2/10 (0 of 10)"
    );
    assert_eq!(said_of(&cyber, &whole(Category::CyberAlerts)), "done");
}

#[test]
fn existing_parts_are_matched_without_case_and_blanks() {
    let spelt = but(|there, parts| {
        there.boards[0].name = " OPERATIONS ".to_owned();
        parts.statuses[0].name = "new ".to_owned();
        parts.statuses[1].name = "CLOSED".to_owned();
        parts.types[3].name = "\tdns poisoning".to_owned();
        parts.teams[0].name = "operations".to_owned();
    });
    assert_eq!(said(&spelt), "done");
    let other = but(|there, _| there.boards[0].name = "Operations 2".to_owned());
    assert_eq!(said(&other), "board Operations at 2/10 (0 of 12)");
    let umlaut = DesiredBoard {
        name: BoardName::parse("übersicht").unwrap(),
        ..desired(Category::Operations)
    };
    let there = ExistingBoards {
        boards: vec![board(BOARD, "ÜBERSICHT")],
        parts: None,
    };
    assert_eq!(said_of(&umlaut, &there), "look at 7");
}

#[test]
fn unusable_parts_are_reported_before_anything_is_created() {
    let table = [
        (
            but(|there, _| there.boards[0].inactive = true),
            "the board \"Operations\" is inactive: make it active in ConnectWise, or choose another name",
        ),
        (
            but(|there, _| there.boards[0].for_projects = true),
            "the board \"Operations\" is a project board: choose another name",
        ),
        (
            but(|_, parts| parts.statuses[0] = status(11, "NEW", "di")),
            "the board's status \"NEW\" is inactive: make it active in ConnectWise, or rename it",
        ),
        (
            but(|_, parts| parts.statuses[0] = status(11, "New", "dc")),
            "the board's status \"New\" counts as closed: rename it in ConnectWise, or let it count as open",
        ),
        (
            but(|_, parts| parts.statuses[1] = status(12, "Closed", "ci")),
            "the board's status \"Closed\" is inactive: make it active in ConnectWise, or rename it",
        ),
        (
            but(|_, parts| {
                parts.statuses = vec![status(12, "Closed", "")];
                parts.types[0].inactive = true;
            }),
            "the board's status \"Closed\" does not count as closed: rename it in ConnectWise, or let it count as closed; \
             the board's type \"CPU\" is inactive: make it active in ConnectWise, or rename it",
        ),
    ];
    for (there, expected) in table {
        assert_eq!(said(&there), expected);
    }
}

#[test]
fn of_several_with_one_name_the_oldest_usable_one_counts() {
    let there = but(|there, parts| {
        let inactive = FoundBoard {
            inactive: true,
            ..board(1, "Operations")
        };
        there.boards.extend([board(9, "operations"), inactive]);
        parts.statuses.extend([
            status(3, "New", "c"),
            status(10, "new", "d"),
            status(14, "closed", "c"),
        ]);
        parts.types.insert(
            0,
            FoundType {
                inactive: true,
                ..ticket_type(5, "CPU")
            },
        );
        parts.types.push(ticket_type(6, "Memory"));
    });
    let Ok(BoardDecision::Done(target)) = next_board_step(&desired(Category::Operations), &there)
    else {
        panic!("{}", said(&there));
    };
    assert_eq!(
        (target.board, target.start_status, target.closing_status),
        (Some(7), Some(10), Some(12))
    );
    assert_eq!(
        (target.types[&kind("cpu")], target.types[&kind("memory")]),
        (31, 6)
    );
}

#[test]
fn a_complete_board_gives_a_target() {
    let Ok(BoardDecision::Done(target)) = next_board_step(
        &desired(Category::CyberAlerts),
        &whole(Category::CyberAlerts),
    ) else {
        panic!("not done");
    };
    let types = [
        ("privileged_access_management", 31),
        ("ransomware_encryption", 32),
        ("next_gen_antivirus", 33),
        ("vector_n_detection", 34),
        ("zero_trust", 35),
    ];
    let expected = BoardTarget {
        board: Some(7),
        start_status: Some(11),
        closing_status: Some(12),
        types: types.map(|(name, id)| (kind(name), id)).into(),
        on_resolve: OnResolve::Note,
        ..BoardTarget::default()
    };
    assert_eq!(target, expected);
    let Ok(BoardDecision::Done(target)) =
        next_board_step(&desired(Category::Operations), &whole(Category::Operations))
    else {
        panic!("not done");
    };
    assert_eq!(
        (target.on_resolve, target.types.len()),
        (OnResolve::Close, 7)
    );
}

#[test]
fn added_kinds_get_their_types_and_may_share_one() {
    let added = |name: &str, category, type_name: &str| KindInfo {
        kind: kind(name),
        category,
        type_name: type_name.to_owned(),
    };
    let desired = DesiredBoard {
        kinds_added: vec![
            added("backup", Category::Operations, "Backup"),
            added("restore", Category::Operations, "backup"),
            added("load", Category::Operations, "CPU"),
            added("phishing", Category::CyberAlerts, "Phishing"),
            added("disk", Category::Operations, "Not Disk"),
        ],
        ..desired(Category::Operations)
    };
    let missing = whole(Category::Operations);
    assert_eq!(
        said_of(&desired, &missing),
        "type Backup for backup on 7 (12 of 13)"
    );
    let there = but(|_, parts| parts.types.push(ticket_type(50, "Backup")));
    let Ok(BoardDecision::Done(target)) = next_board_step(&desired, &there) else {
        panic!("{}", said_of(&desired, &there));
    };
    let ids = ["backup", "restore", "load", "disk"].map(|name| target.types[&kind(name)]);
    assert_eq!((ids, target.types.len()), ([50, 50, 31, 33], 10));
}

#[test]
fn a_board_name_is_one_that_connectwise_accepts() {
    let long = "x".repeat(50);
    let table = [
        (" Alerts ", Ok("Alerts")),
        (long.as_str(), Ok(long.as_str())),
        ("", Err(InvalidBoardName::Empty)),
        (" \t", Err(InvalidBoardName::Empty)),
        (&"x".repeat(51), Err(InvalidBoardName::TooLong)),
        (&"🦀".repeat(26), Err(InvalidBoardName::TooLong)),
        ("a\nb", Err(InvalidBoardName::Unprintable)),
        ("a\u{202e}b", Err(InvalidBoardName::Unprintable)),
    ];
    for (text, expected) in table {
        let parsed = BoardName::parse(text);
        assert_eq!(
            parsed.as_ref().map(BoardName::as_str).map_err(|err| *err),
            expected,
            "{text:?}"
        );
    }
    let name = |text| BoardName::parse(text).unwrap();
    assert!(name("Alerts").is_same_as(&name(" ALERTS")));
    assert!(!name("Alerts").is_same_as(&name("Alert")));
}

#[test]
fn all_created_parts_have_names_that_connectwise_accepts() {
    for category in [Category::Operations, Category::CyberAlerts] {
        assert_eq!(
            BoardName::parse(category_name(category)),
            Ok(BoardName::default_for(category))
        );
        assert!(category_name(category).len() <= 30);
    }
    assert_eq!(
        kinds(&desired(Category::Operations)).len() + kinds(&desired(Category::CyberAlerts)).len(),
        BUILT_IN.len()
    );
    assert!(BUILT_IN.iter().all(|(.., name)| name.len() <= 50));
}
