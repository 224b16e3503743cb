/** What the tests of looks ask of a page. */

/** Texts and borders whose contrast to their ground is too small, after WCAG 2.2. */
window.contrast = () => {
  const parse = (color) => {
    const [r, g, b, a = 1] = color.match(/[\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const over = (top, under) => ({
    r: top.r * top.a + under.r * (1 - top.a),
    g: top.g * top.a + under.g * (1 - top.a),
    b: top.b * top.a + under.b * (1 - top.a),
    a: 1,
  });
  const ground = (element) => {
    const layers = [];
    for (let one = element; one; one = one.parentElement) {
      layers.push(parse(getComputedStyle(one).backgroundColor));
      if (layers.at(-1).a === 1) break;
    }
    return layers.reduceRight((under, top) => over(top, under), { r: 255, g: 255, b: 255, a: 1 });
  };
  const light = ({ r, g, b }) => {
    const part = (value) => ((value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const ratio = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const shown = (element) =>
    element.checkVisibility({ visibilityProperty: true, opacityProperty: true }) &&
    !element.closest(":disabled, .unseen, .waiting [aria-hidden]");
  const found = [];
  let looked = 0;
  const look = (what, color, element, needed) => {
    looked += 1;
    const under = ground(element);
    const is = ratio(over(parse(color), under), under);
    if (is < needed) found.push(`${what}: ${is.toFixed(2)}`);
  };
  const root = document.querySelector("dialog[open]") ?? document.body;
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (!text || !shown(element) || element.tagName === "OPTION") continue;
    const style = getComputedStyle(element);
    const size = parseFloat(style.fontSize);
    look(
      `text ${text.slice(0, 40)}`,
      style.color,
      element,
      size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5,
    );
  }
  for (const element of root.querySelectorAll("input:not([type=radio], [type=checkbox]), select, textarea")) {
    if (!shown(element)) continue;
    const style = getComputedStyle(element);
    look(`content of ${element.id}`, style.color, element, 4.5);
    look(`border of ${element.id}`, style.borderTopColor, element.parentElement, 3);
    if (element.placeholder)
      look(`placeholder of ${element.id}`, getComputedStyle(element, "::placeholder").color, element, 4.5);
  }
  return { found, looked };
};

/** Controls that a screen reader could not name. */
window.unnamed = () =>
  [...document.querySelectorAll("button, a[href], input, select, textarea, summary, [tabindex='0']")]
    .filter((one) => !(one.ariaLabel || one.labels?.length || one.textContent.trim()))
    .map((one) => one.outerHTML);

/** Ids that are given twice. */
window.twice = () => {
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  return ids.filter((id, index) => ids.indexOf(id) < index);
};

/** What reaches beyond the window's right edge. */
window.overflowing = () =>
  [...document.querySelectorAll("body *")]
    .filter((one) => one.getBoundingClientRect().right > innerWidth + 0.5 && !one.closest(".unseen, .axis"))
    .map((one) => `${one.tagName} ${one.className} ${one.textContent.slice(0, 40)}`);

/** What has the focus, and whether that can be seen. */
window.focused = () => {
  const one = document.activeElement;
  const boxes = [one, one.nextElementSibling, one.closest("label, tr")].filter(Boolean);
  const outlines = [...boxes, ...boxes.map((box) => [box, "::after"])]
    .map((box) => getComputedStyle(...[box].flat()))
    .filter((style) => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2);
  return [one.id || one.textContent.trim() || one.tagName, outlines.length > 0];
};
