// Returns what is wrong with the layout of the page in a window of this width, which axe does not check.
(width) => {
  const faults = [];
  const shown = (element) => element.outerHTML.slice(0, 120);

  if (document.documentElement.scrollWidth > width) {
    faults.push("scrolls sideways");
    for (const element of document.querySelectorAll("body *")) {
      if (element.getBoundingClientRect().left + element.scrollWidth > width + 0.5) faults.push(`wider than ${width}: ${shown(element)}`);
    }
    faults.splice(6);
  }

  // A word that is broken over two lines is in a column that is too narrow for it. Letters within an
  // id or an address are no word.
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode;
    const parent = text.parentElement;
    if (!text.data.trim() || !parent.checkVisibility() || parent.closest("script, style, noscript")) continue;
    for (const word of text.data.matchAll(/(?<![\p{L}\p{N}_@-]|[\p{L}\p{N}]\.)\p{L}{2,24}(?![\p{L}\p{N}_@-]|\.[\p{L}\p{N}])/gu)) {
      const range = document.createRange();
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      const lines = new Set([...range.getClientRects()].map((line) => line.top));
      if (lines.size > 1) faults.push(`a torn word: ${word[0]}`);
    }
  }

  const headings = document.querySelectorAll("h1").length;
  if (headings !== 1) faults.push(`${headings} main headings`);
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  for (const id of ids.filter((id, at) => ids.indexOf(id) !== at)) faults.push(`twice: #${id}`);

  // axe cannot tell the contrast of pictures. Text needs 4.5, the other parts 3.
  const channels = (color) => color.match(/[\d.]+/g).slice(0, 3).map(Number);
  const luminance = (color) => {
    const [red, green, blue] = channels(color).map((channel) => {
      const part = channel / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const background = (element) => {
    if (!element) return "rgb(255, 255, 255)";
    const color = getComputedStyle(element).backgroundColor;
    return color === "rgba(0, 0, 0, 0)" ? background(element.parentElement) : color;
  };
  for (const part of document.querySelectorAll("svg text, svg rect")) {
    const [one, other] = [getComputedStyle(part).fill, background(part.closest("svg"))].map(luminance);
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < (part.tagName === "text" ? 4.5 : 3)) faults.push(`contrast ${contrast.toFixed(1)}: ${shown(part)}`);
  }

  // axe also accepts a title or a placeholder, which disappears while a person types.
  for (const control of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
    const named = control.getAttribute("aria-label") || control.getAttribute("aria-labelledby");
    if (!named && control.labels.length === 0) faults.push(`no label: ${shown(control)}`);
  }
  return [...new Set(faults)].slice(0, 12);
}
