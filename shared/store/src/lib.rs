//! DynamoDB: alert records, snapshots, what partners configure, who has access, and schedules.
//!
//! This crate decides nothing. Pure functions of `domain` change values; this crate reads and
//! writes them. There are four tables: `alerts` with the key `pk`, and `config`, `access` and
//! `deliveries` with the keys `pk` and `sk`. Only the setup function may write the `access` table.
//!
//! Each table is a struct of stores, one for each entity: [`Alerts`], [`ConfigTable`] and
//! [`AccessTable`]. Each write is one conditional request unless its documentation says otherwise.
//!
//! A call fails with [`Error`] when DynamoDB fails or an item is unreadable. A write that failed may
//! have happened. A save that happened although it failed is a conflict when it is repeated.

mod access;
mod access_table;
mod alerts;
mod conditional;
mod config_table;
mod deletion;
mod deliveries;
mod error;
mod item_update;
mod lease;
mod operations;
mod pages;
mod partners;
mod scheduling;
mod table;
mod versions;

pub use access::{PartnerStore, RegisteredSource, SessionStore, SourceStore};
pub use access_table::AccessTable;
pub use alerts::{
    AlertItems, AlertLists, Alerts, AlertsByTime, BlockedAlert, BlockedCursor, BlockedRange,
    DueAlerts, IndexedAlert, ItemStream, ListedAlert, RecordWrite, SnapshotStore, TicketIndexStore,
    TimeCursor, TimeRange,
};
pub use config_table::ConfigTable;
pub use deletion::{DeletionScope, DeletionStore, StoredData, TableNames};
pub use deliveries::{
    Attempt, DELIVERY_DAYS, Deliveries, Delivery, DeliveryState, QueueLease, Receiver,
    ReceiverLease,
};
pub use error::Error;
pub use lease::Lease;
pub use operations::{
    Actor, AuditEntry, AuditLog, BreakerStore, ClosingHoldStore, ClosingHolds, CompanyLookup,
    CompanyLookupStore, FiguresStore, HealthStore, HeldClosings, MonitoringState, MonitoringStore,
    OperatorEvent, QuarantineOutcome, QuarantineStore, QuarantinedMessage, RejectedEventStore,
    Rejections, SourceActivityStore, WaitingMessages, WaitingOfSource, WaitingStore,
    WeeklyReportStore,
};
pub use pages::{ListEntry, ListPage, PageStart};
pub use partners::{
    AddedTenant, BoardRequestStore, COMPANIES_OF_PART, CallbackStore, CompanyListStore,
    CompanyScan, Connection, ConnectionStore, ContactStore, DedicatedBoard, DedicatedBoards,
    ListedTenants, MAX_UNMAPPED, MailLimitStore, MaintenanceStore, PartnerItems, PartnerSource,
    PartnerSourceStore, SamplePlace, SampleStore, SettingsStore, StoredSample, StormStore,
    TenantChangeStore, TenantStore, TestTicket, TestTicketStore,
};
pub use scheduling::{Due, LeasedRun, ReconcileInput, RunProgress, TicketScan, spread};
pub use versions::{SaveOutcome, Versioned};
