"""Fixtures of the browser tests, and what a failing test leaves behind."""

import re
import shutil

import pytest
from playwright.sync_api import expect, sync_playwright

from inspection import DESKTOP, Inspector
from setup_page import SetupPage
from stack import Stack

# How long a page may take, in milliseconds: the function behind it has 29 seconds.
PAGE_TIMEOUT = 35_000
expect.set_options(timeout=PAGE_TIMEOUT)


@pytest.fixture(scope="session")
def stack():
    return Stack()


@pytest.fixture(scope="module")
def healthy_connectwise(stack):
    """The faults of a file of tests end with it, also if one fails."""
    yield
    stack.set_faults(rules=[], keys="ok", outage=False)


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        # The system's Chromium: the browsers that Playwright installs have a host of their own.
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def context(browser):
    """A fresh profile for each file of tests."""
    context = browser.new_context(viewport={"width": DESKTOP.width, "height": DESKTOP.height})
    context.set_default_timeout(PAGE_TIMEOUT)
    # Without screenshots: while they are recorded, Chromium may never answer to the inspector's own.
    context.tracing.start(snapshots=True)
    yield context
    context.close()


@pytest.fixture(scope="module")
def page(context):
    return context.new_page()


@pytest.fixture(scope="module")
def inspector(request, page, stack):
    return Inspector(page, stack.folder / "screens" / request.module.__name__)


@pytest.fixture(scope="module")
def setup_page(page, inspector):
    return SetupPage(page, inspector)


@pytest.fixture(autouse=True)
def evidence(request, context, page, stack):
    """Keeps a screenshot and a Playwright trace of a failing test."""
    context.tracing.start_chunk(title=request.node.name)
    yield
    if not request.node.failed:
        context.tracing.stop_chunk()
        return
    name = re.sub(r"\W+", "-", request.node.name)
    screenshot = stack.folder / "failures" / f"{name}.png"
    trace = stack.folder / "failures" / f"{name}.zip"
    page.screenshot(path=screenshot, full_page=True)
    context.tracing.stop_chunk(path=trace)
    print(f"\nscreenshot: {screenshot}\ntrace: {trace} (playwright show-trace)")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    item.failed = getattr(item, "failed", False) or report.failed
    return report


# The tests of a file marked `steps` are steps: each begins where the one before it ended.


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items):
    """Runs the steps before a selected step too (`-k`)."""
    collected = list(items)
    result = yield
    last_steps = {item.path: item for item in items if item.get_closest_marker("steps")}
    needed = set(items)
    for path, last_step in last_steps.items():
        before = collected[: collected.index(last_step)]
        needed.update(item for item in before if item.path == path)
    items[:] = [item for item in collected if item in needed]
    return result


def pytest_runtest_setup(item):
    """Skips the steps after a failed step."""
    if not item.get_closest_marker("steps"):
        return
    for step in item.session.items:
        if step.path == item.path and getattr(step, "failed", False):
            pytest.skip(f"{step.name} failed")
