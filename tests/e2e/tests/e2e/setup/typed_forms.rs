//! Forms that are sent without a script and cannot be used: the page returns with what was typed, and
//! with the problem at its field.

use domain::SourceId;
use domain::monitoring::inactive_source::InactivityRules;
use jiff::Timestamp;
use serde_json::Value;
use store::PartnerSource;

use crate::environment::{Browser, SOURCE, TENANT, TestEnvironment, partner, tenant};

/// A tenant that is not mapped.
const UNMAPPED: &str = "cedar-valley";
/// The pages of the forms.
const PAGES: [&str; 8] = [
    "connection",
    "contacts",
    "tenants",
    "boards",
    "tickets",
    "test",
    "maintenance",
    "history",
];

/// A form that cannot be used.
struct Case {
    page: String,
    path: &'static str,
    fields: Vec<(&'static str, String)>,
    /// The name of the field with the problem.
    field: &'static str,
    /// A part of the problem.
    words: &'static str,
    /// What the form has again.
    shown: &'static [&'static str],
}

async fn environment() -> TestEnvironment {
    let env = TestEnvironment::new().await;
    let (northwind, source) = (partner(), SourceId::parse(SOURCE).unwrap());
    let bound = PartnerSource {
        since: Timestamp::now(),
        kinds: vec![],
        enabled: true,
        inactivity: InactivityRules::default(),
    };
    let put = env.access.partner_sources.put(&northwind, &source, &bound);
    put.await.unwrap();
    let (tenants, unmapped) = (&env.config.tenants, tenant(UNMAPPED));
    let name = Some("Cedar Valley Clinic");
    tenants
        .list_new(&northwind, &unmapped, &source, name)
        .await
        .unwrap();
    env
}

/// Everything that the forms can change, as the pages show it.
async fn all(browser: &mut Browser) -> Vec<Value> {
    let mut views = vec![];
    for page in PAGES {
        views.push(browser.get_json(page).await.expect(200).json());
    }
    views
}

/// The value of a hidden field of the page.
async fn hidden(browser: &mut Browser, page: &str, name: &str) -> String {
    let html = browser.get(page).await.expect(200).text;
    let field = format!("type=\"hidden\" name=\"{name}\" value=\"");
    let (_, value) = html.split_once(&field).expect(&html);
    let (value, _) = value.split_once('"').unwrap();
    value.replace("&amp;", "&")
}

