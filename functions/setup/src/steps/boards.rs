//! Where tickets go: the API member's default board, or two boards made for the partner.

use std::collections::BTreeMap;
use std::time::Duration;

use aws::invocation::Invocation;
use axum::Extension;
use connectwise::{Board, Client, Department, Error, Location, Member, MyMember};
use domain::boards::{BoardName, DesiredBoard, Parts, chosen, left_to_connectwise, on_own_board};
use domain::choices;
use domain::event::Severity;
use domain::kind::{Category, KindInfo};
use domain::rights;
use domain::settings::{BoardTarget, Settings};
use domain::{PartnerId, RecordId};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use store::{Actor, DedicatedBoard, DedicatedBoards, SaveOutcome};
use tokio::time::Instant;
use tokio::{join, try_join};

use crate::answer::{ChangeResponse, PageResponse, Problem, saved};
use crate::connected::{Connected, missing, problem_of};
use crate::input::{Input, QueryParams, capital, filled};
use crate::making::{self, BoardPair, BoardsProgress, Targets};
use crate::page::{self, Step};
use crate::session::Session;
use crate::steps::overview::After;
use crate::{LONG, Setup, State, random};

const PAGE: &str = Step::Boards.path();
pub(crate) const PROGRESS: &str = "/setup/boards/progress";

/// What the last call is left with at least, where the invocation is shorter.
const LAST_CALL: Duration = Duration::from_secs(4);

#[derive(Debug, Serialize)]
struct View {
    mode: Mode,
    operations: Option<Placed>,
    cyber_alerts: Option<Placed>,
    /// The API member's default board by name; none where it has none, or may not see it.
    default_board: Option<String>,
    /// What the two boards were asked to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    desired: Option<Wish>,
    /// What the form for two boards offers; none where the API member may not read one of the lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    offers: Option<Offers>,
    /// Why something is not offered.
    off: Vec<String>,
    /// For a change of the settings.
    settings_version: u64,
    /// For a change of the two boards that are asked for.
    boards_version: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    NotConnected,
    NotChosen,
    /// Two boards were asked for, and are not all there yet.
    Making,
    Dedicated,
    DefaultBoard,
    /// No board: ConnectWise's own defaults hold.
    LeftToConnectwise,
}

#[derive(Debug, Serialize)]
struct Placed {
    board: RecordId,
    name: Option<String>,
}

#[derive(Debug, Serialize)]
struct Wish {
    operations: String,
    cyber_alerts: String,
    total: usize,
}

#[derive(Debug, Serialize)]
struct Offers {
    locations: Vec<OfferedLocation>,
    departments: Vec<Named>,
    /// Active members.
    team_leads: Vec<Named>,
}

#[derive(Debug, Serialize)]
struct OfferedLocation {
    id: RecordId,
    name: String,
    /// Which of the departments it has.
    departments: Vec<RecordId>,
}

#[derive(Debug, Clone, Serialize)]
struct Named {
    id: RecordId,
    name: String,
}

/// What is chosen, and what can be.
pub(crate) async fn show(
    setup: State,
    session: Session,
    QueryParams(after): QueryParams<After>,
    Extension(invocation): Extension<Invocation>,
) -> Result<PageResponse, Problem> {
    let view = view(&setup, &session.partner, &invocation).await?;
    let middle = html(&view, &session);
    let page = page::step(&session, Step::Boards, after.done.as_deref(), &middle);
    Ok(PageResponse::of(&view, page))
}

