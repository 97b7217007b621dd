"""A session that ends while a person types, and the times that the person reads."""

import pytest
from playwright.sync_api import expect

from inspection import DESKTOP
from setup_page import SetupPage

pytestmark = pytest.mark.steps


@pytest.fixture(scope="module")
def partner(stack):
    return stack.new_partner("lucerne", "Lucerne IT")


def test_what_was_typed_stays_when_the_session_has_ended(setup_page, stack, partner):
    setup_page.open_link(partner.link)
    setup_page.go_to("connection")
    setup_page.enter_connection(stack.connectwise)
    setup_page.enter_private_key(stack.connectwise["private_key"])
    setup_page.page.context.clear_cookies()
    setup_page.try_connection()
    expect(setup_page.alert).to_contain_text("What you typed is still here")
    setup_page.expect_refusal(401)
    expect(setup_page.alert).to_be_focused()
    link = setup_page.alert.get_by_role("link", name="Request a new link")
    expect(link).to_have_attribute("href", "/setup/link?partner=lucerne")
    setup_page.inspect("session-ended")


def test_the_form_is_saved_after_a_new_link_was_opened_in_another_tab(setup_page, stack, partner):
    other_tab = setup_page.page.context.new_page()
    other_tab.goto(stack.new_link(partner))
    other_tab.get_by_role("button", name="Open the set-up").click()
    expect(other_tab.get_by_role("banner")).to_contain_text("Lucerne IT")
    other_tab.close()
    setup_page.save_connection()
    setup_page.expect_path("check")
    setup_page.expect_text("The connection works")


def test_a_page_without_a_session_asks_for_a_link_of_its_partner(browser, stack, partner):
    context = browser.new_context()
    page = context.new_page()
    page.goto(stack.page_of(partner))
    page.get_by_role("link", name="Request a new link").click()
    expect(page.get_by_label("Your partner id")).to_have_value("lucerne")
    context.close()


def test_history_says_who_did_what_and_when_in_the_readers_zone(
    browser, inspector, setup_page, stack, partner
):
    size = {"width": DESKTOP.width, "height": DESKTOP.height}
    context = browser.new_context(viewport=size, timezone_id="Asia/Kolkata")
    reader = SetupPage(context.new_page(), inspector)
    reader.page.goto(stack.new_link(partner))
    reader.page.get_by_role("button", name="Open the set-up").click()
    reader.expect_path("overview")
    reader.page.goto(stack.page_of(partner, "history"))
    reader.expect_text("Signed in with a link")
    reader.expect_text("Connected ConnectWise")
    row = reader.page.get_by_role("row").filter(has_text="Connected ConnectWise")
    time = row.get_by_role("time").first
    expect(time).to_contain_text("GMT+5:30")
    assert time.get_attribute("title").endswith("UTC")
    expect(row).to_contain_text("session ")
    context.close()
