//! Finds and deletes, in an order in which a repetition finds what an interrupted run left.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail, ensure};
use aws_sdk_secretsmanager::Client as SecretsClient;
use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretError;
use domain::monitoring::pipeline::Schedule;
use domain::{PartnerId, RecordId, SourceId};
use jiff::Timestamp;
use serde::Serialize;
use store::{
    AccessTable, Alerts, DeletionScope, DeletionStore, Due, RegisteredSource, StoredData,
    TableNames,
};

use crate::history::HistoryWriter;
use crate::output::{OutputFormat, Progress, counted};
use crate::target::TargetStack;

/// Sources in one page of the list.
const PAGE: u16 = 100;
/// Items that are read between two lines of progress.
const PROGRESS_STEP: usize = 1_000;

/// What a deletion consists of.
pub(super) struct RemovalPlan {
    /// What is deleted of each partner.
    parts: Vec<PartOfPlan>,
    receivers: Receivers,
    /// Names of secrets.
    secrets: Vec<String>,
    recovery_days: u8,
    /// Entries of the operator's lists, which are deleted at the end.
    sources: Vec<SourceId>,
    partner: Option<PartnerId>,
}

struct PartOfPlan {
    partner: PartnerId,
    scope: DeletionScope,
    found: StoredData,
}

/// What the deliveries table has about sources themselves.
#[derive(Default)]
struct Receivers {
    sources: Vec<SourceId>,
    rows: Vec<(String, String)>,
}

/// What was deleted, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Removal {
    pub(super) is_deleted: bool,
    pub(super) records: usize,
    pub(super) snapshots: usize,
    /// Rows of the deliveries table.
    pub(super) deliveries: usize,
    pub(super) config_items: usize,
    pub(super) access_items: usize,
    pub(super) sessions: usize,
    pub(super) secrets: Vec<String>,
    /// Entries of the operator's lists of partners and sources.
    pub(super) listed: Vec<String>,
    /// Tickets in ConnectWise that Ticketbridge no longer changes.
    pub(super) open_tickets: BTreeSet<RecordId>,
    /// Events that were accepted before may be in the queue until then.
    pub(super) repeat_after: Option<Timestamp>,
}

impl Removal {
    pub(super) fn of(plan: &RemovalPlan) -> Self {
        let mut removal = Self {
            deliveries: plan.receivers.rows.len(),
            secrets: plan.secrets.clone(),
            ..Self::default()
        };
        for PartOfPlan { found, .. } in &plan.parts {
            removal.records += found.records.len();
            removal.snapshots += found.snapshots.len();
            removal.deliveries += found.deliveries.len();
            removal.config_items += found.config.len();
            removal.access_items += found.access.len();
            removal.sessions += found.sessions.len();
            removal.open_tickets.extend(&found.open_tickets);
        }
        let sources = plan.sources.iter().map(|id| format!("source {id}"));
        let partner = plan.partner.iter().map(|id| format!("partner {id}"));
        removal.listed = sources.chain(partner).collect();
        removal
    }

    pub(super) fn is_empty(&self) -> bool {
        let items = self.records + self.snapshots + self.deliveries + self.config_items;
        let items = items + self.access_items + self.sessions;
        items + self.secrets.len() + self.listed.len() == 0
    }
}

/// Deletes from the tables and secrets of a stack.
pub(super) struct Remover {
    store: DeletionStore,
    access: AccessTable,
    alerts: Alerts,
    due: Due,
    history: HistoryWriter,
    secrets: SecretsClient,
    /// Precedes `connection/` and `source/` in the names of secrets.
    secret_prefix: String,
    format: OutputFormat,
}

impl Remover {
    pub(super) fn new(target: &TargetStack, format: OutputFormat) -> Result<Self> {
        let (alerts, config) = (target.alerts_table()?, target.config_table()?);
        let access = target.access_table()?;
        let tables = TableNames {
            alerts: alerts.to_owned(),
            config: config.to_owned(),
            access: access.to_owned(),
            deliveries: target.deliveries_table()?.to_owned(),
        };
        let [alerts, config, access] = [alerts, config, access].map(str::to_owned);
        Ok(Self {
            store: DeletionStore::new(&target.aws, tables),
            access: AccessTable::new(&target.aws, access),
            alerts: Alerts::new(&target.aws, alerts),
            due: Due::new(&target.aws, config),
            history: HistoryWriter::new(target)?,
            secrets: SecretsClient::new(&target.aws),
            secret_prefix: target.secret_prefix()?.to_owned(),
            format,
        })
    }