async fn view(
    setup: &Setup,
    partner: &PartnerId,
    invocation: &Invocation,
) -> Result<View, Problem> {
    let settings = setup.table().settings.get(partner).await?;
    let desired = setup.table().boards.get(partner).await?;
    let mut view = View {
        mode: Mode::NotConnected,
        operations: None,
        cyber_alerts: None,
        default_board: None,
        desired: None,
        offers: None,
        off: Vec::new(),
        settings_version: settings.version,
        boards_version: desired.version,
    };
    let Some(Connected { connection, client }) = setup.connected(partner).await? else {
        return Ok(view);
    };
    let settings = settings.value;
    let settings = settings.filter(|settings| settings.is_of(connection.epoch));
    let desired = desired.value;
    let desired = desired.filter(|desired| desired.epoch == connection.epoch);
    let ends = invocation.call_ends();
    let (member, boards, lists) = join!(
        client.my_member(ends),
        client.board_infos(ends),
        lists(&client, ends)
    );
    let boards = boards.unwrap_or_else(|err| {
        view.off.push(problem_of(&err).detail);
        Vec::new()
    });
    let placed = |target: &BoardTarget| {
        target.board.map(|board| Placed {
            board,
            name: name_of(&boards, board),
        })
    };
    view.mode = mode(settings.as_ref(), desired.as_ref());
    view.operations = settings.as_ref().and_then(|of| placed(&of.operations));
    view.cyber_alerts = settings.as_ref().and_then(|of| placed(&of.cyber_alerts));
    match member {
        Ok(member) => view.default_board = default_board(&member).map(|board| board.1),
        Err(err) => view.off.push(problem_of(&err).detail),
    }
    match lists {
        Ok(lists) => view.offers = Some(offers(lists)),
        Err(Error::MissingRight { right }) => view.off.push(format!(
            "Boards cannot be made for you; everything else works. {}",
            missing(right)
        )),
        Err(err) => view.off.push(problem_of(&err).detail),
    }
    view.off.dedup();
    if let Some(desired) = desired.filter(|desired| !desired.finished) {
        view.desired = Some(Wish {
            total: both(&desired, &setup.own_kinds(partner).await?)?.total(),
            operations: desired.operations.name,
            cyber_alerts: desired.cyber_alerts.name,
        });
    }
    Ok(view)
}

fn mode(settings: Option<&Settings>, desired: Option<&DedicatedBoards>) -> Mode {
    if desired.is_some_and(|desired| !desired.finished) {
        return Mode::Making;
    }
    let Some(settings) = settings else {
        return Mode::NotChosen;
    };
    match (settings.operations.board, settings.cyber_alerts.board) {
        (None, None) => Mode::LeftToConnectwise,
        (one, other) if one == other => Mode::DefaultBoard,
        _ => Mode::Dedicated,
    }
}

fn name_of(boards: &[Board], id: RecordId) -> Option<String> {
    let board = boards.iter().find(|board| board.id == id)?;
    Some(board.name.clone())
}

fn default_board(member: &MyMember) -> Option<(RecordId, String)> {
    let board = member.service_default_board.as_ref()?;
    Some((board.id, board.name.clone()))
}

/// What new boards may have.
struct Lists {
    locations: Vec<Location>,
    departments: Vec<Department>,
    members: Vec<Member>,
}

async fn lists(client: &Client, ends: Instant) -> Result<Lists, Error> {
    // Without the right to read boards none can be made either; one row tells.
    let tables = async {
        match client.may_inquire(rights::TABLES_INQUIRE, ends).await? {
            Some(false) => Err(Error::MissingRight {
                right: rights::TABLES_INQUIRE,
            }),
            Some(true) | None => Ok(()),
        }
    };
    let (locations, departments, members, ()) = try_join!(
        client.locations(ends),
        client.departments(ends),
        client.members(ends),
        tables
    )?;
    Ok(Lists {
        locations,
        departments,
        members,
    })
}

fn offers(lists: Lists) -> Offers {
    let departments: Vec<Named> = lists
        .departments
        .into_iter()
        .map(|department| Named {
            id: department.id,
            name: department.name,
        })
        .collect();
    let locations = lists.locations.into_iter();
    let members = lists.members.into_iter();
    Offers {
        locations: locations
            .map(|location| OfferedLocation {
                id: location.id,
                departments: departments
                    .iter()
                    .map(|department| department.id)
                    .filter(|id| has_department(&location, *id))
                    .collect(),
                name: location.name,
            })
            .collect(),
        team_leads: members
            .filter(|member| !member.inactive_flag)
            .map(|member| Named {
                id: member.id,
                name: format!(
                    "{} {} ({})",
                    member.first_name, member.last_name, member.identifier
                ),
            })
            .collect(),
        departments,
    }
}

/// A location that lists no departments may be an older ConnectWise's, which decides by itself.
fn has_department(location: &Location, department: RecordId) -> bool {
    location.department_ids.is_empty() || location.department_ids.contains(&department)
}

#[derive(Deserialize)]
pub(crate) struct Version {
    version: u64,
}

