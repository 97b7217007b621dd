//! `ticketbridge delete`: deletes what is stored about a partner, a source, a tenant or an alert.
//!
//! It deletes with the operator's own rights, item by item, so it may be interrupted anywhere and
//! run again. Tickets in ConnectWise are named and stay as they are.

mod remover;
mod render;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Subcommand};
use domain::{AlertId, AlertKey, PartnerId, SourceId, TenantId};
use jiff::{SignedDuration, Timestamp};
use remover::{Removal, RemovalPlan, Remover};
use store::DeletionScope;

use crate::context::CommandContext;
use crate::output::CommandOutcome;
use crate::partners::parse_partner;
use crate::target::ResourceNames;

/// How long an event that was accepted can still be in the queue: the webhook endpoint reads a
/// source's document again after five minutes, and a message is tried again after half an hour.
const QUEUE_TIME: SignedDuration = SignedDuration::from_mins(40);

#[derive(Debug, Clone, Args)]
pub(crate) struct DeleteOptions {
    #[command(subcommand)]
    command: DeleteCommand,
    /// Deletes; without it, the command only shows what it would delete
    #[arg(long, global = true)]
    yes: bool,
}

#[derive(Debug, Clone, Subcommand)]
enum DeleteCommand {
    /// Deletes a suspended partner, with the sources that serve it alone
    #[command(after_help = "Examples:
  ticketbridge partners suspend northwind
  ticketbridge delete partner northwind
  ticketbridge delete partner northwind --yes")]
    Partner(PartnerDeletion),
    /// Deletes a source, its secret, and the alerts that it raised
    #[command(after_help = "Examples:
  ticketbridge delete source src_0123456789abcdefghijklmnop
  ticketbridge delete source src_0123456789abcdefghijklmnop --yes

To repeat it after the source was deleted, name its partners:
  ticketbridge delete source src_0123456789abcdefghijklmnop --partner northwind --yes")]
    Source(SourceDeletion),
    /// Deletes a tenant of a partner: its mapping, its alerts, and messages that mention it
    #[command(after_help = "Examples:
  ticketbridge delete tenant --partner northwind --tenant acme-dental
  ticketbridge delete tenant --partner northwind --tenant acme-dental --yes")]
    Tenant(TenantDeletion),
    /// Deletes one alert
    #[command(after_help = "Example:
  ticketbridge delete alert --partner northwind --tenant acme-dental \\
    --source src_0123456789abcdefghijklmnop --alert-id disk-srv-01 --yes")]
    Alert(AlertDeletion),
}

#[derive(Debug, Clone, Args)]
struct SecretOptions {
    /// For how many days a deleted secret can be restored, 7 to 30; 0 deletes it at once
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = parse_days)]
    recovery_days: u8,
}

#[derive(Debug, Clone, Args)]
struct PartnerDeletion {
    /// The partner's id
    #[arg(value_name = "PARTNER", value_parser = parse_partner)]
    partner: PartnerId,
    #[command(flatten)]
    secrets: SecretOptions,
}

#[derive(Debug, Clone, Args)]
struct SourceDeletion {
    /// The source's id
    #[arg(value_name = "SOURCE", value_parser = parse_source)]
    source: SourceId,
    /// A partner that the source served, once the source itself is deleted; may be given several times
    #[arg(long = "partner", value_name = "PARTNER", value_parser = parse_partner)]
    partners: Vec<PartnerId>,
    #[command(flatten)]
    secrets: SecretOptions,
}

#[derive(Debug, Clone, Args)]
struct TenantDeletion {
    /// The partner's id
    #[arg(long, value_name = "PARTNER", value_parser = parse_partner)]
    partner: PartnerId,
    /// The tenant's id, as its source sends it
    #[arg(long, value_name = "TENANT", value_parser = parse_tenant)]
    tenant: TenantId,
}

