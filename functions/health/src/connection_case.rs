use aws::invocation::Invocation;
use connections::ConnectionSite;
use domain::PartnerId;
use domain::connection::breaker::Breaker;
use domain::monitoring::requirements::Requirements;

/// A partner's connection, as one run probes it.
pub(crate) struct ConnectionCase<'a> {
    pub(crate) partner: &'a PartnerId,
    pub(crate) site: &'a ConnectionSite,
    pub(crate) breaker: &'a Breaker,
    /// The records of ConnectWise that the partner's configuration uses.
    pub(crate) needed: Requirements,
    pub(crate) invocation: &'a Invocation,
}
