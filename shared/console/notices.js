/** What is shown instead of, or above, what was hoped for: notes, errors, emptiness, waiting. */

import { fill, h } from "./dom.js";
import { icon } from "./icons.js";

const SIGNS = { good: "check", warn: "warning", bad: "warning", wait: "person", info: "clock", run: "clock" };

/** A note of some gravity: good, info, warn, bad, wait. */
export function note(tone, title, ...more) {
  return h(
    "div",
    { class: `note ${tone}` },
    icon(SIGNS[tone]),
    h("div", {}, title && h("p", { class: "title" }, title), ...more),
  );
}

const REMEDY = " Mend it with: ";
const COMMAND = /^(az|psql|ALTER|CREATE|DROP|GRANT|SELECT) /;

/** A text of the API; the command or the change in it that mends what it tells can be copied. */
export function told(text) {
  const [what, remedy] = text.split(REMEDY, 2);
  return remedy ? [what, remedyView(remedy)] : text;
}

/** What mends something: a command to be copied, or words. */
export function remedyView(remedy) {
  const command = COMMAND.test(remedy) && [h("code", {}, remedy), copyButton(remedy)];
  return h("span", { class: "remedy" }, "Mend it with ", command || `${remedy}.`);
}

/** Something to be pasted elsewhere. */
export function copyButton(text) {
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    fill(button, icon("check"), "Copied");
  };
  const button = h("button", { type: "button", class: "quiet copy", onclick: copy }, icon("copy"), "Copy");
  return button;
}

/** Single findings, one a line. */
export function findings(lines) {
  return lines.length
    ? h(
        "ul",
        { class: "findings" },
        lines.map((line) => h("li", {}, told(line))),
      )
    : null;
}

/** A problem in words, each of its errors, and a way to try again. */
export function problemNote(problem, retry, list = findings(problem.errors)) {
  const element = note(
    "bad",
    problem.headline,
    list,
    retry && h("p", {}, h("button", { type: "button", onclick: retry }, "Try again")),
    problem.more && h("p", { class: "faint" }, problem.more),
  );
  element.setAttribute("role", "alert");
  return element;
}

/** That what is seen may be out of date. */
export function staleNote(problem) {
  return note("warn", `${problem.headline.replace(/\.?$/, ".")} What you see may be out of date; trying again.`);
}

/** A place where something will be. */
export function waiting(text, rows = 3) {
  const lines = Array.from({ length: rows }, () => h("span", { class: "line" }));
  return h(
    "div",
    { class: "waiting", "aria-busy": "true" },
    h("p", { class: "faint" }, text),
    h("div", { "aria-hidden": "true" }, lines),
  );
}

/** A place where nothing is, and what to do about it. */
export function empty(sign, title, text, ...actions) {
  return h(
    "div",
    { class: "empty" },
    icon(sign),
    h("h2", {}, title),
    h("p", {}, text),
    h("p", { class: "actions" }, ...actions),
  );
}
