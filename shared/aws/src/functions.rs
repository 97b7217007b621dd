//! Starts other Lambda functions.

use std::sync::OnceLock;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use aws_types::SdkConfig;
use domain::text::chain;
use serde_json::Value;

#[derive(Debug, thiserror::Error)]
#[error("failed to start {function}: {cause}")]
pub struct FunctionStartError {
    function: String,
    /// The whole chain of the SDK's error.
    cause: String,
}

/// A deployed function.
#[derive(Debug, Clone)]
pub struct Function {
    config: SdkConfig,
    /// Built at its first use, since most instances of a function never start another one.
    client: OnceLock<Client>,
    name: String,
}

impl Function {
    #[must_use]
    pub fn new(config: &SdkConfig, name: String) -> Self {
        Self {
            config: config.clone(),
            client: OnceLock::new(),
            name,
        }
    }

    /// Starts the function asynchronously. Lambda may run it twice, or under load not at all, so
    /// the work must also be found by other means.
    ///
    /// # Errors
    /// When Lambda did not confirm the request. If no response came, the function may still run.
    pub async fn invoke_later(&self, payload: &Value) -> Result<(), FunctionStartError> {
        let call = self
            .client
            .get_or_init(|| Client::new(&self.config))
            .invoke()
            .function_name(&self.name)
            .invocation_type(InvocationType::Event)
            .payload(Blob::new(payload.to_string()));
        match call.send().await {
            Ok(_) => Ok(()),
            Err(err) => Err(FunctionStartError {
                function: self.name.clone(),
                cause: chain(&err),
            }),
        }
    }
}
