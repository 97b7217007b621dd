//! What was compared, as the operator's API shows it.

use schemars::JsonSchema;
use serde::Serialize;

/// What was compared.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ContractView {
    /// Whether nothing differs.
    pub(crate) as_expected: bool,
    pub(crate) checks: Vec<ContractCheck>,
}

/// One behaviour that the code relies on.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct ContractCheck {
    /// Identifies the check for programs.
    pub(crate) code: &'static str,
    pub(crate) relied_on: &'static str,
    pub(crate) result: ContractResult,
    pub(crate) observed: String,
    /// What a difference means for tickets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) effect: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ContractResult {
    AsExpected,
    Differs,
    /// It could not be tried.
    NotKnown,
}

impl ContractView {
    pub(super) fn new(checks: Vec<ContractCheck>) -> Self {
        let mut results = checks.iter().map(|check| check.result);
        Self {
            as_expected: results.all(|result| result != ContractResult::Differs),
            checks,
        }
    }
}
