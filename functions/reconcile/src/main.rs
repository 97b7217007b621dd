//! The Lambda function that compares records with snapshots and tickets.

// The SDK's futures nest deeper than the default limit.
#![recursion_limit = "256"]

use std::process::ExitCode;

use aws::invocation::Invocation;
use aws::panics::catch;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use reconcile::{Config, driver};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    aws::startup::exit_code(run().await)
}

async fn run() -> Result<(), Error> {
    let aws = aws::startup::init()?;
    let driver = &driver(&Config::from_env()?, &aws)?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        let _metrics = aws::metrics::flush_on_drop();
        let invocation = Invocation::of(&event.context.request_id, event.context.deadline);
        Ok::<_, Error>(catch(driver.handle(event.payload, &invocation)).await??)
    }))
    .await
}
