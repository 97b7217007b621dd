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

#[test]
fn a_problem_says_what_failed_and_where_a_person_goes_on() {
    let partner = "/setup/partners/northwind";
    let refused = || Problem::refused("Not now.");
    let broken = || Problem::refused_until(SetupStep::Check, "The keys are refused.");
    let (page, change) = ("This page cannot be shown now", "This cannot be done now");
    for (problem, path, is_page, title, link) in [
        (
            broken(),
            "tickets",
            true,
            page,
            r#"<a href="check">Check connection</a>"#,
        ),
        (
            broken(),
            "tickets",
            false,
            change,
            r#"<a href="check">Check connection</a>"#,
        ),
        (
            refused(),
            "tickets",
            true,
            page,
            r#"/tickets">Try again</a>"#,
        ),
        (refused(), "tickets", false, change, r#"/tickets">Back</a>"#),
        (refused(), "tenant", true, page, r#"/tenants">Back</a>"#),
        (
            Problem::not_found("No."),
            "tenant",
            true,
            "Not found",
            r#"/tenants">Back</a>"#,
        ),
        (
            Problem::unavailable("Down."),
            "tickets",
            true,
            "Please try again",
            r#"/tickets">Try again</a>"#,
        ),
        (
            Problem::no_session(),
            "tickets",
            true,
            "You are not signed in",
            "Request a new link</a>",
        ),
    ] {
        let path = format!("{partner}/{path}");
        let request = Requested {
            path: &path,
            is_page,
        };
        let html = super::problem(&problem, &request, None).into_string();
        assert!(html.contains(&format!("<h1>{title}")), "{html}");
        assert!(html.contains(link), "{link}: {html}");
    }
}
