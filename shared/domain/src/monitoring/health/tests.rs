use super::*;
use crate::alert::event::Severity;
use crate::alert::kind::{BUILT_IN, Category, KindInfo, with_added};
use crate::ids::RecordId;
use crate::monitoring::issue::{CompanyIssue, summarize};
use crate::monitoring::requirements::Requirements;
use crate::setup::choices::TargetIssue;
use crate::setup::found_board::{FoundBoard, FoundStatus, FoundType};
use crate::setup::rights::{self, ListedRights};
use crate::setup::settings::{BoardTarget, OnResolve, Settings};
use crate::{Kind, SourceId, TenantId};

fn at(minute: i64) -> Timestamp {
    "2026-11-22T07:30:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minute)
}

fn acme() -> TenantId {
    TenantId::parse("acme").unwrap()
}

fn kind(name: &str) -> Kind {
    Kind::parse(name).unwrap()
}

const GONE: Issue = Issue::Board {
    category: Category::Operations,
    why: TargetIssue::Missing,
};

fn company(why: CompanyIssue) -> Issue {
    let tenant = acme();
    Issue::Company { tenant, why }
}

/// A probe with this answer, which checks all areas.
fn probe(answer: ProbeAnswer, found: &[Issue]) -> Probe {
    let desired = BTreeSet::from([
        ProbeArea::Boards,
        ProbeArea::Rights,
        ProbeArea::Company(acme()),
    ]);
    Probe {
        answer,
        looked: desired.clone(),
        desired,
        found: found.to_vec(),
    }
}

/// Reads a sequence of probes, one per minute: k accepted keys, r refused keys, c refused clientId,
/// f failed, s slow, n nothing known, b the board is missing, d the board and a company.
fn probe_of(letter: char) -> Probe {
    let takes = |found: &[Issue]| probe(ProbeAnswer::Accepted, found);
    let nothing = |answer| probe(answer, &[]);
    match letter {
        'k' => takes(&[]),
        'b' => takes(&[GONE]),
        'd' => takes(&[GONE, company(CompanyIssue::Deleted)]),
        'r' => nothing(ProbeAnswer::Refused(ConnectionRefusal::Keys)),
        'c' => nothing(ProbeAnswer::Refused(ConnectionRefusal::ClientId)),
        'f' => nothing(ProbeAnswer::Failed(Outage::Failing)),
        's' => nothing(ProbeAnswer::Failed(Outage::Slow)),
        'n' => nothing(ProbeAnswer::Unknown),
        other => unreachable!("{other}"),
    }
}

/// The notifications of a sequence: minute, scope and name of each.
fn subjects_of(probes: &str) -> Vec<String> {
    let mut health = Health::default();
    let mut notified = vec![];
    for (minute, letter) in (0..).zip(probes.chars()) {
        let now = at(minute);
        health = transition(health, &probe_of(letter), now);
        for notification in health.notifications(now) {
            let scope = match notification.scope() {
                IncidentScope::Connection => "connection",
                IncidentScope::PartnerConfig => "set-up",
                IncidentScope::Sources => "sources",
            };
            notified.push(format!("{minute} {scope} {}", notification.name()));
            health = health.notified(&notification, now);
        }
        assert_eq!(
            health.notifications(now),
            [],
            "each notification is sent once"
        );
    }
    notified
}

#[test]
fn each_incident_takes_few_mails() {
    let table: [(&str, &[&str]); 16] = [
        ("kkkkkk", &[]),
        // A refusal is reported at once, and its end after three good probes.
        ("krrrkkkk", &["1 connection broken", "6 connection works"]),
        // It returns before its end was reported: the same incident.
        ("rkkrkkrkkk", &["0 connection broken", "9 connection works"]),
        // An outage is reported only if it lasts.
        ("ffkffkk", &[]),
        ("fffkkkk", &["2 connection broken", "5 connection works"]),
        ("fnffk", &["3 connection broken"]),
        // The form of the outage does not matter.
        ("fsfsssfff", &["2 connection broken"]),
        // A different issue is reported at once.
        (
            "rrccrr",
            &[
                "0 connection broken",
                "2 connection more",
                "4 connection more",
            ],
        ),
        ("fffrr", &["2 connection broken", "3 connection more"]),
        // Refused, and then down: a person has to do the same.
        ("rfffffrkkk", &["0 connection broken", "9 connection works"]),
        // The configuration has its own incident, which is reported at once.
        ("kbbkkk", &["1 set-up broken", "5 set-up works"]),
        // During an outage its state is unknown and stays.
        (
            "brrrbbbkkk",
            &[
                "0 set-up broken",
                "1 connection broken",
                "6 connection works",
                "9 set-up works",
            ],
        ),
        // New configuration issues wait for an hour.
        ("bddd", &["0 set-up broken"]),
        ("bddb", &["0 set-up broken"]),
        // A probe without a result changes nothing.
        ("nnnnn", &[]),
        ("rnnnkkk", &["0 connection broken", "6 connection works"]),
    ];
    for (probes, expected) in table {
        assert_eq!(subjects_of(probes), expected, "{probes}");
    }
}

