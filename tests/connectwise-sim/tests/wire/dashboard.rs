//! The dashboard.

use serde_json::json;

use crate::client::Site;

#[tokio::test]
async fn the_dashboard_shows_escaped_tickets() {
    let site = Site::start().await;
    let empty = site.without_keys("GET", "/", "").await;
    assert!(empty.text.contains("No tickets yet"), "{}", empty.text);
    let ticket = json!({
        "summary": "<script>alert('x')</script>", "company": { "id": 302 }, "externalXRef": "\"><b>",
        "initialDescription": "<img src=x onerror=alert(1)>",
        "customFields": [{ "id": 1, "value": "<b>PC-7</b>" }, { "id": 3, "value": true }],
    });
    site.post("/service/tickets", ticket).await;
    let page = site.without_keys("GET", "/", "").await;
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, Some("text/html; charset=utf-8"))
    );
    for there in [
        "10001",
        "<span class=\"badge\">New</span>",
        "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;",
        "Baker &amp; Sons &quot;Roofing&quot;",
        "&quot;&gt;&lt;b&gt;",
        "&lt;img src=x onerror=alert(1)&gt;",
        "<div>Affected device: &lt;b&gt;PC-7&lt;/b&gt;</div>",
        "<div>Found by monitoring: true</div>",
        "1 note",
    ] {
        assert!(page.text.contains(there), "{there}");
    }
    assert!(!page.text.contains("<img") && !page.text.contains("<script>alert"));
}
