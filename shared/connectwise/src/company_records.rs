//! Finds the records of a company that a ticket is linked to: a configuration by its name, and a
//! contact by its e-mail address.

use domain::RecordId;
use domain::setup::rights;
use domain::setup::ticket_links::CompanyRecordName;
use serde::Deserialize;
use tokio::time::Instant;

use crate::client::Client;
use crate::conditions::{ConditionField, Conditions};
use crate::error::Error;
use crate::records::or_default;

/// A contact's record also holds a birthday and more, which are not needed here. A test compares
/// the lists with the types.
const CONFIGURATION_FIELDS: &str = "id,name,activeFlag";
const CONTACT_FIELDS: &str = "id,inactiveFlag,communicationItems";

/// A device or another thing that a company has.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Configuration {
    id: RecordId,
    #[serde(default, deserialize_with = "or_default")]
    name: String,
    /// Absent counts as active.
    active_flag: Option<bool>,
}

/// A person of a company.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Contact {
    id: RecordId,
    #[serde(default, deserialize_with = "or_default")]
    inactive_flag: bool,
    #[serde(default, deserialize_with = "or_default")]
    communication_items: Vec<CommunicationItem>,
}

/// An address or a telephone number of a contact.
#[derive(Debug, Deserialize)]
struct CommunicationItem {
    #[serde(default, deserialize_with = "or_default")]
    value: String,
}

impl Client {
    /// Finds a company's active record with this name. `None` if there is none, or if there are
    /// several: it is not known which of them is meant.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn company_record(
        &self,
        company: RecordId,
        name: &CompanyRecordName,
        deadline: Instant,
    ) -> Result<Option<RecordId>, Error> {
        let of_company = Conditions::is_record(ConditionField::CompanyId, company);
        let found: Vec<RecordId> = match name {
            CompanyRecordName::Configuration(name) => {
                let named = Conditions::is_text(ConditionField::Name, name);
                let conditions = named.and(&of_company).parameter();
                let query = format!("{conditions}fields={CONFIGURATION_FIELDS}&");
                let path = "/company/configurations";
                let right = rights::CONFIGURATIONS_INQUIRE;
                let listed: Vec<Configuration> = self.list(path, &query, right, deadline).await?;
                let active = listed
                    .iter()
                    .filter(|row| row.active_flag != Some(false) && is_same_text(&row.name, name));
                active.map(|row| row.id).collect()
            }
            CompanyRecordName::Contact(address) => {
                let address = address.as_str();
                let conditions = of_company.parameter();
                let items = Conditions::is_text(ConditionField::ItemValue, address);
                let items = items.child_parameter();
                let query = format!("{conditions}{items}fields={CONTACT_FIELDS}&");
                let path = "/company/contacts";
                let right = rights::CONTACTS_INQUIRE;
                let listed: Vec<Contact> = self.list(path, &query, right, deadline).await?;
                let active = listed.iter().filter(|row| {
                    let mut items = row.communication_items.iter();
                    !row.inactive_flag && items.any(|item| is_same_text(&item.value, address))
                });
                active.map(|row| row.id).collect()
            }
        };
        Ok(match found.as_slice() {
            [only] => Some(*only),
            _ => None,
        })
    }
}

/// ConnectWise ignores case too.
fn is_same_text(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::fields_of;

    #[test]
    fn a_list_reads_the_members_of_its_records() {
        for (fields, members) in [
            (CONFIGURATION_FIELDS, fields_of::<Configuration>()),
            (CONTACT_FIELDS, fields_of::<Contact>()),
        ] {
            assert_eq!(fields.split(',').collect::<Vec<_>>(), members);
        }
    }
}
