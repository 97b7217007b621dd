//! `ticketbridge sources deliveries`: the log of the events that were sent to the webhook of a
//! source, and their replay.

pub(super) mod render;

use std::str::FromStr as _;

use anyhow::{Result, bail};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args, Subcommand};
use domain::SourceId;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use store::DeliveryState;

use super::source_option::{SourceOption, path};
use crate::context::CommandContext;
use crate::operator_api::OperatorApi;
use crate::output::{CommandOutcome, Progress};
use render::FoundDeliveries;

/// Deliveries of one page.
const PAGE: usize = 100;
/// Requests of one replay. A receiver that refuses everything at once would make it endless.
const MAX_REQUESTS: usize = 100;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum DeliveriesCommand {
    /// Lists the deliveries of 30 days with attempts and the receiver's last answer, the newest first
    #[command(after_help = "Examples:
  ticketbridge sources deliveries list src_0123456789abcdefghijklmnop
  ticketbridge sources deliveries list src_0123456789abcdefghijklmnop --state failed --json

Without --state it lists those of each state.")]
    List(ListOptions),
    /// Delivers events again: one, or all that failed since a time
    #[command(after_help = "Examples:
  ticketbridge sources deliveries replay src_0123456789abcdefghijklmnop --failed-since 2026-11-22
  ticketbridge sources deliveries replay src_0123456789abcdefghijklmnop \\
    --delivery 0123456789abcdef-0123456789abcdef0123456789abcdef-1

They are delivered within a minute, with the same ids as before. It can be repeated without harm.")]
    Replay(ReplayOptions),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ListOptions {
    #[command(flatten)]
    id: SourceOption,
    /// Only deliveries in this state
    #[arg(long, value_name = "STATE", value_parser = state_parser())]
    state: Option<DeliveryState>,
    /// At most this many deliveries of each state
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["delivery", "failed_since"]))]
pub(crate) struct ReplayOptions {
    #[command(flatten)]
    id: SourceOption,
    /// The id of one delivery that was delivered or has failed
    #[arg(long, value_name = "ID")]
    delivery: Option<String>,
    /// All failed deliveries of events since this day in UTC, or since a time such as
    /// 2026-11-22T07:30:00Z
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    failed_since: Option<Timestamp>,
}

/// Those that may need attention first.
pub(super) const STATES: [DeliveryState; 3] = [
    DeliveryState::Pending,
    DeliveryState::Failed,
    DeliveryState::Delivered,
];

/// Parses the name of a state. The help lists all of them.
fn state_parser() -> impl TypedValueParser<Value = DeliveryState> {
    let values = STATES.map(|state| PossibleValue::new(state.name()).help(help(state)));
    PossibleValuesParser::new(values).try_map(|name| {
        let state = STATES.into_iter().find(|state| state.name() == name);
        state.ok_or_else(|| format!("there is no state {name}"))
    })
}

fn help(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Pending => "It is to be delivered",
        DeliveryState::Failed => "It was given up",
        DeliveryState::Delivered => "The receiver confirmed it",
    }
}

fn parse_since(text: &str) -> Result<Timestamp, String> {
    let day = Date::from_str(text).ok().filter(|_| !text.contains('T'));
    let start = day.and_then(|day| day.to_zoned(TimeZone::UTC).ok());
    match start {
        Some(start) => Ok(start.timestamp()),
        None => text.parse().map_err(|_| {
            "it is a day such as 2026-11-22, or a time such as 2026-11-22T07:30:00Z".to_owned()
        }),
    }
}

pub(super) fn deliveries_path(source: &SourceId) -> String {
    format!("{}/deliveries", path(source))
}

