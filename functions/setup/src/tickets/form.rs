//! What a person chooses on "Tickets", and the rules for it.

use std::collections::{BTreeMap, BTreeSet};

use domain::alert::event::Severity;
use domain::alert::flapping::{FlapRule, MAX_MINUTES, MAX_RAISES, MIN_RAISES};
use domain::alert::kind::{Category, KindInfo, category_of};
use domain::alert::storm::{MAX_ALERTS, MAX_STORM_MINUTES, MIN_ALERTS, StormRule};
use domain::setup::choices::{BoardChoice, find_target_issues, merge_choices};
use domain::setup::rights;
use domain::setup::settings::{BoardTarget, OnResolve, Settings};
use domain::setup::status_action::ActionKind;
use domain::setup::ticket_links::TicketLinks;
use domain::setup::type_hierarchy::{HierarchyChoice, find_hierarchy_issues};
use domain::{Kind, RecordId};
use serde::Deserialize;

use crate::connection::client::missing_right;
use crate::http::input::{OptionalId, SentChoice};
use crate::http::problem::Problem;
use crate::tickets::assignment::{AssignmentChoice, check_assignment};
use crate::tickets::custom_fields::{CustomFieldsChoice, FieldKey};
use crate::tickets::issues;
use crate::tickets::lists::{TicketBoard, TicketLists};

/// The longest time within which a closed ticket is reopened: a year.
pub(super) const MAX_REOPEN_DAYS: u32 = 365;
/// The longest time after which a repeat makes a new ticket: a year.
pub(super) const MAX_RENEW_AFTER_HOURS: u32 = 8760;
/// The longest time for which an alert gets no ticket: a year.
pub(super) const MAX_WONT_FIX_DAYS: u32 = 365;
/// The longest interval between two notes: a week.
pub(super) const MAX_NOTE_MINUTES: u32 = 10_080;

#[derive(Debug, Deserialize)]
pub(crate) struct TicketsForm {
    operations: TicketBoardForm,
    cyber_alerts: TicketBoardForm,
    /// The kinds that become tickets; all others do not.
    #[serde(default)]
    on: Vec<Kind>,
    #[serde(default)]
    priorities: BTreeMap<Severity, OptionalId>,
    /// If it is not sent, the present one is kept: without the right to read the list it cannot be
    /// chosen.
    #[serde(default)]
    source: SentChoice,
    note_interval_minutes: u32,
    /// An unticked box sends nothing.
    #[serde(default)]
    notes_for_customers: bool,
    #[serde(default)]
    lowers_priority: bool,
    #[serde(default)]
    link_configuration: bool,
    #[serde(default)]
    link_contact: bool,
    /// How many raises within how many minutes make an alert flap. 0 raises never do.
    #[serde(default)]
    flap_raises: u32,
    #[serde(default)]
    flap_minutes: u32,
    /// The number of new alerts of a tenant after which the next ones are a storm. 0 switches it off.
    #[serde(default)]
    storm_alerts: u32,
    /// The time within which they are counted.
    #[serde(default)]
    storm_minutes: u32,
    /// If it is not sent, the present one is kept.
    wont_fix_days: Option<u32>,
    pub(super) version: u64,
}

#[derive(Debug, Deserialize)]
struct TicketBoardForm {
    #[serde(default)]
    start_status: OptionalId,
    #[serde(default)]
    closing_status: OptionalId,
    #[serde(default)]
    actions: BTreeMap<ActionKind, OptionalId>,
    #[serde(default)]
    types: BTreeMap<Kind, OptionalId>,
    #[serde(default)]
    subtypes: BTreeMap<Kind, OptionalId>,
    #[serde(default)]
    items: BTreeMap<Kind, OptionalId>,
    #[serde(default)]
    team: SentChoice,
    #[serde(default)]
    owner: SentChoice,
    #[serde(default)]
    teams: BTreeMap<Kind, OptionalId>,
    #[serde(default)]
    owners: BTreeMap<Kind, OptionalId>,
    #[serde(default)]
    field_values: BTreeMap<FieldKey, String>,
    #[serde(default)]
    field_texts: BTreeMap<FieldKey, String>,
    on_resolve: OnResolve,
    reopen_days: u32,
    #[serde(default)]
    renew_after_hours: u32,
}

