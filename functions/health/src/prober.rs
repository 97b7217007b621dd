//! Probes a connection: at most six calls to a healthy one, and none that writes.

use std::collections::BTreeSet;

use aws::invocation::Invocation;
use connections::{ClientError, Connections};
use connectwise::{Client, CompanyRecord, CompanyStatus, Error, MySecurity};
use domain::connection::breaker::CallOutcome;
use domain::monitoring::health::{Health, Probe, ProbeAnswer};
use domain::monitoring::issue::{CompanyIssue, ConnectionRefusal, Issue, Outage, ProbeArea};
use domain::monitoring::requirements::Requirements;
use domain::setup::found_board::{FoundBoard, FoundStatus, FoundType};
use domain::setup::rights::{COMPANIES_INQUIRE, ListedRights};
use domain::{RecordId, TenantId};

use crate::connection_case::ConnectionCase;
use crate::probe_plan::{Check, areas, areas_with_issues, checks, companies};

/// Probes connections.
pub(crate) struct Prober<'a> {
    pub(crate) connections: &'a Connections,
}

/// The result of a probe.
#[derive(Debug)]
pub(crate) struct ProbeResult {
    /// What the partner's health becomes.
    pub(crate) probe: Probe,
    /// What the breaker becomes.
    pub(crate) outcome: CallOutcome,
    /// The API member's rights, if ConnectWise lists them.
    pub(crate) rights: Option<Vec<MySecurity>>,
}

/// What the first call showed, beside that the keys are accepted.
enum Proof {
    /// Those of the companies that exist.
    Companies(Vec<CompanyRecord>),
    /// The API member may not read companies.
    NotAllowed,
    /// Nothing about companies.
    Other,
}

/// The results of the calls so far.
struct Progress<'a> {
    needed: &'a Requirements,
    result: ProbeResult,
    /// Rights that calls were refused for.
    refused: BTreeSet<String>,
    /// Companies whose statuses are not read yet.
    companies: Vec<(&'a TenantId, CompanyRecord)>,
    /// Whether the API member may not read set-up tables.
    are_tables_hidden: bool,
    /// Boards that cannot be used. Their parts are not read.
    unusable_boards: BTreeSet<RecordId>,
}

impl ProbeResult {
    fn new(needed: &Requirements, answer: ProbeAnswer, outcome: CallOutcome) -> Self {
        Self {
            probe: Probe {
                answer,
                desired: needed.areas(),
                looked: BTreeSet::new(),
                found: vec![],
            },
            outcome,
            rights: None,
        }
    }

    /// The result without any call, while ConnectWise asks to wait for long.
    pub(crate) fn throttled(needed: &Requirements) -> Self {
        let answer = ProbeAnswer::Failed(Outage::Throttling);
        Self::new(needed, answer, CallOutcome::Nothing)
    }
}