/// # Errors
/// When the stack is not found, or its API refuses the request.
pub(super) async fn run(
    command: &DeliveriesCommand,
    context: &CommandContext,
) -> Result<CommandOutcome> {
    let api = context.operator_api().await?;
    match command {
        DeliveriesCommand::List(options) => {
            let found = list(options, &api).await?;
            let text = render::list(&found)?;
            let document = json!({ "deliveries": found.deliveries, "complete": found.is_complete });
            context.format.print(&document, || text)?;
        }
        DeliveriesCommand::Replay(options) => {
            let replayed = replay(options, &api).await?;
            let document = json!({ "replayed": replayed });
            context
                .format
                .print(&document, || render::replayed(replayed))?;
        }
    }
    Ok(CommandOutcome::Done)
}

async fn list(options: &ListOptions, api: &OperatorApi) -> Result<FoundDeliveries> {
    let path = deliveries_path(&options.id.source);
    let limit = usize::try_from(options.limit)?;
    let states = options.state.map_or(STATES.to_vec(), |of| vec![of]);
    let progress = Progress::new();
    let mut found = FoundDeliveries {
        deliveries: vec![],
        is_complete: true,
    };
    for state in states {
        let (mut count, mut from) = (0, None);
        loop {
            let page = limit.saturating_sub(count).min(PAGE);
            if page == 0 {
                found.is_complete = false;
                break;
            }
            let page = api.get(&path, &query(state, page, from)).await?;
            let deliveries = page["deliveries"].as_array().cloned().unwrap_or_default();
            count += deliveries.len();
            found.deliveries.extend(deliveries);
            progress.show(&format!("{} found", found.deliveries.len()));
            from = page["next"].as_str().map(str::to_owned);
            if from.is_none() {
                break;
            }
        }
    }
    // The times have the same number of digits up to the second, so they sort as texts do.
    found
        .deliveries
        .sort_by(|one, other| stored_at(other).cmp(stored_at(one)));
    Ok(found)
}

fn stored_at(delivery: &Value) -> &str {
    delivery["stored_at"].as_str().unwrap_or_default()
}

fn query(state: DeliveryState, limit: usize, from: Option<String>) -> Vec<(&'static str, String)> {
    let mut query = vec![
        ("state", state.name().to_owned()),
        ("limit", limit.to_string()),
    ];
    query.extend(from.map(|from| ("from", from)));
    query
}

/// Replays, and returns how many deliveries are pending again. One request takes a part of them, and
/// is repeated for the rest.
async fn replay(options: &ReplayOptions, api: &OperatorApi) -> Result<u64> {
    let path = format!("{}/replay", deliveries_path(&options.id.source));
    let body = match (&options.delivery, options.failed_since) {
        (Some(delivery), _) => json!({ "delivery": delivery }),
        (None, since) => json!({ "failed_since": since }),
    };
    let progress = Progress::new();
    let mut replayed = 0;
    for _ in 0..MAX_REQUESTS {
        let answer = api.post(&path, &body).await?;
        replayed += answer["replayed"].as_u64().unwrap_or_default();
        progress.show(&format!("{replayed} pending again"));
        if answer["has_more"] != true {
            return Ok(replayed);
        }
    }
    drop(progress);
    bail!(
        "{}, and there are more: does the receiver refuse them? Run the command again",
        render::replayed(replayed)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_has_state_limit_and_page() {
        let first = query(DeliveryState::Failed, 100, None);
        assert_eq!(
            first,
            [("state", "failed".to_owned()), ("limit", "100".to_owned())]
        );
        let next = query(DeliveryState::Pending, 7, Some("p".to_owned()));
        assert_eq!(next[2], ("from", "p".to_owned()));
    }

    #[test]
    fn a_time_is_a_day_in_utc_or_a_whole_time() {
        let parse = |text: &str| parse_since(text).map(|at| at.to_string());
        assert_eq!(parse("2026-11-22").unwrap(), "2026-11-22T00:00:00Z");
        assert_eq!(
            parse("2026-11-22T07:30:00+01:00").unwrap(),
            "2026-11-22T06:30:00Z"
        );
        for text in ["", "yesterday", "2026-11-22T07:30:00", "22.11.2026"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
