//! Plans the calls of one probe: at most six for a healthy connection. What does not fit rotates
//! with each probe. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use connectwise::COMPANIES_AT_ONCE;
use domain::alert::kind::Category;
use domain::monitoring::health::Health;
use domain::monitoring::issue::{Issue, ProbeArea};
use domain::monitoring::requirements::Requirements;
use domain::setup::mapping::Mapping;
use domain::{RecordId, TenantId};

/// Calls of one probe of a healthy connection.
const MAX_CALLS: usize = 6;
/// Of the companies that one call reads, at most this many had an issue, so that the others rotate.
const MAX_WITH_ISSUES: usize = COMPANIES_AT_ONCE / 2;

/// What one call reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    Rights,
    Boards,
    Statuses(RecordId),
    Types(RecordId),
    Priorities,
    CompanyStatuses,
}

/// The areas with a known issue.
pub(crate) fn areas_with_issues(health: &Health) -> BTreeSet<ProbeArea> {
    let incident = health.set_up.as_ref().filter(|incident| incident.good == 0);
    let issues = incident.into_iter().flat_map(|incident| &incident.issues);
    issues.map(Issue::area).collect()
}

/// The companies to read: those with an issue, so that its end is seen, and as many of the others
/// as fit. The others rotate with each probe.
pub(crate) fn companies(
    needed: &Requirements,
    with_issues: &BTreeSet<ProbeArea>,
    turn: u32,
) -> Vec<RecordId> {
    let is_wrong = |tenant: &TenantId| with_issues.contains(&ProbeArea::Company(tenant.clone()));
    let wrong = needed
        .companies
        .iter()
        .filter(|(tenant, _)| is_wrong(tenant));
    let wrong: BTreeSet<RecordId> = wrong.map(|(_, id)| *id).take(MAX_WITH_ISSUES).collect();
    let others: BTreeSet<RecordId> = needed.companies.values().copied().collect();
    let others: Vec<RecordId> = others.difference(&wrong).copied().collect();
    let parts: Vec<_> = others.chunks(COMPANIES_AT_ONCE - wrong.len()).collect();
    let scope = match parts.len() {
        0 => &[],
        count => parts[usize::try_from(turn).unwrap_or_default() % count],
    };
    wrong.into_iter().chain(scope.iter().copied()).collect()
}

/// The calls of one probe after the first. What blocks most alerts is read each time. The rest
/// rotates with each probe, as far as it fits. What had an issue is read each time too.
pub(crate) fn checks(
    needed: &Requirements,
    with_issues: &BTreeSet<ProbeArea>,
    turn: u32,
) -> Vec<Check> {
    let desired = needed.areas();
    let mut always = vec![Check::Rights];
    let mut rotating = vec![];
    if desired.contains(&ProbeArea::Boards) {
        always.push(Check::Boards);
    }
    let boards: BTreeSet<RecordId> = needed
        .boards
        .values()
        .filter_map(|target| target.board)
        .collect();
    for board in boards {
        let any = |check| {
            areas(check, needed)
                .iter()
                .any(|area| desired.contains(area))
        };
        if any(Check::Statuses(board)) {
            always.push(Check::Statuses(board));
        }
        if any(Check::Types(board)) {
            rotating.push(Check::Types(board));
        }
    }
    if desired.contains(&ProbeArea::Priorities) {
        rotating.push(Check::Priorities);
    }
    if !needed.companies.is_empty() {
        rotating.push(Check::CompanyStatuses);
    }
    let (wrong, mut rotating): (Vec<_>, Vec<_>) = rotating.into_iter().partition(|check| {
        areas(*check, needed)
            .iter()
            .any(|area| with_issues.contains(area))
    });
    // One call was made before.
    let room = MAX_CALLS
        .saturating_sub(1 + always.len())
        .min(rotating.len());
    let steps = usize::try_from(turn).unwrap_or_default();
    let count = rotating.len().max(1);
    rotating.rotate_left(steps % count);
    always
        .into_iter()
        .chain(rotating.into_iter().take(room))
        .chain(wrong)
        .collect()
}

/// The areas that a check shows. Two categories may have the same board.
pub(crate) fn areas(check: Check, needed: &Requirements) -> Vec<ProbeArea> {
    let of_board = |board: RecordId, area: fn(Category) -> ProbeArea| {
        let boards = needed.boards.iter();
        let categories = boards.filter(move |(_, target)| target.board == Some(board));
        categories
            .map(move |(category, _)| area(*category))
            .collect()
    };
    match check {
        Check::Rights => vec![ProbeArea::Rights],
        Check::Boards => vec![ProbeArea::Boards],
        Check::Statuses(board) => of_board(board, ProbeArea::Statuses),
        Check::Types(board) => of_board(board, ProbeArea::Types),
        Check::Priorities => vec![ProbeArea::Priorities],
        Check::CompanyStatuses => {
            let tenants = needed.companies.keys().cloned();
            tenants.map(ProbeArea::Company).collect()
        }
    }
}

