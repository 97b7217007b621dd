//! Asking a Lambda to run.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use aws_types::SdkConfig;
use domain::text::chain;
use serde_json::Value;

/// Lambda did not take the request to run a function.
#[derive(Debug, thiserror::Error)]
#[error("Lambda does not run {function}: {cause}")]
pub struct NotAsked {
    /// Its name.
    function: String,
    /// What the SDK says, its whole chain.
    cause: String,
}

/// A deployed function.
#[derive(Debug, Clone)]
pub struct Function {
    client: Client,
    name: String,
}

impl Function {
    /// The function of this name.
    #[must_use]
    pub fn new(config: &SdkConfig, name: String) -> Self {
        Self {
            client: Client::new(config),
            name,
        }
    }

    /// Has the function run some time soon, beside whatever else runs, and does not wait for it. Lambda may run it twice, or not
    /// at all when it has too much to do: what is asked for here must be found again by other means.
    ///
    /// # Errors
    /// When Lambda did not take the request; it may have, where no answer came.
    pub async fn invoke_later(&self, payload: &Value) -> Result<(), NotAsked> {
        let call = self
            .client
            .invoke()
            .function_name(&self.name)
            .invocation_type(InvocationType::Event)
            .payload(Blob::new(payload.to_string()));
        match call.send().await {
            Ok(_) => Ok(()),
            Err(err) => Err(NotAsked {
                function: self.name.clone(),
                cause: chain(&err),
            }),
        }
    }
}
