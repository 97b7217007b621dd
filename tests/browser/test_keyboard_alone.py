"""A person without a mouse: opens the link, saves the connection, maps a tenant and adds a contact.

Only keys are pressed. At each stop the focus is seen: its element is within the window and looks
otherwise than without the focus.
"""

import pytest

pytestmark = pytest.mark.steps

# More stops than any of these pages has.
MAX_STOPS = 250
TENANT, COMPANY = "acme-dental", "AcmeDental"

# The element that has the focus: what it is, whether it is within the window, and how its focus
# looks with the focus and without. null: the focus is in the browser's own parts.
FOCUSED = """() => {
  const it = document.activeElement;
  if (!it || it === document.body) return null;
  const looks = (element) => {
    const { outlineStyle, outlineWidth, outlineColor, boxShadow } = getComputedStyle(element);
    const hasOutline = outlineStyle !== "none" && outlineWidth !== "0px";
    return `${hasOutline ? `${outlineWidth} ${outlineColor}` : "no outline"}, shadow ${boxShadow}`;
  };
  const name = it.getAttribute("aria-label") ?? it.labels?.[0]?.textContent ?? it.textContent;
  const box = it.getBoundingClientRect();
  const isWide = box.left >= 0 && box.right <= innerWidth && box.width > 0;
  // An element that is longer than the window fills it.
  const isHigh = box.height > innerHeight || (box.top >= -1 && box.bottom <= innerHeight + 1 && box.height > 0);
  const focused = looks(it);
  // A twin without the focus: taking the focus away would begin a field of several parts again.
  const twin = it.cloneNode(true);
  twin.removeAttribute("name");
  it.after(twin);
  const unfocused = looks(twin);
  twin.remove();
  return {
    tag: it.tagName, type: it.type, isChecked: it.checked, name: name.trim(),
    html: it.outerHTML.slice(0, 120), isInSight: isWide && isHigh, focused, unfocused,
  };
}"""


class Keyboard:
    """Presses keys, and looks where the focus is."""

    def __init__(self, page):
        self._page = page
        self._keys = page.keyboard

    def press(self, key):
        self._keys.press(key)

    def press_and_leave(self, key):
        """Presses a key that leads to another page."""
        with self._page.expect_event("load"):
            self._keys.press(key)

    def type(self, text):
        """Replaces what a field contains."""
        self._keys.press("Control+A")
        self._keys.type(text)

    def focused(self):
        """The element with the focus, which has to be seen. None: the browser's own parts."""
        at = self._page.evaluate(FOCUSED)
        if at is None:
            return None
        assert at["isInSight"], f"out of sight: {at['html']}"
        assert at["focused"] != at["unfocused"], f"{at['html']} looks as without the focus"
        return at

    def go_to(self, name, tag=None, key="Tab"):
        """Moves the focus to the next element of this name."""
        stops = []
        for _ in range(MAX_STOPS):
            self.press(key)
            at = self.focused()
            if at and at["name"].startswith(name) and (tag is None or at["tag"] == tag):
                return at
            stops.append(at and at["name"][:40])
        raise AssertionError(f"{name} is at no stop: {stops}")

    def fill(self, label, text):
        self.go_to(label)
        self.type(text)

    def walk(self):
        """All stops of the page, from its begin until the focus leaves it or is at the first again."""
        stops = []
        for _ in range(MAX_STOPS):
            self.press("Tab")
            at = self.focused()
            if at is None or stops and at["html"] == stops[0]:
                return stops
            stops.append(at["html"])
        raise AssertionError(f"the focus does not leave the page: {stops[-3:]}")


@pytest.fixture(scope="module")
def partner(stack):
    partner = stack.new_partner("relecloud", "Relecloud")
    stack.list_tenants(partner, [(TENANT, "Acme Dental"), ("other", "Other")])
    return partner


@pytest.fixture(scope="module")
def keyboard(page):
    return Keyboard(page)


