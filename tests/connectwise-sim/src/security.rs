//! Security roles: the functions that this simulator knows, and the caller's levels, as
//! `/system/mySecurity` and a role's settings return them. Missing rights come from the faults.

use serde_json::{Value, json};

use crate::faults::{MySecurity, MySecurityNames};
use crate::render;
use crate::response::{ApiError, Outcome};
use crate::setup_tables::Table;
use crate::site::{Call, Licence, Site};
use crate::storage;

/// One function of ConnectWise's security roles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Function {
    /// The first part of a right, such as `service_tickets` in `service_tickets.add`.
    pub(crate) key: &'static str,
    module: Module,
    /// The name in ConnectWise's own pages.
    pub(crate) name: &'static str,
    identifier: &'static str,
}

#[derive(Clone, Copy, Debug)]
struct Module {
    name: &'static str,
    identifier: &'static str,
}

const COMPANIES: Module = Module {
    name: "Companies",
    identifier: "CO",
};
const SERVICE_DESK: Module = Module {
    name: "Service Desk",
    identifier: "SR",
};
const SYSTEM: Module = Module {
    name: "System",
    identifier: "SY",
};

const fn function(
    key: &'static str,
    module: Module,
    name: &'static str,
    identifier: &'static str,
) -> Function {
    Function {
        key,
        module,
        name,
        identifier,
    }
}

pub(crate) const FUNCTIONS: [Function; 10] = [
    function(
        "company_maintenance",
        COMPANIES,
        "Company Maintenance",
        "CO001",
    ),
    function("configurations", COMPANIES, "Configurations", "CO002"),
    function("contacts", COMPANIES, "Contacts", "CO003"),
    function("service_tickets", SERVICE_DESK, "Service Tickets", "SR001"),
    function(
        "close_service_tickets",
        SERVICE_DESK,
        "Close Service Tickets",
        "SR002",
    ),
    function(
        "resource_scheduling",
        SERVICE_DESK,
        "Resource Scheduling",
        "SR003",
    ),
    function("table_setup", SYSTEM, "Table Setup", "SY001"),
    function("member_maintenance", SYSTEM, "Member Maintenance", "SY002"),
    function("my_company", SYSTEM, "My Company", "SY003"),
    function("my_account", SYSTEM, "My Account", "SY004"),
];
pub(crate) const LEVELS: [&str; 4] = ["add", "edit", "delete", "inquire"];

/// The role of every technician. All other roles belong to integrations.
const ADMIN: i64 = 63;

pub(crate) fn is_right(right: &str) -> bool {
    right.split_once('.').is_some_and(|(key, level)| {
        FUNCTIONS.iter().any(|function| function.key == key) && LEVELS.contains(&level)
    })
}

/// `GET /system/mySecurity`: the caller's own levels.
pub(crate) fn mine(site: &Site, call: &Call) -> Outcome {
    if site.faults.variants.my_security == MySecurity::Refused
        && call.caller.licence == Licence::ApiMember
    {
        return Err(ApiError::forbidden());
    }
    table(site, call).list(site, call)
}

fn table(site: &Site, call: &Call) -> Table {
    let everything = call.caller.licence == Licence::Member;
    let rows = settings(site, everything).into_iter().map(|mut row| {
        let caller = &call.caller;
        row["member"] = json!({ "id": caller.id, "identifier": caller.identifier });
        if site.faults.variants.my_security_names == MySecurityNames::Absent
            && let Some(row) = row.as_object_mut()
        {
            row.retain(|name, _| {
                !matches!(
                    name.as_str(),
                    "moduleName"
                        | "moduleDescription"
                        | "moduleFunctionName"
                        | "moduleFunctionDescription"
                )
            });
        }
        row
    });
    Table::new("MySecurity", "MySecurity", rows)
}

/// `/system/securityRoles/{id}/settings`
pub(crate) fn of_role(site: &Site, role: i64) -> Result<Table, ApiError> {
    let roles = storage::rows(site, crate::storage::WritableTable::Role, None);
    if !roles.iter().any(|row| row["id"] == role) {
        return Err(ApiError::record_not_found("SecurityRole", role));
    }
    let rows = settings(site, role == ADMIN).into_iter();
    Ok(Table::new(
        "SecurityRoleSetting",
        "SecurityRoleSetting",
        rows,
    ))
}

fn settings(site: &Site, everything: bool) -> Vec<Value> {
    let level = |function: &Function, level: &str| {
        let right = format!("{}.{level}", function.key);
        let is_in = |rights: &[String]| rights.contains(&right);
        if everything {
            "All"
        } else if is_in(&site.faults.missing_rights) {
            "None"
        } else if is_in(&site.faults.variants.rights_at_my) {
            "My"
        } else {
            "All"
        }
    };
    let rows = (1..).zip(&FUNCTIONS).map(|(id, function)| {
        json!({
            "id": id,
            "addLevel": level(function, "add"),
            "editLevel": level(function, "edit"),
            "deleteLevel": level(function, "delete"),
            "inquireLevel": level(function, "inquire"),
            "moduleFunctionName": function.name,
            "moduleFunctionDescription": function.name,
            "moduleFunctionIdentifier": function.identifier,
            "moduleName": function.module.name,
            "moduleDescription": function.module.name,
            "moduleIdentifier": function.module.identifier,
            "myAllFlag": true,
            "reportFlag": false,
            "restrictFlag": false,
            "customFlag": false,
            "sortOrder": id,
            "_info": render::seeded(),
        })
    });
    rows.collect()
}

/// `/system/mySecurity/customizeItems/`: the set-up tables that a customized role may see.
pub(crate) fn customize_items(site: &Site, call: &Call) -> Outcome {
    let items = ["Service Boards", "Priorities", "Sources", "Members"];
    let rows = (1..).zip(items).map(|(id, item)| {
        json!({ "id": id, "customizeIdentifier": "SystemTableSetup", "itemIdentifier": item })
    });
    let schema = "MySecurityCustomizeItem";
    Table::new(schema, schema, rows).list(site, call)
}
