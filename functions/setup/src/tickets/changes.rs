//! What a person changed about tickets, in words for the history.

use std::collections::{BTreeMap, BTreeSet};

use domain::RecordId;
use domain::setup::settings::{BoardTarget, OnResolve, Settings};

use crate::audit;
use crate::tickets::custom_fields;
use crate::tickets::links::link_words;
use crate::tickets::lists::{TicketBoard, TicketLists};

/// The most changes of one entry.
const MAX_CHANGES: usize = 40;
const NONE: &str = "none";

/// What differs between two settings, each with its name: what it is now, and what it was.
pub(super) fn changes(
    before: &Settings,
    after: &Settings,
    lists: &TicketLists,
) -> Vec<(String, String)> {
    let (before, after) = (words(before, lists), words(after, lists));
    let word = |of: &BTreeMap<String, String>, name: &str| {
        of.get(name).map_or(NONE, String::as_str).to_owned()
    };
    let names = before.keys().chain(after.keys());
    let names: BTreeSet<_> = names.collect();
    names
        .into_iter()
        .map(|name| (name, word(&before, name), word(&after, name)))
        .filter(|(_, before, after)| before != after)
        .take(MAX_CHANGES)
        .map(|(name, before, after)| (name.clone(), audit::changed(&before, &after)))
        .collect()
}

/// Each choice by its name. A choice that is left to ConnectWise is absent.
fn words(settings: &Settings, lists: &TicketLists) -> BTreeMap<String, String> {
    let mut words = BTreeMap::new();
    for (name, target, board) in [
        ("operations", &settings.operations, &lists.operations),
        ("cyber_alerts", &settings.cyber_alerts, &lists.cyber_alerts),
    ] {
        board_words(name, target, board.as_ref(), &mut words);
        assignment_words(name, target, (board.as_ref(), lists), &mut words);
        custom_fields::words(name, target, &mut words);
    }
    let off: Vec<_> = settings.kinds_off.iter().map(ToString::to_string).collect();
    if !off.is_empty() {
        words.insert("kinds_switched_off".to_owned(), off.join(", "));
    }
    let priorities = lists.priorities.iter().flatten();
    let priorities: Vec<_> = priorities.map(|of| (of.id, of.name.as_str())).collect();
    for (severity, id) in &settings.priorities {
        words.insert(
            format!("priority_of_{severity}"),
            named(*id, priorities.iter().copied()),
        );
    }
    let lower = match settings.lowers_priority {
        true => "followed on tickets that no person worked on",
        false => "ignored",
    };
    words.insert("lower_severities_are".to_owned(), lower.to_owned());
    if let Some(rule) = settings.flapping {
        let rule = format!("{} raises within {} minutes", rule.raises, rule.minutes);
        words.insert("alerts_are_flapping_after".to_owned(), rule);
    }
    if let Some(rule) = settings.storm {
        let rule = format!(
            "more than {} alerts within {} minutes",
            rule.alerts, rule.minutes
        );
        words.insert("alerts_share_a_ticket_after".to_owned(), rule);
    }
    let days = settings.wont_fix_days;
    words.insert(
        "days_without_ticket_after_wont_fix".to_owned(),
        days.to_string(),
    );
    let minutes = settings.note_interval_minutes;
    words.insert("minutes_between_notes".to_owned(), minutes.to_string());
    let readers = match settings.notes_for_customers {
        true => "customers too",
        false => "technicians",
    };
    words.insert("notes_are_read_by".to_owned(), readers.to_owned());
    if let Some(id) = settings.source {
        let sources = lists.sources.iter().flatten();
        let sources = sources.map(|of| (of.id, of.name.as_str()));
        words.insert("source_of_tickets".to_owned(), named(id, sources));
    }
    link_words(settings.links, &mut words);
    words
}

