//! `ticketbridge check --contract`: where a partner's real ConnectWise differs from what the code
//! relies on.

use anyhow::Result;
use serde::Deserialize;
use serde_json::Value;

use crate::output::{CommandOutcome, one_line, table};

#[derive(Deserialize)]
struct Contract {
    as_expected: bool,
    checks: Vec<ContractCheck>,
}

#[derive(Deserialize)]
struct ContractCheck {
    code: String,
    relied_on: String,
    result: String,
    observed: String,
    effect: Option<String>,
}

pub(super) fn render(document: &Value) -> Result<(CommandOutcome, String)> {
    let contract = Contract::deserialize(document)?;
    let checks = contract.checks.iter();
    let rows = checks.map(|check| {
        let result = match check.result.as_str() {
            "as_expected" => "ok",
            "differs" => "DIFFERS",
            "not_known" => "not known",
            other => other,
        };
        [
            result.to_owned(),
            check.code.clone(),
            check.relied_on.clone(),
            check.observed.clone(),
        ]
    });
    let mut text = table(["", "CHECK", "RELIED ON", "OBSERVED"], rows.collect());
    let effects = contract.checks.iter();
    let effects = effects.filter_map(|check| Some((check, check.effect.as_deref()?)));
    let effects: Vec<_> = effects
        .map(|(check, effect)| format!("- {}: {}", check.code, one_line(effect)))
        .collect();
    if contract.as_expected {
        let words = "This ConnectWise behaves as the code relies on, as far as it could be read.";
        return Ok((CommandOutcome::Done, format!("{text}\n\n{words}")));
    }
    text = format!(
        "{text}\n\nWhat the differences mean:\n{}",
        effects.join("\n")
    );
    Ok((CommandOutcome::ProblemsFound, text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_difference_is_a_problem_with_its_effect() {
        let ok = json!({
            "code": "company_info", "relied_on": "it names the company", "result": "as_expected",
            "observed": "version v2025.1",
        });
        let unknown = json!({
            "code": "reference_search", "relied_on": "a search finds the ticket",
            "result": "not_known", "observed": "there is no ticket of Ticketbridge yet",
        });
        let differs = json!({
            "code": "my_security", "relied_on": "rights have function names",
            "result": "differs", "observed": "12 rows, 0 with a known function",
            "effect": "Rights to add are not known.",
        });
        let document = json!({ "as_expected": false, "checks": [ok, unknown, differs] });
        let (outcome, text) = render(&document).unwrap();
        assert_eq!(outcome, CommandOutcome::ProblemsFound);
        insta::assert_snapshot!(text);
        let document = json!({ "as_expected": true, "checks": [ok, unknown] });
        let (outcome, _) = render(&document).unwrap();
        assert_eq!(outcome, CommandOutcome::Done);
    }
}
