//! The Lambda function of the webhook.

// The SDK's futures nest deeper than the compiler's default limit.
#![recursion_limit = "256"]

use std::process::ExitCode;

use aws::invocation::Invocation;
use ingest::{Config, Webhook};
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    aws::startup::exit_code(run().await)
}

async fn run() -> Result<(), Error> {
    let aws = aws::startup::init()?;
    let webhook = &Webhook::build(Config::from_env()?, &aws);
    lambda_runtime::run(service_fn(|event: LambdaEvent<_>| async move {
        let _flush = aws::metrics::flush_on_drop();
        let invocation = Invocation::of(&event.context.request_id, event.context.deadline);
        Ok::<_, Error>(webhook.handle(event.payload, &invocation).await)
    }))
    .await
}
