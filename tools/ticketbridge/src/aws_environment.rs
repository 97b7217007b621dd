//! Credentials, region and stack outputs, as AWS's own tools find them: environment variables, and
//! the AWS CLI for profiles, SSO and CloudFormation. The SDK could do this too, but its crates for
//! it would be the largest part of this program, and an operator has the CLI anyway.

use std::collections::BTreeMap;
use std::env;

use anyhow::{Context, Result, bail};
use aws_credential_types::Credentials;
use serde::Deserialize;
use tokio::process::Command;

/// How to reach AWS when no option says it.
pub struct AwsEnvironment {
    /// Starts the AWS CLI.
    pub cli: Box<dyn Fn() -> Command>,
    pub credentials: Option<Credentials>,
    pub region: Option<String>,
    pub endpoint_url: Option<String>,
}

/// What `aws configure export-credentials` prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ExportedCredentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribedStacks {
    stacks: Vec<DescribedStack>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribedStack {
    #[serde(default)]
    outputs: Vec<DescribedOutput>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribedOutput {
    output_key: String,
    output_value: String,
}

impl AwsEnvironment {
    /// Reads the variables that all AWS tools read.
    pub fn from_env() -> Self {
        let keys = variable("AWS_ACCESS_KEY_ID").zip(variable("AWS_SECRET_ACCESS_KEY"));
        let credentials = keys.map(|(id, secret)| {
            Credentials::new(
                id,
                secret,
                variable("AWS_SESSION_TOKEN"),
                None,
                "environment",
            )
        });
        Self {
            cli: Box::new(|| Command::new("aws")),
            credentials,
            region: variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")),
            endpoint_url: variable("AWS_ENDPOINT_URL"),
        }
    }

    /// The credentials of a profile; without one those of the environment, or of the default
    /// profile.
    pub(crate) async fn credentials(&self, profile: Option<&str>) -> Result<Credentials> {
        if let (None, Some(credentials)) = (profile, &self.credentials) {
            return Ok(credentials.clone());
        }
        let mut command = (self.cli)();
        command.args(["configure", "export-credentials"]);
        let exported = output(with_profile(command, profile)).await.context(
            "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give a \
             --profile, which needs version 2 of the AWS CLI",
        )?;
        let exported: ExportedCredentials =
            serde_json::from_str(&exported).context("cannot parse the AWS CLI's credentials")?;
        Ok(Credentials::new(
            exported.access_key_id,
            exported.secret_access_key,
            exported.session_token,
            None,
            "AWS CLI",
        ))
    }

    pub(crate) async fn region(&self, profile: Option<&str>) -> Result<String> {
        if let Some(region) = &self.region {
            return Ok(region.clone());
        }
        let mut command = (self.cli)();
        command.args(["configure", "get", "region"]);
        let region = output(with_profile(command, profile)).await;
        let region = region.context("no region: give one with --region, or set AWS_REGION")?;
        Ok(region.trim().to_owned())
    }

    /// The outputs of a deployed stack.
    pub(crate) async fn stack_outputs(
        &self,
        stack_name: &str,
        profile: Option<&str>,
        region: &str,
        endpoint_url: Option<&str>,
    ) -> Result<BTreeMap<String, String>> {
        let mut command = (self.cli)();
        command.args(["cloudformation", "describe-stacks", "--output", "json"]);
        command.args(["--stack-name", stack_name, "--region", region]);
        if let Some(url) = endpoint_url {
            command.args(["--endpoint-url", url]);
        }
        let described = output(with_profile(command, profile))
            .await
            .with_context(|| format!("cannot read the outputs of the stack {stack_name}"))?;
        let described: DescribedStacks =
            serde_json::from_str(&described).context("cannot parse the AWS CLI's answer")?;
        let outputs = described.stacks.into_iter().flat_map(|stack| stack.outputs);
        Ok(outputs
            .map(|output| (output.output_key, output.output_value))
            .collect())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the variables that AWS's own tools read"
)]
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn with_profile(mut command: Command, profile: Option<&str>) -> Command {
    if let Some(profile) = profile {
        command.args(["--profile", profile]);
    }
    command
}

async fn output(mut command: Command) -> Result<String> {
    let output = command.kill_on_drop(true).output().await;
    let output = output.context("cannot run the AWS CLI: is `aws` installed?")?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        bail!("the AWS CLI failed ({}): {}", output.status, text.trim());
    }
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An environment whose CLI prints its arguments, or this text.
    fn environment(prints: Option<&'static str>) -> AwsEnvironment {
        AwsEnvironment {
            cli: Box::new(move || {
                let mut command = Command::new("echo");
                command.args(prints);
                if prints.is_some() {
                    command = Command::new("sh");
                    command.args(["-c", "printf %s \"$0\"", prints.unwrap_or_default()]);
                }
                command
            }),
            credentials: Some(Credentials::new("id", "secret", None, None, "test")),
            region: None,
            endpoint_url: None,
        }
    }

    #[tokio::test]
    async fn a_profile_goes_before_the_environment() {
        let exported = r#"{"Version": 1, "AccessKeyId": "of-profile", "SecretAccessKey": "s"}"#;
        let aws = environment(Some(exported));
        let found = aws.credentials(None).await.unwrap();
        assert_eq!(found.access_key_id(), "id");
        let found = aws.credentials(Some("work")).await.unwrap();
        assert_eq!(found.access_key_id(), "of-profile");
        assert_eq!(found.session_token(), None);
    }

    #[tokio::test]
    async fn the_cli_is_asked_for_the_profiles_region() {
        let aws = environment(None);
        let region = aws.region(Some("work")).await.unwrap();
        assert_eq!(region, "configure get region --profile work");
    }

    #[tokio::test]
    async fn a_stack_without_outputs_has_none() {
        let aws = environment(Some(r#"{"Stacks": [{"StackName": "x"}]}"#));
        let outputs = aws.stack_outputs("x", None, "eu-central-1", None).await;
        assert!(outputs.unwrap().is_empty());
    }
}