def test_the_link_is_opened(setup_page, keyboard, partner):
    setup_page.page.goto(partner.link)
    keyboard.go_to("Open the set-up", "BUTTON")
    keyboard.press_and_leave("Enter")
    setup_page.expect_path("overview")


def test_the_connection_is_entered_and_saved(setup_page, keyboard, stack):
    keyboard.go_to("Connect", "A")
    keyboard.press_and_leave("Enter")
    setup_page.expect_path("connection")
    # Past the navigation, to the content.
    keyboard.go_to("Skip to the content", "A")
    keyboard.press("Enter")
    connectwise = stack.connectwise
    keyboard.press("Tab")
    assert keyboard.focused()["name"] == "ConnectWise site"
    keyboard.type(connectwise["base_url"])
    keyboard.fill("Company id", connectwise["company_id"])
    keyboard.fill("Public key", connectwise["public_key"])
    keyboard.fill("Private key", "wrong")
    keyboard.press("Enter")
    # The field with the error has the focus.
    setup_page.expect_error_at("Private key")
    setup_page.expect_refusal(422)
    keyboard.type(connectwise["private_key"])
    keyboard.go_to("Check and save", "BUTTON")
    keyboard.press_and_leave("Space")
    setup_page.expect_path("check")
    setup_page.expect_text("The connection works")


def test_a_tenant_is_mapped(setup_page, keyboard, partner):
    keyboard.go_to("Tenants", "A")
    keyboard.press_and_leave("Enter")
    keyboard.go_to("Map Acme Dental", "A")
    keyboard.press_and_leave("Enter")
    keyboard.fill("Company name or id contains", "e")
    keyboard.press_and_leave("Enter")
    # One stop for all companies that were found. Arrows choose among them.
    while keyboard.go_to("", "INPUT")["type"] != "radio":
        pass
    keyboard.press("Space")
    for _ in range(10):
        if f"({COMPANY}," in keyboard.focused()["name"]:
            break
        keyboard.press("ArrowDown")
    assert f"({COMPANY}," in keyboard.focused()["name"]
    at = keyboard.go_to("Create tickets for its alerts")
    if not at["isChecked"]:
        keyboard.press("Space")
    keyboard.go_to("Save", "BUTTON")
    keyboard.press_and_leave("Enter")
    setup_page.expect_text("Saved.")
    row = setup_page.page.get_by_role("row").filter(has_text=TENANT)
    assert "Acme Dental Group" in row.first.inner_text()
    assert "on" in row.first.inner_text().split()


def test_shift_and_tab_lead_back(keyboard):
    at = keyboard.go_to("Search")
    keyboard.go_to("Show", "SELECT")
    assert keyboard.go_to("Search", key="Shift+Tab")["html"] == at["html"]


def test_a_contact_is_saved(setup_page, keyboard):
    keyboard.go_to("Contacts", "A", key="Shift+Tab")
    keyboard.press_and_leave("Enter")
    setup_page.expect_path("contacts")
    keyboard.fill("E-mail address", "oncall@relecloud.example")
    keyboard.go_to("Waiting alerts", "INPUT")
    keyboard.press("Space")
    keyboard.go_to("Add", "BUTTON")
    keyboard.press_and_leave("Enter")
    setup_page.expect_text("oncall@relecloud.example")
    contact = setup_page.page.get_by_role("region", name="oncall@relecloud.example")
    checked = contact.get_by_role("checkbox", name="Waiting alerts").is_checked()
    assert not checked, "the space bar took the choice back"


@pytest.mark.parametrize(
    "path", ["overview", "connection", "boards", "tickets", "tenants", "contacts", "maintenance"]
)
def test_the_focus_passes_through_each_page_and_leaves_it(
    setup_page, keyboard, stack, partner, path
):
    setup_page.visit(stack, partner, path)
    stops = keyboard.walk()
    assert len(stops) > 15, stops
