//! Why a connection does not work, in words for the person who entered it. What ConnectWise or the
//! network said goes to the log only.

use std::time::Duration;

use connectwise::{HostError, Origin};

use crate::http::problem::Problem;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConnectionError {
    #[error(
        "The site cannot be used: {0}. Paste the address that you see when you work in ConnectWise."
    )]
    NotAnAddress(HostError),
    #[error(
        "{0}. Check its spelling; if it is your own server, ask the operator of this service to list it."
    )]
    HostNotAllowed(HostError),
    #[error(
        "The site says that another host serves it, and that one cannot be used: {0}. Ask the operator of this service to list it, or enter the site that your API members use."
    )]
    ServedElsewhere(HostError),
    #[error(
        "Nothing answers at {origin}. Check the spelling of the site; if it is right, it cannot be reached just now. The keys were not tried."
    )]
    HostUnknown { origin: Origin },
    #[error(
        "{origin} leads to an address that is not public, so nothing was sent there. If it is your own server, ask the operator of this service to list it."
    )]
    AddressRefused { origin: Origin },
    #[error(
        "{origin} does not know the company id \"{company_id}\". It is what you enter as \"Company\" when you sign in to ConnectWise."
    )]
    CompanyUnknown { origin: Origin, company_id: String },
    #[error(
        "{origin} answers, but not for the company id \"{company_id}\": that or the site is wrong. Enter both as you do when you sign in to ConnectWise."
    )]
    CompanyOrSiteWrong { origin: Origin, company_id: String },
    #[error(
        "{origin} answers, but not as ConnectWise's API does. Check that this is the site that you sign in to ConnectWise on."
    )]
    NotConnectWise { origin: Origin },
    #[error(
        "ConnectWise knows the company id, but refuses the keys. Check that both belong to one API member and that the member is active. The private key is shown only once, so make new keys if in doubt (System › Members › API Members › API Keys)."
    )]
    KeysRefused,
    /// For a server that does not say whether it knows the company id.
    #[error(
        "ConnectWise refuses the company id or the keys. Check the company id first; then that both keys belong to one API member and that the member is active (System › Members › API Members › API Keys)."
    )]
    CompanyOrKeysRefused,
    #[error(
        "ConnectWise refuses your own clientId. Check it at developer.connectwise.com, or use this service's."
    )]
    OwnClientIdRefused,
    #[error(
        "ConnectWise refuses this service's clientId, before it checks your keys. Tell the operator of this service, or enter a clientId of your own."
    )]
    ClientIdRefused,
    #[error(
        "{origin} is down or too slow just now, so the keys could not be checked. Try again in a few minutes."
    )]
    Down { origin: Origin },
    /// Some clouds do not answer at all for a company id that they do not know.
    #[error(
        "{origin} gave no valid answer, so the keys could not be checked. Check the company id: some sites do not answer at all for an unknown one. If it is right, try again in a few minutes."
    )]
    DownOrCompanyUnknown { origin: Origin },
    #[error(
        "ConnectWise limits the rate of calls, so the keys could not be checked. Try again in {} seconds.", .after.as_secs()
    )]
    Throttled { after: Duration },
    #[error("The stored keys are missing, or belong to another site. Enter the connection again.")]
    NoKeys,
    #[error(
        "Ticketbridge itself failed, so the keys could not be checked. Try again in a few minutes; if it fails again, tell the operator of this service."
    )]
    Internal,
}

impl ConnectionError {
    /// For programs.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::NotAnAddress(_) => "not_an_address",
            Self::HostNotAllowed(_) => "host_not_allowed",
            Self::ServedElsewhere(_) => "served_elsewhere",
            Self::HostUnknown { .. } => "host_unknown",
            Self::AddressRefused { .. } => "address_refused",
            Self::CompanyUnknown { .. } => "company_unknown",
            Self::CompanyOrSiteWrong { .. } => "company_or_site_wrong",
            Self::NotConnectWise { .. } => "not_connectwise",
            Self::KeysRefused => "keys_refused",
            Self::CompanyOrKeysRefused => "company_or_keys_refused",
            Self::OwnClientIdRefused => "own_client_id_refused",
            Self::ClientIdRefused => "client_id_refused",
            Self::Down { .. } => "down",
            Self::DownOrCompanyUnknown { .. } => "down_or_company_unknown",
            Self::Throttled { .. } => "throttled",
            Self::NoKeys => "no_keys",
            Self::Internal => "internal",
        }
    }

    /// The field of the form that is wrong.
    pub(super) fn field(&self) -> Option<&'static str> {
        match self {
            Self::NotAnAddress(_)
            | Self::HostNotAllowed(_)
            | Self::ServedElsewhere(_)
            | Self::HostUnknown { .. }
            | Self::AddressRefused { .. }
            | Self::NotConnectWise { .. } => Some("site"),
            Self::CompanyUnknown { .. }
            | Self::CompanyOrSiteWrong { .. }
            | Self::CompanyOrKeysRefused => Some("company_id"),
            Self::KeysRefused | Self::NoKeys => Some("private_key"),
            Self::OwnClientIdRefused => Some("client_id"),
            Self::ClientIdRefused
            | Self::Down { .. }
            | Self::DownOrCompanyUnknown { .. }
            | Self::Throttled { .. }
            | Self::Internal => None,
        }
    }

    /// Whether a retry without any correction may succeed.
    pub(super) fn is_temporary(&self) -> bool {
        match self {
            Self::Down { .. }
            | Self::DownOrCompanyUnknown { .. }
            | Self::Throttled { .. }
            | Self::Internal => true,
            Self::NotAnAddress(_)
            | Self::HostNotAllowed(_)
            | Self::ServedElsewhere(_)
            | Self::HostUnknown { .. }
            | Self::AddressRefused { .. }
            | Self::NotConnectWise { .. }
            | Self::CompanyUnknown { .. }
            | Self::CompanyOrSiteWrong { .. }
            | Self::CompanyOrKeysRefused
            | Self::KeysRefused
            | Self::NoKeys
            | Self::OwnClientIdRefused
            | Self::ClientIdRefused => false,
        }
    }
}

impl From<ConnectionError> for Problem {
    fn from(err: ConnectionError) -> Self {
        let detail = err.to_string();
        match err.field() {
            _ if err.is_temporary() => Self::unavailable(detail),
            Some(field) => Self::invalid(field, detail),
            None => Self::refused(detail),
        }
    }
}

#[cfg(test)]
mod tests;
