//! The editor of a source's mapping: it tries what is typed on the stored samples, and shows the
//! tickets and what differs before a person saves it.
//!
//! A form has fields for places, constants, texts with places and small tables. It keeps richer parts
//! as JSON. A mapping that unwraps messages is edited as JSON as a whole.

mod field_problem;
mod form;
mod form_view;
mod guess;
pub(crate) mod handlers;
mod preview;
mod result_view;
mod target_names;
mod tree;
mod view;
mod view_model;