#[derive(Debug, Clone, Args)]
struct AlertDeletion {
    /// The partner's id
    #[arg(long, value_name = "PARTNER", value_parser = parse_partner)]
    partner: PartnerId,
    /// The tenant's id, as its source sends it
    #[arg(long, value_name = "TENANT", value_parser = parse_tenant)]
    tenant: TenantId,
    /// The source's id
    #[arg(long, value_name = "SOURCE", value_parser = parse_source)]
    source: SourceId,
    /// The alert's id, as its source sends it
    #[arg(long, value_name = "ID", value_parser = parse_alert_id)]
    alert_id: AlertId,
}

fn parse_source(text: &str) -> Result<SourceId, String> {
    SourceId::parse(text).map_err(|err| err.to_string())
}

fn parse_tenant(text: &str) -> Result<TenantId, String> {
    TenantId::parse(text).map_err(|err| err.to_string())
}

fn parse_alert_id(text: &str) -> Result<AlertId, String> {
    AlertId::parse(text).map_err(|err| err.to_string())
}

/// Secrets Manager accepts no other number of days.
fn parse_days(text: &str) -> Result<u8, String> {
    match text.parse() {
        Ok(days @ (0 | 7..=30)) => Ok(days),
        Ok(_) | Err(_) => Err("7 to 30, or 0".to_owned()),
    }
}

/// # Errors
/// When the stack is not found, the partner or source cannot be deleted like this, or a call of AWS
/// fails.
pub(crate) async fn run(
    options: &DeleteOptions,
    context: &CommandContext,
) -> Result<CommandOutcome> {
    let target = context.open(&ResourceNames::default()).await?;
    let remover = Remover::new(&target, context.format)?;
    let plan = plan(&options.command, &remover).await?;
    let removal = delete(&remover, &plan, options.yes).await?;
    context
        .format
        .print(&removal, || render::removal(&removal))?;
    Ok(CommandOutcome::Done)
}

async fn plan(command: &DeleteCommand, remover: &Remover) -> Result<RemovalPlan> {
    match command {
        DeleteCommand::Partner(options) => {
            let days = options.secrets.recovery_days;
            remover.plan_partner(&options.partner, days).await
        }
        DeleteCommand::Source(options) => {
            let days = options.secrets.recovery_days;
            let (source, partners) = (&options.source, &options.partners);
            remover.plan_source(source, partners, days).await
        }
        DeleteCommand::Tenant(options) => {
            let scope = DeletionScope::Tenant(options.tenant.clone());
            remover.plan_of_partner(&options.partner, scope).await
        }
        DeleteCommand::Alert(options) => {
            let key = AlertKey {
                partner: options.partner.clone(),
                tenant: options.tenant.clone(),
                source: options.source.clone(),
                alert_id: options.alert_id.clone(),
            };
            let scope = DeletionScope::Alert(key);
            remover.plan_of_partner(&options.partner, scope).await
        }
    }
}

async fn delete(remover: &Remover, plan: &RemovalPlan, is_confirmed: bool) -> Result<Removal> {
    let removal = Removal::of(plan);
    if !is_confirmed || removal.is_empty() {
        return Ok(removal);
    }
    remover
        .remove(plan)
        .await
        .context("some of it is deleted: run the command again, which deletes the rest")?;
    let left = remover.find_again(plan).await?;
    ensure!(
        left == 0,
        "{left} items were written meanwhile: is the source still posting? Stop it, and run the \
         command again"
    );
    let repeat_after = Timestamp::now().saturating_add(QUEUE_TIME).ok();
    Ok(Removal {
        is_deleted: true,
        repeat_after,
        ..removal
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recovery_time_is_one_that_secrets_manager_accepts() {
        for (text, days) in [("0", Some(0)), ("7", Some(7)), ("30", Some(30))] {
            assert_eq!(parse_days(text).ok(), days);
        }
        for text in ["", "1", "6", "31", "-7", "a week"] {
            assert!(parse_days(text).is_err(), "{text}");
        }
    }
}
