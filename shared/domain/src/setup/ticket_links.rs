//! Which records of its company a new ticket is linked to: the configuration of the alert's device,
//! and the contact of the alert's user. Both are found by what the alert names, so nothing of
//! ConnectWise is stored in the settings.

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::digest;
use crate::email::EmailAddress;
use crate::{PartnerId, RecordId, TenantId};

/// How long a record that was found is not looked up again.
const FOUND_FOR: SignedDuration = SignedDuration::from_hours(24);
/// How long a record that was not found, or could not be used, is not looked up again.
const MISSING_FOR: SignedDuration = SignedDuration::from_hours(1);
/// The longest name of a device that is looked up, in bytes.
const LONGEST_NAME: usize = 100;

/// The records that new tickets are linked to, if they are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct TicketLinks {
    /// The configuration with the name of the alert's device.
    #[serde(default)]
    pub configuration: bool,
    /// The contact with the e-mail address of the alert's user.
    #[serde(default)]
    pub contact: bool,
}

impl TicketLinks {
    /// Whether tickets are linked to nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A record of a company, by what an alert says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CompanyRecordName {
    /// A configuration, by its name.
    Configuration(String),
    /// A contact, by its e-mail address.
    Contact(EmailAddress),
}

impl CompanyRecordName {
    /// The configuration of a device. `None` for a name that ConnectWise's conditions cannot name.
    #[must_use]
    pub fn of_device(device: &str) -> Option<Self> {
        let name = device.trim();
        let is_searchable = !name.is_empty()
            && name.len() <= LONGEST_NAME
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || " -_.,:/()#&+@'".contains(c));
        is_searchable.then(|| Self::Configuration(name.to_owned()))
    }

    /// The contact of a user. `None` if the user is no e-mail address.
    #[must_use]
    pub fn of_user(user: &str) -> Option<Self> {
        let address = EmailAddress::parse(user).ok()?;
        // These are wildcards, or end a text, in ConnectWise's conditions.
        let is_searchable = !address.as_str().contains(['*', '%', '\\', '`']);
        is_searchable.then_some(Self::Contact(address))
    }
}

/// Identifies a look-up. It is a hash, so that no address and no name of a device is stored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LookupKey(String);

impl LookupKey {
    /// The key of a record in a tenant's company. In the ConnectWise of another epoch a company's
    /// number names another company.
    #[must_use]
    pub fn new(
        (partner, tenant): (&PartnerId, &TenantId),
        epoch: u32,
        company: RecordId,
        record: &CompanyRecordName,
    ) -> Self {
        let (kind, name) = match record {
            CompanyRecordName::Configuration(name) => ("configuration", name.as_str()),
            CompanyRecordName::Contact(address) => ("contact", address.as_str()),
        };
        let name = name.to_lowercase();
        let (epoch, company) = (epoch.to_string(), company.to_string());
        let parts = [partner.as_str(), tenant.as_str(), &epoch, &company];
        Self(digest(&[&parts[..], &[kind, &name]].concat(), 32))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How long the result of a look-up counts.
#[must_use]
pub fn lookup_lifetime(found: Option<RecordId>) -> SignedDuration {
    match found {
        Some(_) => FOUND_FOR,
        None => MISSING_FOR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(name: &str) -> CompanyRecordName {
        CompanyRecordName::of_device(name).unwrap()
    }

    #[test]
    fn a_device_is_looked_up_only_by_a_plain_name() {
        assert_eq!(
            CompanyRecordName::of_device(" srv-01.acme.local "),
            Some(CompanyRecordName::Configuration(
                "srv-01.acme.local".to_owned()
            ))
        );
        for bad in [
            "",
            "  ",
            "a\"b",
            "a*",
            "a%",
            "a\\b",
            "a\nb",
            &"x".repeat(101),
        ] {
            assert_eq!(CompanyRecordName::of_device(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_user_is_looked_up_only_by_an_address() {
        assert!(CompanyRecordName::of_user("o'neil+it@acme.example").is_some());
        for bad in [
            "ACME\\anna",
            "anna",
            "",
            "a*b@acme.example",
            "a%@acme.example",
        ] {
            assert_eq!(CompanyRecordName::of_user(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_key_is_that_of_one_record_of_one_company_and_shows_no_name() {
        let key = |(partner, tenant), epoch, company, record: &CompanyRecordName| {
            let partner = PartnerId::parse(partner).unwrap();
            let tenant = TenantId::parse(tenant).unwrap();
            LookupKey::new((&partner, &tenant), epoch, company, record)
        };
        let acme = ("northwind", "acme");
        let own = key(acme, 1, 301, &device("srv-01"));
        assert_eq!(own, key(acme, 1, 301, &device("SRV-01")));
        for other in [
            key(("contoso", "acme"), 1, 301, &device("srv-01")),
            key(("northwind", "baker"), 1, 301, &device("srv-01")),
            key(acme, 2, 301, &device("srv-01")),
            key(acme, 1, 302, &device("srv-01")),
            key(acme, 1, 301, &device("srv-02")),
        ] {
            assert_ne!(own, other);
        }
        let anna = CompanyRecordName::of_user("anna@acme.example").unwrap();
        let contact = key(acme, 1, 301, &anna);
        assert_eq!(contact.as_str().len(), 32);
        assert!(!contact.as_str().contains("anna"));
    }
}
