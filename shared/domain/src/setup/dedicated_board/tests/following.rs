//! Following the steps leads to a complete board, from every state.

use super::*;

/// The outcome of one call. Everything is listed again after each call, so its answer does not
/// matter.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Done,
    NotDone,
    /// Done after the next call, unless ConnectWise has that name by then.
    Late,
}

/// A ConnectWise that rejects a name that exists only for late calls. Otherwise only the plan
/// avoids duplicates.
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

/// What may exist before: any of the statuses, types and team of a category's board, in any
/// spelling, next to the partner's own.
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

/// Follows the plan to its end, with these outcomes of its first calls. The later calls succeed.
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
        // The earlier parts still exist, with their ids and spellings.
        for name in was.names() {
            prop_assert!(names.contains(&name));
        }
        prop_assert!(was.boards.iter().all(|board| site.boards.contains(board)));
        prop_assert_eq!(site.boards.len(), 3);
    }
}
