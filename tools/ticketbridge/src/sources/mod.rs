//! `ticketbridge sources`: lists, shows, creates and changes sources, rotates their secrets, and
//! manages their outgoing webhooks.

mod deliveries;
mod render;
mod secrets;
mod source_option;
mod webhook;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, Subcommand};
use domain::PartnerId;
use serde_json::{Value, json};

use crate::context::CommandContext;
use crate::operator_api::OperatorApi;
use crate::output::CommandOutcome;
use crate::partners::parse_partner;
use deliveries::DeliveriesCommand;
use secrets::{MAX_SECRETS, read_secret, with_secret};
use source_option::{SourceOption, path};
use webhook::WebhookCommand;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum SourcesCommand {
    /// Lists the sources
    #[command(after_help = "Examples:
  ticketbridge sources list
  ticketbridge sources list --partner northwind --json")]
    List(ListOptions),
    /// Shows a source: its webhook address, format, last messages and rejected events
    #[command(after_help = "Example:\n  ticketbridge sources show src_0123456789abcdefghijklmnop")]
    Show(SourceOption),
    /// Creates a source, and shows its secret once
    #[command(after_help = "Examples:
  ticketbridge sources create --name Scanner --partner northwind
  ticketbridge sources create --name NinjaOne --partner northwind --preset ninjaone
  ticketbridge sources create --name RMM --partner northwind --partner contoso --settings rmm.json

The file of --settings has members of the request POST sources that have no option of their own,
such as mapping, authentication, networks, response and kinds_added:
  {\"kinds_added\": [{\"kind\": \"backup_failed\", \"category\": \"operations\", \"type_name\": \"Backup\"}]}")]
    Create(CreateOptions),
    /// Changes a source; what no option names stays as it is
    #[command(after_help = "Examples:
  ticketbridge sources change src_0123456789abcdefghijklmnop --enabled false
  ticketbridge sources change src_0123456789abcdefghijklmnop --inactive-after-hours 48
  ticketbridge sources change src_0123456789abcdefghijklmnop --inactive-after-hours usual")]
    Change(ChangeOptions),
    /// Gives a source a new secret, and shows it once; the old one is valid for 24 more hours
    #[command(after_help = "Examples:
  ticketbridge sources rotate-secret src_0123456789abcdefghijklmnop
  ticketbridge sources rotate-secret src_0123456789abcdefghijklmnop --secret-stdin < secret.txt")]
    RotateSecret(RotateOptions),
    /// The outgoing webhook of a source: it is notified of what becomes of the source's alerts
    #[command(
        subcommand,
        after_help = "Example:\n  ticketbridge sources webhook show src_0123456789abcdefghijklmnop"
    )]
    Webhook(WebhookCommand),
    /// What was sent to the outgoing webhook of a source, and its replay
    #[command(
        subcommand,
        after_help = "Example:\n  ticketbridge sources deliveries list src_0123456789abcdefghijklmnop"
    )]
    Deliveries(DeliveriesCommand),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ListOptions {
    /// Only the sources of this partner
    #[arg(long, value_name = "PARTNER", value_parser = parse_partner)]
    partner: Option<PartnerId>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct CreateOptions {
    /// The name that people see
    #[arg(long)]
    name: String,
    /// The partner that it posts for; several make a source that names the partner in each event
    #[arg(long = "partner", value_name = "PARTNER", required = true, value_parser = parse_partner)]
    partners: Vec<PartnerId>,
    /// The preset of its product, see docs/sources; without one it posts CloudEvents
    #[arg(long)]
    preset: Option<String>,
    #[command(flatten)]
    settings: SettingsOptions,
    /// Reads the secret that the vendor issued from standard input; without it one is created
    #[arg(long)]
    secret_stdin: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ChangeOptions {
    #[command(flatten)]
    id: SourceOption,
    /// The name that people see
    #[arg(long)]
    name: Option<String>,
    /// The partners that it posts for, in place of the present ones
    #[arg(long = "partner", value_name = "PARTNER", value_parser = parse_partner)]
    partners: Vec<PartnerId>,
    /// Whether the webhook accepts its messages
    #[arg(long, value_name = "true|false")]
    enabled: Option<bool>,
    /// The preset of its product, which replaces its format
    #[arg(long)]
    preset: Option<String>,
    #[command(flatten)]
    settings: SettingsOptions,
}

/// Options of a new source and of a change.
#[derive(Debug, Clone, Args)]
pub(crate) struct SettingsOptions {
    /// The hours without a message after which it counts as inactive, or `usual`
    #[arg(long, value_name = "HOURS|usual", value_parser = parse_hours)]
    inactive_after_hours: Option<NumberOrNull>,
    /// The days without a message about a tenant after which the tenant counts as inactive, or
    /// `never`
    #[arg(long, value_name = "DAYS|never", value_parser = parse_days)]
    tenant_inactive_after_days: Option<NumberOrNull>,
    /// Whether an inactive source makes a ticket
    #[arg(long, value_name = "true|false")]
    inactive_ticket: Option<bool>,
    /// A JSON file with further members of the API's request
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct RotateOptions {
    #[command(flatten)]
    id: SourceOption,
    /// Reads the secret that the vendor issued from standard input; without it one is created
    #[arg(long)]
    secret_stdin: bool,
    /// If two secrets are valid already, ends the oldest at once, for example after a leak
    #[arg(long)]
    end_oldest: bool,
}

/// A number, or the word that removes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NumberOrNull(Option<u32>);

fn parse_hours(text: &str) -> Result<NumberOrNull, String> {
    parse_number_or(text, "usual")
}

fn parse_days(text: &str) -> Result<NumberOrNull, String> {
    parse_number_or(text, "never")
}

fn parse_number_or(text: &str, null: &str) -> Result<NumberOrNull, String> {
    if text == null {
        return Ok(NumberOrNull(None));
    }
    let number = text.parse().map(|number| NumberOrNull(Some(number)));
    number.map_err(|_| format!("it is a whole number or `{null}`"))
}

/// # Errors
/// When the stack is not found, its API refuses the request, or a file cannot be read.
pub(crate) async fn run(
    command: &SourcesCommand,
    context: &CommandContext,
) -> Result<CommandOutcome> {
    let format = context.format;
    match command {
        SourcesCommand::List(options) => {
            let api = context.operator_api().await?;
            let sources = match &options.partner {
                Some(partner) => {
                    api.get(&format!("partners/{partner}"), &[]).await?;
                    api.sources_of(partner).await?
                }
                None => api.get_all("sources", "sources").await?,
            };
            let text = render::list(&sources)?;
            format.print(&json!({ "sources": sources }), || text)?;
        }
        SourcesCommand::Show(SourceOption { source }) => {
            let api = context.operator_api().await?;
            let source = api.get(&path(source), &[]).await?;
            let text = render::one(&source)?;
            format.print(&source, || text)?;
        }
        SourcesCommand::Create(options) => {
            let body = create_body(options)?;
            let api = context.operator_api().await?;
            let created = api.post("sources", &body).await?;
            let text = with_secret(render::created(&created), &created)?;
            format.print(&created, || text)?;
        }
        SourcesCommand::Change(options) => {
            let body = change_body(options)?;
            let api = context.operator_api().await?;
            let changed = api.patch(&path(&options.id.source), &body).await?;
            let text = render::one(&changed)?;
            format.print(&changed, || text)?;
        }
        SourcesCommand::RotateSecret(options) => {
            let secret = match options.secret_stdin {
                true => Some(read_secret("secret")?),
                false => None,
            };
            let api = context.operator_api().await?;
            let rotated = rotate(options, secret, &api).await?;
            let text = with_secret(render::rotated(&rotated), &rotated)?;
            format.print(&rotated, || text)?;
        }
        SourcesCommand::Webhook(command) => return webhook::run(command, context).await,
        SourcesCommand::Deliveries(command) => return deliveries::run(command, context).await,
    }
    Ok(CommandOutcome::Done)
}

fn create_body(options: &CreateOptions) -> Result<Value> {
    let mut body = options.settings.body()?;
    body["name"] = json!(options.name);
    set_partners(&mut body, &options.partners);
    if let Some(preset) = &options.preset {
        body["preset"] = json!(preset);
    }
    if options.secret_stdin {
        body["secret"] = json!(read_secret("secret")?);
    }
    Ok(body)
}

fn change_body(options: &ChangeOptions) -> Result<Value> {
    let mut body = options.settings.body()?;
    if let Some(name) = &options.name {
        body["name"] = json!(name);
    }
    set_partners(&mut body, &options.partners);
    if let Some(enabled) = options.enabled {
        body["enabled"] = json!(enabled);
    }
    if let Some(preset) = &options.preset {
        body["preset"] = json!(preset);
    }
    let is_empty = body.as_object().is_some_and(serde_json::Map::is_empty);
    ensure!(!is_empty, "nothing to change: give an option");
    Ok(body)
}

/// One partner is the source's own. Several are named in each of its events.
fn set_partners(body: &mut Value, partners: &[PartnerId]) {
    match partners {
        [] => {}
        [one] => body["partner"] = json!(one),
        several => body["partners"] = json!(several),
    }
}

impl SettingsOptions {
    /// The members of the request: those of the file, then those of the options.
    fn body(&self) -> Result<Value> {
        let mut body = match &self.settings {
            Some(file) => read_settings(file)?,
            None => json!({}),
        };
        if let Some(NumberOrNull(hours)) = self.inactive_after_hours {
            body["inactive_after_hours"] = json!(hours);
        }
        if let Some(NumberOrNull(days)) = self.tenant_inactive_after_days {
            body["tenant_inactive_after_days"] = json!(days);
        }
        if let Some(ticket) = self.inactive_ticket {
            body["inactive_ticket"] = json!(ticket);
        }
        Ok(body)
    }
}

fn read_settings(file: &Path) -> Result<Value> {
    let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let parsed: Value =
        serde_json::from_slice(&text).with_context(|| format!("{} is not JSON", file.display()))?;
    ensure!(
        parsed.is_object(),
        "{} is no JSON object: write {{\"mapping\": …}}",
        file.display()
    );
    Ok(parsed)
}

/// Sends the version that was read, so that a repeat after a lost answer cannot end a secret that
/// is in use.
async fn rotate(
    options: &RotateOptions,
    secret: Option<String>,
    api: &OperatorApi,
) -> Result<Value> {
    let path = path(&options.id.source);
    let source = api.get(&path, &[]).await?;
    let valid = source["secrets_until"].as_array().map_or(0, Vec::len);
    if valid >= MAX_SECRETS && !options.end_oldest {
        bail!(
            "two secrets of the source are valid: another rotation ends the oldest at once. Give \
             --end-oldest if no sender uses it, or wait until it has expired"
        );
    }
    let mut body = json!({ "version": source["version"] });
    if let Some(secret) = secret {
        body["secret"] = json!(secret);
    }
    api.post(&format!("{path}/secret"), &body).await
}

#[cfg(test)]
mod tests {
    use domain::SourceId;

    use super::*;

    fn partner(id: &str) -> PartnerId {
        PartnerId::parse(id).unwrap()
    }

    fn no_settings() -> SettingsOptions {
        SettingsOptions {
            inactive_after_hours: None,
            tenant_inactive_after_days: None,
            inactive_ticket: None,
            settings: None,
        }
    }

    #[test]
    fn one_partner_and_several_are_different_members() {
        let mut options = CreateOptions {
            name: "Scanner".to_owned(),
            partners: vec![partner("northwind")],
            preset: None,
            settings: no_settings(),
            secret_stdin: false,
        };
        let body = create_body(&options).unwrap();
        assert_eq!(body, json!({ "name": "Scanner", "partner": "northwind" }));
        options.partners.push(partner("contoso"));
        let body = create_body(&options).unwrap();
        assert_eq!(body["partners"], json!(["northwind", "contoso"]));
        assert!(body.get("partner").is_none());
    }

    #[test]
    fn a_change_sends_only_what_an_option_names() {
        let mut options = ChangeOptions {
            id: SourceOption {
                source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
            },
            name: None,
            partners: vec![],
            enabled: None,
            preset: None,
            settings: no_settings(),
        };
        let err = change_body(&options).unwrap_err();
        assert_eq!(err.to_string(), "nothing to change: give an option");
        options.settings.inactive_after_hours = Some(NumberOrNull(None));
        options.enabled = Some(false);
        let expected = json!({ "enabled": false, "inactive_after_hours": null });
        assert_eq!(change_body(&options).unwrap(), expected);
    }

    #[test]
    fn a_secret_is_shown_even_if_the_answer_cannot_be_read() {
        let answer = json!({ "secret": "whsec_c2VjcmV0", "old_until": 5 });
        let text = with_secret(render::rotated(&answer), &answer).unwrap();
        assert!(text.contains("whsec_c2VjcmV0"), "{text}");
    }

    #[test]
    fn a_number_can_be_removed_by_its_word() {
        assert_eq!(parse_hours("48"), Ok(NumberOrNull(Some(48))));
        assert_eq!(parse_hours("usual"), Ok(NumberOrNull(None)));
        assert_eq!(parse_days("never"), Ok(NumberOrNull(None)));
        assert!(parse_days("usual").is_err());
    }
}
