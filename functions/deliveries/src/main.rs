//! The Lambda function that delivers outgoing events.

// The SDK's futures nest deeper than the default limit.
#![recursion_limit = "256"]

use std::process::ExitCode;

use aws::invocation::Invocation;
use aws::panics::catch;
use deliveries::{Config, DeliveriesHandler};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    aws::startup::exit_code(run().await)
}

async fn run() -> Result<(), Error> {
    let aws = aws::startup::init()?;
    let handler = &DeliveriesHandler::build(&Config::from_env()?, &aws)?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        let _metrics = aws::metrics::flush_on_drop();
        let invocation = Invocation::of(&event.context.request_id, event.context.deadline);
        Ok::<_, Error>(catch(handler.handle(event.payload, &invocation)).await??)
    }))
    .await
}
