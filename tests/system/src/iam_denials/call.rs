//! A call as AWS's models name it.

use serde::Serialize;
use serde_json::Value;

#[derive(Debug, Serialize)]
pub(super) struct IamCall {
    pub(super) service: &'static str,
    pub(super) operation: &'static str,
    pub(super) parameters: Value,
    /// The resource, for the reader.
    #[serde(skip)]
    pub(super) on: String,
}

pub(super) fn call(
    service: &'static str,
    operation: &'static str,
    on: &str,
    parameters: Value,
) -> IamCall {
    IamCall {
        service,
        operation,
        parameters,
        on: on.to_owned(),
    }
}

impl IamCall {
    /// The action's name in IAM: nearly always that of the call.
    pub(super) fn action(&self) -> String {
        let (service, operation) = (self.service, self.operation);
        match (service, operation) {
            ("lambda", "Invoke") => "lambda:InvokeFunction".to_owned(),
            ("s3", "ListBuckets") => "s3:ListAllMyBuckets".to_owned(),
            ("s3", "ListObjectsV2") => "s3:ListBucket".to_owned(),
            ("sesv2", _) => format!("ses:{operation}"),
            _ => format!("{service}:{operation}"),
        }
    }
}
