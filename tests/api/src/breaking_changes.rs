//! Finds the changes that break clients of an earlier version of the API.
//!
//! Additions are fine: clients ignore members, values and statuses that they do not know. A change of
//! words is fine too.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// The methods of an OpenAPI path.
const METHODS: [&str; 8] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

/// The changes of `present` that break a client of `released`, each as a sentence.
#[must_use]
pub fn find(released: &Value, present: &Value) -> Vec<String> {
    let mut comparison = Comparison {
        released,
        present,
        found: vec![],
        compared: BTreeSet::new(),
    };
    comparison.paths();
    comparison.found
}

/// Who writes the value of a schema. A client may send less than before to a server that became
/// stricter, and may receive something that it cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Writer {
    Client,
    Server,
}

struct Comparison<'a> {
    released: &'a Value,
    present: &'a Value,
    found: Vec<String>,
    /// The pairs of references that were compared, since schemas can contain themselves.
    compared: BTreeSet<(Writer, String, String)>,
}

impl<'a> Comparison<'a> {
    fn paths(&mut self) {
        for (path, released) in members(&self.released["paths"]) {
            let present = &self.present["paths"][path];
            for method in METHODS {
                let Some(released) = released.get(method) else {
                    continue;
                };
                let what = format!("{} {path}", method.to_ascii_uppercase());
                match present.get(method) {
                    Some(present) => self.operation(&what, released, present),
                    None => self.add(&what, "was removed"),
                }
            }
        }
    }

    fn operation(&mut self, what: &str, released: &'a Value, present: &'a Value) {
        self.parameters(what, released, present);
        self.request(what, &released["requestBody"], &present["requestBody"]);
        for (status, released) in members(&released["responses"]) {
            let what = format!("{what}: the response {status}");
            match present["responses"].get(status) {
                Some(present) => self.content(Writer::Server, &what, released, present),
                None => self.add(&what, "was removed"),
            }
        }
    }

