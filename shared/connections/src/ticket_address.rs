//! Where people find a ticket in ConnectWise.

use domain::RecordId;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use store::Connection;

/// The address of a ticket in the ConnectWise that the connection points to.
#[must_use]
pub fn ticket_address(connection: &Connection, ticket: RecordId) -> String {
    let company = utf8_percent_encode(&connection.company_id, NON_ALPHANUMERIC);
    format!(
        "{}/v4_6_release/services/system_io/Service/fv_sr100_request.rails?companyName={company}&service_recid={ticket}",
        connection.origin
    )
}
