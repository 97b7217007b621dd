//! The tenants of a partner.

use api_document::ApiDocument;
use serde_json::json;

use super::operations::{SOURCE, add, fails, of_existing_partner, operation, reads_body_of};
use crate::http::input::MAX_LARGE_BODY;
use crate::http::problem::Problem;
use crate::operator::tenants::{TenantsRequest, TenantsResponse};

pub(super) fn describe(document: &mut ApiDocument) {
    let put = operation(
        "tenants",
        "putTenants",
        "List tenants ahead of their first alert",
    )
    .description(
        "Adds and renames tenants of a source. It removes none, and mappings stay. An invalid entry does \
         not affect the others.",
    )
    .body::<TenantsRequest>(json!({
        "source": SOURCE, "tenants": [{ "id": "acme-dental", "name": "Acme Dental" }],
    }))
    .response::<TenantsResponse>(
        "200",
        "What was listed.",
        json!({ "listed": 1, "renamed": 0, "unchanged": 0, "not_listed": 0, "rejected": [] }),
    );
    let put = reads_body_of(of_existing_partner(put), MAX_LARGE_BODY);
    let foreign = Problem::invalid("source", "It is no source of this partner.");
    let put = fails(put, "The source is not one of the partner's.", &foreign);
    add(document, "PUT", "partners/{partner}/tenants", put);
}
