//! Which alerts are gone, and which tickets are not as they are recorded: found in lists, and asked of the writer of tickets.
//!
//! Nothing here is final: the writer of tickets reads record and ticket again. If any page of ConnectWise's list fails, no difference
//! of tickets is reported. Which alerts are gone does not depend on that list.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use aws::invocation::Invocation;
use aws::metrics::{Metric, count};
use connections::{View, found};
use connectwise::{Client, Cursor, Error, ExternalXref, TicketFilter};
use domain::adopt::FoundTicket;
use domain::command::{Command, CommandAction};
use domain::key::ItemKey;
use domain::plan::{
    self, Census, Proposal, ProposedAction, RecordedTickets, ResolutionPlan, Scope, ScopeSnapshots,
};
use domain::record::Record;
use domain::snapshot::{IdMatch, Snapshot, SnapshotMatches, Snapshots, WatchedAlerts};
use domain::{AlertKey, PartnerId, RecordId};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use store::{ClosingHolds, Comparing, Leased, OperatorEvent, Progress};
use tokio::time::Instant;

use crate::App;
use crate::pacing;
use crate::partner::ReconcileError;

/// A page of the list is begun only with so much time left.
const PAGE: Duration = Duration::from_secs(20);
/// Two machines' clocks may be this far apart.
const CLOCKS: SignedDuration = SignedDuration::from_mins(1);
/// Records that are read side by side.
const AT_A_TIME: usize = 16;
/// A run tells how far it is after so many pages.
const TOLD_AFTER: usize = 10;

/// What a look at lists came to.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    /// What is to be asked.
    pub(crate) commands: Vec<Command>,
    /// Whether more is left than this run could do.
    pub(crate) left: bool,
}

/// How the comparison with ConnectWise's list ended.
enum Compared {
    /// What is to be asked, and whether the list was read to its end.
    Whole(Vec<Proposal>),
    Partly(Vec<Proposal>),
    /// It failed: nothing is known.
    Not,
}

/// One comparison on its way.
struct Reading<'a> {
    partner: &'a PartnerId,
    client: Client,
    tickets: RecordedTickets,
    boards_seen: BTreeSet<RecordId>,
    boards_asked: bool,
    proposals: Vec<Proposal>,
    pages: usize,
    compared: usize,
    room: usize,
    began: Timestamp,
    invocation: &'a Invocation,
}

impl App {
    /// Looks which alerts are gone and which tickets differ, if it is time for that; `room` is how much may be asked for. If the process
    /// dies in here, nothing was asked, and the next run looks again.
    pub(crate) async fn look(
        &self,
        leased: &Leased,
        view: &View,
        progress: &mut Progress,
        room: usize,
        invocation: &Invocation,
    ) -> Result<Looked, ReconcileError> {
        let partner = &leased.partner;
        let now = invocation.now();
        let Some(live) = &view.view.connection else {
            return Ok(Looked::default());
        };
        let compares = pacing::compares(partner, progress, self.period, now);
        let ends = progress.expires_at.is_some_and(|at| at <= now);
        if !(compares || ends || has_news(leased.snapshot_at, progress.looked_at)) {
            return Ok(Looked::default());
        }
        let census = self.census(partner).await?;
        let resolution_plan = self.resolution_plan(partner, &census, now).await?;
        progress.expires_at = resolution_plan.next;
        let mut proposals = resolution_plan.proposals;
        let mut left = false;
        if compares {
            proposals.extend(census.out_of_reach(live.epoch));
            let tickets = census.tickets(live.epoch);
            let compared = self.compared(partner, view, tickets, progress, room, invocation);
            match compared.await? {
                Compared::Whole(differing) => proposals.extend(differing),
                Compared::Partly(differing) => {
                    proposals.extend(differing);
                    left = true;
                }
                // It is read again in the next run, since `compared_at` stays.
                Compared::Not => {}
            }
        }
        left |= proposals.len() > room;
        proposals.truncate(room);
        if !left {
            progress.looked_at = Some(now);
        }
        let commands = self.commands(&proposals).await?;
        let closings = commands.iter().filter(|command| is_gone(command));
        count(Metric::ClosingsCommanded, closings.count());
        Ok(Looked { commands, left })
    }