impl TicketsForm {
    /// The settings after this form. Settings that are not part of the form are kept.
    ///
    /// # Errors
    /// When a number is out of range or a kind belongs to the other board.
    pub(super) fn settings(
        self,
        before: &Settings,
        kinds: &[KindInfo],
        epoch: u32,
    ) -> Result<Settings, Problem> {
        if !(1..=MAX_NOTE_MINUTES).contains(&self.note_interval_minutes) {
            let words = "From 1 minute to 10080, which is a week.";
            return Err(Problem::invalid("note_interval_minutes", words));
        }
        let flapping = (self.flap_raises > 0).then_some(FlapRule {
            raises: self.flap_raises,
            minutes: self.flap_minutes,
        });
        check_flapping(flapping)?;
        let storm = (self.storm_alerts > 0).then_some(StormRule {
            alerts: self.storm_alerts,
            minutes: self.storm_minutes,
        });
        check_storm(storm)?;
        let wont_fix_days = self.wont_fix_days.unwrap_or(before.wont_fix_days);
        check_wont_fix(wont_fix_days)?;
        let priorities = merged(&before.priorities, self.priorities);
        let operations =
            self.operations
                .target("operations", Category::Operations, before, kinds)?;
        let cyber_alerts =
            self.cyber_alerts
                .target("cyber_alerts", Category::CyberAlerts, before, kinds)?;
        Ok(Settings {
            operations,
            cyber_alerts,
            kinds_off: before.kinds_off.clone(),
            kinds_on_since: before.kinds_on_since.clone(),
            priorities,
            lowers_priority: self.lowers_priority,
            note_interval_minutes: self.note_interval_minutes,
            flapping,
            storm,
            wont_fix_days,
            notes_for_customers: self.notes_for_customers,
            source: self.source.or(before.source),
            links: TicketLinks {
                configuration: self.link_configuration,
                contact: self.link_contact,
            },
            epoch: Some(epoch),
        })
    }

    /// The kinds that become no tickets. A kind that no source adds any more keeps its setting.
    ///
    /// # Errors
    /// When an enabled kind is unknown.
    pub(super) fn kinds_off(
        &self,
        before: &Settings,
        kinds: &[KindInfo],
    ) -> Result<BTreeSet<Kind>, Problem> {
        let is_unknown = |kind: &&Kind| category_of(kind, kinds).is_none();
        if let Some(kind) = self.on.iter().find(is_unknown) {
            let words = format!("There is no kind {kind}.");
            return Err(Problem::invalid("on", words));
        }
        let unknown = before.kinds_off.iter().filter(is_unknown);
        let known = kinds.iter().map(|info| &info.kind);
        let off = known.filter(|kind| !self.on.contains(kind));
        Ok(off.chain(unknown).cloned().collect())
    }
}

impl TicketBoardForm {
    fn target(
        self,
        field: &str,
        category: Category,
        before: &Settings,
        kinds: &[KindInfo],
    ) -> Result<BoardTarget, Problem> {
        if self.reopen_days > MAX_REOPEN_DAYS {
            let words = "From 0 days, which is never, to 365.";
            return Err(Problem::invalid(format!("{field}[reopen_days]"), words));
        }
        if self.renew_after_hours > MAX_RENEW_AFTER_HOURS {
            let words = "From 0 hours, which is never, to 8760.";
            return Err(Problem::invalid(
                format!("{field}[renew_after_hours]"),
                words,
            ));
        }
        for (member, picked) in [
            ("types", &self.types),
            ("subtypes", &self.subtypes),
            ("items", &self.items),
            ("teams", &self.teams),
            ("owners", &self.owners),
        ] {
            let mut picked_kinds = picked.keys();
            if let Some(kind) = picked_kinds.find(|kind| category_of(kind, kinds) != Some(category))
            {
                let words = format!("There is no kind {kind} on this board.");
                let field = format!("{field}[{member}][{kind}]");
                return Err(Problem::invalid(field, words));
            }
        }
        let before = before.board(category);
        let assignment = AssignmentChoice {
            team: self.team,
            owner: self.owner,
            teams: self.teams,
            owners: self.owners,
        };
        let custom_fields = CustomFieldsChoice {
            values: self.field_values,
            texts: self.field_texts,
        };
        Ok(BoardTarget {
            board: before.board,
            start_status: self.start_status.0,
            closing_status: self.closing_status.0,
            actions: merged(&before.actions, self.actions),
            types: merged(&before.types, self.types),
            subtypes: merged(&before.subtypes, self.subtypes),
            items: merged(&before.items, self.items),
            assignment: assignment.apply(&before.assignment),
            custom_fields: custom_fields.apply(field, &before.custom_fields)?,
            on_resolve: self.on_resolve,
            reopen_days: self.reopen_days,
            renew_after_hours: self.renew_after_hours,
        })
    }
}

