"""Two partners' pages side by side in one browser: two tabs."""

import pytest
from playwright.sync_api import expect

from setup_page import SetupPage

pytestmark = pytest.mark.steps


@pytest.fixture(scope="module")
def first(stack):
    return stack.new_partner("tailspin", "Tailspin IT")


@pytest.fixture(scope="module")
def second(stack):
    return stack.new_partner("wingtip", "Wingtip IT")


@pytest.fixture(scope="module")
def second_tab(context, inspector):
    """Another tab of the same browser."""
    return SetupPage(context.new_page(), inspector)


def test_the_page_without_a_partner_leads_to_the_link_form(setup_page, stack):
    setup_page.page.goto(stack.setup_url)
    setup_page.expect_path("/setup/link")


def test_each_tab_shows_its_partner(setup_page, second_tab, first, second):
    setup_page.open_link(first.link)
    setup_page.go_to("contacts")
    second_tab.page.goto(second.link)
    second_tab.page.get_by_role("button", name="Open the set-up").click()
    second_tab.expect_path("overview")
    expect(second_tab.page.get_by_role("banner")).to_contain_text("Wingtip IT")
    expect(setup_page.page.get_by_role("banner")).to_contain_text("Tailspin IT")


def test_a_form_saves_at_the_partner_of_its_tab(setup_page, second_tab, stack, first, second):
    setup_page.add_contact("it@tailspin.example")
    setup_page.expect_text("it@tailspin.example")
    second_tab.page.goto(stack.page_of(second, "contacts"))
    assert "tailspin" not in second_tab.text
    second_tab.add_contact("it@wingtip.example")
    second_tab.expect_text("it@wingtip.example")
    setup_page.page.reload()
    setup_page.expect_text("it@tailspin.example")
    assert "wingtip" not in setup_page.text


def test_the_page_without_a_partner_lists_both(setup_page, stack):
    setup_page.page.goto(stack.setup_url)
    setup_page.inspect("choose-a-partner")
    setup_page.page.get_by_role("link", name="Tailspin IT").click()
    setup_page.expect_path("overview")


def test_a_form_of_a_partner_that_was_signed_out_saves_nothing(setup_page, second_tab, stack, first):
    setup_page.page.goto(stack.page_of(first, "contacts"))
    second_tab.page.goto(stack.page_of(first))
    second_tab.sign_out()
    setup_page.page.get_by_label("E-mail address", exact=True).fill("typed@tailspin.example")
    setup_page.page.get_by_role("button", name="Add", exact=True).click()
    expect(setup_page.alert).to_contain_text("nothing was saved")
    setup_page.expect_refusal(409)
    setup_page.inspect("signed-in-elsewhere")
    typed = setup_page.page.get_by_label("E-mail address", exact=True)
    expect(typed).to_have_value("typed@tailspin.example")