    /// The partner's alerts that stand or have an open ticket.
    async fn census(&self, partner: &PartnerId) -> Result<Census, ReconcileError> {
        let mut census = Census::default();
        for mut listing in self.alerts.followed(partner) {
            while let Some(followed) = listing.next().await? {
                let actual = followed.actual.as_ref();
                census.add(
                    &followed.key,
                    &followed.desired,
                    actual,
                    followed.occurrence,
                );
            }
        }
        Ok(census)
    }

    /// Which alerts are gone; a tenant of which too many are is stopped, for a person to look.
    async fn resolution_plan(
        &self,
        partner: &PartnerId,
        census: &Census,
        now: Timestamp,
    ) -> Result<ResolutionPlan, ReconcileError> {
        let mut all_seen = HashMap::new();
        let mut in_doubt = BTreeSet::new();
        for (number, scope) in (0..).zip(&census.scopes) {
            let kinds = census.kinds_of(number);
            if kinds.is_empty() {
                continue;
            }
            let seen = self.seen(partner, census, number, scope, now).await?;
            if seen.snapshots.is_uncertain(&seen.found) {
                tracing::info!(tenant = %scope.tenant, source = %scope.source, "the newest snapshot is incomplete, empty or contradictory; it closes nothing");
                in_doubt.insert(scope.tenant.clone());
            }
            all_seen.insert(number, seen);
        }
        let resolved_alerts = census.resolved_alerts(&all_seen, self.snapshot_lag, now);
        drop(all_seen);
        let since = now.saturating_sub(plan::DAY).unwrap_or(Timestamp::MIN);
        let mut ended = vec![];
        for tenant in census.tenants_of(&resolved_alerts) {
            ended.extend(self.alerts.ended_since(partner, &tenant, since).await?);
        }
        let table = &self.connections.table;
        let ClosingHolds {
            held: known,
            approvals,
        } = table.closing_holds(partner).await?;
        let resolution_plan = census.resolution_plan(resolved_alerts, &ended, &approvals, now);
        for (scope, &alerts) in &resolution_plan.similar {
            tracing::warn!(
                tenant = %scope.tenant, source = %scope.source, alerts,
                "alerts stay open: the snapshot lists ids that differ only in case, normalisation or white space"
            );
            count(Metric::SimilarIds, alerts);
            self.connections
                .report_event(OperatorEvent::SimilarIds, now)
                .await;
        }
        for (tenant, stop) in &resolution_plan.held {
            if table.stop(partner, tenant, stop, now).await? {
                let (closings, of) = (stop.closings, stop.open);
                tracing::error!(tenant = %tenant, closings, of, "held closings: too many at once");
                count(Metric::ClosingsHeld, 1);
                let event = OperatorEvent::ClosingsHeld;
                self.connections.report_event(event, now).await;
                // Health tells the partner. If the process dies before, it does so at its own time.
                self.connections.schedule_probe(partner, now).await?;
            }
        }
        for tenant in known.keys() {
            let goes_on = resolution_plan.held.contains_key(tenant)
                || resolution_plan.approved.contains(tenant)
                || in_doubt.contains(tenant);
            if !goes_on {
                table.end_hold(partner, tenant).await?;
            }
        }
        Ok(resolution_plan)
    }

    /// What a scope's snapshots show of its active alerts. The lists are read part by part, and only which active alerts they name is
    /// kept: memory grows with open alerts and not with what sources send.
    async fn seen(
        &self,
        partner: &PartnerId,
        census: &Census,
        number: u32,
        scope: &Scope,
        now: Timestamp,
    ) -> Result<ScopeSnapshots, ReconcileError> {
        let mut snapshots = Snapshots::new(census.kinds_of(number));
        let mut parts = self
            .alerts
            .snapshot_parts(partner, &scope.tenant, &scope.source);
        while let Some(part) = parts.next().await? {
            if !snapshots.add(part, now) {
                break;
            }
        }
        let watched = census.watched(number);
        let mut found = SnapshotMatches::default();
        for snapshot in snapshots.to_read() {
            if let Some(list) = self.found_in(partner, scope, snapshot, &watched).await? {
                found.add(snapshot, list);
            }
        }
        Ok(ScopeSnapshots { snapshots, found })
    }

