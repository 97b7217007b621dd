//! The Lambda behind the operator's API and the partner's page.

// The SDK's futures nest deeper than the compiler's default allows it to look.
#![recursion_limit = "256"]

use std::process::ExitCode;

use aws::invocation::Invocation;
use aws::panics::catch;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use setup::{Config, SetupHandler};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    aws::startup::exit_code(run().await)
}

async fn run() -> Result<(), Error> {
    let aws = aws::startup::init()?;
    let handler = &SetupHandler::build(&Config::from_env()?, &aws)?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| async move {
        let _flush = aws::metrics::flush_on_drop();
        let invocation = Invocation::of(&event.context.request_id, event.context.deadline);
        Ok::<_, Error>(catch(handler.invoke(event.payload, invocation)).await??)
    }))
    .await
}
