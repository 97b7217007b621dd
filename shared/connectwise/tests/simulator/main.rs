//! The client against the simulator. They share no type, so a misspelt member shows here.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a helper that panics fails the test; the tests are about both writers"
)]

mod boards;

use std::time::Duration;

use connectwise::{
    Client, Credentials, Error, ExternalXref, HostList, Http, NewNote, NewTicket, NoteDisplay,
    Origin, RecordCursor, SearchText, Ticket, TicketFilter, TicketWriter, company_info,
};
use connectwise_sim::{Seed, Simulator};
use domain::connection::breaker::CallOutcome;
use domain::setup::assignment::Assignee;
use domain::{Secret, TicketTarget};
use serde_json::{Value, json};
use tokio::time::Instant;

// Records of the simulator's demo seed.
const COMPANY: u64 = 301;
const BOARD: u64 = 21;
const IN_PROGRESS: u64 = 212;
const CLOSED: u64 = 214;
const INCIDENT: u64 = 2101;
const CRITICAL: u64 = 31;
const HIGH: u64 = 32;

type Change<T> = fn(&mut T);

/// A simulated site and a client for it.
struct SimulatedSite {
    sim: Simulator,
    http: Http,
    credentials: Credentials,
    client: Client,
    /// For the simulator's control API.
    control: reqwest::Client,
}

impl SimulatedSite {
    async fn start() -> Self {
        Self::of(Seed::demo()).await
    }

    async fn of(seed: Seed) -> Self {
        let keys = seed.integration().unwrap();
        let sim = Simulator::start(seed, ([127, 0, 0, 1], 0).into())
            .await
            .unwrap();
        let http = Http::new(HostList::new([sim.base_url()]).unwrap()).unwrap();
        let credentials = Credentials {
            origin: Origin::parse(&sim.base_url()).unwrap(),
            company_id: keys.company_id,
            public_key: keys.public_key,
            private_key: Secret::new(keys.private_key),
            client_id: Secret::new(keys.client_id),
        };
        let client = Client::new(&http, credentials.clone()).unwrap();
        // reqwest needs a TLS provider even for a plain address.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let control = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(5));
        let control = control.build().unwrap();
        Self {
            sim,
            http,
            credentials,
            client,
            control,
        }
    }

    /// Replaces the client by one without a pause.
    fn forget_pauses(&mut self) {
        self.client = Client::new(&self.http, self.credentials.clone()).unwrap();
    }

    async fn faults(&self, faults: Value) {
        let url = format!("{}/_sim/faults", self.sim.base_url());
        let answer = self.control.put(url).json(&faults).send().await.unwrap();
        assert!(
            answer.status().is_success(),
            "{}",
            answer.text().await.unwrap()
        );
    }

    async fn set_fault(&self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        self.faults(json!({ name: value })).await;
    }

    fn writer(&self) -> TicketWriter {
        self.client.ticket_writer()
    }

    async fn create(&self, xref: &str) -> Result<Ticket, Error> {
        self.writer().create(&new_ticket(xref), soon()).await
    }

