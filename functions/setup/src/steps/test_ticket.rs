//! "Test ticket": an alert that is marked as a test, asked for and closed here, at any time. It takes the way that every alert takes, so
//! what is shown here is read from its record.

use aws::invocation::Invocation;
use axum::Extension;
use connections::{PartnerConfig, View};
use domain::kind::Category;
use domain::message::Message;
use domain::record::{Actual, ClosedBy, Record};
use domain::settings::{LiveConnection, Mapping};
use domain::{
    AlertId, AlertKey, Blocked, Kind, PartnerId, RecordId, SourceId, TenantId, test_alert,
};
use jiff::Timestamp;
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use store::{Actor, Connection, PartnerItems, TestTicket, Versioned};

use crate::answer::{ChangeResponse, PageResponse, Problem, saved};
use crate::input::{Input, QueryParams, id};
use crate::page::{self, Step};
use crate::session::Session;
use crate::steps::overview::After;
use crate::{Setup, State};

/// Where it is closed.
pub(crate) const CLOSE: &str = "/setup/test/close";
const PATH: &str = Step::Test.path();

/// The page.
#[derive(Debug, Serialize)]
struct Page {
    /// The test that was asked for last.
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Last>,
    /// Whom a test can be asked for.
    tenants: Vec<Choice>,
    /// Why none can be asked for now.
    #[serde(skip_serializing_if = "Option::is_none")]
    hindrance: Option<&'static str>,
}

/// A mapped tenant.
#[derive(Debug, Serialize)]
struct Choice {
    id: TenantId,
    name: String,
    company: String,
}

#[derive(Debug, Serialize)]
struct Last {
    tenant: TenantId,
    tenant_name: String,
    category: Category,
    asked_at: Timestamp,
    #[serde(flatten)]
    stands: Stands,
    /// The ticket's number, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<RecordId>,
    /// Somebody may say that it is gone.
    can_close: bool,
}

