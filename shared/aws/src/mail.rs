//! Mail by SES. No address stands in a log or an error: SES's own words may hold one, so only its codes are told.

use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::error::SdkError;
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message};
use aws_types::SdkConfig;
use domain::EmailAddress;
use domain::text::{cut_to_chars, lines, one_line};

use crate::cause::cause;
use crate::metrics::{Metric, count};

/// A mail to one person.
#[derive(Debug, Clone)]
pub struct Mail {
    /// To whom.
    pub to: EmailAddress,
    /// One line; what would begin another becomes a space.
    pub subject: String,
    /// The same for those whose mail program shows no HTML.
    pub text: String,
    /// A whole document.
    pub html: String,
}

/// Why a mail was not sent.
#[derive(Debug, thiserror::Error)]
pub enum NotSent {
    /// SES does not know our own address or its domain as verified, or has stopped this account from sending: the operator mends it.
    #[error("SES does not let this account send from its address: {cause}")]
    Sender {
        /// SES's code.
        cause: String,
    },
    /// SES does not send to this address: it is none, or the account is in SES's sandbox and the address is not verified there.
    #[error("SES does not send to this address: {cause}")]
    Recipient {
        /// SES's code.
        cause: String,
    },
    /// More mails than the account may send; it goes on by itself.
    #[error("SES sends no more mails for the moment: {cause}")]
    Throttled {
        /// SES's code.
        cause: String,
    },
    /// SES could not be asked, or failed. The mail may be on its way.
    #[error("SES could not be asked: {cause}")]
    Unavailable {
        /// The code, or the whole chain where SES did not answer.
        cause: String,
    },
}

/// Sends mails from one address.
#[derive(Debug, Clone)]
pub struct Mailer {
    client: Client,
    from: String,
}

/// Longer subjects are cut: no mail program shows more.
const LONGEST_SUBJECT: usize = 150;

impl Mailer {
    /// From this address, `name@example.com` or `Name <name@example.com>`.
    #[must_use]
    pub fn new(config: &SdkConfig, from: String) -> Self {
        Self {
            client: Client::new(config),
            from,
        }
    }

    /// Sends a mail: SES has it when this returns. If the process dies right after, it is on its way; sending it again sends it twice.
    ///
    /// # Errors
    /// When SES refuses it, which no repeating mends but for throttling, or could not be asked.
    pub async fn send(&self, mail: &Mail) -> Result<(), NotSent> {
        let sent = self.try_to_send(mail).await;
        let metric = match &sent {
            Ok(()) => Metric::MailsSent,
            Err(_) => Metric::MailsFailed,
        };
        count(metric, 1);
        sent
    }

    async fn try_to_send(&self, mail: &Mail) -> Result<(), NotSent> {
        let message = message(mail).map_err(|cause| NotSent::Unavailable { cause })?;
        let call = self
            .client
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

/// A header is one line: who chose a name that stands in it must not begin a header of their own.
fn subject(text: &str) -> String {
    cut_to_chars(&one_line(text), LONGEST_SUBJECT)
}

fn not_sent<R: std::fmt::Debug>(err: &SdkError<SendEmailError, R>, to: &EmailAddress) -> NotSent {
    let cause = cause(err);
    let Some(answer) = err.as_service_error() else {
        return NotSent::Unavailable { cause };
    };
    if answer.is_too_many_requests_exception() || answer.is_limit_exceeded_exception() {
        return NotSent::Throttled { cause };
    }
    if answer.is_account_suspended_exception()
        || answer.is_sending_paused_exception()
        || answer.is_mail_from_domain_not_verified_exception()
    {
        return NotSent::Sender { cause };
    }
    if answer.is_bad_request_exception() {
        return NotSent::Recipient { cause };
    }
    if answer.is_message_rejected() {
        // "Email address is not verified. The following identities failed the check in region …: a@b, c@d": both may be among them,
        // and the sender is the one that keeps everybody's mail from going out.
        let words = answer.meta().message().unwrap_or_default();
        let named = words.rsplit(": ").next().unwrap_or_default();
        return match words.contains("not verified") && named != to.as_str() {
            true => NotSent::Sender { cause },
            false => NotSent::Recipient { cause },
        };
    }
    NotSent::Unavailable { cause }
}

#[cfg(test)]
mod tests {
    use super::*;

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