fn board_words(
    name: &str,
    target: &BoardTarget,
    board: Option<&TicketBoard>,
    words: &mut BTreeMap<String, String>,
) {
    let statuses = board.iter().flat_map(|of| &of.parts.statuses);
    let statuses: Vec<_> = statuses.map(|of| (of.id, of.name.as_str())).collect();
    let types = board.iter().flat_map(|of| &of.parts.types);
    let types: Vec<_> = types.map(|of| (of.id, of.name.as_str())).collect();
    let subtypes = board.iter().flat_map(|of| &of.hierarchy.subtypes);
    let subtypes: Vec<_> = subtypes.map(|of| (of.id, of.name.as_str())).collect();
    let items = board.iter().flat_map(|of| &of.hierarchy.items);
    let items: Vec<_> = items.map(|of| (of.id, of.name.as_str())).collect();
    for (what, status) in [
        ("start_status", target.start_status),
        ("closing_status", target.closing_status),
    ] {
        if let Some(id) = status {
            words.insert(
                format!("{name}_{what}"),
                named(id, statuses.iter().copied()),
            );
        }
    }
    for (action, id) in &target.actions {
        words.insert(
            format!("{name}_status_for_{}", action.as_str()),
            named(*id, statuses.iter().copied()),
        );
    }
    for (what, chosen, known) in [
        ("type", &target.types, &types),
        ("subtype", &target.subtypes, &subtypes),
        ("item", &target.items, &items),
    ] {
        for (kind, id) in chosen {
            words.insert(
                format!("{name}_{what}_of_{kind}"),
                named(*id, known.iter().copied()),
            );
        }
    }
    let resolved = match target.on_resolve {
        OnResolve::Close => "closed",
        OnResolve::CloseUntouched => "closed unless a person worked on them",
        OnResolve::Note => "noted, and closed by a person",
    };
    words.insert(format!("{name}_resolved_tickets_are"), resolved.to_owned());
    let (days, hours) = (target.reopen_days, target.renew_after_hours);
    words.insert(format!("{name}_reopened_within_days"), days.to_string());
    words.insert(format!("{name}_renewed_after_hours"), hours.to_string());
}

fn assignment_words(
    name: &str,
    target: &BoardTarget,
    (board, lists): (Option<&TicketBoard>, &TicketLists),
    words: &mut BTreeMap<String, String>,
) {
    let teams = || {
        let teams = board.iter().flat_map(|of| &of.parts.teams);
        teams.map(|of| (of.id, of.name.as_str()))
    };
    let members = || {
        let members = lists.members.iter().flatten();
        members.map(|of| (of.id, of.name.as_str()))
    };
    for (kind, chosen) in target.assignment.choices() {
        let of = kind.map(|kind| format!("_of_{kind}")).unwrap_or_default();
        if let Some(id) = chosen.team {
            words.insert(format!("{name}_team{of}"), named(id, teams()));
        }
        if let Some(id) = chosen.owner {
            words.insert(format!("{name}_owner{of}"), named(id, members()));
        }
    }
}

/// The name of a record of ConnectWise, or its id if it has none here.
fn named<'a>(id: RecordId, mut known: impl Iterator<Item = (RecordId, &'a str)>) -> String {
    match known.find(|(of, _)| *of == id) {
        Some((_, name)) => name.to_owned(),
        None => format!("number {id}"),
    }
}

#[cfg(test)]
mod tests {
    use domain::Kind;
    use domain::setup::found_board::{BoardParts, FoundStatus};
    use domain::setup::type_hierarchy::TypeHierarchy;

    use super::*;

    fn lists() -> TicketLists {
        let status = |id, name: &str| FoundStatus {
            id,
            name: name.to_owned(),
            inactive: false,
            closes: false,
            is_default: false,
        };
        let parts = BoardParts {
            board: 22,
            statuses: vec![status(221, "New"), status(222, "In progress")],
            types: vec![],
            teams: vec![],
        };
        TicketLists {
            operations: Some(TicketBoard {
                parts,
                hierarchy: TypeHierarchy::default(),
            }),
            cyber_alerts: None,
            priorities: None,
            sources: None,
            members: None,
            custom_fields: Ok(vec![]),
        }
    }

    #[test]
    fn the_history_names_what_changed_and_what_it_was() {
        let with = |status, off: &[&str], days| Settings {
            operations: BoardTarget {
                start_status: Some(status),
                reopen_days: days,
                ..BoardTarget::default()
            },
            kinds_off: off.iter().map(|kind| Kind::parse(*kind).unwrap()).collect(),
            ..Settings::default()
        };
        let found = changes(
            &with(221, &[], 0),
            &with(222, &["cpu", "disk"], 7),
            &lists(),
        );
        let expected = [
            ("kinds_switched_off", "cpu, disk (before: none)"),
            ("operations_reopened_within_days", "7 (before: 0)"),
            ("operations_start_status", "In progress (before: New)"),
        ];
        let expected = expected.map(|(name, words)| (name.to_owned(), words.to_owned()));
        assert_eq!(found, expected);
        let same = with(221, &["cpu"], 0);
        assert_eq!(changes(&same, &same, &lists()), []);
    }
}
