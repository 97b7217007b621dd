//! `cargo xtask demo`: the stack, the story, the tickets, and nothing left behind.

use std::time::Instant;

use anyhow::Result;

use crate::local::{Stack, Times};
use crate::story;

/// Succeeds only if all of the story was seen.
pub(crate) async fn run() -> Result<()> {
    let begun = Instant::now();
    let stack = Stack::start("demo", Times::SHOWN).await?;
    let seen = story::play(&stack).await?;
    drop(stack);
    println!(
        "All {seen} things were seen, in {:.0} s; everything is stopped.",
        begun.elapsed().as_secs_f64()
    );
    Ok(())
}
