//! `ticketbridge check`: a partner's connection to ConnectWise and the rights of its API member, as
//! the partner's page "Check connection" says them. It only reads.

mod contract;

use anyhow::Result;
use clap::Args;
use domain::PartnerId;
use serde::Deserialize;
use serde_json::Value;

use crate::context::CommandContext;
use crate::output::{CommandOutcome, details, table};
use crate::partners::parse_partner;

#[derive(Debug, Clone, Args)]
pub(crate) struct CheckOptions {
    /// The partner's id
    #[arg(value_name = "PARTNER", value_parser = parse_partner)]
    partner: PartnerId,
    /// Compares the partner's ConnectWise with what the code relies on
    #[arg(long)]
    contract: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    NotConnected,
    Broken,
    RightsMissing,
    Limited,
    Good,
}

#[derive(Deserialize)]
struct Check {
    verdict: Verdict,
    error: Option<CheckError>,
    site: Option<Site>,
    member: Option<Member>,
    off: Vec<String>,
    rights: Vec<RightRow>,
}

#[derive(Deserialize)]
struct CheckError {
    code: String,
    detail: String,
}

#[derive(Deserialize)]
struct Site {
    origin: String,
    company_id: String,
    company: Option<String>,
}

#[derive(Deserialize)]
struct Member {
    identifier: String,
    role: Option<String>,
    default_board: Option<String>,
    excluded_boards: Vec<u64>,
}

#[derive(Deserialize)]
struct RightRow {
    module: String,
    function: String,
    level: String,
    needed_for: String,
    need: String,
    status: Option<String>,
}

impl Verdict {
    fn words(self) -> &'static str {
        match self {
            Self::NotConnected => "Nothing is connected yet.",
            Self::Broken => "The connection does not work.",
            Self::RightsMissing => {
                "ConnectWise accepts the keys, but tickets cannot be created and updated: a \
                 required right is missing."
            }
            Self::Limited => "The connection works: tickets are created and updated. But:",
            Self::Good => {
                "The connection works, and the API member has all rights that Ticketbridge needs."
            }
        }
    }

    fn outcome(self) -> CommandOutcome {
        match self {
            Self::Good => CommandOutcome::Done,
            Self::NotConnected | Self::Broken | Self::RightsMissing | Self::Limited => {
                CommandOutcome::ProblemsFound
            }
        }
    }
}

/// # Errors
/// When the stack is not found, or its API refuses the request.
pub(crate) async fn run(
    options: &CheckOptions,
    context: &CommandContext,
) -> Result<CommandOutcome> {
    let api = context.operator_api().await?;
    let partner = &options.partner;
    let (document, (outcome, text));
    if options.contract {
        document = api
            .get(&format!("partners/{partner}/contract"), &[])
            .await?;
        (outcome, text) = contract::render(&document)?;
    } else {
        document = api.get(&format!("partners/{partner}/check"), &[]).await?;
        (outcome, text) = render(&document)?;
    }
    context.format.print(&document, || text)?;
    Ok(outcome)
}

fn render(document: &Value) -> Result<(CommandOutcome, String)> {
    let check = Check::deserialize(document)?;
    let mut lines = vec![check.verdict.words().to_owned()];
    lines.extend(check.error.map(|of| format!("{} ({})", of.detail, of.code)));
    lines.extend(check.off.iter().map(|off| format!("- {off}")));
    let mut parts = vec![lines.join("\n")];
    let member = check.member.as_ref();
    let boards = member.map(|member| member.excluded_boards.iter().map(ToString::to_string));
    let boards = boards.map(|boards| boards.collect::<Vec<_>>().join(", "));
    if let Some(site) = check.site {
        parts.push(details([
            ("Site", Some(site.origin)),
            ("Company id", Some(site.company_id)),
            ("Company", site.company),
            ("API member", member.map(|of| of.identifier.clone())),
            ("Security role", member.and_then(|of| of.role.clone())),
            (
                "Default board",
                member.and_then(|of| of.default_board.clone()),
            ),
            (
                "Boards it cannot see",
                boards.filter(|boards| !boards.is_empty()),
            ),
        ]));
    }
    let mut rights = check.rights;
    rights.sort_by_key(|right| match right.status.as_deref() {
        Some("missing") => 0,
        Some("granted") => 2,
        Some(_) | None => 1,
    });
    let rows = rights.into_iter().map(|right| {
        let status = right.status.unwrap_or_else(|| "not checked".to_owned());
        let status = status.replace('_', " ");
        let place = format!("{} › {}: {}", right.module, right.function, right.level);
        [
            status,
            right.need.replace('_', " "),
            place,
            right.needed_for,
        ]
    });
    let headings = ["FOUND", "NEED", "RIGHT", "NEEDED FOR"];
    let rights = table(headings, rows.collect());
    parts.push(format!(
        "Rights of the API member's security role. Each level must be All.\n{rights}"
    ));
    Ok((check.verdict.outcome(), parts.join("\n\n")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn right(function: &str, status: &str) -> Value {
        json!({
            "right": "tickets.add", "module": "Service Desk", "function": function,
            "level": "Add", "needed_for": "creating tickets", "need": "required",
            "status": status, "place": format!("Service Desk › {function}: Add"),
        })
    }

    #[test]
    fn missing_rights_come_first_and_are_a_problem() {
        let document = json!({
            "verdict": "rights_missing",
            "site": { "origin": "https://na.myconnectwise.net", "company_id": "acme", "company": "Acme" },
            "member": { "identifier": "Ticketbridge", "role": "Ticketbridge",
                "default_board": "Service Desk", "excluded_boards": [3, 8] },
            "off": ["Tickets cannot be closed."],
            "rights": [
                right("Companies", "granted"),
                right("Boards", "not_known"),
                right("Tickets", "missing"),
            ],
        });
        let (outcome, text) = render(&document).unwrap();
        assert_eq!(outcome, CommandOutcome::ProblemsFound);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_broken_connection_says_why() {
        let document = json!({
            "verdict": "broken",
            "error": { "code": "keys_refused", "detail": "ConnectWise refuses the keys." },
            "site": { "origin": "https://na.myconnectwise.net", "company_id": "acme" },
            "off": [], "rights": [],
        });
        let (outcome, text) = render(&document).unwrap();
        assert_eq!(outcome, CommandOutcome::ProblemsFound);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn only_a_good_connection_has_no_problem() {
        for (verdict, expected) in [
            (Verdict::NotConnected, CommandOutcome::ProblemsFound),
            (Verdict::Limited, CommandOutcome::ProblemsFound),
            (Verdict::Good, CommandOutcome::Done),
        ] {
            assert_eq!(verdict.outcome(), expected);
        }
    }
}