impl Prober<'_> {
    /// Makes the call that proves the keys. If ConnectWise accepts them, reads what the partner's
    /// configuration needs.
    pub(crate) async fn probe(&self, case: &ConnectionCase<'_>, health: &Health) -> ProbeResult {
        let needed = &case.needed;
        let with_issues = areas_with_issues(health);
        let companies = companies(needed, &with_issues, health.turn);
        let (client, proof) = match self.prove(case, &companies).await {
            Ok(proven) => proven,
            Err((answer, outcome)) => return ProbeResult::new(needed, answer, outcome),
        };
        let mut progress = Progress {
            needed,
            result: ProbeResult::new(needed, ProbeAnswer::Accepted, CallOutcome::Works),
            refused: case.breaker.missing_rights.clone(),
            companies: vec![],
            are_tables_hidden: false,
            unusable_boards: BTreeSet::new(),
        };
        match proof {
            Proof::Companies(found) => progress.add_companies(&companies, &found),
            Proof::NotAllowed => {
                progress.refused.insert(COMPANIES_INQUIRE.to_owned());
            }
            Proof::Other => {}
        }
        for check in checks(needed, &with_issues, health.turn) {
            if progress.skips(check) {
                continue;
            }
            let end = case.invocation;
            let result = self::check(check, &client, needed, &progress.refused, end).await;
            if progress.add(check, result) == CallsMayContinue::No {
                break;
            }
        }
        progress.finish()
    }

    /// Makes the call that proves the keys, and reads companies with it. Refused keys may have been
    /// replaced since they were read, so they are read again, and tried once more.
    async fn prove(
        &self,
        case: &ConnectionCase<'_>,
        companies: &[RecordId],
    ) -> Result<(Client, Proof), (ProbeAnswer, CallOutcome)> {
        let (partner, invocation) = (case.partner, case.invocation);
        // If they were refused before, they are read again for the first call already.
        let mut are_keys_fresh = case.breaker.open.is_some();
        if are_keys_fresh {
            let _was_cached = self.connections.clients.invalidate_keys(partner);
        }
        loop {
            let client = match self.connections.clients.get(partner, case.site).await {
                Ok(client) => client,
                Err(err) => {
                    tracing::warn!(error = %err, "failed to make a ConnectWise client for the probe");
                    return Err((self.answer_without_client(&err), err.classify().outcome));
                }
            };
            let proof = if companies.is_empty() {
                client
                    .company_count(invocation.call_ends())
                    .await
                    .map(|_| Proof::Other)
            } else {
                let found = client
                    .companies_with(companies, invocation.call_ends())
                    .await;
                found.map(Proof::Companies)
            };
            let err = match proof {
                Ok(proof) => return Ok((client, proof)),
                Err(err) => err,
            };
            tracing::warn!(error = %err, "probe failed");
            let outcome = err.classify().outcome;
            if outcome == CallOutcome::Refused
                && !are_keys_fresh
                && self.connections.clients.invalidate_keys(partner)
            {
                are_keys_fresh = true;
                continue;
            }
            let has_own_client_id = self.connections.clients.has_own_client_id(partner).await;
            return match answer(&err, has_own_client_id) {
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

    fn answer_without_client(&self, err: &ClientError) -> ProbeAnswer {
        match err.classify().outcome {
            CallOutcome::Refused if matches!(err, ClientError::Host(_)) => {
                ProbeAnswer::Refused(ConnectionRefusal::Site)
            }
            CallOutcome::Refused if self.connections.clients.is_operators_client_id(err) => {
                ProbeAnswer::Refused(ConnectionRefusal::ClientId)
            }
            CallOutcome::Refused => ProbeAnswer::Refused(ConnectionRefusal::NoKeys),
            CallOutcome::Works
            | CallOutcome::Nothing
            | CallOutcome::Fails { .. }
            | CallOutcome::Throttled { .. }
            | CallOutcome::MissingRight(_) => ProbeAnswer::Unknown,
        }
    }
}

/// Whether further calls make sense after a failed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CallsMayContinue {
    Yes,
    No,
}

impl<'a> Progress<'a> {
    /// Adds the companies that were read. Some are usable or not depending on their status, which
    /// is read later.
    fn add_companies(&mut self, read: &[RecordId], found: &[CompanyRecord]) {
        let needed = self.needed;
        let tenants = needed.companies.iter().filter(|(_, id)| read.contains(id));
        for (tenant, id) in tenants {
            let company = found.iter().find(|company| company.id == *id);
            match (company_issue(tenant, company, &[]), company) {
                (None, Some(company)) => self.companies.push((tenant, company.clone())),
                (issue, _) => {
                    let looked = &mut self.result.probe.looked;
                    looked.insert(ProbeArea::Company(tenant.clone()));
                    self.result.probe.found.extend(issue);
                }
            }
        }
    }

    /// Whether a check is not made. An unusable board is reported as that alone.
    fn skips(&mut self, check: Check) -> bool {
        let board = match check {
            Check::Rights => return false,
            Check::Statuses(id) | Check::Types(id) => Some(id),
            Check::Boards | Check::Priorities | Check::CompanyStatuses => None,
        };
        if self.are_tables_hidden {
            return true;
        }
        let is_unusable = board.is_some_and(|id| self.unusable_boards.contains(&id));
        if is_unusable {
            let areas = areas(check, self.needed);
            self.result.probe.looked.extend(areas);
        }
        is_unusable
    }

    fn add(&mut self, check: Check, result: Result<CheckResult, Error>) -> CallsMayContinue {
        match result {
            Ok(CheckResult::CompanyStatuses(statuses)) => {
                for (tenant, company) in std::mem::take(&mut self.companies) {
                    let issue = company_issue(tenant, Some(&company), &statuses);
                    let looked = &mut self.result.probe.looked;
                    looked.insert(ProbeArea::Company(tenant.clone()));
                    self.result.probe.found.extend(issue);
                }
                CallsMayContinue::Yes
            }
            Ok(CheckResult::Configuration { found, rights }) => {
                for issue in &found {
                    if let Issue::Board { category, .. } = issue {
                        let target = self.needed.boards.get(category);
                        let board = target.and_then(|target| target.board);
                        self.unusable_boards.extend(board);
                    }
                }
                self.result.probe.looked.extend(areas(check, self.needed));
                self.result.probe.found.extend(found);
                if rights.is_some() {
                    self.result.rights = rights;
                }
                CallsMayContinue::Yes
            }
            Err(err) => self.add_failure(check, &err),
        }
    }

    fn add_failure(&mut self, check: Check, err: &Error) -> CallsMayContinue {
        tracing::info!(error = %err, check = ?check, "probe step failed; its area is unknown");
        if check == Check::Rights {
            // The rights that calls were refused for are known anyway.
            let found = self.needed.right_issues(&[], &self.refused);
            self.result.probe.looked.insert(ProbeArea::Rights);
            self.result.probe.found.extend(found);
        }
        match err.classify().outcome {
            CallOutcome::Works | CallOutcome::Nothing => CallsMayContinue::Yes,
            CallOutcome::MissingRight(_) => {
                self.are_tables_hidden |= check != Check::Rights;
                CallsMayContinue::Yes
            }
            // The next probe shows whether it lasts.
            CallOutcome::Fails { .. } | CallOutcome::Throttled { .. } | CallOutcome::Refused => {
                CallsMayContinue::No
            }
        }
    }

    fn finish(mut self) -> ProbeResult {
        if self.are_tables_hidden {
            // What the companies' statuses mean cannot be read.
            let tenants = self.companies.into_iter().map(|(tenant, _)| tenant.clone());
            self.result
                .probe
                .looked
                .extend(tenants.map(ProbeArea::Company));
        }
        self.result
    }
}

/// What a failed first call says about the connection. A missing right, or a refusal of the call
/// itself, proves the keys: ConnectWise checks them first.
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
        // Most often maintenance or a firewall, and over in minutes.
        Error::NotRouted { .. }
        | Error::EndpointMissing { .. }
        | Error::RedirectRefused { .. }
        | Error::Forbidden { .. } => ProbeAnswer::Failed(Outage::Misrouted),
        Error::HostRefused { .. } => ProbeAnswer::Refused(ConnectionRefusal::Site),
        Error::MissingRight { .. }
        | Error::NotFound { .. }
        | Error::TargetMissing { .. }
        | Error::Rejected { .. }
        | Error::Conflict { .. } => ProbeAnswer::Accepted,
        Error::DeadlineTooShort => ProbeAnswer::Unknown,
    }
}

