/** The report of a restore that has ended: what to do now, what differs from the source, and the whole of it as files.
 *
 * The console's policy forbids the inline style of the report's own page. Where no key is needed it is opened at its own
 * address, with a policy of its own; else it is saved.
 */

import { addressOf, call, get, Problem, restorePath } from "./api.js";
import { fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { copyButton, findings, note, problemNote, waiting } from "./notices.js";
import { key } from "./person.js";
import { chip } from "./phase.js";
import { duration } from "./times.js";
import { count, size } from "./words.js";

const SHOWN = 12;
const OPEN = 4;
const TONES = { failed: "bad", changed: "warn", skipped: "none", tolerated: "warn" };

/** The report's part of the screen. */
export function reportView(requestId, signal) {
  const content = h("div", { class: "report" }, waiting("Reading the report…", 2));
  const trouble = h("div", {});
  const save = (form, name, type) => async () => {
    try {
      fill(trouble);
      const { body } = await call("GET", restorePath(requestId, form), { signal, text: true });
      download(`${requestId}-${name}`, body, type);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      fill(trouble, problemNote(problem));
    }
  };
  const button = (label, ...what) => h("button", { type: "button", onclick: save(...what) }, icon("download"), label);
  get(restorePath(requestId, "report"), { signal }).then(
    (report) => fill(content, told(report)),
    (problem) => problem instanceof Problem && fill(content, problemNote(problem)),
  );
  return [
    h(
      "div",
      { class: "head" },
      h("h2", {}, "Report"),
      h(
        "div",
        { class: "actions" },
        !key() &&
          h(
            "a",
            {
              class: "button",
              target: "_blank",
              rel: "noopener",
              href: addressOf(restorePath(requestId, "report.html")),
            },
            "Open the page",
          ),
        button("Save as a page", "report.html", "report.html", "text/html"),
        button("Save as JSON", "report", "report.json", "application/json"),
      ),
    ),
    trouble,
    content,
  ];
}

function download(name, content, type) {
  const address = URL.createObjectURL(new Blob([content], { type }));
  h("a", { href: address, download: name }).click();
  URL.revokeObjectURL(address);
}

function told({ summary, nextSteps = [], files = [], unknown = [], warnings = [] }) {
  return [
    summary?.restored > 0 && figures(summary),
    nextSteps.length > 0 && [h("h3", {}, "What to do now"), h("div", { class: "tasks" }, nextSteps.map(task))],
    differences(files),
    warnings.length > 0 && note("warn", "The backup job warned", findings(warnings)),
    unknown.length > 0 && note("warn", "Files of unknown names were left alone", findings(unknown)),
  ];
}

function figures({ databases, restored, tables, rows, exact, size: bytes, seconds }) {
  const number = (value) => value.toLocaleString("en-GB");
  return h(
    "p",
    {},
    `${restored} of ${count(databases, "database")} restored: ${count(number(tables), "table")}, ` +
      `${exact ? "" : "about "}${count(number(rows), "row")}${exact ? ", all counted" : ""}, from ${size(bytes)} in ${duration(seconds)}.`,
  );
}

/** Something that people have to do, because no restore can. */
function task({ who, what, why, how, commands, required }) {
  return h(
    "details",
    { class: "panel task", open: required },
    h(
      "summary",
      {},
      chip(required ? "needed" : "good to know", required ? "warn" : "none"),
      h("strong", {}, what),
      h("span", { class: "faint" }, who),
    ),
    h(
      "div",
      {},
      h("p", {}, why),
      h("p", {}, how),
      commands.map(({ text, database }) =>
        h(
          "div",
          { class: "json" },
          database && h("p", { class: "faint" }, "in ", h("span", { class: "db" }, database)),
          copyButton(text),
          h("pre", { tabindex: "0", "aria-label": "Command" }, text),
        ),
      ),
    ),
  );
}

function differences(files) {
  const different = files.map(differencesOf).filter(Boolean);
  if (different.length) return [h("h3", {}, "What differs from the source, and why"), different];
  return (
    files.some(({ file }) => file.state.startsWith("imported")) &&
    note("good", null, h("p", {}, "Nothing that was restored differs from the source."))
  );
}

function differencesOf({ file, failure, load, verification, promotion, script }) {
  const all = [load, verification, promotion, script].flatMap((part) => part?.notes.items ?? []);
  const that = all.filter((one) => one.matters);
  if (!failure && !that.length) return null;
  const rest = that.length - SHOWN;
  return h(
    "details",
    { class: "panel difference", open: Boolean(failure) || that.length <= OPEN },
    h(
      "summary",
      {},
      h("strong", { class: "db" }, file.database || file.kind),
      h("span", { class: "faint" }, that.length ? count(that.length, "difference") : ""),
    ),
    failure && note("bad", failure.message, findings(failure.details), h("p", { class: "faint" }, failure.code)),
    that.length > 0 &&
      h(
        "ul",
        { class: "notes" },
        that
          .slice(0, SHOWN)
          .map(({ kind, subject, reason, statement }) =>
            h(
              "li",
              {},
              chip(kind, TONES[kind] ?? "none"),
              h("div", {}, h("code", {}, subject), h("p", {}, reason), statement && h("pre", {}, statement)),
            ),
          ),
      ),
    rest > 0 && h("p", { class: "faint" }, `and ${rest} more, in the report`),
  );
}
