//! Partners, their links, sessions and history.

use api_document::ApiDocument;
use serde_json::{Value, json};

use super::operations::{
    add, changes_version, fails, of_existing_partner, of_partner, operation, paged, reads_body,
};
use crate::http::problem::Problem;
use crate::operator::partners::{
    AuditResponse, NewLinkRequest, NewLinkResponse, PartnerRequest, PartnerResponse,
    PartnersResponse, conflict,
};

const TAG: &str = "partners";

pub(super) fn describe(document: &mut ApiDocument) {
    let list = operation(TAG, "listPartners", "List the partners");
    let page = json!({ "partners": [partner()], "next": "northwind" });
    let list = paged(list).response::<PartnersResponse>("200", "A page of partners.", page);
    add(document, "GET", "partners", list);

    let get = operation(TAG, "getPartner", "Read a partner");
    let get =
        of_existing_partner(get).response::<PartnerResponse>("200", "The partner.", partner());
    add(document, "GET", "partners/{partner}", get);

    let put = operation(TAG, "putPartner", "Create or change a partner")
        .description(
            "Members that are left out stay as they are. A new partner needs a `name`. While a partner is \
             disabled, its page cannot be used and its alerts are blocked. Repeating the request changes \
             nothing.",
        )
        .optional_body::<PartnerRequest>(json!({ "name": "Northwind IT", "version": 0 }))
        .response::<PartnerResponse>("200", "The partner exists, and is now as requested.", partner())
        .response::<PartnerResponse>("201", "The partner was created.", partner());
    let put = changes_version(reads_body(of_partner(put)), &conflict());
    let nameless = Problem::invalid("name", "A new partner needs a name.");
    let put = fails(put, "A value is not allowed.", &nameless);
    add(document, "PUT", "partners/{partner}", put);

    links_and_sessions(document);

    let history = operation(
        TAG,
        "listHistory",
        "List who changed what, the newest first",
    );
    let page = json!({ "entries": [{
        "at": "2026-11-22T07:30:00Z", "who": "operator", "identity": "arn:aws:iam::111122223333:user/kim",
        "address": "203.0.113.7", "what": "partner_made", "detail": { "name": "Northwind IT" },
    }] });
    let history = paged(of_existing_partner(history)).response::<AuditResponse>(
        "200",
        "A page of the history.",
        page,
    );
    add(document, "GET", "partners/{partner}/audit", history);
}

fn links_and_sessions(document: &mut ApiDocument) {
    let link = operation(TAG, "createLink", "Create a link to the partner's page")
        .description(
            "The link works once, within `hours` (24 if they are left out). Only this response has it.",
        )
        .optional_body::<NewLinkRequest>(json!({ "hours": 24 }))
        .response::<NewLinkResponse>(
            "201",
            "The link.",
            json!({
                "url": "https://page.example.com/setup/open#c2VjcmV0",
                "expires_at": "2026-11-23T07:30:00.000Z",
            }),
        );
    let disabled = Problem::refused("The partner is disabled, so its links open nothing.");
    let link = reads_body(of_existing_partner(link));
    let link = fails(link, "The partner is disabled.", &disabled);
    add(document, "POST", "partners/{partner}/links", link);

    let end = operation(
        TAG,
        "endSessions",
        "End all sessions and links of a partner",
    )
    .bare_response(
        "204",
        "No session and no link of the partner works any more.",
    );
    let end = of_existing_partner(end);
    add(document, "DELETE", "partners/{partner}/sessions", end);
}

fn partner() -> Value {
    json!({
        "id": "northwind", "name": "Northwind IT", "enabled": true, "manages_sources": false,
        "made_at": "2026-11-22T07:30:00.000Z", "version": 1, "connected": true, "confirmed": true,
    })
}
