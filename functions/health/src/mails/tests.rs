use std::collections::{BTreeMap, BTreeSet};

use aws::mail::Mail;
use domain::alert::event::Severity;
use domain::alert::kind::Category;
use domain::alert::record::{NoteKind, Op};
use domain::monitoring::figures::{Counts, Delay};
use domain::monitoring::health::{Health, Incident};
use domain::monitoring::issue::{CompanyIssue, ConnectionRefusal, IncidentScope, Issue, Outage};
use domain::monitoring::waiting::{
    BlockedAlerts, DueMail, WaitingCause, WaitingItem, WaitingSummary,
};
use domain::outgoing::block_reason::BlockReason;
use domain::setup::choices::TargetIssue;
use domain::setup::contacts::MailKind;
use domain::setup::rights;
use domain::ticketing::refused_writes::{RefusalCause, RefusalGroupId, RefusedTarget};
use domain::{EmailAddress, Kind, PartnerId, SourceId, TenantId};
use jiff::Timestamp;
use proptest::prelude::*;
use store::HeldClosings;

use super::*;
use crate::blocked_counts::BlockedCount;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn tenant(id: &str) -> TenantId {
    TenantId::parse(id).unwrap()
}

fn scanner() -> SourceId {
    SourceId::parse("src_0123456789abcdefghijklmnop").unwrap()
}

fn inactive() -> Issue {
    Issue::InactiveSource {
        source: scanner(),
        since: time("2026-11-20T17:05:00Z"),
    }
}

fn inactive_tenant(id: &str) -> Issue {
    Issue::InactiveTenant {
        source: scanner(),
        tenant: tenant(id),
        since: "2026-11-20".parse().unwrap(),
    }
}

fn incident(issues: &[Issue]) -> Incident {
    Incident {
        since: time("2026-11-22T07:05:00Z"),
        issues: issues.iter().cloned().collect(),
        notified: BTreeSet::new(),
        notified_at: None,
        good: 0,
        waited: 0,
    }
}

fn blocked(counts: &[(&str, u64)]) -> BlockedCount {
    BlockedCount {
        tenants: counts
            .iter()
            .map(|(id, count)| (tenant(id), *count))
            .collect(),
        refused: BTreeMap::new(),
        more: false,
    }
}

fn writes(op: Option<Op>, target: RefusedTarget, words: &str) -> Issue {
    let words = words.to_owned();
    Issue::Writes { op, target, words }
}

