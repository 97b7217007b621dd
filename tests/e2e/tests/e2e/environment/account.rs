//! A test's own AWS account in the emulator.

use aws::startup::{Account, sdk_config};
use aws_credential_types::Credentials;
use aws_types::SdkConfig;
use aws_types::app_name::AppName;
use serde_json::Value;

/// The emulator's address.
#[expect(
    clippy::disallowed_methods,
    reason = "the tests' one piece of configuration"
)]
pub(super) fn emulator_url() -> String {
    std::env::var("TICKETBRIDGE_TEST_AWS").expect(
        "TICKETBRIDGE_TEST_AWS is not set: run `cargo xtask test`, which starts the emulator that these tests need",
    )
}

/// An account that no other test and no other run uses.
pub(crate) struct TestAccount {
    pub(super) id: String,
    account: Account,
    http: reqwest::Client,
}

impl TestAccount {
    pub(super) fn new(http: reqwest::Client) -> Self {
        let random: [u8; 8] = ring::rand::generate(&ring::rand::SystemRandom::new())
            .unwrap()
            .expose();
        let number = u64::from_le_bytes(random) % 900_000_000_000 + 100_000_000_000;
        let id = number.to_string();
        let account = Account {
            region: "us-east-1".into(),
            endpoint_url: Some(emulator_url()),
            credentials: Credentials::new(&id, "test", None, None, "test"),
        };
        Self { id, account, http }
    }

    /// The SDK's configuration, as the functions get it at start-up.
    pub(super) fn sdk_config(&self) -> SdkConfig {
        sdk_config(&self.account).unwrap()
    }

    /// The SDK's configuration of another process, whose calls go to `endpoint_url` and carry `name`.
    pub(crate) fn sdk_config_through(&self, endpoint_url: &str, name: &str) -> SdkConfig {
        let account = Account {
            endpoint_url: Some(endpoint_url.to_owned()),
            ..self.account.clone()
        };
        let name = AppName::new(name.to_owned()).unwrap();
        let aws = sdk_config(&account).unwrap();
        aws.into_builder().app_name(name).build()
    }

    /// All mails that were sent, oldest first: `Source`, `To`, `Subject`, `BodyText`, `BodyHtml`.
    pub(crate) async fn mails(&self) -> Vec<Value> {
        let (emulator, account) = (emulator_url(), &self.id);
        let url = format!("{emulator}/_ministack/ses/messages?account={account}");
        let answer = self.http.get(url).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        let mails = answer["messages"][account].as_array();
        mails.cloned().unwrap_or_default()
    }

    /// Creates a secret or replaces its value.
    pub(crate) async fn put_secret(&self, name: &str, text: &str) {
        let client = aws_sdk_secretsmanager::Client::new(&self.sdk_config());
        let create = client.create_secret().name(name).secret_string(text);
        if create.send().await.is_err() {
            let put = client.put_secret_value().secret_id(name);
            put.secret_string(text).send().await.unwrap();
        }
    }
}
