//! The steps of the set-up, in the order in which a partner takes them.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetupStep {
    Overview,
    Activity,
    Connection,
    Check,
    Boards,
    Tickets,
    Tenants,
    Sources,
    Contacts,
    Confirm,
    Test,
    Waiting,
    Maintenance,
    History,
}

impl SetupStep {
    pub(crate) const ALL: [Self; 14] = [
        Self::Overview,
        Self::Activity,
        Self::Connection,
        Self::Check,
        Self::Boards,
        Self::Tickets,
        Self::Tenants,
        Self::Sources,
        Self::Contacts,
        Self::Confirm,
        Self::Test,
        Self::Waiting,
        Self::Maintenance,
        Self::History,
    ];

    /// The address of its page, see [`crate::paths`].
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Activity => "activity",
            Self::Connection => "connection",
            Self::Check => "check",
            Self::Boards => "boards",
            Self::Tickets => "tickets",
            Self::Tenants => "tenants",
            Self::Sources => "sources",
            Self::Contacts => "contacts",
            Self::Confirm => "confirm",
            Self::Test => "test",
            Self::Waiting => "waiting",
            Self::Maintenance => "maintenance",
            Self::History => "history",
        }
    }

    /// The step of a page. The first word of its address names the step, also in the singular.
    pub(crate) fn of_page(address: &str) -> Self {
        let word = address.split('-').next().unwrap_or_default();
        let names = |step: &Self| step.path().trim_end_matches('s') == word.trim_end_matches('s');
        Self::ALL.into_iter().find(names).unwrap_or(Self::Overview)
    }

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Activity => "Activity",
            Self::Connection => "Connect",
            Self::Check => "Check connection",
            Self::Boards => "Boards",
            Self::Tickets => "Tickets",
            Self::Tenants => "Tenants",
            Self::Sources => "Sources",
            Self::Contacts => "Contacts",
            Self::Confirm => "Confirm",
            Self::Test => "Test ticket",
            Self::Waiting => "Waiting alerts",
            Self::Maintenance => "Maintenance",
            Self::History => "History",
        }
    }

    /// The step that follows on the way to the first tickets.
    pub(crate) fn next(self) -> Option<Self> {
        match self {
            Self::Connection => Some(Self::Check),
            Self::Check => Some(Self::Boards),
            Self::Boards => Some(Self::Tickets),
            Self::Tickets => Some(Self::Tenants),
            Self::Tenants => Some(Self::Sources),
            Self::Sources => Some(Self::Contacts),
            Self::Contacts => Some(Self::Confirm),
            Self::Overview
            | Self::Activity
            | Self::Confirm
            | Self::Test
            | Self::Waiting
            | Self::Maintenance
            | Self::History => None,
        }
    }
}
