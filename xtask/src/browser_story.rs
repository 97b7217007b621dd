//! A partner connects its ConnectWise by itself: from an empty stack to tickets, through the page alone, in a browser.
//!
//! The operator makes partner, source and link; from there on everything is done as a person does it. Forms are found by where they post
//! to, and fields by their names, which are the page's API; the rest of the markup may change.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use domain::{AlertKey, Blocked, PartnerId, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use store::Alerts;

use crate::browser::{Browser, Field, Sent};
use local_stack::empty_stack::EmptyStack;
use local_stack::emulator::{http_client, sdk_config};
use local_stack::progress::wait_for;
use local_stack::source::{AlertChange, AlertSource, SourceAlert, event};

const PARTNER: &str = "contoso";
const CONTACT: &str = "oncall@contoso.example";
/// Tenants, each with the company that a person chooses for it and what it searches for.
const MAPPED: [(&str, &str, &str); 2] = [
    ("acme-dental", "AcmeDental", "acme"),
    ("baker-and-sons", "BakerSons", "roofing"),
];
/// The one that is mapped last, and its name: a company's in ConnectWise.
const LAST: (&str, &str) = ("harbor-hotel", "Fjord Shipping");

/// What a person chooses for alerts of high severity, which all of these are.
const PRIORITY: &str = "Priority 2 - High";

/// How long anything in the story may take.
const SEEN_WITHIN: Duration = Duration::from_secs(45);

/// A form by where it posts to, for whichever partner.
macro_rules! form {
    ($action:literal) => {
        concat!(
            r#"form[method="post"][action^=""#,
            $action,
            r#"?partner="]"#
        )
    };
}

const CONNECTION: &str = form!("/setup/connection");
const DEDICATED: &str = form!("/setup/boards/dedicated");
const TICKETS: &str = form!("/setup/tickets");
const CONTACT_FORM: &str = form!("/setup/contact");
const CONTACT_TEST: &str = form!("/setup/contact/test");
const TEST: &str = form!("/setup/test");
const TEST_CLOSE: &str = form!("/setup/test/close");
const CONFIRM: &str = form!("/setup/confirm");
const SIGN_OUT: &str = form!("/setup/session/end");
/// Of the forms of a tenant, the one in which a company is chosen.
const COMPANIES: &str = concat!(form!("/setup/tenant"), r#":has([type="radio"])"#);
/// In the list of tenants there is one for each company that is suggested.
const SUGGESTED: &str = form!("/setup/tenant");
const READING: &str = form!("/setup/suggestions/progress");
const SEARCH: &str = r#"form[method="get"][action="/setup/tenant"]"#;

/// Plays the story; answers how many things were seen.
///
/// # Errors
/// At the first thing that is not seen.
pub(crate) async fn play(stack: &EmptyStack) -> Result<usize> {
    println!("- a partner connects by itself, at {}", stack.setup_url());
    let partner = PartnerId::parse(PARTNER)?;
    let operator = &stack.operator;
    operator.put_partner(&partner, "Contoso IT").await?;
    let made = operator.new_source("Scanner", &partner).await?;
    let link = operator.new_link(&partner).await?;
    let mut scene = Scene {
        stack,
        browser: Browser::open(stack.folder()).await?,
        source: AlertSource::new(stack, &partner, &made.id, &made.secret)?,
        alerts: Alerts::new(
            &sdk_config(stack.emulator.endpoint())?,
            stack.deployed.alerts_table.clone(),
        ),
        begun: Instant::now(),
        seen: 0,
    };
    let told = scene.tell(&link).await;
    if told.is_err() {
        // What the page showed then.
        let _ = scene.browser.look("the-end").await;
        stack.save_function_logs().await;
    }
    println!(
        "  pictures of each page are in {}",
        stack.folder().join("screens").display()
    );
    told.map(|()| scene.seen)
}

struct Scene<'a> {
    stack: &'a EmptyStack,
    browser: Browser,
    source: AlertSource,
    alerts: Alerts,
    begun: Instant,
    seen: usize,
}

