//! Sends a mail to each contact that chose its kind. No contact sees the address of another.

use aws::mail::Mail;
use domain::setup::contacts::MailKind;
use domain::{EmailAddress, PartnerId};
use jiff::Timestamp;
use store::OperatorEvent;

use crate::mails::MailContext;
use crate::notifier::{NotificationContext, Notifier, SourceNames};
use crate::run_result::HealthTotals;

/// Sends the mails of one kind of a partner.
pub(crate) struct Delivery<'a> {
    notifier: &'a Notifier<'a>,
    kind: MailKind,
    recipients: Vec<EmailAddress>,
    partner_name: String,
}

impl<'a> Delivery<'a> {
    /// `None` if no contact wants such mails.
    pub(crate) async fn prepare(
        notifier: &'a Notifier<'a>,
        partner: &PartnerId,
        kind: MailKind,
    ) -> Result<Option<Self>, store::Error> {
        let access = &notifier.connections.access;
        let contacts = access.contacts.get(partner).await?.value;
        let recipients = contacts.recipients(kind);
        if recipients.is_empty() {
            return Ok(None);
        }
        // The mail is sent even if the name cannot be read.
        let read = access.partners.get(partner).await.ok();
        let name = read.and_then(|read| read.value).map(|partner| partner.name);
        Ok(Some(Self {
            notifier,
            kind,
            recipients,
            partner_name: name.unwrap_or_else(|| partner.to_string()),
        }))
    }

    /// Sends a mail to each recipient. It counts as sent if SES accepts it for one of them. If the
    /// others had to get it too, one wrong address would repeat it to all of them each minute.
    pub(crate) async fn send(
        &self,
        context: &NotificationContext<'_>,
        sources: &SourceNames,
        mail: impl Fn(MailContext<'_>) -> Mail,
    ) -> HealthTotals {
        let mut totals = HealthTotals::default();
        for to in &self.recipients {
            let mail_context = MailContext {
                to: to.clone(),
                kind: self.kind,
                partner: context.partner,
                partner_name: &self.partner_name,
                tenants: context.names,
                sources,
                origin: self.notifier.page_origin,
            };
            match self.send_one(&mail(mail_context), context.now).await {
                true => totals.mails += 1,
                false => totals.mails_failed += 1,
            }
        }
        totals
    }

    async fn send_one(&self, mail: &Mail, now: Timestamp) -> bool {
        let sent = self.notifier.mailer.send(mail).await;
        if let Err(err) = &sent {
            tracing::error!(
                error = %err,
                "failed to send a mail; the next run retries it unless another contact got it"
            );
            self.notifier
                .connections
                .report_event(OperatorEvent::MailFailed, now)
                .await;
        }
        sent.is_ok()
    }
}