/// What a check found.
enum CheckResult {
    Configuration {
        found: Vec<Issue>,
        rights: Option<Vec<MySecurity>>,
    },
    CompanyStatuses(Vec<CompanyStatus>),
}

async fn check(
    check: Check,
    client: &Client,
    needed: &Requirements,
    refused: &BTreeSet<String>,
    invocation: &Invocation,
) -> Result<CheckResult, Error> {
    let end = invocation.call_ends();
    let categories = |board: RecordId| {
        let boards = needed.boards.iter();
        let of = boards.filter(move |(_, target)| target.board == Some(board));
        of.map(|(category, _)| *category)
    };
    let mut rights = None;
    let found = match check {
        Check::Rights => {
            let listed = client.my_security(end).await?;
            let rows: Vec<ListedRights<'_>> = listed.iter().map(MySecurity::listed).collect();
            let found = needed.right_issues(&rows, refused);
            rights = Some(listed);
            found
        }
        Check::Boards => {
            let boards = client.boards(end).await?;
            let boards: Vec<FoundBoard> = boards.into_iter().map(FoundBoard::from).collect();
            needed.board_issues(&boards)
        }
        Check::Statuses(board) => {
            let statuses = client.board_statuses(board, end).await?;
            let statuses: Vec<FoundStatus> = statuses.into_iter().map(FoundStatus::from).collect();
            let unfit =
                categories(board).flat_map(|category| needed.status_issues(category, &statuses));
            unfit.collect()
        }
        Check::Types(board) => {
            let types = client.board_types(board, end).await?;
            let types: Vec<FoundType> = types.into_iter().map(FoundType::from).collect();
            let unfit = categories(board).flat_map(|category| needed.type_issues(category, &types));
            unfit.collect()
        }
        Check::Priorities => {
            let priorities = client.priorities(end).await?;
            let priorities: Vec<RecordId> = priorities.iter().map(|of| of.id).collect();
            needed.missing_priorities(&priorities)
        }
        Check::CompanyStatuses => {
            let statuses = client.company_statuses(end).await?;
            return Ok(CheckResult::CompanyStatuses(statuses));
        }
    };
    Ok(CheckResult::Configuration { found, rights })
}

