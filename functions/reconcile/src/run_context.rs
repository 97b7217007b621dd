use aws::invocation::Invocation;
use connections::{AlertView, Connections};
use domain::PartnerId;
use domain::connection::breaker::CallOutcome;

/// What the parts of a partner's run share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunContext<'a> {
    pub(crate) connections: &'a Connections,
    pub(crate) partner: &'a PartnerId,
    pub(crate) view: &'a AlertView,
    pub(crate) invocation: &'a Invocation,
}

impl RunContext<'_> {
    /// Writes to the breaker what a call says about the connection.
    pub(crate) async fn record_outcome(&self, outcome: CallOutcome) -> Result<(), store::Error> {
        let (breaker, now) = (&self.view.view.breaker, self.invocation.now());
        self.connections
            .record_outcome(self.partner, outcome, breaker, now)
            .await?;
        Ok(())
    }
}
