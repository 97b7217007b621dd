//! The page "Connect".

use aws::secrets::ConnectionSecret;
use domain::connection::callbacks::{CallbackProblem, Callbacks};
use domain::setup::rights;
use maud::{Markup, html};
use serde::Serialize;
use store::{Connection, Versioned};

use crate::step::SetupStep;

#[derive(Serialize)]
pub(super) struct ConnectionPageView {
    connected: bool,
    origin: Option<String>,
    company_id: Option<String>,
    public_key: Option<String>,
    /// The private key itself is never shown.
    private_key_set: bool,
    /// Whether the partner has its own clientId.
    client_id_set: bool,
    confirmed: bool,
    /// Whether ConnectWise reports changes of tickets. Absent before it was asked to.
    ticket_changes: Option<TicketChanges>,
    version: u64,
}

/// Whether ConnectWise reports changes of tickets by callbacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum TicketChanges {
    /// At once, for this number of boards.
    Reported(usize),
    /// The API member may not register callbacks. The right in the words of ConnectWise's screen.
    MissingRight(String),
    Refused,
}

impl TicketChanges {
    fn new(callbacks: &Callbacks) -> Self {
        match &callbacks.problem {
            None => Self::Reported(callbacks.boards.len()),
            Some(CallbackProblem::MissingRight(right)) => Self::MissingRight(rights::title(right)),
            Some(CallbackProblem::Refused) => Self::Refused,
        }
    }
}

impl ConnectionPageView {
    pub(super) fn new(
        stored: Versioned<Option<Connection>>,
        keys: Option<ConnectionSecret>,
        callbacks: Option<&Callbacks>,
    ) -> Self {
        let Versioned { value, version } = stored;
        let epoch = value.as_ref().map(|connection| connection.epoch);
        let checked = callbacks.filter(|of| Some(of.epoch) == epoch && of.checked_at.is_some());
        Self {
            ticket_changes: checked.map(TicketChanges::new),
            connected: value.is_some() && keys.is_some(),
            private_key_set: keys.is_some(),
            client_id_set: keys.as_ref().is_some_and(|keys| keys.client_id.is_some()),
            public_key: keys.map(|keys| keys.public_key),
            confirmed: value
                .as_ref()
                .is_some_and(|connection| connection.confirmed),
            version,
            origin: value.as_ref().map(|connection| connection.origin.clone()),
            company_id: value.map(|connection| connection.company_id),
        }
    }
}

pub(super) fn render(view: &ConnectionPageView) -> Markup {
    html! {
        @if view.connected {
            p { "The stored connection is to " (view.origin.as_deref().unwrap_or("")) " as " (view.company_id.as_deref().unwrap_or("")) ". "
                a href=(SetupStep::Check.path()) { "Check connection" } }
            (ticket_changes(view.ticket_changes.as_ref()))
        } @else if view.origin.is_some() {
            p class="problem" { "The keys are missing: enter them again. Until then alerts become no tickets." }
        }
        form method="post" action=(SetupStep::Connection.path()) autocomplete="off" {
            input type="hidden" name="version" value=(view.version);
            label for="site" { "ConnectWise site" }
            input id="site" name="site" required maxlength="500" inputmode="url" spellcheck="false" aria-describedby="site-help"
                placeholder="na.myconnectwise.net" value=[view.origin.as_deref()];
            small id="site-help" { "The address that you sign in at; copy it from your browser." }
            label for="company_id" { "Company id" }
            input id="company_id" name="company_id" required maxlength="50" spellcheck="false" aria-describedby="company-help"
                value=[view.company_id.as_deref()];
            small id="company-help" { "The company that you enter when you sign in." }
            label for="public_key" { "Public key" }
            input id="public_key" name="public_key" required maxlength="200" spellcheck="false" value=[view.public_key.as_deref()];
            label for="private_key" { "Private key" }
            input id="private_key" name="private_key" type="password" maxlength="200" autocomplete="new-password" aria-describedby="private-help"
                required[!view.private_key_set];
            small id="private-help" {
                @if view.private_key_set { "A private key is stored. Leave this empty to keep it. If you change the site or the company id, enter it again." }
                @else { "ConnectWise shows it once, when the keys are created. It is stored encrypted and never shown here." }
            }
            details {
                summary { "Own clientId" }
                label for="client_id" { "clientId" }
                input id="client_id" name="client_id" type="password" maxlength="100" autocomplete="off" aria-describedby="client-help";
                small id="client-help" {
                    @if view.client_id_set { "Your own clientId is stored. Leave this empty to keep it." }
                    @else { "Usually not needed: Ticketbridge has its own. Enter one only if your ConnectWise requires yours." }
                }
                @if view.client_id_set {
                    label class="choice" {
                        input type="checkbox" name="drop_client_id" value="true";
                        span { "Use Ticketbridge's clientId instead" }
                    }
                }
            }
            @if view.origin.is_some() {
                label class="choice" {
                    input type="checkbox" name="drop_choices" value="true";
                    span { "If this is another ConnectWise, forget the chosen boards and the companies of the tenants" }
                }
            }
            @if view.confirmed {
                p class="note" { "Ticketbridge is live. If you connect another ConnectWise, alerts become no tickets until boards and tenants are chosen and \
                    confirmed again." }
            }
            button { "Check and save" }
        }
        (guide())
    }
}

