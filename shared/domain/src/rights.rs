//! The names of the rights of ConnectWise's security roles that our calls need, as `function.level`.

/// Companies > Company Maintenance, Inquire All.
pub const COMPANIES_INQUIRE: &str = "company_maintenance.inquire";
/// Service Desk > Service Tickets, Add All: tickets and their notes.
pub const TICKETS_ADD: &str = "service_tickets.add";
/// Service Desk > Service Tickets, Edit All: statuses and priorities.
pub const TICKETS_EDIT: &str = "service_tickets.edit";
/// Service Desk > Service Tickets, Inquire All: without it searches are blind.
pub const TICKETS_INQUIRE: &str = "service_tickets.inquire";
/// Service Desk > Close Service Tickets, Edit All.
pub const TICKETS_CLOSE: &str = "close_service_tickets.edit";
/// System > Table Setup, Inquire All: boards, statuses, types, priorities.
pub const TABLES_INQUIRE: &str = "table_setup.inquire";
/// System > Table Setup, Add All: making boards with their statuses, types and teams.
pub const TABLES_ADD: &str = "table_setup.add";
/// System > Table Setup, Edit All: making a status its board's default.
pub const TABLES_EDIT: &str = "table_setup.edit";
/// System > Member Maintenance, Inquire All: the API member's default board.
pub const MEMBERS_INQUIRE: &str = "member_maintenance.inquire";
/// System > My Company, Inquire All: what the system says of itself.
pub const MY_COMPANY_INQUIRE: &str = "my_company.inquire";
/// System > My Account, Inquire All: what the API member may do.
pub const MY_ACCOUNT_INQUIRE: &str = "my_account.inquire";