    /// Counts the tickets that carry this reference.
    async fn count_tickets(&self, xref: &str) -> usize {
        let xref = ExternalXref::parse(xref).unwrap();
        self.client
            .tickets_by_external_xref(&[&xref], soon())
            .await
            .unwrap()
            .len()
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

fn new_ticket(xref: &str) -> NewTicket {
    NewTicket {
        summary: "Disk full".to_owned(),
        company: COMPANY,
        board: Some(BOARD),
        status: None,
        type_: Some(INCIDENT),
        sub_type: None,
        item: None,
        priority: Some(HIGH),
        source: None,
        contact: None,
        assignee: Assignee::default(),
        custom_fields: vec![],
        estimated_start_date: "2026-04-01T08:00:00Z".parse().unwrap(),
        initial_description: "C: is full\non PC-7".to_owned(),
        external_xref: ExternalXref::parse(xref).unwrap(),
    }
}

fn name(reference: Option<&connectwise::Reference>) -> &str {
    reference.map_or("-", |reference| reference.name.as_str())
}

#[tokio::test]
async fn a_ticket_is_created_found_noted_and_closed() {
    let site = SimulatedSite::start().await;
    let made = site.create("tb1-a-1").await.unwrap();
    assert_eq!(
        (name(made.board.as_ref()), name(made.status.as_ref())),
        ("Service Desk", "New")
    );
    assert_eq!(
        (name(made.type_.as_ref()), name(made.priority.as_ref())),
        ("Incident", "Priority 2 - High")
    );
    assert_eq!(made.company.as_ref().unwrap().identifier, "AcmeDental");
    assert_eq!(made.external_xref.as_deref(), Some("tb1-a-1"));
    assert!(made.info.date_entered.is_some() && made.info.last_updated.is_some());
    assert_eq!(site.client.ticket(made.id, soon()).await.unwrap(), made);

    let writer = site.writer();
    let urgent = writer
        .set_priority(made.id, CRITICAL, soon())
        .await
        .unwrap();
    assert_eq!(name(urgent.priority.as_ref()), "Priority 1 - Critical");
    let moved = writer
        .set_status(made.id, IN_PROGRESS, soon())
        .await
        .unwrap();
    assert_eq!(
        (name(moved.status.as_ref()), moved.closed_flag),
        ("In Progress", false)
    );
    let new_note = NewNote {
        text: "resolved [tb c1]".to_owned(),
        display: NoteDisplay::InternalAndResolution,
    };
    let note = writer.add_note(made.id, &new_note, soon()).await.unwrap();
    assert!(note.internal_analysis_flag && note.resolution_flag && !note.detail_description_flag);
    let notes = site.client.ticket_notes(made.id, soon()).await.unwrap();
    assert!(notes.contains(&note), "{notes:?}");

    let closed = writer.close(made.id, CLOSED, soon()).await.unwrap();
    assert!(closed.closed_flag);
    assert_eq!(site.count_tickets("tb1-a-1").await, 1);
    assert_eq!(site.count_tickets("tb1-a-2").await, 0);
}

#[tokio::test]
async fn tickets_are_found_by_reference_and_by_prefix() {
    let site = SimulatedSite::start().await;
    let prefix = ExternalXref::parse("tb1-").unwrap();
    let is_any = async || {
        let any = site
            .client
            .any_ticket_by_external_xref_prefix(&prefix, soon());
        any.await.unwrap()
    };
    assert!(!is_any().await);
    for xref in ["tb1-a-1", "tb1-b-1", "tb1-b-2"] {
        site.create(xref).await.unwrap();
    }
    let [a, b, none] =
        ["tb1-a-1", "tb1-b-1", "tb1-c-1"].map(|xref| ExternalXref::parse(xref).unwrap());
    let searched = [&none, &a, &b];
    let found = site.client.tickets_by_external_xref(&searched, soon());
    assert_eq!(found.await.unwrap().len(), 2);
    let prefix_b = ExternalXref::parse("tb1-b").unwrap();
    let found = site
        .client
        .tickets_by_external_xref_prefix(&prefix_b, soon());
    assert_eq!(found.await.unwrap().len(), 2);
    assert!(is_any().await);
}

#[tokio::test]
async fn companies_are_listed_and_searched_with_their_flags() {
    let site = SimulatedSite::start().await;
    let all = site.client.company_page(RecordCursor::START, soon());
    let all = all.await.unwrap();
    let count = site.client.company_count(soon()).await.unwrap();
    assert_eq!((all.items.len() as u64, all.next), (count, None));
    let against: Vec<_> = all
        .items
        .iter()
        .filter(|company| company.deleted_flag || name(company.status.as_ref()) != "Active")
        .map(|c| (c.id, c.deleted_flag, name(c.status.as_ref())))
        .collect();
    let expected = [
        (304, true, "Active"),
        (305, false, "Inactive"),
        (308, false, "Credit Hold"),
    ];
    assert_eq!(against, expected);
    assert_eq!(
        site.client.company(304, soon()).await.unwrap(),
        all.items[4]
    );
    let missing = site.client.company(1, soon()).await.unwrap_err();
    assert!(matches!(missing, Error::NotFound { .. }), "{missing:?}");

    let table: [(&str, &[u64]); 7] = [
        ("acme", &[301]),
        ("  Cedar\tValley ", &[303, 304]),
        ("cedarvalleyold", &[304]),
        ("Sons \"Roofing\"", &[302]),
        ("Baker & Sons", &[302]),
        ("É", &[306]),
        ("\") or (id>0 and name contains \"", &[]),
    ];
    for (typed, expected) in table {
        let text = SearchText::parse(typed).unwrap();
        let found = site
            .client
            .companies_matching(&text, RecordCursor::START, soon());
        let found = found.await.unwrap();
        let ids: Vec<u64> = found.items.iter().map(|company| company.id).collect();
        assert_eq!((ids.as_slice(), found.next), (expected, None), "{typed}");
    }
}

#[tokio::test]
async fn companies_are_read_by_number_deleted_ones_too() {
    let site = SimulatedSite::start().await;
    let asked = async |ids: &[u64]| {
        let found = site.client.companies_with(ids, soon()).await;
        found.map(|found| {
            let of = found.iter();
            of.map(|company| (company.id, company.deleted_flag))
                .collect::<Vec<_>>()
        })
    };
    let found = asked(&[304, 999, 301]).await.unwrap();
    assert_eq!(found, [(301, false), (304, true)]);
    assert_eq!(asked(&[]).await.unwrap(), []);
    // As many as one call takes, with numbers as long as ConnectWise's.
    let most: Vec<u64> = (0..100).map(|n| 2_147_483_000 + n).collect();
    assert_eq!(asked(&most).await.unwrap(), []);
    let too_many: Vec<u64> = (0..101).collect();
    let refused = asked(&too_many).await.unwrap_err();
    assert!(matches!(refused, Error::Rejected { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_long_list_is_read_by_pages_and_continued() {
    let demo = include_str!("../../../../tests/connectwise-sim/seed.json");
    let mut seed: Value = serde_json::from_str(demo).unwrap();
    let companies = seed["companies"].as_array_mut().unwrap();
    for id in 1_001..=3_300_u64 {
        let name = format!("Branch {id}");
        companies.push(json!({ "id": id, "identifier": format!("B{id}"), "name": name, "status": { "id": 1 } }));
    }
    let total = companies.len();
    let site = SimulatedSite::of(Seed::from_json(&seed.to_string()).unwrap()).await;

    let (mut ids, mut pages, mut from) = (Vec::new(), Vec::new(), RecordCursor::START);
    loop {
        let page = site.client.company_page(from, soon()).await.unwrap();
        pages.push(page.items.len());
        ids.extend(page.items.iter().map(|company| company.id));
        let Some(next) = page.next else { break };
        // Stored and read again, as another process would do.
        from = serde_json::from_str(&serde_json::to_string(&next).unwrap()).unwrap();
    }
    assert_eq!(pages, [1_000, 1_000, total - 2_000]);
    assert_eq!(ids.len(), total);
    assert!(ids.is_sorted_by(|a, b| a < b));
    assert_eq!(
        site.client.company_count(soon()).await.unwrap(),
        total as u64
    );

    let branches = SearchText::parse("branch 1").unwrap();
    let first = site
        .client
        .companies_matching(&branches, RecordCursor::START, soon());
    let first = first.await.unwrap();
    assert_eq!((first.items.len(), first.items[0].id), (100, 1_001));
    let second = site
        .client
        .companies_matching(&branches, first.next.unwrap(), soon());
    assert_eq!(second.await.unwrap().items[0].id, 1_101);
}

#[tokio::test]
async fn a_listing_returns_matching_tickets_and_their_members() {
    let site = SimulatedSite::start().await;
    let others = site.create("other-1").await.unwrap();
    let mut made = Vec::new();
    for xref in ["tb1-a-1", "tb1-b-1", "tb1-b-2"] {
        made.push(site.create(xref).await.unwrap());
    }
    let closed = site.writer().close(made[0].id, CLOSED, soon()).await;
    let closed = closed.unwrap();
    let ours = || TicketFilter::beginning(ExternalXref::parse("tb1-").unwrap());
    let first_page = async |filter: &TicketFilter| {
        let page = site.client.ticket_page(filter, RecordCursor::START, soon());
        page.await.unwrap()
    };
    let table: [(TicketFilter, &[usize]); 2] = [(ours(), &[0, 1, 2]), (ours().open(), &[1, 2])];
    for (filter, expected) in table {
        let page = first_page(&filter).await;
        let ids: Vec<u64> = page.items.iter().map(|ticket| ticket.id).collect();
        let expected: Vec<u64> = expected.iter().map(|&n| made[n].id).collect();
        assert_eq!((&ids, page.next), (&expected, None), "{filter:?}");
    }
    // A listed ticket has the members that reconcile reads, as one that is read alone.
    let page = first_page(&ours()).await;
    let alone = site.client.ticket(closed.id, soon()).await.unwrap();
    assert_eq!(alone, closed);
    assert_eq!(alone.severity.as_deref(), Some("Medium"));
    let listed = Ticket {
        severity: None,
        impact: None,
        ..alone
    };
    assert_eq!(page.items[0], listed);
    assert!(page.items.iter().all(|ticket| ticket.id != others.id));
}

#[tokio::test]
async fn set_up_reads_members_locations_and_teams() {
    let site = SimulatedSite::start().await;
    let members = site.client.members(soon()).await.unwrap();
    let shown: Vec<_> = members
        .iter()
        .map(|m| (m.identifier.as_str(), m.last_name.as_str(), m.inactive_flag))
        .collect();
    let expected = [
        ("TSmith", "Smith", false),
        ("JMiller", "Miller", false),
        ("OldTimer", "Timer", true),
    ];
    assert_eq!(shown, expected);
    let departments = site.client.departments(soon()).await.unwrap();
    let first = &departments[0];
    let shown = (first.id, first.identifier.as_str(), first.name.as_str());
    assert_eq!(shown, (10, "Services", "Professional Services"));
    let locations = site.client.locations(soon()).await.unwrap();
    let places: Vec<_> = locations.iter().map(|l| (l.id, l.name.as_str())).collect();
    assert_eq!(places, [(2, "Springfield"), (3, "Shelbyville")]);
    let teams = site.client.teams(soon()).await.unwrap();
    let team = &teams[0];
    let leader = team.leader.as_ref().unwrap();
    let shown = (team.name.as_str(), leader.id, leader.identifier.as_str());
    assert_eq!(shown, ("Service Team", 151, "TSmith"));
    let shown = (name(team.location.as_ref()), name(team.department.as_ref()));
    assert_eq!(shown, ("Springfield", "Professional Services"));
    let boards = site.client.boards(soon()).await.unwrap();
    let infos = site.client.board_infos(soon()).await.unwrap();
    let names = |boards: &[connectwise::Board]| {
        boards
            .iter()
            .map(|board| (board.id, board.name.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&infos), names(&boards));
    // Without the right to set-up tables, the second endpoint still answers.
    site.set_fault("missing_rights", ["table_setup.inquire"])
        .await;
    let refused = site.client.boards(soon()).await.unwrap_err();
    let right = "table_setup.inquire";
    assert_eq!(refused, Error::MissingRight { right });
    assert_eq!(site.client.board_infos(soon()).await.unwrap(), infos);
}

#[tokio::test]
async fn set_up_reads_its_member_board_and_priorities() {
    let site = SimulatedSite::start().await;
    let me = site.client.my_member(soon()).await.unwrap();
    assert_eq!(
        (me.identifier.as_str(), me.license_class.as_deref()),
        ("Ticketbridge", Some("A"))
    );
    assert_eq!(name(me.service_default_board.as_ref()), "Service Desk");

    let boards = site.client.boards(soon()).await.unwrap();
    let desk = boards.iter().find(|board| board.id == BOARD).unwrap();
    assert_eq!(
        (desk.name.as_str(), name(desk.location.as_ref())),
        ("Service Desk", "Springfield")
    );
    let statuses = site.client.board_statuses(BOARD, soon()).await.unwrap();
    let shown: Vec<_> = statuses
        .iter()
        .map(|s| (s.id, s.default_flag, s.closed_status, s.inactive))
        .collect();
    let expected = [
        (211, true, false, false),
        (212, false, false, false),
        (213, false, false, false),
        (214, false, true, false),
        (215, false, false, true),
    ];
    assert_eq!(shown, expected);
    let types = site.client.board_types(BOARD, soon()).await.unwrap();
    assert!(
        types
            .iter()
            .any(|t| t.id == INCIDENT && t.name == "Incident" && t.default_flag)
    );
    let priorities = site.client.priorities(soon()).await.unwrap();
    assert!(
        priorities
            .iter()
            .any(|p| p.id == 33 && p.default_flag && p.sort_order == Some(3))
    );

    let origin = Origin::parse(&site.sim.base_url()).unwrap();
    let known = company_info(&site.http, &origin, "tbdemo", soon())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(known.company_name, "Northwind Managed IT");
    for unknown in ["null", "not_found"] {
        site.set_fault("variants", json!({ "company_info_unknown": unknown }))
            .await;
        assert_eq!(
            company_info(&site.http, &origin, "unknown", soon()).await,
            Ok(None)
        );
    }
}

#[tokio::test]
async fn a_missing_reference_of_a_ticket_is_named() {
    let site = SimulatedSite::start().await;
    let good = new_ticket("tb1-a-1");
    let table: [(TicketTarget, Change<NewTicket>); 7] = [
        (TicketTarget::Board, |new| {
            (new.board, new.type_) = (Some(999), None);
        }),
        (TicketTarget::Status, |new| new.status = Some(999)),
        (TicketTarget::Type, |new| new.type_ = Some(999)),
        (TicketTarget::Priority, |new| new.priority = Some(999)),
        (TicketTarget::Company, |new| new.company = 999),
        (TicketTarget::Team, |new| new.assignee.team = Some(999)),
        // The member is inactive.
        (TicketTarget::Owner, |new| new.assignee.owner = Some(153)),
    ];
    for (expected, change) in table {
        let mut new = good.clone();
        change(&mut new);
        let error = site.writer().create(&new, soon()).await.unwrap_err();
        assert!(
            matches!(&error, Error::TargetMissing { target, .. } if *target == expected),
            "{expected}: {error:?}"
        );
    }
    let long = NewTicket {
        summary: "x".repeat(101),
        ..good
    };
    let error = site.writer().create(&long, soon()).await.unwrap_err();
    assert!(
        matches!(&error, Error::Rejected { words } if words.contains("maximum length of 100")),
        "{error:?}"
    );
    let error = site.client.ticket(1, soon()).await.unwrap_err();
    assert!(
        matches!(&error, Error::NotFound { what } if what == "Ticket 1 not found"),
        "{error:?}"
    );
    assert_eq!(site.count_tickets("tb1-a-1").await, 0);
}

#[tokio::test]
async fn refused_keys_and_client_ids_are_recognized() {
    let site = SimulatedSite::start().await;
    for body in ["unauthorized", "user_not_authenticated"] {
        site.faults(json!({ "keys": "revoked", "variants": { "unauthorized_body": body } }))
            .await;
        assert_eq!(site.create("tb1-a-1").await, Err(Error::KeysRefused));
    }
    site.faults(json!({ "keys": "ok", "client_id": "refused" }))
        .await;
    for status in [400, 401, 403] {
        site.set_fault("variants", json!({ "client_id_status": status }))
            .await;
        assert_eq!(
            site.create("tb1-a-1").await,
            Err(Error::ClientIdRefused),
            "{status}"
        );
    }
    site.set_fault("client_id", "ok").await;

    site.create("tb1-a-1").await.unwrap();
}

#[tokio::test]
async fn a_refusal_names_the_right_that_the_call_needs() {
    let site = SimulatedSite::start().await;
    let id = site.create("tb1-a-1").await.unwrap().id;
    let (client, writer) = (&site.client, site.writer());
    let note = NewNote {
        text: "n".to_owned(),
        display: NoteDisplay::Internal,
    };
    let table: [(&'static str, &[&str]); 5] = [
        ("close_service_tickets.edit", &["close"]),
        ("service_tickets.add", &["create", "note"]),
        ("service_tickets.edit", &["patch"]),
        ("service_tickets.inquire", &["read"]),
        ("table_setup.inquire", &["boards"]),
    ];
    for (right, expected) in table {
        site.set_fault("missing_rights", [right]).await;
        let mut calls = vec![
            ("create", site.create("tb1-b-1").await.err()),
            ("note", writer.add_note(id, &note, soon()).await.err()),
            ("patch", writer.set_priority(id, HIGH, soon()).await.err()),
            ("read", client.ticket(id, soon()).await.err()),
            ("boards", client.boards(soon()).await.err()),
        ];
        // Closing needs both rights, and a refusal does not say which is missing. So it is tried
        // only where the right to edit is there.
        if right != "service_tickets.edit" {
            calls.push(("close", writer.close(id, CLOSED, soon()).await.err()));
        }
        let refused: Vec<_> = calls
            .into_iter()
            .filter_map(|(call, error)| Some((call, error?)))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|call| (*call, Error::MissingRight { right }))
            .collect();
        assert_eq!(refused, expected, "{right}");
    }
}

#[tokio::test]
async fn a_lost_late_or_cut_response_is_uncertain_and_the_ticket_exists() {
    let site = SimulatedSite::start().await;
    for (xref, faults) in [
        ("tb1-a-1", json!({ "lost_answer_rate": 1.0 })),
        (
            "tb1-b-1",
            json!({ "lost_answer_rate": 0.0, "truncate_rate": 1.0 }),
        ),
        (
            "tb1-c-1",
            json!({ "truncate_rate": 0.0, "late_commit": { "rate": 1.0, "seconds": 0.2 } }),
        ),
    ] {
        site.faults(faults).await;
        let error = site.create(xref).await.unwrap_err();
        assert!(error.classify().is_uncertain(), "{error:?}");
        site.faults(json!({ "lost_answer_rate": 0.0, "truncate_rate": 0.0, "late_commit": { "rate": 0.0 } })).await;
        let deadline = soon();
        while site.count_tickets(xref).await == 0 {
            assert!(Instant::now() < deadline, "{xref} was never created");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(site.count_tickets(xref).await, 1);
    }
}

#[tokio::test]
async fn a_throttled_or_failed_create_makes_no_ticket() {
    let mut site = SimulatedSite::start().await;
    for (form, least, most) in [
        ("seconds", 29, 30),
        ("date", 28, 31),
        ("absent", 30, 30),
        ("absurd", 1, 3600),
    ] {
        // Setting faults starts a new minute: the read is allowed, the create is one too many.
        let faults = json!({ "rate_limit_per_minute": 1, "variants": { "retry_after": form } });
        site.faults(faults).await;
        site.client.priorities(soon()).await.unwrap();
        let error = site.create("tb1-b-1").await.unwrap_err();
        let Error::Throttled { retry_after } = error else {
            panic!("{form}: {error:?}");
        };
        assert!(
            (least..=most).contains(&retry_after.as_secs()),
            "{form}: {retry_after:?}"
        );
        site.set_fault("rate_limit_per_minute", 0).await;
        let waits = site.client.clone().priorities(soon()).await.unwrap_err();
        assert!(
            matches!(waits, Error::Throttled { retry_after: left } if left <= retry_after),
            "no clone calls before that: {waits:?}"
        );
        site.forget_pauses();
    }
    site.set_fault("outage", true).await;
    let error = site.create("tb1-b-1").await.unwrap_err();
    assert!(
        matches!(error, Error::ServerError { status: 503, .. }),
        "{error:?}"
    );
    site.faults(json!({ "outage": false, "latency_ms": 5000 }))
        .await;
    let hurried = Instant::now() + Duration::from_millis(300);
    let late = site.writer().create(&new_ticket("tb1-b-1"), hurried).await;
    let error = late.unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error:?}");
}

#[tokio::test]
async fn a_false_success_shows_in_the_returned_ticket() {
    let site = SimulatedSite::start().await;
    let id = site.create("tb1-a-1").await.unwrap().id;
    site.set_fault("variants", json!({ "false_200_rate": 1.0 }))
        .await;
    let answered = site.writer().close(id, CLOSED, soon()).await.unwrap();
    assert!(!answered.closed_flag);
}

#[tokio::test]
async fn a_wrong_company_counts_against_the_connection() {
    let site = SimulatedSite::start().await;
    let credentials = Credentials {
        company_id: "unknown".to_owned(),
        ..site.credentials.clone()
    };
    let client = Client::new(&site.http, credentials).unwrap();
    let fails = CallOutcome::Fails { timed_out: false };
    for (variant, expected, outcome) in [
        ("not_found", "NotRouted", fails.clone()),
        ("unauthorized", "KeysRefused", CallOutcome::Refused),
        ("cannot_route", "NotRouted", fails),
    ] {
        site.set_fault("variants", json!({ "wrong_company": variant }))
            .await;
        let error = client.my_member(soon()).await.unwrap_err();
        assert!(
            format!("{error:?}").starts_with(expected),
            "{variant}: {error:?}"
        );
        assert_eq!(error.classify().outcome, outcome, "{variant}");
    }
}
