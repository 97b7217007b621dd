//! A fresh link for somebody without a session, mailed to the partner's emergency contact. Whoever asks learns nothing: not whether there is
//! such a partner, nor whether a mail went out.

use aws::invocation::Invocation;
use aws::mail::NotSent;
use domain::PartnerId;
use jiff::SignedDuration;
use maud::html;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::Actor;

use super::overview::After;
use crate::answer::{ChangeResponse, PageResponse, Problem};
use crate::input::{Input, QueryParams, id};
use crate::session::new_link;
use crate::{Setup, State, mails, page, random};

/// The member of the event by which this function gives itself a [`LinkRequest`].
pub(crate) const TASK: &str = "mail_link";
/// How long a link that was mailed opens the page.
const LIVES: SignedDuration = SignedDuration::from_mins(30);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Who {
    partner: String,
}

/// A link that somebody asked for, mailed after the answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LinkRequest {
    partner: PartnerId,
    /// Random: a repeated attempt of the same request is not another request.
    id: String,
}

/// A link was not mailed, and a retry may succeed.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The table cannot be read or written.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The link could not be stored.
    #[error("the link was not stored: {0}")]
    NotStored(String),
    /// SES did not take the mail.
    #[error(transparent)]
    Mail(#[from] NotSent),
}

/// Where a fresh link is asked for.
pub(crate) async fn show(QueryParams(after): QueryParams<After>) -> PageResponse {
    let middle = html! {
        @if let Some(said) = after.done.as_deref().and_then(page::said) { p class="done" role="status" { (said) } }
        p { "A link to the set-up works once. Here you ask for a fresh one: it is mailed to the emergency contact of your company." }
        form method="post" action="/setup/link" {
            label for="partner" { "Your partner id" }
            input id="partner" name="partner" required autocomplete="organization" aria-describedby="partner-help";
            p class="soft" id="partner-help" { "The short name that the operator of Ticketbridge gave your company, such as northwind." }
            button { "Mail a fresh link" }
        }
        p { "No mail comes? Ask the operator of your Ticketbridge for a link." }
    };
    PageResponse::of(
        &serde_json::json!({}),
        page::alone("Ask for a fresh link", &middle),
    )
}

/// Has a fresh link mailed, and answers at once. The answer is the same for every partner id, known or not, and takes as long: nothing
/// about the partner is read before it. If the process dies after the answer, Lambda has the task already.
pub(crate) async fn ask(setup: State, Input(who): Input<Who>) -> Result<ChangeResponse, Problem> {
    let request = LinkRequest {
        partner: id("partner", who.partner)?,
        id: format!("{:016x}", random::number()?),
    };
    let task = json!({ TASK: request });
    setup.itself.invoke_later(&task).await.map_err(|err| {
        tracing::error!(partner = %request.partner, error = %err, "failed to start the task that mails a link");
        Problem::unavailable("No link can be mailed just now. Please try again in a minute.")
    })?;
    Ok(ChangeResponse::next("/setup/link?done=link_asked"))
}

/// Mails a fresh link if the partner is enabled and has an emergency contact, and if its pauses between mails allow it. Lambda repeats a
/// task that fails or dies: the pause that the first attempt began does not stop the same request.
///
/// # Errors
/// When the table or SES cannot be reached, which a retry may mend.
pub(crate) async fn mail_link(
    setup: &Setup,
    request: &LinkRequest,
    invocation: &Invocation,
) -> Result<(), LinkError> {
    let (access, partner) = (setup.access(), &request.partner);
    let (read, contact) = tokio::join!(access.partners.get(partner), access.contacts.get(partner));
    let enabled = read?.value.filter(|partner| partner.enabled);
    let Some((enabled, contact)) = enabled.zip(contact?.value.address) else {
        tracing::info!(%partner, "no link mailed: no such partner, or no emergency contact");
        return Ok(());
    };
    let now = invocation.now();
    if !access
        .mail_limits
        .acquire_link(partner, &request.id, now)
        .await?
        || !access.mail_limits.acquire(partner, now).await?
    {
        tracing::info!(%partner, "no link mailed: too soon after the last mail");
        return Ok(());
    }
    let (url, _) = new_link(setup, partner, LIVES, invocation)
        .await
        .map_err(|problem| LinkError::NotStored(problem.detail))?;
    let mail = mails::fresh_link(contact, &enabled.name, &url);
    match setup.mail(&mail, invocation).await {
        Ok(()) => {}
        Err(err @ (NotSent::Throttled { .. } | NotSent::Unavailable { .. })) => {
            return Err(err.into());
        }
        Err(err @ (NotSent::Sender { .. } | NotSent::Recipient { .. })) => {
            tracing::error!(%partner, error = %err, "failed to mail a link");
            return Ok(());
        }
    }
    let (by, what) = (Actor::Partner, "link_mailed");
    setup.done(partner, by, what, &[], invocation).await;
    Ok(())
}
