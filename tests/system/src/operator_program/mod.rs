//! Runs each command of the program `ticketbridge` against a stack, as an operator does, and checks
//! its output and exit codes. It deletes a tenant, and searches everything for its data. It fails if
//! the command line has a command that it did not run.

mod deleted_data;
mod maintenance;
mod program;
mod shell_files;

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use local_stack::deployment::FUNCTIONS;
use local_stack::empty_stack::StackTimes;
use local_stack::emulator::sdk_config;
use local_stack::inspector::Inspector;
use local_stack::progress::wait_for;
use local_stack::source::{AlertSource, SourceAlert};
use local_stack::stack::Stack;
use serde_json::{Value, json};

use deleted_data::{Found, search};
use program::Program;

/// The time limit of each step.
const WITHIN: Duration = Duration::from_secs(60);
/// A message that no function can parse.
const POISON: &str = "this is not JSON";
/// What only the deleted tenant's alert has.
const TITLE: &str = "Disk Q: on WS-ORCHID is 93 % full";
const DEVICE: &str = "SRV-01";
/// The title of the alert that is deleted by itself.
const OTHER_TITLE: &str = "Disk R: on WS-LOTUS is 92 % full";
/// No host has a name below `.invalid`.
const RECEIVER: &str = "https://hooks.example.invalid/events";

/// Runs the test on a stack of its own.
///
/// # Errors
/// At the first command that does something else than documented.
pub async fn run() -> Result<()> {
    let stack = Stack::start("operator-program", StackTimes::DEMO).await?;
    println!("- each command of ticketbridge");
    let program = Program::build(&stack).await?;
    let mut test = ProgramTest {
        source: AlertSource::seeded(&stack)?,
        stack: &stack,
        program,
        last_check: Instant::now(),
    };
    stack.save_logs_on_failure(test.run()).await
}

struct ProgramTest<'a> {
    stack: &'a Stack,
    source: AlertSource,
    program: Program,
    last_check: Instant,
}

