//! The rights of ConnectWise's security roles that Ticketbridge's calls need, as `function.level`:
//! what each right is for, where a person grants it, and whether an API member has it.

use schemars::JsonSchema;
use serde::Serialize;

/// Companies > Company Maintenance, Inquire All.
pub const COMPANIES_INQUIRE: &str = "company_maintenance.inquire";

/// Companies > Configurations, Inquire All: the configuration of an alert's device.
pub const CONFIGURATIONS_INQUIRE: &str = "configurations.inquire";

/// Companies > Contacts, Inquire All: the contact of an alert's user.
pub const CONTACTS_INQUIRE: &str = "contacts.inquire";

/// Service Desk > Service Tickets, Add All: tickets and their notes.
pub const TICKETS_ADD: &str = "service_tickets.add";

/// Service Desk > Service Tickets, Edit All: statuses and priorities.
pub const TICKETS_EDIT: &str = "service_tickets.edit";

/// Service Desk > Service Tickets, Inquire All. Without it searches miss tickets.
pub const TICKETS_INQUIRE: &str = "service_tickets.inquire";

/// Service Desk > Close Service Tickets, Edit All.
pub const TICKETS_CLOSE: &str = "close_service_tickets.edit";

/// System > Table Setup, Inquire All: boards, statuses, types, priorities.
pub const TABLES_INQUIRE: &str = "table_setup.inquire";

/// System > Table Setup, Add All: making boards with their statuses, types and teams, and callbacks.
pub const TABLES_ADD: &str = "table_setup.add";

/// System > Table Setup, Edit All: making a status its board's default.
pub const TABLES_EDIT: &str = "table_setup.edit";

/// System > Table Setup, Delete All: callbacks that are not needed any more. The page does not ask
/// for it, since ConnectWise switches such callbacks off by itself.
pub const TABLES_DELETE: &str = "table_setup.delete";

/// System > Member Maintenance, Inquire All: the API member's default board.
pub const MEMBERS_INQUIRE: &str = "member_maintenance.inquire";

/// System > My Company, Inquire All: data about the system.
pub const MY_COMPANY_INQUIRE: &str = "my_company.inquire";

/// System > My Account, Inquire All: the API member's own rights.
pub const MY_ACCOUNT_INQUIRE: &str = "my_account.inquire";

/// The records that a right covers. If a level is absent or unknown it covers none, so that no
/// right is assumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Level {
    /// No records.
    #[default]
    None,
    /// The member's own records. Searches would miss all others.
    My,
    /// All records.
    All,
}

/// The rights of an API member on one function, as ConnectWise lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedRights<'a> {
    /// The function's name, such as "Service Tickets".
    pub function: &'a str,
    pub add: Level,
    pub edit: Level,
    pub inquire: Level,
}

/// One right, with its description for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Right {
    /// One of this module's constants, or another `function.level`.
    pub right: &'static str,
    /// The module in which ConnectWise lists the function.
    pub module: &'static str,
    /// The function's name in ConnectWise.
    pub function: &'static str,
    /// The level's name in ConnectWise. It must be All.
    pub level: &'static str,
    pub needed_for: &'static str,
    pub need: RightNeed,
}

/// How important a right is, the most important first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RightNeed {
    /// Without it there are no tickets.
    Required,
    /// Without it no ticket is closed.
    ForClosing,
    /// Without it Ticketbridge cannot create boards.
    ForDedicatedBoards,
    /// Without it a convenience is missing.
    Optional,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RightStatus {
    /// It covers all records.
    Granted,
    /// It covers no records, or only the member's own.
    Missing,
    NotKnown,
}

const COMPANIES: &str = "Companies";

const SERVICE_DESK: &str = "Service Desk";

const SYSTEM: &str = "System";

