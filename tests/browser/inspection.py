"""What must hold on every page.

axe-core finds nothing, the layout fits the window, and the console is silent.
"""

import base64
import hashlib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

# axe-core 4.12.1.
AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text()
AXE_SHA256 = "84494fec757e4710dc751c8d7a636e457f4532f08f85c86dc9070133fbff53bc"
LAYOUT = Path(__file__).with_name("layout.js").read_text()

AXE_OPTIONS = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations", "incomplete"],
}
# WCAG allows large text a contrast of 3. Here all text has 4.5.
AXE_CHECKS = {
    "checks": [{"id": "color-contrast", "options": {"contrastRatio": {"large": {"expected": 4.5}}}}]
}


@dataclass(frozen=True)
class Screen:
    # What the names of its screenshots end in.
    suffix: str
    width: int
    height: int
    is_phone: bool
    color_scheme: str


DESKTOP = Screen("", 1280, 900, False, "light")
SCREENS = [
    Screen("-phone", 390, 844, True, "light"),
    Screen("-phone-dark", 390, 844, True, "dark"),
    Screen("-dark", 1280, 900, False, "dark"),
    # The last one stays.
    DESKTOP,
]


class Inspector:
    """Inspects the states of one browser page, and keeps a screenshot of each."""

    def __init__(self, page, screens):
        assert hashlib.sha256(AXE.encode()).hexdigest() == AXE_SHA256
        self._page = page
        self._screens = screens
        self._screens.mkdir(parents=True, exist_ok=True)
        self._taken = 0
        self._console = []
        self._devtools = page.context.new_cdp_session(page)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self._console.append(f"console: {error}"))
        self._resize(DESKTOP)

    def inspect(self, name):
        """Fails with everything that is wrong with the page as it is shown now."""
        self._taken += 1
        wrong = []
        for screen in SCREENS:
            self._resize(screen)
            wrong += self._page.evaluate(LAYOUT, screen.width)
            screenshot = self._screens / f"{self._taken:02}-{name}{screen.suffix}.png"
            screenshot.write_bytes(self._screenshot())
            wrong += self._run_axe()
        wrong += self._take_console()
        # One line for what is wrong on several screens.
        wrong = list(dict.fromkeys(wrong))
        assert not wrong, "\n".join([f"{self._page.url} ({name}):", *wrong])

    def expect_refusal(self, status):
        """The server refused something, as it had to: the console says so too, and nothing else."""
        refusal = f"the server responded with a status of {status}"
        lines = self._take_console()
        assert lines and all(refusal in line for line in lines), f"not {refusal}, but: {lines}"

    def _resize(self, screen):
        # Playwright itself cannot turn an open page into a phone.
        metrics = {
            "width": screen.width,
            "height": screen.height,
            "deviceScaleFactor": 1,
            "mobile": screen.is_phone,
        }
        self._devtools.send("Emulation.setDeviceMetricsOverride", metrics)
        self._page.emulate_media(color_scheme=screen.color_scheme)

    def _screenshot(self):
        """The whole page. Playwright's own screenshot would take the screen's size back."""
        taken = self._devtools.send("Page.captureScreenshot", {"captureBeyondViewport": True})
        return base64.b64decode(taken["data"])

    def _run_axe(self):
        page = self._page
        # axe skips what is hidden, so everything is unfolded for it.
        folded = page.evaluate_handle("() => [...document.querySelectorAll('details:not([open])')]")
        page.evaluate("(folded) => { for (const it of folded) it.open = true; }", folded)
        if not page.evaluate("() => 'axe' in window"):
            page.evaluate(AXE)
        page.evaluate("(checks) => axe.configure(checks)", AXE_CHECKS)
        # Pictures are inspected by LAYOUT.
        found = page.evaluate("(options) => axe.run({ exclude: ['svg'] }, options)", AXE_OPTIONS)
        page.evaluate("(folded) => { for (const it of folded) it.open = false; }", folded)
        # Incomplete: axe cannot tell, so a person would have to look.
        rules = found["violations"] + found["incomplete"]
        return [
            f"axe: {rule['id']} ({rule['impact']}): {node['html'][:120]}: {node['failureSummary']}"
            for rule in rules
            for node in rule["nodes"]
        ]

    def _on_console(self, message):
        # The levels below are advice, such as which fields a password manager would like to know.
        if message.type in ("error", "warning"):
            self._console.append(f"console: {message.type}: {message.text}")

    def _take_console(self):
        lines, self._console = self._console, []
        return lines
