//! What set-up writes outside the tables: secrets and mails.

use crate::environment::{MAIL_FROM, TestEnvironment, partner};
use aws::mail::{Mail, MailError, Mailer};
use aws::secret_writer::SecretWriter;
use aws::secrets::{self, ConnectionSecret, Secrets};
use domain::{EmailAddress, Secret};

fn keys(private_key: &str) -> ConnectionSecret {
    ConnectionSecret {
        origin: "https://na.myconnectwise.net".into(),
        company_id: "acme".into(),
        public_key: "public".into(),
        private_key: Secret::new(private_key),
        client_id: None,
    }
}

fn mail(subject: &str) -> Mail {
    Mail {
        to: EmailAddress::parse("anna@northwind.example").unwrap(),
        subject: subject.into(),
        text: "Hello\r\n.\r\nMAIL FROM:<x>\u{0}".into(),
        html: "<p>Hello</p>".into(),
    }
}

#[tokio::test]
async fn a_secret_is_created_updated_and_read() {
    let env = TestEnvironment::new().await;
    let secret_writer = SecretWriter::new(&env.aws);
    let prefix = "tb/new/";
    let stored = async || secret_writer.connection(prefix, &partner()).await.unwrap();
    assert_eq!(stored().await, None);
    let mut versions = vec![];
    for private_key in ["one", "two", "two"] {
        let keys = keys(private_key);
        let put = secret_writer
            .put_connection(prefix, &partner(), &keys)
            .await;
        versions.push(put.unwrap());
        let kept = stored().await.unwrap();
        assert_eq!(kept.document, keys);
        assert_eq!(kept.version.as_deref(), versions.last().map(String::as_str));
    }
    versions.dedup();
    assert_eq!(versions.len(), 3, "{versions:?}");
}

#[tokio::test]
async fn a_secret_scheduled_for_deletion_reads_as_absent() {
    let env = TestEnvironment::new().await;
    let secret_writer = SecretWriter::new(&env.aws);
    let prefix = "tb/connection/";
    assert!(
        secret_writer
            .connection(prefix, &partner())
            .await
            .unwrap()
            .is_some()
    );
    let client = aws_sdk_secretsmanager::Client::new(&env.aws);
    let delete = client.delete_secret().secret_id("tb/connection/northwind");
    delete.send().await.unwrap();
    assert_eq!(
        secret_writer.connection(prefix, &partner()).await.unwrap(),
        None
    );
    let again = keys("again");
    let put = secret_writer
        .put_connection(prefix, &partner(), &again)
        .await;
    put.unwrap();
    let kept = secret_writer.connection(prefix, &partner()).await.unwrap();
    assert_eq!(kept.unwrap().document, again);
}

/// Otherwise the first alerts after the keys were stored would find the connection broken.
#[tokio::test]
async fn a_secret_that_was_absent_is_used_as_soon_as_it_exists() {
    let env = TestEnvironment::new().await;
    let secrets = Secrets::new(&env.aws);
    let writer = SecretWriter::new(&env.aws);
    let prefix = "tb/later/";
    let connection = async || secrets.connection(prefix, &partner()).await;
    let absent = connection().await;
    assert!(matches!(absent, Err(secrets::Error::Unknown(_))));
    let put = writer
        .put_connection(prefix, &partner(), &keys("one"))
        .await;
    put.unwrap();
    assert_eq!(connection().await.unwrap().0, keys("one"));

    let name = "tb/later/client-id";
    let absent = secrets.text(name).await;
    assert!(matches!(absent, Err(secrets::Error::Unknown(_))));
    let client = aws_sdk_secretsmanager::Client::new(&env.aws);
    let create = client.create_secret().name(name).secret_string("an id");
    create.send().await.unwrap();
    assert_eq!(secrets.text(name).await.unwrap(), Secret::new("an id"));
}

#[tokio::test]
async fn a_mail_has_one_recipient_and_a_one_line_subject() {
    let env = TestEnvironment::new().await;
    let mailer = Mailer::new(&env.aws, MAIL_FROM.into());
    let mail = mail("Fresh link\r\nBcc: all@b.de\r\n\r\nx");
    mailer.send(&mail).await.unwrap();
    let mails = env.account.mails().await;
    assert_eq!(mails.len(), 1);
    let mail = &mails[0];
    assert_eq!(mail["Source"], MAIL_FROM);
    assert_eq!(mail["To"], serde_json::json!(["anna@northwind.example"]));
    assert_eq!(mail["BCC"], serde_json::json!([]));
    assert_eq!(mail["Subject"], "Fresh link Bcc: all@b.de x");
    assert_eq!(mail["BodyText"], "Hello\n.\nMAIL FROM:<x>");
    assert_eq!(mail["BodyHtml"], "<p>Hello</p>");
}

#[tokio::test]
async fn a_mail_error_names_the_cause_without_an_address() {
    let env = TestEnvironment::new().await;
    let stranger = Mailer::new(&env.aws, "stranger@elsewhere.example".into());
    let ours = Mailer::new(&env.aws, MAIL_FROM.into());
    let err = stranger.send(&mail("a")).await.unwrap_err();
    assert!(matches!(err, MailError::Sender { .. }), "{err:?}");
    // The SES sandbox of a new AWS account: mails go to verified addresses only.
    let ses = aws_sdk_sesv2::Client::new(&env.aws);
    let details = ses.put_account_details().production_access_enabled(false);
    let details = details.mail_type(aws_sdk_sesv2::types::MailType::Transactional);
    let details = details.website_url("https://ticketbridge.example");
    details.send().await.unwrap();
    let err = stranger.send(&mail("b")).await.unwrap_err();
    assert!(matches!(err, MailError::Sender { .. }), "{err:?}");
    let err = ours.send(&mail("c")).await.unwrap_err();
    assert!(matches!(err, MailError::Recipient { .. }), "{err:?}");
    assert!(!format!("{err} {err:?}").contains('@'), "{err:?}");
    let elsewhere = env
        .account
        .sdk_config_through("http://127.0.0.1:9", "unreachable");
    let unreachable = Mailer::new(&elsewhere, MAIL_FROM.into());
    let err = unreachable.send(&mail("d")).await.unwrap_err();
    assert!(matches!(err, MailError::Unavailable { .. }), "{err:?}");
    assert_eq!(env.account.mails().await.len(), 0);
}
