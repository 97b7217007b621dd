"""A partner with more tenants than one page shows maps them together, and looks at what waits."""

from datetime import datetime, timedelta, timezone

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.steps

# Tenants with the names of companies in ConnectWise, spelled in other ways.
NAMED = [
    ("acme", "ACME Dental Group, Inc."),
    ("cafe", "Cafe Elan"),
    ("fjord", "Fjord Shiping"),
    ("dunmore", "Dunmore Logistics Ltd"),
]
OTHERS = [(f"t-{n:03}", f"Customer {n:03}") for n in range(120)]


@pytest.fixture(scope="module")
def partner(stack):
    return stack.new_partner("northwind", "Northwind Traders")


def test_the_list_is_empty_at_first(setup_page, stack, partner):
    setup_page.connect(stack, partner)
    setup_page.go_to("tenants")
    setup_page.expect_text("There are no tenants yet.")


def test_a_hundred_tenants_are_on_a_page(setup_page, stack, partner):
    stack.list_tenants(partner, NAMED + OTHERS)
    setup_page.go_to("tenants")
    setup_page.expect_text("1 to 100 of 124")
    expect(setup_page.page.get_by_role("row")).to_have_count(101)
    setup_page.turn_page("Next")
    setup_page.expect_text("101 to 124 of 124")
    setup_page.inspect("tenants-last-page")
    setup_page.turn_page("Previous")
    setup_page.expect_text("Page 1 of 2")


def test_tenants_are_searched_and_filtered(setup_page):
    setup_page.find_tenants("customer 11", "Not mapped")
    setup_page.expect_text("1 to 10 of 10")
    setup_page.inspect("tenants-found")
    setup_page.find_tenants("nothing of that name")
    setup_page.expect_text("No tenant matches.")
    setup_page.inspect("tenants-no-match")


def test_similar_and_inactive_companies_are_suggested_as_such(setup_page):
    setup_page.go_to("tenants")
    setup_page.suggest_companies()
    setup_page.expect_text("All companies were read")
    setup_page.page.wait_for_load_state()
    # One match each: by its name without case and legal form, by a similar one, and an inactive one.
    for name, words in [("Acme", "same name"), ("Fjord", "similar name"), ("dunm", "inactive")]:
        setup_page.find_tenants(name, "Not mapped")
        setup_page.expect_text(words)
    setup_page.inspect("tenants-suggested")


def test_a_company_is_chosen_within_the_row(setup_page):
    setup_page.find_tenants("", "Not mapped")
    setup_page.turn_page("Next")
    setup_page.search_company("Fjord Shiping", "fjord")
    setup_page.inspect("tenants-row")
    # The only company that is found is chosen already.
    setup_page.page.get_by_role("button", name="Save", exact=True).click()
    setup_page.expect_text("Saved.")
    # The list is where it was.
    expect(setup_page.page.get_by_label("Show", exact=True)).to_have_value("unmapped")
    setup_page.expect_text("Page 2 of 2")
    setup_page.open_tenant("Dunmore Logistics Ltd")
    expect(setup_page.page.get_by_role("heading", level=1)).to_have_text("Dunmore Logistics Ltd")
    setup_page.inspect("tenant-inactive")


def test_exact_matches_are_confirmed_together(setup_page):
    setup_page.go_to("tenants")
    setup_page.look_over_exact_matches()
    setup_page.expect_text("Café Élan")
    setup_page.inspect("exact-matches")
    setup_page.confirm_changes(2)
    setup_page.expect_text("2 tenants were changed.")
    setup_page.page.wait_for_load_state()
    setup_page.inspect("exact-matches-made")


def test_a_file_maps_a_hundred_tenants(setup_page):
    setup_page.go_to("tenants")
    setup_page.open_import()
    setup_page.inspect("import")
    setup_page.choose_file(["not a header", "a,b"])
    setup_page.try_file()
    expect(setup_page.alert).to_contain_text("The first line must name the columns")
    setup_page.expect_refusal(422)
    setup_page.inspect("import-refused")
    header = "Tenant id,Company id,Tickets"
    lines = [f"{tenant},301,off" for tenant, _ in OTHERS]
    wrong = ["unknown,301,on", "dunmore,Dunmore,on"]
    setup_page.choose_file([header, *lines, *wrong])
    setup_page.send_file()
    setup_page.expect_text("2 lines cannot be used")
    setup_page.inspect("import-preview")
    setup_page.confirm_changes(120)
    setup_page.expect_text("120 tenants were changed.")
    setup_page.page.wait_for_load_state()
    setup_page.go_to("tenants")
    setup_page.find_tenants("", "Switched off")
    setup_page.expect_text("1 to 100 of 120")


def test_waiting_alerts_are_shown_with_their_texts(setup_page, stack, partner):
    old = datetime.now(timezone.utc) - timedelta(hours=60)
    for n in range(3):
        partner.source.raise_alert(f"many-{n}", "t-001", old)
    for n in range(3):
        stack.expect_blocked(f"many-{n}", "not_set_up")
    setup_page.go_to("waiting")
    setup_page.open_waiting_tenant("Customer 001")
    setup_page.expect_text("Disk full on many-1")
    setup_page.inspect("waiting-tenant")