/// Where a test stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum Stands {
    /// On its way.
    Waiting,
    /// Held up, and by what.
    Blocked { reason: String, why: String },
    /// The ticket is there.
    Open,
    /// Somebody said that it is gone, and its ticket is still there.
    Closing,
    /// The ticket was there, and how it ended.
    Closed { how: &'static str },
    /// It was gone before there was a ticket.
    Withdrawn,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Wish {
    tenant: String,
    category: Category,
}

/// Shows the last test, and offers the next.
pub(crate) async fn show(
    setup: State,
    session: Session,
    QueryParams(after): QueryParams<After>,
) -> Result<PageResponse, Problem> {
    let page = read(&setup, &session.partner).await?;
    let middle = html(&page, &session);
    let markup = page::step(&session, Step::Test, after.done.as_deref(), &middle);
    Ok(PageResponse::of(&page, markup))
}

/// Asks for a test. It is noted first and sent then: if the process dies in between, asking for the same again sends the same alert.
pub(crate) async fn ask(
    setup: State,
    session: Session,
    Extension(invocation): Extension<Invocation>,
    Input(wish): Input<Wish>,
) -> Result<ChangeResponse, Problem> {
    let partner = &session.partner;
    let tenant: TenantId = id("tenant", wish.tenant)?;
    let (kind, mapping) = possible(&setup, partner, &tenant, wish.category).await?;
    let known = setup.table().test_ticket.get(partner).await?;
    let test = match unfinished(&setup, partner, known.value).await? {
        // Nobody has heard of it yet: it may never have been sent.
        Some((test, None)) if test.tenant == tenant && test.category == wish.category => test,
        Some(_) => {
            return Err(Problem::refused(
                "There is a test that is not closed. Close it before you ask for another.",
            ));
        }
        None => {
            let test = TestTicket {
                tenant,
                alert_id: AlertId::of_test(invocation.now()),
                kind,
                category: wish.category,
                asked_at: invocation.now(),
                gone: false,
            };
            save(&setup, partner, &test, known.version).await?;
            test
        }
    };
    let raised = test_alert::raised(
        key(partner, &test),
        test.kind.clone(),
        test.category,
        mapping.name,
        test.asked_at,
    );
    send(&setup, Message::Event(raised)).await?;
    let detail = [
        ("tenant", test.tenant.to_string()),
        ("board", board(test.category).to_owned()),
    ];
    let (who, what) = (Actor::Partner, "test_asked");
    setup.done(partner, who, what, &detail, &invocation).await;
    // Before a partner confirms, its connection is tried for a test alone.
    let now = invocation.now();
    setup.connections.schedule_probe(partner, now).await?;
    Ok(ChangeResponse::next(format!("{PATH}?done=test_asked")))
}

/// Says that the test is gone. It is sent first and noted then: if the process dies in between, the ticket is closed and the page
/// shows that.
pub(crate) async fn close(
    setup: State,
    session: Session,
    Extension(invocation): Extension<Invocation>,
) -> Result<ChangeResponse, Problem> {
    let partner = &session.partner;
    let known = setup.table().test_ticket.get(partner).await?;
    let test = known
        .value
        .ok_or_else(|| Problem::refused("There is no test to close."))?;
    let done = ChangeResponse::next(format!("{PATH}?done=test_closed"));
    if test.gone {
        return Ok(done);
    }
    let resolved = test_alert::resolved(key(partner, &test), test.asked_at, invocation.now());
    send(&setup, Message::Event(resolved)).await?;
    let detail = [("tenant", test.tenant.to_string())];
    let (who, what) = (Actor::Partner, "test_closed");
    setup.done(partner, who, what, &detail, &invocation).await;
    let gone = TestTicket { gone: true, ..test };
    save(&setup, partner, &gone, known.version).await?;
    Ok(done)
}

/// The kind of a test that can be made, and its tenant's mapping; or what is to be set up first.
async fn possible(
    setup: &Setup,
    partner: &PartnerId,
    tenant: &TenantId,
    category: Category,
) -> Result<(Kind, Mapping), Problem> {
    let source = SourceId::of_set_up();
    let (table, access) = (setup.table(), setup.access());
    let items = PartnerItems::read(table, access, partner, tenant, &source).await?;
    let connection = items.connection.clone();
    let view = View::of(items, &source).view;
    let Some(live) = view.connection else {
        return Err(Problem::refused(hindrance(connection.as_ref())));
    };
    let mapped = view.mapping.filter(|mapping| mapping.company.is_some());
    let Some(mapping) = mapped else {
        let detail = "This tenant has no company in ConnectWise yet. Choose one under Tenants.";
        return Err(Problem::invalid("tenant", detail));
    };
    let Some(kind) = test_alert::kind_for(category, &live.settings) else {
        let detail =
            "All kinds of alert of this board are switched off. Switch one on under Tickets.";
        return Err(Problem::invalid("category", detail));
    };
    Ok((kind, mapping))
}

/// What is missing where there is no connection over which a test could go.
fn hindrance(connection: Option<&Connection>) -> &'static str {
    match connection {
        None => "Connect your ConnectWise first.",
        Some(connection) if connection.suspended => {
            "Your account is switched off. Ask whoever runs Ticketbridge for you."
        }
        Some(_) => "Choose the boards first: it is not said yet where tickets go.",
    }
}

/// The test that is not over, with its record.
async fn unfinished(
    setup: &Setup,
    partner: &PartnerId,
    test: Option<TestTicket>,
) -> Result<Option<(TestTicket, Option<Record>)>, store::Error> {
    let Some(test) = test.filter(|test| !test.gone) else {
        return Ok(None);
    };
    let record = setup.alerts.get(&key(partner, &test)).await?;
    Ok(match stands(&test, record.as_ref()) {
        Stands::Closed { .. } | Stands::Withdrawn => None,
        Stands::Waiting | Stands::Blocked { .. } | Stands::Open | Stands::Closing => {
            Some((test, record))
        }
    })
}

async fn save(
    setup: &Setup,
    partner: &PartnerId,
    test: &TestTicket,
    version: u64,
) -> Result<(), Problem> {
    let table = setup.table();
    saved(table.test_ticket.save(partner, test, version).await?)?;
    Ok(())
}

async fn send(setup: &Setup, message: Message) -> Result<(), Problem> {
    setup.queue.send_all(&[message]).await.map_err(|err| {
        tracing::error!(error = %err, "failed to queue a test alert");
        Problem::unavailable("The test could not be sent. Press the button again.")
    })
}

