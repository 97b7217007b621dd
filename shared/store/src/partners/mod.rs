//! What a partner configures: its connection, settings, tenants and contacts, the kinds of its
//! sources, and how far it has got with boards, the list of companies, changes of many
//! tenants, and the test ticket.

mod boards;
mod callbacks;
mod companies;
mod connection;
mod contacts;
mod items;
mod mail_limits;
mod maintenance;
mod partner_source;
mod samples;
mod settings;
mod storms;
mod tenant_changes;
mod tenants;
mod test_ticket;

pub use boards::{BoardRequestStore, DedicatedBoard, DedicatedBoards};
pub use callbacks::CallbackStore;
pub use companies::{COMPANIES_OF_PART, CompanyListStore, CompanyScan};
pub use connection::{Connection, ConnectionStore};
pub use contacts::ContactStore;
pub use items::PartnerItems;
pub use mail_limits::MailLimitStore;
pub use maintenance::MaintenanceStore;
pub(crate) use partner_source::PREFIX as PARTNER_SOURCE;
pub use partner_source::{PartnerSource, PartnerSourceStore};
pub(crate) use samples::SAMPLE;
pub use samples::{SamplePlace, SampleStore, StoredSample};
pub use settings::SettingsStore;
pub use storms::StormStore;
pub use tenant_changes::TenantChangeStore;
pub(crate) use tenants::UNMAPPED;
pub use tenants::{AddedTenant, ListedTenants, MAX_UNMAPPED, TenantStore};
pub use test_ticket::{TestTicket, TestTicketStore};
