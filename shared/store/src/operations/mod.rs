//! What the functions record while they run: breakers, health, notifications of waiting items, held
//! closings, rejected events, the audit log, and the monitoring of Ticketbridge itself.

mod audit;
mod breaker;
mod closing_holds;
mod company_lookups;
mod figures;
mod health;
mod monitoring;
mod quarantine;
mod rejected_events;
mod source_activity;
mod waiting;
mod weekly_report;

pub use audit::{Actor, AuditEntry, AuditLog};
pub(crate) use breaker::BREAKER;
pub use breaker::BreakerStore;
pub(crate) use closing_holds::PREFIX as HELD;
pub use closing_holds::{ClosingHoldStore, ClosingHolds, HeldClosings};
pub use company_lookups::{CompanyLookup, CompanyLookupStore};
pub use figures::FiguresStore;
pub use health::HealthStore;
pub use monitoring::{MonitoringState, MonitoringStore, OperatorEvent};
pub(crate) use quarantine::PREFIX as QUARANTINE;
pub use quarantine::{
    QuarantineOutcome, QuarantineStore, QuarantinedMessage, WaitingMessages, WaitingOfSource,
};
pub(crate) use rejected_events::PREFIX as REJECTED;
pub use rejected_events::{RejectedEventStore, Rejections};
pub(crate) use source_activity::PREFIX as SOURCE_ACTIVITY;
pub use source_activity::SourceActivityStore;
pub use waiting::WaitingStore;
pub use weekly_report::WeeklyReportStore;
