//! Builds the OpenAPI 3.1 document of the HTTP API. Each function describes its own routes, from the
//! types that its handlers read and write. No function needs this at run time.

mod operation;
mod schemas;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

pub use operation::{Access, Operation};

use crate::schemas::Schemas;

/// The operations of an API and the schemas that they use.
#[derive(Debug, Default)]
pub struct ApiDocument {
    schemas: Schemas,
    /// The operations of each path, by method in lower case.
    paths: BTreeMap<String, Map<String, Value>>,
}

impl ApiDocument {
    /// Adds the operation of a route. `path` has its variables in braces.
    pub fn add(&mut self, method: &str, path: &str, operation: Operation) {
        let described = operation.describe(&mut self.schemas);
        let methods = self.paths.entry(path.to_owned()).or_default();
        methods.insert(method.to_ascii_lowercase(), described);
    }

    /// Whether the route is described.
    #[must_use]
    pub fn contains(&self, method: &str, path: &str) -> bool {
        let methods = self.paths.get(path);
        methods.is_some_and(|methods| methods.contains_key(&method.to_ascii_lowercase()))
    }

    /// The document. `frame` has all members except paths and schemas.
    #[must_use]
    pub fn build(self, mut frame: Value) -> Value {
        frame["paths"] = json!(self.paths);
        self.schemas.write_to(&mut frame);
        frame
    }
}
