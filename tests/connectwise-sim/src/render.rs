//! Set-up records and references as ConnectWise returns them: references are expanded with a link,
//! and members without a value are omitted.

use serde_json::{Value, json};

use crate::seed::{
    ApiMember, Board, BoardStatus, BoardType, Company, CompanyStatus, Department, Location, Member,
    Priority, Ref, Team,
};
use crate::site::Site;

/// The API's path, for links and routes.
pub(crate) const API: &str = "/v4_6_release/apis/3.0";

fn href(site: &Site, path: &str) -> String {
    format!("{}{API}{path}", site.base_url)
}

pub(crate) fn board_reference(site: &Site, board: &Board) -> Value {
    let href = href(site, &format!("/service/boards/{}", board.id));
    json!({ "id": board.id, "name": board.name, "_info": { "board_href": href } })
}

pub(crate) fn status_reference(site: &Site, board: i64, status: &BoardStatus) -> Value {
    let href = href(
        site,
        &format!("/service/boards/{board}/statuses/{}", status.id),
    );
    json!({ "id": status.id, "name": status.name, "sort": status.sort_order, "_info": { "status_href": href } })
}

pub(crate) fn type_reference(site: &Site, board: i64, kind: &BoardType) -> Value {
    let href = href(site, &format!("/service/boards/{board}/types/{}", kind.id));
    json!({ "id": kind.id, "name": kind.name, "_info": { "type_href": href } })
}

pub(crate) fn company_reference(site: &Site, company: &Company) -> Value {
    let href = href(site, &format!("/company/companies/{}", company.id));
    json!({
        "id": company.id,
        "identifier": company.identifier,
        "name": company.name,
        "_info": { "company_href": href },
    })
}

pub(crate) fn priority_reference(site: &Site, priority: &Priority) -> Value {
    let href = href(site, &format!("/service/priorities/{}", priority.id));
    json!({
        "id": priority.id,
        "name": priority.name,
        "sort": priority.sort_order,
        "_info": { "priority_href": href },
    })
}

pub(crate) fn location_reference(site: &Site, id: i64) -> Value {
    let name = site
        .setup
        .locations
        .iter()
        .find(|row| row.id == id)
        .map(|row| &row.name);
    let href = href(site, &format!("/system/locations/{id}"));
    json!({ "id": id, "name": name, "_info": { "location_href": href } })
}

pub(crate) fn department_reference(site: &Site, id: i64) -> Value {
    let row = site.setup.departments.iter().find(|row| row.id == id);
    let href = href(site, &format!("/system/departments/{id}"));
    json!({
        "id": id,
        "identifier": row.map(|row| &row.identifier),
        "name": row.map(|row| &row.name),
        "_info": { "department_href": href },
    })
}

pub(crate) fn member_reference(site: &Site, member: &Member) -> Value {
    let href = href(site, &format!("/system/members/{}", member.id));
    json!({
        "id": member.id,
        "identifier": member.identifier,
        "name": full_name(member),
        "_info": { "member_href": href },
    })
}

pub(crate) fn team_reference(team: &Team) -> Value {
    json!({ "id": team.id, "name": team.name })
}

/// The links in a ticket's `_info`.
pub(crate) fn ticket_links(site: &Site, id: i64) -> Value {
    json!({ "notes_href": href(site, &format!("/service/tickets/{id}/notes")) })
}

pub(crate) fn company_status_reference(site: &Site, status: &CompanyStatus) -> Value {
    let href = href(site, &format!("/company/companies/statuses/{}", status.id));
    json!({ "id": status.id, "name": status.name, "_info": { "status_href": href } })
}

fn own_board(site: &Site, board: Option<Ref>) -> Option<Value> {
    board
        .and_then(|board| site.setup.board(board.id))
        .map(|board| board_reference(site, board))
}

pub(crate) fn company(site: &Site, company: &Company) -> Value {
    let status = site
        .setup
        .company_statuses
        .iter()
        .find(|status| status.id == company.status.id);
    let href = href(
        site,
        &format!("/company/companies/statuses/{}", company.status.id),
    );
    json!({
        "id": company.id,
        "identifier": company.identifier,
        "name": company.name,
        "status": {
            "id": company.status.id,
            "name": status.map(|status| &status.name),
            "_info": { "status_href": href },
        },
        "deletedFlag": company.deleted_flag,
        "types": [],
        "customFields": [],
        "_info": seeded(),
    })
}

pub(crate) fn company_status(status: &CompanyStatus) -> Value {
    json!({
        "id": status.id,
        "name": status.name,
        "defaultFlag": status.default_flag,
        "inactiveFlag": status.inactive_flag,
        "notifyFlag": status.notify_flag,
        "disallowSavingFlag": status.disallow_saving_flag,
        "customNoteFlag": false,
        "cancelOpenTracksFlag": false,
        "_info": seeded(),
    })
}

pub(crate) fn board(site: &Site, board: &Board) -> Value {
    json!({
        "id": board.id,
        "name": board.name,
        "location": location_reference(site, board.location.id),
        "department": department_reference(site, board.department.id),
        "inactiveFlag": board.inactive_flag,
        "projectFlag": board.project_flag,
        "restrictBoardByDefaultFlag": false,
        "emailConnectorAllowReopenClosedFlag": false,
        "_info": seeded(),
    })
}

