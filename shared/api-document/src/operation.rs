//! One operation: its parameters, its request and its responses.

use std::collections::BTreeMap;

use domain::wire::problem::{PROBLEM_JSON, ProblemDetails};
use schemars::JsonSchema;
use serde_json::{Map, Value, json};

use crate::schemas::{SchemaOf, Schemas, schema_of};

/// How requests of an operation are authenticated, by the name of a security scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// An AWS signature, which the gateway checks.
    Iam,
    /// The signature of a source, which `ingest` checks.
    Webhook,
}

/// An operation. Texts are complete sentences.
#[derive(Debug)]
pub struct Operation {
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    description: String,
    access: Access,
    parameters: Vec<Parameter>,
    body: Option<RequestBody>,
    responses: BTreeMap<String, Response>,
}

#[derive(Debug)]
struct Parameter {
    place: &'static str,
    name: &'static str,
    description: &'static str,
    schema: ParameterSchema,
    example: Option<Value>,
}

#[derive(Debug)]
enum ParameterSchema {
    Of(SchemaOf),
    Is(Value),
}

#[derive(Debug)]
struct RequestBody {
    is_required: bool,
    content: Vec<(&'static str, Content)>,
}

#[derive(Debug, Default)]
struct Response {
    description: String,
    content: Option<(&'static str, Content)>,
}

#[derive(Debug)]
struct Content {
    schema: ParameterSchema,
    examples: Vec<Value>,
}

impl Operation {
    #[must_use]
    pub fn new(access: Access, tag: &'static str, id: &'static str, summary: &'static str) -> Self {
        Self {
            id,
            tag,
            summary,
            description: String::new(),
            access,
            parameters: vec![],
            body: None,
            responses: BTreeMap::new(),
        }
    }

    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// A variable of the path.
    #[must_use]
    pub fn path<T: JsonSchema>(
        self,
        name: &'static str,
        description: &'static str,
        example: &str,
    ) -> Self {
        let schema = ParameterSchema::Of(schema_of::<T>);
        self.parameter(Parameter {
            place: "path",
            name,
            description,
            schema,
            example: Some(example.into()),
        })
    }

    /// A variable of the path, with its schema.
    #[must_use]
    pub fn path_of(
        self,
        name: &'static str,
        description: &'static str,
        schema: Value,
        example: &str,
    ) -> Self {
        self.parameter(Parameter {
            place: "path",
            name,
            description,
            schema: ParameterSchema::Is(schema),
            example: Some(example.into()),
        })
    }

    /// A parameter of the query, which may be absent.
    #[must_use]
    pub fn query(self, name: &'static str, description: &'static str, schema: Value) -> Self {
        let schema = ParameterSchema::Is(schema);
        self.parameter(Parameter {
            place: "query",
            name,
            description,
            schema,
            example: None,
        })
    }

    /// A header, which may be absent.
    #[must_use]
    pub fn header(
        self,
        name: &'static str,
        description: &'static str,
        schema: Value,
        example: &str,
    ) -> Self {
        let schema = ParameterSchema::Is(schema);
        self.parameter(Parameter {
            place: "header",
            name,
            description,
            schema,
            example: Some(example.into()),
        })
    }

    /// The headers of a signature by Standard Webhooks, beside the signature itself.
    #[must_use]
    pub fn webhook_headers(self) -> Self {
        self.header(
            "webhook-id",
            "Identifies the request. A repeated request has the same.",
            json!({ "type": "string", "minLength": 1, "maxLength": 256 }),
            "msg_1",
        )
        .header(
            "webhook-timestamp",
            "When the request was sent, in seconds since 1970. At most 300 seconds from now.",
            json!({ "type": "string", "pattern": "^[1-9][0-9]{0,11}$" }),
            "1795332600",
        )
    }

    /// A JSON body.
    #[must_use]
    pub fn body<T: JsonSchema>(mut self, example: Value) -> Self {
        self.body = Some(RequestBody {
            is_required: true,
            content: vec![("application/json", Content::of::<T>(example))],
        });
        self
    }

    /// A JSON body that may be left out, which is the same as an empty object.
    #[must_use]
    pub fn optional_body<T: JsonSchema>(mut self, example: Value) -> Self {
        self.body = Some(RequestBody {
            is_required: false,
            content: vec![("application/json", Content::of::<T>(example))],
        });
        self
    }

