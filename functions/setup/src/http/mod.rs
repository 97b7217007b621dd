//! HTTP for all slices: from the gateway's events to requests, from views to responses.

pub(crate) mod gateway;
pub(crate) mod headers;
pub(crate) mod input;
pub(crate) mod panics;
pub(crate) mod present;
pub(crate) mod problem;
pub(crate) mod response;
pub(crate) mod routes;
pub(crate) mod typed_form;
