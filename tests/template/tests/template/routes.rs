//! Rules about the routes of the HTTP API, and other ways to call a function.

use serde_json::Map;

use crate::template::Template;

/// The routes without authorization in API Gateway, and what protects each.
pub(crate) const OPEN_ROUTES: [(&str, &str); 5] = [
    (
        "POST /v1/events/{source}",
        "the signature over the raw body, which only the function can check",
    ),
    (
        "GET /v1/tickets/{key}",
        "the proof of the alert's source, which only the function can check",
    ),
    (
        "POST /v1/callbacks/{partner}/{token}",
        "the token of the partner's callbacks, which only the function can look up",
    ),
    (
        "ANY /setup",
        "the page's session, which only the function can look up",
    ),
    (
        "ANY /setup/{proxy+}",
        "the same, except for the few that the function's own route table lists as open",
    ),
];

/// The most requests a second that may reach set-up through one route, so that callers without a
/// session cannot use up the webhook's capacity.
const PAGE_RATE: u64 = 50;

pub(crate) fn routes(template: &Template) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, stage) in template.of_type("AWS::ApiGatewayV2::Stage") {
        let limits = &stage["Properties"]["RouteSettings"];
        let depends_on = stage["DependsOn"].as_array();
        for (route, of) in template.of_type("AWS::ApiGatewayV2::Route") {
            let key = of["Properties"]["RouteKey"].as_str().unwrap_or_default();
            let rate = limits[key]["ThrottlingRateLimit"].as_u64();
            let burst = limits[key]["ThrottlingBurstLimit"].as_u64();
            let most = if key.starts_with("POST /v1/events") {
                u64::MAX
            } else {
                PAGE_RATE
            };
            if rate.is_none_or(|rate| rate > most) || burst.is_none() {
                wrong.push(format!(
                    "{name} gives `{key}` no limit of its own, or one above {PAGE_RATE}"
                ));
            }
            if !depends_on.is_some_and(|routes| routes.iter().any(|of| of == route)) {
                wrong.push(format!(
                    "{name} does not depend on {route}, whose limit it sets"
                ));
            }
        }
    }
    for (name, route) in template.of_type("AWS::ApiGatewayV2::Route") {
        let key = route["Properties"]["RouteKey"].as_str().unwrap_or_default();
        match route["Properties"]["AuthorizationType"].as_str() {
            None => wrong.push(format!("{name} has no authorization type")),
            Some("NONE") if !OPEN_ROUTES.iter().any(|(open, _)| *open == key) => {
                wrong.push(format!(
                    "{name} has no authorization for `{key}`, which is not listed as open"
                ));
            }
            Some(_) => {}
        }
    }
    for (name, permission) in template.of_type("AWS::Lambda::Permission") {
        if permission["Properties"]["SourceArn"].is_null() {
            wrong.push(format!(
                "{name} lets {} of any account call the function",
                permission["Properties"]["Principal"]
            ));
        }
    }
    // Ways to call a function without a route.
    for (name, function) in template.functions() {
        let events = function["Properties"]["Events"].as_object();
        let by_event = events
            .into_iter()
            .flat_map(Map::values)
            .any(|event| event["Type"] == "Api" || event["Type"] == "HttpApi");
        if by_event || !function["Properties"]["FunctionUrlConfig"].is_null() {
            wrong.push(format!("{name} can be called without a route"));
        }
    }
    for kind in [
        "AWS::Lambda::Url",
        "AWS::Serverless::HttpApi",
        "AWS::Serverless::Api",
        "AWS::SQS::QueuePolicy",
    ] {
        for name in template.of_type(kind).keys() {
            wrong.push(format!("{name}: a {kind} allows calls without a route"));
        }
    }
    wrong
}
