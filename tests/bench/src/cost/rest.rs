//! What a partner costs in a month without events: its runs of reconcile and health. And what the
//! ticks of the schedules cost, which all partners share.

use std::time::Duration;

use anyhow::{Result, ensure};
use domain::monitoring::pipeline::Schedule;
use jiff::Timestamp;
use local_stack::emulator::sdk_config;
use local_stack::progress::step;
use local_stack::run_folder::RunFolder;
use local_stack::table;
use serde_json::{Value, json};
use store::Due;
use tokio::time::sleep;

use super::PLATFORM_LOG;
use super::bill::{Bill, MEMORY, Usage};
use super::prices::Charge;
use crate::figures::Figures;
use crate::function::{Programs, RunningFunction};
use crate::tickets::Workplace;

/// Tenants and open alerts of the partner.
const TENANTS: usize = 50;
const OPEN: usize = 100;
/// Runs that are measured of each schedule.
const RUNS: u8 = 10;
/// Longer than the period of the measured runs.
const PERIOD: Duration = Duration::from_millis(1100);
/// Runs of a schedule in a month of 730 hours: one in each 15 minutes.
const RUNS_A_MONTH: f64 = 2920.0;
/// Ticks of a schedule in a month: one a minute.
const TICKS_A_MONTH: f64 = 43_800.0;
/// Lambda's pollers of a queue wait 20 seconds for a message, five at once: assumed.
const POLLS_A_MONTH: f64 = 657_000.0;
/// The template's queues that have pollers.
const QUEUES: f64 = 2.0;
/// USD for a partner in a month, beyond its secrets.
const REACH: f64 = 0.10;

/// The functions that run for each partner.
const JOBS: [(&str, Schedule); 2] = [
    ("reconcile", Schedule::Reconcile),
    ("health", Schedule::Health),
];

/// What a tick or a run needs. With keys in memory it reads no secret, so those are of the first one.
struct Measured {
    usage: Usage,
    secret_reads: f64,
}

pub(super) async fn measure(
    place: &mut Workplace,
    programs: &Programs,
    folder: &RunFolder,
    figures: &mut Figures,
) -> Result<()> {
    let what = "a partner with 50 tenants and 100 open alerts";
    step(what, async {
        place.add_tenants(TENANTS).await?;
        let alerts = 20_000..20_000 + OPEN;
        place.work("open alerts", "alert.raised", alerts).await
    })
    .await?;
    let (mut partner, mut ticks, mut secrets) = (Bill::default(), Bill::default(), 0.0);
    for (function, schedule) in JOBS {
        let what = format!("{RUNS} runs of {function}");
        let measured = measure_job(place, function, schedule, programs, folder);
        let (run, tick) = step(&what, measured).await?;
        secrets += Charge::SecretRead.price() * run.secret_reads * RUNS_A_MONTH;
        for (bill, usage, times) in [
            (&mut partner, &run.usage, RUNS_A_MONTH),
            (&mut ticks, &tick.usage, TICKS_A_MONTH),
        ] {
            let names = match schedule {
                Schedule::Health => ["health: DynamoDB", "health: time, logs, data"],
                Schedule::Reconcile => ["reconcile: DynamoDB", "reconcile: time, logs, data"],
            };
            let costs = costs(usage).map(|cost| cost * times);
            bill.lines.extend(names.into_iter().zip(costs));
        }
        let Usage {
            cpu,
            connectwise_calls,
            units,
            log_bytes,
            ..
        } = &run.usage;
        println!(
            "a run of {function}: {:.1} read units, {:.1} write units of tables and {:.1} of \
             indexes, {:.1} ms of CPU time, {connectwise_calls:.1} calls of ConnectWise, \
             {log_bytes:.0} bytes of log, {:.0} reads of secrets",
            units.read,
            units.write,
            units.all_index_writes(),
            cpu * 1e3,
            run.secret_reads,
        );
        let figure = |what: &str| format!("a run of {function}: {what}");
        figures.add(&figure("read units"), units.read, "each", None);
        let writes = units.write + units.all_index_writes();
        figures.add(&figure("write units"), writes, "each", None);
    }
    ticks.add(
        "requests of Lambda",
        Charge::LambdaRequest,
        2.0 * TICKS_A_MONTH,
    );
    ticks.add(
        "polls of the queues",
        Charge::QueueRequest,
        QUEUES * POLLS_A_MONTH,
    );
    print(
        "USD for a partner at rest in a month, beyond its secrets",
        &partner,
    );
    println!("reads of its secrets in addition: {secrets:.3} USD");
    print(
        "USD for ticks and polls in a month, for all partners",
        &ticks,
    );
    let name = "a partner at rest in a month, beyond its secrets";
    figures.add(name, partner.sum(), "USD", Some(REACH));
    figures.add("ticks and polls in a month", ticks.sum(), "USD", None);
    figures.add(
        "reads of a partner's secrets in a month",
        secrets,
        "USD",
        None,
    );
    Ok(())
}

