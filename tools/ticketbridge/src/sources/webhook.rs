//! `ticketbridge sources webhook`: the outgoing webhook of a source, which is notified of what
//! becomes of the source's alerts.

mod render;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use domain::outgoing::format::WebhookFormat;
use serde_json::{Value, json};
use store::DeliveryState;

use super::deliveries::{STATES, deliveries_path};
use super::secrets::{MAX_SECRETS, read_secret, with_secret};
use super::source_option::{SourceOption, path};
use crate::context::CommandContext;
use crate::operator_api::OperatorApi;
use crate::output::{CommandOutcome, Progress};

/// How long `ping` waits. The schedule makes a test delivery within a minute, and the receiver has
/// ten seconds to answer.
const WATCH_FOR: Duration = Duration::from_secs(120);
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);
/// The newest deliveries of a state among which a test delivery is looked for.
const NEWEST: &str = "20";

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum WebhookCommand {
    /// Sets the address of a source's webhook, and shows its signing secret once if it is new
    #[command(after_help = "Example:
  ticketbridge sources webhook set src_0123456789abcdefghijklmnop --url https://example.com/hooks

Another address keeps the secret. Events of alerts are sent from the next message of the source on,
and so are the actions that `--actions true` allows.

With the format alertmanager, the action \"Won't fix\" silences the alert in an Alertmanager:
  ticketbridge sources webhook set src_0123456789abcdefghijklmnop --format alertmanager \\
    --url https://alertmanager.example.com --authorization-stdin < authorization.txt

The file has the value of the header, such as `Bearer TOKEN`. It is sent to that host alone, and no
command shows it.")]
    Set(SetOptions),
    /// Shows the address of a source's webhook, and until when its secrets sign
    #[command(after_help = "Example:
  ticketbridge sources webhook show src_0123456789abcdefghijklmnop")]
    Show(SourceOption),
    /// Removes the webhook of a source; what is pending for it counts as failed
    #[command(after_help = "Example:
  ticketbridge sources webhook remove src_0123456789abcdefghijklmnop")]
    Remove(SourceOption),
    /// Gives a webhook a new signing secret, and shows it once; the old one signs for 24 more hours
    #[command(
        visible_alias = "rotate",
        after_help = "Example:
  ticketbridge sources webhook rotate-secret src_0123456789abcdefghijklmnop"
    )]
    RotateSecret(RotateOptions),
    /// Makes a test delivery, and waits for the receiver's answer
    #[command(after_help = "Examples:
  ticketbridge sources webhook ping src_0123456789abcdefghijklmnop
  ticketbridge sources webhook ping src_0123456789abcdefghijklmnop --no-wait

