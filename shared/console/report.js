/** The report of a restore that has ended: what differs from the source, and the whole of it as files.
 *
 * The page's policy forbids framed documents and inline styles, which the report's own page has: it is saved, not shown.
 */

import { call, get, Problem, restorePath } from "./api.js";
import { fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { findings, note, problemNote, waiting } from "./notices.js";
import { chip } from "./phase.js";
import { count } from "./words.js";

const SHOWN = 12;
const OPEN = 4;
const TONES = { failed: "bad", changed: "warn", skipped: "none", tolerated: "warn" };

/** The report's part of the screen. */
export function reportView(requestId, signal) {
  const differences = h("div", {}, waiting("Reading the report…", 2));
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
  get(restorePath(requestId, "report"), { signal }).then(
    (report) => fill(differences, differencesOf(report)),
    (problem) => problem instanceof Problem && fill(differences, problemNote(problem)),
  );
  return [
    h("div", { class: "head" }, h("h2", {}, "Report"),
      h("div", { class: "actions" },
        h("button", { type: "button", class: "button", onclick: save("report.html", "report.html", "text/html") }, icon("download"), "Save as a page"),
        h("button", { type: "button", class: "button", onclick: save("report", "report.json", "application/json") }, icon("download"), "Save as JSON"))),
    trouble, differences,
  ];
}

function download(name, content, type) {
  const address = URL.createObjectURL(new Blob([content], { type }));
  h("a", { href: address, download: name }).click();
  URL.revokeObjectURL(address);
}

/** What differs from the source, file by file. */
function differencesOf({ files = [], unknown = [], warnings = [] }) {
  const different = files.map(differencesOfFile).filter(Boolean);
  const more = [
    warnings.length > 0 && note("warn", "The backup job warned", findings(warnings)),
    unknown.length > 0 && note("warn", "Files of unknown names were left alone", findings(unknown)),
  ].filter(Boolean);
  if (!different.length && !more.length) {
    return files.some(({ file }) => file.state?.startsWith("imported")) ? note("good", null, h("p", {}, "Nothing that was restored differs from the source.")) : [];
  }
  return [h("h3", {}, "What differs from the source, and why"), more, different];
}

function differencesOfFile({ file, failure, script, ...parts }) {
  const all = [parts.load, parts.verification, parts.promotion, script].flatMap((one) => one?.notes?.items ?? []);
  const that = all.filter((one) => one.matters);
  const passwords = script?.withoutPassword ?? [];
  if (!failure && !that.length && !passwords.length) return null;
  const rest = that.length - SHOWN;
  return h("details", { class: "panel difference", open: Boolean(failure) || that.length <= OPEN },
    h("summary", {}, h("strong", { class: "db" }, file.database || file.kind), h("span", { class: "faint" }, that.length ? ` ${count(that.length, "difference")}` : "")),
    failure && note("bad", failure.code, h("p", {}, failure.message), findings(failure.details ?? [])),
    passwords.length > 0 && note("warn", "Set new passwords", h("p", {}, `The backup holds none of these roles' passwords: ${passwords.join(", ")}.`)),
    h("ul", { class: "notes" }, that.slice(0, SHOWN).map(({ kind, subject, reason, statement }) =>
      h("li", {}, chip(kind, TONES[kind] ?? "none"), h("div", {}, h("code", {}, subject), h("p", {}, reason), statement && h("pre", {}, statement))))),
    rest > 0 && h("p", { class: "faint" }, `and ${rest} more, in the report`));
}
