use super::*;

#[test]
fn a_problem_links_back_to_its_page() {
    for (path, page) in [
        ("/setup/contact/test", "/setup/contact"),
        ("/setup/contact", "/setup/contact"),
        ("/setup/link", "/setup/link"),
        ("/setup/session", "/setup"),
        ("/setup/<script>", "/setup"),
    ] {
        assert_eq!(page_of(path), page);
    }
}
