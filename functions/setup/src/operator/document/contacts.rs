//! The contacts of a partner.

use api_document::ApiDocument;
use serde_json::json;

use super::operations::{add, changes_version, fails, of_existing_partner, operation, reads_body};
use crate::http::problem::Problem;
use crate::operator::contacts::{ContactsRequest, ContactsResponse};

const TAG: &str = "contacts";
const PATH: &str = "partners/{partner}/contacts";

pub(super) fn describe(document: &mut ApiDocument) {
    let contact = json!({ "address": "it@northwind.example", "mails": ["broken_connection"] });
    let mut confirmed = contact.clone();
    confirmed["confirmed"] = json!(true);
    let list = operation(TAG, "listContacts", "List the contacts of a partner")
        .response::<ContactsResponse>("200", "The contacts.", json!({ "contacts": [confirmed] }));
    add(document, "GET", PATH, of_existing_partner(list));

    let put = operation(TAG, "putContacts", "Replace the contacts of a partner")
        .description(
            "There is no confirmation mail: check that the addresses are the partner's. Contacts that are \
             removed or changed are notified. A partner whose alerts become tickets needs one with \
             `broken_connection`.",
        )
        .body::<ContactsRequest>(json!({ "contacts": [contact] }))
        .bare_response("204", "The contacts are as requested.");
    let put = changes_version(reads_body(of_existing_partner(put)), &Problem::conflict());
    let wrong = Problem::invalid("address", "It is not an e-mail address.");
    let put = fails(put, "An address or the list is not allowed.", &wrong);
    add(document, "PUT", PATH, put);
}