fn print(head: &str, bill: &Bill) {
    let mut rows = vec![[head.to_owned(), String::new()]];
    let sum = ("sum", bill.sum());
    for (name, usd) in bill.lines.iter().chain([&sum]) {
        rows.push([(*name).to_owned(), format!("{usd:.3}")]);
    }
    table::print(&rows);
}

/// USD of DynamoDB, and of Lambda's time, the logs and the data that is sent.
fn costs(usage: &Usage) -> [f64; 2] {
    let (mut units, mut other) = (Bill::default(), Bill::default());
    units.add_units(&usage.units, 1.0);
    let time = usage.gigabyte_seconds(MEMORY, 1.0);
    other.add("time", Charge::GigabyteSecond, time);
    other.add("log", Charge::LogByte, usage.log_bytes + PLATFORM_LOG);
    other.add("data", Charge::SentByte, usage.sent_bytes());
    [units.sum(), other.sum()]
}

/// Measures runs of the partner, each in an invocation of its own, and ticks that find no partner
/// due.
async fn measure_job(
    place: &Workplace,
    function: &str,
    schedule: Schedule,
    programs: &Programs,
    folder: &RunFolder,
) -> Result<(Measured, Measured)> {
    let mut ticks = Sum::default();
    let mut running = place
        .start_function(function, programs, folder, &[])
        .await?;
    // The first tick also runs the partner, if it is due already.
    running.invoke(&json!({})).await?;
    for _ in 0..RUNS {
        let answer = ticks.add(place, &mut running, &json!({})).await?;
        ensure!(
            answer["due"] == 0,
            "{function} finds a partner due: {answer}"
        );
    }
    drop(running);

    let due = Due::new(
        &sdk_config(place.emulator())?,
        place.config_table().to_owned(),
    );
    let partner = place.partner()?;
    // Each run is in another period than the one before.
    let periods = ["RECONCILE_SECONDS", "HEALTH_SECONDS"].map(|name| (name, "1".to_owned()));
    let mut running = place
        .start_function(function, programs, folder, &periods)
        .await?;
    let mut runs = Sum::default();
    for _ in 0..RUNS {
        due.bring_forward(partner, schedule, Timestamp::now())
            .await?;
        sleep(PERIOD).await;
        let answer = runs
            .add(place, &mut running, &json!({ "partners": [partner] }))
            .await?;
        ensure!(
            answer["completed"] == 1,
            "{function} answers {answer}; see {}",
            running.log().display()
        );
    }
    Ok((runs.measured(), ticks.measured()))
}

/// The sum of invocations.
#[derive(Default)]
struct Sum {
    usage: Usage,
    /// Of the first invocation. The later ones have the keys in memory.
    secret_reads: Option<f64>,
}

impl Sum {
    async fn add(
        &mut self,
        place: &Workplace,
        running: &mut RunningFunction,
        input: &Value,
    ) -> Result<Value> {
        let (calls, used) = (place.counters().await?, running.usage()?);
        let answer = running.invoke(input).await?;
        let used = running.usage()?.since(used);
        let calls = place.counters().await?.since(&calls);
        self.secret_reads.get_or_insert(calls.secret_reads);
        self.usage.add(&Usage {
            cpu: used.cpu_time.as_secs_f64(),
            connectwise_calls: calls.connectwise,
            connectwise_bytes: calls.connectwise_bytes,
            aws_calls: calls.aws,
            units: calls.units,
            log_bytes: used.log_bytes,
        });
        Ok(answer)
    }

    fn measured(self) -> Measured {
        Measured {
            usage: self.usage.for_each(f64::from(RUNS)),
            secret_reads: self.secret_reads.unwrap_or_default(),
        }
    }
}
