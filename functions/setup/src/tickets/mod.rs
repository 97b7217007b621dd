//! How tickets look: statuses, types, priorities and notes, and what happens on resolve.

pub(crate) mod assignees;
pub(crate) mod assignment;
pub(crate) mod assignment_view;
mod changes;
pub(crate) mod custom_fields;
mod custom_fields_view;
pub(crate) mod form;
pub(crate) mod handlers;
pub(crate) mod issues;
mod links;
pub(crate) mod lists;
mod reader;
mod view;
mod view_model;