#[test]
fn a_lasting_incident_is_reminded_of_daily() {
    let minutes = usize::try_from(3 * 24 * 60).unwrap();
    let notified = subjects_of(&"r".repeat(minutes));
    assert_eq!(
        notified,
        [
            "0 connection broken",
            "1440 connection reminder",
            "2880 connection reminder"
        ]
    );
}

#[test]
fn new_configuration_issues_are_reported_after_an_hour() {
    assert_eq!(
        subjects_of(&format!("b{}", "d".repeat(70))),
        ["0 set-up broken", "60 set-up more"]
    );
    assert_eq!(
        subjects_of(&format!("b{}{}", "d".repeat(50), "b".repeat(20))),
        ["0 set-up broken"]
    );
}

#[test]
fn an_issue_that_returns_is_reported_again() {
    assert_eq!(
        subjects_of(&format!("d{}{}", "b".repeat(30), "d".repeat(40))),
        ["0 set-up broken", "60 set-up more"]
    );
}

#[test]
fn a_connection_incident_hides_the_configuration() {
    assert_eq!(
        subjects_of(&format!("b{}bbb", "r".repeat(1500))),
        [
            "0 set-up broken",
            "1 connection broken",
            "1441 connection reminder",
            "1501 set-up reminder",
            "1503 connection works",
        ]
    );
}

#[test]
fn a_notification_that_was_not_sent_stays_due() {
    let mut health = Health::default();
    for minute in 0..5 {
        health = transition(health, &probe_of('r'), at(minute));
        assert_eq!(
            health.notifications(at(minute)),
            [Notification::Started(IncidentScope::Connection)]
        );
    }
    // An unreported incident ends without a notification.
    let over = transition(health.clone(), &probe_of('k'), at(5));
    assert_eq!((over.notifications(at(5)), over.connection), (vec![], None));

    let mut health = health.notified(&Notification::Started(IncidentScope::Connection), at(4));
    for minute in 5..9 {
        health = transition(health, &probe_of('k'), at(minute));
    }
    assert_eq!(
        health.notifications(at(8)),
        [Notification::Resolved(IncidentScope::Connection)]
    );
    assert_eq!(
        health.notifications(at(60)),
        [Notification::Resolved(IncidentScope::Connection)]
    );
    // It is not over yet when it breaks again.
    let broken = transition(health, &probe_of('r'), at(61));
    assert_eq!(broken.notifications(at(61)), []);
}

#[test]
fn unchecked_issues_stay_and_unneeded_ones_end() {
    let found = [GONE, company(CompanyIssue::Inactive)];
    let health = transition(
        Health::default(),
        &probe(ProbeAnswer::Accepted, &found),
        at(0),
    );
    let health = health.notified(&Notification::Started(IncidentScope::PartnerConfig), at(0));
    let open_incident = |health: &Health| -> Vec<Issue> {
        let incidents = health.open_incidents();
        incidents.flat_map(|of| of.issues.clone()).collect()
    };
    assert_eq!(open_incident(&health), found);
    let blind = Probe {
        looked: BTreeSet::from([ProbeArea::Rights]),
        ..probe(ProbeAnswer::Accepted, &[])
    };
    let still = transition(health.clone(), &blind, at(1));
    assert_eq!(open_incident(&still), found);
    // The tenant is disabled.
    let unmapped = Probe {
        desired: BTreeSet::from([ProbeArea::Boards, ProbeArea::Rights]),
        ..blind
    };
    let left = transition(still, &unmapped, at(2));
    assert_eq!(open_incident(&left), [GONE]);
    let over = transition(left, &probe_of('k'), at(3));
    assert_eq!(open_incident(&over), []);
    assert!(over.has_begun_recovery() && over.is_recovering());
    // The last issues are kept until the end is reported, and a probe without a result does not
    // change that.
    let over = transition(
        over,
        &Probe {
            looked: BTreeSet::new(),
            ..probe_of('k')
        },
        at(4),
    );
    assert_eq!(open_incident(&over), []);
    assert_eq!(over.set_up.unwrap().issues, BTreeSet::from([GONE]));
}