fn key(partner: &PartnerId, test: &TestTicket) -> AlertKey {
    test_alert::key(partner.clone(), test.tenant.clone(), test.alert_id.clone())
}

async fn read(setup: &Setup, partner: &PartnerId) -> Result<Page, Problem> {
    let (set_up, test) = tokio::join!(
        setup.connections.set_up(partner),
        setup.table().test_ticket.get(partner),
    );
    let (
        PartnerConfig {
            items, mappings, ..
        },
        Versioned { value: test, .. },
    ) = (set_up?, test?);
    let last = match test {
        Some(test) => {
            let record = setup.alerts.get(&key(partner, &test)).await?;
            Some(last(test, record.as_ref(), |tenant| {
                mappings
                    .get(tenant)
                    .and_then(|mapping| mapping.name.clone())
            }))
        }
        None => None,
    };
    let connection = items.connection.clone();
    let live = View::of(items, &SourceId::of_set_up()).view.connection;
    let Some(LiveConnection { epoch, .. }) = live else {
        return Ok(Page {
            last,
            tenants: vec![],
            hindrance: Some(hindrance(connection.as_ref())),
        });
    };
    let mappings = mappings.into_iter();
    let mut tenants: Vec<_> = mappings
        .filter_map(|(id, mapping)| choice(id, mapping.in_epoch(epoch)))
        .collect();
    tenants.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
    let hindrance = tenants
        .is_empty()
        .then_some("No tenant has a company in ConnectWise yet. Choose one under Tenants.");
    Ok(Page {
        last,
        tenants,
        hindrance,
    })
}

fn choice(id: TenantId, mapping: Mapping) -> Option<Choice> {
    let company = mapping.company?;
    Some(Choice {
        name: mapping.name.unwrap_or_else(|| id.to_string()),
        company: mapping
            .company_name
            .unwrap_or_else(|| format!("company {company}")),
        id,
    })
}

fn last(
    test: TestTicket,
    record: Option<&Record>,
    name: impl FnOnce(&TenantId) -> Option<String>,
) -> Last {
    let stands = stands(&test, record);
    let may = match stands {
        Stands::Waiting | Stands::Blocked { .. } | Stands::Open => true,
        Stands::Closing | Stands::Closed { .. } | Stands::Withdrawn => false,
    };
    let ticket = record.and_then(|record| match &record.actual {
        Some(Actual::Open(open)) => Some(open.ticket_id),
        Some(Actual::Closed(closed)) => Some(closed.ticket_id),
        None => None,
    });
    Last {
        tenant_name: name(&test.tenant).unwrap_or_else(|| test.tenant.to_string()),
        tenant: test.tenant,
        category: test.category,
        asked_at: test.asked_at,
        stands,
        ticket,
        can_close: may && !test.gone,
    }
}

/// Where a test stands, by its record.
fn stands(test: &TestTicket, record: Option<&Record>) -> Stands {
    let Some(record) = record else {
        return match test.gone {
            true => Stands::Withdrawn,
            false => Stands::Waiting,
        };
    };
    if let Some(blocked) = &record.blocked {
        return Stands::Blocked {
            reason: blocked.reason.to_string(),
            why: why(&blocked.reason),
        };
    }
    match &record.actual {
        Some(Actual::Open(_)) if test.gone => Stands::Closing,
        Some(Actual::Open(_)) => Stands::Open,
        Some(Actual::Closed(closed)) => Stands::Closed {
            how: match closed.by {
                ClosedBy::Us => "It is closed.",
                ClosedBy::Technician => "Somebody closed it in ConnectWise.",
                ClosedBy::Deleted => "Somebody deleted it in ConnectWise.",
                ClosedBy::Moved => {
                    "Somebody gave it to another company or use in ConnectWise, so it is left alone."
                }
                ClosedBy::OutOfReach => {
                    "It is in the ConnectWise that was connected before, so it is left alone."
                }
            },
        },
        // A ticket whose creation was not confirmed is looked for.
        None if record.desired.active || record.claim.is_some() => Stands::Waiting,
        None => Stands::Withdrawn,
    }
}