pub(crate) fn status(site: &Site, board: &Board, status: &BoardStatus) -> Value {
    json!({
        "id": status.id,
        "name": status.name,
        "board": board_reference(site, board),
        "sortOrder": status.sort_order,
        "displayOnBoard": !status.closed_status,
        "inactive": status.inactive,
        "closedStatus": status.closed_status,
        "timeEntryNotAllowed": false,
        "defaultFlag": status.default_flag,
        "escalationStatus": if status.closed_status { "Resolved" } else { "NotResponded" },
        "_info": seeded(),
    })
}

pub(crate) fn kind(site: &Site, board: &Board, kind: &BoardType) -> Value {
    json!({
        "id": kind.id,
        "name": kind.name,
        "category": "Reactive",
        "defaultFlag": kind.default_flag,
        "inactiveFlag": kind.inactive_flag,
        "requestForChangeFlag": false,
        "board": board_reference(site, board),
        "_info": seeded(),
    })
}

pub(crate) fn priority(priority: &Priority) -> Value {
    json!({
        "id": priority.id,
        "name": priority.name,
        "color": priority.color,
        "sortOrder": priority.sort_order,
        "defaultFlag": priority.default_flag,
        "_info": seeded(),
    })
}

pub(crate) fn location(location: &Location) -> Value {
    json!({ "id": location.id, "name": location.name, "locationFlag": true, "structureLevel": { "id": 2, "name": "Location" }, "_info": seeded() })
}

pub(crate) fn department(department: &Department) -> Value {
    json!({
        "id": department.id,
        "identifier": department.identifier,
        "name": department.name,
        "_info": seeded(),
    })
}

pub(crate) fn team(site: &Site, team: &Team) -> Value {
    let leader = site
        .setup
        .members
        .iter()
        .find(|member| member.id == team.leader.id);
    json!({
        "id": team.id,
        "name": team.name,
        "leader": leader.map(|leader| member_reference(site, leader)),
        "location": location_reference(site, team.location.id),
        "department": department_reference(site, team.department.id),
        "deleteNotifyFlag": false,
        "_info": seeded(),
    })
}

/// A team as its board lists it.
pub(crate) fn board_team(site: &Site, board: &Board, team: &Team) -> Value {
    let mut members = site.setup.members.iter();
    let leader = members.find(|member| member.id == team.leader.id);
    json!({
        "id": team.id,
        "name": team.name,
        "teamLeader": leader.map(|leader| member_reference(site, leader)),
        "members": team.members,
        "defaultFlag": false,
        "notifyOnTicketDelete": false,
        "boardId": board.id,
        "locationId": team.location.id,
        "businessUnitId": team.department.id,
        "_info": seeded(),
    })
}

pub(crate) fn member(site: &Site, member: &Member) -> Value {
    let teams = site.setup.teams.iter();
    let teams: Vec<i64> = teams
        .filter(|team| team.leader.id == member.id || team.members.contains(&member.id))
        .map(|team| team.id)
        .collect();
    present(json!({
        "id": member.id,
        "identifier": member.identifier,
        "firstName": member.first_name,
        "lastName": member.last_name,
        "licenseClass": "F",
        "inactiveFlag": member.inactive_flag,
        "officeEmail": member.office_email,
        "primaryEmail": member.office_email,
        "defaultEmail": "Office",
        "defaultPhone": "Office",
        "hireDate": "2020-02-03T00:00:00Z",
        "adminFlag": true,
        "companyActivityTabFormat": "SummaryList",
        "invoiceTimeTabFormat": "SummaryList",
        "invoiceScreenDefaultTabFormat": "ShowInvoicingTab",
        "invoicingDisplayOptions": "RemainOnInvoicingScreen",
        "agreementInvoicingDisplayOptions": "RemainOnInvoicingScreen",
        "teams": teams,
        "securityRole": { "id": 63, "name": "Admin" },
        "serviceDefaultBoard": own_board(site, member.service_default_board),
        "_info": seeded(),
    }))
}

pub(crate) fn api_member(site: &Site, member: &ApiMember) -> Value {
    present(json!({
        "id": member.id,
        "identifier": member.identifier,
        "name": member.name,
        "inactiveFlag": member.inactive_flag,
        "securityRole": { "id": 64, "name": "Integration" },
        "serviceDefaultBoard": own_board(site, member.service_default_board),
        "excludedServiceBoardIds": member.excluded_service_board_ids,
        "_info": seeded(),
    }))
}

/// An API member's own record. Its licence class is A.
pub(crate) fn my_api_member(site: &Site, member: &ApiMember) -> Value {
    present(json!({
        "id": member.id,
        "identifier": member.identifier,
        "firstName": member.name,
        "licenseClass": "A",
        "securityRole": { "id": 64, "name": "Integration" },
        "serviceDefaultBoard": own_board(site, member.service_default_board),
        "excludedServiceBoardIds": member.excluded_service_board_ids,
        "_info": seeded(),
    }))
}

pub(crate) fn seeded() -> Value {
    json!({ "lastUpdated": "2024-01-15T09:00:00Z", "updatedBy": "zAdmin" })
}

fn full_name(member: &Member) -> String {
    format!("{} {}", member.first_name, member.last_name)
}

/// ConnectWise omits members without a value.
pub(crate) fn present(mut record: Value) -> Value {
    if let Some(members) = record.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    record
}
