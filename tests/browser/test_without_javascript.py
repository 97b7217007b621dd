"""Without JavaScript the page does everything but read the token of a link."""

from datetime import datetime, timezone

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.steps


@pytest.fixture(scope="module")
def partner(stack):
    return stack.new_partner("fabrikam", "Fabrikam IT")


def test_a_link_asks_for_javascript_where_it_is_off(browser, partner):
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(partner.link)
        assert "This page needs JavaScript" in page.get_by_role("main").inner_text()


def test_a_session_opened_with_javascript_goes_on_without(setup_page, partner):
    setup_page.open_link(partner.link)
    setup_page.switch_script_off()


def test_a_refusal_keeps_what_was_typed(setup_page, stack):
    setup_page.go_to("connection")
    setup_page.enter_connection(stack.connectwise)
    setup_page.enter_private_key("not the key")
    setup_page.save_connection()
    expect(setup_page.alert).to_be_visible()
    setup_page.expect_refusal(422)
    company = setup_page.page.get_by_label("Company id", exact=True)
    expect(company).to_have_value(stack.connectwise["company_id"])
    # Keys are in no page.
    expect(setup_page.page.get_by_label("Private key", exact=True)).to_have_value("")
    setup_page.inspect("refused")


def test_the_connection_is_saved(setup_page, stack):
    setup_page.enter_connection(stack.connectwise)
    setup_page.enter_private_key(stack.connectwise["private_key"])
    setup_page.save_connection()
    setup_page.expect_path("check")
    setup_page.expect_text("Connected: ConnectWise accepted the keys")
    setup_page.inspect("check")
    setup_page.check_now()
    setup_page.expect_text("The connection works")


def test_boards_are_created_part_by_part(setup_page):
    setup_page.go_to("boards")
    for board in ["Operations", "Cyber Alerts"]:
        setup_page.choose_board(board, "Springfield", "Professional Services", "TSmith")
    setup_page.review_boards()
    setup_page.inspect("boards-review")
    setup_page.create_boards()
    setup_page.inspect("boards")
    for _ in range(20):
        if "done=boards_ready" in setup_page.page.url:
            break
        setup_page.continue_boards()
    setup_page.expect_text("Both boards are ready")


def test_the_default_board_and_a_priority_are_chosen(setup_page):
    setup_page.use_board("Service Desk")
    setup_page.expect_text("Saved.")
    setup_page.go_to("tickets")
    setup_page.save_priority("High", "Priority 1 - Critical")
    setup_page.expect_text("Saved.")


def test_a_tenant_is_mapped(setup_page, stack, partner):
    partner.source.raise_alert("no-script", "acme-dental", datetime.now(timezone.utc))
    stack.expect_blocked("no-script", "not_set_up")
    setup_page.go_to("tenants")
    setup_page.search_company("acme-dental", "acme")
    setup_page.map_to("AcmeDental")
    setup_page.expect_text("Saved.")


def test_the_contact_is_saved_and_waits_for_its_confirmation(setup_page):
    setup_page.go_to("contacts")
    setup_page.add_contact("oncall@fabrikam.example")
    setup_page.expect_text("A link was mailed")


def test_signing_out_ends_the_session(setup_page, stack, partner):
    setup_page.sign_out()
    setup_page.page.goto(stack.page_of(partner))
    setup_page.expect_refusal(401)
