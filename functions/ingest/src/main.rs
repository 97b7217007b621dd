//! The webhook's Lambda.

// The SDK's futures nest deeper than the compiler's default allows it to look.
#![recursion_limit = "256"]

use std::process::ExitCode;

use aws::panics::catch;
use ingest::{App, Config};
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    aws::startup::exit_code(run().await)
}

async fn run() -> Result<(), Error> {
    let aws = aws::startup::init()?;
    let app = &App::build(Config::from_env()?, &aws);
    lambda_runtime::run(service_fn(|event: LambdaEvent<_>| async move {
        let _told = aws::metrics::flush_on_drop();
        Ok::<_, Error>(catch(app.handle(event.payload)).await?)
    }))
    .await
}
