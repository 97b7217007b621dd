//! Says why a chosen status or type cannot be used.

use domain::setup::choices::{BoardChoice, TargetIssue};

pub(crate) fn describe(which: &BoardChoice, why: TargetIssue) -> String {
    let what = match which {
        BoardChoice::StartStatus => "The start status".to_owned(),
        BoardChoice::ClosingStatus => "The closing status".to_owned(),
        BoardChoice::Type(kind) => format!("The type of {kind}"),
    };
    format!("{what} cannot be used: {why}.")
}