/// What holds a test up, for the person who can mend it.
fn why(blocked: &Blocked) -> String {
    match blocked {
        Blocked::NotSetUp => {
            "The boards are not chosen for this connection, or your account is switched off."
                .to_owned()
        }
        Blocked::Unmapped => {
            "The tenant has no company in ConnectWise. Choose one under Tenants."
                .to_owned()
        }
        Blocked::TenantDisabled => "The tenant is switched off.".to_owned(),
        Blocked::KindDisabled => {
            "Alerts of this kind are switched off. Switch them on under Tickets.".to_owned()
        }
        Blocked::ConnectionBroken => {
            "ConnectWise refuses the connection. Check connection says what is wrong.".to_owned()
        }
        Blocked::ConnectionUnavailable => {
            "ConnectWise has not answered for a while. The test goes on as soon as it does."
                .to_owned()
        }
        Blocked::Throttled => {
            "ConnectWise takes no more calls for a while. The test goes on by itself when that is over."
                .to_owned()
        }
        Blocked::Deferred => {
            "It was tried many times in a row. It is tried again by itself in some minutes."
                .to_owned()
        }
        Blocked::MissingRight(right) => format!(
            "The API member lacks the right {right}. Check connection says where to grant it; the test goes on then."
        ),
        Blocked::TargetGone(target) => format!(
            "ConnectWise does not take the {target} that is set up. Choose another, and the test goes on."
        ),
        Blocked::Rejected(words) => format!("ConnectWise refused the ticket. It says: {words}"),
        Blocked::OlderThanBackfill => {
            "It waited for more than two days. Close it, and ask for a new one.".to_owned()
        }
    }
}

fn board(category: Category) -> &'static str {
    match category {
        Category::Operations => "Operations",
        Category::CyberAlerts => "Cyber Alerts",
    }
}

fn html(page: &Page, session: &Session) -> Markup {
    html! {
        p { "A test ticket shows that alerts become tickets, before and after you confirm. It is marked as a test, and you close it here." }
        @if let Some(last) = &page.last { (drawn_last(last, session)) }
        h2 { "Ask for a test ticket" }
        @if let Some(hindrance) = page.hindrance {
            p class="note" { (hindrance) }
        } @else {
            form method="post" action=(session.action(PATH)) {
                label for="tenant" { "For which tenant" }
                select id="tenant" name="tenant" required {
                    @for tenant in &page.tenants {
                        option value=(tenant.id) { (tenant.name) " (" (tenant.company) ")" }
                    }
                }
                fieldset {
                    legend { "On which board" }
                    @for (category, value) in [(Category::Operations, "operations"), (Category::CyberAlerts, "cyber_alerts")] {
                        label class="choice" {
                            input type="radio" name="category" value=(value) required checked[category == Category::Operations];
                            (board(category))
                        }
                    }
                }
                button { "Ask for a test ticket" }
            }
        }
    }
}

fn drawn_last(last: &Last, session: &Session) -> Markup {
    let on_its_way = matches!(last.stands, Stands::Waiting | Stands::Closing);
    html! {
        section data-poll=[on_its_way.then_some(PATH)] {
            h2 { "The last test" }
            dl {
                dt { "Tenant" } dd { (last.tenant_name) }
                dt { "Board" } dd { (board(last.category)) }
                dt { "Asked for" } dd { (last.asked_at.strftime("%Y-%m-%d %H:%M UTC")) }
                @if let Some(ticket) = last.ticket { dt { "Ticket" } dd { (ticket) } }
                dt { "State" } dd { (state(&last.stands)) }
            }
            @match &last.stands {
                Stands::Blocked { why, .. } => p class="problem" role="alert" { (why) },
                Stands::Closed { how } => p { (how) },
                Stands::Waiting | Stands::Open | Stands::Closing | Stands::Withdrawn => {}
            }
            @match &last.stands {
                Stands::Waiting | Stands::Blocked { .. } | Stands::Closing => p { a href=(PATH) { "Look again" } },
                Stands::Open | Stands::Closed { .. } | Stands::Withdrawn => {}
            }
            @if last.can_close {
                form method="post" action=(session.action(CLOSE)) { button { "Close the test ticket" } }
            }
        }
    }
}