/// Chooses the API member's default board for all tickets; where it has none, everything is left to ConnectWise. One conditional write:
/// if the process dies right after, it is chosen.
pub(crate) async fn choose_default(
    setup: State,
    session: Session,
    Extension(invocation): Extension<Invocation>,
    Input(Version { version }): Input<Version>,
) -> Result<ChangeResponse, Problem> {
    let partner = &session.partner;
    let Connected { connection, client } = setup.must_be_connected(partner).await?;
    let member = match client.my_member(invocation.call_ends()).await {
        Ok(member) => Some(member),
        // Its default board holds all the same, when a ticket names none.
        Err(Error::MissingRight { .. }) => None,
        Err(err) => return Err(problem_of(&err)),
    };
    let board = member.as_ref().and_then(default_board);
    let parts = match &board {
        Some((board, _)) => own_parts(&client, *board, invocation.call_ends()).await?,
        None => None,
    };
    let target = |category| match &board {
        Some((board, _)) => on_own_board(category, *board, parts.as_ref()),
        None => left_to_connectwise(category),
    };
    let before = setup.table().settings.get(partner).await?;
    let settings = chosen(
        before.value,
        target(Category::Operations),
        target(Category::CyberAlerts),
        usual_priorities(&client, invocation.call_ends()).await?,
        connection.epoch,
    );
    let table = setup.table();
    saved(table.settings.save(partner, &settings, version).await?)?;
    let name = board.map_or_else(|| "none".to_owned(), |(_, name)| name);
    let detail = [("board", name)];
    setup
        .done(
            partner,
            Actor::Partner,
            "default_board_chosen",
            &detail,
            &invocation,
        )
        .await;
    give_up(&setup, partner).await?;
    setup.connections.changed(partner, invocation.now()).await?;
    Ok(ChangeResponse::next(format!("{PAGE}?done=saved")))
}

/// Statuses and types of a board, in its own order; none where the API member may not see them.
pub(crate) async fn own_parts(
    client: &Client,
    board: RecordId,
    ends: Instant,
) -> Result<Option<Parts>, Problem> {
    let lists = try_join!(
        client.board_statuses(board, ends),
        client.board_types(board, ends)
    );
    match lists {
        Ok((mut statuses, types)) => {
            statuses.sort_by_key(|status| (status.sort_order, status.id));
            Ok(Some(Parts {
                board,
                statuses: statuses.into_iter().map(Into::into).collect(),
                types: types.into_iter().map(Into::into).collect(),
                teams: Vec::new(),
            }))
        }
        Err(Error::MissingRight { .. }) => Ok(None),
        Err(Error::NotFound { .. }) => Err(Problem::refused(
            "A board that tickets go to is gone in ConnectWise. Choose again on \"Boards\".",
        )),
        Err(err) => Err(problem_of(&err)),
    }
}

/// Boards that were asked for and not finished are not gone on with. If the process dies before, the page goes on with them, and who
/// wants the default board chooses it again.
async fn give_up(setup: &Setup, partner: &PartnerId) -> Result<(), Problem> {
    let desired = setup.table().boards.get(partner).await?;
    if let Some(begun) = desired.value.filter(|desired| !desired.finished) {
        let finished = DedicatedBoards {
            finished: true,
            ..begun
        };
        let version = desired.version;
        setup
            .table()
            .boards
            .save(partner, &finished, version)
            .await?;
    }
    Ok(())
}

#[derive(Deserialize)]
pub(crate) struct Dedicated {
    operations: Form,
    cyber_alerts: Form,
    version: u64,
}

#[derive(Deserialize)]
struct Form {
    /// What it is called; the category's own name where it is left empty.
    name: Option<String>,
    location: RecordId,
    department: RecordId,
    team_lead: RecordId,
}

/// Asks for two boards. One conditional write: if the process dies right after, the page goes on with them.
pub(crate) async fn choose_dedicated(
    setup: State,
    session: Session,
    Extension(invocation): Extension<Invocation>,
    Input(asked): Input<Dedicated>,
) -> Result<ChangeResponse, Problem> {
    let partner = &session.partner;
    let Connected { connection, client } = setup.must_be_connected(partner).await?;
    let names = names(&asked)?;
    let lists = lists(&client, invocation.call_ends()).await;
    let lists = lists.map_err(|err| problem_of(&err))?;
    fits("operations", &asked.operations, &lists)?;
    fits("cyber_alerts", &asked.cyber_alerts, &lists)?;
    let [operations, cyber_alerts] = names;
    let board = |form: &Form, name: &BoardName| DedicatedBoard {
        name: name.as_str().to_owned(),
        location: form.location,
        department: form.department,
        team_lead: form.team_lead,
    };
    let desired = DedicatedBoards {
        operations: board(&asked.operations, &operations),
        cyber_alerts: board(&asked.cyber_alerts, &cyber_alerts),
        epoch: connection.epoch,
        finished: false,
    };
    let table = setup.table();
    let version = asked.version;
    saved(table.boards.save(partner, &desired, version).await?)?;
    let detail = [
        ("operations", desired.operations.name),
        ("cyber_alerts", desired.cyber_alerts.name),
    ];
    setup
        .done(
            partner,
            Actor::Partner,
            "boards_asked_for",
            &detail,
            &invocation,
        )
        .await;
    Ok(ChangeResponse::next(PAGE))
}