    /// Which active alerts a snapshot lists; none if a part of it changed meanwhile.
    async fn found_in(
        &self,
        partner: &PartnerId,
        scope: &Scope,
        snapshot: &Snapshot,
        watched: &WatchedAlerts,
    ) -> Result<Option<HashMap<ItemKey, IdMatch>>, ReconcileError> {
        let mut found = HashMap::new();
        for key in snapshot.part_keys() {
            let Some(listed) = self.alerts.snapshot_list(&key).await? else {
                return Ok(None);
            };
            for alert_id in listed {
                let key = AlertKey {
                    partner: partner.clone(),
                    tenant: scope.tenant.clone(),
                    source: scope.source.clone(),
                    alert_id,
                };
                watched.find(&key, &mut found);
            }
        }
        Ok(Some(found))
    }

    /// Reads ConnectWise's list of open tickets with our tokens, as far as there is time, and compares it with what is recorded.
    async fn compared(
        &self,
        partner: &PartnerId,
        view: &View,
        tickets: RecordedTickets,
        progress: &mut Progress,
        room: usize,
        invocation: &Invocation,
    ) -> Result<Compared, ReconcileError> {
        let Some(site) = &view.site else {
            return Ok(Compared::Not);
        };
        let now = invocation.now();
        if tickets.is_empty() {
            progress.compared_at = Some(now);
            progress.comparing = None;
            return Ok(Compared::Whole(vec![]));
        }
        let client = match self.connections.client(partner, site).await {
            Ok(client) => client,
            Err(err) => {
                tracing::warn!(error = %err, "failed to make a ConnectWise client for the comparison");
                self.record_outcome(partner, err.call_outcome(), view, invocation)
                    .await?;
                return Ok(Compared::Not);
            }
        };
        let comparing = progress.comparing.unwrap_or(Comparing {
            began_at: now,
            behind: 0,
        });
        let mut reading = Reading {
            partner,
            client,
            tickets,
            boards_seen: BTreeSet::new(),
            boards_asked: false,
            proposals: vec![],
            pages: 0,
            compared: 0,
            room,
            began: now,
            invocation,
        };
        match reading.go_on(comparing.behind).await {
            Ok(behind) => {
                reading.tell();
                match behind {
                    None => {
                        progress.compared_at = Some(comparing.began_at);
                        progress.comparing = None;
                        Ok(Compared::Whole(reading.proposals))
                    }
                    Some(behind) => {
                        progress.comparing = Some(Comparing {
                            behind,
                            ..comparing
                        });
                        Ok(Compared::Partly(reading.proposals))
                    }
                }
            }
            Err(err) => {
                tracing::warn!(error = %err, pages = reading.pages, "failed to list open tickets");
                self.record_outcome(partner, err.call_outcome(), view, invocation)
                    .await?;
                Ok(Compared::Not)
            }
        }
    }

    /// The commands to what is proposed. A record that moved since it was listed needs none.
    async fn commands(&self, proposals: &[Proposal]) -> Result<Vec<Command>, ReconcileError> {
        let mut commands = vec![];
        for some in proposals.chunks(AT_A_TIME) {
            let asked = some.iter().map(async |proposal| {
                let record = self.alerts.of_item(&proposal.key.to_string()).await?;
                let command = record.and_then(|record| command(&record, &proposal.action));
                Ok::<_, ReconcileError>(command)
            });
            for command in join_all(asked).await {
                commands.extend(command?);
            }
        }
        Ok(commands)
    }
}

/// Whether a part of a snapshot came since the last look, or shortly before it by another machine's clock.
fn has_news(snapshot_at: Option<Timestamp>, looked_at: Option<Timestamp>) -> bool {
    let Some(looked_at) = looked_at else {
        return true;
    };
    let surely_seen = |at: Timestamp| at.saturating_add(CLOCKS).unwrap_or(at) < looked_at;
    snapshot_at.is_some_and(|at| !surely_seen(at))
}

fn is_gone(command: &Command) -> bool {
    match command.action {
        CommandAction::Resolve { .. } => true,
        CommandAction::Look | CommandAction::LookForDuplicates | CommandAction::Retry { .. } => {
            false
        }
    }
}