fn ticket_changes(changes: Option<&TicketChanges>) -> Markup {
    html! {
        @match changes {
            None | Some(TicketChanges::Reported(0)) => {}
            Some(TicketChanges::Reported(1)) => {
                p { "Changes that people make in tickets are known within a minute or two: ConnectWise reports them for one board." }
            }
            Some(TicketChanges::Reported(boards)) => {
                p { "Changes that people make in tickets are known within a minute or two: ConnectWise reports them for " (boards) " boards." }
            }
            Some(TicketChanges::MissingRight(right)) => {
                p class="note" { "Changes that people make in tickets are known up to a quarter of an hour later. If the API member's role has "
                    strong { (right) " = All" } ", ConnectWise reports them, and they are known within a minute or two." }
            }
            Some(TicketChanges::Refused) => {
                p class="note" { "Changes that people make in tickets are known up to a quarter of an hour later, because ConnectWise refused to \
                    report them. Ticketbridge asks again each day." }
            }
        }
    }
}

/// Explains how the keys are created.
fn guide() -> Markup {
    html! {
        h2 id="keys" { "How to create the keys" }
        ol {
            li { "In ConnectWise open System › Security Roles, add a role such as \"Ticketbridge\", and give it the rights that "
                a href=(SetupStep::Check.path()) { "Check connection" } " lists." }
            li { "Open System › Members › API Members and add a member with that role. Its default service board is where tickets go unless you \
                choose two dedicated boards." }
            li { "Save it, open its API Keys, add a key with a description, and save. Copy both keys now: the private key is shown once." }
            li { "Paste them here. An API member uses no licence." }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn view() -> ConnectionPageView {
        let nothing = Versioned {
            value: None,
            version: 0,
        };
        ConnectionPageView::new(nothing, None, None)
    }

    #[test]
    fn connect_asks_for_site_and_keys() {
        let page = render(&view());
        insta::assert_snapshot!(crate::page::lines(&page));
    }

    #[test]
    fn connect_keeps_stored_keys_hidden() {
        let view = ConnectionPageView {
            connected: true,
            origin: Some("https://na.myconnectwise.net".to_owned()),
            company_id: Some("northwind".to_owned()),
            public_key: Some("publicKey".to_owned()),
            private_key_set: true,
            client_id_set: true,
            confirmed: true,
            ticket_changes: Some(TicketChanges::Reported(2)),
            version: 3,
        };
        let page = render(&view);
        insta::assert_snapshot!(crate::page::lines(&page));
    }

    #[test]
    fn connect_says_when_changes_of_tickets_are_known() {
        let checked = Callbacks {
            epoch: 1,
            token: "t".to_owned(),
            boards: BTreeSet::from([21]),
            checked_at: Some("2026-11-22T07:30:00Z".parse().unwrap()),
            problem: None,
        };
        let missing = CallbackProblem::MissingRight(rights::TABLES_ADD.to_owned());
        let texts = [None, Some(missing), Some(CallbackProblem::Refused)].map(|problem| {
            let callbacks = Callbacks {
                problem,
                ..checked.clone()
            };
            crate::page::lines(&ticket_changes(Some(&TicketChanges::new(&callbacks))))
        });
        insta::assert_snapshot!(texts.join("\n---\n"));
    }
}