#[test]
fn an_outage_counts_from_its_first_failing_probe() {
    let mut health = Health::default();
    for minute in 0..3 {
        assert!(!health.is_urgent(at(minute)) || minute > 0);
        health = transition(health, &probe_of('f'), at(minute));
        assert!(health.is_urgent(at(minute)));
    }
    assert_eq!(health.connection.unwrap().since, at(0));
}

#[test]
fn a_new_configuration_issue_is_probed_often_for_an_hour() {
    let mut health = transition(Health::default(), &probe_of('b'), at(0));
    health = health.notified(&Notification::Started(IncidentScope::PartnerConfig), at(0));
    assert!(health.is_urgent(at(59)) && !health.is_urgent(at(60)));
    health = transition(health, &probe_of('k'), at(75));
    assert!(health.is_urgent(at(75)), "until the recovery is notified");
}

#[test]
fn the_highest_number_of_waiting_alerts_is_kept() {
    let health = transition(Health::default(), &probe_of('r'), at(0));
    let waited = |health: &Health| health.connection.as_ref().unwrap().waited;
    let health = health.with_waiting(IncidentScope::Connection, 7);
    let health = health.with_waiting(IncidentScope::Connection, 3);
    let health = health.with_waiting(IncidentScope::PartnerConfig, 30);
    assert_eq!((waited(&health), health.set_up), (7, None));
}

fn settings() -> Settings {
    let board = |id: RecordId, kind_name: &str| BoardTarget {
        board: Some(id),
        start_status: Some(id * 10 + 1),
        closing_status: Some(id * 10 + 4),
        types: [(kind(kind_name), id * 100)].into(),
        on_resolve: OnResolve::Close,
        ..BoardTarget::default()
    };
    Settings {
        operations: board(22, "disk"),
        cyber_alerts: BoardTarget {
            on_resolve: OnResolve::Note,
            ..board(23, "zero_trust")
        },
        priorities: [(Severity::High, 32)].into(),
        ..Settings::default()
    }
}

fn needed(change: impl FnOnce(&mut Settings)) -> Requirements {
    let mut settings = settings();
    change(&mut settings);
    needed_for(&settings, &[])
}

fn needed_for(settings: &Settings, added: &[KindInfo]) -> Requirements {
    Requirements::new(settings, [(acme(), 301)].into(), &with_added(added))
}

#[test]
fn only_enabled_and_chosen_things_are_probed() {
    let (operations, cyber) = (Category::Operations, Category::CyberAlerts);
    let of_both = [
        ProbeArea::Rights,
        ProbeArea::Boards,
        ProbeArea::Statuses(operations),
        ProbeArea::Statuses(cyber),
        ProbeArea::Types(operations),
        ProbeArea::Types(cyber),
        ProbeArea::Priorities,
        ProbeArea::Writes,
        ProbeArea::Company(acme()),
    ];
    assert_eq!(needed(|_| ()).areas(), BTreeSet::from(of_both));
    let all_cyber_off = |settings: &mut Settings| {
        let cyber = BUILT_IN
            .iter()
            .filter(|(_, category, _)| *category == Category::CyberAlerts);
        settings.kinds_off = cyber.map(|(name, ..)| kind(name)).collect();
    };
    let without = needed(all_cyber_off);
    assert!(!without.boards.contains_key(&cyber));
    // A kind that a source adds is on, with a type and without one.
    let mut only_added = settings();
    all_cyber_off(&mut only_added);
    let added = KindInfo {
        kind: kind("incident"),
        category: cyber,
        type_name: "Security Incident".to_owned(),
    };
    let with_one = needed_for(&only_added, std::slice::from_ref(&added));
    assert!(with_one.boards.contains_key(&cyber));
    only_added.kinds_off.insert(kind("incident"));
    assert!(
        !needed_for(&only_added, &[added])
            .boards
            .contains_key(&cyber)
    );
    let own = needed(|settings| {
        all_cyber_off(settings);
        settings.cyber_alerts.types.insert(kind("own"), 9);
    });
    assert_eq!(own.boards[&cyber].types, [(kind("own"), 9)].into());
    let default_board = needed(|settings| {
        settings.operations = BoardTarget::default();
        settings.cyber_alerts = BoardTarget::default();
        settings.priorities.clear();
    });
    let least = BTreeSet::from([
        ProbeArea::Rights,
        ProbeArea::Writes,
        ProbeArea::Company(acme()),
    ]);
    assert_eq!(default_board.areas(), least);
    // If tickets only get a note, closing needs no right.
    assert_eq!(needed(|_| ()).boards[&cyber].closing_status, None);
    assert!(needed(|_| ()).closing);
    let notes = needed(|settings| settings.operations.on_resolve = OnResolve::Note);
    assert!(!notes.closing);
}

