//! Says why a chosen status or type cannot be used.

use domain::choices::{TargetIssue, Which};

pub(crate) fn describe(which: &Which, why: TargetIssue) -> String {
    let what = match which {
        Which::StartStatus => "The start status".to_owned(),
        Which::ClosingStatus => "The closing status".to_owned(),
        Which::Type(kind) => format!("The type of {kind}"),
    };
    format!("{what} cannot be used: {why}.")
}