The answer comes within a minute, and is in `ticketbridge sources deliveries list` too. An Alertmanager
is asked for its status.
The exit code is 3 if the receiver did not confirm it.")]
    Ping(PingOptions),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct SetOptions {
    #[command(flatten)]
    id: SourceOption,
    /// The receiver's whole address, which begins with https://; that of an Alertmanager is without
    /// /api/v2
    #[arg(long)]
    url: String,
    /// In which form it gets events; at first cloud_events
    #[arg(long, value_name = "FORMAT", value_parser = format_parser())]
    format: Option<WebhookFormat>,
    /// Whether the source gets the actions that technicians ask for by a ticket's status; at first
    /// only an Alertmanager does
    #[arg(long)]
    actions: Option<bool>,
    /// Reads the authorization that an Alertmanager or its proxy expects from standard input
    #[arg(long)]
    authorization_stdin: bool,
    /// Sends no authorization any more
    #[arg(long, conflicts_with = "authorization_stdin")]
    no_authorization: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct RotateOptions {
    #[command(flatten)]
    id: SourceOption,
    /// If two secrets sign already, ends the oldest at once, for example after a leak
    #[arg(long)]
    end_oldest: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct PingOptions {
    #[command(flatten)]
    id: SourceOption,
    /// Does not wait for the answer
    #[arg(long)]
    no_wait: bool,
}

/// Parses the name of a format. The help lists all of them.
fn format_parser() -> impl TypedValueParser<Value = WebhookFormat> {
    const FORMATS: [WebhookFormat; 2] = [WebhookFormat::CloudEvents, WebhookFormat::Alertmanager];
    let names = PossibleValuesParser::new(FORMATS.map(WebhookFormat::name));
    names.try_map(|name| {
        let found = FORMATS.into_iter().find(|format| format.name() == name);
        found.ok_or_else(|| format!("there is no format {name}"))
    })
}

impl SetOptions {
    fn body(&self) -> Result<Value> {
        let mut body = json!({
            "url": self.url, "format": self.format, "takes_actions": self.actions,
        });
        if self.authorization_stdin {
            body["authorization"] = json!(read_secret("authorization")?);
        } else if self.no_authorization {
            body["authorization"] = json!("");
        }
        Ok(body)
    }
}

/// # Errors
/// When the stack is not found, or its API refuses the request.
pub(super) async fn run(
    command: &WebhookCommand,
    context: &CommandContext,
) -> Result<CommandOutcome> {
    let api = context.operator_api().await?;
    let format = context.format;
    match command {
        WebhookCommand::Set(options) => {
            let path = webhook_path(&options.id);
            let webhook = api.put(&path, &options.body()?).await?;
            let text = with_secret(render::changed(&webhook), &webhook)?;
            format.print(&webhook, || text)?;
        }
        WebhookCommand::Show(id) => {
            let webhook = api.get(&webhook_path(id), &[]).await?;
            let text = render::one(&webhook)?;
            format.print(&webhook, || text)?;
        }
        WebhookCommand::Remove(id) => {
            api.delete(&webhook_path(id)).await?;
            let removed = json!({ "source": id.source, "webhook": null });
            let text = || format!("{} has no webhook now", id.source);
            format.print(&removed, text)?;
        }
        WebhookCommand::RotateSecret(options) => {
            let webhook = rotate(options, &api).await?;
            let text = with_secret(render::changed(&webhook), &webhook)?;
            format.print(&webhook, || text)?;
        }
        WebhookCommand::Ping(options) => return ping(options, &api, context).await,
    }
    Ok(CommandOutcome::Done)
}

fn webhook_path(id: &SourceOption) -> String {
    format!("{}/webhook", path(&id.source))
}

/// Sends the version that was read, so that a repeat after a lost answer cannot end a secret that
/// is in use.
async fn rotate(options: &RotateOptions, api: &OperatorApi) -> Result<Value> {
    let path = webhook_path(&options.id);
    let webhook = api.get(&path, &[]).await?;
    let valid = webhook["secrets_until"].as_array().map_or(0, Vec::len);
    if valid >= MAX_SECRETS && !options.end_oldest {
        bail!(
            "two secrets of the webhook sign: another rotation ends the oldest at once. Give \
             --end-oldest if the receiver does not verify with it, or wait until it has expired"
        );
    }
    let body = json!({ "version": webhook["version"] });
    api.post(&format!("{path}/secret"), &body).await
}

async fn ping(
    options: &PingOptions,
    api: &OperatorApi,
    context: &CommandContext,
) -> Result<CommandOutcome> {
    let queued = api
        .post(&format!("{}/ping", webhook_path(&options.id)), &json!({}))
        .await?;
    let id = queued["delivery"].as_str();
    let id = id.context("the answer names no delivery")?;
    let source = &options.id.source;
    let is_attempted = match options.no_wait {
        true => None,
        false => watch(id, &deliveries_path(source), api).await?,
    };
    let Some(delivery) = is_attempted else {
        let text = || {
            format!(
                "{id} is queued. `ticketbridge sources deliveries list {source}` shows the answer."
            )
        };
        context.format.print(&queued, text)?;
        return Ok(CommandOutcome::Done);
    };
    let text = render::attempted(&delivery)?;
    context.format.print(&delivery, || text)?;
    Ok(match delivery["state"] == DeliveryState::Delivered.name() {
        true => CommandOutcome::Done,
        false => CommandOutcome::ProblemsFound,
    })
}

/// Waits for the first attempt of a delivery. `None` if there was none in time.
async fn watch(id: &str, path: &str, api: &OperatorApi) -> Result<Option<Value>> {
    let progress = Progress::new();
    let started = Instant::now();
    let mut pause = tokio::time::interval(BETWEEN_LOOKS);
    while started.elapsed() < WATCH_FOR {
        pause.tick().await;
        let seconds = started.elapsed().as_secs();
        progress.show(&format!("waiting for the receiver's answer, {seconds} s"));
        for state in STATES {
            let query = [
                ("state", state.name().to_owned()),
                ("limit", NEWEST.to_owned()),
            ];
            let page = api.get(path, &query).await?;
            if let Some(delivery) = find_attempted(&page, id) {
                return Ok(Some(delivery));
            }
        }
    }
    Ok(None)
}

fn find_attempted(page: &Value, id: &str) -> Option<Value> {
    let mut deliveries = page["deliveries"].as_array()?.iter();
    let found = deliveries.find(|of| of["id"] == id && of["last_attempt"].is_object());
    found.cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_found_once_it_was_attempted() {
        let page = |last_attempt: Value| {
            json!({ "deliveries": [
                { "id": "ping_src_1-4", "last_attempt": { "at": "2026-11-27T08:00:00Z" } },
                { "id": "ping_src_1-5", "last_attempt": last_attempt },
            ] })
        };
        let waiting = page(Value::Null);
        assert_eq!(find_attempted(&waiting, "ping_src_1-5"), None);
        let attempted = page(json!({ "at": "2026-11-27T08:00:01Z", "status": 204 }));
        let found = find_attempted(&attempted, "ping_src_1-5").unwrap();
        assert_eq!(found["last_attempt"]["status"], 204);
        assert_eq!(find_attempted(&attempted, "ping_src_1-6"), None);
    }
}