fn names(asked: &Dedicated) -> Result<[BoardName; 2], Problem> {
    let name = |field: &str, category, form: &Form| match filled(form.name.as_deref()) {
        None => Ok(BoardName::usual(category)),
        Some(name) => BoardName::parse(name)
            .map_err(|err| Problem::invalid(format!("{field}[name]"), capital(&err.to_string()))),
    };
    let operations = name("operations", Category::Operations, &asked.operations)?;
    let cyber_alerts = name("cyber_alerts", Category::CyberAlerts, &asked.cyber_alerts)?;
    if operations.is_same_as(&cyber_alerts) {
        let words = "The two boards must have different names.";
        return Err(Problem::invalid("cyber_alerts[name]", words));
    }
    Ok([operations, cyber_alerts])
}

/// Whether ConnectWise has what a board is to belong to.
fn fits(of: &str, form: &Form, lists: &Lists) -> Result<(), Problem> {
    let invalid = |member, words| Err(Problem::invalid(format!("{of}[{member}]"), words));
    let mut locations = lists.locations.iter();
    let Some(location) = locations.find(|location| location.id == form.location) else {
        return invalid("location", "ConnectWise has no such location.");
    };
    let mut departments = lists.departments.iter();
    if !departments.any(|department| department.id == form.department) {
        return invalid("department", "ConnectWise has no such department.");
    }
    if !has_department(location, form.department) {
        return invalid("department", "The location does not have this department.");
    }
    let mut members = lists.members.iter();
    match members.find(|member| member.id == form.team_lead) {
        None => invalid("team_lead", "ConnectWise has no such member."),
        Some(member) if member.inactive_flag => {
            invalid("team_lead", "This member is inactive in ConnectWise.")
        }
        Some(_) => Ok(()),
    }
}

fn both(desired: &DedicatedBoards, own_kinds: &[KindInfo]) -> Result<BoardPair, Problem> {
    let board = |category, board: &DedicatedBoard| -> Result<DesiredBoard, Problem> {
        let name = BoardName::parse(&board.name);
        Ok(DesiredBoard {
            category,
            name: name.map_err(|err| Problem::refused(capital(&err.to_string())))?,
            location: board.location,
            department: board.department,
            team_lead: board.team_lead,
            kinds_added: own_kinds.to_vec(),
        })
    };
    Ok(BoardPair {
        operations: board(Category::Operations, &desired.operations)?,
        cyber_alerts: board(Category::CyberAlerts, &desired.cyber_alerts)?,
    })
}

/// Goes on with the boards that were asked for, as far as the time goes. If the process dies after any of its calls, the next request
/// lists what is there and goes on; one at a time, for two would make the same thing twice.
pub(crate) async fn progress(
    setup: State,
    session: Session,
    Extension(invocation): Extension<Invocation>,
) -> Result<ChangeResponse, Problem> {
    let partner = &session.partner;
    let Connected { connection, client } = setup.must_be_connected(partner).await?;
    let desired = setup.table().boards.get(partner).await?;
    let desired = desired
        .value
        .filter(|desired| desired.epoch == connection.epoch);
    let Some(desired) = desired else {
        return Err(Problem::refused(
            "No boards were asked for. Choose them first.",
        ));
    };
    let both = both(&desired, &setup.own_kinds(partner).await?)?;
    let total = both.total();
    if desired.finished {
        return Ok(ready(total));
    }
    let id = format!("{:016x}", random::number()?);
    let (now, until) = (invocation.now(), invocation.holds_until());
    let lease = setup.table().boards.lease(partner, &id, now, until).await?;
    let Some(lease) = lease else {
        return Ok(answer(&BoardsProgress {
            done: 0,
            total,
            doing: "somebody else is at it, perhaps in another window".to_owned(),
            wait: true,
            targets: None,
        }));
    };
    let gone_on = go_on(&setup, partner, &client, &desired, &invocation).await;
    // Whether it went well or not, the next may begin.
    setup.table().boards.release(partner, &lease).await?;
    gone_on.map(|far| answer(&far))
}

