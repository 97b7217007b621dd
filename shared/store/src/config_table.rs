//! The `config` table: what partners configure, and what the functions record about them. All items
//! of a partner share the partition key `P#<partner>`.

use aws_types::SdkConfig;

use crate::operations::{
    BreakerStore, ClosingHoldStore, CompanyLookupStore, FiguresStore, HealthStore, MonitoringStore,
    QuarantineStore, RejectedEventStore, SourceActivityStore, WaitingStore, WeeklyReportStore,
};
use crate::partners::{
    BoardRequestStore, CallbackStore, CompanyListStore, MaintenanceStore, SampleStore,
    SettingsStore, StormStore, TenantChangeStore, TenantStore, TestTicketStore,
};
use crate::table::Table;

/// The stores of the `config` table. [`Due`](crate::Due) has its own struct.
#[derive(Debug, Clone)]
pub struct ConfigTable {
    pub settings: SettingsStore,
    pub storms: StormStore,
    pub callbacks: CallbackStore,
    pub maintenance: MaintenanceStore,
    pub tenants: TenantStore,
    pub breaker: BreakerStore,
    pub health: HealthStore,
    pub figures: FiguresStore,
    pub waiting: WaitingStore,
    pub weekly_report: WeeklyReportStore,
    pub closing_holds: ClosingHoldStore,
    pub boards: BoardRequestStore,
    pub companies: CompanyListStore,
    pub company_lookups: CompanyLookupStore,
    pub tenant_changes: TenantChangeStore,
    pub test_ticket: TestTicketStore,
    pub rejected: RejectedEventStore,
    pub quarantine: QuarantineStore,
    pub samples: SampleStore,
    pub source_activity: SourceActivityStore,
    pub monitoring: MonitoringStore,
}

impl ConfigTable {
    #[must_use]
    pub fn new(config: &SdkConfig, table: String) -> Self {
        let table = &Table::new(config, table);
        Self {
            settings: SettingsStore::new(table),
            storms: StormStore::new(table),
            callbacks: CallbackStore::new(table),
            maintenance: MaintenanceStore::new(table),
            tenants: TenantStore::new(table),
            breaker: BreakerStore::new(table),
            health: HealthStore::new(table),
            figures: FiguresStore::new(table),
            waiting: WaitingStore::new(table),
            weekly_report: WeeklyReportStore::new(table),
            closing_holds: ClosingHoldStore::new(table),
            boards: BoardRequestStore::new(table),
            companies: CompanyListStore::new(table),
            company_lookups: CompanyLookupStore::new(table),
            tenant_changes: TenantChangeStore::new(table),
            test_ticket: TestTicketStore::new(table),
            rejected: RejectedEventStore::new(table),
            quarantine: QuarantineStore::new(table),
            samples: SampleStore::new(table),
            source_activity: SourceActivityStore::new(table),
            monitoring: MonitoringStore::new(table),
        }
    }
}
