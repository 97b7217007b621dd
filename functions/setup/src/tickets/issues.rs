//! Says why a chosen status, type, subtype or item cannot be used.

use domain::setup::choices::{BoardChoice, TargetIssue};
use domain::setup::status_action::ActionKind;
use domain::setup::type_hierarchy::{HierarchyChoice, HierarchyIssue};

pub(crate) fn describe(which: &BoardChoice, why: TargetIssue) -> String {
    let what = match which {
        BoardChoice::StartStatus => "The start status".to_owned(),
        BoardChoice::ClosingStatus => "The closing status".to_owned(),
        BoardChoice::Action(action) => {
            format!("The status for \"{}\"", action_name(*action))
        }
        BoardChoice::Type(kind) => format!("The type of {kind}"),
    };
    format!("{what} cannot be used: {why}.")
}

/// An action, as the page names it.
pub(crate) fn action_name(action: ActionKind) -> &'static str {
    match action {
        ActionKind::Acknowledge => "Acknowledge",
        ActionKind::WontFix => "Won't fix",
        ActionKind::Act => "Act",
    }
}

pub(crate) fn describe_hierarchy(which: &HierarchyChoice, why: HierarchyIssue) -> String {
    let what = match which {
        HierarchyChoice::Subtype(kind) => format!("The subtype of {kind}"),
        HierarchyChoice::Item(kind) => format!("The item of {kind}"),
    };
    format!("{what} cannot be used: {why}.")
}