async fn go_on(
    setup: &Setup,
    partner: &PartnerId,
    client: &Client,
    desired: &DedicatedBoards,
    invocation: &Invocation,
) -> Result<BoardsProgress, Problem> {
    let calls_end = invocation.calls_end();
    let latest = calls_end.checked_sub(LAST_CALL).unwrap_or(calls_end);
    let until = latest.min(Instant::now() + LONG);
    let own_kinds = setup.own_kinds(partner).await?;
    let both = both(desired, &own_kinds)?;
    let far = making::go_on(client, &both, until, calls_end).await?;
    if let Some(targets) = &far.targets {
        let now = setup.table().boards.get(partner).await?;
        if now.value.as_ref() != Some(desired) {
            // Something else was asked for meanwhile: the next request goes on with that.
            return Ok(BoardsProgress {
                targets: None,
                ..far
            });
        }
        let usual = usual_priorities(client, invocation.call_ends()).await?;
        save(setup, partner, targets, &usual, desired.epoch).await?;
        mark_finished(setup, partner, desired, now.version).await?;
        let board = |target: &BoardTarget| target.board.unwrap_or_default().to_string();
        let detail = [
            ("operations", board(&targets.operations)),
            ("cyber_alerts", board(&targets.cyber_alerts)),
        ];
        setup
            .done(partner, Actor::Partner, "boards_ready", &detail, invocation)
            .await;
        setup.connections.changed(partner, invocation.now()).await?;
    }
    Ok(far)
}

/// The priorities to begin with; none where the API member may not see them.
async fn usual_priorities(
    client: &Client,
    deadline: Instant,
) -> Result<BTreeMap<Severity, RecordId>, Problem> {
    match client.priorities(deadline).await {
        Ok(listed) => {
            let names = listed.iter().map(|of| (of.id, of.name.as_str()));
            Ok(choices::usual_priorities(&names.collect::<Vec<_>>()))
        }
        Err(Error::MissingRight { .. }) => Ok(BTreeMap::new()),
        Err(err) => Err(problem_of(&err)),
    }
}

/// Has tickets go to the boards. What somebody else saved meanwhile stays, but for the boards. If the process dies right after, the next
/// request finds all made, and saves the same again.
async fn save(
    setup: &Setup,
    partner: &PartnerId,
    targets: &Targets,
    usual: &BTreeMap<Severity, RecordId>,
    epoch: u32,
) -> Result<(), Problem> {
    let Targets {
        operations,
        cyber_alerts,
    } = targets;
    for _ in 0..3 {
        let before = setup.table().settings.get(partner).await?;
        let settings = chosen(
            before.value,
            operations.clone(),
            cyber_alerts.clone(),
            usual.clone(),
            epoch,
        );
        let saved = setup
            .table()
            .settings
            .save(partner, &settings, before.version);
        if saved.await? != SaveOutcome::Conflict {
            return Ok(());
        }
    }
    Err(Problem::conflict())
}

/// If the process dies before, the next request finds all made and marks it. Where something else was asked for meanwhile, that is gone
/// on with.
async fn mark_finished(
    setup: &Setup,
    partner: &PartnerId,
    desired: &DedicatedBoards,
    version: u64,
) -> Result<(), Problem> {
    let finished = DedicatedBoards {
        finished: true,
        ..desired.clone()
    };
    setup
        .table()
        .boards
        .save(partner, &finished, version)
        .await?;
    Ok(())
}

fn answer(far: &BoardsProgress) -> ChangeResponse {
    if far.targets.is_some() {
        return ready(far.total);
    }
    let done = ChangeResponse::next(PROGRESS)
        .with("done", far.done)
        .with("total", far.total)
        .with("doing", capital(&far.doing));
    match far.wait {
        true => done.with("wait", true),
        false => done,
    }
}

fn ready(total: usize) -> ChangeResponse {
    ChangeResponse::next(format!("{PAGE}?done=boards_ready"))
        .with("done", total)
        .with("total", total)
        .with("doing", "Both boards are ready.")
}

