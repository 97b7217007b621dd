//! The partner's tenants: each is mapped to a ConnectWise company, and switched on or off.
//!
//! A tenant's id may contain any character, so it is in a query or a form and never in a path.

pub(crate) mod assignment;
pub(crate) mod cache;
pub(crate) mod changes;
pub(crate) mod companies;
mod company_list;
mod csv_file;
mod form;
pub(crate) mod handlers;
mod list_view;
mod place;
pub(crate) mod reader;
pub(crate) mod row;
pub(crate) mod search;
mod tenant_list;
mod tenant_view;
