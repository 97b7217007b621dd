//! Progress of long steps, and waiting with a deadline.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::time::{MissedTickBehavior, interval};

/// How often a long step prints its elapsed time.
const REPORT_EVERY: Duration = Duration::from_secs(30);

/// Runs a step. Prints its name before it, the elapsed time during it, and its duration after it.
pub async fn step<T>(what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    let started = Instant::now();
    println!("- {what}");
    let mut work = pin!(work);
    let mut reports = interval(REPORT_EVERY);
    reports.set_missed_tick_behavior(MissedTickBehavior::Delay);
    reports.tick().await;
    loop {
        tokio::select! {
            result = &mut work => {
                let result = result.with_context(|| what.to_owned())?;
                println!("  {:.1} s", started.elapsed().as_secs_f64());
                return Ok(result);
            }
            _ = reports.tick() => {
                println!("  … {:.0} s, still running", started.elapsed().as_secs_f64());
            }
        }
    }
}

/// Polls until there is a value.
///
/// # Errors
/// After the deadline, with what was waited for; at once when polling fails.
pub async fn wait_for<T>(
    what: &str,
    deadline: Duration,
    mut poll: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let started = Instant::now();
    let mut pause = interval(Duration::from_millis(100));
    pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pause.tick().await;
        if let Some(value) = poll().await? {
            return Ok(value);
        }
        if started.elapsed() > deadline {
            anyhow::bail!("waited {} s for {what}", deadline.as_secs());
        }
    }
}
