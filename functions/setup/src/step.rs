//! The steps of the set-up, in the order in which a partner takes them.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetupStep {
    Overview,
    Connection,
    Check,
    Boards,
    Tickets,
    Tenants,
    Sources,
    Contact,
    Confirm,
    Test,
    Waiting,
    History,
}

impl SetupStep {
    pub(crate) const ALL: [Self; 12] = [
        Self::Overview,
        Self::Connection,
        Self::Check,
        Self::Boards,
        Self::Tickets,
        Self::Tenants,
        Self::Sources,
        Self::Contact,
        Self::Confirm,
        Self::Test,
        Self::Waiting,
        Self::History,
    ];

    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Overview => "/setup",
            Self::Connection => "/setup/connection",
            Self::Check => "/setup/check",
            Self::Boards => "/setup/boards",
            Self::Tickets => "/setup/tickets",
            Self::Tenants => "/setup/tenants",
            Self::Sources => "/setup/sources",
            Self::Contact => "/setup/contact",
            Self::Confirm => "/setup/confirm",
            Self::Test => "/setup/test",
            Self::Waiting => "/setup/waiting",
            Self::History => "/setup/history",
        }
    }

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Connection => "Connect",
            Self::Check => "Check connection",
            Self::Boards => "Boards",
            Self::Tickets => "Tickets",
            Self::Tenants => "Tenants",
            Self::Sources => "Sources",
            Self::Contact => "Emergency contact",
            Self::Confirm => "Confirm",
            Self::Test => "Test ticket",
            Self::Waiting => "Waiting alerts",
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
            Self::Sources => Some(Self::Contact),
            Self::Contact => Some(Self::Confirm),
            Self::Overview | Self::Confirm | Self::Test | Self::Waiting | Self::History => None,
        }
    }
}