/// An alert of before the set-up, and what becomes of it.
struct Early {
    key: AlertKey,
    /// Why it has no ticket in the end; none for one that gets its ticket or is gone.
    waits: Option<Blocked>,
}

/// A ticket as ConnectWise shows it.
#[derive(Debug)]
struct Ticket {
    board: String,
    kind: String,
    status: String,
    priority: String,
    summary: String,
    closed: bool,
}

impl Scene<'_> {
    async fn tell(&mut self, link: &str) -> Result<()> {
        let early = self.alerts_come().await?;
        self.open(link).await?;
        self.connect().await?;
        self.make_boards().await?;
        self.look_at_tickets().await?;
        for tenant in MAPPED {
            self.map(tenant).await?;
        }
        self.saw("two tenants are mapped, each to a company that was searched for");
        self.name_contact().await?;
        self.confirm(&early).await?;
        self.take_suggestion().await?;
        self.tickets(4).await?;
        self.saw("the last tenant is mapped as it was suggested, and has its ticket");
        self.test().await?;
        self.look_around().await?;
        self.leave(link).await
    }

    /// Three alerts within 48 hours, one older, one resolved, one of a tenant that stays unmapped until the end.
    async fn alerts_come(&mut self) -> Result<Vec<Early>> {
        let now = Timestamp::now();
        let [(acme, ..), (baker, ..)] = MAPPED;
        let mut early = Vec::new();
        for (tenant, id, hours, waits) in [
            (acme, "a1", 1, None),
            (acme, "a2", 47, None),
            (baker, "b1", 5, None),
            (baker, "old", 72, Some(Blocked::OlderThanBackfill)),
            (acme, "gone", 3, None),
            (LAST.0, "h1", 2, Some(Blocked::Unmapped)),
        ] {
            let tenant = TenantId::parse(tenant)?;
            let title = format!("Disk full on {id}");
            let alert = SourceAlert {
                tenant: &tenant,
                id,
                kind: "disk",
                severity: "high",
                title: &title,
            };
            let at = now - SignedDuration::from_hours(hours);
            let mut raised = event(&alert, AlertChange::Raised, &format!("evt-{id}"), at);
            if tenant.as_str() == LAST.0 {
                raised["data"]["tenant_name"] = json!(LAST.1);
            }
            self.source.post(&raised).await?;
            if id == "gone" {
                let gone = event(&alert, AlertChange::Resolved, "evt-gone-2", now);
                self.source.post(&gone).await?;
            }
            let key = self.source.key(&alert)?;
            early.push(Early { key, waits });
        }
        for alert in &early {
            let is_gone = alert.key.alert_id.as_str() == "gone";
            let reason = (!is_gone).then_some(Blocked::NotSetUp);
            self.waits(&alert.key, reason.as_ref()).await?;
        }
        ensure!(self.all_tickets().await?.is_empty(), "a ticket too early");
        self.saw("six alerts of three tenants wait for the set-up, one of them gone by now");
        Ok(early)
    }

    async fn open(&mut self, link: &str) -> Result<()> {
        self.browser.go(link).await?;
        self.browser.look("open").await?;
        self.browser.press("form#open button").await?;
        self.browser.arrive_at("/setup").await?;
        self.browser.look("overview").await?;
        let address = self.browser.address().await?;
        ensure!(!address.contains('#'), "the token is still in {address}");
        self.saw("the link opens the page, and its token is not in the address any more");
        Ok(())
    }

    async fn connect(&mut self) -> Result<()> {
        self.page("/setup/connection").await?;
        let keys = &self.stack.simulator.integration;
        let of = |name| Field {
            form: CONNECTION,
            name,
        };
        for (name, text) in [
            ("site", self.stack.simulator.origin()),
            ("company_id", &keys.company_id),
            ("public_key", &keys.public_key),
            ("private_key", "not the key"),
        ] {
            self.browser.fill(of(name), text).await?;
        }
        let refused = self.browser.try_to_send(CONNECTION).await?;
        let Sent::Refused(why) = refused else {
            anyhow::bail!("a wrong key is taken")
        };
        self.browser.saw_refusal(422).await?;
        self.browser.look("wrong-key").await?;
        self.saw(&format!("a wrong key is refused: {why}"));
        self.browser
            .fill(of("private_key"), &keys.private_key)
            .await?;
        self.browser.send(CONNECTION).await?;
        self.browser.arrive_at("/setup/check").await?;
        self.browser.look("check").await?;
        let text = self.browser.text().await?;
        for words in ["The connection works", "Service Tickets"] {
            ensure!(text.contains(words), "no {words:?} in:\n{text}");
        }
        ensure!(
            !text.contains(&keys.private_key),
            "the private key is shown"
        );
        self.saw("the right one is taken, and the rights are listed");
        Ok(())
    }

    async fn make_boards(&mut self) -> Result<()> {
        self.page("/setup/boards").await?;
        for category in ["operations", "cyber_alerts"] {
            for (member, words) in [
                ("location", "Springfield"),
                ("department", "Professional Services"),
                ("team_lead", "TSmith"),
            ] {
                let name = format!("{category}[{member}]");
                let field = Field {
                    form: DEDICATED,
                    name: &name,
                };
                self.browser.choose_by_words(field, words).await?;
            }
        }
        self.browser.look("boards-chosen").await?;
        self.browser.send(DEDICATED).await?;
        // Its script goes on by itself.
        wait_for("both boards", SEEN_WITHIN, async || {
            let address = self.browser.address().await?;
            Ok(address.contains("done=boards_ready").then_some(()))
        })
        .await?;
        self.browser.look("boards-ready").await?;
        self.saw("both boards are made, with their statuses and types");
        Ok(())
    }

    async fn look_at_tickets(&mut self) -> Result<()> {
        self.page("/setup/tickets").await?;
        let high = Field {
            form: TICKETS,
            name: "priorities[high]",
        };
        self.browser.choose_by_words(high, PRIORITY).await?;
        self.browser.send(TICKETS).await?;
        self.browser.look("tickets-saved").await?;
        self.saw("what tickets are like can be seen, and the priority of a severity is chosen");
        Ok(())
    }

    async fn map(&mut self, (tenant, company, search): (&str, &str, &str)) -> Result<()> {
        self.page("/setup/tenants").await?;
        let link = format!(r#"a[href="/setup/tenant?tenant={tenant}"]"#);
        self.browser.press(&link).await?;
        let field = Field {
            form: SEARCH,
            name: "search",
        };
        self.browser.fill(field, search).await?;
        self.browser.press(&format!("{SEARCH} button")).await?;
        self.browser.look(&format!("tenant-{tenant}")).await?;
        let conditions = format!("identifier=\"{company}\"");
        let simulator = &self.stack.simulator;
        let found = simulator
            .get("/company/companies", &[("conditions", &conditions)])
            .await?;
        let id = found[0]["id"].to_string();
        let of = |name| Field {
            form: COMPANIES,
            name,
        };
        self.browser.choose(of("company"), &id).await?;
        self.browser.tick(of("enabled")).await?;
        self.browser.send(COMPANIES).await?;
        self.browser.look("tenants").await
    }

    /// Has all companies read, and confirms the one that is called as the last tenant is.
    async fn take_suggestion(&mut self) -> Result<()> {
        self.page("/setup/tenants").await?;
        self.browser.send(READING).await?;
        // Its script goes on by itself.
        self.browser.shows("All companies were read").await?;
        self.browser.look("suggested").await?;
        let text = self.browser.text().await?;
        ensure!(text.contains(LAST.1), "no {:?} in:\n{text}", LAST.1);
        self.browser.send(SUGGESTED).await?;
        self.browser.look("tenants").await
    }

    async fn name_contact(&mut self) -> Result<()> {
        self.page("/setup/contact").await?;
        let address = Field {
            form: CONTACT_FORM,
            name: "address",
        };
        self.browser.fill(address, CONTACT).await?;
        self.browser.send(CONTACT_FORM).await?;
        self.browser.look("contact-waits").await?;
        let http = http_client()?;
        let mails = async || -> Result<String> {
            let mails = http.get(self.stack.emulator.mail_url()).send().await?;
            Ok(mails.text().await?)
        };
        let link = wait_for("the confirmation mail", SEEN_WITHIN, async || {
            let mails = mails().await?;
            let begun = mails.rsplit_once("/setup/contact/confirm#");
            let is_of_token =
                |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
            let token =
                begun.and_then(|(_, rest)| rest.split(|letter| !is_of_token(letter)).next());
            Ok(token.map(|token| format!("{}/contact/confirm#{token}", self.stack.setup_url())))
        })
        .await?;
        self.browser.go(&link).await?;
        self.browser.look("contact-confirm").await?;
        self.browser.press("form#open button").await?;
        self.browser.arrive_at("/setup/contact/confirm").await?;
        self.browser.look("contact-confirmed").await?;
        self.browser.press(r#"p a[href="/setup"]"#).await?;
        self.browser.arrive_at("/setup").await?;
        self.page("/setup/contact").await?;
        self.browser.send(CONTACT_TEST).await?;
        self.browser.look("contact-tested").await?;
        wait_for("the test mail", SEEN_WITHIN, async || {
            Ok(mails().await?.contains("a test mail for").then_some(()))
        })
        .await?;
        self.saw("the emergency contact is confirmed from its own mail and got a test mail");
        Ok(())
    }

    async fn confirm(&mut self, early: &[Early]) -> Result<()> {
        self.page("/setup/confirm").await?;
        let text = self.browser.text().await?;
        for words in [
            "3 alerts of 2 tenants become tickets",
            "1 alert of 1 tenant waits until you map it",
            "1 older alert: no ticket unless you release it",
        ] {
            ensure!(text.contains(words), "no {words:?} in:\n{text}");
        }
        self.saw(
            "the preview counts three tickets, one tenant to map, and one alert that is too old",
        );
        self.browser.send(CONFIRM).await?;
        self.browser.look("confirmed").await?;
        self.tickets(3).await?;
        for alert in early {
            self.waits(&alert.key, alert.waits.as_ref()).await?;
        }
        // Nothing waits for anything any more that could still become one.
        let tickets = self.tickets(3).await?;
        for ticket in tickets.values() {
            let is = (
                &*ticket.board,
                &*ticket.kind,
                &*ticket.status,
                &*ticket.priority,
            );
            ensure!(
                is == ("Operations", "Disk", "New", PRIORITY),
                "not as chosen: {ticket:?}"
            );
        }
        self.saw("it is live, and of the six alerts exactly three became tickets");
        Ok(())
    }

    async fn test(&mut self) -> Result<()> {
        self.page("/setup/test").await?;
        let tenant = Field {
            form: TEST,
            name: "tenant",
        };
        self.browser.choose(tenant, MAPPED[0].0).await?;
        let category = Field {
            form: TEST,
            name: "category",
        };
        self.browser.choose(category, "cyber_alerts").await?;
        self.browser.send(TEST).await?;
        // The page looks again by itself.
        self.browser.shows("Close the test ticket").await?;
        let tickets = self.tickets(5).await?;
        let test = tickets.values().next_back();
        let test = test.context("there is no ticket")?;
        ensure!(
            test.board == "Cyber Alerts" && test.summary.to_lowercase().contains("test"),
            "no test ticket: {test:?}"
        );
        self.browser.look("test-open").await?;
        self.browser.send(TEST_CLOSE).await?;
        wait_for("the test ticket closed", SEEN_WITHIN, async || {
            let tickets = self.all_tickets().await?;
            let closed = tickets.values().filter(|ticket| ticket.closed).count();
            ensure!(closed < 2, "{closed} tickets are closed");
            Ok((closed == 1).then_some(()))
        })
        .await?;
        self.saw("a test ticket is asked for, shown, and closed again, and no other ticket is");
        Ok(())
    }

    async fn look_around(&mut self) -> Result<()> {
        for path in ["/setup/waiting", "/setup/history", "/setup"] {
            self.page(path).await?;
        }
        self.saw("all other pages are in order too");
        Ok(())
    }

    async fn leave(&mut self, link: &str) -> Result<()> {
        self.browser.send(SIGN_OUT).await?;
        self.browser.look("signed-out").await?;
        self.browser.go(&self.stack.setup_url()).await?;
        self.browser.saw_refusal(401).await?;
        self.browser.look("no-session").await?;
        self.browser.go(link).await?;
        self.browser.click("form#open button").await?;
        self.browser.shows("This link has been used").await?;
        self.browser.saw_refusal(401).await?;
        self.browser.look("link-used").await?;
        self.saw("after signing out nothing is shown, and the link does not work twice");
        Ok(())
    }

    /// Opens a page of the navigation and looks at it.
    async fn page(&mut self, path: &str) -> Result<()> {
        self.browser
            .press(&format!(r#"nav a[href="{path}"]"#))
            .await?;
        self.browser.arrive_at(path).await?;
        let name = path.trim_start_matches("/setup").replace('/', "-");
        let name = name.trim_start_matches('-');
        self.browser
            .look(if name.is_empty() { "overview" } else { name })
            .await
    }

    /// Waits until an alert's record says that it waits for this, or for nothing.
    async fn waits(&self, key: &AlertKey, desired: Option<&Blocked>) -> Result<()> {
        let id = &key.alert_id;
        let what = match desired {
            Some(reason) => format!("{id} blocked as {reason}"),
            None => format!("{id} waiting for nothing"),
        };
        wait_for(&what, SEEN_WITHIN, async || {
            let record = self.alerts.get(key).await?;
            let is = record.map(|record| record.blocked.map(|blocked| blocked.reason));
            Ok((is == Some(desired.cloned())).then_some(()))
        })
        .await
    }

    /// Waits until there are so many tickets; more is a failure.
    async fn tickets(&self, desired: usize) -> Result<BTreeMap<u64, Ticket>> {
        wait_for(&format!("{desired} tickets"), SEEN_WITHIN, async || {
            let tickets = self.all_tickets().await?;
            ensure!(tickets.len() <= desired, "more than {desired}: {tickets:?}");
            Ok(Some(tickets).filter(|tickets| tickets.len() == desired))
        })
        .await
    }

    async fn all_tickets(&self) -> Result<BTreeMap<u64, Ticket>> {
        let query = [
            ("conditions", "externalXRef like \"tb1-%\""),
            ("pageSize", "1000"),
        ];
        let tickets = self.stack.simulator.get("/service/tickets", &query).await?;
        let tickets = tickets.as_array().context("a list of tickets is no list")?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let of = |ticket: &Value| {
            let read = Ticket {
                board: text(&ticket["board"]["name"]),
                kind: text(&ticket["type"]["name"]),
                status: text(&ticket["status"]["name"]),
                priority: text(&ticket["priority"]["name"]),
                summary: text(&ticket["summary"]),
                closed: ticket["closedFlag"] == true,
            };
            Some((ticket["id"].as_u64()?, read))
        };
        Ok(tickets.iter().filter_map(of).collect())
    }

    fn saw(&mut self, what: &str) {
        println!("  {:5.1} s  {what}", self.begun.elapsed().as_secs_f64());
        self.begun = Instant::now();
        self.seen += 1;
    }
}
