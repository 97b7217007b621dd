//! Describes the operator's API for its OpenAPI document. The schemas come from the types of the
//! handlers, and the examples of problems from the functions that make them. No request needs this.

mod contacts;
mod maintenance;
mod operations;
mod partners;
mod quarantine;
mod reads;
mod reference;
mod sources;
mod tenants;
mod webhook;

use api_document::ApiDocument;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};

/// The committed document of the whole API. A test compares it with what [`describe`] describes.
const OPENAPI: &str = include_str!("../../../../../docs/api/openapi.json");

/// Answers with the document.
pub(super) async fn get() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

/// Adds all operations of the operator's API.
pub(crate) fn describe(document: &mut ApiDocument) {
    partners::describe(document);
    contacts::describe(document);
    maintenance::describe(document);
    tenants::describe(document);
    quarantine::describe(document);
    sources::describe(document);
    webhook::describe(document);
    reads::describe(document);
    reference::describe(document);
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn every_route_is_described() {
        let mut document = ApiDocument::default();
        describe(&mut document);
        for route in crate::operator::all_routes().list() {
            assert!(
                document.contains(route.method.as_str(), &route.path),
                "describe {} {} in this folder",
                route.method,
                route.path
            );
        }
    }
}