/// The records that were chosen before, with those of the form.
fn merged<K: Ord + Clone>(
    before: &BTreeMap<K, RecordId>,
    picked: BTreeMap<K, OptionalId>,
) -> BTreeMap<K, RecordId> {
    let picked = picked.into_iter().map(|(key, OptionalId(id))| (key, id));
    merge_choices(before, picked)
}

/// Whether the rule for flapping alerts is within its limits.
fn check_flapping(rule: Option<FlapRule>) -> Result<(), Problem> {
    let Some(rule) = rule else {
        return Ok(());
    };
    if !(MIN_RAISES..=MAX_RAISES).contains(&rule.raises) {
        let words = format!("From {MIN_RAISES} to {MAX_RAISES}, or 0 for never.");
        return Err(Problem::invalid("flap_raises", words));
    }
    if !(1..=MAX_MINUTES).contains(&rule.minutes) {
        let words = format!("From 1 minute to {MAX_MINUTES}, which is a day.");
        return Err(Problem::invalid("flap_minutes", words));
    }
    Ok(())
}

fn check_storm(rule: Option<StormRule>) -> Result<(), Problem> {
    let Some(rule) = rule else {
        return Ok(());
    };
    if !(MIN_ALERTS..=MAX_ALERTS).contains(&rule.alerts) {
        let words = format!("From {MIN_ALERTS} to {MAX_ALERTS}, or 0 for never.");
        return Err(Problem::invalid("storm_alerts", words));
    }
    if !(1..=MAX_STORM_MINUTES).contains(&rule.minutes) {
        let words = format!("From 1 minute to {MAX_STORM_MINUTES}, which is an hour.");
        return Err(Problem::invalid("storm_minutes", words));
    }
    Ok(())
}

fn check_wont_fix(days: u32) -> Result<(), Problem> {
    if (1..=MAX_WONT_FIX_DAYS).contains(&days) {
        return Ok(());
    }
    let words = "From 1 day to 365, which is a year.";
    Err(Problem::invalid("wont_fix_days", words))
}

/// Checks the numbers against the limits of the form.
///
/// # Errors
/// When one is out of range.
pub(crate) fn check_limits(settings: &Settings) -> Result<(), Problem> {
    let numbers = [
        (
            "note_interval_minutes",
            settings.note_interval_minutes,
            MAX_NOTE_MINUTES,
        ),
        (
            "operations.reopen_days",
            settings.operations.reopen_days,
            MAX_REOPEN_DAYS,
        ),
        (
            "cyber_alerts.reopen_days",
            settings.cyber_alerts.reopen_days,
            MAX_REOPEN_DAYS,
        ),
        (
            "operations.renew_after_hours",
            settings.operations.renew_after_hours,
            MAX_RENEW_AFTER_HOURS,
        ),
        (
            "cyber_alerts.renew_after_hours",
            settings.cyber_alerts.renew_after_hours,
            MAX_RENEW_AFTER_HOURS,
        ),
    ];
    if settings.note_interval_minutes == 0 {
        let words = "It is at least 1.";
        return Err(Problem::invalid("note_interval_minutes", words));
    }
    check_flapping(settings.flapping)?;
    check_storm(settings.storm)?;
    check_wont_fix(settings.wont_fix_days)?;
    match numbers.into_iter().find(|(_, number, max)| number > max) {
        Some((field, _, max)) => Err(Problem::invalid(field, format!("It is at most {max}."))),
        None => Ok(()),
    }
}

/// Checks the choices against what ConnectWise has. Where the API member lacks the right to read
/// it, only the choices from before are accepted.
///
/// # Errors
/// When a choice cannot be used.
pub(crate) fn check(
    before: &Settings,
    after: &Settings,
    lists: &TicketLists,
) -> Result<(), Problem> {
    for (field, category, parts) in [
        ("operations", Category::Operations, &lists.operations),
        ("cyber_alerts", Category::CyberAlerts, &lists.cyber_alerts),
    ] {
        let (was, is) = (before.board(category), after.board(category));
        let issues = match (parts, is.board) {
            (Some(board), _) => {
                check_hierarchy(field, is, board)?;
                find_target_issues(is, &board.parts.statuses, &board.parts.types)
            }
            (None, None) if has_choices(is) => {
                let words = "No board is chosen, so ConnectWise chooses status and types.";
                return Err(Problem::invalid(format!("{field}[start_status]"), words));
            }
            (None, Some(_)) if !has_same_choices(was, is) => {
                return Err(Problem::refused(missing_right(rights::TABLES_INQUIRE)));
            }
            (None, _) => Vec::new(),
        };
        if let Some((which, why)) = issues.into_iter().next() {
            let member = match &which {
                BoardChoice::StartStatus => "[start_status]".to_owned(),
                BoardChoice::ClosingStatus => "[closing_status]".to_owned(),
                BoardChoice::Action(action) => format!("[actions][{}]", action.as_str()),
                BoardChoice::Type(kind) => format!("[types][{kind}]"),
            };
            let words = issues::describe(&which, why);
            return Err(Problem::invalid(format!("{field}{member}"), words));
        }
        let members = lists.members.as_deref();
        check_assignment(field, (was, is), parts.as_ref(), members)?;
    }
    check_priorities(before, after, lists)?;
    check_source(before, after, lists)
}

