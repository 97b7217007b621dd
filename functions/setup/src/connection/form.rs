//! What a person enters on "Connect".

use aws::secrets::ConnectionSecret;
use domain::Secret;
use serde::Deserialize;

use crate::connection::prove::{EnteredKeys, FoundSite};
use crate::http::input::filled;
use crate::http::problem::Problem;

/// The keys are [`Secret`]s, which cannot be printed.
#[derive(Deserialize)]
pub(crate) struct ConnectionForm {
    pub(super) site: String,
    pub(super) company_id: String,
    public_key: String,
    #[serde(default)]
    private_key: Option<Secret>,
    #[serde(default)]
    client_id: Option<Secret>,
    /// Use the operator's clientId again instead of the partner's own.
    #[serde(default)]
    drop_client_id: bool,
    /// Boards and mapped tenants may be dropped if this is another ConnectWise.
    #[serde(default)]
    pub(super) drop_choices: bool,
    pub(super) version: u64,
}

impl ConnectionForm {
    /// The keys to try at the found site. Empty fields keep the stored keys, but a stored key is
    /// used only at the site that it was entered for.
    ///
    /// # Errors
    /// When the private key must be entered.
    pub(super) fn keys(
        &self,
        stored: Option<&ConnectionSecret>,
        found: &FoundSite,
    ) -> Result<EnteredKeys, Problem> {
        let same_site = stored.filter(|keys| {
            keys.origin == found.origin.as_str() && keys.company_id == found.company_id
        });
        Ok(EnteredKeys {
            public_key: self.public_key.trim().to_owned(),
            private_key: self.private_key(stored.is_some(), same_site)?,
            client_id: self.client_id(same_site),
        })
    }

    fn private_key(
        &self,
        has_stored: bool,
        same_site: Option<&ConnectionSecret>,
    ) -> Result<Secret, Problem> {
        let typed = self
            .private_key
            .as_ref()
            .map(|key| key.expose().trim())
            .filter(|key| !key.is_empty());
        if let Some(typed) = typed {
            return Ok(Secret::new(typed));
        }
        let missing = match same_site {
            Some(keys) if keys.public_key == self.public_key.trim() => {
                return Ok(keys.private_key.clone());
            }
            Some(_) => "Another public key has another private key: enter it too.",
            None if has_stored => {
                "The site or the company id has changed: enter the private key again. A stored key is sent only to the site that it was entered for."
            }
            None => "Enter the private key.",
        };
        Err(Problem::invalid("private_key", missing))
    }

    fn client_id(&self, same_site: Option<&ConnectionSecret>) -> Option<Secret> {
        let typed = self.client_id.as_ref();
        let typed = typed.and_then(|own| filled(Some(own.expose())));
        match (typed, same_site) {
            (Some(own), _) => Some(Secret::new(own)),
            (None, Some(keys)) if !self.drop_client_id => keys.client_id.clone(),
            (None, _) => None,
        }
    }
}