/// All rights that Ticketbridge can use, in the order of ConnectWise's page. The levels of a function
/// follow each other.
pub const TABLE: [Right; 18] = [
    Right {
        right: COMPANIES_INQUIRE,
        module: COMPANIES,
        function: "Company Maintenance",
        level: "Inquire",
        needed_for: "finding the company that a tenant's tickets belong to",
        need: RightNeed::Required,
    },
    Right {
        right: CONFIGURATIONS_INQUIRE,
        module: COMPANIES,
        function: "Configurations",
        level: "Inquire",
        needed_for: "linking tickets to the configuration of their device, if you choose that",
        need: RightNeed::Optional,
    },
    Right {
        right: CONTACTS_INQUIRE,
        module: COMPANIES,
        function: "Contacts",
        level: "Inquire",
        needed_for: "setting the contact of tickets by the user's e-mail address, if you choose that",
        need: RightNeed::Optional,
    },
    Right {
        right: TICKETS_ADD,
        module: SERVICE_DESK,
        function: "Service Tickets",
        level: "Add",
        needed_for: "making tickets and their notes",
        need: RightNeed::Required,
    },
    Right {
        right: TICKETS_EDIT,
        module: SERVICE_DESK,
        function: "Service Tickets",
        level: "Edit",
        needed_for: "raising a ticket's priority, and changing its status",
        need: RightNeed::Required,
    },
    Right {
        right: TICKETS_INQUIRE,
        module: SERVICE_DESK,
        function: "Service Tickets",
        level: "Inquire",
        needed_for: "finding a ticket again, so that none is made twice; \"My\" hides other people's",
        need: RightNeed::Required,
    },
    Right {
        right: "close_service_tickets.add",
        module: SERVICE_DESK,
        function: "Close Service Tickets",
        level: "Add",
        needed_for: "closing tickets",
        need: RightNeed::ForClosing,
    },
    Right {
        right: TICKETS_CLOSE,
        module: SERVICE_DESK,
        function: "Close Service Tickets",
        level: "Edit",
        needed_for: "closing tickets",
        need: RightNeed::ForClosing,
    },
    Right {
        right: "close_service_tickets.inquire",
        module: SERVICE_DESK,
        function: "Close Service Tickets",
        level: "Inquire",
        needed_for: "closing tickets",
        need: RightNeed::ForClosing,
    },
    Right {
        right: "resource_scheduling.add",
        module: SERVICE_DESK,
        function: "Resource Scheduling",
        level: "Add",
        needed_for: "only if your workflows schedule tickets for people; Ticketbridge schedules none",
        need: RightNeed::Optional,
    },
    Right {
        right: "resource_scheduling.edit",
        module: SERVICE_DESK,
        function: "Resource Scheduling",
        level: "Edit",
        needed_for: "only if your workflows schedule tickets for people; Ticketbridge schedules none",
        need: RightNeed::Optional,
    },
    Right {
        right: "resource_scheduling.inquire",
        module: SERVICE_DESK,
        function: "Resource Scheduling",
        level: "Inquire",
        needed_for: "only if your workflows schedule tickets for people; Ticketbridge schedules none",
        need: RightNeed::Optional,
    },
    Right {
        right: TABLES_ADD,
        module: SYSTEM,
        function: "Table Setup",
        level: "Add",
        needed_for: "making the two boards with their statuses, types and teams, and learning at once what people change in tickets",
        need: RightNeed::ForDedicatedBoards,
    },
    Right {
        right: TABLES_EDIT,
        module: SYSTEM,
        function: "Table Setup",
        level: "Edit",
        needed_for: "making a status the board's default",
        need: RightNeed::ForDedicatedBoards,
    },
    Right {
        right: TABLES_INQUIRE,
        module: SYSTEM,
        function: "Table Setup",
        level: "Inquire",
        needed_for: "choosing start status, ticket types, teams and priorities",
        need: RightNeed::ForDedicatedBoards,
    },
    Right {
        right: MEMBERS_INQUIRE,
        module: SYSTEM,
        function: "Member Maintenance",
        level: "Inquire",
        needed_for: "choosing the owner of tickets, and who leads the teams of the two boards",
        need: RightNeed::ForDedicatedBoards,
    },
    Right {
        right: MY_COMPANY_INQUIRE,
        module: SYSTEM,
        function: "My Company",
        level: "Inquire",
        needed_for: "choosing location and department of the two boards",
        need: RightNeed::ForDedicatedBoards,
    },
    Right {
        right: MY_ACCOUNT_INQUIRE,
        module: SYSTEM,
        function: "My Account",
        level: "Inquire",
        needed_for: "reading what the API member may do, for this table",
        need: RightNeed::Optional,
    },
];

impl Right {
    /// Where a person grants the right in ConnectWise.
    #[must_use]
    pub fn place(&self) -> String {
        let Self {
            module,
            function,
            level,
            ..
        } = self;
        format!(
            "System > Security Roles > the API member's role > {module} > {function}: {level} = All"
        )
    }
}

