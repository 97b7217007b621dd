//! Registers the callbacks by which ConnectWise reports that a ticket changed.
//!
//! A callback only makes a partner due earlier. So a role that may not register any, an address that
//! ConnectWise cannot reach and a callback that ConnectWise switched off cost time and nothing else.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use connectwise::{Client, Error};
use domain::RecordId;
use domain::connection::callbacks::{
    CallbackChanges, CallbackProblem, Callbacks, callback_address, callback_boards,
};
use domain::connection::view::LiveConnection;
use ring::rand::{SecureRandom as _, SystemRandom};
use store::Versioned;

use crate::error::ReconcileError;
use crate::run_context::RunContext;

/// Registers the callbacks of one partner.
pub(crate) struct CallbackRegistrar<'a> {
    pub(crate) context: RunContext<'a>,
    /// The origin of their address.
    pub(crate) origin: &'a str,
}

impl CallbackRegistrar<'_> {
    /// Makes sure that the boards of new tickets and those of recorded ones have callbacks. Calls
    /// ConnectWise once a day, and when a board is new. If the process dies after a write to
    /// ConnectWise, the next run finds it in the list.
    pub(crate) async fn ensure(
        &self,
        live: &LiveConnection,
        recorded: &BTreeSet<RecordId>,
    ) -> Result<(), ReconcileError> {
        let boards = callback_boards(&live.settings, recorded);
        let (partner, now) = (self.context.partner, self.context.invocation.now());
        let store = &self.context.connections.table.callbacks;
        let stored = store.get(partner).await?;
        let before = stored.value.as_ref();
        if boards.is_empty() && before.is_none() {
            return Ok(());
        }
        if before.is_some_and(|of| !of.must_check(live.epoch, &boards, now)) {
            return Ok(());
        }
        let Some(client) = self.client().await else {
            return Ok(());
        };
        let Some((mut callbacks, version)) = self.with_token(live.epoch, stored).await? else {
            return Ok(());
        };
        match self.register(&client, &callbacks.token, &boards).await {
            Ok(()) => {
                callbacks.boards = boards;
                callbacks.problem = None;
            }
            // The next run has time for it.
            Err(Error::DeadlineTooShort) => return Ok(()),
            // It says nothing about the connection, whose tickets were just listed: an old
            // ConnectWise may not have the endpoint.
            Err(err) => {
                tracing::warn!(%partner, error = %err, "failed to register callbacks");
                callbacks.problem = Some(problem(&err));
            }
        }
        callbacks.checked_at = Some(now);
        // After a conflict the next run checks again.
        let saved = store.save(partner, &callbacks, version).await?;
        tracing::info!(%partner, boards = callbacks.boards.len(), saved = saved.is_saved(), "checked callbacks");
        Ok(())
    }

    /// The callbacks with the token of this connection. A new token is stored before ConnectWise
    /// learns it. `None` if another run stored one meanwhile.
    async fn with_token(
        &self,
        epoch: u32,
        stored: Versioned<Option<Callbacks>>,
    ) -> Result<Option<(Callbacks, u64)>, ReconcileError> {
        let Versioned { value, version } = stored;
        if let Some(callbacks) = value.filter(|of| of.epoch == epoch) {
            return Ok(Some((callbacks, version)));
        }
        let Some(token) = random_token() else {
            tracing::warn!("failed to make a token for callbacks");
            return Ok(None);
        };
        let callbacks = Callbacks {
            epoch,
            token,
            boards: BTreeSet::new(),
            checked_at: None,
            problem: None,
        };
        let store = &self.context.connections.table.callbacks;
        let saved = store
            .save(self.context.partner, &callbacks, version)
            .await?;
        Ok(match saved {
            store::SaveOutcome::Saved { version } => Some((callbacks, version)),
            store::SaveOutcome::Conflict => None,
        })
    }

    /// The client with which the tickets were compared. `None` if its keys cannot be read any more.
    async fn client(&self) -> Option<Client> {
        let RunContext {
            connections,
            partner,
            view,
            ..
        } = self.context;
        let client = connections.clients.get(partner, view.site.as_ref()?).await;
        client.ok()
    }

    /// Makes ConnectWise's callbacks those of the boards.
    async fn register(
        &self,
        client: &Client,
        token: &str,
        boards: &BTreeSet<RecordId>,
    ) -> Result<(), Error> {
        let RunContext {
            partner,
            invocation,
            ..
        } = self.context;
        let found = client.callbacks(invocation.call_ends()).await?;
        let address = (self.origin, partner, token);
        let changes = CallbackChanges::between(&found, boards, address);
        self.write(client, &changes, token).await
    }

    async fn write(
        &self,
        client: &Client,
        changes: &CallbackChanges,
        token: &str,
    ) -> Result<(), Error> {
        #[expect(
            clippy::disallowed_methods,
            reason = "a partner has one run at a time, which listed the callbacks before"
        )]
        let writer = client.callback_writer();
        let RunContext {
            partner,
            invocation,
            ..
        } = self.context;
        let address = callback_address(self.origin, partner, token);
        for board in &changes.create {
            let deadline = invocation.call_ends();
            match writer.create(*board, &address, deadline).await {
                // Such a board has no callback, and its changes are found at the usual time.
                Err(err @ (Error::Rejected { .. } | Error::NotFound { .. })) => {
                    tracing::warn!(%partner, board, error = %err, "failed to register a callback");
                }
                other => other?,
            }
        }
        for id in &changes.delete {
            // One that stays is refused by `setup` or reports a board that has no tickets.
            if let Err(err) = writer.delete(*id, invocation.call_ends()).await {
                tracing::warn!(%partner, id, error = %err, "failed to delete a callback");
            }
        }
        Ok(())
    }
}

fn problem(err: &Error) -> CallbackProblem {
    if let Error::MissingRight { right } = err {
        CallbackProblem::MissingRight((*right).to_owned())
    } else {
        CallbackProblem::Refused
    }
}

/// 256 random bits. `None` if there are none.
fn random_token() -> Option<String> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}