/// The command to a proposal; none where the record is not any more what it was made for.
fn command(record: &Record, proposed: &ProposedAction) -> Option<Command> {
    let ticket_id = record.open().map(|open| open.ticket_id);
    let last = record.desired.last.clone();
    let (action, seen) = match proposed {
        ProposedAction::Resolve { last: seen, shown } => {
            let last = last.filter(|last| last.occurred_at == *seen)?;
            let shown = shown.clone();
            (CommandAction::Resolve { last, shown }, ticket_id)
        }
        ProposedAction::Look(ticket) => (CommandAction::Look, Some(*ticket)),
        ProposedAction::LookForDuplicates(ticket) => {
            (CommandAction::LookForDuplicates, Some(*ticket))
        }
    };
    let command = Command {
        key: record.key.clone(),
        occurrence: record.occurrence,
        ticket_id: seen,
        action,
    };
    command.applies_to(record).then_some(command)
}

impl Reading<'_> {
    /// Reads on behind a ticket, page by page. Returns behind which the next run goes on; none at the list's end.
    async fn go_on(&mut self, behind: RecordId) -> Result<Option<RecordId>, Error> {
        let mut cursor = Cursor::after(behind);
        loop {
            let full = self.proposals.len() >= self.room;
            if full || Instant::now() + PAGE > self.invocation.calls_end() {
                return Ok(Some(cursor.id()));
            }
            let deadline = self.invocation.call_ends();
            let page = self.client.ticket_page(&ours()?, cursor, deadline).await?;
            let listed: Vec<FoundTicket> = page.items.iter().map(found).collect();
            drop(page.items);
            self.boards_seen
                .extend(listed.iter().filter_map(|ticket| ticket.board_id));
            let to = page.next.map(Cursor::id);
            let mut compared = self.tickets.compare(cursor.id(), to, &listed, self.began);
            self.pages += 1;
            self.compared += compared.compared;
            count(Metric::PagesRead, 1);
            count(Metric::TicketsCompared, compared.compared);
            self.proposals.append(&mut compared.proposals);
            let room = self.room.saturating_sub(self.proposals.len()).max(1);
            let rest = compared.missing.get(room).copied();
            compared.missing.truncate(room);
            self.explain(&compared.missing).await?;
            if let (Some(_), Some(last)) = (rest, compared.missing.last()) {
                return Ok(Some(*last));
            }
            if self.pages.is_multiple_of(TOLD_AFTER) {
                self.tell();
            }
            match page.next {
                Some(next) => cursor = next,
                None => return Ok(None),
            }
        }
    }

    /// Asks what became of tickets that are not in the list: all in a few calls, never one a ticket.
    async fn explain(&mut self, missing: &[RecordId]) -> Result<(), Error> {
        if missing.is_empty() {
            return Ok(());
        }
        let deadline = self.invocation.calls_end();
        let tickets = self.client.tickets_numbered(missing, deadline).await?;
        self.boards_seen.extend(
            tickets
                .iter()
                .filter_map(|ticket| Some(ticket.board.as_ref()?.id)),
        );
        let shown: BTreeSet<RecordId> = tickets.iter().map(|ticket| ticket.id).collect();
        let hidden: Vec<RecordId> = missing
            .iter()
            .copied()
            .filter(|id| !shown.contains(id))
            .collect();
        let unseen = |seen: &BTreeSet<RecordId>, tickets: &RecordedTickets| {
            tickets.boards(&hidden).difference(seen).next().is_some()
        };
        if unseen(&self.boards_seen, &self.tickets) && !self.boards_asked {
            self.boards_asked = true;
            let boards = self.client.board_infos(deadline).await?;
            self.boards_seen.extend(boards.iter().map(|board| board.id));
        }
        if unseen(&self.boards_seen, &self.tickets) {
            tracing::warn!(hidden = hidden.len(), "ignored tickets of hidden boards");
        }
        let explained = self
            .tickets
            .explain_missing(missing, &shown, &self.boards_seen);
        self.proposals.extend(explained);
        Ok(())
    }

    fn tell(&self) {
        let left = self
            .invocation
            .calls_end()
            .saturating_duration_since(Instant::now());
        tracing::info!(
            partner = %self.partner,
            pages_read = self.pages,
            tickets_compared = self.compared,
            differing = self.proposals.len(),
            time_left_s = left.as_secs(),
            "compared with ConnectWise's open tickets"
        );
    }
}

/// The open tickets that carry a token of ours.
fn ours() -> Result<TicketFilter, Error> {
    let prefix = ExternalXref::parse("tb1-").map_err(|err| Error::Rejected {
        words: err.to_string(),
    })?;
    Ok(TicketFilter::beginning(prefix).open())
}
