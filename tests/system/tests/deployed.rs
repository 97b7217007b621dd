//! Tests that start a stack. A plain test run skips them: `cargo xtask test`, `chaos`, `calls`,
//! `large` and `bench isolation` run them, and so does
//! `cargo nextest run -p system --run-ignored only --no-capture -E 'test(=smoke)'`.

use std::future::Future;

use anyhow::{Context, Result, bail};
use local_stack::signals::stop_signal;

/// Runs a test until it ends or a signal arrives. Both stop the test's stack.
async fn until_stopped(test: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::select! {
        result = test => result,
        signal = stop_signal() => bail!("stopped by signal {}", signal?),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "starts a stack"]
async fn smoke() -> Result<()> {
    until_stopped(system::smoke::run()).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "starts a stack"]
async fn restore() -> Result<()> {
    until_stopped(system::restore::run()).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "starts a stack"]
async fn operator_program() -> Result<()> {
    until_stopped(system::operator_program::run()).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "starts a stack"]
async fn iam_denials() -> Result<()> {
    until_stopped(system::iam_denials::run()).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "starts a stack"]
async fn alertmanager() -> Result<()> {
    until_stopped(system::alertmanager::run()).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "starts a stack"]
async fn alert_storm() -> Result<()> {
    until_stopped(system::alert_storm::run()).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "starts a stack"]
async fn outgoing_webhook() -> Result<()> {
    until_stopped(system::outgoing_webhook::run()).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "starts a stack"]
async fn ticket_rules() -> Result<()> {
    until_stopped(system::ticket_rules::run()).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "starts a stack"]
async fn calls() -> Result<()> {
    until_stopped(system::calls::run()).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "starts a stack"]
#[expect(
    clippy::disallowed_methods,
    reason = "how `cargo xtask chaos` passes its option"
)]
async fn chaos() -> Result<()> {
    let seed = std::env::var("TICKETBRIDGE_CHAOS_SEED").ok();
    let seed = seed.map(|seed| seed.parse()).transpose();
    let seed = seed.context("TICKETBRIDGE_CHAOS_SEED is not a number")?;
    until_stopped(system::chaos::run(seed)).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "starts a stack"]
async fn scale() -> Result<()> {
    until_stopped(system::scale::run()).await
}

/// A measurement without a verdict.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "starts a stack"]
async fn isolation() -> Result<()> {
    until_stopped(system::isolation::run()).await
}
