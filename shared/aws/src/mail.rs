//! Mail by SES. No log and no error holds an address. SES's own text may hold one, so only its
//! codes are reported.

use std::sync::OnceLock;

use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::error::SdkError;
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message};
use aws_types::SdkConfig;
use domain::EmailAddress;
use domain::text::{cut_to_chars, lines, one_line};

use crate::cause::cause;
use crate::metrics::{Metric, count};

#[derive(Debug, Clone)]
pub struct Mail {
    pub to: EmailAddress,
    /// One line. Line breaks become spaces.
    pub subject: String,
    /// For mail programs that show no HTML.
    pub text: String,
    /// A whole HTML document.
    pub html: String,
}

/// Why a mail was not sent. `cause` is SES's code, or the whole chain if SES did not answer.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The role may not send by this identity, SES has not verified the sender's address or domain,
    /// or has suspended the account. The operator must correct it.
    #[error("SES does not let this account send from its address: {cause}")]
    Sender { cause: String },
    /// The address is invalid, or the account is in SES's sandbox and the address is not verified
    /// there.
    #[error("SES does not send to this address: {cause}")]
    Recipient { cause: String },
    /// The account's sending limit is reached. Sending works again later.
    #[error("SES throttles this account: {cause}")]
    Throttled { cause: String },
    /// SES failed or did not answer. The mail may still be sent.
    #[error("the call of SES failed: {cause}")]
    Unavailable { cause: String },
}

/// Sends mails from one address.
#[derive(Debug, Clone)]
pub struct Mailer {
    config: SdkConfig,
    /// Built at its first use, since most instances of a function never send a mail.
    client: OnceLock<Client>,
    from: String,
}

/// In characters. Mail programs show no more.
const MAX_SUBJECT: usize = 150;

impl Mailer {
    /// Sends from this address: `name@example.com` or `Name <name@example.com>`.
    #[must_use]
    pub fn new(config: &SdkConfig, from: String) -> Self {
        Self {
            config: config.clone(),
            client: OnceLock::new(),
            from,
        }
    }

    /// Sends a mail. Once this returns, SES has accepted it. If the process dies right after, the
    /// mail is sent, and sending it again sends it twice.
    ///
    /// # Errors
    /// When SES refuses the mail, where only throttling is worth a retry, or the call fails.
    pub async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let sent = self.try_to_send(mail).await;
        let metric = match &sent {
            Ok(()) => Metric::MailsSent,
            Err(_) => Metric::MailsFailed,
        };
        count(metric, 1);
        sent
    }

    async fn try_to_send(&self, mail: &Mail) -> Result<(), MailError> {
        let message = message(mail).map_err(|cause| MailError::Unavailable { cause })?;
        let call = self
            .client
            .get_or_init(|| Client::new(&self.config))
            .send_email()
            .from_email_address(&self.from)
            .destination(
                Destination::builder()
                    .to_addresses(mail.to.as_str())
                    .build(),
            )
            .content(EmailContent::builder().simple(message).build());
        let sent = call.send().await;
        sent.map_err(|err| not_sent(&err, &mail.to))?;
        Ok(())
    }
}

fn message(mail: &Mail) -> Result<Message, String> {
    let content = |text: String| {
        let content = Content::builder().data(text).charset("UTF-8").build();
        content.map_err(|err| err.to_string())
    };
    let body = Body::builder()
        .text(content(lines(&mail.text))?)
        .html(content(lines(&mail.html))?);
    Ok(Message::builder()
        .subject(content(subject(&mail.subject))?)
        .body(body.build())
        .build())
}

/// A subject is one line, so that a name in it cannot add a header.
fn subject(text: &str) -> String {
    cut_to_chars(&one_line(text), MAX_SUBJECT)
}

fn not_sent<R: std::fmt::Debug>(err: &SdkError<SendEmailError, R>, to: &EmailAddress) -> MailError {
    let cause = cause(err);
    let Some(answer) = err.as_service_error() else {
        return MailError::Unavailable { cause };
    };
    if answer.is_too_many_requests_exception() || answer.is_limit_exceeded_exception() {
        return MailError::Throttled { cause };
    }
    if answer.meta().code().is_some_and(is_access_denied)
        || answer.is_account_suspended_exception()
        || answer.is_sending_paused_exception()
        || answer.is_mail_from_domain_not_verified_exception()
    {
        return MailError::Sender { cause };
    }
    if answer.is_bad_request_exception() {
        return MailError::Recipient { cause };
    }
    if answer.is_message_rejected() {
        // "Email address is not verified. The following identities failed the check in region …:
        // a@b, c@d". Both addresses may be among them. An unverified sender concerns all mails, so
        // it counts.
        let words = answer.meta().message().unwrap_or_default();
        let named = words.rsplit(": ").next().unwrap_or_default();
        return if words.contains("not verified") && named != to.as_str() {
            MailError::Sender { cause }
        } else {
            MailError::Recipient { cause }
        };
    }
    MailError::Unavailable { cause }
}

/// IAM's refusal, which is not part of SES's own errors.
fn is_access_denied(code: &str) -> bool {
    ["AccessDeniedException", "AccessDenied"].contains(&code)
}

#[cfg(test)]
mod tests {
    use aws_sdk_sesv2::error::ErrorMetadata;

    use super::*;

    #[test]
    fn each_code_of_ses_has_its_meaning() {
        let to = EmailAddress::parse("b@partner.example").unwrap();
        let not_verified = "Email address is not verified. The following identities failed the \
                            check in region US-EAST-1: ";
        let of = |code: &str, message: &str| {
            let meta = ErrorMetadata::builder().code(code).message(message).build();
            not_sent(
                &SdkError::service_error(SendEmailError::generic(meta), ()),
                &to,
            )
        };
        // IAM's refusal is for the operator, and never ends by itself.
        for code in ["AccessDeniedException", "AccessDenied"] {
            let refused = of(code, "is not authorized to perform `ses:SendEmail'");
            assert!(matches!(refused, MailError::Sender { .. }), "{refused}");
            assert!(refused.to_string().contains(code), "{refused}");
        }
        let unknown = of("InternalServerError", not_verified);
        assert!(
            matches!(unknown, MailError::Unavailable { .. }),
            "{unknown}"
        );
    }

    #[test]
    fn a_subject_is_one_short_line() {
        assert_eq!(
            subject("Fresh link\r\nBcc: all@b.de\u{2028}x\u{0}"),
            "Fresh link Bcc: all@b.de x"
        );
        let long = subject(&"é".repeat(200));
        assert_eq!(long.chars().count(), 150);
        assert!(long.ends_with('…'));
    }
}
