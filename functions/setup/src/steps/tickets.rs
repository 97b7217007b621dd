//! What tickets are like: statuses, types, priorities, notes, and what becomes of them when their alert is gone.

use std::collections::{BTreeMap, BTreeSet};

use aws::invocation::Invocation;
use axum::Extension;
use connectwise::{Board, Client, Error, Priority};
use domain::boards::Parts;
use domain::choices::{TargetIssue, Which, as_closing, as_start, as_type, types, unfit};
use domain::event::Severity;
use domain::kind::{Category, KindInfo, category_of, with_added};
use domain::rights;
use domain::settings::{BoardTarget, OnResolve, Settings};
use domain::{Kind, PartnerId, RecordId};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use store::Actor;
use tokio::join;
use tokio::time::Instant;

use crate::answer::{ChangeResponse, PageResponse, Problem, saved};
use crate::connected::{Connected, missing, problem_of};
use crate::input::{Input, Picked, QueryParams};
use crate::page::{self, Step};
use crate::session::Session;
use crate::steps::boards::own_parts;
use crate::steps::overview::After;
use crate::{Setup, State};

const PAGE: &str = Step::Tickets.path();
const SEVERITIES: [Severity; 5] = [
    Severity::Critical,
    Severity::High,
    Severity::Medium,
    Severity::Low,
    Severity::Informational,
];
/// The most days for which a closed ticket may be opened again: a year.
const MAX_REOPEN_DAYS: u32 = 365;
/// A year.
const MAX_RENEW_AFTER_HOURS: u32 = 8760;
/// The most minutes between two notes: a week.
const MAX_NOTE_MINUTES: u32 = 10_080;