async fn cases(browser: &mut Browser) -> Vec<Case> {
    let version = async |browser: &mut Browser, page| hidden(browser, page, "version").await;
    let of = |fields: &[(&'static str, &str)]| {
        let fields = fields.iter();
        fields
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect::<Vec<_>>()
    };
    let tenant_page = format!("tenant?tenant={UNMAPPED}");
    let tenants_page = format!("tenants?choose={UNMAPPED}&company=Cedar&done=saved");
    let list = hidden(browser, &tenant_page, "list").await;
    let list_of_row = hidden(browser, &tenants_page, "list").await;
    let company = [("tenant", UNMAPPED), ("version", "1"), ("company", "304")];
    vec![
        Case {
            page: "connection".to_owned(),
            path: "connection",
            fields: of(&[
                ("version", &version(browser, "connection").await),
                ("site", "https://169.254.169.254"),
                ("company_id", "typed-company"),
                ("public_key", "typedPublicKey"),
                ("private_key", "typed-private-key"),
                ("client_id", "typed-client-id"),
                ("drop_choices", "true"),
            ]),
            field: "site",
            words: "",
            shown: &[
                "value=\"https://169.254.169.254\"",
                "value=\"typed-company\"",
                "value=\"typedPublicKey\"",
                "name=\"drop_choices\" value=\"true\" checked",
            ],
        },
        Case {
            page: "contacts?done=saved".to_owned(),
            path: "contacts",
            fields: of(&[
                ("version", &version(browser, "contacts").await),
                ("address", "<typed> address"),
                ("mails[]", "weekly_report"),
            ]),
            field: "address",
            words: "",
            shown: &[
                "value=\"&lt;typed&gt; address\"",
                "name=\"mails[]\" value=\"weekly_report\" aria-describedby=\"about-weekly_report\" checked",
                "name=\"mails[]\" value=\"waiting_alerts\" aria-describedby=\"about-waiting_alerts\">",
            ],
        },
        Case {
            page: "tenants?search=c".to_owned(),
            path: "tenants",
            fields: of(&[
                ("tenant", TENANT),
                ("name", "Typed name"),
                ("source", SOURCE),
            ]),
            field: "tenant",
            words: "listed already",
            shown: &[
                "value=\"acme-dental\" aria-describedby=\"problem\"",
                "value=\"Typed name\"",
            ],
        },
        Case {
            page: tenant_page,
            path: "tenant",
            fields: [of(&company), vec![("list", list)]].concat(),
            field: "company",
            words: "deleted in ConnectWise",
            shown: &["name=\"company\" value=\"304\" required disabled checked"],
        },
        Case {
            page: tenants_page,
            path: "tenant",
            fields: [of(&company), vec![("list", list_of_row)]].concat(),
            field: "company",
            words: "deleted in ConnectWise",
            shown: &[
                "name=\"company\" value=\"304\" required disabled checked",
                // The box was not ticked.
                "name=\"enabled\" value=\"true\">",
            ],
        },
        Case {
            page: "boards".to_owned(),
            path: "boards-existing",
            fields: of(&[
                ("version", &version(browser, "boards").await),
                ("operations", "99"),
                ("cyber_alerts", "22"),
            ]),
            field: "operations",
            words: "no such board",
            shown: &["<option value=\"22\" selected>"],
        },
        Case {
            page: "boards".to_owned(),
            path: "boards-dedicated",
            fields: of(&[
                ("version", "0"),
                ("operations[name]", "Typed board"),
                ("operations[location]", "2"),
                ("operations[department]", "10"),
                ("operations[team_lead]", "151"),
                ("cyber_alerts[name]", "typed BOARD"),
                ("cyber_alerts[location]", "2"),
                ("cyber_alerts[department]", "10"),
                ("cyber_alerts[team_lead]", "151"),
            ]),
            field: "cyber_alerts[name]",
            words: "different names",
            shown: &[
                "value=\"Typed board\"",
                "value=\"typed BOARD\"",
                "<option value=\"151\" selected>",
            ],
        },
        Case {
            page: "tickets".to_owned(),
            path: "tickets",
            fields: of(&[
                ("version", &version(browser, "tickets").await),
                ("operations[start_status]", "222"),
                ("operations[on_resolve]", "note"),
                ("operations[reopen_days]", "7"),
                ("cyber_alerts[start_status]", ""),
                ("cyber_alerts[on_resolve]", "close"),
                ("cyber_alerts[reopen_days]", "0"),
                ("on[]", "disk"),
                ("note_interval_minutes", "10081"),
            ]),
            field: "note_interval_minutes",
            words: "which is a week",
            shown: &[
                "<option value=\"222\" selected>",
                "value=\"10081\"",
                "name=\"operations[reopen_days]\"",
                "value=\"disk\" aria-label=\"Disk becomes a ticket\" checked",
            ],
        },
        Case {
            page: "test".to_owned(),
            path: "test",
            fields: of(&[("tenant", UNMAPPED), ("category", "cyber_alerts")]),
            field: "tenant",
            words: "no company in ConnectWise",
            shown: &["value=\"cyber_alerts\" required checked"],
        },
        Case {
            page: "maintenance".to_owned(),
            path: "maintenance",
            fields: of(&[
                ("name", "Typed window"),
                ("zone", "Europe/Berlin"),
                ("starts", "2026-12-01T22:00"),
                ("hours", "8"),
                ("minutes", ""),
                ("repeats", "weekly"),
                ("month_day", ""),
                ("devices", "SRV-1\r\nSRV-2"),
            ]),
            field: "days[]",
            words: "at least one day",
            shown: &[
                "value=\"Typed window\"",
                "value=\"weekly\" checked",
                "SRV-1\r\nSRV-2</textarea>",
            ],
        },
    ]
}

#[tokio::test]
async fn a_form_that_cannot_be_used_returns_with_what_was_typed() {
    let env = environment().await;
    let mut browser = env.setup.signed_in().await;
    let before = all(&mut browser).await;
    for case in cases(&mut browser).await {
        let fields = case.fields.iter();
        let fields: Vec<_> = fields
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let answer = browser.post_form_of(&case.page, case.path, &fields).await;
        let page = answer.expect(422).text;
        let problem = "<p class=\"problem\" id=\"problem\" role=\"alert\" data-problem>";
        let (form, after) = page.split_once(problem).expect(&page);
        let (words, _) = after.split_once("</p>").unwrap();
        assert!(words.contains(case.words), "{}: {words}", case.path);
        // The field before the problem is the one that it is about.
        let (_, wrong) = form.rsplit_once("aria-invalid=\"true\"").expect(form);
        assert!(!wrong.contains(" name=\""), "{}: {wrong}", case.path);
        let (before_tag, _) = form.rsplit_once("aria-invalid=\"true\"").unwrap();
        let (_, tag) = before_tag.rsplit_once('<').unwrap();
        assert!(tag.contains(&format!("name=\"{}\"", case.field)), "{tag}");
        assert!(tag.contains("aria-describedby=\"problem"), "{tag}");
        for shown in case.shown {
            assert!(page.contains(shown), "{}: {shown}: {page}", case.path);
        }
        for secret in ["typed-private-key", "typed-client-id", "tbPrivateKey01"] {
            assert!(!page.contains(secret), "{page}");
        }
        // What was done before the page was shown is not said again.
        assert!(!page.contains("class=\"done\""), "{page}");
    }
    assert_eq!(all(&mut browser).await, before);
}

#[tokio::test]
async fn a_form_that_returned_is_corrected_and_sent_again() {
    let env = environment().await;
    let mut browser = env.setup.signed_in().await;
    let typed = |tenant| {
        [
            ("tenant", tenant),
            ("name", "Typed name"),
            ("source", SOURCE),
        ]
    };
    let page = browser
        .post_form_of("tenants?search=c", "tenants", &typed(TENANT))
        .await;
    let page = page.expect(422).text;
    let (_, action) = page.split_once("action=\"tenants?form_of=").expect(&page);
    let action = format!("tenants?form_of={}", action.split_once('"').unwrap().0);
    // The browser's address is now that of the change, which is no page.
    let page = browser
        .post_form_of(&action, &action, &typed(UNMAPPED))
        .await;
    let page = page.expect(422).text;
    assert!(page.contains(&format!("action=\"{action}\"")), "{page}");
    assert!(
        page.contains("value=\"cedar-valley\" aria-describedby=\"problem\""),
        "{page}"
    );
    // The page that is named is the one that is shown.
    assert!(
        page.contains("name=\"search\" type=\"search\" maxlength=\"100\" value=\"c\""),
        "{page}"
    );
    let answer = browser
        .post_form_of(&action, &action, &typed("new-one"))
        .await;
    answer.expect(303);
    let mapping = env.mapping("new-one").await;
    assert_eq!(mapping.name.as_deref(), Some("Typed name"));
}

#[tokio::test]
async fn a_problem_without_its_form_has_a_page_of_its_own() {
    let env = environment().await;
    let mut browser = env.setup.signed_in().await;
    let fields = [
        ("tenant", TENANT),
        ("name", "Typed name"),
        ("source", SOURCE),
    ];
    let plain = "<main id=\"main\" data-problem-page>";
    let answer = browser.post_form("tenants", &fields).await;
    assert!(answer.expect(422).text.contains(plain));
    // Neither a page of another partner nor one without this form is shown.
    for page in [
        "/setup/partners/contoso/tenants",
        "/setup",
        "boards",
        "no-such-page",
    ] {
        let answer = browser.post_form_of(page, "tenants", &fields).await;
        assert!(answer.expect(422).text.contains(plain), "{page}");
    }
    // A script shows the problem itself.
    let call = browser.call("POST", "tenants").form(&fields);
    let call = call.header(
        "referer",
        "https://setup.example/setup/partners/northwind/tenants",
    );
    let call = call.header("accept", "text/html");
    let answer = browser.send(call.header("sec-fetch-mode", "cors")).await;
    assert!(answer.expect(422).text.contains(plain));
}

#[tokio::test]
async fn the_form_for_a_new_link_keeps_the_partner() {
    let env = environment().await;
    let mut browser = env.setup.browser();
    let fields = [("partner", "northwind"), ("address", "no address")];
    let page = browser
        .post_form_of("/setup/link", "/setup/link", &fields)
        .await;
    let page = page.expect(422).text;
    assert!(page.contains("value=\"northwind\""), "{page}");
    assert!(
        page.contains("value=\"no address\" aria-describedby=\"problem\""),
        "{page}"
    );
}

#[tokio::test]
async fn what_another_site_sends_is_in_no_form() {
    let env = environment().await;
    let mut browser = env.setup.signed_in().await;
    browser.origin = Some("https://other.example".to_owned());
    let fields = [("address", "typed@other.example"), ("broken", "true")];
    let answer = browser.post_form_of("contacts", "contacts", &fields).await;
    let page = answer.expect(403).text;
    assert!(!page.contains("typed@other.example"), "{page}");
    assert!(page.contains("did not come from this page"), "{page}");
}
