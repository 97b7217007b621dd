use domain::setup::mapping::Mapping;
use proptest::prelude::*;

use super::*;

fn company(id: u64, name: &str, issue: Option<CompanyIssue>) -> ListedCompany {
    ListedCompany {
        id,
        identifier: format!("Short{id}"),
        name: name.to_owned(),
        issue,
    }
}

fn companies() -> CompanyIndex {
    CompanyIndex::new(vec![
        company(1, "Acme Dental", None),
        company(2, "Baker Ltd", None),
        company(3, "Baker GmbH", None),
        company(4, "Cedar", Some(CompanyIssue::Inactive)),
    ])
}

fn stored(id: &str, company: Option<u64>, enabled: bool) -> StoredTenant {
    let mapping = Mapping {
        company,
        company_name: company.map(|id| format!("Company {id}")),
        epoch: company.map(|_| 1),
        enabled,
        name: Some(format!("=Name of {id}")),
        ..Mapping::default()
    };
    StoredTenant {
        id: TenantId::parse(id).unwrap(),
        on_after_choice: mapping.is_on_after_choice(),
        mapping,
        version: 7,
    }
}

fn tenants() -> Vec<StoredTenant> {
    vec![
        stored("new", None, false),
        stored("-mapped", Some(1), true),
        stored("off", Some(2), false),
        stored("inactive", Some(4), true),
    ]
}

fn read_lines(lines: &[u8]) -> Result<CsvChanges, InvalidFile> {
    let tenants = tenants().into_iter().map(|of| (of.id.clone(), of));
    read(lines, &tenants.collect(), &companies())
}

fn problem(line: &str) -> String {
    let file = format!("Tenant id,Company id,Company name,Tickets\n{line}\n");
    let mut found = read_lines(file.as_bytes()).unwrap();
    match found.errors.pop() {
        Some(err) => err.problem,
        None => format!("{:?}", found.changes),
    }
}

#[test]
fn a_file_that_was_written_changes_nothing() {
    let tenants = tenants();
    let file = write(&tenants).unwrap();
    assert_eq!(
        file,
        "\u{feff}Tenant id,Tenant name,Company id,Company name,Tickets\n\
         new,'=Name of new,,,\n\
         '-mapped,'=Name of -mapped,1,Company 1,on\n\
         off,'=Name of off,2,Company 2,off\n\
         inactive,'=Name of inactive,4,Company 4,on\n"
    );
    let read = read_lines(file.as_bytes()).unwrap();
    let expected = CsvChanges {
        unchanged: 4,
        ..CsvChanges::default()
    };
    assert_eq!(read, expected);
}

#[test]
fn lines_map_tenants_and_switch_them() {
    let changed = |line: &str| {
        let file = format!("tenant ID;Company id;Company name;tickets\r\n{line}\r\n");
        let mut found = read_lines(file.as_bytes()).unwrap();
        assert_eq!(found.errors, []);
        let change = found.changes.pop()?;
        assert_eq!((change.version, found.changes.len()), (7, 0));
        Some((change.company, change.enabled))
    };
    for (line, expected) in [
        ("new;1;;", Some((1, true))),
        ("new;short1;;off", Some((1, false))),
        ("new;;ACME dental, Inc.;ON", Some((1, true))),
        // The number counts, not the name beside it.
        ("new;1;Baker;", Some((1, true))),
        // Another company for a tenant that is off leaves it off.
        ("off;1;;", Some((1, false))),
        ("off;;;on", Some((2, true))),
        ("'-mapped;;;off", Some((1, false))),
        ("-mapped;;;off", Some((1, false))),
        ("-mapped;2;;", Some((2, true))),
        // A line without a company unmaps nothing.
        ("-mapped;;;", None),
        ("new;;;", None),
        ("new", None),
        // A tenant can be switched off whatever the state of its company.
        ("inactive;;;off", Some((4, false))),
        ("inactive;4;;on", None),
    ] {
        assert_eq!(changed(line), expected, "{line}");
    }
}

#[test]
fn a_line_that_cannot_be_used_says_why() {
    for (line, expected) in [
        ("unknown,1,,", "no tenant with the id \"unknown\""),
        (",1,,", "tenant id cannot be used"),
        ("new,99,,", "no company \"99\""),
        ("new,,Nobody,", "no company \"Nobody\""),
        ("new,,Baker,", "more than one company"),
        ("new,4,,", "Cedar is inactive in ConnectWise"),
        ("new,,,on", "has no company"),
        ("new,1,,perhaps", "\"on\", \"off\" or empty"),
    ] {
        let problem = problem(line);
        assert!(problem.contains(expected), "{line}: {problem}");
    }
    let file = b"Tenant id,Company id\nnew,1\n\nnew,2\nn\xfcw,1\noff,1\n";
    let found = read_lines(file).unwrap();
    let errors: Vec<_> = found
        .errors
        .iter()
        .map(|err| (err.line, &*err.problem))
        .collect();
    assert_eq!(
        errors,
        [
            (4, "Line 2 is about this tenant too."),
            (5, "It is not in UTF-8. Save the file as \"CSV UTF-8\"."),
        ]
    );
    assert_eq!(found.changes.len(), 2);
}

#[test]
fn a_file_without_its_header_or_too_long_is_rejected() {
    for file in [
        &b""[..],
        b"new,1\n",
        b"Tenant id,Tickets\nnew,on\n",
        b"\xff\xfeT\0e\0n\0a\0n\0t\0 \0i\0d\0",
    ] {
        assert_eq!(read_lines(file), Err(InvalidFile::Header), "{file:?}");
    }
    let long = "Tenant id,Company id\n".to_owned() + &"x,1\n".repeat(MAX_LINES + 1);
    assert_eq!(read_lines(long.as_bytes()), Err(InvalidFile::TooManyLines));
}

proptest! {
    #[test]
    fn an_escaped_cell_is_no_formula_and_is_read_back(cell in "['=+@\\-\t\r,\"\n a-z;é]{0,12}") {
        let escaped = escape(&cell);
        prop_assert!(!is_formula(&escaped), "{escaped}");
        prop_assert_eq!(unescape(&escaped), &cell);
    }

    #[test]
    fn no_file_makes_it_fail(file in proptest::collection::vec(any::<u8>(), 0..300)) {
        let with_header = [b"Tenant id,Company id,Tickets\n", file.as_slice()].concat();
        for file in [file.as_slice(), &with_header] {
            let _ = read_lines(file);
        }
    }
}
