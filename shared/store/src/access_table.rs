//! The `access` table: who may act for which partner, and whether a partner is enabled. A writer of
//! this table can act for any partner, so only the setup function may write it. The other functions
//! may only read it.
//!
//! The items of a partner share the partition key `P#<partner>`. The others are the operator's
//! lists, and links and sessions.

use aws_types::SdkConfig;

use crate::access::{PartnerStore, SessionStore, SourceStore};
use crate::operations::AuditLog;
use crate::partners::{ConnectionStore, ContactStore, MailLimitStore, PartnerSourceStore};
use crate::table::Table;

#[derive(Debug, Clone)]
pub struct AccessTable {
    pub connections: ConnectionStore,
    pub contacts: ContactStore,
    pub mail_limits: MailLimitStore,
    pub partners: PartnerStore,
    pub sources: SourceStore,
    pub partner_sources: PartnerSourceStore,
    pub audit: AuditLog,
    pub sessions: SessionStore,
}

impl AccessTable {
    #[must_use]
    pub fn new(config: &SdkConfig, table: String) -> Self {
        let table = &Table::new(config, table);
        Self {
            connections: ConnectionStore::new(table),
            contacts: ContactStore::new(table),
            mail_limits: MailLimitStore::new(table),
            partners: PartnerStore::new(table),
            sources: SourceStore::new(table),
            partner_sources: PartnerSourceStore::new(table),
            audit: AuditLog::new(table),
            sessions: SessionStore::new(table),
        }
    }
}
