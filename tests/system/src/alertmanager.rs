//! A real Alertmanager, unchanged, posts to the webhook: an alert fires, is repeated after a restart,
//! and is resolved. Its ticket follows.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use jiff::{SignedDuration, Timestamp};
use local_stack::debian::DebianProgram;
use local_stack::empty_stack::StackTimes;
use local_stack::emulator::{free_port, http_client};
use local_stack::operator::NewSource;
use local_stack::process::ProcessGroup;
use local_stack::progress::wait_for;
use local_stack::stack::Stack;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::checklist::Checklist;

/// The time limit of each step: far more than it takes.
const WITHIN: Duration = Duration::from_secs(60);
/// How long a second ticket would have time to appear. Alertmanager repeats each five seconds.
const REPEATS: Duration = Duration::from_secs(12);

const ALERTMANAGER: DebianProgram = DebianProgram {
    program: "prometheus-alertmanager",
    packages: &["prometheus-alertmanager"],
};

/// Runs the test on a stack of its own.
///
/// # Errors
/// At the first check that fails.
pub async fn run() -> Result<()> {
    let stack = Stack::start("alertmanager", StackTimes::DEMO).await?;
    ALERTMANAGER.ensure(stack.folder()).await?;
    let mut test = AlertmanagerTest {
        stack: &stack,
        checks: Checklist::new(),
    };
    stack.save_logs_on_failure(test.run()).await?;
    test.checks.print("alertmanager");
    Ok(())
}

struct AlertmanagerTest<'a> {
    stack: &'a Stack,
    checks: Checklist,
}

impl AlertmanagerTest<'_> {
    async fn run(&mut self) -> Result<()> {
        let partner = &self.stack.seeded.partner;
        let operator = &self.stack.operator;
        let source = operator
            .new_source_of("alertmanager", "Alertmanager", partner)
            .await?;
        let tenant = self.stack.seeded.tenants.first();
        let tenant = tenant.context("the seed has no mapped tenant")?;
        let config = self.write_config(&source)?;
        let mut alertmanager = Alertmanager::start(self.stack.folder(), &config).await?;
        let started = Timestamp::now();
        let full = Alert {
            name: "DiskAlmostFull",
            customer: Some(tenant.as_str()),
            started,
            ended: None,
        };
        alertmanager.post(&full).await?;
        let ticket = self.ticket(full.name, |_| true).await?;
        self.checks
            .passed(&format!("its alert became ticket {}", ticket["id"]));

        alertmanager.stop().await?;
        alertmanager = Alertmanager::start(self.stack.folder(), &config).await?;
        // Prometheus posts an active alert again and again.
        alertmanager.post(&full).await?;
        tokio::time::sleep(REPEATS).await;
        ensure!(
            self.tickets(full.name).await?.len() == 1,
            "a repeat became a second ticket"
        );
        self.checks
            .passed("it was restarted and repeated the alert: still one ticket");

        let ended = Alert {
            ended: Some(Timestamp::now()),
            ..full
        };
        alertmanager.post(&ended).await?;
        self.ticket(full.name, |ticket| ticket["closedFlag"] == true)
            .await?;
        self.checks
            .passed("the alert was resolved, and its ticket closed");

        let again = Alert {
            started: Timestamp::now(),
            ended: None,
            ..full
        };
        alertmanager.post(&again).await?;
        wait_for("the ticket of the next occurrence", WITHIN, async || {
            let tickets = self.tickets(full.name).await?;
            let open = tickets.iter().any(|ticket| ticket["closedFlag"] == false);
            Ok(open.then_some(()))
        })
        .await?;
        self.checks
            .passed("it fired again, and has an open ticket again");

        let without = Alert {
            name: "NoCustomer",
            customer: None,
            ..again
        };
        alertmanager.post(&without).await?;
        let page = &self.stack.seeded.page;
        wait_for("the tenant without a customer", WITHIN, async || {
            let tenants = page.get("tenants").await?;
            Ok(tenants.to_string().contains("(no customer)").then_some(()))
        })
        .await?;
        ensure!(self.tickets("NoCustomer").await?.is_empty());
        self.checks
            .passed("an alert without a customer waits under the tenant (no customer)");
        alertmanager.stop().await
    }

    /// The configuration, with short times.
    fn write_config(&self, source: &NewSource) -> Result<std::path::PathBuf> {
        let config = json!({
            "route": {
                "receiver": "ticketbridge",
                "group_by": ["alertname"],
                "group_wait": "1s",
                "group_interval": "1s",
                "repeat_interval": "5s",
            },
            "receivers": [{
                "name": "ticketbridge",
                "webhook_configs": [{
                    "url": self.stack.webhook_url_of(&source.id),
                    "send_resolved": true,
                    "http_config": {
                        "authorization": { "type": "Bearer", "credentials": source.secret },
                    },
                }],
            }],
        });
        // JSON is YAML.
        let path = self.stack.folder().join("alertmanager.yml");
        std::fs::write(&path, config.to_string()).context("cannot write the configuration")?;
        Ok(path)
    }

    /// Waits for the only ticket of an alert, in the state that `is_expected` wants.
    async fn ticket(&self, alert: &str, is_expected: impl Fn(&Value) -> bool) -> Result<Value> {
        wait_for("the ticket", WITHIN, async || {
            let mut tickets = self.tickets(alert).await?;
            ensure!(tickets.len() < 2, "{} tickets of one alert", tickets.len());
            Ok(tickets.pop().filter(|ticket| is_expected(ticket)))
        })
        .await
    }

    async fn tickets(&self, alert: &str) -> Result<Vec<Value>> {
        let query = [
            ("conditions", "externalXRef like \"tb1-%\""),
            ("pageSize", "1000"),
        ];
        let all = self.stack.simulator.get("/service/tickets", &query).await?;
        let mut all = all.as_array().cloned().unwrap_or_default();
        all.retain(|ticket| {
            let summary = ticket["summary"].as_str().unwrap_or_default();
            summary.contains(alert)
        });
        Ok(all)
    }
}

