//! What a person reads about an entry of the history.

use domain::{SourceId, TenantId};
use jiff::Timestamp;
use maud::{Markup, html};

use crate::http::input::capitalized;
use crate::kind_names::kind_name;
use crate::page;
use crate::partner_names::PartnerNames;

/// Actions whose code says too little.
const ACTIONS: &[(&str, &str)] = &[
    ("session_began", "Signed in with a link"),
    ("signed_out", "Signed out"),
    ("link_made", "Created a link for signing in"),
    ("link_mailed", "Mailed a link for signing in to a contact"),
    ("sessions_ended", "Ended all sessions"),
    ("connected", "Connected ConnectWise"),
    ("keys_replaced", "Replaced the API keys"),
    (
        "address_changed",
        "Changed the address of the same ConnectWise",
    ),
    ("connection_moved", "Connected another ConnectWise"),
    ("boards_chosen", "Chose boards that exist"),
    ("boards_asked_for", "Started to create both boards"),
    ("boards_ready", "Created both boards"),
    ("boards_stopped", "Stopped creating boards"),
    ("tickets_saved", "Changed how tickets are created"),
    ("tenant_saved", "Changed a tenant"),
    (
        "tenant_assignment_saved",
        "Changed who gets the tickets of a tenant",
    ),
    ("tenant_added", "Added a tenant by hand"),
    ("tenants_listed", "Listed tenants ahead of their alerts"),
    ("tenants_changed", "Confirmed changes of many tenants"),
    ("tenant_changes_stopped", "Stopped changes of many tenants"),
    ("confirmed", "Confirmed the set-up"),
    ("released", "Released waiting alerts"),
    ("opened_again", "Asked for a ticket again"),
    ("maintenance_saved", "Saved a maintenance window"),
    ("maintenance_ended", "Ended a maintenance window"),
    ("maintenance_deleted", "Deleted a maintenance window"),
    ("closings_approved", "Approved held closings"),
    ("test_asked", "Created a test ticket"),
    ("test_closed", "Closed the test ticket"),
    ("partner_made", "Created the partner"),
    ("partner_changed", "Changed the partner"),
    (
        "configuration_imported",
        "Imported choices from another stage",
    ),
    ("partner_switched_on", "Switched the partner on"),
    ("partner_switched_off", "Switched the partner off"),
    ("source_made", "Created a source"),
    ("source_added", "Added a source"),
    ("source_changed", "Changed a source"),
    ("source_taken_away", "Removed a source"),
    ("source_secret_rotated", "Replaced the secret of a source"),
    ("source_webhook_set", "Set the webhook of a source"),
    (
        "source_webhook_secret_rotated",
        "Replaced the secret of a source's webhook",
    ),
    ("source_webhook_removed", "Removed the webhook of a source"),
    (
        "source_actions_allowed",
        "Allowed actions of technicians for a source",
    ),
    (
        "source_actions_denied",
        "Disallowed actions of technicians for a source",
    ),
    ("sample_added", "Added a sample to a source"),
    ("sample_removed", "Removed a sample of a source"),
    ("message_replayed", "Replayed a message"),
    ("message_discarded", "Discarded a message"),
    ("messages_replayed", "Replayed messages"),
    ("contacts_set", "Changed the contacts"),
    ("contact_added", "Added a contact"),
    ("contact_changed", "Changed a contact"),
    ("contact_removed", "Removed a contact"),
    ("contact_confirmed", "Confirmed a contact's address"),
];

/// Details whose code says too little, in the words of the forms.
const LABELS: &[(&str, &str)] = &[
    ("enabled", "Messages are accepted"),
    ("secrets", "Number of secrets"),
    ("hours_until_inactive", "Hours without any message"),
    (
        "days_until_tenant_inactive",
        "Days without a message for a tenant",
    ),
    (
        "ticket_if_inactive",
        "Create a ticket while the source sends nothing at all",
    ),
    ("manages_sources", "The partner manages its own sources"),
    ("link_made_at", "Link created"),
    ("team_of_operations", "Team of operations alerts"),
    ("team_of_cyber_alerts", "Team of cyber alerts"),
];
/// Details that only programs need: the name of a window is a detail of its own.
const HIDDEN: &[&str] = &["window"];
/// The beginnings of details about a board, and what they are about.
const CATEGORIES: &[(&str, &str)] = &[
    ("operations", "Operations alerts"),
    ("cyber_alerts", "Cyber alerts"),
];

/// What was done, as a sentence without its end.
pub(super) fn action(code: &str) -> String {
    let known = ACTIONS.iter().find(|(known, _)| *known == code);
    match known {
        Some((_, words)) => (*words).to_owned(),
        None => capitalized(&code.replace('_', " ")),
    }
}

pub(super) fn is_shown(name: &str) -> bool {
    !HIDDEN.contains(&name)
}

/// The name of a detail, such as "Operations alerts, owner of CPU".
pub(super) fn label(name: &str, names: &PartnerNames) -> String {
    if let Some((_, words)) = LABELS.iter().find(|(known, _)| *known == name) {
        return (*words).to_owned();
    }
    let of_category = CATEGORIES.iter().find_map(|(code, title)| {
        let rest = name.strip_prefix(code)?;
        Some((title, rest.strip_prefix('_').unwrap_or(rest)))
    });
    match of_category {
        Some((title, "")) => (*title).to_owned(),
        Some((title, rest)) => format!("{title}, {}", with_kind(rest, names)),
        None => capitalized(&with_kind(name, names)),
    }
}

/// A code in words, with the name of the kind of alert at its end.
fn with_kind(code: &str, names: &PartnerNames) -> String {
    let kind = code.split_once("_of_").and_then(|(what, kind)| {
        let info = names.kinds.iter().find(|info| info.kind.as_str() == kind)?;
        Some(format!("{what} of {}", kind_name(info, &names.kinds)))
    });
    kind.unwrap_or_else(|| code.replace('_', " "))
}

/// The value of a detail: a name in place of an id, and a time as the page shows times.
pub(super) fn value(name: &str, value: &str, names: &PartnerNames) -> Markup {
    let named = match name {
        "tenant" => TenantId::parse(value).ok().map(|id| names.tenant(&id)),
        "source" => SourceId::parse(value).ok().map(|id| names.source(&id)),
        _ => None,
    };
    let time = value.parse::<Timestamp>().ok();
    html! {
        @match (named, time) {
            (Some(named), _) => (named),
            (None, Some(at)) => (page::time(at)),
            (None, None) => (value),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use domain::alert::kind::with_added;

    use super::*;

    #[test]
    fn an_action_without_words_of_its_own_is_its_code() {
        assert_eq!(action("session_began"), "Signed in with a link");
        assert_eq!(action("moon_landed"), "Moon landed");
    }

    #[test]
    fn a_detail_is_named_by_its_board_and_kind() {
        let names = PartnerNames {
            connection: None,
            mappings: HashMap::new(),
            sources: BTreeMap::new(),
            kinds: with_added(&[]),
        };
        for (code, words) in [
            ("operations", "Operations alerts"),
            ("operations_owner_of_cpu", "Operations alerts, owner of CPU"),
            (
                "cyber_alerts_reopened_within_days",
                "Cyber alerts, reopened within days",
            ),
            ("priority_of_high", "Priority of high"),
            (
                "ticket_if_inactive",
                "Create a ticket while the source sends nothing at all",
            ),
        ] {
            assert_eq!(label(code, &names), words);
        }
        assert!(!is_shown("window"));
    }
}
