use domain::Kind;
use domain::event::Severity;
use domain::health::Incident;
use domain::settings::{BoardTarget, Settings};

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
    Requirements::new(&settings, companies.collect())
}

#[test]
fn two_boards_are_looked_at_in_six_calls_by_turns_and_one_at_once() {
    let two = needed([22, 23], 1);
    let each_time = [
        Look::Rights,
        Look::Boards,
        Look::Statuses(22),
        Look::Statuses(23),
    ];
    for (turn, last) in [
        (0, Look::Types(22)),
        (1, Look::Types(23)),
        (2, Look::Priorities),
        (3, Look::CompanyStatuses),
        (4, Look::Types(22)),
    ] {
        let looks = looks(&two, &BTreeSet::new(), turn);
        assert_eq!(looks, [each_time.as_slice(), &[last]].concat(), "{turn}");
    }
    let one = needed([22, 22], 1);
    assert_eq!(
        looks(&one, &BTreeSet::new(), 0),
        [
            Look::Rights,
            Look::Boards,
            Look::Statuses(22),
            Look::Types(22),
            Look::Priorities
        ]
    );
}

#[test]
fn what_was_wrong_is_looked_at_each_time() {
    let two = needed([22, 23], 1);
    let wrong = BTreeSet::from([
        ProbeArea::Types(Category::CyberAlerts),
        ProbeArea::Priorities,
    ]);
    let by_turns = [Look::Types(22), Look::CompanyStatuses];
    for turn in 0..4 {
        let looks = looks(&two, &wrong, turn);
        assert!(looks.contains(&Look::Types(23)) && looks.contains(&Look::Priorities));
        let next = usize::try_from(turn).unwrap() % 2;
        assert!(looks.contains(&by_turns[next]), "its turn does not pass");
    }
}

#[test]
fn a_thousand_companies_come_round_a_hundred_at_a_time_and_wrong_ones_come_each_time() {
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
    // However many are wrong, the others come round too.
    let most: BTreeSet<_> = (0..900).map(|n| ProbeArea::Company(tenant(n))).collect();
    assert_eq!(companies(&many, &most, 3).len(), 100);
    assert!(companies(&needed([22, 23], 0), &nothing, 5).is_empty());
}

#[test]
fn only_what_was_wrong_and_still_lasts_counts_as_wrong() {
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
        assert_eq!(open_incident(&health), areas.into_iter().collect());
    }
}

#[test]
fn a_company_is_unusable_when_it_is_gone_deleted_or_inactive() {
    let company =
        |members: serde_json::Value| -> Company { serde_json::from_value(members).unwrap() };
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
    let of = |found: Option<&Company>| {
        let known_without_statuses = why(unusable(&tenant(1), found, &[]));
        let all = why(unusable(&tenant(1), found, &statuses));
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
    assert_eq!(
        of(Some(&with(9, false))),
        None,
        "a status that is not listed"
    );
    assert_eq!(of(Some(&company(serde_json::json!({ "id": 7 })))), None);
}

#[test]
fn each_failure_of_the_call_that_proves_a_connection_is_told_apart() {
    let cause = String::new;
    let words = String::new;
    let second = std::time::Duration::from_secs(1);
    for (err, own, expected) in [
        (
            Error::KeysRefused,
            false,
            ProbeAnswer::Refused(ConnectionRefusal::Keys),
        ),
        (
            Error::ClientIdRefused,
            false,
            ProbeAnswer::Refused(ConnectionRefusal::ClientId),
        ),
        (
            Error::ClientIdRefused,
            true,
            ProbeAnswer::Refused(ConnectionRefusal::OwnClientId),
        ),
        (
            Error::NotRouted {
                status: 400,
                words: words(),
            },
            false,
            ProbeAnswer::Failed(Outage::Misrouted),
        ),
        (
            Error::EndpointMissing { path: words() },
            false,
            ProbeAnswer::Failed(Outage::Misrouted),
        ),
        (
            Error::RedirectRefused { status: 302 },
            false,
            ProbeAnswer::Failed(Outage::Misrouted),
        ),
        (
            Error::Forbidden {
                right: COMPANIES_INQUIRE,
                words: words(),
            },
            false,
            ProbeAnswer::Failed(Outage::Misrouted),
        ),
        (
            Error::HostRefused { cause: cause() },
            false,
            ProbeAnswer::Refused(ConnectionRefusal::Site),
        ),
        (
            Error::AnswerUnreadable {
                status: 200,
                cause: cause(),
            },
            false,
            ProbeAnswer::Failed(Outage::Failing),
        ),
        (
            Error::AnswerTooLarge { limit: 1 },
            false,
            ProbeAnswer::Failed(Outage::Failing),
        ),
        (
            Error::NotSent { cause: cause() },
            false,
            ProbeAnswer::Failed(Outage::Unreachable),
        ),
        (
            Error::NoAnswer { cause: cause() },
            false,
            ProbeAnswer::Failed(Outage::Unreachable),
        ),
        (
            Error::TimedOut { after: second },
            false,
            ProbeAnswer::Failed(Outage::Slow),
        ),
        (
            Error::ServerError {
                status: 503,
                words: words(),
            },
            false,
            ProbeAnswer::Failed(Outage::Failing),
        ),
        (
            Error::Throttled {
                retry_after: second,
            },
            false,
            ProbeAnswer::Failed(Outage::Throttling),
        ),
        (
            Error::MissingRight {
                right: COMPANIES_INQUIRE,
            },
            false,
            ProbeAnswer::Accepted,
        ),
        (
            Error::Rejected { words: words() },
            false,
            ProbeAnswer::Accepted,
        ),
        (Error::DeadlineTooShort, false, ProbeAnswer::Unknown),
    ] {
        assert_eq!(answer(&err, own), expected, "{err}");
    }
}
