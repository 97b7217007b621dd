use aws::invocation::Invocation;
use connections::ConnectionSite;
use domain::PartnerId;
use domain::connection::breaker::Breaker;
use domain::monitoring::requirements::Requirements;

/// A partner's connection.
pub(crate) struct ConnectionCase<'a> {
    pub(crate) partner: &'a PartnerId,
    pub(crate) site: &'a ConnectionSite,
    pub(crate) breaker: &'a Breaker,
    /// What of ConnectWise the partner's configuration needs.
    pub(crate) needed: Requirements,
    pub(crate) invocation: &'a Invocation,
}
