use serde_json::json;

use super::*;

/// An API with one operation, which has something of each kind.
fn released() -> Value {
    json!({
        "paths": { "/things/{id}": { "put": {
            "parameters": [
                { "in": "path", "name": "id", "required": true, "schema": { "type": "string", "maxLength": 10 } },
                { "in": "query", "name": "limit", "schema": { "type": "integer", "minimum": 1, "maximum": 9 } },
            ],
            "requestBody": { "required": false, "content": { "application/json": {
                "schema": { "$ref": "#/components/schemas/Request" },
            } } },
            "responses": {
                "200": { "content": { "application/json": {
                    "schema": { "$ref": "#/components/schemas/Thing" },
                } } },
                "404": { "content": { "application/problem+json": { "schema": { "type": "object" } } } },
            },
        } } },
        "components": { "schemas": {
            "Request": {
                "type": "object",
                "additionalProperties": false,
                "required": ["name"],
                "properties": {
                    "name": { "type": "string", "minLength": 1 },
                    "color": { "enum": ["red", "blue"] },
                    "parts": { "type": "array", "items": { "$ref": "#/components/schemas/Request" } },
                    "size": { "oneOf": [{ "const": "small" }, { "type": "integer" }] },
                },
            },
            "Thing": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": { "type": "string" },
                    "at": { "type": ["string", "null"], "format": "date-time" },
                },
            },
        } },
    })
}

/// What is found after the value at this place was replaced; `null` removes it.
fn after(pointer: &str, value: Value) -> Vec<String> {
    let mut present = released();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = present.pointer_mut(parent).unwrap();
    match (parent, value) {
        (Value::Object(members), Value::Null) => drop(members.remove(&name.replace("~1", "/"))),
        (Value::Object(members), value) => {
            members.insert(name.replace("~1", "/"), value);
        }
        (Value::Array(entries), Value::Null) => drop(entries.remove(name.parse().unwrap())),
        (Value::Array(entries), value) if name == "-" => entries.push(value),
        (Value::Array(entries), value) => entries[name.parse::<usize>().unwrap()] = value,
        (parent, _) => panic!("{parent}"),
    }
    find(&released(), &present)
}

const OPERATION: &str = "/paths/~1things~1{id}/put";
const REQUEST: &str = "/components/schemas/Request";
const THING: &str = "/components/schemas/Thing";

#[test]
fn the_same_api_breaks_nothing() {
    assert_eq!(find(&released(), &released()), Vec::<String>::new());
}

