//! Where tickets go: boards that exist, or two dedicated boards that are created.

mod existing;
mod form;
mod forms_view;
pub(crate) mod handlers;
pub(crate) mod lists;
mod progress;
mod provision;
mod reader;
mod review;
mod view;
mod view_model;
mod work_time;