    /// What a tenant or an alert consists of.
    pub(super) async fn plan_of_partner(
        &self,
        partner: &PartnerId,
        scope: DeletionScope,
    ) -> Result<RemovalPlan> {
        let listed = self.access.partners.get(partner).await?.value;
        ensure!(listed.is_some(), "there is no partner {partner}");
        Ok(RemovalPlan {
            parts: vec![self.part(partner, scope).await?],
            receivers: Receivers::default(),
            secrets: vec![],
            recovery_days: 0,
            sources: vec![],
            partner: None,
        })
    }

    /// What a source consists of. `partners` are needed once the source is no longer listed.
    pub(super) async fn plan_source(
        &self,
        source: &SourceId,
        partners: &[PartnerId],
        recovery_days: u8,
    ) -> Result<RemovalPlan> {
        let listed = self.access.sources.get(source).await?.value;
        let is_listed = listed.is_some();
        let mut all: BTreeSet<PartnerId> = partners.iter().cloned().collect();
        all.extend(listed.iter().flat_map(partners_of));
        ensure!(
            !all.is_empty(),
            "there is no source {source}: if it was deleted before, name its partners with --partner"
        );
        let mut parts = vec![];
        for partner in &all {
            let scope = DeletionScope::Source(source.clone());
            parts.push(self.part(partner, scope).await?);
        }
        let secret = format!("{}source/{source}", self.secret_prefix);
        Ok(RemovalPlan {
            parts,
            receivers: self.receivers(vec![source.clone()]).await?,
            secrets: self.existing([secret]).await?,
            recovery_days,
            sources: is_listed.then(|| source.clone()).into_iter().collect(),
            partner: None,
        })
    }

    /// What a partner consists of.
    pub(super) async fn plan_partner(
        &self,
        partner: &PartnerId,
        recovery_days: u8,
    ) -> Result<RemovalPlan> {
        let listed = self.access.partners.get(partner).await?.value;
        if listed.as_ref().is_some_and(|listed| listed.enabled) {
            bail!(
                "{partner} is enabled: suspend it first, with `ticketbridge partners suspend {partner}`"
            );
        }
        let mut sources = vec![];
        let mut from = None;
        loop {
            let page = self.access.sources.page(from.as_ref(), PAGE).await?;
            for entry in page.entries {
                let of: BTreeSet<_> = partners_of(&entry.value).collect();
                if !of.contains(partner) {
                    continue;
                }
                ensure!(
                    of.len() == 1,
                    "the source {} serves other partners too: take {partner} out of its partners \
                     first, with `ticketbridge sources change {0}`",
                    entry.id
                );
                sources.push(entry.id);
            }
            match page.next {
                Some(next) => from = Some(next),
                None => break,
            }
        }
        let connection = format!("{}connection/{partner}", self.secret_prefix);
        let secrets = sources
            .iter()
            .map(|source| format!("{}source/{source}", self.secret_prefix));
        let secrets = secrets.chain([connection]).collect::<Vec<_>>();
        Ok(RemovalPlan {
            parts: vec![self.part(partner, DeletionScope::Partner).await?],
            receivers: self.receivers(sources.clone()).await?,
            secrets: self.existing(secrets).await?,
            recovery_days,
            sources,
            partner: listed.map(|_| partner.clone()),
        })
    }

    /// Deletes. Secrets are first, so that nothing more is accepted, and the operator's lists last,
    /// so that a repetition finds what is left.
    pub(super) async fn remove(&self, plan: &RemovalPlan) -> Result<()> {
        for name in &plan.secrets {
            self.delete_secret(name, plan.recovery_days).await?;
        }
        for part in &plan.parts {
            self.remove_part(part).await?;
        }
        // After the parts: while an outgoing event is delivered, its receiver is written.
        self.store.delete_source_rows(&plan.receivers.rows).await?;
        for source in &plan.sources {
            self.store.unlist_source(source).await?;
        }
        if let Some(partner) = &plan.partner {
            self.store.unlist_partner(partner).await?;
        }
        Ok(())
    }

