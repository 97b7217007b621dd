//! The time from a message to its ticket while `tickets` is warm and ConnectWise answers at once:
//! without other alerts, and while thousands of another connection are blocked.
//!
//! `tickets` gets one message at a time as from the queue. The time in which the emulator answers
//! calls is subtracted. The queue and its poller are AWS's and not in it.

use anyhow::{Result, ensure};
use local_stack::progress::step;
use local_stack::run_folder::RunFolder;
use local_stack::table;

use crate::figures::Figures;
use crate::function::Programs;
use crate::spread::Spread;
use crate::tickets::Workplace;

/// Alerts whose time is measured, before and after the others are blocked.
const ALERTS: usize = 200;
/// Alerts that are blocked in the table.
const BLOCKED: usize = 2000;
/// Milliseconds from the message to the answer of ConnectWise.
const REACH: f64 = 25.0;
/// How much longer tickets of others may take while alerts are blocked.
const RATIO_REACH: f64 = 1.2;

pub(crate) async fn measure(
    programs: &Programs,
    folder: &RunFolder,
    figures: &mut Figures,
) -> Result<()> {
    let mut place = Workplace::start_with_two_partners(programs, folder).await?;
    place
        .work("the first alerts", "alert.raised", 0..20)
        .await?;
    let alone = times(&mut place, 1000);
    let alone = step("200 alerts, one after the other", alone).await?;
    place.revoke_other_keys().await?;
    let what = format!("{BLOCKED} alerts of a connection whose keys are refused");
    let blocked = place.block(10_000..10_000 + BLOCKED);
    let returned = step(&what, blocked).await?;
    let beside = times(&mut place, 2000);
    let beside = step("200 alerts beside them", beside).await?;
    let head = [
        "ms from the message to the ticket",
        "least",
        "median",
        "p95",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    for (name, times) in [("alone", &alone), ("beside 2,000 blocked alerts", &beside)] {
        let Spread { least, median, p95 } = *times;
        let [least, median, p95] = [least, median, p95].map(|ms| format!("{ms:.2}"));
        rows.push([name.to_owned(), least, median, p95]);
    }
    table::print(&rows);
    println!("of {BLOCKED} messages of blocked alerts {returned} returned to the queue");
    let name = "from a message to its ticket, without the emulator, median";
    figures.add_uncompared(name, alone.median, "ms", Some(REACH));
    let name = "the same beside 2,000 blocked alerts / alone";
    figures.add_uncompared(name, beside.median / alone.median, "x", Some(RATIO_REACH));
    let returned = f64::from(u32::try_from(returned)?);
    let name = "messages of 2,000 blocked alerts that return to the queue";
    figures.add(name, returned, "each", Some(0.0));
    Ok(())
}

/// Milliseconds of the invocations of new alerts.
async fn times(place: &mut Workplace, first: usize) -> Result<Spread> {
    let mut times = vec![];
    for alert in first..first + ALERTS {
        let before = place.emulator_time();
        let work = place
            .work("an alert", "alert.raised", alert..alert + 1)
            .await?;
        let creations = work.connectwise.get("POST tickets");
        ensure!(
            creations == Some(&1),
            "an alert made {:?}",
            work.connectwise
        );
        let emulator = place.emulator_time().saturating_sub(before);
        times.push(work.invoked.saturating_sub(emulator).as_secs_f64() * 1e3);
    }
    Spread::of(times)
}