fn listed(name: &'static str, level: rights::Level) -> ListedRights<'static> {
    ListedRights {
        function: name,
        add: level,
        edit: level,
        inquire: level,
    }
}

#[test]
fn a_right_is_missing_only_if_needed_and_reported() {
    use rights::Level::{All, My, None};
    let all = [
        listed("Company Maintenance", All),
        listed("Service Tickets", All),
        listed("Close Service Tickets", All),
        listed("Table Setup", None),
        listed("Resource Scheduling", None),
    ];
    let missing = |needed: &Requirements, rows: &[ListedRights<'_>], refused: &[&str]| {
        let refused = refused.iter().map(|right| (*right).to_owned()).collect();
        let missing = needed.right_issues(rows, &refused).into_iter();
        let right = |issue: Issue| {
            let right = rights::TABLE.iter().map(|known| known.right);
            let mut right = right.filter(|right| issue == Issue::Right((*right).to_owned()));
            right.next().unwrap()
        };
        missing.map(right).collect::<Vec<_>>()
    };
    let (full, notes) = (
        needed(|_| ()),
        needed(|settings| settings.operations.on_resolve = OnResolve::Note),
    );
    assert_eq!(missing(&full, &all, &[]), [""; 0]);
    let mut my = all;
    my[1].inquire = My;
    assert_eq!(missing(&full, &my, &[]), [rights::TICKETS_INQUIRE]);
    let mut no_closing = all;
    no_closing[2].edit = None;
    assert_eq!(missing(&full, &no_closing, &[]), [rights::TICKETS_CLOSE]);
    assert_eq!(missing(&notes, &no_closing, &[]), [""; 0]);
    // A right that is not listed is not known, unless a call was refused.
    assert_eq!(missing(&full, &[], &[]), [""; 0]);
    assert_eq!(
        missing(&full, &[], &[rights::TICKETS_ADD]),
        [rights::TICKETS_ADD]
    );
    assert_eq!(
        missing(&full, &all, &[rights::TICKETS_ADD]),
        [""; 0],
        "there again"
    );
    // It was refused only to a page view.
    assert_eq!(missing(&full, &all, &[rights::TABLES_INQUIRE]), [""; 0]);
}

#[test]
fn unusable_boards_statuses_types_and_priorities_are_issues() {
    let needed = needed(|_| ());
    let board = |id, inactive| FoundBoard {
        id,
        name: "Renamed".into(),
        inactive,
        for_projects: false,
    };
    let (operations, cyber) = (Category::Operations, Category::CyberAlerts);
    assert_eq!(
        needed.board_issues(&[board(22, false), board(23, false)]),
        []
    );
    let inactive = Issue::Board {
        category: cyber,
        why: TargetIssue::Inactive,
    };
    assert_eq!(needed.board_issues(&[board(23, true)]), [GONE, inactive]);

    let status = |id, closes| FoundStatus {
        id,
        name: "Renamed".into(),
        inactive: false,
        closes,
        is_default: false,
    };
    let good = [status(221, false), status(224, true)];
    assert_eq!(needed.status_issues(operations, &good), []);
    let turned = [status(221, true), status(224, false)];
    assert_eq!(
        needed.status_issues(operations, &turned),
        [
            Issue::StartStatus {
                category: operations,
                why: TargetIssue::Closes
            },
            Issue::ClosingStatus {
                category: operations,
                why: TargetIssue::LeavesOpen
            },
        ]
    );
    let start_missing = Issue::StartStatus {
        category: cyber,
        why: TargetIssue::Missing,
    };
    assert_eq!(
        needed.status_issues(cyber, &good),
        [start_missing],
        "nothing closes"
    );

    let found = |id, inactive| FoundType {
        id,
        name: String::new(),
        inactive,
    };
    assert_eq!(needed.type_issues(operations, &[found(2200, false)]), []);
    let off = Issue::Type {
        category: operations,
        kind: kind("disk"),
        why: TargetIssue::Inactive,
    };
    assert_eq!(needed.type_issues(operations, &[found(2200, true)]), [off]);
    assert_eq!(needed.missing_priorities(&[31, 32]), []);
    assert_eq!(
        needed.missing_priorities(&[31]),
        [Issue::Priority(Severity::High)]
    );
}

#[test]
fn one_issue_is_named_and_several_are_counted() {
    let name = |tenant: &TenantId| tenant.to_string();
    let one = BTreeSet::from([company(CompanyIssue::Missing)]);
    assert_eq!(
        summarize(&one, name, SourceId::to_string),
        "the company of acme cannot be used"
    );
    let two = BTreeSet::from([company(CompanyIssue::Missing), GONE]);
    assert_eq!(
        summarize(&two, name, SourceId::to_string),
        "2 things in ConnectWise stop tickets"
    );
}

fn quiet(sources: &[u8], since: i64) -> BTreeSet<Issue> {
    let issue = |n: &u8| Issue::InactiveSource {
        source: SourceId::parse(format!("src_{n:0>26}")).unwrap(),
        since: at(since),
    };
    sources.iter().map(issue).collect()
}

#[test]
fn an_inactive_source_is_notified_once_and_ends_with_its_next_message() {
    let scope = IncidentScope::Sources;
    let health = Health::default().with_source_issues(quiet(&[1], 0), at(60));
    assert_eq!(health.notifications(at(60)), [Notification::Started(scope)]);
    assert!(
        health.open_incidents().next().is_none(),
        "it blocks no alert"
    );
    assert!(!health.is_urgent(at(60)) && !health.is_recovering());
    let mut health = health.notified(&Notification::Started(scope), at(60));
    for minute in 61..120 {
        health = health.with_source_issues(quiet(&[1], 0), at(minute));
        assert_eq!(health.notifications(at(minute)), []);
    }
    // A probe changes nothing about it, whatever it finds.
    assert_eq!(
        transition(health.clone(), &probe_of('k'), at(120)).sources,
        health.sources
    );
    // Another source is named by one more mail, at the earliest an hour after the last.
    health = health.with_source_issues(quiet(&[1, 2], 0), at(121));
    let more = Notification::More(scope, quiet(&[2], 0));
    assert_eq!(health.notifications(at(121)), std::slice::from_ref(&more));
    health = health.notified(&more, at(121));
    for minute in 122..125 {
        assert_eq!(health.notifications(at(minute)), []);
        health = health.with_source_issues(BTreeSet::new(), at(minute));
        assert!(health.is_urgent(at(minute)), "the end is notified soon");
        assert!(!health.is_recovering(), "no alert waited for it");
    }
    let resolved = Notification::Resolved(scope);
    assert_eq!(
        health.notifications(at(125)),
        std::slice::from_ref(&resolved)
    );
    assert_eq!(health.notified(&resolved, at(125)).sources, None);
}

#[test]
fn an_inactive_source_is_notified_during_an_outage_of_the_connection() {
    let broken = transition(Health::default(), &probe_of('r'), at(0));
    let both = broken.with_source_issues(quiet(&[1], 0), at(0));
    let scopes: Vec<_> = both
        .notifications(at(0))
        .iter()
        .map(Notification::scope)
        .collect();
    assert_eq!(scopes, [IncidentScope::Connection, IncidentScope::Sources]);
}

#[test]
fn inactive_sources_are_summarized_by_name_or_number() {
    let words = |issues| summarize(&issues, TenantId::to_string, |_| "Scanner".to_owned());
    assert_eq!(words(quiet(&[1], 0)), "no messages from Scanner");
    assert_eq!(words(quiet(&[1, 2], 0)), "no messages from 2 sources");
}

#[test]
fn sources_are_summarized_by_what_is_wrong_with_them() {
    let words = |issues| summarize(&issues, TenantId::to_string, |_| "Scanner".to_owned());
    let tenant = |id: &str| Issue::InactiveTenant {
        source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
        tenant: TenantId::parse(id).unwrap(),
        since: "2026-11-02".parse().unwrap(),
    };
    let one = BTreeSet::from([tenant("acme")]);
    assert_eq!(words(one), "no messages from Scanner for acme");
    let two = BTreeSet::from([tenant("acme"), tenant("grove")]);
    assert_eq!(words(two), "no messages for 2 tenants");
}
