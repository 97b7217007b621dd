//! The chaos test: a storm of events through the deployed template while ConnectWise shows every
//! known or suspected failure, technicians work on the same tickets, and functions are killed. In
//! the end each active alert has one open ticket or waits for a person, and partners with a healthy
//! ConnectWise have not waited longer than in a calm round.

mod faults;
mod page_check;
mod partners;
mod posting;
mod progress;
mod report;
mod round;
mod scenarios;
mod storm;
mod verdict;
mod worker_killer;

use anyhow::{Context, Result};
use local_stack::empty_stack::StackTimes;
use local_stack::progress::step;
use local_stack::stack::Stack;

use round::ChaosRound;
use scenarios::{CALM, PARTNERS, STORM};

/// Runs the test on a stack of its own. A seed repeats the scenarios and deliveries of an earlier
/// run.
///
/// # Errors
/// When anything is not as it must be, with the seed and all that is known of each such alert.
pub async fn run(seed: Option<u64>) -> Result<()> {
    // Short enough to type again.
    let seed = seed.unwrap_or_else(|| fastrand::u32(..).into());
    println!("- chaos with seed {seed}");
    let stack = Stack::with_other_sites("chaos", StackTimes::ALL_FAULTS, PARTNERS - 1).await?;
    let result = stack.save_logs_on_failure(run_rounds(&stack, seed)).await;
    result.with_context(|| {
        format!("chaos failed: `cargo xtask chaos --seed {seed}` repeats its scenarios")
    })
}

async fn run_rounds(stack: &Stack, seed: u64) -> Result<()> {
    let others = step(
        "setting up the other partners",
        partners::seed_others(stack),
    )
    .await?;
    let partners = partners::all(stack, &others)?;
    let calm = ChaosRound::prepare(stack, &partners, seed, CALM, &[]).await?;
    let remaining = calm.run_calm().await?;
    let calm = calm.report(calm.elapsed()).await?;
    calm.check(&remaining)
        .context("the calm round before the storm")?;
    let storm = ChaosRound::prepare(stack, &partners, seed, STORM, &calm.alerts).await?;
    let remaining = storm.run_storm().await?;
    let elapsed = storm.elapsed();
    storm.settle().await?;
    let report = storm.report(elapsed).await?;
    report.print();
    report.check(&remaining)?;
    report.compare_delays(&calm)
}