/// The rights of each function, as a person finds them in ConnectWise.
pub fn functions() -> impl Iterator<Item = &'static [Right]> {
    TABLE.chunk_by(|right, next| right.function == next.function)
}

/// A right in the words of ConnectWise's screen, such as "Service Tickets: Add". A right that is not
/// in the table keeps its own name.
#[must_use]
pub fn title(right: &str) -> String {
    match find(right) {
        Some(Right {
            function, level, ..
        }) => format!("{function}: {level}"),
        None => right.to_owned(),
    }
}

/// Finds a right by its name.
#[must_use]
pub fn find(right: &str) -> Option<&'static Right> {
    TABLE.iter().find(|known| known.right == right)
}

/// Whether an API member with these listed rights has a right. A level that covers only the
/// member's own records hides all others and counts as missing. A right that is not listed by its
/// name is not known.
#[must_use]
pub fn right_status(right: &str, listed: &[ListedRights<'_>]) -> RightStatus {
    let Some((function, level)) = right.split_once('.') else {
        return RightStatus::NotKnown;
    };
    let Some(of) = listed.iter().find(|of| named(of.function) == function) else {
        return RightStatus::NotKnown;
    };
    let level = match level {
        "add" => of.add,
        "edit" => of.edit,
        "inquire" => of.inquire,
        _ => return RightStatus::NotKnown,
    };
    match level {
        Level::All => RightStatus::Granted,
        Level::My | Level::None => RightStatus::Missing,
    }
}

/// Converts "Service Tickets" to `service_tickets`.
fn named(function: &str) -> String {
    function.trim().to_ascii_lowercase().replace(' ', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tickets(add: Level) -> [ListedRights<'static>; 2] {
        let of = |function, add| ListedRights {
            function,
            add,
            edit: Level::None,
            inquire: Level::All,
        };
        [of("Table Setup", Level::None), of(" Service Tickets ", add)]
    }

    #[test]
    fn a_right_must_cover_all_records() {
        for (right, add, expected) in [
            (TICKETS_ADD, Level::All, RightStatus::Granted),
            (TICKETS_ADD, Level::My, RightStatus::Missing),
            (TICKETS_ADD, Level::None, RightStatus::Missing),
            (TICKETS_INQUIRE, Level::None, RightStatus::Granted),
            (TABLES_EDIT, Level::All, RightStatus::Missing),
            (MEMBERS_INQUIRE, Level::All, RightStatus::NotKnown),
            ("service_tickets.delete", Level::All, RightStatus::NotKnown),
            ("service_tickets", Level::All, RightStatus::NotKnown),
        ] {
            assert_eq!(
                right_status(right, &tickets(add)),
                expected,
                "{right} at {add:?}"
            );
        }
        let nameless = ListedRights {
            function: "",
            ..tickets(Level::All)[0]
        };
        assert_eq!(
            right_status(TICKETS_ADD, &[nameless]),
            RightStatus::NotKnown
        );
    }

    #[test]
    fn each_right_is_in_the_table_once() {
        for (n, right) in TABLE.iter().enumerate() {
            let (function, level) = right.right.split_once('.').unwrap();
            assert_eq!(named(right.function), function);
            assert_eq!(right.level.to_ascii_lowercase(), level);
            assert_eq!(find(right.right), Some(&TABLE[n]));
        }
        assert_eq!(
            find(TABLES_ADD).unwrap().place(),
            "System > Security Roles > the API member's role > System > Table Setup: Add = All"
        );
        assert_eq!(find("service_tickets.delete"), None);
        assert_eq!(title(TABLES_ADD), "Table Setup: Add");
        assert_eq!(title("service_tickets.delete"), "service_tickets.delete");
    }

    #[test]
    fn the_table_lists_each_function_once() {
        let names: Vec<_> = functions().map(|levels| levels[0].function).collect();
        let expected = [
            "Company Maintenance",
            "Configurations",
            "Contacts",
            "Service Tickets",
            "Close Service Tickets",
            "Resource Scheduling",
            "Table Setup",
            "Member Maintenance",
            "My Company",
            "My Account",
        ];
        assert_eq!(names, expected);
        assert_eq!(functions().map(<[Right]>::len).sum::<usize>(), TABLE.len());
    }
}