fn html(view: &View, session: &Session) -> Markup {
    html! {
        @match view.mode {
            Mode::NotConnected => {
                p { "Nothing is connected yet." }
                p { a href=(Step::Connection.path()) { "Connect ConnectWise" } }
            }
            Mode::NotChosen => p { "Choose where tickets go." },
            Mode::Making => (making_now(view, session)),
            Mode::Dedicated => (dedicated(view)),
            Mode::DefaultBoard => p { "All tickets go to the board " strong { (placed(view.operations.as_ref())) } "." },
            Mode::LeftToConnectwise => {
                p { "No board is chosen: board, type and status are left to ConnectWise. The start status cannot be chosen." }
            }
        }
        @for sentence in &view.off { p class="note" role="note" { (sentence) } }
        @if view.mode != Mode::NotConnected {
            (default_form(view, session))
            @if let Some(offers) = &view.offers { (dedicated_form(view, offers, session)) }
        }
    }
}

fn making_now(view: &View, session: &Session) -> Markup {
    html! {
        @if let Some(desired) = &view.desired {
            section aria-label="Making the boards" data-progress=(session.action(PROGRESS)) {
                p { "The boards \"" (desired.operations) "\" and \"" (desired.cyber_alerts) "\" are being made in ConnectWise. You may leave this page and come back: it goes on where it was." }
                p { progress max=(desired.total) value="0" aria-label="How far the boards are" {} }
                p data-doing role="status" {}
                form method="post" action=(session.action(PROGRESS)) { button { "Go on" } }
            }
        }
    }
}

fn dedicated(view: &View) -> Markup {
    html! {
        p { "Tickets go to two boards:" }
        dl {
            dt { "Operations" } dd { (placed(view.operations.as_ref())) }
            dt { "Cyber alerts" } dd { (placed(view.cyber_alerts.as_ref())) }
        }
    }
}

fn placed(placed: Option<&Placed>) -> String {
    match placed {
        None => "none".to_owned(),
        Some(Placed {
            name: Some(name), ..
        }) => name.clone(),
        Some(Placed { board, name: None }) => {
            format!("number {board}, which the API member does not see")
        }
    }
}

fn default_form(view: &View, session: &Session) -> Markup {
    html! {
        h2 { "The API member's default board" }
        @match &view.default_board {
            Some(board) => p { "All tickets go to " strong { (board) } ". Its statuses and ticket types can be chosen afterwards." },
            None => p { "None: board, type and status are left to ConnectWise, the start status cannot be chosen. To choose a board, set the API member's default service board in ConnectWise and load this page again." },
        }
        form method="post" action=(session.action("/setup/boards/default")) {
            input type="hidden" name="version" value=(view.settings_version);
            button {
                @if view.default_board.is_some() { "Use this board" } @else { "Leave it to ConnectWise" }
            }
        }
    }
}

fn dedicated_form(view: &View, offers: &Offers, session: &Session) -> Markup {
    html! {
        h2 { "Two boards made for you" }
        p { "One for operations alerts, one for cyber alerts, with their statuses and ticket types. A board that is there already under the same name is taken over and completed; nothing is made twice." }
        form method="post" action=(session.action("/setup/boards/dedicated")) {
            input type="hidden" name="version" value=(view.boards_version);
            (fields("operations", Category::Operations, offers))
            (fields("cyber_alerts", Category::CyberAlerts, offers))
            button { "Make both boards" }
        }
    }
}

fn fields(of: &str, category: Category, offers: &Offers) -> Markup {
    let usual = BoardName::usual(category);
    let id = |member: &str| format!("{of}-{member}");
    let name = |member: &str| format!("{of}[{member}]");
    html! {
        fieldset {
            legend { (usual.as_str()) }
            label for=(id("name")) { "Name" }
            input id=(id("name")) name=(name("name")) value=(usual.as_str()) maxlength="50" required;
            label for=(id("location")) { "Location" }
            select id=(id("location")) name=(name("location")) required {
                @for location in &offers.locations { option value=(location.id) { (location.name) } }
            }
            label for=(id("department")) { "Department of that location" }
            select id=(id("department")) name=(name("department")) required {
                @for location in &offers.locations {
                    optgroup label=(location.name) {
                        @for department in offers.departments.iter().filter(|of| location.departments.contains(&of.id)) {
                            option value=(department.id) { (department.name) }
                        }
                    }
                }
            }
            label for=(id("team_lead")) { "Team lead" }
            select id=(id("team_lead")) name=(name("team_lead")) required {
                @for lead in &offers.team_leads { option value=(lead.id) { (lead.name) } }
            }
        }
    }
}
