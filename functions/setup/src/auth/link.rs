//! A new link for a person without a session, mailed to a contact of the partner. The response does
//! not reveal whether the partner or the contact exists, or whether a mail was sent.

use aws::invocation::Invocation;
use aws::mail::MailError;
use domain::{EmailAddress, PartnerId};
use jiff::SignedDuration;
use maud::html;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::Actor;

use crate::auth::session::new_link;
use crate::context::{AppState, Setup};
use crate::http::input::{Input, QueryParams, parse_address, parse_id};
use crate::http::problem::Problem;
use crate::http::response::{ChangeResponse, PageResponse};
use crate::page::flash::FlashQuery;
use crate::{audit, mails, page, paths, random};

/// The member of the event that carries a [`LinkTask`] to this function itself.
pub(crate) const TASK: &str = "mail_link";
const LINK_LIFETIME: SignedDuration = SignedDuration::from_mins(30);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkForm {
    partner: String,
    address: String,
}

/// A requested link, which is mailed after the response.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LinkTask {
    partner: PartnerId,
    address: EmailAddress,
    /// Random. A repeated attempt has the same id, so it does not count as another request.
    id: String,
}

/// A link was not mailed, and a retry may succeed.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The table cannot be read or written.
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("the link was not stored: {0}")]
    NotStored(String),
    #[error(transparent)]
    Mail(#[from] MailError),
}

#[derive(Deserialize)]
pub(crate) struct LinkQuery {
    done: Option<String>,
    /// The partner of the page from which the person comes.
    partner: Option<PartnerId>,
}

/// The page on which a link is requested.
pub(crate) async fn show(QueryParams(query): QueryParams<LinkQuery>) -> PageResponse {
    let content = html! {
        (FlashQuery::new(query.done).render())
        p { "A link to the set-up works once. Request a new one here: it is mailed to you if your address is a contact of your company." }
        form method="post" action=(paths::LINK) {
            label for="partner" { "Your partner id" }
            input id="partner" name="partner" value=[query.partner] required autocomplete="organization" aria-describedby="partner-help";
            small id="partner-help" { "The short name that the operator of Ticketbridge gave your company, such as northwind." }
            label for="address" { "Your e-mail address" }
            input id="address" name="address" type="email" required maxlength="254" autocomplete="email";
            button { "Mail a new link" }
        }
        p { "If no mail arrives, ask the operator of your Ticketbridge for a link." }
    };
    page::public("Request a new link", &content)
}

/// The page behind a link. Its script reads the token from the address and sends it only when a
/// person presses the button: programs that open the links of mails consume none.
pub(crate) async fn open_page() -> PageResponse {
    let content = html! {
        p { "This link opens your set-up. It works once." }
        form id="open" data-path=(paths::SESSION) { button { "Open the set-up" } }
        p role="alert" class="problem" hidden {}
        noscript { p class="problem" { "This page needs JavaScript to read the link. Please switch it on." } }
    };
    page::public("Open the set-up", &content)
}

/// Starts the task that mails a link, and responds at once. The response and its time are the same
/// for every partner id, because nothing about the partner is read before it. If the process dies
/// after the response, Lambda already has the task.
pub(crate) async fn request(
    setup: AppState,
    Input(form): Input<LinkForm>,
) -> Result<ChangeResponse, Problem> {
    let request = LinkTask {
        partner: parse_id("partner", form.partner)?,
        address: parse_address(&form.address)?,
        id: format!("{:016x}", random::number()?),
    };
    let task = json!({ TASK: request });
    setup.own_function.invoke_later(&task).await.map_err(|err| {
        tracing::error!(partner = %request.partner, error = %err, "failed to start the task that mails a link");
        Problem::unavailable("No link can be mailed just now. Please try again in a minute.")
    })?;
    Ok(ChangeResponse::next(format!(
        "{}?done=link_asked",
        paths::LINK
    )))
}

/// Mails a new link if the partner is enabled, has this contact, and is within its limits of mails.
/// Lambda repeats a task that fails or dies. The pause that the first attempt started
/// does not block a retry of the same request.
///
/// # Errors
/// When the table or SES cannot be reached; a retry may succeed.
pub(crate) async fn mail_link(
    setup: &Setup,
    request: &LinkTask,
    invocation: &Invocation,
) -> Result<(), LinkError> {
    let (access, partner) = (setup.access(), &request.partner);
    let (read, contacts) = tokio::join!(access.partners.get(partner), access.contacts.get(partner));
    let enabled = read?.value.filter(|partner| partner.enabled);
    let contacts = contacts?.value;
    let contact = contacts.find(&request.address);
    let contact = contact.filter(|contact| contact.may_request_link());
    let Some((enabled, contact)) = enabled.zip(contact) else {
        tracing::info!(%partner, "no link mailed: no such partner, or no such contact");
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
    let (url, _) = new_link(setup, partner, LINK_LIFETIME, invocation)
        .await
        .map_err(|problem| LinkError::NotStored(problem.detail))?;
    let mail = mails::new_link(contact.address.clone(), &enabled.name, &url);
    match setup.mail(&mail, invocation).await {
        Ok(()) => {}
        Err(err @ (MailError::Throttled { .. } | MailError::Unavailable { .. })) => {
            return Err(err.into());
        }
        Err(err @ (MailError::Sender { .. } | MailError::Recipient { .. })) => {
            tracing::error!(%partner, error = %err, "failed to mail a link");
            return Ok(());
        }
    }
    let action = (Actor::Partner, "link_mailed");
    audit::record(setup, partner, action, &[], invocation).await;
    Ok(())
}
