//! A fresh link for somebody without a session, mailed to the partner's emergency contact. Whoever asks learns nothing: not whether there is
//! such a partner, nor whether a mail went out.

use std::time::Duration;

use aws::invocation::Invocation;
use axum::Extension;
use domain::PartnerId;
use jiff::SignedDuration;
use maud::html;
use serde::Deserialize;
use store::Actor;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::overview::After;
use crate::answer::{Done, Problem, Shown};
use crate::input::{Asked, Input, id};
use crate::session::new_link;
use crate::{Setup, State, mails, page};

/// The answer comes after so long, whatever was done: long enough for a mail even by a new connection.
const ANSWER: Duration = Duration::from_secs(2);
/// How long a link that was mailed opens the page.
const LIVES: SignedDuration = SignedDuration::from_mins(30);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Who {
    partner: String,
}

/// Where a fresh link is asked for.
pub(crate) async fn show(Asked(after): Asked<After>) -> Shown {
    let middle = html! {
        @if let Some(said) = after.done.as_deref().and_then(page::said) { p class="done" role="status" { (said) } }
        p { "A link to the set-up works once. Here you ask for a fresh one: it is mailed to the emergency contact of your organisation." }
        form method="post" action="/setup/link" {
            label for="partner" { "Your partner id" }
            input id="partner" name="partner" required autocomplete="organization" aria-describedby="partner-help";
            p class="soft" id="partner-help" { "The short name that the operator of Ticketbridge gave your organisation, such as northwind." }
            button { "Mail a fresh link" }
        }
        p { "No mail comes? Ask the operator of your Ticketbridge for a link." }
    };
    Shown::of(
        &serde_json::json!({}),
        page::alone("Ask for a fresh link", &middle),
    )
}

/// Mails a fresh link, if there is anybody to mail it to. What is not done when the answer is due is given up: nothing may go on behind an
/// answer. Then no mail goes out until the pause is over.
pub(crate) async fn ask(
    setup: State,
    Extension(invocation): Extension<Invocation>,
    Input(who): Input<Who>,
) -> Result<Done, Problem> {
    let partner: PartnerId = id("partner", who.partner)?;
    let answer_at = Instant::now() + ANSWER;
    let mailed = timeout_at(answer_at, mail_link(&setup, &partner, &invocation)).await;
    match mailed {
        Ok(Ok(mailed)) => tracing::info!(%partner, mailed, "a fresh link was asked for"),
        Ok(Err(problem)) => tracing::error!(%partner, problem = problem.title, "no fresh link"),
        Err(_) => tracing::error!(%partner, "no fresh link within the time of an answer"),
    }
    sleep_until(answer_at).await;
    Ok(Done::next("/setup/link?done=link_asked"))
}

async fn mail_link(
    setup: &Setup,
    id: &PartnerId,
    invocation: &Invocation,
) -> Result<bool, Problem> {
    let access = setup.access();
    let (partner, contact) = tokio::join!(access.partner(id), access.contact_to_change(id));
    let partner = partner?.value.filter(|partner| partner.enabled);
    let Some((partner, contact)) = partner.zip(contact?.value) else {
        return Ok(false);
    };
    let now = invocation.now();
    if !access.may_mail_link(id, now).await? || !access.may_mail(id, now).await? {
        return Ok(false);
    }
    let (url, _) = new_link(setup, id, LIVES, invocation).await?;
    let mail = mails::fresh_link(contact.address, &partner.name, &url);
    setup.mail(&mail, invocation).await.map_err(|fault| {
        tracing::error!(partner = %id, fault = %fault, "the link was not mailed");
        Problem::unavailable("The mail was not sent.")
    })?;
    let (by, what) = (Actor::Partner, "link_mailed");
    setup.done(id, by, what, &[], invocation).await;
    Ok(true)
}
