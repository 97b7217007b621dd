use super::*;

#[test]
fn a_problem_links_back_to_its_page() {
    for (path, page) in [
        (
            "/setup/partners/northwind/contact-test",
            "/setup/partners/northwind/contacts",
        ),
        (
            "/setup/partners/northwind/contacts",
            "/setup/partners/northwind/contacts",
        ),
        (
            "/setup/partners/northwind/tenant",
            "/setup/partners/northwind/tenants",
        ),
        (
            "/setup/partners/northwind/a/b",
            "/setup/partners/northwind/overview",
        ),
        (
            "/setup/partners/northwind/",
            "/setup/partners/northwind/overview",
        ),
        ("/setup/partners/", "/setup"),
        ("/setup/link", "/setup/link"),
        ("/setup/session", "/setup"),
        ("/setup/<script>", "/setup"),
    ] {
        assert_eq!(page_of(path), page);
    }
}
