//! The Lambda function that consumes the queue.

// The SDK's futures nest deeper than the default limit.
#![recursion_limit = "256"]

use std::process::ExitCode;

use aws::panics::catch;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use tickets::{Config, TicketsHandler};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    aws::startup::exit_code(run().await)
}

async fn run() -> Result<(), Error> {
    let aws = aws::startup::init()?;
    let handler = &TicketsHandler::build(&Config::from_env()?, &aws)?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<_>| async move {
        let _metrics = aws::metrics::flush_on_drop();
        let invocation =
            tickets::BatchInvocation::of(&event.context.request_id, event.context.deadline);
        Ok::<_, Error>(catch(handler.handle(event.payload, &invocation)).await?)
    }))
    .await
}
