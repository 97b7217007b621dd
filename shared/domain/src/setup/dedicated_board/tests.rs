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

/// A status by its name and its flags: `d`efault, `c`loses, `i`nactive.
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

/// A board of a category with all that it needs.
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

/// A whole operations board, and then something else.
fn but(change: impl FnOnce(&mut ExistingBoards, &mut BoardParts)) -> ExistingBoards {
    let mut there = whole(Category::Operations);
    let mut parts = there.parts.take().unwrap();
    change(&mut there, &mut parts);
    there.parts = Some(parts);
    there
}

/// The next thing in words.
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
        reopen_days: 0,
        renew_after_hours: 0,
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
        // Two units each.
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

/// What becomes of one call. Everything is listed anew after each, so it does not matter whether its answer was heard.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Done,
    NotDone,
    /// Done after the next call, unless ConnectWise has that name by then.
    Late,
}

/// A ConnectWise that refuses a taken name to what comes late, and to nothing else: there only the plan keeps off doubles.
#[derive(Debug, Clone)]
struct Site {
    next_id: RecordId,
    boards: Vec<FoundBoard>,
    parts: Vec<BoardParts>,
    new_boards_have_statuses: bool,
}

impl Site {
    fn id(&mut self) -> RecordId {
        self.next_id += 1;
        self.next_id
    }

    fn parts(&mut self, board: RecordId) -> &mut BoardParts {
        self.parts
            .iter_mut()
            .find(|parts| parts.board == board)
            .unwrap()
    }

    fn add_status(&mut self, board: RecordId, name: &str, flags: &str) {
        let id = self.id();
        self.parts(board).statuses.push(status(id, name, flags));
        if flags.contains('d') {
            self.make_default(board, id);
        }
    }

    fn make_default(&mut self, board: RecordId, id: RecordId) {
        for status in &mut self.parts(board).statuses {
            status.is_default = status.id == id;
        }
    }

    fn carry_out(&mut self, step: BoardStep) {
        match step {
            BoardStep::MakeBoard { name, .. } => drop(self.add_board(name.as_str())),
            BoardStep::MakeStatus {
                board,
                name,
                closes,
                is_default,
                ..
            } => {
                let flags = [("c", closes), ("d", is_default)];
                let flags: String = flags
                    .iter()
                    .filter(|(_, on)| *on)
                    .map(|(flag, _)| *flag)
                    .collect();
                self.add_status(board, name, &flags);
            }
            BoardStep::MakeDefault { board, status } => self.make_default(board, status),
            BoardStep::MakeType { board, name, .. } => {
                let id = self.id();
                self.parts(board).types.push(ticket_type(id, &name));
            }
            BoardStep::MakeTeam {
                board,
                name,
                is_default,
                ..
            } => {
                let id = self.id();
                let team = FoundTeam {
                    is_default,
                    ..team(id, name)
                };
                self.parts(board).teams.push(team);
            }
        }
    }

    fn carry_out_unless_taken(&mut self, step: BoardStep) {
        let (board, table, name) = match &step {
            BoardStep::MakeBoard { name, .. } => (0, "board", name.as_str()),
            BoardStep::MakeStatus { board, name, .. } => (*board, "status", *name),
            BoardStep::MakeType { board, name, .. } => (*board, "type", name.as_str()),
            BoardStep::MakeTeam { board, name, .. } => (*board, "team", *name),
            BoardStep::MakeDefault { .. } => return self.carry_out(step),
        };
        if !self.names().contains(&(board, table, name.to_lowercase())) {
            self.carry_out(step);
        }
    }

    fn add_board(&mut self, name: &str) -> RecordId {
        let id = self.id();
        self.boards.push(board(id, name));
        self.parts.push(BoardParts {
            board: id,
            statuses: Vec::new(),
            types: Vec::new(),
            teams: Vec::new(),
        });
        if self.new_boards_have_statuses {
            for (name, flags) in [
                ("New", "d"),
                ("In Progress", ""),
                ("Completed", ""),
                (">Closed", "c"),
            ] {
                self.add_status(id, name, flags);
            }
        }
        id
    }

    fn names(&self) -> Vec<(RecordId, &'static str, String)> {
        let mut names = Vec::new();
        let mut note =
            |board, table, name: &String| names.push((board, table, name.trim().to_lowercase()));
        self.boards
            .iter()
            .for_each(|board| note(0, "board", &board.name));
        for parts in &self.parts {
            parts
                .statuses
                .iter()
                .for_each(|row| note(parts.board, "status", &row.name));
            parts
                .types
                .iter()
                .for_each(|row| note(parts.board, "type", &row.name));
            parts
                .teams
                .iter()
                .for_each(|row| note(parts.board, "team", &row.name));
        }
        names
    }
}