/// A recipient with names in order.
fn to<R>(partner: &str, named: &str, mail: impl FnOnce(MailContext<'_>) -> R) -> R {
    let tenants = BTreeMap::from([(tenant("acme"), named.to_owned())]);
    mail(MailContext {
        to: EmailAddress::parse("anna@northwind.example").unwrap(),
        kind: MailKind::BrokenConnection,
        partner: &PartnerId::parse("northwind").unwrap(),
        partner_name: partner,
        tenants: &tenants,
        sources: &BTreeMap::from([(scanner(), named.to_owned())]),
        origin: "https://alerts.example",
    })
}

/// The mail to Northwind about these issues of its configuration. A tenant is called so.
fn broken_mail(named: &str, issues: &[Issue], counts: &BlockedCount) -> Mail {
    let scope = IncidentScope::PartnerConfig;
    to("Northwind", named, |context| {
        broken(context, scope, &incident(issues), counts)
    })
}

#[track_caller]
fn assert_says(mail: &Mail, words: &str) {
    assert!(mail.text.contains(words), "{}", mail.text);
}

fn every_issue() -> Vec<Issue> {
    let (category, kind) = (Category::Operations, Kind::parse("disk").unwrap());
    let why = [
        TargetIssue::Missing,
        TargetIssue::Inactive,
        TargetIssue::Closes,
        TargetIssue::LeavesOpen,
    ];
    let refusals = [
        ConnectionRefusal::Keys,
        ConnectionRefusal::NoKeys,
        ConnectionRefusal::OwnClientId,
        ConnectionRefusal::ClientId,
        ConnectionRefusal::Site,
    ];
    let outages = [
        Outage::Unreachable,
        Outage::Slow,
        Outage::Failing,
        Outage::Throttling,
        Outage::Misrouted,
    ];
    let companies = [
        CompanyIssue::Missing,
        CompanyIssue::Deleted,
        CompanyIssue::Inactive,
        CompanyIssue::Disallowed,
    ];
    let mut all = vec![
        Issue::Right(rights::TICKETS_ADD.into()),
        Issue::Right("own.add".into()),
        Issue::Board {
            category,
            why: why[1],
        },
        Issue::StartStatus {
            category,
            why: why[2],
        },
        Issue::ClosingStatus {
            category,
            why: why[3],
        },
        Issue::Type {
            category,
            kind,
            why: why[0],
        },
        Issue::Priority(Severity::High),
        inactive(),
        inactive_tenant("acme"),
    ];
    let ops = [
        Op::Create,
        Op::Note(NoteKind::Repeats),
        Op::Patch,
        Op::Close,
        Op::Reopen,
    ];
    let status = || RefusedTarget::Status(category);
    all.extend(ops.map(|op| writes(Some(op), status(), "Status is closed")));
    all.push(writes(None, status(), "no"));
    let targets = [
        RefusedTarget::Board(category),
        RefusedTarget::Type(Kind::parse("cpu").unwrap()),
        RefusedTarget::Priority(Severity::Low),
        RefusedTarget::Company(tenant("acme")),
        RefusedTarget::Team(41),
        RefusedTarget::Owner(153),
    ];
    all.extend(targets.map(|target| writes(Some(Op::Create), target, "no")));
    all.extend(refusals.map(Issue::Refused));
    all.extend(outages.map(Issue::Outage));
    all.extend(companies.map(|why| Issue::Company {
        tenant: tenant("acme"),
        why,
    }));
    all
}

#[test]
fn no_mail_about_an_outage_says_to_connect_again() {
    let none = blocked(&[]);
    for outage in [
        Outage::Unreachable,
        Outage::Slow,
        Outage::Failing,
        Outage::Throttling,
        Outage::Misrouted,
    ] {
        let incident = incident(&[Issue::Outage(outage)]);
        let mail = to("Northwind IT", "Acme Dental", |context| {
            broken(context, IncidentScope::Connection, &incident, &none)
        });
        // A connection to another address drops the mappings.
        assert!(!mail.text.contains("connect again"), "{}", mail.text);
        assert!(!mail.text.contains("No alert waits"), "{}", mail.text);
    }
}

#[test]
fn a_mail_says_what_broke_since_when_and_what_to_do() {
    let counts = blocked(&[("acme", 40), ("grove", 2)]);
    let incident = incident(&[Issue::Refused(ConnectionRefusal::Keys)]);
    let mail = to("Northwind IT", "Acme Dental", |context| {
        broken(context, IncidentScope::Connection, &incident, &counts)
    });
    insta::assert_snapshot!(
        "broken",
        format!("{}\n\n{}\n{}", mail.subject, mail.text, mail.html)
    );
}

#[test]
fn a_reminder_and_the_end_are_seen_in_the_subject() {
    let incident = incident(&[Issue::Outage(Outage::Slow)]);
    let none = BlockedCount::default();
    let mail = to("Northwind", "", |context| {
        reminder(context, IncidentScope::Connection, &incident, &none)
    });
    let subject = "Ticketbridge: still, ConnectWise does not answer in time (Northwind)";
    assert_eq!(mail.subject, subject);
    assert_says(&mail, "No alert is blocked yet.");
    let left = blocked(&[("acme", 700)]);
    for (late, words) in [
        (0, "No alert was blocked by it."),
        (1, "1 alert that was blocked by it has continued"),
        (300, "300 alerts that were blocked by it have continued"),
    ] {
        let mail = to("Northwind", "Acme", |context| {
            works(context, IncidentScope::Connection, &incident, late, &left)
        });
        assert_eq!(mail.subject, "Ticketbridge: working again (Northwind)");
        assert_says(&mail, words);
        assert_says(&mail, "700 alerts are blocked, and");
    }
}

#[test]
fn every_issue_has_its_own_words_and_an_action() {
    let mut said = BTreeSet::new();
    for issue in every_issue() {
        let issues = std::slice::from_ref(&issue);
        let mail = broken_mail("Acme Dental", issues, &BlockedCount::default());
        let (_, list) = mail.text.split_once("\n- ").unwrap();
        let (what, rest) = list.split_once('\n').unwrap();
        let has_action = rest.trim_start().starts_with("What to do: ");
        assert!(has_action, "{}", mail.text);
        assert!(said.insert(what.to_owned()), "twice: {what}");
        let is_of_company = matches!(
            issue,
            Issue::Company { .. }
                | Issue::Writes {
                    target: RefusedTarget::Company(_),
                    ..
                }
        );
        if is_of_company {
            assert!(what.contains("Acme Dental") && mail.subject.contains("Acme Dental"));
        }
    }
}

#[test]
fn an_inactive_source_is_named_with_its_last_message() {
    let incident = incident(&[inactive()]);
    let none = BlockedCount::default();
    let mail = to("Northwind", "Scanner", |context| {
        broken(context, IncidentScope::Sources, &incident, &none)
    });
    insta::assert_snapshot!("inactive", format!("{}\n\n{}", mail.subject, mail.text));
    let mail = to("Northwind", "Scanner", |context| {
        works(context, IncidentScope::Sources, &incident, 0, &none)
    });
    insta::assert_snapshot!("active_again", format!("{}\n\n{}", mail.subject, mail.text));
}

#[test]
fn inactive_tenants_are_named_in_one_mail() {
    let incident = incident(&[inactive_tenant("acme"), inactive_tenant("grove")]);
    let none = BlockedCount::default();
    let mail = to("Northwind", "Scanner", |context| {
        broken(context, IncidentScope::Sources, &incident, &none)
    });
    insta::assert_snapshot!(
        "inactive_tenants",
        format!("{}\n\n{}", mail.subject, mail.text)
    );
    let mail = to("Northwind", "Scanner", |context| {
        works(context, IncidentScope::Sources, &incident, 0, &none)
    });
    let over = "Ticketbridge: no tenant is inactive any more (Northwind)";
    assert_eq!(mail.subject, over);
    assert_says(&mail, "One had been quiet since 20 November 2026.");
}

#[test]
fn a_refusal_quotes_connectwise() {
    let words = "Company <b>is</b>\non hold";
    let company = || RefusedTarget::Company(tenant("acme"));
    let issue = writes(Some(Op::Create), company(), words);
    let mut counts = blocked(&[("acme", 5)]);
    counts
        .refused
        .extend(issue.refusal().map(|group| (group, 5)));
    let mail = broken_mail("Acme Dental", std::slice::from_ref(&issue), &counts);
    insta::assert_snapshot!("refused", format!("{}\n\n{}", mail.subject, mail.text));
    assert!(!mail.html.contains("<b>is"), "{}", mail.html);
    let (ended, none) = (incident(&[issue]), BlockedCount::default());
    let mail = to("Northwind", "Acme Dental", |context| {
        works(context, IncidentScope::PartnerConfig, &ended, 5, &none)
    });
    let start = "ConnectWise accepts all requests for Northwind again. It had refused some since \
                 22 November 2026 at 07:05 UTC.\n\n5 alerts that were blocked by it have continued";
    assert!(mail.text.starts_with(start), "{}", mail.text);
    let status = RefusedTarget::Status(Category::Operations);
    let silent = writes(Some(Op::Close), status, "");
    let mail = broken_mail("Acme Dental", &[silent], &counts);
    assert_says(
        &mail,
        "- ConnectWise refuses to close tickets with the status that is set for operations \
         alerts. It reports success, but the tickets do not change.\n",
    );
}

fn waiting_item(cause: WaitingCause, count: u64, worst: Option<(Severity, u64)>) -> WaitingItem {
    let words = match cause {
        WaitingCause::Rejected(_) => "Site <b>ID</b> is\nrequired",
        WaitingCause::UnreadableMessages(_) => "tenant: the message has nothing at /client",
        WaitingCause::UnmappedTenant(_) | WaitingCause::OlderThanBackfill(_) => "",
    };
    WaitingItem {
        cause,
        count,
        worst,
        oldest: time("2026-11-22T07:05:00Z"),
        words: words.to_owned(),
    }
}

/// One item of each cause.
fn waiting_items() -> Vec<WaitingItem> {
    let group = RefusalGroupId {
        op: Some(Op::Create),
        cause: RefusalCause::Words("site".into()),
    };
    let acme = || tenant("acme");
    vec![
        waiting_item(
            WaitingCause::UnmappedTenant(acme()),
            5,
            Some((Severity::Critical, 1)),
        ),
        waiting_item(
            WaitingCause::UnmappedTenant(tenant("grove")),
            1,
            Some((Severity::High, 1)),
        ),
        waiting_item(WaitingCause::Rejected(group), 3, Some((Severity::High, 3))),
        waiting_item(
            WaitingCause::OlderThanBackfill(acme()),
            2,
            Some((Severity::Low, 2)),
        ),
        waiting_item(WaitingCause::UnreadableMessages(scanner()), 3, None),
    ]
}

fn waiting_mail(named: &str, items: Vec<WaitingItem>, is_reminder: bool, known: usize) -> Mail {
    let due = DueMail {
        items,
        is_reminder,
        known,
    };
    to("Northwind", named, |context| {
        let kind = MailKind::WaitingAlerts;
        waiting(MailContext { kind, ..context }, &due)
    })
}

#[test]
fn what_waits_is_one_mail_with_the_worst_first() {
    let mail = waiting_mail("Acme Dental", waiting_items(), false, 0);
    insta::assert_snapshot!(
        "waiting",
        format!("{}\n\n{}\n{}", mail.subject, mail.text, mail.html)
    );
    assert!(!mail.html.contains("<b>ID"), "{}", mail.html);
}

#[test]
fn a_mail_about_one_tenant_names_it_in_the_subject() {
    let one = vec![waiting_items().remove(0)];
    let mail = waiting_mail("Acme Dental", one.clone(), false, 1);
    assert_eq!(
        mail.subject,
        "Ticketbridge: Acme Dental sent alerts and is not mapped (1 critical) (Northwind)"
    );
    assert_says(&mail, "1 more problem of an earlier mail still waits.");
    let mail = waiting_mail("Acme Dental", one, true, 0);
    assert!(mail.subject.starts_with("Ticketbridge: still, Acme Dental"));
    assert_says(
        &mail,
        "still waits for a person, a week after the last mail",
    );
}

#[test]
fn a_long_list_is_cut_and_counted() {
    let tenants: Vec<String> = (0..25).map(|n| format!("tenant-{n:02}")).collect();
    let issue = |id: &String| Issue::Company {
        tenant: tenant(id),
        why: CompanyIssue::Missing,
    };
    let issues: Vec<_> = tenants.iter().map(issue).collect();
    let counts: Vec<_> = tenants.iter().map(|id| (id.as_str(), 1)).collect();
    let mut counts = blocked(&counts);
    counts.more = true;
    let mail = broken_mail("", &issues, &counts);
    let subject = "Ticketbridge: 25 things in ConnectWise stop tickets (Northwind)";
    assert_eq!(mail.subject, subject);
    assert_eq!(mail.text.matches("What to do").count(), 10);
    assert_says(&mail, "And 15 more. The page shows all of them.");
    assert_says(&mail, "At least 25 alerts are blocked by it: ");
    assert_says(&mail, "and 15 tenants more");
}

#[test]
fn held_closings_of_all_tenants_are_in_one_mail() {
    let stop = |closings| HeldClosings {
        digest: String::new(),
        closings,
        open: 60,
        since: time("2026-11-22T07:05:00Z"),
        approved: None,
        approved_at: None,
        notified_at: None,
    };
    let one = BTreeMap::from([(tenant("acme"), stop(42))]);
    let mail = to("Northwind", "Acme Dental", |context| held(context, &one));
    assert_says(
        &mail,
        "- 42 of 60 alerts of Acme Dental would have counted as resolved at once, on \
         22 November 2026 at 07:05 UTC.\n",
    );
    let many = (0..30).map(|n| (tenant(&format!("t{n}")), stop(30)));
    let mail = to("Northwind", "", |context| held(context, &many.collect()));
    assert_says(&mail, "And 20 more");
}

#[test]
fn a_weekly_report_has_the_figures_and_what_waits() {
    let waiting = WaitingSummary {
        items: waiting_items(),
        is_complete: true,
        blocked: BTreeMap::from([(
            BlockReason::Maintenance,
            BlockedAlerts {
                count: 4,
                oldest: time("2026-11-30T06:00:00Z"),
            },
        )]),
        ..WaitingSummary::default()
    };
    let broken = Health {
        taken_at: Some(time("2026-11-30T06:59:00Z")),
        sources: Some(incident(&[inactive()])),
        ..Health::default()
    };
    let facts = WeekFacts {
        week: Counts {
            raised: 120,
            created: 40,
            reopened: 1,
            noted: 70,
            closed: 30,
            closed_by_person: 8,
            late: 2,
            delay: Some(Delay {
                median: 3,
                p95: 125,
            }),
        },
        waiting: &waiting,
        health: &broken,
        mapped_tenants: 12,
        unmapped_tenants: 2,
        last_messages: BTreeMap::from([
            (scanner(), Some(time("2026-11-30T06:58:00Z"))),
            (
                SourceId::parse("src_9876543210abcdefghijklmnop").unwrap(),
                None,
            ),
        ]),
        held_closings: 42,
        now: time("2026-11-30T07:00:00Z"),
    };
    let report = |facts: &WeekFacts<'_>| {
        to("Northwind", "Acme Dental", |context| {
            let kind = MailKind::WeeklyReport;
            weekly(MailContext { kind, ..context }, facts)
        })
    };
    let mail = report(&facts);
    insta::assert_snapshot!("weekly", format!("{}\n\n{}", mail.subject, mail.text));
    assert!(!mail.html.contains("/setup/link"), "{}", mail.html);
    let nothing = WaitingSummary {
        is_complete: true,
        ..WaitingSummary::default()
    };
    let id = |n: usize| format!("src_{n}{}", "a".repeat(25));
    let quiet = WeekFacts {
        week: Counts::default(),
        waiting: &nothing,
        health: &Health::default(),
        last_messages: BTreeMap::from_iter((0..8).map(|n| {
            let source = SourceId::parse(id(n)).unwrap();
            (source, Some(time(&format!("2026-11-2{n}T07:00:00Z"))))
        })),
        held_closings: 0,
        ..facts
    };
    let mail = report(&quiet);
    assert_says(&mail, "Nothing waits for a person.");
    // Those that have been quiet for the longest time are named.
    let last = format!(
        "- Last message of {}: 24 November 2026 at 07:00 UTC\n\
         - Later messages came from 3 more sources\n",
        id(4)
    );
    assert_says(&mail, &last);
    assert!(!mail.text.contains(&id(5)), "{}", mail.text);
    assert!(!mail.text.contains("without a ticket now"), "{}", mail.text);
}

