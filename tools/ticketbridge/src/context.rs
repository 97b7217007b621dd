//! What each command gets besides its own options: the stack, the way to reach AWS, and how to
//! print.

use anyhow::Result;

use crate::aws_environment::AwsEnvironment;
use crate::operator_api::OperatorApi;
use crate::output::OutputFormat;
use crate::target::{ResourceNames, TargetOptions, TargetStack};

#[derive(Debug, Clone)]
pub struct CommandContext {
    pub target: TargetOptions,
    pub aws: AwsEnvironment,
    pub format: OutputFormat,
}

impl CommandContext {
    pub(crate) async fn open(&self, names: &ResourceNames) -> Result<TargetStack> {
        self.target.open(names, &self.aws).await
    }

    pub(crate) async fn operator_api(&self) -> Result<OperatorApi> {
        let target = self.open(&ResourceNames::default()).await?;
        OperatorApi::open(&target).await
    }
}