fn check_hierarchy(field: &str, target: &BoardTarget, board: &TicketBoard) -> Result<(), Problem> {
    let issues = find_hierarchy_issues(target, &board.hierarchy);
    let Some((which, why)) = issues.into_iter().next() else {
        return Ok(());
    };
    let member = match &which {
        HierarchyChoice::Subtype(kind) => format!("{field}[subtypes][{kind}]"),
        HierarchyChoice::Item(kind) => format!("{field}[items][{kind}]"),
    };
    Err(Problem::invalid(
        member,
        issues::describe_hierarchy(&which, why),
    ))
}

fn check_source(before: &Settings, after: &Settings, lists: &TicketLists) -> Result<(), Problem> {
    match (after.source, &lists.sources) {
        (chosen, _) if chosen == before.source => Ok(()),
        (None, _) => Ok(()),
        (Some(_), None) => Err(Problem::refused(missing_right(rights::TABLES_INQUIRE))),
        (Some(id), Some(sources)) if sources.iter().any(|source| source.id == id) => Ok(()),
        (Some(_), Some(_)) => {
            let words = "ConnectWise has no such source.";
            Err(Problem::invalid("source", words))
        }
    }
}

fn check_priorities(
    before: &Settings,
    after: &Settings,
    lists: &TicketLists,
) -> Result<(), Problem> {
    let Some(listed) = &lists.priorities else {
        if before.priorities == after.priorities {
            return Ok(());
        }
        return Err(Problem::refused(missing_right(rights::TABLES_INQUIRE)));
    };
    let is_listed = |id: &RecordId| listed.iter().any(|priority| priority.id == *id);
    let mut picked = after.priorities.iter();
    match picked.find(|(_, id)| !is_listed(id)) {
        Some((severity, _)) => Err(Problem::invalid(
            format!("priorities[{severity}]"),
            "ConnectWise has no such priority.",
        )),
        None => Ok(()),
    }
}

fn has_choices(target: &BoardTarget) -> bool {
    target.start_status.is_some()
        || target.closing_status.is_some()
        || !target.actions.is_empty()
        || !target.types.is_empty()
        || !target.subtypes.is_empty()
        || !target.items.is_empty()
}

fn has_same_choices(one: &BoardTarget, other: &BoardTarget) -> bool {
    let statuses = |target: &BoardTarget| (target.start_status, target.closing_status);
    statuses(one) == statuses(other)
        && one.actions == other.actions
        && (&one.types, &one.subtypes, &one.items) == (&other.types, &other.subtypes, &other.items)
}

#[cfg(test)]
mod tests {
    use domain::alert::kind::with_added;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_action_that_a_form_does_not_send_stays() {
        let mut before = Settings::default();
        before.operations.actions = [(ActionKind::Act, 222), (ActionKind::WontFix, 223)].into();
        before.wont_fix_days = 7;
        let after = |actions: Value| {
            let board = |actions: Value| json!({ "on_resolve": "close", "reopen_days": 0, "actions": actions });
            let form = json!({
                "operations": board(actions), "cyber_alerts": board(json!({})),
                "note_interval_minutes": 60, "version": 1,
            });
            let form: TicketsForm = serde_json::from_value(form).unwrap();
            form.settings(&before, &with_added(&[]), 1).unwrap()
        };
        let same = after(json!({}));
        assert_eq!(same.operations.actions, before.operations.actions);
        assert_eq!(same.wont_fix_days, 7);
        let changed = after(json!({ "act": "", "wont_fix": "224" })).operations;
        assert_eq!(changed.actions, [(ActionKind::WontFix, 224)].into());
    }
}
