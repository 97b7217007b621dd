//! A minimal function, with which `cargo xtask bench` compares `ingest`.

use lambda_runtime::{Error, LambdaEvent, service_fn};

async fn hello(event: LambdaEvent<serde_json::Value>) -> Result<serde_json::Value, Error> {
    Ok(event.payload)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(hello)).await
}