    fn parameters(&mut self, what: &str, released: &'a Value, present: &'a Value) {
        let name = |of: &Value| (of["in"].clone(), of["name"].clone());
        let find = |within: &'a Value, parameter: &Value| {
            let mut all = entries(&within["parameters"]).iter();
            all.find(|of| name(of) == name(parameter))
        };
        for parameter in entries(&released["parameters"]) {
            let what = format!("{what}: the parameter {}", text(&parameter["name"]));
            match find(present, parameter) {
                None => self.add(&what, "was removed"),
                Some(now) => {
                    if now["required"] == true && parameter["required"] != true {
                        self.add(&what, "is required now");
                    }
                    self.schema(Writer::Client, &what, &parameter["schema"], &now["schema"]);
                }
            }
        }
        for parameter in entries(&present["parameters"]) {
            if parameter["required"] == true && find(released, parameter).is_none() {
                let what = format!("{what}: the parameter {}", text(&parameter["name"]));
                self.add(&what, "is new and required");
            }
        }
    }

    fn request(&mut self, what: &str, released: &'a Value, present: &'a Value) {
        let what = format!("{what}: the body");
        match (released.is_null(), present.is_null()) {
            (_, false) if present["required"] == true && released["required"] != true => {
                self.add(&what, "is required now");
            }
            (false, true) => return self.add(&what, "was removed"),
            _ => {}
        }
        self.content(Writer::Client, &what, released, present);
    }

    fn content(&mut self, writer: Writer, what: &str, released: &'a Value, present: &'a Value) {
        for (media_type, released) in members(&released["content"]) {
            match present["content"].get(media_type) {
                Some(present) => {
                    self.schema(writer, what, &released["schema"], &present["schema"]);
                }
                None => self.add(what, &format!("has no {media_type} any more")),
            }
        }
    }

    fn schema(&mut self, writer: Writer, what: &str, released: &'a Value, present: &'a Value) {
        let names = (text(&released["$ref"]), text(&present["$ref"]));
        if !names.0.is_empty() && !names.1.is_empty() {
            let pair = (writer, names.0.to_owned(), names.1.to_owned());
            if !self.compared.insert(pair) {
                return;
            }
        }
        let (released, present) = (
            resolve(self.released, released),
            resolve(self.present, present),
        );
        self.types(writer, what, released, present);
        self.values(writer, what, released, present);
        if writer == Writer::Client {
            self.limits(what, released, present);
        }
        self.object(writer, what, released, present);
        for keyword in ["items", "additionalProperties"] {
            let inner = format!("{what}, in each entry");
            if let (Some(released), Some(present)) = (released.get(keyword), present.get(keyword)) {
                self.schema(writer, &inner, released, present);
            }
        }
        for keyword in ["oneOf", "anyOf", "allOf", "prefixItems"] {
            self.variants(writer, what, (keyword, released), present);
        }
    }

    fn types(&mut self, writer: Writer, what: &str, released: &Value, present: &Value) {
        let (before, now) = (types(released), types(present));
        let is_broken = match writer {
            // A schema without a type accepts all of them.
            Writer::Client => !now.is_empty() && (before.is_empty() || !before.is_subset(&now)),
            Writer::Server => !before.is_empty() && (now.is_empty() || !now.is_subset(&before)),
        };
        if is_broken {
            let list =
                |types: &BTreeSet<&str>| types.iter().copied().collect::<Vec<_>>().join(" or ");
            let change = format!("was {}, and is {}", list(&before), list(&now));
            self.add(what, &change);
        }
        let (before, now) = (text(&released["format"]), text(&present["format"]));
        let is_broken = match writer {
            Writer::Client => !now.is_empty() && before != now,
            Writer::Server => !before.is_empty() && before != now,
        };
        if is_broken {
            self.add(
                what,
                &format!("had the format \"{before}\", and has \"{now}\""),
            );
        }
    }

    /// A value that a client may not send any more. A new value in a response is an addition.
    fn values(&mut self, writer: Writer, what: &str, released: &Value, present: &Value) {
        if writer == Writer::Server {
            return;
        }
        let Some(now) = values(present) else {
            return;
        };
        match values(released) {
            None => self.add(what, "accepts only some values now"),
            Some(before) => {
                for value in before.iter().filter(|value| !now.contains(value)) {
                    self.add(what, &format!("does not accept {value} any more"));
                }
            }
        }
    }

    fn limits(&mut self, what: &str, released: &Value, present: &Value) {
        for keyword in [
            "minimum",
            "exclusiveMinimum",
            "minLength",
            "minItems",
            "minProperties",
        ] {
            let now = present[keyword].as_f64();
            let before = released[keyword].as_f64();
            if now.is_some_and(|now| before.is_none_or(|before| now > before)) {
                self.add(what, &format!("has a higher {keyword}"));
            }
        }
        for keyword in [
            "maximum",
            "exclusiveMaximum",
            "maxLength",
            "maxItems",
            "maxProperties",
        ] {
            let now = present[keyword].as_f64();
            let before = released[keyword].as_f64();
            if now.is_some_and(|now| before.is_none_or(|before| now < before)) {
                self.add(what, &format!("has a lower {keyword}"));
            }
        }
        for keyword in ["pattern", "uniqueItems", "multipleOf"] {
            let now = &present[keyword];
            if !now.is_null() && *now != false && *now != released[keyword] {
                self.add(what, &format!("has another {keyword}"));
            }
        }
    }

    fn object(&mut self, writer: Writer, what: &str, released: &'a Value, present: &'a Value) {
        for (name, member) in members(&released["properties"]) {
            let within = format!("{what}, in the member {name}");
            match present["properties"].get(name) {
                Some(now) => self.schema(writer, &within, member, now),
                None => self.add(what, &format!("has no member {name} any more")),
            }
        }
        let required = |schema: &'a Value| -> BTreeSet<&'a str> {
            entries(&schema["required"]).iter().map(text).collect()
        };
        let (before, now) = (required(released), required(present));
        match writer {
            Writer::Client => {
                for name in now.difference(&before) {
                    self.add(what, &format!("requires the member {name} now"));
                }
                let is_closed = present["additionalProperties"] == false;
                if is_closed && released["additionalProperties"] != false {
                    self.add(what, "does not accept unknown members any more");
                }
            }
            Writer::Server => {
                for name in before.difference(&now) {
                    self.add(what, &format!("may be without the member {name} now"));
                }
            }
        }
    }

    /// Each variant must have one that is compatible with it.
    fn variants(
        &mut self,
        writer: Writer,
        what: &str,
        (keyword, released): (&str, &'a Value),
        present: &'a Value,
    ) {
        let before = entries(&released[keyword]);
        let now = entries(&present[keyword]);
        if before.is_empty() && !now.is_empty() && writer == Writer::Client {
            self.add(what, &format!("has {keyword} now"));
        }
        for (n, variant) in before.iter().enumerate() {
            let is_compatible = |now: &&'a Value| {
                let mut comparison = Comparison {
                    released: self.released,
                    present: self.present,
                    found: vec![],
                    compared: self.compared.clone(),
                };
                comparison.schema(writer, what, variant, now);
                comparison.found.is_empty()
            };
            if !now.iter().any(|now| is_compatible(&now)) {
                let change = format!("variant {} of {keyword} was removed or changed", n + 1);
                self.add(what, &change);
            }
        }
    }

    fn add(&mut self, what: &str, change: &str) {
        self.found.push(format!("{what}: {change}"));
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn entries(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The schema that a reference refers to, or the schema itself.
fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let pointer = text(&schema["$ref"]).strip_prefix('#');
    let found = pointer.and_then(|pointer| document.pointer(pointer));
    found.unwrap_or(schema)
}

fn types(schema: &Value) -> BTreeSet<&str> {
    match &schema["type"] {
        Value::String(one) => BTreeSet::from([one.as_str()]),
        Value::Array(several) => several.iter().map(text).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => BTreeSet::new(),
    }
}

/// The only values that a schema accepts, if it lists them.
fn values(schema: &Value) -> Option<Vec<&Value>> {
    match (&schema["enum"], &schema["const"]) {
        (Value::Array(values), _) => Some(values.iter().collect()),
        (_, Value::Null) => None,
        (_, value) => Some(vec![value]),
    }
}

#[cfg(test)]
mod tests;
