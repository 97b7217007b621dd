"""A partner with 5,000 tenants: its lists, searches and changes of many tenants are still usable."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.steps

# Every tenth has the name of a company in ConnectWise, spelled in another way.
TENANTS = [
    (f"t-{n:04}", "ACME Dental Group, Inc." if n % 10 == 0 else f"Customer {n:04}")
    for n in range(5000)
]

@pytest.fixture(scope="module")
def partner(stack):
    return stack.new_partner("litware", "Litware Services")


def test_the_list_has_fifty_pages(setup_page, stack, partner):
    setup_page.connect(stack, partner)
    stack.list_many_tenants(partner, TENANTS)
    with setup_page.paused():
        setup_page.go_to("tenants")
    setup_page.expect_text("1 to 100 of 5000")
    setup_page.visit(stack, partner, "tenants?page=50")
    setup_page.expect_text("4901 to 5000 of 5000")
    setup_page.inspect("tenants-last-page")


def test_one_of_5000_is_found(setup_page):
    setup_page.find_tenants("4999")
    setup_page.expect_text("Customer 4999")
    expect(setup_page.page.locator("tbody tr")).to_have_count(1)
    setup_page.inspect("tenants-found")


def test_activity_asks_for_a_tenant_by_its_name_where_there_are_too_many_to_choose(setup_page):
    setup_page.go_to("activity")
    setup_page.find_alerts_of("Customer")
    expect(setup_page.alert).to_be_visible()
    setup_page.expect_refusal(422)
    setup_page.inspect("activity-which-tenant")


def test_500_exact_matches_are_looked_over(setup_page):
    with setup_page.paused():
        setup_page.go_to("tenants")
    setup_page.suggest_companies()
    setup_page.expect_text("All companies were read")
    setup_page.page.wait_for_load_state()
    setup_page.look_over_exact_matches()
    setup_page.expect_text("1 to 100 of 500")
    setup_page.inspect("exact-matches")


def test_a_file_of_5000_lines_is_looked_over_and_stopped_while_it_is_made(setup_page):
    with setup_page.paused():
        setup_page.go_to("tenants")
    setup_page.open_import()
    lines = [f"{tenant},302,off" for tenant, _ in TENANTS]
    setup_page.choose_file(["Tenant id,Company id,Tickets", *lines])
    setup_page.send_file()
    setup_page.expect_text("of 5000")
    setup_page.inspect("import-preview")
    with setup_page.held_work("tenants-changes-progress") as wait:
        setup_page.confirm_changes(5000)
        wait()
        setup_page.inspect("tenants-being-changed")
    setup_page.stop_changes()
    setup_page.expect_text("The changes were stopped")
