//! The page's style, script and icon, compiled into the binary.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

pub(crate) const STYLE_PATH: &str = "/setup/assets/style.css";
pub(crate) const SCRIPT_PATH: &str = "/setup/assets/page.js";
/// Every page names it. Otherwise a browser requests `/favicon.ico`, which the gateway does not
/// route.
pub(crate) const ICON_PATH: &str = "/setup/assets/icon.svg";

pub(crate) async fn style() -> Response {
    let style = include_str!("../../assets/style.css");
    asset("text/css; charset=utf-8", style)
}

pub(crate) async fn script() -> Response {
    let script = include_str!("../../assets/page.js");
    asset("text/javascript; charset=utf-8", script)
}

pub(crate) async fn icon() -> Response {
    asset("image/svg+xml", include_str!("../../assets/icon.svg"))
}

fn asset(media_type: &'static str, text: &'static str) -> Response {
    let media_type = HeaderValue::from_static(media_type);
    ([(header::CONTENT_TYPE, media_type)], text).into_response()
}
