//! What a connection says when it is tried: at most six calls to one that is well, and none that writes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws::invocation::Invocation;
use connections::NoClient;
use connectwise::{COMPANIES_AT_ONCE, Client, Company, CompanyStatus, Error, MySecurity};
use domain::boards::{FoundBoard, FoundStatus, FoundType};
use domain::breaker::CallOutcome;
use domain::health::{
    CompanyIssue, ConnectionRefusal, Health, Issue, Outage, Probe, ProbeAnswer, ProbeArea,
    Requirements,
};
use domain::kind::Category;
use domain::rights::{COMPANIES_INQUIRE, ListedRights};
use domain::settings::Mapping;
use domain::{RecordId, TenantId};

use crate::App;
use crate::partner::Case;

/// Calls of one probe, to a connection that is well.
const CALLS: usize = 6;
/// Of the companies that one call asks for, those at most that were wrong before; so the others come round.
const WRONG_BEFORE: usize = COMPANIES_AT_ONCE / 2;

/// A probe, and what it means beside what a person is told.
#[derive(Debug)]
pub(crate) struct Probed {
    pub(crate) probe: Probe,
    /// For the breaker.
    pub(crate) outcome: CallOutcome,
    /// What ConnectWise lists of the API member's rights; none where it does not.
    pub(crate) rights: Option<Vec<MySecurity>>,
}

impl Probed {
    /// A probe that is not made, since ConnectWise has asked for silence for long.
    pub(crate) fn throttled(needed: &Requirements) -> Self {
        Self {
            probe: Probe {
                answer: ProbeAnswer::Failed(Outage::Throttling),
                desired: needed.areas(),
                looked: BTreeSet::new(),
                found: vec![],
            },
            outcome: CallOutcome::Nothing,
            rights: None,
        }
    }
}

/// What one call looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Rights,
    Boards,
    Statuses(RecordId),
    Types(RecordId),
    Priorities,
    CompanyStatuses,
}

impl App {
    /// Tries a connection: the call that proves it, and if ConnectWise takes the keys, the looks at what was set up.
    pub(crate) async fn probe(&self, case: &Case<'_>, health: &Health) -> Probed {
        let Case {
            breaker,
            needed,
            invocation,
            ..
        } = case;
        let desired = needed.areas();
        let open_incident = open_incident(health);
        let companies = companies(needed, &open_incident, health.turn);
        let nothing = |answer, outcome| Probed {
            probe: Probe {
                answer,
                desired: desired.clone(),
                looked: BTreeSet::new(),
                found: vec![],
            },
            outcome,
            rights: None,
        };
        let proven = self.proven(case, &companies).await;
        let (client, proof) = match proven {
            Ok(proven) => proven,
            Err((answer, outcome)) => return nothing(answer, outcome),
        };
        let mut probed = nothing(ProbeAnswer::Accepted, CallOutcome::Works);
        let mut refused = breaker.missing_rights.clone();
        // What their statuses mean is not known yet.
        let mut companies_found = vec![];
        match proof {
            Proof::Companies(found) => {
                for (tenant, id) in &needed.companies {
                    if companies.contains(id) {
                        let company = found.iter().find(|company| company.id == *id);
                        match (unusable(tenant, company, &[]), company) {
                            (None, Some(company)) => {
                                companies_found.push((tenant, company.clone()));
                            }
                            (issue, _) => {
                                probed
                                    .probe
                                    .looked
                                    .insert(ProbeArea::Company(tenant.clone()));
                                probed.probe.found.extend(issue);
                            }
                        }
                    }
                }
            }
            Proof::NotAllowed => {
                refused.insert(COMPANIES_INQUIRE.to_owned());
            }
            Proof::Other => {}
        }
        let mut tables_hidden = false;
        let mut board_issues = BTreeSet::new();
        for look in looks(needed, &open_incident, health.turn) {
            let of_tables = look != Look::Rights;
            let board = match look {
                Look::Statuses(id) | Look::Types(id) => Some(id),
                Look::Rights | Look::Boards | Look::Priorities | Look::CompanyStatuses => None,
            };
            if of_tables && tables_hidden {
                continue;
            }
            if board.is_some_and(|id| board_issues.contains(&id)) {
                // A board that is gone is told as that alone.
                probed.probe.looked.extend(areas(look, needed));
                continue;
            }
            match seen(look, &client, needed, &refused, invocation).await {
                Ok(Seen::CompanyStatuses(statuses)) => {
                    for (tenant, company) in companies_found.drain(..) {
                        let issue = unusable(tenant, Some(&company), &statuses);
                        probed
                            .probe
                            .looked
                            .insert(ProbeArea::Company(tenant.clone()));
                        probed.probe.found.extend(issue);
                    }
                }
                Ok(Seen::Set { found, rights }) => {
                    for issue in &found {
                        if let Issue::Board { category, .. } = issue {
                            let target = needed.boards.get(category);
                            board_issues.extend(target.and_then(|target| target.board));
                        }
                    }
                    probed.probe.looked.extend(areas(look, needed));
                    probed.probe.found.extend(found);
                    probed.rights = rights.or(probed.rights);
                }
                Err(err) => {
                    tracing::info!(error = %err, look = ?look, "probe step failed; its area is unknown");
                    if look == Look::Rights {
                        // What was refused is known all the same.
                        let found = needed.right_issues(&[], &refused);
                        probed.probe.looked.insert(ProbeArea::Rights);
                        probed.probe.found.extend(found);
                    }
                    match err.call_outcome() {
                        CallOutcome::Works | CallOutcome::Nothing => {}
                        CallOutcome::MissingRight(_) => tables_hidden |= of_tables,
                        // In trouble by now: the next probe tells whether it lasts.
                        CallOutcome::Fails { .. }
                        | CallOutcome::Throttled { .. }
                        | CallOutcome::Refused => break,
                    }
                }
            }
        }
        if tables_hidden {
            // Nobody can tell what their statuses mean.
            let tenants = companies_found
                .into_iter()
                .map(|(tenant, _)| tenant.clone());
            probed.probe.looked.extend(tenants.map(ProbeArea::Company));
        }
        probed
    }

