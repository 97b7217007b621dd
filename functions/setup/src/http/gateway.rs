//! Converts the gateway's events to HTTP requests, and responses to the gateway's form.
//!
//! The library for this panics on a path that is not a URL. The gateway decodes percent signs, so
//! anybody can send such a path (see `docs/adr/0006-gateway-conversion.md`).

use aws::invocation::Caller;
use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use aws_lambda_events::encodings;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The request of an event; `None` if the path or the body is invalid.
pub(crate) fn request(event: ApiGatewayV2httpRequest) -> Option<Request> {
    let path = event.raw_path.filter(|path| is_plain(path))?;
    let address = match event.raw_query_string {
        Some(query) if !query.is_empty() => format!("{path}?{query}"),
        Some(_) | None => path,
    };
    let body = event.body.unwrap_or_default();
    let body = if event.is_base64_encoded {
        STANDARD.decode(body).ok()?
    } else {
        body.into_bytes()
    };
    let request = Request::builder().method(event.request_context.http.method);
    let mut request = request.uri(address).body(Body::from(body)).ok()?;
    *request.headers_mut() = event.headers;
    // The gateway takes them out of the headers.
    let cookies = event.cookies.unwrap_or_default().join("; ");
    if let Some(cookies) = HeaderValue::try_from(cookies)
        .ok()
        .filter(|c| !c.is_empty())
    {
        request.headers_mut().insert(header::COOKIE, cookies);
    }
    Some(request)
}

/// Who sent the request. The gateway sets both values, so no header can change them.
pub(crate) fn caller(event: &ApiGatewayV2httpRequest) -> Caller {
    let context = &event.request_context;
    let authorizer = context.authorizer.as_ref();
    let signer = authorizer.and_then(|authorizer| authorizer.iam.as_ref());
    Caller {
        address: context.http.source_ip.clone(),
        identity: signer.and_then(|signer| signer.user_arn.clone()),
        session: None,
    }
}

/// Whether the path has only characters that our routes use. The gateway decodes the path, so `%23`
/// arrives as `#`, and a URL ends there: `partners/northwind%23old` would name northwind. A `%`
/// remains where a path was encoded twice.
fn is_plain(path: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte);
    let is_relative = |segment: &str| segment == "." || segment == "..";
    path.starts_with('/') && path.bytes().all(is_allowed) && !path.split('/').any(is_relative)
}

/// The gateway's form of a response. All bodies are UTF-8 text in memory.
pub(crate) async fn response(response: Response) -> ApiGatewayV2httpResponse {
    let (mut parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await;
    let body = String::from_utf8_lossy(&body.unwrap_or_default()).into_owned();
    let cookies = parts.headers.get_all(header::SET_COOKIE).iter();
    let cookies = cookies.filter_map(|cookie| cookie.to_str().ok().map(str::to_owned));
    let cookies = cookies.collect();
    parts.headers.remove(header::SET_COOKIE);
    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = i64::from(parts.status.as_u16());
    response.headers = parts.headers;
    response.cookies = cookies;
    response.body = Some(encodings::Body::Text(body));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(path: &str, body: &str, is_base64: bool) -> ApiGatewayV2httpRequest {
        let event = serde_json::json!({
            "rawPath": path, "rawQueryString": "a=%2F", "headers": { "host": "setup.example" }, "cookies": ["a=1", "b=2"],
            "requestContext": { "http": { "method": "POST" } }, "body": body, "isBase64Encoded": is_base64,
        });
        serde_json::from_value(event).unwrap()
    }

    #[tokio::test]
    async fn an_event_becomes_its_request() {
        for (body, is_base64) in [("x=1", false), ("eD0x", true)] {
            let request = request(event("/setup/contact", body, is_base64)).unwrap();
            assert_eq!(request.uri(), "/setup/contact?a=%2F");
            assert_eq!(request.method(), "POST");
            assert_eq!(request.headers()["cookie"], "a=1; b=2");
            let body = axum::body::to_bytes(request.into_body(), 10).await.unwrap();
            assert_eq!(body, "x=1");
        }
    }

    #[test]
    fn the_gateway_says_who_calls() {
        let mut event = event("/setup", "", false);
        event
            .headers
            .insert("x-forwarded-for", HeaderValue::from_static("198.51.100.1"));
        assert_eq!(caller(&event), Caller::default());
        event.request_context.http.source_ip = Some("203.0.113.7".to_owned());
        let signer =
            serde_json::json!({ "iam": { "userArn": "arn:aws:iam::000000000000:user/kim" } });
        event.request_context.authorizer = Some(serde_json::from_value(signer).unwrap());
        let expected = Caller {
            address: Some("203.0.113.7".to_owned()),
            identity: Some("arn:aws:iam::000000000000:user/kim".to_owned()),
            session: None,
        };
        assert_eq!(caller(&event), expected);
    }

    #[test]
    fn an_invalid_path_or_body_is_no_request() {
        for path in ["/setup/<b>", "/setup/a b", "/setup/\n", "setup\u{0}", ""] {
            assert!(request(event(path, "", false)).is_none(), "{path:?}");
        }
        assert!(request(event("/setup", "%", true)).is_none());
    }

    #[test]
    fn a_path_that_decodes_to_another_is_rejected() {
        let partner = "/v1/operator/partners/northwind";
        assert!(request(event(partner, "", false)).is_some());
        for rest in [
            "#old",
            "?old",
            "/#",
            "/?enabled=false",
            ";old",
            "%23old",
            "%3Fold",
            "%2523old",
            "%2F..",
            "%00",
            "\u{0}",
            "\\old",
            "/..",
            "/.",
            "/../contoso",
            "@old",
            ":old",
            "+old",
            " ",
            "\t",
            "é",
            "\u{200b}",
            "\u{ff0f}old",
            "*",
            "&old",
            "=old",
            "~old",
            "'",
            "\"",
        ] {
            let path = format!("{partner}{rest}");
            assert!(request(event(&path, "", false)).is_none(), "{path:?}");
        }
    }

    #[tokio::test]
    async fn cookies_are_converted_separately() {
        let response = Response::builder().status(303).header("set-cookie", "a=1");
        let response = response
            .header("set-cookie", "b=2")
            .header("location", "/setup");
        let converted = super::response(response.body(Body::from("é")).unwrap()).await;
        assert_eq!(
            (converted.status_code, converted.cookies),
            (303, vec!["a=1".to_owned(), "b=2".to_owned()])
        );
        assert!(
            converted.headers.get("set-cookie").is_none()
                && converted.headers["location"] == "/setup"
        );
        assert_eq!(converted.body, Some(encodings::Body::Text("é".into())));
    }
}