/// An alert as Prometheus posts it.
#[derive(Debug, Clone, Copy)]
struct Alert<'a> {
    name: &'a str,
    customer: Option<&'a str>,
    started: Timestamp,
    ended: Option<Timestamp>,
}

struct Alertmanager {
    process: ProcessGroup,
    url: String,
}

impl Alertmanager {
    async fn start(folder: &Path, config: &Path) -> Result<Self> {
        let address = format!("127.0.0.1:{}", free_port()?);
        let mut command = Command::new(ALERTMANAGER.program);
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.path={}",
                folder.join("alertmanager").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            // One instance: no cluster, and no port for it.
            .arg("--cluster.listen-address=");
        let log = folder.join("alertmanager.log");
        let process = ProcessGroup::start_logged("Alertmanager", command, &log)?;
        let url = format!("http://{address}");
        let ready = format!("{url}/-/ready");
        let http = http_client()?;
        wait_for("Alertmanager", WITHIN, async || {
            let answer = http.get(&ready).send().await;
            Ok(answer
                .is_ok_and(|answer| answer.status().is_success())
                .then_some(()))
        })
        .await?;
        Ok(Self { process, url })
    }

    async fn post(&self, alert: &Alert<'_>) -> Result<()> {
        let mut labels = json!({
            "alertname": alert.name,
            "severity": "warning",
            "instance": "web-1:9100",
        });
        if let Some(customer) = alert.customer {
            labels["customer"] = customer.into();
        }
        let ends = alert
            .ended
            .unwrap_or(alert.started + SignedDuration::from_hours(1));
        let alerts = json!([{
            "labels": labels,
            "annotations": { "summary": format!("{} on web-1", alert.name) },
            "startsAt": alert.started.to_string(),
            "endsAt": ends.to_string(),
        }]);
        let answer = http_client()?
            .post(format!("{}/api/v2/alerts", self.url))
            .header("content-type", "application/json")
            .body(alerts.to_string())
            .send()
            .await?;
        if !answer.status().is_success() {
            bail!(
                "Alertmanager: {}: {}",
                answer.status(),
                answer.text().await?
            );
        }
        Ok(())
    }

    async fn stop(self) -> Result<()> {
        self.process.terminate().await
    }
}
