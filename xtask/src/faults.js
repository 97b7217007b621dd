// What is wrong with the page that is shown, in a window of this `width`; the body of a function, run by the WebDriver.

const faults = [];
const shown = (element) => element.outerHTML.slice(0, 120);

if (document.documentElement.scrollWidth > width) {
  faults.push("scrolls sideways");
  for (const element of document.querySelectorAll("body *")) {
    if (element.getBoundingClientRect().left + element.scrollWidth > width + 0.5) faults.push(`wider than ${width}: ${shown(element)}`);
  }
  faults.splice(6);
}

// What a person reads, and where.
const texts = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const text = walker.currentNode;
  if (text.data.trim() && text.parentElement.checkVisibility() && !text.parentElement.closest("script, style, noscript")) texts.push(text);
}

// A word in two lines stands in a column that is too narrow for it.
for (const text of texts) {
  for (const word of text.data.matchAll(/\p{L}{2,24}/gu)) {
    const range = document.createRange();
    range.setStart(text, word.index);
    range.setEnd(text, word.index + word[0].length);
    const lines = new Set([...range.getClientRects()].map((line) => line.top));
    if (lines.size > 1) faults.push(`a torn word: ${word[0]}`);
  }
}

// WCAG 2.2, 1.4.3: text stands out from its ground by 4.5 at least; what cannot be used may be fainter.
function channels(color) {
  return (color.match(/[\d.]+/g) ?? []).map(Number);
}
function luminance([r, g, b]) {
  const [x, y, z] = [r, g, b].map((of) => of / 255).map((of) => (of <= 0.04045 ? of / 12.92 : ((of + 0.055) / 1.055) ** 2.4));
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
}
const probe = document.createElement("i");
probe.style.color = "Canvas";
document.body.append(probe);
const canvas = channels(getComputedStyle(probe).color);
probe.remove();
function groundOf(element) {
  for (let of = element; of; of = of.parentElement) {
    const [r, g, b, alpha = 1] = channels(getComputedStyle(of).backgroundColor);
    if (alpha === 1) return [r, g, b];
  }
  return canvas;
}
for (const text of texts) {
  const element = text.parentElement;
  if (element.closest(":disabled, label:has(:disabled)")) continue;
  const [one, other] = [luminance(channels(getComputedStyle(element).color)), luminance(groundOf(element))];
  const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  if (contrast < 4.5) faults.push(`faint (${contrast.toFixed(1)}): ${text.data.trim().slice(0, 40)}`);
}

const headings = document.querySelectorAll("h1").length;
if (headings !== 1) faults.push(`${headings} main headings`);
if (!document.documentElement.lang || !document.title) faults.push("no language or title");
const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
for (const id of ids.filter((id, at) => ids.indexOf(id) !== at)) faults.push(`twice: #${id}`);

for (const control of document.querySelectorAll("input:not([type=hidden]), select, textarea, button")) {
  const named = control.getAttribute("aria-label") || control.getAttribute("aria-labelledby");
  const labelled = control.matches("button") ? control.textContent.trim() : control.labels.length > 0;
  if (!named && !labelled) faults.push(`no label: ${shown(control)}`);
}
return [...new Set(faults)].slice(0, 12);