fn state(stands: &Stands) -> &'static str {
    match stands {
        Stands::Waiting => "on its way",
        Stands::Blocked { .. } => "held up",
        Stands::Open => "open",
        Stands::Closing => "being closed",
        Stands::Closed { .. } => "closed",
        Stands::Withdrawn => "closed before there was a ticket",
    }
}

#[cfg(test)]
mod tests {
    use domain::event::Severity;
    use domain::fold::fold;
    use domain::record::{Claim, Closed, Op, Open};
    use domain::{ClaimId, TicketRef};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    fn test(gone: bool) -> TestTicket {
        TestTicket {
            tenant: TenantId::parse("acme-dental").unwrap(),
            alert_id: AlertId::of_test(at(0)),
            kind: Kind::parse("disk").unwrap(),
            category: Category::Operations,
            asked_at: at(0),
            gone,
        }
    }

    fn test_key() -> AlertKey {
        key(&PartnerId::parse("northwind").unwrap(), &test(false))
    }

    fn claim() -> Claim {
        Claim {
            id: ClaimId::parse("c1").unwrap(),
            op: Op::Create,
            reason: "raised".into(),
            ticket_ref: TicketRef::new(&test_key(), 1),
            ticket_id: None,
            board_id: None,
            company_id: 301,
            epoch: 1,
            severity: Severity::Informational,
            began_at: at(1),
            raise_received_at: None,
            repeats: 0,
            until: at(60),
            uncertain_at: None,
            visits: 0,
            visited_at: None,
            empty_visits: 0,
            suspected_refusal: None,
        }
    }

    fn closed(by: ClosedBy) -> Actual {
        Actual::Closed(Closed {
            ticket_id: 7,
            occurrence: 1,
            epoch: 1,
            at: at(9),
            ended_at: at(9),
            by,
            company_id: None,
            ticket_ref: None,
        })
    }

    #[test]
    fn where_a_test_stands_is_what_its_record_says() {
        let kind = test(false).kind;
        let raised = test_alert::raised(test_key(), kind, Category::Operations, None, at(0));
        let resolved = test_alert::resolved(test_key(), at(0), at(5));
        let active = fold(Record::new(test_key()), &raised);
        let gone = fold(active.clone(), &resolved);
        let with = |record: &Record, actual| Record {
            actual: Some(actual),
            ..record.clone()
        };
        let open = || Actual::Open(Open::new(7, None, &claim(), at(2)));
        let uncertain = Record {
            claim: Some(claim()),
            ..gone.clone()
        };
        let is = |gone: bool, record: Option<&Record>| stands(&test(gone), record);
        assert_eq!(is(false, None), Stands::Waiting);
        assert_eq!(is(true, None), Stands::Withdrawn);
        assert_eq!(is(false, Some(&active)), Stands::Waiting);
        assert_eq!(is(true, Some(&gone)), Stands::Withdrawn);
        assert_eq!(is(true, Some(&uncertain)), Stands::Waiting);
        assert_eq!(is(false, Some(&with(&active, open()))), Stands::Open);
        assert_eq!(is(true, Some(&with(&gone, open()))), Stands::Closing);
        let how = "It is closed.";
        let ended = with(&gone, closed(ClosedBy::Us));
        assert_eq!(is(true, Some(&ended)), Stands::Closed { how });
        let blocked = active.with_blocked(Blocked::NotSetUp, None, at(3));
        let blocked = is(false, Some(&blocked));
        assert!(matches!(blocked, Stands::Blocked { reason, .. } if reason == "not_set_up"));
    }

    #[test]
    fn a_test_is_closed_once_and_not_after_its_end() {
        let can_close = |gone, actual: Option<Actual>| {
            let record = Record {
                actual,
                ..Record::new(test_key())
            };
            last(test(gone), Some(&record), |_| None).can_close
        };
        let open = || Some(Actual::Open(Open::new(7, None, &claim(), at(2))));
        assert!(can_close(false, open()));
        assert!(!can_close(true, open()));
        let by_technician = Some(closed(ClosedBy::Technician));
        assert!(!can_close(false, by_technician));
        assert!(last(test(false), None, |_| None).can_close);
    }
}
