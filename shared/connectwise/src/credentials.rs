//! The keys of a connection. The type never prints them.

use std::fmt;

use domain::Secret;

use crate::origin::Origin;

/// One partner's keys, and the one origin to which they may be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// [`crate::Client`] sends the keys to no other origin.
    pub origin: Origin,
    /// The company id of the sign-in page, not that of a company record.
    pub company_id: String,
    pub public_key: String,
    /// ConnectWise shows it only once.
    pub private_key: Secret,
    /// The integration's `clientId`, mandatory on every call since August 2019. ConnectWise asks
    /// vendors not to publish it.
    pub client_id: Secret,
}

/// Omits the public key too, since it is half of a password.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("origin", &self.origin)
            .field("company_id", &self.company_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_key() {
        let credentials = Credentials {
            origin: Origin::parse("https://api-na.myconnectwise.net").unwrap(),
            company_id: "acme".to_owned(),
            public_key: "canary-public".to_owned(),
            private_key: Secret::new("canary-private"),
            client_id: Secret::new("canary-client"),
        };
        let shown = format!(
            "{credentials:?} {credentials:#?} {:?}",
            credentials.private_key
        );
        assert!(!shown.contains("canary"), "{shown}");
        assert!(shown.contains("acme") && shown.contains("***"), "{shown}");
    }
}
