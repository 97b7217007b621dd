//! Creates both boards as set-up does: the plan of `domain::setup::dedicated_board`, performed against the
//! simulator.

#![expect(clippy::panic, reason = "the helpers of tests may panic as tests may")]

use std::collections::BTreeSet;
use std::time::Duration;

use connectwise::{Error, NewBoard, NewStatus, NewTeam, NewTicket};
use connectwise_sim::Seed;
use domain::RecordId;
use domain::alert::kind::{BUILT_IN, Category};
use domain::setup::board_issue::BoardUnusable;
use domain::setup::board_name::BoardName;
use domain::setup::dedicated_board::{BoardDecision, BoardStep, DesiredBoard, next_board_step};
use domain::setup::found_board::{BoardParts, ExistingBoards};
use domain::setup::settings::BoardTarget;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{COMPANY, Change, SimulatedSite, new_ticket, soon};

const CATEGORIES: [Category; 2] = [Category::Operations, Category::CyberAlerts];

/// It is unknown whether a new board has statuses, so both cases are simulated.
const NEW_BOARDS: [&str; 2] = ["default", "none"];

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

/// Why a board is incomplete.
#[derive(Debug)]
enum Stopped {
    /// The process died after its last allowed call.
    Died,
    Called(Error),
    BoardUnusable(BoardUnusable),
}

impl Stopped {
    #[track_caller]
    fn assert_rejected(&self, expected: &str) {
        let is_expected =
            matches!(self, Self::Called(Error::Rejected { words }) if words.contains(expected));
        assert!(is_expected, "not {expected}: {self:?}");
    }

    #[track_caller]
    fn assert_missing_right(&self, expected: &str) {
        let is_expected =
            matches!(self, Self::Called(Error::MissingRight { right }) if *right == expected);
        assert!(is_expected, "not {expected}: {self:?}");
    }
}

/// A process that creates boards and knows nothing of an earlier process.
struct SetupProcess<'a> {
    site: &'a SimulatedSite,
    existing: ExistingBoards,
    calls: usize,
    max_calls: usize,
    /// Set before each write.
    faults_of_writes: Value,
    /// Set after each write.
    faults_of_reads: Value,
}

impl<'a> SetupProcess<'a> {
    fn of(site: &'a SimulatedSite) -> Self {
        Self {
            site,
            existing: ExistingBoards::default(),
            calls: 0,
            max_calls: usize::MAX,
            faults_of_writes: Value::Null,
            faults_of_reads: Value::Null,
        }
    }

    fn dying_after(site: &'a SimulatedSite, max_calls: usize) -> Self {
        Self {
            max_calls,
            ..Self::of(site)
        }
    }

    fn call(&mut self) -> Result<(), Stopped> {
        if self.calls == self.max_calls {
            return Err(Stopped::Died);
        }
        self.calls += 1;
        Ok(())
    }

    /// Creates a category's board, or completes it.
    async fn make(&mut self, category: Category) -> Result<BoardTarget, Stopped> {
        let desired = desired(category);
        self.make_desired(&desired).await
    }

    async fn make_desired(&mut self, desired: &DesiredBoard) -> Result<BoardTarget, Stopped> {
        self.call()?;
        let boards = self.site.client.boards(soon()).await;
        let boards = boards.map_err(Stopped::Called)?;
        self.existing = ExistingBoards {
            boards: boards.into_iter().map(Into::into).collect(),
            parts: None,
        };
        loop {
            match next_board_step(desired, &self.existing).map_err(Stopped::BoardUnusable)? {
                BoardDecision::Look { board } => self.look(board).await?,
                BoardDecision::Make { step, .. } => {
                    self.call()?;
                    self.set(&self.faults_of_writes).await;
                    let made = self.write(step).await;
                    self.set(&self.faults_of_reads).await;
                    made.map_err(Stopped::Called)?;
                }
                BoardDecision::Done(target) => return Ok(target),
            }
        }
    }

    async fn make_both(&mut self) -> Vec<BoardTarget> {
        let mut targets = Vec::new();
        for category in CATEGORIES {
            targets.push(self.make(category).await.unwrap());
        }
        targets
    }

