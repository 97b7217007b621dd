//! Whether a connection that nobody calls any more can be called again.

use aws::invocation::Invocation;
use connections::{Site, View};
use domain::PartnerId;
use domain::breaker::{Breaker, Told};

use crate::App;

impl App {
    /// Makes one harmless call over a connection whose breaker is open, and closes the breaker where ConnectWise answers and takes the
    /// keys. Returns the view as it is then. If the process dies after the call, the next run makes it again.
    pub(crate) async fn probed(
        &self,
        partner: &PartnerId,
        mut view: View,
        invocation: &Invocation,
    ) -> Result<View, store::Error> {
        let (breaker, now) = (&view.view.breaker, invocation.now());
        let (Some(open), Some(site)) = (&breaker.open, &view.site) else {
            return Ok(view);
        };
        if breaker.pause(now).is_some() {
            return Ok(view);
        }
        match self.probe(partner, site, invocation).await {
            // A right that is missing for this call says nothing of those that tickets need.
            Told::Works | Told::MissingRight(_) => {
                let table = &self.connections.table;
                if table.close_breaker(partner, breaker.generation).await? {
                    tracing::info!(reason = %open.reason, "breaker closed");
                    view.view.breaker = Breaker {
                        open: None,
                        failing_since: None,
                        ..breaker.clone()
                    };
                }
            }
            told
            @ (Told::Nothing | Told::Fails { .. } | Told::Throttled { .. } | Told::Refused) => {
                tracing::warn!(told = ?told, reason = %open.reason, "the breaker stays open");
                self.connections.heard(partner, told, breaker, now).await?;
            }
        }
        Ok(view)
    }

    async fn probe(&self, partner: &PartnerId, site: &Site, invocation: &Invocation) -> Told {
        // Keys may have been mended meanwhile: those that are remembered are asked for again.
        let _doubted = self.connections.keys_refused(partner);
        let client = match self.connections.client(partner, site).await {
            Ok(client) => client,
            Err(fault) => {
                tracing::warn!(fault = %fault, "no client for the probe");
                return fault.told();
            }
        };
        match client.company_count(invocation.call_ends()).await {
            Ok(_) => Told::Works,
            Err(fault) => {
                tracing::warn!(fault = %fault, "the probe failed");
                fault.told()
            }
        }
    }
}
