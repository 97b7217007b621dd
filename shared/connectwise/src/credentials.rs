//! What a connection signs its calls with, in types that cannot print.

use std::fmt;

use domain::Secret;

use crate::origin::Origin;

/// One partner's keys, and the one origin that they may be sent to.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Where these keys belong; [`crate::Client`] sends them nowhere else.
    pub origin: Origin,
    /// The company id of the sign-in page, not a company record.
    pub company_id: String,
    /// The API member's public key.
    pub public_key: String,
    /// The API member's private key, which ConnectWise shows once.
    pub private_key: Secret,
    /// The integration's `clientId`, mandatory on every call since August 2019. ConnectWise asks vendors not to publish it.
    pub client_id: Secret,
}

/// The public key is half of a password: it stays out of logs too.
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
    fn keys_never_show_in_debug() {
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