    async fn make_both_with_retries(&mut self) -> Vec<BoardTarget> {
        let mut targets = Vec::new();
        for category in CATEGORIES {
            targets.push(self.make_with_retries(category).await);
        }
        targets
    }

    /// Repeats [`Self::make`] after each failed call, as a person does who presses the button
    /// again.
    async fn make_with_retries(&mut self, category: Category) -> BoardTarget {
        for _ in 0..300 {
            match self.make(category).await {
                Ok(target) => return target,
                Err(Stopped::Called(_)) => {}
                Err(stopped @ (Stopped::Died | Stopped::BoardUnusable(_))) => panic!("{stopped:?}"),
            }
        }
        panic!(
            "not complete after 300 attempts: {:?}",
            next_board_step(&desired(category), &self.existing)
        );
    }

    async fn set(&self, faults: &Value) {
        if !faults.is_null() {
            self.site.faults(faults.clone()).await;
        }
    }

    async fn look(&mut self, board: RecordId) -> Result<(), Stopped> {
        let client = &self.site.client;
        self.call()?;
        let statuses = client.board_statuses(board, soon()).await;
        let statuses = statuses.map_err(Stopped::Called)?;
        self.call()?;
        let types = client.board_types(board, soon()).await;
        let types = types.map_err(Stopped::Called)?;
        self.call()?;
        let teams = client.board_teams(board, soon()).await;
        let teams = teams.map_err(Stopped::Called)?;
        self.existing.parts = Some(BoardParts {
            board,
            statuses: statuses.into_iter().map(Into::into).collect(),
            types: types.into_iter().map(Into::into).collect(),
            teams: teams.into_iter().map(Into::into).collect(),
        });
        Ok(())
    }

    /// Creates one record and adds the response to the known ones.
    async fn write(&mut self, step: BoardStep) -> Result<(), Error> {
        let writer = self.site.client.setup_writer();
        let ExistingBoards { boards, parts } = &mut self.existing;
        match (step, parts) {
            (
                BoardStep::MakeBoard {
                    name,
                    location,
                    department,
                },
                _,
            ) => {
                let name = name.as_str().to_owned();
                let new = NewBoard {
                    name,
                    location,
                    department,
                };
                boards.push(writer.create_board(&new, soon()).await?.into());
            }
            (
                BoardStep::MakeStatus {
                    board,
                    name,
                    sort_order,
                    closes,
                    is_default,
                },
                Some(parts),
            ) => {
                let new = NewStatus {
                    name: name.to_owned(),
                    sort_order,
                    closed: closes,
                    default: is_default,
                };
                let made = writer.create_status(board, &new, soon()).await?;
                parts.statuses.push(made.into());
            }
            (BoardStep::MakeDefault { board, status }, Some(parts)) => {
                let made = writer.make_default(board, status, soon()).await?;
                assert!(made.default_flag);
                parts.statuses.retain(|other| other.id != status);
                parts.statuses.push(made.into());
            }
            (BoardStep::MakeType { board, name, .. }, Some(parts)) => {
                parts
                    .types
                    .push(writer.create_type(board, &name, soon()).await?.into());
            }
            (
                BoardStep::MakeTeam {
                    board,
                    name,
                    lead,
                    is_default,
                },
                Some(parts),
            ) => {
                let new = NewTeam {
                    name: name.to_owned(),
                    leader: lead,
                    members: vec![lead],
                    default: is_default,
                };
                parts
                    .teams
                    .push(writer.create_team(board, &new, soon()).await?.into());
            }
            (step, None) => panic!("{step:?} without a found board"),
        }
        Ok(())
    }
}

impl SimulatedSite {
    /// A site that has neither of the two boards.
    async fn bare(new_boards: &str) -> Self {
        let mut seed = demo();
        let boards = seed["boards"].as_array_mut().unwrap();
        boards.retain(|board| {
            !["Operations", "Cyber Alerts"].contains(&board["name"].as_str().unwrap())
        });
        let site = Self::of(Seed::from_json(&seed.to_string()).unwrap()).await;
        site.new_boards_come_with(new_boards).await;
        site
    }

    async fn new_boards_come_with(&self, statuses: &str) {
        self.set_fault("variants", json!({ "new_board_statuses": statuses }))
            .await;
    }