    /// How many items were written since.
    pub(super) async fn find_again(&self, plan: &RemovalPlan) -> Result<usize> {
        let receivers = self.receivers(plan.receivers.sources.clone()).await?;
        let mut left = receivers.rows.len();
        for part in &plan.parts {
            let part = self.part(&part.partner, part.scope.clone()).await?;
            left += part.found.count();
        }
        Ok(left)
    }

    async fn remove_part(&self, part: &PartOfPlan) -> Result<()> {
        let PartOfPlan {
            partner,
            scope,
            found,
        } = part;
        let keeps_partner = *scope != DeletionScope::Partner;
        if keeps_partner {
            // A deleted record no longer says that its alert has a ticket. So each alert is searched
            // for in ConnectWise before its first ticket, until all tickets are imported again.
            self.rebuild(partner).await?;
        }
        let progress = Progress::new();
        let mut deleted = 0;
        let all = found.count();
        let deletion = self.store.delete(partner, found, || {
            deleted += 1;
            progress.show(&format!("{partner}: deleted {deleted} of {all} items"));
        });
        deletion.await?;
        drop(progress);
        self.format.report(&format!(
            "{partner}: {} deleted",
            counted(all as u64, "item")
        ));
        if keeps_partner {
            // Once more: an import may have completed meanwhile.
            self.rebuild(partner).await?;
            let detail = [
                ("scope", scope_name(scope)),
                ("records", found.records.len().to_string()),
            ];
            self.history.add(partner, "data_deleted", &detail).await;
        }
        Ok(())
    }

    async fn rebuild(&self, partner: &PartnerId) -> Result<()> {
        let Some(connection) = self.access.connections.get(partner).await?.value else {
            return Ok(());
        };
        let now = Timestamp::now();
        let index = &self.alerts.ticket_index;
        ensure!(
            index.rebuild(partner, connection.epoch, now).await?,
            "{partner}: the alerts table is of a later connection than the access table: was one of \
             them restored?"
        );
        self.due
            .bring_forward(partner, Schedule::Reconcile, now)
            .await?;
        Ok(())
    }

    async fn part(&self, partner: &PartnerId, scope: DeletionScope) -> Result<PartOfPlan> {
        let progress = Progress::new();
        let found = self.store.find(partner, &scope, |read| {
            if read % PROGRESS_STEP == 0 {
                progress.show(&format!("{partner}: {read} items read"));
            }
        });
        let found = found.await?;
        Ok(PartOfPlan {
            partner: partner.clone(),
            scope,
            found,
        })
    }

    async fn receivers(&self, sources: Vec<SourceId>) -> Result<Receivers> {
        let mut rows = vec![];
        for source in &sources {
            rows.extend(self.store.find_source_rows(source).await?);
        }
        Ok(Receivers { sources, rows })
    }

    /// Those of these secrets that exist and are not deleted yet.
    async fn existing(&self, names: impl IntoIterator<Item = String>) -> Result<Vec<String>> {
        let mut existing = vec![];
        for name in names {
            match self.secrets.describe_secret().secret_id(&name).send().await {
                Ok(secret) if secret.deleted_date().is_none() => existing.push(name),
                Ok(_) => {}
                Err(err)
                    if err
                        .as_service_error()
                        .is_some_and(DescribeSecretError::is_resource_not_found_exception) => {}
                Err(err) => return Err(err).context("cannot look up a secret"),
            }
        }
        Ok(existing)
    }

    async fn delete_secret(&self, name: &str, recovery_days: u8) -> Result<()> {
        let call = self.secrets.delete_secret().secret_id(name);
        let call = match recovery_days {
            0 => call.force_delete_without_recovery(true),
            days => call.recovery_window_in_days(i64::from(days)),
        };
        let deleted = call.send().await;
        deleted.with_context(|| format!("cannot delete the secret {name}"))?;
        Ok(())
    }
}

fn partners_of(source: &RegisteredSource) -> impl Iterator<Item = PartnerId> {
    source.partner.iter().chain(&source.partners).cloned()
}

/// For the history.
fn scope_name(scope: &DeletionScope) -> String {
    match scope {
        DeletionScope::Partner => "partner".to_owned(),
        DeletionScope::Source(source) => format!("source {source}"),
        // The history names no tenant and no alert that was deleted.
        DeletionScope::Tenant(_) => "a tenant".to_owned(),
        DeletionScope::Alert(_) => "an alert".to_owned(),
    }
}
