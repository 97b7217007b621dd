//! What a person reads about an entry of the history.

use domain::{SourceId, TenantId};
use jiff::Timestamp;
use maud::{Markup, html};

use crate::http::input::capitalized;
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
    ("test_asked", "Sent a test alert"),
    ("test_closed", "Resolved the test alert"),
    ("partner_made", "Created the partner"),
    ("partner_changed", "Changed the partner"),
    (
        "configuration_imported",
        "Imported choices from another stage",
    ),
    ("source_taken_away", "Removed a source"),
];

/// What was done, as a sentence without its end.
pub(super) fn action(code: &str) -> String {
    let known = ACTIONS.iter().find(|(known, _)| *known == code);
    match known {
        Some((_, words)) => (*words).to_owned(),
        None => capitalized(&code.replace('_', " ")),
    }
}

pub(super) fn label(name: &str) -> String {
    capitalized(&name.replace('_', " "))
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
    use super::*;

    #[test]
    fn an_action_without_words_of_its_own_is_its_code() {
        assert_eq!(action("session_began"), "Signed in with a link");
        assert_eq!(action("source_secret_rotated"), "Source secret rotated");
    }
}
