//! Runs the fuzz targets with libFuzzer, on the stable compiler. Only a C++ compiler is needed.

use std::fs;

use anyhow::{Context, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
use local_stack::environment;
use local_stack::process::{run as run_program, run_logged};
use local_stack::progress::step;
use local_stack::run_folder::RunFolder;

/// Signature headers, bodies with one event and with many, bodies of other formats, and
/// ConnectWise's answers.
const TARGETS: [&str; 5] = ["signature", "event", "batch", "mapping", "answer"];
/// A fuzzer has one thread.
const CONCURRENT_TARGETS: usize = 2;
const EXECUTIONS: &str = "stat::number_of_executed_units:";

#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct FuzzOptions {
    /// How long each target runs
    #[arg(long, default_value_t = 60)]
    pub(crate) seconds: u32,
}

/// Builds the targets and runs each of them.
///
/// # Errors
/// At a crash, a hang or a broken property. The input is kept, and the log names it.
pub(crate) async fn run(FuzzOptions { seconds }: FuzzOptions) -> Result<()> {
    let log_folder = RunFolder::create("fuzz")?;
    let folder = environment::root().join("fuzz");
    // The folder has its own cargo configuration, which instruments the code.
    let cargo = |arguments: &[&str]| {
        let mut cargo = environment::cargo(arguments);
        cargo.current_dir(&folder).env_remove("CARGO_TARGET_DIR");
        cargo
    };
    let build = cargo(&["build", "--release", "--locked"]);
    step(
        "building the fuzz targets",
        run_program("cargo build", build),
    )
    .await?;
    let fuzzers = TARGETS.map(|target| {
        let found = format!("target/found/{target}");
        let mut fuzzer = cargo(&["run", "--quiet", "--release", "--locked", "--bin", target]);
        fuzzer
            // A backtrace would hide the message of a panic, which is what helps.
            .env("RUST_BACKTRACE", "0")
            .arg("--")
            .args([
                &format!("-max_total_time={seconds}"),
                "-timeout=10",
                "-print_final_stats=1",
            ])
            .arg(format!("-artifact_prefix={found}-"))
            .args([&found, &format!("corpus/{target}")]);
        let found = folder.join(found);
        let log = log_folder.path().join(format!("fuzz-{target}.log"));
        async move {
            fs::create_dir_all(found)?;
            run_logged(&format!("fuzzing `{target}`"), fuzzer, log.clone()).await?;
            let executions = executions(&fs::read_to_string(log)?);
            anyhow::Ok((
                target,
                executions.context("the fuzzer printed no executions")?,
            ))
        }
    });
    let what = format!("fuzzing {} targets, {seconds} s each", TARGETS.len());
    let all = stream::iter(fuzzers).buffer_unordered(CONCURRENT_TARGETS);
    for (target, executions) in step(&what, all.try_collect::<Vec<_>>()).await? {
        println!("  {target}: {executions} executions, 0 crashes");
    }
    Ok(())
}

fn executions(output: &str) -> Option<u64> {
    let line = output
        .lines()
        .find_map(|line| line.strip_prefix(EXECUTIONS))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_executions_are_read_from_the_statistics() {
        let output =
            "Done 5 runs in 1 second(s)\nstat::number_of_executed_units: 475021\nstat::x: 1";
        assert_eq!(super::executions(output), Some(475_021));
    }
}
