//! `ticketbridge partners`: lists, shows, creates and changes partners.

mod partner;
mod render;

use anyhow::{Result, ensure};
use clap::{Args, Subcommand};
use domain::PartnerId;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::context::CommandContext;
use crate::operator_api::{OperatorApi, is_not_found};
use crate::output::{CommandOutcome, Progress, counted};
use partner::Partner;

/// Partners whose status is read at once.
const AT_ONCE: usize = 8;

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum PartnersCommand {
    /// Lists the partners with health, waiting alerts, open tickets and last alert
    #[command(after_help = "Examples:
  ticketbridge partners list --stack-name ticketbridge
  ticketbridge partners list --unhealthy
  ticketbridge partners list --json | jq -r '.partners[] | select(.status.condition != \"good\") | .id'")]
    List(ListOptions),
    /// Shows a partner: its status, its contacts and its sources
    #[command(after_help = "Example:\n  ticketbridge partners show northwind")]
    Show(PartnerOption),
    /// Creates a partner; repeating it changes nothing
    #[command(after_help = "Examples:
  ticketbridge partners create northwind --name 'Northwind IT'
  ticketbridge partners create northwind --name 'Northwind IT' --manages-sources true")]
    Create(CreateOptions),
    /// Renames a partner, or changes whether it manages its sources
    #[command(after_help = "Example:\n  ticketbridge partners change northwind --name Northwind")]
    Change(ChangeOptions),
    /// Disables a partner: its page and links stop working, and its alerts wait
    #[command(after_help = "Example:\n  ticketbridge partners suspend northwind")]
    Suspend(PartnerOption),
    /// Enables a suspended partner: its waiting alerts go on
    #[command(after_help = "Example:\n  ticketbridge partners resume northwind")]
    Resume(PartnerOption),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ListOptions {
    /// Only partners that are not healthy, or have waiting alerts
    #[arg(long, conflicts_with = "brief")]
    unhealthy: bool,
    /// Only names, without the status of each partner, which takes a call each
    #[arg(long)]
    brief: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct PartnerOption {
    /// The partner's id
    #[arg(value_name = "PARTNER", value_parser = parse_partner)]
    partner: PartnerId,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct CreateOptions {
    #[command(flatten)]
    id: PartnerOption,
    /// The name that people see
    #[arg(long)]
    name: String,
    /// Whether it may create and change its own sources on its page
    #[arg(long, value_name = "true|false", default_value_t = false, action = clap::ArgAction::Set)]
    manages_sources: bool,
}

#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true).args(["name", "manages_sources"]))]
pub(crate) struct ChangeOptions {
    #[command(flatten)]
    id: PartnerOption,
    /// The name that people see
    #[arg(long)]
    name: Option<String>,
    /// Whether it may create and change its own sources on its page
    #[arg(long, value_name = "true|false")]
    manages_sources: Option<bool>,
}

pub(crate) fn parse_partner(text: &str) -> Result<PartnerId, String> {
    PartnerId::parse(text).map_err(|err| err.to_string())
}

/// # Errors
/// When the stack is not found, or its API refuses the request.
pub(crate) async fn run(
    command: &PartnersCommand,
    context: &CommandContext,
) -> Result<CommandOutcome> {
    let api = context.operator_api().await?;
    match command {
        PartnersCommand::List(options) => list(options, &api, context).await?,
        PartnersCommand::Show(of) => show(&of.partner, &api, context).await?,
        PartnersCommand::Create(options) => create(options, &api, context).await?,
        PartnersCommand::Change(options) => {
            let partner = &options.id.partner;
            // A partner that does not exist is not created by mistake.
            api.get(&path(partner), &[]).await?;
            let mut body = json!({});
            if let Some(name) = &options.name {
                body["name"] = json!(name);
            }
            if let Some(manages) = options.manages_sources {
                body["manages_sources"] = json!(manages);
            }
            put(partner, &body, &api, context).await?;
        }
        PartnersCommand::Suspend(of) => enable(&of.partner, false, &api, context).await?,
        PartnersCommand::Resume(of) => enable(&of.partner, true, &api, context).await?,
    }
    Ok(CommandOutcome::Done)
}

fn path(partner: &PartnerId) -> String {
    format!("partners/{partner}")
}

/// All partners, each with its status unless the list is brief.
async fn list(options: &ListOptions, api: &OperatorApi, context: &CommandContext) -> Result<()> {
    let partners = api.get_all("partners", "partners").await?;
    let (total, progress) = (partners.len(), Progress::new());
    let mut listed = vec![];
    if options.brief {
        listed = partners;
    } else {
        let reads = partners
            .into_iter()
            .map(|partner| with_status(partner, api));
        let mut reads = stream::iter(reads).buffered(AT_ONCE);
        while let Some(partner) = reads.try_next().await? {
            listed.push(partner);
            let partners = counted(total as u64, "partner");
            progress.show(&format!(
                "read the status of {} of {partners}",
                listed.len()
            ));
        }
    }
    drop(progress);
    if options.unhealthy {
        listed.retain(needs_attention);
    }
    let document = json!({ "partners": listed });
    let text = render::list(&listed)?;
    context.format.print(&document, || text)
}

async fn with_status(mut partner: Value, api: &OperatorApi) -> Result<Value> {
    let id = partner["id"].as_str().unwrap_or_default().to_owned();
    let status = api.get(&format!("partners/{id}/status"), &[]).await?;
    partner["status"] = status;
    Ok(partner)
}

fn needs_attention(partner: &Value) -> bool {
    let status = &partner["status"];
    status["condition"] != "good" || status["waiting"]["count"] != 0
}

async fn show(partner: &PartnerId, api: &OperatorApi, context: &CommandContext) -> Result<()> {
    let path = path(partner);
    let (contacts_path, status_path) = (format!("{path}/contacts"), format!("{path}/status"));
    let (mut document, contacts, status, sources) = futures_util::try_join!(
        api.get(&path, &[]),
        api.get(&contacts_path, &[]),
        api.get(&status_path, &[]),
        api.sources_of(partner),
    )?;
    document["status"] = status;
    document["contacts"] = contacts["contacts"].clone();
    document["sources"] = json!(sources);
    let text = render::one(&document)?;
    context.format.print(&document, || text)
}

/// A partner that exists is not changed by mistake.
async fn create(
    options: &CreateOptions,
    api: &OperatorApi,
    context: &CommandContext,
) -> Result<()> {
    let partner = &options.id.partner;
    let present = match api.get(&path(partner), &[]).await {
        Ok(present) => Some(Partner::deserialize(&present)?),
        Err(err) if is_not_found(&err) => None,
        Err(err) => return Err(err),
    };
    if let Some(present) = present {
        let desired = (options.name.trim(), options.manages_sources);
        ensure!(
            (present.name.as_str(), present.manages_sources) == desired,
            "the partner {partner} exists with other values: see `ticketbridge partners show \
             {partner}`, and use `ticketbridge partners change`"
        );
    }
    let body = json!({
        "name": options.name,
        "manages_sources": options.manages_sources,
    });
    put(partner, &body, api, context).await
}

async fn enable(
    partner: &PartnerId,
    enabled: bool,
    api: &OperatorApi,
    context: &CommandContext,
) -> Result<()> {
    // A partner that does not exist is not created by mistake.
    api.get(&path(partner), &[]).await?;
    put(partner, &json!({ "enabled": enabled }), api, context).await
}

async fn put(
    partner: &PartnerId,
    body: &Value,
    api: &OperatorApi,
    context: &CommandContext,
) -> Result<()> {
    let saved = api.put(&path(partner), body).await?;
    let text = render::saved(&saved)?;
    context.format.print(&saved, || text)
}