/// Names with markup, control characters and excessive length.
fn nasty() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<String>(),
        Just("\r\nBcc: all@b.de\r\n\r\n".to_owned()),
        Just("</p><script>alert(1)</script>".to_owned()),
        Just("\" onmouseover=\"x".to_owned()),
        Just("\u{202e}\u{0}\u{2028}\u{85}\t".to_owned()),
        Just("&amp;<b>".to_owned()),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_name_adds_a_line_a_header_or_markup(partner in nasty(), named in nasty()) {
        let issues = every_issue();
        let incident = incident(&issues);
        let counts = blocked(&[("acme", 3)]);
        let stops = BTreeMap::from([(tenant("acme"), HeldClosings {
        digest: String::new(),
            closings: 42, open: 60, since: time("2026-11-22T07:05:00Z"), approved: None, approved_at: None, notified_at: None,
        })]);
        let due = DueMail { items: waiting_items(), is_reminder: false, known: 2 };
        // The same mail without names has as many lines, and the same tags.
        let mails = |partner: &str, named: &str| to(partner, named, |context| {
            let new = BTreeSet::from([Issue::Company { tenant: tenant("acme"), why: CompanyIssue::Missing }]);
            [
                broken(context.clone(), IncidentScope::PartnerConfig, &incident, &counts),
                more(context.clone(), IncidentScope::PartnerConfig, &incident, &new, &counts),
                reminder(context.clone(), IncidentScope::Connection, &incident, &counts),
                works(context.clone(), IncidentScope::Connection, &incident, 3, &counts),
                broken(context.clone(), IncidentScope::Sources, &incident, &counts),
                works(context.clone(), IncidentScope::Sources, &incident, 0, &counts),
                waiting(context.clone(), &due),
                held(context, &stops),
            ]
        });
        let tags = |html: &str| html.matches('<').count();
        for (mail, plain) in mails(&partner, &named).iter().zip(&mails("P", "T")) {
            let unprintable = |text: &str| text.chars().any(|c| c != '\n' && domain::text::is_unprintable(c));
            prop_assert!(!mail.subject.contains(['\r', '\n']) && !unprintable(&mail.subject), "{:?}", mail.subject);
            prop_assert!(!unprintable(&mail.text), "{:?}", mail.text);
            prop_assert_eq!(mail.text.lines().count(), plain.text.lines().count());
            prop_assert_eq!(tags(&mail.html), tags(&plain.html), "{}", mail.html);
            prop_assert_eq!(mail.html.matches('"').count(), plain.html.matches('"').count());
        }
    }
}