    /// Makes the call that proves a connection: it needs the keys, and looks at companies by the way. Keys that are refused may have been
    /// replaced since they were read, so they are read afresh, and tried once more.
    async fn proven(
        &self,
        case: &Case<'_>,
        companies: &[RecordId],
    ) -> Result<(Client, Proof), (ProbeAnswer, CallOutcome)> {
        let Case {
            partner,
            site,
            breaker,
            invocation,
            ..
        } = *case;
        // Where they were refused before, they are read afresh for the first call, and there is no second.
        let mut read_afresh = breaker.open.is_some();
        if read_afresh {
            let _doubted = self.connections.keys_refused(partner);
        }
        loop {
            let client = match self.connections.client(partner, site).await {
                Ok(client) => client,
                Err(err) => {
                    tracing::warn!(error = %err, "failed to make a ConnectWise client for the probe");
                    let answer = match err.call_outcome() {
                        CallOutcome::Refused if matches!(err, NoClient::Host(_)) => {
                            ProbeAnswer::Refused(ConnectionRefusal::Site)
                        }
                        CallOutcome::Refused if self.connections.is_operators(&err) => {
                            ProbeAnswer::Refused(ConnectionRefusal::ClientId)
                        }
                        CallOutcome::Refused => ProbeAnswer::Refused(ConnectionRefusal::NoKeys),
                        CallOutcome::Works
                        | CallOutcome::Nothing
                        | CallOutcome::Fails { .. }
                        | CallOutcome::Throttled { .. }
                        | CallOutcome::MissingRight(_) => ProbeAnswer::Unknown,
                    };
                    return Err((answer, err.call_outcome()));
                }
            };
            let asked = match companies.is_empty() {
                true => client
                    .company_count(invocation.call_ends())
                    .await
                    .map(|_| Proof::Other),
                false => client
                    .companies_with(companies, invocation.call_ends())
                    .await
                    .map(Proof::Companies),
            };
            let err = match asked {
                Ok(proof) => return Ok((client, proof)),
                Err(err) => err,
            };
            tracing::warn!(error = %err, "probe failed");
            let outcome = err.call_outcome();
            if outcome == CallOutcome::Refused
                && !read_afresh
                && self.connections.keys_refused(partner)
            {
                read_afresh = true;
                continue;
            }
            let own = self.connections.has_own_client_id(partner).await;
            return match answer(&err, own) {
                ProbeAnswer::Accepted if matches!(err, Error::MissingRight { .. }) => {
                    Ok((client, Proof::NotAllowed))
                }
                ProbeAnswer::Accepted => Ok((client, Proof::Other)),
                answer @ (ProbeAnswer::Refused(_)
                | ProbeAnswer::Failed(_)
                | ProbeAnswer::Unknown) => Err((answer, outcome)),
            };
        }
    }
}

/// What the call that proves a connection brought beside the proof.
enum Proof {
    /// Those of the companies that are there.
    Companies(Vec<Company>),
    /// The API member may not see companies.
    NotAllowed,
    /// Nothing that says anything of a company.
    Other,
}