/// What may be there before: of the statuses, types and team of a category's board any part, spelt somehow, beside things of
/// the partner's own.
fn site() -> impl Strategy<Value = Site> {
    let part = (any::<[bool; 4]>(), 0..3_usize, any::<u16>(), any::<bool>());
    let part = prop::option::of(part);
    (any::<bool>(), part.clone(), part).prop_map(|(new_boards_have_statuses, operations, cyber)| {
        let mut site = Site {
            next_id: 100,
            boards: Vec::new(),
            parts: Vec::new(),
            new_boards_have_statuses,
        };
        site.add_board("Service Desk");
        for (category, part) in [
            (Category::Operations, operations),
            (Category::CyberAlerts, cyber),
        ] {
            let Some(([new, is_default, closed, team_there], spelling, types, own)) = part else {
                continue;
            };
            let spelt = |name: &str| match spelling {
                0 => name.to_owned(),
                1 => name.to_uppercase(),
                _ => format!(" {} ", name.to_lowercase()),
            };
            site.new_boards_have_statuses = false;
            let board = site.add_board(&spelt(category_name(category)));
            if own {
                site.add_status(board, "Triage", "d");
                site.add_status(board, "Done", "c");
                let id = site.id();
                site.parts(board).teams.push(FoundTeam {
                    is_default: true,
                    ..team(id, "Night")
                });
            }
            if new {
                site.add_status(board, &spelt(NEW), if is_default { "d" } else { "" });
            }
            if closed {
                site.add_status(board, &spelt(CLOSED), "c");
            }
            for (n, (_, name)) in kinds(&desired(category)).iter().enumerate() {
                if types & (1 << n) != 0 {
                    let id = site.id();
                    site.parts(board).types.push(ticket_type(id, &spelt(name)));
                }
            }
            if team_there {
                let id = site.id();
                site.parts(board)
                    .teams
                    .push(team(id, &spelt(category_name(category))));
            }
        }
        site.new_boards_have_statuses = new_boards_have_statuses;
        site
    })
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![Just(Fate::Done), Just(Fate::NotDone), Just(Fate::Late)]
}

/// Follows the plan to its end, whatever becomes of each call; afterwards all calls are answered.
fn follow(
    site: &mut Site,
    desired: &DesiredBoard,
    fates: &mut impl Iterator<Item = Fate>,
) -> BoardTarget {
    let mut there = ExistingBoards::default();
    let (mut before, mut pending) = (0, None);
    for _ in 0..200 {
        there.boards.clone_from(&site.boards);
        let (step, progress) = match next_board_step(desired, &there).unwrap() {
            BoardDecision::Look { board } => {
                there.parts = Some(site.parts(board).clone());
                continue;
            }
            BoardDecision::Make { step, progress } => (step, progress),
            BoardDecision::Done(target) => return target,
        };
        assert!(
            before <= progress.done && progress.done < progress.of,
            "{progress:?} after {before}"
        );
        before = progress.done;
        let late = pending.take();
        match fates.next().unwrap_or(Fate::Done) {
            Fate::Done => site.carry_out(step),
            Fate::NotDone => {}
            Fate::Late => pending = Some(step),
        }
        if let Some(step) = late {
            site.carry_out_unless_taken(step);
        }
        there.parts = None;
    }
    panic!("it never ends: {}", said_of(desired, &there));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn both_boards_are_made_once_from_any_part_of_them(mut site in site(), fates in prop::collection::vec(fate(), 0..40)) {
        let was = site.clone();
        let mut fates = fates.into_iter();
        for category in [Category::Operations, Category::CyberAlerts] {
            let desired = desired(category);
            let target = follow(&mut site, &desired, &mut fates);
            let parts = site.parts(target.board.unwrap()).clone();
            let [start, closing] = [target.start_status, target.closing_status]
                .map(|id| parts.statuses.iter().find(|status| Some(status.id) == id).unwrap());
            prop_assert!(is_same_name(&start.name, "New") && start.is_default && !start.closes);
            prop_assert!(is_same_name(&closing.name, "Closed") && closing.closes && !closing.is_default);
            for (kind, name) in kinds(&desired) {
                let found = parts.types.iter().find(|row| row.id == target.types[&kind]).unwrap();
                prop_assert!(is_same_name(&found.name, name));
            }
            let teams = parts.teams.iter().filter(|team| is_same_name(&team.name, category_name(category)));
            prop_assert_eq!(teams.count(), 1);
            prop_assert_eq!(follow(&mut site, &desired, &mut std::iter::empty()), target);
        }
        let names = site.names();
        prop_assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{:?}", names);
        // What was there is there still, with its number and its spelling.
        for name in was.names() {
            prop_assert!(names.contains(&name));
        }
        prop_assert!(was.boards.iter().all(|board| site.boards.contains(board)));
        prop_assert_eq!(site.boards.len(), 3);
    }
}

/// The target on an own board in words: start status, closing status, kinds with their types.
fn on_own(category: Category, statuses: &[FoundStatus], types: &[FoundType]) -> String {
    let parts = BoardParts {
        board: BOARD,
        statuses: statuses.to_vec(),
        types: types.to_vec(),
        teams: vec![],
    };
    let target = existing_board_target(category, BOARD, Some(&parts));
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
        let unseen = existing_board_target(category, BOARD, None);
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
    let first = choose_boards(None, operations, cyber_alerts, usual.clone(), 3);
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
        note_interval_minutes: 30,
        notes_for_customers: true,
        epoch: Some(3),
    };
    for (epoch, priorities) in [(3, before.priorities.clone()), (4, usual.clone())] {
        let (operations, cyber_alerts) = new();
        let expected = Settings {
            operations: target(7, OnResolve::Note, 5),
            cyber_alerts: target(8, OnResolve::Close, 9),
            priorities,
            epoch: Some(epoch),
            ..before.clone()
        };
        assert_eq!(
            choose_boards(
                Some(before.clone()),
                operations,
                cyber_alerts,
                usual.clone(),
                epoch
            ),
            expected
        );
    }
}
