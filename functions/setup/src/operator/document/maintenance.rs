//! The maintenance windows of a partner.

use api_document::{ApiDocument, Operation};
use domain::WindowId;
use domain::maintenance::window::WindowDefinition;
use serde_json::{Value, json};

use super::operations::{add, changes_version, fails, of_existing_partner, operation, reads_body};
use crate::http::input::parse_id;
use crate::http::problem::Problem;
use crate::operator::maintenance::{WindowResponse, WindowsResponse};

const TAG: &str = "maintenance";
const ALL: &str = "partners/{partner}/maintenance-windows";
const ONE: &str = "partners/{partner}/maintenance-windows/{window}";
const END: &str = "partners/{partner}/maintenance-windows/{window}/end";
const WINDOW: &str = "patch-night";

pub(super) fn describe(document: &mut ApiDocument) {
    let list = operation(TAG, "listMaintenanceWindows", "List maintenance windows");
    let list = of_existing_partner(list).response::<WindowsResponse>(
        "200",
        "The windows, sorted by id.",
        json!({ "windows": [response()] }),
    );
    add(document, "GET", ALL, list);

    let create = operation(
        TAG,
        "createMaintenanceWindow",
        "Create a maintenance window",
    )
    .description("The window gets a new id. A `PUT` with an id of your own can be repeated.")
    .body::<WindowDefinition>(definition())
    .response::<WindowResponse>("201", "The window was created.", response());
    add(document, "POST", ALL, saves(of_existing_partner(create)));

    let get = operation(TAG, "getMaintenanceWindow", "Show a maintenance window");
    let get = of_window(get).response::<WindowResponse>("200", "The window.", response());
    add(document, "GET", ONE, missing(get));

    let put = operation(TAG, "putMaintenanceWindow", "Create or replace a maintenance window")
        .description(
            "While a window applies, a new alert that it covers makes no ticket. If the alert is still \
             active at the end, it becomes a ticket then. Tickets that exist are not affected, and are \
             closed as always. A window that is longer, shorter or deleted counts from now on, also for \
             alerts that it holds. An alert is held for at most 30 days.",
        )
        .body::<WindowDefinition>(definition())
        .response::<WindowResponse>("200", "The window is as requested.", response());
    add(document, "PUT", ONE, saves(of_window(put)));

    let delete = operation(
        TAG,
        "deleteMaintenanceWindow",
        "Delete a maintenance window",
    )
    .bare_response("204", "There is no such window any more.");
    let delete = changes_version(of_window(delete), &Problem::conflict());
    add(document, "DELETE", ONE, delete);

    let end = operation(TAG, "endMaintenanceWindow", "End a maintenance window now")
        .description("It ends the occurrence that is running. Later ones are not affected.")
        .bare_response("204", "No occurrence of the window is running.");
    let end = changes_version(missing(of_window(end)), &Problem::conflict());
    add(document, "POST", END, end);
}

fn of_window(operation: Operation) -> Operation {
    let operation = operation.path::<WindowId>(
        "window",
        "The window's id, which the caller chooses.",
        WINDOW,
    );
    let operation = of_existing_partner(operation);
    match parse_id::<WindowId>("window", "Patch night".to_owned()) {
        Ok(_) => operation,
        Err(problem) => fails(operation, "The window's id is malformed.", &problem),
    }
}

fn missing(operation: Operation) -> Operation {
    let problem = Problem::not_found(format!("There is no maintenance window {WINDOW}."));
    fails(operation, "There is no such window.", &problem)
}

fn saves(operation: Operation) -> Operation {
    let operation = changes_version(reads_body(operation), &Problem::conflict());
    let full = Problem::refused("A partner has at most 50 maintenance windows.");
    let operation = fails(operation, "There are too many windows.", &full);
    let wrong = Problem::invalid("minutes", "It must be at least 1.");
    fails(operation, "The definition makes no sense.", &wrong)
}

fn definition() -> Value {
    json!({
        "name": "Patch night", "zone": "Europe/Berlin", "starts": "2026-12-01T22:00:00",
        "minutes": 480, "repeats": { "kind": "weekly", "days": ["tuesday"] },
        "scope": { "devices": ["SRV-*"] },
    })
}

fn response() -> Value {
    json!({
        "id": WINDOW, "definition": definition(),
        "next": [{ "starts_at": "2026-12-01T21:00:00Z", "ends_at": "2026-12-02T05:00:00Z" }],
    })
}
