//! What a person sees while a long step runs.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::time::{MissedTickBehavior, interval};

/// How often a step that takes long says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// Runs a step: its name before, its seconds after, and a sign of life in between.
pub(crate) async fn step<T>(what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    let begun = Instant::now();
    println!("- {what}");
    let mut work = pin!(work);
    let mut heartbeat = interval(HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    heartbeat.tick().await;
    loop {
        tokio::select! {
            done = &mut work => {
                let done = done.with_context(|| what.to_owned())?;
                println!("  {:.1} s", begun.elapsed().as_secs_f64());
                return Ok(done);
            }
            _ = heartbeat.tick() => println!("  … {:.0} s, still at it", begun.elapsed().as_secs_f64()),
        }
    }
}

/// Asks again and again until there is an answer.
///
/// # Errors
/// After the deadline, with what was waited for; at once when asking fails.
pub(crate) async fn wait_for<T>(
    what: &str,
    deadline: Duration,
    mut ask: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let begun = Instant::now();
    let mut pause = interval(Duration::from_millis(100));
    pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pause.tick().await;
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        if begun.elapsed() > deadline {
            anyhow::bail!("waited {} s for {what}", deadline.as_secs());
        }
    }
}