    /// A body of one of several media types, with the schema and an example of each.
    #[must_use]
    pub fn bodies(mut self, content: Vec<(&'static str, Value, Value)>) -> Self {
        let content = content.into_iter().map(|(media_type, schema, example)| {
            let schema = ParameterSchema::Is(schema);
            let examples = vec![example];
            (media_type, Content { schema, examples })
        });
        self.body = Some(RequestBody {
            is_required: true,
            content: content.collect(),
        });
        self
    }

    /// A response with a JSON body.
    #[must_use]
    pub fn response<T: JsonSchema>(
        mut self,
        status: &str,
        description: &str,
        example: Value,
    ) -> Self {
        let response = Response {
            description: description.to_owned(),
            content: Some(("application/json", Content::of::<T>(example))),
        };
        self.responses.insert(status.to_owned(), response);
        self
    }

    /// A response without a body, or whose body is described in words.
    #[must_use]
    pub fn bare_response(mut self, status: &str, description: &str) -> Self {
        let response = Response {
            description: description.to_owned(),
            content: None,
        };
        self.responses.insert(status.to_owned(), response);
        self
    }

    /// A problem. Several with one status become examples of one response.
    #[must_use]
    pub fn problem(mut self, description: &str, example: &ProblemDetails) -> Self {
        let response = self.responses.entry(example.status.to_string());
        let response = response.or_default();
        if !response.description.is_empty() {
            response.description.push(' ');
        }
        response.description.push_str(description);
        let content = response.content.get_or_insert_with(|| {
            let schema = ParameterSchema::Of(schema_of::<ProblemDetails>);
            let examples = vec![];
            (PROBLEM_JSON, Content { schema, examples })
        });
        content.1.examples.push(json!(example));
        self
    }

    fn parameter(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// The operation as the document has it.
    pub(crate) fn describe(self, schemas: &mut Schemas) -> Value {
        let scheme = match self.access {
            Access::Iam => "iam",
            Access::Webhook => "webhookSignature",
        };
        let mut operation = json!({
            "operationId": self.id,
            "tags": [self.tag],
            "summary": self.summary,
            "security": [{ scheme: [] }],
        });
        if !self.description.is_empty() {
            operation["description"] = self.description.into();
        }
        if !self.parameters.is_empty() {
            let parameters = self.parameters.into_iter();
            let described = parameters.map(|parameter| parameter.describe(schemas));
            operation["parameters"] = described.collect();
        }
        if let Some(body) = self.body {
            let content = body.content.into_iter().map(|(media_type, content)| {
                let schema = content.schema.request(schemas);
                (media_type.to_owned(), described(&schema, content.examples))
            });
            operation["requestBody"] = json!({
                "required": body.is_required,
                "content": content.collect::<Map<_, _>>(),
            });
        }
        for (status, response) in self.responses {
            let mut text = json!({ "description": response.description });
            if let Some((media_type, content)) = response.content {
                let schema = match content.schema {
                    ParameterSchema::Of(schema) => schemas.response(schema),
                    ParameterSchema::Is(schema) => schema,
                };
                text["content"] = json!({ media_type: described(&schema, content.examples) });
            }
            operation["responses"][status] = text;
        }
        operation
    }
}

impl Content {
    fn of<T: JsonSchema>(example: Value) -> Self {
        Self {
            schema: ParameterSchema::Of(schema_of::<T>),
            examples: vec![example],
        }
    }
}

impl ParameterSchema {
    fn request(self, schemas: &mut Schemas) -> Value {
        match self {
            Self::Of(schema) => schemas.request(schema),
            Self::Is(schema) => schema,
        }
    }
}

impl Parameter {
    fn describe(self, schemas: &mut Schemas) -> Value {
        let mut parameter = json!({
            "in": self.place,
            "name": self.name,
            "description": self.description,
            "required": self.place == "path",
            "schema": self.schema.request(schemas),
        });
        if let Some(example) = self.example {
            parameter["example"] = example;
        }
        parameter
    }
}

/// A schema with its examples: by number.
fn described(schema: &Value, examples: Vec<Value>) -> Value {
    let mut named = Map::new();
    for (n, example) in examples.into_iter().enumerate() {
        named.insert(format!("example{}", n + 1), json!({ "value": example }));
    }
    json!({ "schema": schema, "examples": named })
}