/// What a failed call says of the connection. A refusal for want of a right, or of the call alone, proves the keys: these come first.
fn answer(err: &Error, own_client_id: bool) -> ProbeAnswer {
    match err {
        Error::NotSent { .. } | Error::NoAnswer { .. } => ProbeAnswer::Failed(Outage::Unreachable),
        Error::TimedOut { .. } => ProbeAnswer::Failed(Outage::Slow),
        Error::ServerError { .. }
        | Error::AnswerUnreadable { .. }
        | Error::AnswerTooLarge { .. } => ProbeAnswer::Failed(Outage::Failing),
        Error::Throttled { .. } => ProbeAnswer::Failed(Outage::Throttling),
        Error::KeysRefused => ProbeAnswer::Refused(ConnectionRefusal::Keys),
        Error::ClientIdRefused if own_client_id => {
            ProbeAnswer::Refused(ConnectionRefusal::OwnClientId)
        }
        Error::ClientIdRefused => ProbeAnswer::Refused(ConnectionRefusal::ClientId),
        // Most often maintenance, or a firewall, and over in minutes.
        Error::NotRouted { .. }
        | Error::EndpointMissing { .. }
        | Error::RedirectRefused { .. }
        | Error::Forbidden { .. } => ProbeAnswer::Failed(Outage::Misrouted),
        Error::HostRefused { .. } => ProbeAnswer::Refused(ConnectionRefusal::Site),
        Error::MissingRight { .. }
        | Error::NotFound { .. }
        | Error::TargetGone { .. }
        | Error::Rejected { .. }
        | Error::Conflict { .. } => ProbeAnswer::Accepted,
        Error::DeadlineTooShort => ProbeAnswer::Unknown,
    }
}

/// The areas where something is known to be wrong.
fn open_incident(health: &Health) -> BTreeSet<ProbeArea> {
    let incident = health.set_up.as_ref().filter(|incident| incident.good == 0);
    let issues = incident.into_iter().flat_map(|incident| &incident.issues);
    issues.map(Issue::area).collect()
}

/// The companies to ask for: those that were wrong, so that their mending is seen, and as many of the others as fit, by turns.
fn companies(
    needed: &Requirements,
    open_incident: &BTreeSet<ProbeArea>,
    turn: u32,
) -> Vec<RecordId> {
    let is_wrong = |tenant: &TenantId| open_incident.contains(&ProbeArea::Company(tenant.clone()));
    let wrong = needed
        .companies
        .iter()
        .filter(|(tenant, _)| is_wrong(tenant));
    let wrong: BTreeSet<RecordId> = wrong.map(|(_, id)| *id).take(WRONG_BEFORE).collect();
    let others: BTreeSet<RecordId> = needed.companies.values().copied().collect();
    let others: Vec<RecordId> = others.difference(&wrong).copied().collect();
    let parts: Vec<_> = others.chunks(COMPANIES_AT_ONCE - wrong.len()).collect();
    let scope = match parts.len() {
        0 => &[],
        count => parts[usize::try_from(turn).unwrap_or_default() % count],
    };
    wrong.into_iter().chain(scope.iter().copied()).collect()
}

/// The calls of one probe behind the first: what stops most comes each time, the rest by turns as far as it fits. What was wrong is looked
/// at each time too.
fn looks(needed: &Requirements, open_incident: &BTreeSet<ProbeArea>, turn: u32) -> Vec<Look> {
    let desired = needed.areas();
    let mut each_time = vec![Look::Rights];
    let mut by_turns = vec![];
    if desired.contains(&ProbeArea::Boards) {
        each_time.push(Look::Boards);
    }
    let boards: BTreeSet<RecordId> = needed
        .boards
        .values()
        .filter_map(|target| target.board)
        .collect();
    for board in boards {
        let any = |look| {
            areas(look, needed)
                .iter()
                .any(|area| desired.contains(area))
        };
        if any(Look::Statuses(board)) {
            each_time.push(Look::Statuses(board));
        }
        if any(Look::Types(board)) {
            by_turns.push(Look::Types(board));
        }
    }
    if desired.contains(&ProbeArea::Priorities) {
        by_turns.push(Look::Priorities);
    }
    if !needed.companies.is_empty() {
        by_turns.push(Look::CompanyStatuses);
    }
    let (wrong, mut by_turns): (Vec<_>, Vec<_>) = by_turns.into_iter().partition(|look| {
        areas(*look, needed)
            .iter()
            .any(|area| open_incident.contains(area))
    });
    // The first call is made already.
    let room = CALLS
        .saturating_sub(1 + each_time.len())
        .min(by_turns.len());
    let steps = usize::try_from(turn).unwrap_or_default();
    let count = by_turns.len().max(1);
    by_turns.rotate_left(steps % count);
    each_time
        .into_iter()
        .chain(by_turns.into_iter().take(room))
        .chain(wrong)
        .collect()
}