#[derive(Debug, Serialize)]
struct View {
    version: u64,
    #[serde(flatten)]
    chosen: Option<Chosen>,
    /// Why something cannot be chosen.
    off: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Chosen {
    operations: BoardView,
    cyber_alerts: BoardView,
    /// What each severity becomes; none is left to ConnectWise.
    priorities: BTreeMap<Severity, Option<RecordId>>,
    priorities_offered: Vec<Offer>,
    note_interval_minutes: u32,
    notes_for_customers: bool,
}

#[derive(Debug, Serialize)]
struct BoardView {
    board: Option<RecordId>,
    name: Option<String>,
    start_status: Option<RecordId>,
    closing_status: Option<RecordId>,
    kinds: Vec<KindView>,
    on_resolve: OnResolve,
    reopen_days: u32,
    renew_after_hours: u32,
    /// What the board has; none where there is no board, or the API member may not see it.
    start_statuses: Vec<Offer>,
    closing_statuses: Vec<Offer>,
    types: Vec<Offer>,
}

#[derive(Debug, Serialize)]
struct KindView {
    kind: Kind,
    name: String,
    on: bool,
    #[serde(rename = "type")]
    type_: Option<RecordId>,
}

/// Something that can be chosen, or why not.
#[derive(Debug, Clone, Serialize)]
struct Offer {
    id: RecordId,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    unfit: Option<TargetIssue>,
}

/// What ConnectWise has, as far as the API member may see it.
struct Lists {
    operations: Option<Parts>,
    cyber_alerts: Option<Parts>,
    priorities: Option<Vec<Priority>>,
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
    let page = page::step(&session, Step::Tickets, after.done.as_deref(), &middle);
    Ok(PageResponse::of(&view, page))
}

async fn view(
    setup: &Setup,
    partner: &PartnerId,
    invocation: &Invocation,
) -> Result<View, Problem> {
    let stored = setup.table().settings.get(partner).await?;
    let mut view = View {
        version: stored.version,
        chosen: None,
        off: Vec::new(),
    };
    let Some(Connected { connection, client }) = setup.connected(partner).await? else {
        return Ok(view);
    };
    let settings = stored.value;
    let Some(settings) = settings.filter(|settings| settings.is_of(connection.epoch)) else {
        return Ok(view);
    };
    let ends = invocation.call_ends();
    let (lists, boards) = join!(lists(&client, &settings, ends), client.board_infos(ends));
    let lists = lists?;
    let is_seen =
        |target: &BoardTarget, parts: &Option<Parts>| target.board.is_none() || parts.is_some();
    if lists.priorities.is_none()
        || !is_seen(&settings.operations, &lists.operations)
        || !is_seen(&settings.cyber_alerts, &lists.cyber_alerts)
    {
        view.off.push(format!(
            "Statuses, ticket types and priorities cannot be chosen: what is chosen stays, and the rest is left to ConnectWise. {}",
            missing(rights::TABLES_INQUIRE)
        ));
    }
    let boards = boards.unwrap_or_else(|err| {
        view.off.push(problem_of(&err).detail);
        Vec::new()
    });
    let kinds = with_added(&setup.own_kinds(partner).await?);
    view.chosen = Some(chosen(&settings, &lists, &boards, &kinds));
    Ok(view)
}

async fn lists(client: &Client, settings: &Settings, ends: Instant) -> Result<Lists, Problem> {
    let (one, other) = (settings.operations.board, settings.cyber_alerts.board);
    let parts = async |board: Option<RecordId>| match board {
        Some(board) => own_parts(client, board, ends).await,
        None => Ok(None),
    };
    let priorities = async {
        match client.priorities(ends).await {
            Ok(mut priorities) => {
                priorities.sort_by_key(|priority| (priority.sort_order, priority.id));
                Ok(Some(priorities))
            }
            Err(Error::MissingRight { .. }) => Ok(None),
            Err(err) => Err(problem_of(&err)),
        }
    };
    // One board for both is read once.
    let second = async {
        match one == other {
            true => Ok(None),
            false => parts(other).await,
        }
    };
    let (operations, cyber_alerts, priorities) = join!(parts(one), second, priorities);
    let operations = operations?;
    Ok(Lists {
        cyber_alerts: match one == other {
            true => operations.clone(),
            false => cyber_alerts?,
        },
        operations,
        priorities: priorities?,
    })
}

fn chosen(settings: &Settings, lists: &Lists, boards: &[Board], kinds: &[KindInfo]) -> Chosen {
    let board =
        |category, parts: Option<&Parts>| board_view(category, settings, parts, boards, kinds);
    let priorities = lists.priorities.iter().flatten();
    Chosen {
        operations: board(Category::Operations, lists.operations.as_ref()),
        cyber_alerts: board(Category::CyberAlerts, lists.cyber_alerts.as_ref()),
        priorities: SEVERITIES
            .map(|severity| (severity, settings.priorities.get(&severity).copied()))
            .into(),
        priorities_offered: priorities
            .map(|priority| Offer {
                id: priority.id,
                name: priority.name.clone(),
                unfit: None,
            })
            .collect(),
        note_interval_minutes: settings.note_interval_minutes,
        notes_for_customers: settings.notes_for_customers,
    }
}

fn board_view(
    category: Category,
    settings: &Settings,
    parts: Option<&Parts>,
    boards: &[Board],
    kinds: &[KindInfo],
) -> BoardView {
    let target = settings.board(category);
    let statuses = |fits: fn(&domain::boards::FoundStatus) -> Result<(), TargetIssue>| {
        let statuses = parts.map_or(&[][..], |parts| &parts.statuses);
        let offer = statuses.iter().map(|status| Offer {
            id: status.id,
            name: status.name.clone(),
            unfit: fits(status).err(),
        });
        offer.collect()
    };
    let found = parts.map_or(&[][..], |parts| &parts.types);
    let kinds = kinds.iter().filter(|info| info.category == category);
    BoardView {
        board: target.board,
        name: boards
            .iter()
            .find(|board| Some(board.id) == target.board)
            .map(|board| board.name.clone()),
        start_status: target.start_status,
        closing_status: target.closing_status,
        kinds: kinds
            .map(|info| KindView {
                kind: info.kind.clone(),
                name: info.type_name.clone(),
                on: !settings.kinds_off.contains(&info.kind),
                type_: target.types.get(&info.kind).copied(),
            })
            .collect(),
        on_resolve: target.on_resolve,
        reopen_days: target.reopen_days,
        renew_after_hours: target.renew_after_hours,
        start_statuses: statuses(as_start),
        closing_statuses: statuses(as_closing),
        types: found
            .iter()
            .map(|found| Offer {
                id: found.id,
                name: found.name.clone(),
                unfit: as_type(found).err(),
            })
            .collect(),
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Form {
    operations: BoardForm,
    cyber_alerts: BoardForm,
    /// The kinds that make tickets; the others make none.
    #[serde(default)]
    on: Vec<Kind>,
    #[serde(default)]
    priorities: BTreeMap<Severity, Picked>,
    note_interval_minutes: u32,
    /// A box that is not ticked sends nothing.
    #[serde(default)]
    notes_for_customers: bool,
    version: u64,
}

#[derive(Debug, Deserialize)]
struct BoardForm {
    #[serde(default)]
    start_status: Picked,
    #[serde(default)]
    closing_status: Picked,
    #[serde(default)]
    types: BTreeMap<Kind, Picked>,
    on_resolve: OnResolve,
    reopen_days: u32,
    #[serde(default)]
    renew_after_hours: u32,
}

/// Saves what was chosen, if ConnectWise has it. One conditional write: if the process dies right after, it is saved, and what waits for
/// it goes on at reconcile's own time.
pub(crate) async fn save(
    setup: State,
    session: Session,
    Extension(invocation): Extension<Invocation>,
    Input(form): Input<Form>,
) -> Result<ChangeResponse, Problem> {
    let partner = &session.partner;
    let Connected { connection, client } = setup.must_be_connected(partner).await?;
    let stored = setup.table().settings.get(partner).await?;
    if stored.version != form.version {
        return Err(Problem::conflict());
    }
    let settings = stored.value;
    let before = settings.filter(|settings| settings.is_of(connection.epoch));
    let before = before.ok_or_else(|| Problem::refused("Choose the boards first."))?;
    let version = form.version;
    let kinds = with_added(&setup.own_kinds(partner).await?);
    let off = kinds_off(&before, &form.on, &kinds)?;
    let after = asked_for(&before, form, &kinds, connection.epoch)?;
    let after = after.with_kinds_off(off, invocation.now());
    let lists = lists(&client, &before, invocation.call_ends()).await?;
    fits(&before, &after, &lists)?;
    let table = setup.table();
    saved(table.settings.save(partner, &after, version).await?)?;
    setup
        .done(
            partner,
            Actor::Partner,
            "tickets_saved",
            &changes(&before, &after),
            &invocation,
        )
        .await;
    setup.connections.changed(partner, invocation.now()).await?;
    Ok(ChangeResponse::next(format!("{PAGE}?done=saved")))
}

/// The settings with what the form says; what it does not ask about stays.
fn asked_for(
    before: &Settings,
    form: Form,
    kinds: &[KindInfo],
    epoch: u32,
) -> Result<Settings, Problem> {
    if !(1..=MAX_NOTE_MINUTES).contains(&form.note_interval_minutes) {
        let words = "From 1 minute to 10080, which is a week.";
        return Err(Problem::invalid("note_interval_minutes", words));
    }
    let board = |of: &str, category, form: BoardForm| {
        if form.reopen_days > MAX_REOPEN_DAYS {
            let words = "From 0 days, which is never, to 365.";
            return Err(Problem::invalid(format!("{of}[reopen_days]"), words));
        }
        if form.renew_after_hours > MAX_RENEW_AFTER_HOURS {
            let words = "From 0 hours, which is never, to 8760.";
            return Err(Problem::invalid(format!("{of}[renew_after_hours]"), words));
        }
        if let Some(kind) = form
            .types
            .keys()
            .find(|kind| category_of(kind, kinds) != Some(category))
        {
            let words = format!("There is no kind {kind} on this board.");
            return Err(Problem::invalid(format!("{of}[types][{kind}]"), words));
        }
        let before = before.board(category);
        let picked = form
            .types
            .into_iter()
            .map(|(kind, picked)| (kind, picked.0));
        Ok(BoardTarget {
            board: before.board,
            start_status: form.start_status.0,
            closing_status: form.closing_status.0,
            types: types(&before.types, picked),
            on_resolve: form.on_resolve,
            reopen_days: form.reopen_days,
            renew_after_hours: form.renew_after_hours,
        })
    };
    let picked = form.priorities.into_iter();
    let mut priorities = before.priorities.clone();
    for (severity, picked) in picked {
        match picked.0 {
            Some(id) => priorities.insert(severity, id),
            None => priorities.remove(&severity),
        };
    }
    Ok(Settings {
        operations: board("operations", Category::Operations, form.operations)?,
        cyber_alerts: board("cyber_alerts", Category::CyberAlerts, form.cyber_alerts)?,
        kinds_off: before.kinds_off.clone(),
        kinds_on_since: before.kinds_on_since.clone(),
        priorities,
        note_interval_minutes: form.note_interval_minutes,
        notes_for_customers: form.notes_for_customers,
        epoch: Some(epoch),
    })
}

/// The kinds that are off once only these are on. A kind that is not known any more stays as it is.
fn kinds_off(
    before: &Settings,
    on: &[Kind],
    kinds: &[KindInfo],
) -> Result<BTreeSet<Kind>, Problem> {
    if let Some(kind) = on.iter().find(|kind| category_of(kind, kinds).is_none()) {
        let words = format!("There is no kind {kind}.");
        return Err(Problem::invalid("on", words));
    }
    let unknown = before.kinds_off.iter();
    let unknown = unknown.filter(|kind| category_of(kind, kinds).is_none());
    let known = kinds.iter().map(|info| &info.kind);
    let off = known.filter(|kind| !on.contains(kind));
    Ok(off.chain(unknown).cloned().collect())
}

/// Whether ConnectWise has what was chosen. Where the API member may not see what there is, only what was chosen before stays.
fn fits(before: &Settings, after: &Settings, lists: &Lists) -> Result<(), Problem> {
    for (of, category, parts) in [
        ("operations", Category::Operations, &lists.operations),
        ("cyber_alerts", Category::CyberAlerts, &lists.cyber_alerts),
    ] {
        let (was, is) = (before.board(category), after.board(category));
        let issues = match (parts, is.board) {
            (Some(parts), _) => unfit(is, &parts.statuses, &parts.types),
            (None, None) if chooses(is) => {
                let words = "No board is chosen, so status and types are left to ConnectWise.";
                return Err(Problem::invalid(format!("{of}[start_status]"), words));
            }
            (None, Some(_)) if !same_choices(was, is) => {
                return Err(Problem::refused(missing(rights::TABLES_INQUIRE)));
            }
            (None, _) => Vec::new(),
        };
        if let Some((which, why)) = issues.into_iter().next() {
            let field = match &which {
                Which::StartStatus => "[start_status]".to_owned(),
                Which::ClosingStatus => "[closing_status]".to_owned(),
                Which::Type(kind) => format!("[types][{kind}]"),
            };
            let words = unusable(&which, why);
            return Err(Problem::invalid(format!("{of}{field}"), words));
        }
    }
    match &lists.priorities {
        Some(there) => {
            let is_there = |id: &RecordId| there.iter().any(|priority| priority.id == *id);
            let mut picked = after.priorities.iter();
            match picked.find(|(_, id)| !is_there(id)) {
                Some((severity, _)) => Err(Problem::invalid(
                    format!("priorities[{severity}]"),
                    "ConnectWise has no such priority.",
                )),
                None => Ok(()),
            }
        }
        None if before.priorities == after.priorities => Ok(()),
        None => Err(Problem::refused(missing(rights::TABLES_INQUIRE))),
    }
}

/// What is chosen and cannot be used, and why.
pub(crate) fn unusable(which: &Which, why: TargetIssue) -> String {
    let what = match which {
        Which::StartStatus => "The start status".to_owned(),
        Which::ClosingStatus => "The closing status".to_owned(),
        Which::Type(kind) => format!("The type of {kind}"),
    };
    format!("{what} cannot be used: {why}.")
}

fn chooses(target: &BoardTarget) -> bool {
    target.start_status.is_some() || target.closing_status.is_some() || !target.types.is_empty()
}

fn same_choices(one: &BoardTarget, other: &BoardTarget) -> bool {
    let of = |target: &BoardTarget| (target.start_status, target.closing_status);
    of(one) == of(other) && one.types == other.types
}

/// What was changed, for the history: names of settings and their new values.
fn changes(before: &Settings, after: &Settings) -> Vec<(&'static str, String)> {
    let json = |settings: &Settings| serde_json::to_value(settings).unwrap_or_default();
    let (before, after) = (json(before), json(after));
    let members = [
        "operations",
        "cyber_alerts",
        "kinds_off",
        "priorities",
        "note_interval_minutes",
        "notes_for_customers",
    ];
    let changed = members
        .into_iter()
        .filter(|member| before[*member] != after[*member]);
    changed
        .map(|member| (member, after[member].to_string()))
        .collect()
}

fn html(view: &View, session: &Session) -> Markup {
    html! {
        @for sentence in &view.off { p class="note" role="note" { (sentence) } }
        @match &view.chosen {
            None => p { "Choose where tickets go first: " a href=(Step::Boards.path()) { "Boards" } "." },
            Some(chosen) => (form(view.version, chosen, session)),
        }
    }
}

fn form(version: u64, chosen: &Chosen, session: &Session) -> Markup {
    html! {
        form method="post" action=(session.action(PAGE)) {
            input type="hidden" name="version" value=(version);
            (board_fields("operations", "Operations", &chosen.operations))
            (board_fields("cyber_alerts", "Cyber alerts", &chosen.cyber_alerts))
            fieldset {
                legend { "Priorities" }
                @for (severity, picked) in chosen.priorities.iter().rev() {
                    (select(&format!("priorities[{severity}]"), severity_name(*severity), *picked, &chosen.priorities_offered))
                }
            }
            fieldset {
                legend { "Notes" }
                label for="note_interval_minutes" { "At most one note about repeats of an alert in so many minutes" }
                input id="note_interval_minutes" name="note_interval_minutes" type="number" min="1" max=(MAX_NOTE_MINUTES) required value=(chosen.note_interval_minutes);
                label {
                    input type="checkbox" name="notes_for_customers" value="true" checked[chosen.notes_for_customers];
                    " Customers can read the notes"
                }
            }
            button { "Save" }
        }
    }
}

fn board_fields(of: &str, legend: &str, board: &BoardView) -> Markup {
    let name = |member: &str| format!("{of}[{member}]");
    html! {
        fieldset {
            legend { (legend) ": " (board_name(board)) }
            @if board.board.is_some() {
                (select(&name("start_status"), "Status of a new ticket", board.start_status, &board.start_statuses))
                (select(&name("closing_status"), "Status that closes a ticket", board.closing_status, &board.closing_statuses))
            } @else {
                p { "Board, status and types are left to ConnectWise; the start status cannot be chosen." }
            }
            table class="cards" {
                caption { "Kinds of alert" }
                thead { tr { th scope="col" { "Kind" } th scope="col" { "Becomes a ticket" } th scope="col" { "Ticket type" } } }
                tbody {
                    @for kind in &board.kinds {
                        tr {
                            th scope="row" { (kind.name) }
                            td data-label="Becomes a ticket" { input type="checkbox" name="on[]" value=(kind.kind) checked[kind.on] aria-label={ (kind.name) " becomes a ticket" }; }
                            td data-label="Ticket type" {
                                @if board.board.is_some() {
                                    (options(&format!("{of}[types][{}]", kind.kind), Some(&format!("Ticket type of {}", kind.name)), kind.type_, &board.types))
                                } @else { "left to ConnectWise" }
                            }
                        }
                    }
                }
            }
            fieldset {
                legend { "When the alert is gone" }
                small { "That is: its source says that it is resolved, or no longer lists it, or it has run out without coming again." }
                label { input type="radio" name=(name("on_resolve")) value="close" checked[board.on_resolve == OnResolve::Close]; " The ticket is closed" }
                label { input type="radio" name=(name("on_resolve")) value="note" checked[board.on_resolve == OnResolve::Note]; " The ticket gets a note, and a person closes it" }
            }
            label for=(name("reopen_days")) { "If it comes again within so many days, the closed ticket is opened again (0: always a new ticket)" }
            input id=(name("reopen_days")) name=(name("reopen_days")) type="number" min="0" max=(MAX_REOPEN_DAYS) required value=(board.reopen_days);
            label for=(name("renew_after_hours")) { "If a person closes the ticket and the source repeats the alert so many hours later, there is a new ticket (0: only after the alert ended and came again)" }
            input id=(name("renew_after_hours")) name=(name("renew_after_hours")) type="number" min="0" max=(MAX_RENEW_AFTER_HOURS) required value=(board.renew_after_hours);
        }
    }
}

fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "Critical",
        Severity::High => "High",
        Severity::Medium => "Medium",
        Severity::Low => "Low",
        Severity::Informational => "Informational",
    }
}

fn board_name(board: &BoardView) -> String {
    match (&board.name, board.board) {
        (Some(name), _) => name.clone(),
        (None, Some(id)) => format!("board number {id}"),
        (None, None) => "no board".to_owned(),
    }
}

fn select(name: &str, label: &str, picked: Option<RecordId>, offers: &[Offer]) -> Markup {
    html! {
        label for=(name) { (label) }
        (options(name, None, picked, offers))
    }
}

/// A list to choose from. What cannot be chosen is shown with the reason; what is chosen and not listed stays until another is chosen.
fn options(name: &str, label: Option<&str>, picked: Option<RecordId>, offers: &[Offer]) -> Markup {
    let unlisted = picked.filter(|id| !offers.iter().any(|offer| offer.id == *id));
    html! {
        select id=(name) name=(name) aria-label=[label] {
            option value="" selected[picked.is_none()] { "left to ConnectWise" }
            @if let Some(id) = unlisted { option value=(id) selected { "number " (id) ", not listed" } }
            @for offer in offers {
                option value=(offer.id) selected[picked == Some(offer.id)] disabled[offer.unfit.is_some()] {
                    (offer.name)
                    @if let Some(why) = offer.unfit { " (" (why) ")" }
                }
            }
        }
    }
}
