"""What must hold on every page.

axe-core finds nothing, the layout fits the window, and the console is silent.
"""

import base64
import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

# axe-core 4.12.1.
AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text()
AXE_SHA256 = "84494fec757e4710dc751c8d7a636e457f4532f08f85c86dc9070133fbff53bc"
# The pictures of the documents: the file in docs/screens, the inspection that it is from (the last
# one of this name), and the part of the page from the top.
PICTURES = json.loads(Path(__file__).with_name("pictures.json").read_text())
LAYOUT = Path(__file__).with_name("layout.js").read_text()

# Everything is unfolded for both, since neither sees what is hidden.
MEASURE = f"""async ({{ width, options }}) => {{
  const folded = [...document.querySelectorAll("details:not([open])")];
  for (const it of folded) it.open = true;
  const layout = ({LAYOUT})(width);
  // Pictures are inspected by the layout. The rows of a long list are alike, and axe takes a
  // millisecond and more for each element.
  const axeFound = await axe.run({{ exclude: ["svg", "tbody > tr:nth-child(n + 31)"] }}, options);
  for (const it of folded) it.open = false;
  // Incomplete: axe cannot tell, so a person would have to look.
  return {{ layout, rules: [...axeFound.violations, ...axeFound.incomplete] }};
}}"""

RESULT_TYPES = ["violations", "incomplete"]
ALL_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
AXE_OPTIONS = {
    "light": {"runOnly": ALL_RULES, "resultTypes": RESULT_TYPES},
    # The page is the same in dark but for its colors. The other rules would cost as much again and
    # find the same.
    "dark": {
        "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]},
        "resultTypes": RESULT_TYPES,
    },
}
# WCAG allows large text a contrast of 3. Here all text has 4.5.
AXE_CHECKS = {
    "checks": [{"id": "color-contrast", "options": {"contrastRatio": {"large": {"expected": 4.5}}}}]
}


@dataclass(frozen=True)
class Size:
    """A size of the window. The smallest is also what 1280 pixels are at a zoom of 400 %."""

    # What the names of its screenshots end in; None: it has no screenshots.
    suffix: str | None
    width: int
    height: int
    is_mobile: bool


DESKTOP = Size("", 1280, 900, False)
# The last one stays.
SIZES = [
    Size(None, 320, 568, True),
    Size("-phone", 390, 844, True),
    Size(None, 768, 1024, True),
    DESKTOP,
]
# The last one stays.
COLOR_SCHEMES = {"dark": "-dark", "light": ""}


class Inspector:
    """Inspects the states of one browser page, and keeps screenshots of each."""

    def __init__(self, page, screens):
        assert hashlib.sha256(AXE.encode()).hexdigest() == AXE_SHA256
        self._page = page
        self._screens = screens
        self._pictures = screens.parents[1] / "pictures"
        for folder in [self._screens, self._pictures]:
            folder.mkdir(parents=True, exist_ok=True)
        self._taken = 0
        self._is_paused = False
        self._console = []
        self._devtools = page.context.new_cdp_session(page)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self._console.append(f"console: {error}"))
        self._resize(DESKTOP)

    def inspect(self, name):
        """Fails with everything that is wrong with the page as it is shown now."""
        if self._is_paused:
            return
        # A person sees a page with its stylesheet. Its rows are there before.
        self._page.wait_for_load_state("load")
        self._taken += 1
        # For each fault the screens that have it.
        wrong = {}
        for size in SIZES:
            self._resize(size)
            for color_scheme, suffix in COLOR_SCHEMES.items():
                self._page.emulate_media(color_scheme=color_scheme)
                if size.suffix is not None:
                    screenshot = f"{self._taken:02}-{name}{size.suffix}{suffix}.png"
                    (self._screens / screenshot).write_bytes(self._screenshot())
                for fault in self._measure(size.width, color_scheme):
                    wrong.setdefault(fault, []).append(f"{size.width} {color_scheme}")
            self._take_pictures(name, size)
        lines = [f"{fault} [{', '.join(screens)}]" for fault, screens in wrong.items()]
        lines += self._take_console()
        assert not lines, "\n".join([f"{self._page.url} ({name}):", *lines])

    @contextmanager
    def paused(self):
        """Inspects nothing on the way to a page: other tests inspect the pages of the way."""
        self._is_paused = True
        try:
            yield
        finally:
            self._is_paused = False

    def expect_refusal(self, status):
        """The server refused something, as it had to: the console says so too, and nothing else."""
        refusal = f"the server responded with a status of {status}"
        lines = self._take_console()
        assert lines and all(refusal in line for line in lines), f"not {refusal}, but: {lines}"

    def _resize(self, size):
        # Playwright itself cannot turn an open page into a phone.
        metrics = {
            "width": size.width,
            "height": size.height,
            "deviceScaleFactor": 1,
            "mobile": size.is_mobile,
        }
        self._devtools.send("Emulation.setDeviceMetricsOverride", metrics)

    def _screenshot(self):
        """The whole page. Playwright's own screenshot would take the screen's size back."""
        options = {"captureBeyondViewport": True, "optimizeForSpeed": True}
        taken = self._devtools.send("Page.captureScreenshot", options)
        return base64.b64decode(taken["data"])

    def _take_pictures(self, name, size):
        """The pictures of documents, small enough for a repository."""
        for file, of in PICTURES.items():
            if (of["screen"], of["width"]) != (f"{self._screens.name}/{name}", size.width):
                continue
            height = self._page.evaluate("() => document.documentElement.scrollHeight")
            clip = {"x": 0, "y": 0, "width": size.width, "height": min(height, of["height"])}
            options = {"captureBeyondViewport": True, "clip": clip | {"scale": 1}}
            taken = self._devtools.send("Page.captureScreenshot", options)
            (self._pictures / file).write_bytes(base64.b64decode(taken["data"]))

    def _measure(self, width, color_scheme):
        """What layout.js and axe find on this screen."""
        if not self._page.evaluate("() => 'axe' in window"):
            self._page.evaluate(AXE)
            self._page.evaluate("(checks) => axe.configure(checks)", AXE_CHECKS)
        options = {"width": width, "options": AXE_OPTIONS[color_scheme]}
        found = self._page.evaluate(MEASURE, options)
        return found["layout"] + [
            f"axe: {rule['id']} ({rule['impact']}): {node['html'][:120]}: {node['failureSummary']}"
            for rule in found["rules"]
            for node in rule["nodes"]
        ]

    def _on_console(self, message):
        # The levels below are advice, such as which fields a password manager would like to know.
        if message.type in ("error", "warning"):
            self._console.append(f"console: {message.type}: {message.text}")

    def _take_console(self):
        lines, self._console = self._console, []
        return lines