/// Why a tenant's company cannot be used, as far as these statuses show.
fn company_issue(
    tenant: &TenantId,
    company: Option<&CompanyRecord>,
    statuses: &[CompanyStatus],
) -> Option<Issue> {
    let missing = Some(CompanyIssue::Missing);
    let why = company.map_or(missing, |company| company.unfit(statuses))?;
    let tenant = tenant.clone();
    Some(Issue::Company { tenant, why })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(n: u64) -> TenantId {
        TenantId::parse(format!("tenant-{n:04}")).unwrap()
    }

    #[test]
    fn a_missing_deleted_or_inactive_company_is_unusable() {
        let company = |members: serde_json::Value| -> CompanyRecord {
            serde_json::from_value(members).unwrap()
        };
        let statuses: Vec<CompanyStatus> = serde_json::from_value(serde_json::json!([
            { "id": 1, "name": "Inactive" },
            { "id": 2, "name": "Former", "inactiveFlag": true },
            { "id": 3, "name": "Not Approved", "inactiveFlag": true, "disallowSavingFlag": true },
            { "id": 4, "name": "Credit Hold", "notifyFlag": true },
        ]))
        .unwrap();
        let why = |issue| match issue {
            Some(Issue::Company { why, .. }) => Some(why),
            Some(other) => unreachable!("{other:?}"),
            None => None,
        };
        let of = |found: Option<&CompanyRecord>| {
            let known_without_statuses = why(company_issue(&tenant(1), found, &[]));
            let all = why(company_issue(&tenant(1), found, &statuses));
            assert!(known_without_statuses.is_none_or(|why| Some(why) == all));
            all
        };
        let with = |status: u64, deleted: bool| {
            let status = serde_json::json!({ "id": status, "name": "Inactive" });
            company(serde_json::json!({ "id": 7, "status": status, "deletedFlag": deleted }))
        };
        assert_eq!(of(None), Some(CompanyIssue::Missing));
        assert_eq!(of(Some(&with(1, true))), Some(CompanyIssue::Deleted));
        assert_eq!(of(Some(&with(1, false))), None, "its name says nothing");
        assert_eq!(of(Some(&with(2, false))), Some(CompanyIssue::Inactive));
        assert_eq!(of(Some(&with(3, false))), Some(CompanyIssue::Disallowed));
        assert_eq!(of(Some(&with(4, false))), None);
        assert_eq!(of(Some(&with(9, false))), None, "its status is not listed");
        assert_eq!(of(Some(&company(serde_json::json!({ "id": 7 })))), None);
    }

    #[test]
    fn each_failure_of_the_first_call_has_its_answer() {
        let (cause, words, path) = (String::new(), String::new(), String::new());
        let second = std::time::Duration::from_secs(1);
        let right = COMPANIES_INQUIRE;
        let (refused, failed) = (ProbeAnswer::Refused, ProbeAnswer::Failed);
        let own_client_id = refused(ConnectionRefusal::OwnClientId);
        assert_eq!(answer(&Error::ClientIdRefused, true), own_client_id);
        for (expected, errors) in [
            (refused(ConnectionRefusal::Keys), vec![Error::KeysRefused]),
            (
                refused(ConnectionRefusal::ClientId),
                vec![Error::ClientIdRefused],
            ),
            (
                refused(ConnectionRefusal::Site),
                vec![Error::HostRefused {
                    cause: cause.clone(),
                }],
            ),
            (
                failed(Outage::Misrouted),
                vec![
                    Error::NotRouted {
                        status: 400,
                        words: words.clone(),
                    },
                    Error::EndpointMissing { path },
                    Error::RedirectRefused { status: 302 },
                    Error::Forbidden {
                        right,
                        words: words.clone(),
                    },
                ],
            ),
            (
                failed(Outage::Failing),
                vec![
                    Error::AnswerUnreadable {
                        status: 200,
                        cause: cause.clone(),
                    },
                    Error::AnswerTooLarge { limit: 1 },
                    Error::ServerError {
                        status: 503,
                        words: words.clone(),
                    },
                ],
            ),
            (
                failed(Outage::Unreachable),
                vec![
                    Error::NotSent {
                        cause: cause.clone(),
                    },
                    Error::NoAnswer { cause },
                ],
            ),
            (
                failed(Outage::Slow),
                vec![Error::TimedOut { after: second }],
            ),
            (
                failed(Outage::Throttling),
                vec![Error::Throttled {
                    retry_after: second,
                }],
            ),
            (
                ProbeAnswer::Accepted,
                vec![Error::MissingRight { right }, Error::Rejected { words }],
            ),
            (ProbeAnswer::Unknown, vec![Error::DeadlineTooShort]),
        ] {
            for err in errors {
                assert_eq!(answer(&err, false), expected, "{err}");
            }
        }
    }
}
