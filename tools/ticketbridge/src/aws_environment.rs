//! Credentials, region and stack outputs, as AWS's own tools find them: environment variables, the
//! files of the AWS CLI with their profiles, IAM Identity Center (after `aws sso login`), a process
//! that the profile names, and the role of the machine.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use aws::http_client::https_client;
use aws::startup::Account;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_types::SdkConfig;
use domain::text::chain;
use domain::wire::transport::is_protected;

/// How to reach AWS when no option says it. What is absent is found as AWS's own tools find it.
#[derive(Debug, Clone, Default)]
pub struct AwsEnvironment {
    pub credentials: Option<Credentials>,
    pub region: Option<String>,
    pub endpoint_url: Option<String>,
}

/// Which account, region and endpoint the options name.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct AccountOptions<'a> {
    pub(crate) profile: Option<&'a str>,
    pub(crate) region: Option<&'a str>,
    pub(crate) endpoint_url: Option<&'a str>,
}

impl AwsEnvironment {
    /// Finds credentials, region and endpoint. An option goes before the environment.
    ///
    /// # Errors
    /// When there are no credentials or no region, or the endpoint would be reached in plain text.
    pub(crate) async fn account(&self, options: AccountOptions<'_>) -> Result<Account> {
        let found = self.load(options).await?;
        let region = options.region.map(str::to_owned);
        let region = region.or_else(|| self.region.clone());
        let region = region.or_else(|| found.region().map(ToString::to_string));
        let region = region.context("no region: give one with --region, or set AWS_REGION")?;
        let endpoint_url = options.endpoint_url.map(str::to_owned);
        let endpoint_url = endpoint_url.or_else(|| self.endpoint_url.clone());
        let endpoint_url = endpoint_url.or_else(|| found.endpoint_url().map(str::to_owned));
        if let Some(url) = endpoint_url.as_ref().filter(|url| !is_protected(url)) {
            anyhow::bail!("{url} is neither an https address nor one of this machine");
        }
        let credentials = match (options.profile, &self.credentials) {
            (None, Some(credentials)) => credentials.clone(),
            (Some(_), _) | (None, None) => {
                let provider = found.credentials_provider().context(NO_CREDENTIALS)?;
                let provided = provider.provide_credentials().await;
                provided.map_err(|err| {
                    let cause = chain(&err);
                    anyhow::Error::msg(cause).context(NO_CREDENTIALS)
                })?
            }
        };
        Ok(Account {
            region,
            endpoint_url,
            credentials,
        })
    }

    /// Loads what AWS's own tools would use.
    async fn load(&self, options: AccountOptions<'_>) -> Result<SdkConfig> {
        let http = https_client()?;
        let region = options.region.map(str::to_owned);
        let region = region.or_else(|| self.region.clone()).map(Region::new);
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http.clone());
        if let Some(region) = region.clone() {
            loader = loader.region(region);
        }
        if let Some(profile) = options.profile {
            // The default chain would prefer keys of the environment.
            let provider = ProviderConfig::without_region()
                .with_region(region)
                .with_http_client(http);
            let provider = ProfileFileCredentialsProvider::builder()
                .configure(&provider)
                .profile_name(profile);
            loader = loader
                .profile_name(profile)
                .credentials_provider(provider.build());
        }
        Ok(loader.load().await)
    }
}

const NO_CREDENTIALS: &str = "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, \
                              or give a --profile, after `aws sso login` if it uses IAM Identity \
                              Center";

/// The outputs of a deployed stack.
///
/// # Errors
/// When CloudFormation does not know the stack, or the credentials may not read it.
pub(crate) async fn stack_outputs(
    aws: &SdkConfig,
    stack_name: &str,
) -> Result<BTreeMap<String, String>> {
    let client = aws_sdk_cloudformation::Client::new(aws);
    let described = client.describe_stacks().stack_name(stack_name).send().await;
    let described = described.map_err(|err| {
        let cause = chain(&err);
        anyhow::Error::msg(cause).context(format!(
            "cannot read the outputs of the stack {stack_name} (cloudformation:DescribeStacks)"
        ))
    })?;
    let stacks = described.stacks.unwrap_or_default().into_iter();
    let outputs = stacks.flat_map(|stack| stack.outputs.unwrap_or_default());
    Ok(outputs
        .filter_map(|output| Some((output.output_key?, output.output_value?)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> AwsEnvironment {
        AwsEnvironment {
            credentials: Some(Credentials::new("id", "secret", None, None, "test")),
            region: Some("eu-central-1".to_owned()),
            endpoint_url: None,
        }
    }

    #[tokio::test]
    async fn an_option_goes_before_the_environment() {
        let found = environment().account(AccountOptions::default()).await;
        let found = found.unwrap();
        assert_eq!(found.credentials.access_key_id(), "id");
        assert_eq!(found.region, "eu-central-1");
        let options = AccountOptions {
            region: Some("us-east-1"),
            endpoint_url: Some("http://127.0.0.1:4566"),
            ..AccountOptions::default()
        };
        let found = environment().account(options).await.unwrap();
        assert_eq!(found.region, "us-east-1");
        assert_eq!(found.endpoint_url.as_deref(), Some("http://127.0.0.1:4566"));
    }

    #[tokio::test]
    async fn a_profile_that_does_not_exist_is_an_error_although_the_environment_has_keys() {
        let options = AccountOptions {
            profile: Some("there-is-no-such-profile"),
            ..AccountOptions::default()
        };
        let err = environment().account(options).await.unwrap_err();
        assert_eq!(err.to_string(), NO_CREDENTIALS);
    }

    #[tokio::test]
    async fn an_endpoint_in_plain_text_is_refused() {
        let options = AccountOptions {
            endpoint_url: Some("http://example.com"),
            ..AccountOptions::default()
        };
        let err = environment().account(options).await.unwrap_err();
        assert!(err.to_string().contains("neither an https address"));
    }
}
