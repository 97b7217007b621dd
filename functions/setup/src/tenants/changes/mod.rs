//! Changes of many tenants: prepared from exact matches or a CSV file, looked over by a person, and
//! then made in parts.

pub(crate) mod handlers;
mod make;
mod prepare;
mod view;
