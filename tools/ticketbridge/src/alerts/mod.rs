//! `ticketbridge alerts`: finds alerts, and shows the timeline of one. It only reads.

mod render;

use anyhow::Result;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use domain::PartnerId;
use domain::alert::state::AlertState;
use jiff::civil::Date;
use serde_json::json;

use crate::context::CommandContext;
use crate::operator_api::{OperatorApi, encoded};
use crate::output::{CommandOutcome, Progress};
use crate::partners::parse_partner;
use render::FoundAlerts;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum AlertsCommand {
    /// Finds alerts by text, ticket number, state and time, the newest first
    #[command(after_help = "Examples:
  ticketbridge alerts search --partner northwind
  ticketbridge alerts search 'disk C:' --partner northwind --state open
  ticketbridge alerts search '#10002'
  ticketbridge alerts search --state failed --since 2026-11-01 --limit 500 --json

Without --partner it searches every partner, one after the other.")]
    Search(SearchOptions),
    /// Shows one alert and its timeline: each step that led to its present state
    #[command(after_help = "Example:
  ticketbridge alerts show 0123456789abcdef-0123456789abcdef0123456789abcdef

`ticketbridge alerts search` shows the ids.")]
    Show(ShowOptions),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct SearchOptions {
    /// A part of a title, a device or an alert id, or a ticket number
    #[arg(value_name = "TEXT")]
    text: Option<String>,
    /// Only alerts of this partner
    #[arg(long, value_name = "PARTNER", value_parser = parse_partner)]
    partner: Option<PartnerId>,
    /// Only alerts in this state
    #[arg(long, value_name = "STATE", value_parser = state_parser())]
    state: Option<AlertState>,
    /// Only alerts of this tenant
    #[arg(long)]
    tenant: Option<String>,
    /// Only alerts of this source
    #[arg(long)]
    source: Option<String>,
    /// Only alerts of this kind
    #[arg(long)]
    kind: Option<String>,
    /// The first day, in UTC
    #[arg(long, value_name = "YYYY-MM-DD")]
    since: Option<Date>,
    /// The last day, in UTC
    #[arg(long, value_name = "YYYY-MM-DD")]
    until: Option<Date>,
    /// At most this many alerts
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ShowOptions {
    /// The alert's id in `ticketbridge alerts search`
    #[arg(value_name = "ID")]
    id: String,
}

/// Parses the code of a state. The help lists all of them.
fn state_parser() -> impl TypedValueParser<Value = AlertState> {
    let values = AlertState::ALL.map(|state| PossibleValue::new(state.code()).help(help(state)));
    PossibleValuesParser::new(values).try_map(|code| {
        let state = AlertState::parse(&code);
        state.ok_or_else(|| format!("there is no state {code}"))
    })
}

fn help(state: AlertState) -> &'static str {
    match state {
        AlertState::Open => "A ticket is open for it",
        AlertState::Waiting => "It has no ticket yet, and waits for a cause to end",
        AlertState::Failed => "ConnectWise refused a call for it",
        AlertState::InProgress => "A worker has it, or its message is in the queue",
        AlertState::Closed => "Its ticket ended",
        AlertState::Resolved => "It was resolved before a ticket was created",
    }
}

/// # Errors
/// When the stack is not found, or its API refuses the request.
pub(crate) async fn run(
    command: &AlertsCommand,
    context: &CommandContext,
) -> Result<CommandOutcome> {
    let api = context.operator_api().await?;
    match command {
        AlertsCommand::Search(options) => {
            let found = search(options, &api).await?;
            let text = render::list(&found)?;
            let document = json!({ "alerts": found.alerts, "complete": found.is_complete });
            context.format.print(&document, || text)?;
        }
        AlertsCommand::Show(ShowOptions { id }) => {
            let alert = api.get(&format!("alerts/{}", encoded(id)), &[]).await?;
            let text = render::one(&alert)?;
            context.format.print(&alert, || text)?;
        }
    }
    Ok(CommandOutcome::Done)
}

async fn search(options: &SearchOptions, api: &OperatorApi) -> Result<FoundAlerts> {
    let partners = match &options.partner {
        Some(partner) => vec![partner.to_string()],
        None => {
            let partners = api.get_all("partners", "partners").await?.into_iter();
            let ids = partners.filter_map(|of| of["id"].as_str().map(str::to_owned));
            ids.collect()
        }
    };
    let limit = usize::try_from(options.limit)?;
    let progress = Progress::new();
    let mut found = FoundAlerts {
        alerts: vec![],
        is_complete: true,
    };
    for partner in partners {
        let path = format!("partners/{}/alerts", encoded(&partner));
        let mut from = None;
        // A page may be empty although there are more: the API limits what one request reads.
        loop {
            if found.alerts.len() >= limit {
                found.is_complete = false;
                break;
            }
            let page = api.get(&path, &query(options, from.as_deref())).await?;
            found
                .alerts
                .extend(page["alerts"].as_array().cloned().unwrap_or_default());
            let (count, back_to) = (found.alerts.len(), &page["looked_back_to"]);
            let back_to = back_to.as_str().unwrap_or_default();
            progress.show(&format!("{count} found; searching {partner} {back_to}"));
            from = page["next"].as_str().map(str::to_owned);
            if from.is_none() {
                break;
            }
        }
    }
    if found.alerts.len() > limit {
        found.alerts.truncate(limit);
        found.is_complete = false;
    }
    Ok(found)
}

fn query(options: &SearchOptions, from: Option<&str>) -> Vec<(&'static str, String)> {
    let text = |name, value: &Option<String>| Some((name, value.clone()?));
    let day = |name, day: Option<Date>| Some((name, day?.to_string()));
    let pairs = [
        text("search", &options.text),
        options
            .state
            .map(|state| ("state", state.code().to_owned())),
        text("tenant", &options.tenant),
        text("source", &options.source),
        text("kind", &options.kind),
        day("since", options.since),
        day("until", options.until),
        from.map(|from| ("from", from.to_owned())),
    ];
    pairs.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_query_has_what_the_options_name() {
        let options = SearchOptions {
            text: Some("#10002".to_owned()),
            partner: None,
            state: Some(AlertState::InProgress),
            tenant: None,
            source: None,
            kind: Some("disk".to_owned()),
            since: Some(date(2026, 11, 1)),
            until: None,
            limit: 50,
        };
        let expected = [
            ("search", "#10002"),
            ("state", "in_progress"),
            ("kind", "disk"),
            ("since", "2026-11-01"),
            ("from", "p"),
        ];
        let expected = expected.map(|(name, value)| (name, value.to_owned()));
        assert_eq!(query(&options, Some("p")), expected);
    }
}