/// The companies of the mapped and enabled tenants, over a connection of this epoch.
pub(crate) fn mapped_companies(
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
mod tests {
    use domain::Kind;
    use domain::alert::event::Severity;
    use domain::alert::kind::with_added;
    use domain::monitoring::health::Incident;
    use domain::setup::settings::{BoardTarget, Settings};

    use super::*;

    fn tenant(n: u64) -> TenantId {
        TenantId::parse(format!("tenant-{n:04}")).unwrap()
    }

    /// Two boards, or one for both, and so many companies.
    fn needed(boards: [RecordId; 2], companies: u64) -> Requirements {
        let board = |id: RecordId, kind: &str| BoardTarget {
            board: Some(id),
            start_status: Some(id * 10),
            types: [(Kind::parse(kind).unwrap(), id * 100)].into(),
            ..BoardTarget::default()
        };
        let settings = Settings {
            operations: board(boards[0], "disk"),
            cyber_alerts: board(boards[1], "zero_trust"),
            priorities: [(Severity::High, 32)].into(),
            ..Settings::default()
        };
        let companies = (0..companies).map(|n| (tenant(n), 1000 + n));
        Requirements::new(&settings, companies.collect(), &with_added(&[]))
    }

    #[test]
    fn two_boards_rotate_within_six_calls_and_one_is_read_each_time() {
        let two = needed([22, 23], 1);
        let always = [
            Check::Rights,
            Check::Boards,
            Check::Statuses(22),
            Check::Statuses(23),
        ];
        for (turn, last) in [
            (0, Check::Types(22)),
            (1, Check::Types(23)),
            (2, Check::Priorities),
            (3, Check::CompanyStatuses),
            (4, Check::Types(22)),
        ] {
            let checks = checks(&two, &BTreeSet::new(), turn);
            assert_eq!(checks, [always.as_slice(), &[last]].concat(), "{turn}");
        }
        let one = needed([22, 22], 1);
        assert_eq!(
            checks(&one, &BTreeSet::new(), 0),
            [
                Check::Rights,
                Check::Boards,
                Check::Statuses(22),
                Check::Types(22),
                Check::Priorities
            ]
        );
    }

    #[test]
    fn areas_with_an_issue_are_read_each_time() {
        let two = needed([22, 23], 1);
        let wrong = BTreeSet::from([
            ProbeArea::Types(Category::CyberAlerts),
            ProbeArea::Priorities,
        ]);
        let rotating = [Check::Types(22), Check::CompanyStatuses];
        for turn in 0..4 {
            let checks = checks(&two, &wrong, turn);
            assert!(checks.contains(&Check::Types(23)) && checks.contains(&Check::Priorities));
            let next = usize::try_from(turn).unwrap() % 2;
            assert!(checks.contains(&rotating[next]), "its turn does not pass");
        }
    }

    #[test]
    fn companies_rotate_and_those_with_issues_are_read_each_time() {
        let many = needed([22, 23], 1000);
        let nothing = BTreeSet::new();
        let mut seen = BTreeSet::new();
        for turn in 0..10 {
            let asked = companies(&many, &nothing, turn);
            assert_eq!(asked.len(), 100);
            seen.extend(asked);
        }
        assert_eq!(seen.len(), 1000);

        let wrong: BTreeSet<_> = [7, 999].map(|n| ProbeArea::Company(tenant(n))).into();
        let mut seen = BTreeSet::new();
        for turn in 0..11 {
            let asked = companies(&many, &wrong, turn);
            assert!(asked.len() <= 100 && asked.contains(&1007) && asked.contains(&1999));
            seen.extend(asked);
        }
        assert_eq!(seen.len(), 1000);
        // The others rotate too, however many are wrong.
        let most: BTreeSet<_> = (0..900).map(|n| ProbeArea::Company(tenant(n))).collect();
        assert_eq!(companies(&many, &most, 3).len(), 100);
        assert!(companies(&needed([22, 23], 0), &nothing, 5).is_empty());
    }

    #[test]
    fn only_an_unresolved_issue_marks_its_area() {
        let incident = |good| Incident {
            since: "2026-11-22T07:30:00Z".parse().unwrap(),
            issues: [Issue::Priority(Severity::High)].into(),
            notified: BTreeSet::new(),
            notified_at: None,
            good,
            waited: 0,
        };
        for (good, areas) in [(0, vec![ProbeArea::Priorities]), (1, vec![])] {
            let health = Health {
                set_up: Some(incident(good)),
                ..Health::default()
            };
            assert_eq!(areas_with_issues(&health), areas.into_iter().collect());
        }
    }
}
