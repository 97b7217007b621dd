"""A partner adds a product without a preset: from its first message to a mapping."""

import json

import pytest
import urllib3
from playwright.sync_api import expect

pytestmark = pytest.mark.steps


def message(status, incident="inc-17"):
    return json.dumps(
        {
            "incident": {"number": incident, "status": status, "severity": "warning"},
            "customer": {"name": "fabrikam"},
            "what": "Backup failed",
            "host": "SRV-01",
            "tags": [{"name": "team", "value": "backup"}],
        }
    )


@pytest.fixture(scope="module")
def partner(stack):
    return stack.new_partner("woodgrove", "Woodgrove IT", manages_sources=True)


@pytest.fixture(scope="module")
def source():
    """The address and the secret of the new source."""
    return {}


def post(source, body):
    headers = {
        "content-type": "application/json",
        "authorization": f"Bearer {source['secret']}",
    }
    answer = urllib3.request("POST", source["address"], body=body, headers=headers)
    assert answer.status == 202, f"{answer.status}: {answer.data.decode()}"


def test_the_list_shows_what_there_is(setup_page, partner):
    setup_page.open_link(partner.link)
    setup_page.go_to("sources")
    setup_page.expect_text("Scanner")


def test_a_preset_takes_the_secret_of_the_vendor(setup_page):
    setup_page.add_source("Huntress", "Huntress")
    setup_page.inspect("source-vendor-secret")
    setup_page.enter_vendor_secret("this one is too plain")
    setup_page.try_vendor_secret()
    expect(setup_page.alert).to_be_visible()
    setup_page.expect_refusal(422)
    setup_page.inspect("source-vendor-secret-refused")
    setup_page.enter_vendor_secret("whsec_bm90IGEgcmVhbCBvbmUsIG9ubHkgZm9yIHRoaXMgdGVzdA==")
    setup_page.save_vendor_secret()
    setup_page.expect_text("Saved.")
    setup_page.inspect("source-preset")


def test_the_mapping_of_a_preset_has_fields(setup_page):
    setup_page.look_at_mapping()
    assert setup_page.origin("Alert id") == "a place"
    assert setup_page.origin("Kind") == "a rule, as JSON"
    setup_page.inspect("mapping-preset")
    setup_page.choose_origin("Title", "a constant")
    setup_page.enter_place("Title", "An incident")
    setup_page.try_mapping()
    setup_page.expect_text("Add a sample to see its ticket")
    assert setup_page.origin("Kind") == "a rule, as JSON"
    setup_page.go_to("sources")


def test_an_unknown_product_gets_address_and_secret(setup_page, source):
    setup_page.add_source("Backup", "Other")
    setup_page.inspect("source-other")
    source["secret"] = setup_page.make_secret()
    setup_page.inspect("source-secret")
    source["address"] = setup_page.page.locator("pre[data-copy='the address']").inner_text()


def test_its_message_appears_by_itself(setup_page, source):
    post(source, message("open"))
    setup_page.expect_message()
    setup_page.inspect("source-message")


def test_its_values_fill_the_mapping(setup_page):
    setup_page.use_message()
    setup_page.inspect("mapping-guess")
    assert setup_page.field_value("Tenant") == "/customer/name"
    setup_page.choose_place("Alert id", "inc-17")
    setup_page.choose_place("Title", "Backup failed")
    assert setup_page.field_value("Alert id") == "/incident/number"
    setup_page.try_mapping()
    setup_page.expect_text("It raises the alert inc-17 of the tenant fabrikam")
    setup_page.expect_text("No ticket yet")
    setup_page.inspect("mapping-tried")


def test_a_wrong_place_is_shown_at_its_field(setup_page):
    setup_page.enter_place("Device", "host")
    setup_page.paste_sample(message("closed", "inc-18"))
    setup_page.try_mapping()
    expect(setup_page.alert).to_contain_text("A place begins with a slash")
    setup_page.expect_refusal(422)
    setup_page.inspect("mapping-refused")
    setup_page.enter_place("Device", "/host")
    setup_page.try_mapping()
    setup_page.expect_text("It resolves the alert inc-18")
    setup_page.expect_text("would never be closed")
    setup_page.inspect("mapping-resolve")


def test_the_mapping_is_saved_with_a_resolve_of_the_same_alert(setup_page):
    setup_page.page.get_by_text("Sample 2", exact=True).first.click()
    setup_page.page.get_by_role("button", name="Remove sample 2").click()
    expect(setup_page.page.get_by_text("Sample 2", exact=True)).to_have_count(0)
    setup_page.paste_sample(message("closed"))
    setup_page.try_mapping()
    setup_page.expect_text("It resolves the alert inc-17")
    setup_page.save_mapping()
    setup_page.expect_path("source")
    setup_page.inspect("mapping-saved")


def test_a_change_shows_what_differs(setup_page):
    setup_page.look_at_mapping()
    setup_page.edit_as_json()
    setup_page.inspect("mapping-json")
    text = setup_page.field_value("Mapping")
    setup_page.enter_place("Mapping", text.replace("/what", "/host"))
    setup_page.try_mapping()
    setup_page.expect_text("What differs from the saved mapping")
    setup_page.inspect("mapping-differs")


def test_waiting_messages_are_shown_and_replayed(setup_page):
    setup_page.go_to("overview")
    setup_page.expect_text("1 message of Backup could not be read")
    setup_page.look_at_messages()
    setup_page.inspect("messages")
    setup_page.open_message()
    setup_page.inspect("message")
    setup_page.page.get_by_role("link", name="All messages of").click()
    setup_page.replay_all("Backup")
    setup_page.expect_text("Replayed")
    setup_page.inspect("messages-replayed")