#[test]
fn what_is_taken_away_or_narrowed_breaks_clients() {
    for (pointer, value, expected) in [
        (
            "/paths/~1things~1{id}".to_owned(),
            json!(null),
            "PUT /things/{id}: was removed",
        ),
        (
            OPERATION.to_owned(),
            json!(null),
            "PUT /things/{id}: was removed",
        ),
        (
            format!("{OPERATION}/parameters/1"),
            json!(null),
            "the parameter limit: was removed",
        ),
        (
            format!("{OPERATION}/parameters/1/required"),
            json!(true),
            "the parameter limit: is required now",
        ),
        (
            format!("{OPERATION}/parameters/-"),
            json!({ "in": "query", "name": "from", "required": true, "schema": {} }),
            "the parameter from: is new and required",
        ),
        (
            format!("{OPERATION}/parameters/1/schema/maximum"),
            json!(8),
            "the parameter limit: has a lower maximum",
        ),
        (
            format!("{OPERATION}/parameters/1/schema/minimum"),
            json!(2),
            "the parameter limit: has a higher minimum",
        ),
        (
            format!("{OPERATION}/parameters/0/schema/maxLength"),
            json!(9),
            "the parameter id: has a lower maxLength",
        ),
        (
            format!("{OPERATION}/parameters/0/schema/pattern"),
            json!("^a"),
            "the parameter id: has another pattern",
        ),
        (
            format!("{OPERATION}/requestBody"),
            json!(null),
            "the body: was removed",
        ),
        (
            format!("{OPERATION}/requestBody/required"),
            json!(true),
            "the body: is required now",
        ),
        (
            format!("{OPERATION}/requestBody/content/application~1json"),
            json!(null),
            "the body: has no application/json any more",
        ),
        (
            format!("{REQUEST}/required/-"),
            json!("color"),
            "the body: requires the member color now",
        ),
        (
            format!("{REQUEST}/properties/color"),
            json!(null),
            "the body: has no member color any more",
        ),
        (
            format!("{REQUEST}/properties/name/type"),
            json!("integer"),
            "the body, in the member name: was string, and is integer",
        ),
        (
            format!("{REQUEST}/properties/name/maxLength"),
            json!(5),
            "the body, in the member name: has a lower maxLength",
        ),
        (
            format!("{REQUEST}/properties/color/enum/1"),
            json!(null),
            "the body, in the member color: does not accept \"blue\" any more",
        ),
        (
            format!("{REQUEST}/properties/size/oneOf/1"),
            json!(null),
            "the body, in the member size: variant 2 of oneOf was removed or changed",
        ),
        (
            format!("{OPERATION}/responses/404"),
            json!(null),
            "the response 404: was removed",
        ),
        (
            format!("{OPERATION}/responses/200/content/application~1json"),
            json!(null),
            "the response 200: has no application/json any more",
        ),
        (
            format!("{THING}/properties/at"),
            json!(null),
            "the response 200: has no member at any more",
        ),
        (
            format!("{THING}/required/0"),
            json!(null),
            "the response 200: may be without the member name now",
        ),
        (
            format!("{THING}/properties/name/type"),
            json!(["string", "null"]),
            "the response 200, in the member name: was string, and is null or string",
        ),
        (
            format!("{THING}/properties/at/format"),
            json!("date"),
            "the response 200, in the member at: had the format \"date-time\", and has \"date\"",
        ),
    ] {
        let found = after(&pointer, value);
        assert!(
            found.len() == 1 && found[0].ends_with(expected),
            "{pointer}: {found:?}"
        );
    }
    let mut open = released();
    open["components"]["schemas"]["Request"]["additionalProperties"] = json!(true);
    let found = find(&open, &released());
    assert!(
        found.contains(
            &"PUT /things/{id}: the body: does not accept unknown members any more".to_owned()
        ),
        "{found:?}"
    );
}

#[test]
fn a_renamed_member_is_one_that_was_removed() {
    let mut present = released();
    let members = present["components"]["schemas"]["Thing"]["properties"]
        .as_object_mut()
        .unwrap();
    let member = members.remove("name").unwrap();
    members.insert("title".to_owned(), member);
    present["components"]["schemas"]["Thing"]["required"] = json!(["title"]);
    assert_eq!(
        find(&released(), &present),
        [
            "PUT /things/{id}: the response 200: has no member name any more",
            "PUT /things/{id}: the response 200: may be without the member name now"
        ]
    );
}

#[test]
fn additions_and_relaxations_break_nothing() {
    for (pointer, value) in [
        ("/paths/~1more".to_owned(), json!({ "get": {} })),
        (format!("{OPERATION}/responses/409"), json!({})),
        (
            format!("{OPERATION}/parameters/-"),
            json!({ "in": "query", "name": "from", "schema": {} }),
        ),
        (
            format!("{OPERATION}/parameters/1/schema/maximum"),
            json!(10),
        ),
        (
            format!("{OPERATION}/parameters/0/schema/maxLength"),
            json!(null),
        ),
        (format!("{REQUEST}/required/0"), json!(null)),
        (
            format!("{REQUEST}/properties/more"),
            json!({ "type": "string" }),
        ),
        (
            format!("{REQUEST}/properties/name/type"),
            json!(["string", "null"]),
        ),
        (format!("{REQUEST}/properties/color/enum/-"), json!("green")),
        (
            format!("{REQUEST}/properties/size/oneOf/-"),
            json!({ "type": "null" }),
        ),
        (
            format!("{THING}/properties/more"),
            json!({ "type": "string" }),
        ),
        (format!("{THING}/required/-"), json!("at")),
        (format!("{THING}/properties/at/type"), json!("string")),
        (format!("{THING}/description"), json!("Other words.")),
    ] {
        assert_eq!(after(&pointer, value), Vec::<String>::new(), "{pointer}");
    }
}