/// What a look shows: two categories may have one board.
fn areas(look: Look, needed: &Requirements) -> Vec<ProbeArea> {
    let of_board = |board: RecordId, area: fn(Category) -> ProbeArea| {
        let boards = needed.boards.iter();
        let categories = boards.filter(move |(_, target)| target.board == Some(board));
        categories
            .map(move |(category, _)| area(*category))
            .collect()
    };
    match look {
        Look::Rights => vec![ProbeArea::Rights],
        Look::Boards => vec![ProbeArea::Boards],
        Look::Statuses(board) => of_board(board, ProbeArea::Statuses),
        Look::Types(board) => of_board(board, ProbeArea::Types),
        Look::Priorities => vec![ProbeArea::Priorities],
        Look::CompanyStatuses => {
            let tenants = needed.companies.keys().cloned();
            tenants.map(ProbeArea::Company).collect()
        }
    }
}

/// What a look found.
enum Seen {
    /// What is wrong with what was set up.
    Set {
        found: Vec<Issue>,
        rights: Option<Vec<MySecurity>>,
    },
    /// What the statuses of companies mean.
    CompanyStatuses(Vec<CompanyStatus>),
}

async fn seen(
    look: Look,
    client: &Client,
    needed: &Requirements,
    refused: &BTreeSet<String>,
    invocation: &Invocation,
) -> Result<Seen, Error> {
    let end = invocation.call_ends();
    let categories = |board: RecordId| {
        let boards = needed.boards.iter();
        let of = boards.filter(move |(_, target)| target.board == Some(board));
        of.map(|(category, _)| *category)
    };
    let mut rights = None;
    let found = match look {
        Look::Rights => {
            let listed = client.my_security(end).await?;
            let rows: Vec<ListedRights<'_>> = listed.iter().map(MySecurity::listed).collect();
            let found = needed.right_issues(&rows, refused);
            rights = Some(listed);
            found
        }
        Look::Boards => {
            let boards = client.boards(end).await?;
            let boards: Vec<FoundBoard> = boards.into_iter().map(FoundBoard::from).collect();
            needed.board_issues(&boards)
        }
        Look::Statuses(board) => {
            let statuses = client.board_statuses(board, end).await?;
            let statuses: Vec<FoundStatus> = statuses.into_iter().map(FoundStatus::from).collect();
            let unfit =
                categories(board).flat_map(|category| needed.status_issues(category, &statuses));
            unfit.collect()
        }
        Look::Types(board) => {
            let types = client.board_types(board, end).await?;
            let types: Vec<FoundType> = types.into_iter().map(FoundType::from).collect();
            let unfit = categories(board).flat_map(|category| needed.type_issues(category, &types));
            unfit.collect()
        }
        Look::Priorities => {
            let priorities = client.priorities(end).await?;
            let priorities: Vec<RecordId> = priorities.iter().map(|of| of.id).collect();
            needed.missing_priorities(&priorities)
        }
        Look::CompanyStatuses => {
            let statuses = client.company_statuses(end).await?;
            return Ok(Seen::CompanyStatuses(statuses));
        }
    };
    Ok(Seen::Set { found, rights })
}

/// Why a tenant's company cannot be used, as far as these statuses say.
fn unusable(
    tenant: &TenantId,
    company: Option<&Company>,
    statuses: &[CompanyStatus],
) -> Option<Issue> {
    let gone = Some(CompanyIssue::Missing);
    let why = company.map_or(gone, |company| company.unfit(statuses))?;
    let tenant = tenant.clone();
    Some(Issue::Company { tenant, why })
}

/// The companies of the mapped tenants that are switched on, over a connection of this epoch.
pub(crate) fn mapped(
    mappings: &HashMap<TenantId, Mapping>,
    epoch: u32,
) -> BTreeMap<TenantId, RecordId> {
    let company = |(tenant, mapping): (&TenantId, &Mapping)| {
        let mapping = mapping.clone().in_epoch(epoch);
        let company = mapping.company.filter(|_| mapping.enabled)?;
        Some((tenant.clone(), company))
    };
    mappings.iter().filter_map(company).collect()
}

#[cfg(test)]
mod tests;
