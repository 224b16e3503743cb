/** Elements made without markup: what comes from elsewhere becomes text and nothing else. */

const SVG = "http://www.w3.org/2000/svg";
const PROPERTIES = new Set(["value", "checked"]);

/** An HTML element; attributes that begin with "on" are listeners, false and null ones are left out. */
export function h(tag, attributes, ...children) {
  return furnished(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function svg(tag, attributes, ...children) {
  return furnished(document.createElementNS(SVG, tag), attributes, children);
}

function furnished(element, attributes, children) {
  element.append(...nodes(children));
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (PROPERTIES.has(name)) element[name] = value;
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  return element;
}

function nodes(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

/** Put children into a place; what had the focus there or was open has it or is so again, known by its id. */
export function fill(place, ...children) {
  const id = place.contains(document.activeElement) ? document.activeElement.id : "";
  const open = Array.from(place.querySelectorAll("details[id][open]"), (one) => one.id);
  place.replaceChildren(...nodes(children));
  for (const one of open) document.getElementById(one)?.setAttribute("open", "");
  if (id && document.activeElement?.id !== id) document.getElementById(id)?.focus({ preventScroll: true });
}

/** A part of a screen that is drawn again only when what it shows has changed. */
export function part(element, draw) {
  let drawn;
  const show = (...data) => {
    const text = JSON.stringify(data);
    if (text === drawn) return;
    drawn = text;
    fill(element, draw(...data));
  };
  return { element, show };
}

/** Tell those who do not see the screen. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}

/** The heading that a new screen begins with. */
export function heading(text, attributes) {
  return h("h1", { tabindex: "-1", ...attributes }, text);
}

/** Name the screen in the browser's tab. */
export function entitle(...names) {
  document.title = [...names, "Flex Restore"].join(" · ");
}