impl ProgramTest<'_> {
    async fn run(&mut self) -> Result<()> {
        self.version().await?;
        self.partners().await?;
        let scanner = self.sources_and_links().await?;
        self.webhook().await?;
        let ticket = self.alerts().await?;
        self.checks().await?;
        self.deliveries().await?;
        self.dead_letters().await?;
        self.replay(ticket).await?;
        self.delete_alert().await?;
        self.rebuild().await?;
        self.maintenance().await?;
        self.export_and_import().await?;
        self.doctor().await?;
        self.delete_source_and_partner(&scanner).await?;
        self.delete_tenant(ticket).await?;
        self.remove_webhook().await?;
        self.shell_files().await?;
        self.each_command_worked()
    }

    async fn version(&mut self) -> Result<()> {
        let version = self.program.json(&["version", "--stack"]).await?;
        let own = env!("CARGO_PKG_VERSION");
        ensure!(version["version"] == own, "{version}");
        ensure!(version["functions"] == own, "{version}");
        self.passed("version");
        Ok(())
    }

    async fn partners(&mut self) -> Result<()> {
        let program = &self.program;
        let listed = program.json(&["partners", "list"]).await?;
        ensure!(listed["partners"][0]["id"] == "northwind", "{listed}");
        let shown = program.json(&["partners", "show", "northwind"]).await?;
        let contact = &shown["contacts"][0]["address"];
        ensure!(contact == "oncall@northwind.example", "{shown}");
        program
            .fails(1, "There is no", &["partners", "show", "unknown"])
            .await?;
        let create = ["partners", "create", "contoso", "--name", "Contoso IT"];
        let created = program.json(&create).await?;
        ensure!(created["name"] == "Contoso IT", "{created}");
        program.json(&create).await?;
        let other = ["partners", "create", "contoso", "--name", "Another"];
        program.fails(1, "other values", &other).await?;
        let change = ["partners", "change", "contoso", "--name", "Contoso"];
        let changed = program.json(&change).await?;
        ensure!(changed["name"] == "Contoso", "{changed}");
        for (command, enabled) in [("suspend", false), ("resume", true)] {
            let saved = program.json(&["partners", command, "contoso"]).await?;
            ensure!(saved["enabled"] == enabled, "{saved}");
        }
        self.passed("partners: list, show, create, change, suspend, resume");
        Ok(())
    }

    /// Returns the id of a source of contoso.
    async fn sources_and_links(&mut self) -> Result<String> {
        let program = &self.program;
        let create = [
            "sources",
            "create",
            "--name",
            "Scanner",
            "--partner",
            "contoso",
        ];
        let created = program.json(&create).await?;
        let secret = created["secret"].as_str().unwrap_or_default();
        ensure!(secret.starts_with("whsec_"), "no secret of a new source");
        let id = created["id"].as_str().context("no id")?.to_owned();
        let shown = program.json(&["sources", "show", &id]).await?;
        ensure!(shown["name"] == "Scanner", "{shown}");
        ensure!(shown.get("secret").is_none(), "a secret is shown again");
        let list = ["sources", "list", "--partner", "contoso"];
        let listed = program.json(&list).await?;
        ensure!(
            listed["sources"].as_array().map(Vec::len) == Some(1),
            "{listed}"
        );
        let change = ["sources", "change", &id, "--enabled", "false"];
        let changed = program.json(&change).await?;
        ensure!(changed["enabled"] == false, "{changed}");
        let rotated = program.json(&["sources", "rotate-secret", &id]).await?;
        let new = rotated["secret"].as_str().unwrap_or_default();
        ensure!(!new.is_empty() && new != secret, "the secret is the same");
        let link = program.json(&["links", "create", "contoso"]).await?;
        let url = link["url"].as_str().unwrap_or_default();
        ensure!(url.contains("/setup/open#"), "{link}");
        let ended = program.json(&["links", "end-sessions", "contoso"]).await?;
        ensure!(ended["sessions_ended"] == true, "{ended}");
        self.passed("sources: create, show, list, change, rotate-secret; links");
        Ok(id)
    }

    /// Gives the seeded source a webhook, whose receiver is unreachable.
    async fn webhook(&mut self) -> Result<()> {
        let program = &self.program;
        let source = self.stack.seeded.source.as_str();
        let webhook = |command| ["sources", "webhook", command, source];
        program.fails(1, "no webhook", &webhook("show")).await?;
        let wrong = [&webhook("set")[..], &["--url", "http://10.0.0.1/"]].concat();
        program.fails(1, "url", &wrong).await?;
        let set = [&webhook("set")[..], &["--url", RECEIVER]].concat();
        let made = program.json(&set).await?;
        let secret = made["secret"].as_str().unwrap_or_default();
        ensure!(
            secret.starts_with("whsec_"),
            "no secret of a new webhook: {made}"
        );
        let again = program.json(&set).await?;
        ensure!(again.get("secret").is_none(), "a secret is shown again");
        let shown = program.json(&webhook("show")).await?;
        ensure!(shown["url"] == RECEIVER, "{shown}");
        let rotated = program.json(&webhook("rotate-secret")).await?;
        let new = rotated["secret"].as_str().unwrap_or_default();
        ensure!(!new.is_empty() && new != secret, "the secret is the same");
        program
            .fails(1, "--end-oldest", &webhook("rotate-secret"))
            .await?;
        // The receiver does not answer, so the test delivery is a problem.
        let pinged = program.json_with(3, &webhook("ping")).await?;
        ensure!(
            pinged["type"] == "ping" && pinged["state"] == "pending",
            "{pinged}"
        );
        self.passed("sources webhook: set, show, rotate-secret, ping");
        Ok(())
    }

    /// At the end, so that the deletions before have outgoing events to delete.
    async fn remove_webhook(&mut self) -> Result<()> {
        let program = &self.program;
        let source = self.stack.seeded.source.as_str();
        let webhook = |command| ["sources", "webhook", command, source];
        let shown = program.json(&webhook("show")).await?;
        ensure!(shown["url"] == RECEIVER, "{shown}");
        // The repetition changes nothing.
        for _ in 0..2 {
            let removed = program.json(&webhook("remove")).await?;
            ensure!(
                removed == json!({ "source": source, "webhook": null }),
                "{removed}"
            );
            program.fails(1, "no webhook", &webhook("show")).await?;
        }
        self.passed("sources webhook: remove");
        Ok(())
    }

    /// The events of the alert are in the log, and what was given up is replayed.
    async fn deliveries(&mut self) -> Result<()> {
        let program = &self.program;
        let source = self.stack.seeded.source.as_str();
        let list = ["sources", "deliveries", "list", source];
        let is_created = |of: &&Value| of["type"] == "ticket.created";
        let created = wait_for("the delivery of the alert", WITHIN, async || {
            let listed = program.json(&list).await?;
            ensure!(listed["complete"] == true, "{listed}");
            let listed = listed["deliveries"].as_array().cloned().unwrap_or_default();
            Ok(listed.iter().find(is_created).cloned())
        })
        .await?;
        let id = created["id"].as_str().context("no id")?;
        let failed = [&list[..], &["--state", "failed"]].concat();
        let failed = program.json(&failed).await?;
        ensure!(failed["deliveries"] == json!([]), "{failed}");
        let replay = ["sources", "deliveries", "replay", source];
        // It is pending already.
        let one = [&replay[..], &["--delivery", id]].concat();
        let one = program.json(&one).await?;
        ensure!(one["replayed"] == 0, "{one}");
        let since = [&replay[..], &["--failed-since", "2026-01-01"]].concat();
        let since = program.json(&since).await?;
        ensure!(since["replayed"] == 0, "{since}");
        program.fails(2, "--failed-since", &replay).await?;
        self.passed("sources deliveries: list, replay");
        Ok(())
    }

    fn alert(&self) -> Result<SourceAlert<'_>> {
        Ok(SourceAlert {
            tenant: self.stack.seeded.tenants.first().context("no tenant")?,
            id: "disk-orchid",
            kind: "disk",
            severity: "medium",
            title: TITLE,
        })
    }

    /// An alert of another tenant.
    fn other_alert(&self) -> Result<SourceAlert<'_>> {
        let tenant = self.stack.seeded.tenants.get(1);
        Ok(SourceAlert {
            tenant: tenant.context("no second tenant")?,
            id: "disk-lotus",
            title: OTHER_TITLE,
            ..self.alert()?
        })
    }

    /// Returns the number of the alert's ticket.
    async fn alerts(&mut self) -> Result<u64> {
        let raised = AlertSource::raised(&self.alert()?, "evt-1");
        self.source.post(&raised).await?;
        let raised = AlertSource::raised(&self.other_alert()?, "evt-2");
        self.source.post(&raised).await?;
        let program = &self.program;
        let search = ["alerts", "search", "orchid", "--partner", "northwind"];
        let found = wait_for("the alert's ticket", WITHIN, async || {
            let found = program.json(&search).await?;
            Ok(found["alerts"][0]["ticket"].is_u64().then_some(found))
        })
        .await?;
        ensure!(found["complete"] == true, "{found}");
        let ticket = found["alerts"][0]["ticket"].as_u64().context("no ticket")?;
        let id = found["alerts"][0]["id"].as_str().context("no id")?;
        let shown = program.json(&["alerts", "show", id]).await?;
        ensure!(
            shown["state"] == "open" && shown["title"] == TITLE,
            "{shown}"
        );
        let search = ["alerts", "search", "--state", "closed"];
        let closed = program.json(&search).await?;
        ensure!(
            closed["alerts"].as_array().is_some_and(Vec::is_empty),
            "{closed}"
        );
        let search = ["alerts", "search", "--state", "nonsense"];
        program.fails(2, "in_progress", &search).await?;
        self.passed("alerts: search, show");
        Ok(ticket)
    }

    async fn checks(&mut self) -> Result<()> {
        let program = &self.program;
        let checked = program.json(&["check", "northwind"]).await?;
        ensure!(checked["verdict"] == "good", "{checked}");
        let checked = program.json_with(3, &["check", "contoso"]).await?;
        ensure!(checked["verdict"] == "not_connected", "{checked}");
        let contract = program.json(&["check", "northwind", "--contract"]).await?;
        ensure!(contract["as_expected"] == true, "{contract}");
        self.passed("check, and check --contract");
        Ok(())
    }

    async fn dead_letters(&mut self) -> Result<()> {
        let program = &self.program;
        let none = program.json(&["dead-letters", "show"]).await?;
        ensure!(none.as_array().is_some_and(Vec::is_empty), "{none}");
        let client = aws_sdk_sqs::Client::new(&sdk_config(self.stack.emulator.endpoint())?);
        let send = client.send_message().message_body(POISON);
        let send = send.queue_url(&self.stack.deployed.queue_url);
        send.send().await.context("cannot send a message")?;
        let one = async || {
            let shown = program.json(&["dead-letters", "show"]).await?;
            Ok((shown[0]["body"] == POISON).then_some(shown))
        };
        let shown = wait_for("the dead letter", WITHIN, one).await?;
        ensure!(shown[0]["reason"].is_string(), "{shown}");
        let dry = program
            .json(&["dead-letters", "redrive", "--dry-run"])
            .await?;
        ensure!(dry["found"] == 1 && dry["moved"] == 0, "{dry}");
        let moved = program.json(&["dead-letters", "redrive"]).await?;
        ensure!(moved["moved"] == 1, "{moved}");
        wait_for("the dead letter again", WITHIN, one).await?;
        let send = client.send_message().message_body(POISON);
        let send = send.queue_url(&self.stack.deployed.delivery_dead_letter_queue_url);
        send.send().await.context("cannot send a message")?;
        let of_deliveries = ["dead-letters", "show", "--function", "deliveries"];
        let shown = wait_for("the dead letter of deliveries", WITHIN, async || {
            let shown = program.json(&of_deliveries).await?;
            Ok((shown[0]["body"] == POISON).then_some(shown))
        })
        .await?;
        ensure!(shown.as_array().map(Vec::len) == Some(1), "{shown}");
        let redrive = ["dead-letters", "redrive", "--function", "deliveries"];
        let moved = program.json(&redrive).await?;
        ensure!(moved["found"] == 1 && moved["moved"] == 1, "{moved}");
        self.passed("dead-letters: show, redrive");
        Ok(())
    }

    async fn replay(&mut self, ticket: u64) -> Result<()> {
        let seeded = &self.stack.seeded;
        let source = seeded.source.as_str();
        let tenant = self.alert()?.tenant.as_str();
        let of = |id| {
            [
                "replay",
                "--partner",
                "northwind",
                "--tenant",
                tenant,
                "--source",
                source,
                "--alert-id",
                id,
            ]
        };
        let replayed = self.program.json(&of("disk-orchid")).await?;
        let replayed_text = replayed.to_string();
        ensure!(replayed_text.contains(&ticket.to_string()), "{replayed}");
        let (program, unknown) = (&self.program, of("no-such-alert"));
        program.fails(1, "no record", &unknown).await?;
        self.passed("replay");
        Ok(())
    }

    async fn rebuild(&mut self) -> Result<()> {
        let program = &self.program;
        let dry = program.json(&["rebuild", "--dry-run"]).await?;
        ensure!(dry["rebuilding"] == 1 && dry["unconnected"] == 1, "{dry}");
        let rebuilt = ["rebuild", "--partner", "northwind"];
        let rebuilt = program.json(&rebuilt).await?;
        ensure!(rebuilt["rebuilding"] == 1, "{rebuilt}");
        self.passed("rebuild");
        Ok(())
    }

    async fn export_and_import(&mut self) -> Result<()> {
        let program = &self.program;
        let file = self.stack.folder().join("northwind.json");
        let file = file.to_str().context("a path that is no text")?;
        let exported = program
            .run(&["export", "northwind", "--output", file])
            .await?;
        ensure!(exported.code == Some(0), "{}", exported.errors);
        let text = fs::read_to_string(file)?;
        ensure!(!text.contains("whsec_"), "an export has a secret");
        let same = program.json(&["import", file, "--dry-run"]).await?;
        let is_same = |result: &Value| result["changes"].as_array().is_some_and(Vec::is_empty);
        ensure!(
            is_same(&same),
            "an import of an export changes something: {same}"
        );
        let import = [
            "import",
            file,
            "--partner",
            "fabrikam",
            "--without-connectwise",
            "--yes",
        ];
        let imported = program.json(&import).await?;
        ensure!(imported["applied"] == true, "{imported}");
        let created = imported["created_sources"].as_array();
        ensure!(
            created.is_some_and(|sources| sources.len() == 1),
            "a source"
        );
        let again = program.json(&import).await?;
        ensure!(
            is_same(&again),
            "a repeated import changes something: {again}"
        );
        self.passed("export, import, and both again");
        Ok(())
    }

    async fn doctor(&mut self) -> Result<()> {
        let run = self.program.run(&["doctor"]).await?;
        let findings = run.json["findings"].as_array();
        let findings = findings.with_context(|| format!("no findings: {}", run.errors))?;
        let has_problem = findings.iter().any(|finding| finding["level"] == "problem");
        let code = if has_problem { 3 } else { 0 };
        ensure!(
            run.code == Some(code),
            "exit code {:?}: {}",
            run.code,
            run.json
        );
        let functions: Vec<_> = findings
            .iter()
            .filter(|finding| {
                let check = finding["check"].as_str().unwrap_or_default();
                check.starts_with("function ")
            })
            .collect();
        ensure!(
            functions.len() == FUNCTIONS.len(),
            "not all functions: {}",
            run.json
        );
        let version = format!("version {}", env!("CARGO_PKG_VERSION"));
        for finding in functions {
            let found = finding["found"].as_str().unwrap_or_default();
            ensure!(
                finding["level"] == "ok" && found.contains(&version),
                "{finding}"
            );
        }
        for check in [
            "event source mapping TicketsFunctionQueue",
            "event source mapping DeliveriesFunctionQueue",
            "dead letters of deliveries",
            "schedule DeliveriesTick",
            "webhook at the API's address",
            "page at the API's address",
            "version",
        ] {
            let is_ok = |finding: &&Value| finding["check"] == check && finding["level"] == "ok";
            ensure!(
                findings.iter().any(|one| is_ok(&one)),
                "{check}: {}",
                run.json
            );
        }
        self.passed("doctor");
        Ok(())
    }

    /// Before the tickets are imported again: an import creates a record of a deleted alert's ticket.
    async fn delete_alert(&mut self) -> Result<()> {
        self.queue_is_empty().await?;
        let program = &self.program;
        let search = ["alerts", "search", "lotus", "--partner", "northwind"];
        let found = program.json(&search).await?;
        let ticket = &found["alerts"][0]["ticket"];
        ensure!(ticket.is_u64(), "{found}");
        let alert = self.other_alert()?;
        let delete = [
            "delete",
            "alert",
            "--partner",
            "northwind",
            "--tenant",
            alert.tenant.as_str(),
            "--source",
            self.stack.seeded.source.as_str(),
            "--alert-id",
            alert.id,
        ];
        let shown = program.json(&delete).await?;
        ensure!(
            shown["is_deleted"] == false && shown["records"] == 1,
            "{shown}"
        );
        ensure!(shown["open_tickets"][0] == *ticket, "{shown}");
        let deleted = program.json(&[&delete[..], &["--yes"]].concat()).await?;
        ensure!(deleted["is_deleted"] == true, "{deleted}");
        let found = program.json(&search).await?;
        ensure!(
            found == json!({ "alerts": [], "complete": true }),
            "a deleted alert is found: {found}"
        );
        let others = ["alerts", "search", "orchid", "--partner", "northwind"];
        let others = program.json(&others).await?;
        ensure!(others["alerts"][0]["title"] == TITLE, "{others}");
        self.passed("delete alert");
        Ok(())
    }

    async fn delete_source_and_partner(&mut self, scanner: &str) -> Result<()> {
        let program = &self.program;
        let delete = ["delete", "source", scanner, "--recovery-days", "0"];
        let shown = program.json(&delete).await?;
        ensure!(shown["is_deleted"] == false, "{shown}");
        let deleted = program.json(&[&delete[..], &["--yes"]].concat()).await?;
        ensure!(deleted["is_deleted"] == true, "{deleted}");
        let delete = ["delete", "partner", "contoso", "--yes"];
        program.fails(1, "suspend it first", &delete).await?;
        program.json(&["partners", "suspend", "contoso"]).await?;
        let deleted = program.json(&delete).await?;
        ensure!(deleted["is_deleted"] == true, "{deleted}");
        program
            .fails(1, "There is no", &["partners", "show", "contoso"])
            .await?;
        let found = search(self.stack, &["contoso", scanner]).await?;
        let left = found.iter().filter(|one| !one.place.starts_with("log of "));
        let left: Vec<_> = left.collect();
        ensure!(left.is_empty(), "a deleted partner is in {left:?}");
        self.passed("delete source, delete partner; nothing but logs has their ids");
        Ok(())
    }

    async fn delete_tenant(&mut self, ticket: u64) -> Result<()> {
        self.queue_is_empty().await?;
        let tenant = self.alert()?.tenant.as_str();
        let texts = [tenant, "Acme", TITLE, "disk-orchid", DEVICE];
        let before = search(self.stack, &texts).await?;
        for text in [tenant, TITLE, "disk-orchid", DEVICE] {
            let is_found = before.iter().any(|one| one.text == text);
            ensure!(
                is_found,
                "the search does not find {text} before the deletion"
            );
        }
        let is_delivery = |found: &Found| found.place.starts_with("deliveries ");
        ensure!(
            before.iter().any(is_delivery),
            "the search finds no outgoing event before the deletion"
        );
        let program = &self.program;
        let delete = [
            "delete",
            "tenant",
            "--partner",
            "northwind",
            "--tenant",
            tenant,
        ];
        let shown = program.json(&delete).await?;
        ensure!(
            shown["is_deleted"] == false && shown["records"] == 1,
            "{shown}"
        );
        ensure!(shown["open_tickets"][0] == ticket, "{shown}");
        let confirmed = [&delete[..], &["--yes"]].concat();
        let deleted = program.json(&confirmed).await?;
        ensure!(deleted["is_deleted"] == true, "{deleted}");
        self.queue_is_empty().await?;
        let again = program.json(&delete).await?;
        ensure!(again["config_items"] == 0, "{again}");
        let found = search(self.stack, &texts).await?;
        let left = found
            .iter()
            .filter(|one| !remains(&one.place, &one.text, tenant));
        let left: Vec<_> = left.collect();
        ensure!(left.is_empty(), "a deleted tenant is in {left:?}");
        self.passed("delete tenant; nothing has its data but what docs/privacy.md names");
        Ok(())
    }

    async fn queue_is_empty(&self) -> Result<()> {
        let inspector = Inspector::new(self.stack)?;
        wait_for("the empty queue", WITHIN, async || {
            Ok((inspector.queue().await?.total() == 0).then_some(()))
        })
        .await
    }

    /// Prints a check that passed.
    fn passed(&mut self, what: &str) {
        let seconds = self.last_check.elapsed().as_secs_f64();
        println!("  {seconds:5.1} s  {what}");
        self.last_check = Instant::now();
    }
}

/// Whether docs/privacy.md says that this text of a deleted tenant remains there.
fn remains(place: &str, text: &str, tenant: &str) -> bool {
    let is_id_in_log = place.starts_with("log of ") && text == tenant;
    let is_history = place.starts_with("access ") && place.contains(" audit#");
    let is_company_list = place.starts_with("config ") && place.contains(" companies#");
    is_id_in_log || is_history || (is_company_list && text == "Acme")
}