    async fn reset(&self) {
        let url = format!("{}/_sim/reset", self.sim.base_url());
        let answer = self.control.post(url).send().await.unwrap();
        assert!(answer.status().is_success());
    }

    /// The writes that the site received: method, end of the path, and name.
    async fn writes(&self) -> Vec<String> {
        let url = format!("{}/_sim/journal", self.sim.base_url());
        let answer = self.control.get(url).send().await.unwrap();
        let lines: Vec<Value> = answer.json().await.unwrap();
        let lines = lines.iter().filter(|line| line["method"] != "GET");
        lines
            .map(|line| {
                let text = |name: &str| line[name].as_str().unwrap();
                let (_, path) = text("path").split_once("/service/boards").unwrap();
                let name = line["body"]["name"].as_str().unwrap_or("-");
                format!("{} {path} {name}", text("method"))
            })
            .collect()
    }

    async fn assert_each_write_is_sent_once(&self) {
        let writes = self.writes().await;
        let unique: BTreeSet<_> = writes.iter().collect();
        assert_eq!(unique.len(), writes.len(), "{writes:?}");
    }

    /// Waits for all earlier late writes, by one more late write that takes effect after them.
    async fn await_late_writes(&self) {
        self.set_fault("late_commit", json!({ "rate": 1.0, "seconds": 0.05 }))
            .await;
        self.create("tb1-last-1").await.unwrap_err();
        self.set_fault("late_commit", json!({ "rate": 0.0 })).await;
        let deadline = soon();
        while self.count_tickets("tb1-last-1").await == 0 {
            assert!(
                Instant::now() < deadline,
                "the last write never took effect"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Checks that both boards are complete, no record exists twice, and earlier ones are
    /// unchanged.
    async fn check_both_boards(&self, targets: &[BoardTarget], statuses: &str) {
        let boards = self.client.boards(soon()).await.unwrap();
        let names: Vec<_> = boards.iter().map(|board| board.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "Service Desk",
                "Old Help Desk",
                "Operations",
                "Cyber Alerts"
            ]
        );
        assert_eq!(targets.len(), 2);
        for ((category, target), board) in CATEGORIES.into_iter().zip(targets).zip(&boards[2..]) {
            assert_eq!(target.board, Some(board.id));
            assert_eq!(
                (
                    board.location.as_ref().unwrap().id,
                    board.department.as_ref().unwrap().id
                ),
                (2, 10)
            );
            let found = self.client.board_types(board.id, soon()).await.unwrap();
            let found: Vec<_> = found
                .iter()
                .map(|found| (found.name.as_str(), found.id))
                .collect();
            let kinds = BUILT_IN.iter().filter(|(_, of, _)| *of == category);
            let expected: Vec<_> = kinds
                .map(|(kind, _, name)| (*name, target.types[&kind.to_string().try_into().unwrap()]))
                .collect();
            assert_eq!(found, expected);
            let found = self.client.board_statuses(board.id, soon()).await.unwrap();
            let shown: BTreeSet<_> = found
                .iter()
                .map(|s| (s.name.as_str(), s.default_flag, s.closed_status))
                .collect();
            let expected: &[_] = match statuses {
                "none" => &[("New", true, false), ("Closed", false, true)],
                _ => &[
                    ("New", true, false),
                    ("In Progress", false, false),
                    ("Completed", false, false),
                    (">Closed", false, true),
                    ("Closed", false, true),
                ],
            };
            assert_eq!(shown, expected.iter().copied().collect());
            assert_eq!(found.len(), expected.len());
            let id_of = |name| {
                found
                    .iter()
                    .find(|status| status.name == name)
                    .map(|status| status.id)
            };
            assert_eq!(
                (target.start_status, target.closing_status),
                (id_of("New"), id_of("Closed"))
            );
            let teams = self.client.board_teams(board.id, soon()).await.unwrap();
            let ours: Vec<_> = teams
                .iter()
                .filter(|team| team.name == board.name)
                .collect();
            assert_eq!(
                (ours.len(), ours[0].members.as_slice()),
                (1, [151].as_slice())
            );
            assert_eq!(ours[0].team_leader.as_ref().unwrap().id, 151);
            assert!(ours[0].default_flag);
        }
    }
}

fn demo() -> Value {
    serde_json::from_str(include_str!("../../../../tests/connectwise-sim/seed.json")).unwrap()
}

#[tokio::test]
async fn both_boards_are_created_and_take_tickets() {
    for new_boards in NEW_BOARDS {
        let site = SimulatedSite::bare(new_boards).await;
        let mut set_up = SetupProcess::of(&site);
        let targets = set_up.make_both().await;
        site.check_both_boards(&targets, new_boards).await;
        let writes = site.writes().await.len();
        let statuses = if new_boards == "none" { 2 } else { 1 };
        assert_eq!(
            writes,
            (1 + statuses + 7 + 1) + (1 + statuses + 5 + 1),
            "each is sent once"
        );
        for (category, target) in CATEGORIES.into_iter().zip(&targets) {
            assert_eq!(set_up.make(category).await.unwrap(), *target);
            let (kind, type_) = target.types.iter().next().unwrap();
            let new = NewTicket {
                company: COMPANY,
                board: target.board,
                status: target.start_status,
                type_: Some(*type_),
                ..new_ticket("tb1-a-1")
            };
            let ticket = site.writer().create(&new, soon()).await.unwrap();
            assert!(!ticket.closed_flag, "{kind}");
            let closing = target.closing_status.unwrap();
            let closed = site.writer().close(ticket.id, closing, soon()).await;
            assert!(closed.unwrap().closed_flag, "{kind}");
        }
    }
}

#[tokio::test]
async fn set_up_that_dies_after_any_call_continues() {
    for new_boards in NEW_BOARDS {
        let site = SimulatedSite::bare(new_boards).await;
        for max_calls in 0.. {
            site.reset().await;
            site.new_boards_come_with(new_boards).await;
            let mut first = SetupProcess::dying_after(&site, max_calls);
            let mut died = false;
            for category in CATEGORIES {
                died = died || matches!(first.make(category).await, Err(Stopped::Died));
            }
            let mut second = SetupProcess::of(&site);
            let targets = second.make_both().await;
            site.check_both_boards(&targets, new_boards).await;
            site.assert_each_write_is_sent_once().await;
            if !died {
                assert!(max_calls > 20, "{max_calls}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_record_of_an_unanswered_write_is_not_created_again() {
    for new_boards in NEW_BOARDS {
        let site = SimulatedSite::bare(new_boards).await;
        let mut set_up = SetupProcess {
            faults_of_writes: json!({ "lost_answer_rate": 1.0 }),
            faults_of_reads: json!({ "lost_answer_rate": 0.0 }),
            ..SetupProcess::of(&site)
        };
        let targets = set_up.make_both_with_retries().await;
        site.check_both_boards(&targets, new_boards).await;
        site.assert_each_write_is_sent_once().await;
    }
}

#[tokio::test]
async fn both_boards_are_created_once_despite_every_failure() {
    let quiet = json!({ "lost_answer_rate": 0.0, "truncate_rate": 0.0, "error_rate": 0.0, "late_commit": { "rate": 0.0 } });
    for faults in [
        json!({ "lost_answer_rate": 0.3 }),
        json!({ "truncate_rate": 0.3, "error_rate": 0.2 }),
        json!({ "late_commit": { "rate": 0.5, "seconds": 0.03 } }),
    ] {
        for new_boards in NEW_BOARDS {
            let site = SimulatedSite::bare(new_boards).await;
            site.faults(faults.clone()).await;
            let mut set_up = SetupProcess::of(&site);
            let targets = set_up.make_both_with_retries().await;
            site.faults(quiet.clone()).await;
            site.await_late_writes().await;
            site.check_both_boards(&targets, new_boards).await;
        }
    }
}

#[tokio::test]
async fn existing_boards_are_adopted_unchanged() {
    let mut seed = demo();
    let boards = seed["boards"].as_array_mut().unwrap();
    // A person made another status the default, and deactivated nothing.
    let statuses = boards[1]["statuses"].as_array_mut().unwrap();
    statuses[0].as_object_mut().unwrap().remove("defaultFlag");
    statuses[1]["defaultFlag"] = json!(true);
    let site = SimulatedSite::of(Seed::from_json(&seed.to_string()).unwrap()).await;

    site.set_fault("missing_rights", ["table_setup.edit"]).await;
    let refused = SetupProcess::of(&site).make(Category::Operations).await;
    refused
        .unwrap_err()
        .assert_missing_right("table_setup.edit");
    site.reset().await;

    let mut set_up = SetupProcess::of(&site);
    let operations = set_up.make(Category::Operations).await.unwrap();
    let cyber = set_up.make(Category::CyberAlerts).await.unwrap();
    assert_eq!(
        (operations.board, operations.start_status),
        (Some(22), Some(221))
    );
    assert_eq!((cyber.board, cyber.start_status), (Some(23), Some(231)));
    assert_eq!(
        operations.types.values().copied().collect::<BTreeSet<_>>(),
        (2201..=2207).collect()
    );
    assert_eq!(
        cyber.types.values().copied().collect::<BTreeSet<_>>(),
        (2301..=2305).collect()
    );
    let expected = [
        "PATCH /22/statuses/221 -",
        "POST /22/statuses Closed",
        "POST /22/teams Operations",
        "POST /23/statuses Closed",
        "POST /23/teams Cyber Alerts",
    ];
    assert_eq!(site.writes().await, expected);
    let statuses = site.client.board_statuses(22, soon()).await.unwrap();
    let default: Vec<_> = statuses
        .iter()
        .filter(|status| status.default_flag)
        .map(|status| status.id)
        .collect();
    assert_eq!(default, [221]);
}

#[tokio::test]
async fn an_unusable_board_is_reported_and_nothing_is_written() {
    let site = SimulatedSite::start().await;
    let desired = DesiredBoard {
        name: BoardName::parse("old help desk").unwrap(),
        ..desired(Category::Operations)
    };
    let made = SetupProcess::of(&site).make_desired(&desired).await;
    let Err(Stopped::BoardUnusable(why)) = made else {
        panic!("{made:?}");
    };
    assert_eq!(
        why.to_string(),
        "the board \"Old Help Desk\" is inactive: make it active in ConnectWise, or choose another name"
    );
    assert_eq!(site.writes().await, [""; 0]);
}

#[tokio::test]
async fn an_invisible_board_is_reported_in_connectwises_words() {
    let mut seed = demo();
    seed["apiMembers"][0]["excludedServiceBoardIds"] = json!([22]);
    let site = SimulatedSite::of(Seed::from_json(&seed.to_string()).unwrap()).await;
    for _ in 0..2 {
        let stopped = SetupProcess::of(&site).make(Category::Operations).await;
        stopped.unwrap_err().assert_rejected("already exists");
    }
}

#[tokio::test]
async fn a_role_without_table_setup_gets_the_missing_right() {
    for checked in ["first", "after_validation"] {
        let site = SimulatedSite::bare("default").await;
        site.faults(json!({ "missing_rights": ["table_setup.add"], "variants": { "rights_checked": checked } })).await;
        let refused = SetupProcess::of(&site).make(Category::CyberAlerts).await;
        refused.unwrap_err().assert_missing_right("table_setup.add");
        let boards = site.client.boards(soon()).await.unwrap();
        assert_eq!(boards.len(), 2);
        site.set_fault("missing_rights", json!([])).await;
        SetupProcess::of(&site)
            .make(Category::CyberAlerts)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_missing_location_or_lead_is_reported_by_connectwise() {
    let site = SimulatedSite::bare("none").await;
    let table: [(Change<DesiredBoard>, &str); 3] = [
        (|board| board.location = 99, "99"),
        (|board| board.department = 98, "98"),
        (|board| board.team_lead = 97, "97"),
    ];
    for (change, words) in table {
        let mut desired = desired(Category::Operations);
        change(&mut desired);
        let stopped = SetupProcess::of(&site).make_desired(&desired).await;
        stopped.unwrap_err().assert_rejected(words);
    }
    let target = SetupProcess::of(&site).make(Category::Operations).await;
    assert_eq!(target.unwrap().types.len(), 7);
}
