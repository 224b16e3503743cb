/** The files of a restore: those that are wanted, each with its state and why; and those that are skipped. */

import { h } from "./dom.js";
import { loadsView } from "./loads.js";
import { told } from "./notices.js";
import { stateChip } from "./phase.js";
import { count, size } from "./words.js";

const DONE = new Set(["imported", "imported-with-warnings"]);
const KINDS = { marker: "Marker", roles: "Roles", schema: "Schema", tablespaces: "Tablespaces" };

/** What went wrong first, then what is at work, then what is done; files of no database last. */
const ORDER = [
  "failed",
  "importing",
  "loaded",
  "verified",
  "landed",
  "imported-with-warnings",
  "imported",
  "cancelled",
  "skipped",
];
const order = ({ kind, state }) =>
  ORDER.indexOf(state) + (kind === "database" || state === "failed" ? 0 : ORDER.length);

/** The tables of files, with what they come to. */
export function filesView(files) {
  const sorted = files.toSorted((one, other) => order(one) - order(other) || label(one).localeCompare(label(other)));
  const wanted = sorted.filter(({ state }) => state !== "skipped");
  const skipped = sorted.filter(({ state }) => state === "skipped");
  const databases = wanted.filter(({ kind }) => kind === "database");
  const there = databases.filter(({ state }) => DONE.has(state));
  return [
    h(
      "h2",
      {},
      "Files ",
      h(
        "span",
        { class: "faint" },
        databases.length > 0 && `${there.length} of ${count(databases.length, "database")} in place`,
      ),
    ),
    wanted.length > 0 && table("Restored files and what has become of them", wanted),
    loadsView(wanted),
    skipped.length > 0 &&
      h(
        "details",
        { id: "skipped" },
        h("summary", {}, count(skipped.length, "file"), h("span", { class: "faint" }, " skipped, with the reasons")),
        table("Skipped files", skipped),
      ),
  ];
}

/** What stands in front of a database file's name, which names the backup. */
export const backupName = (files) => files.find(({ kind }) => kind === "database")?.name.split("_database_")[0] ?? "";

const label = ({ kind, database }) => database || KINDS[kind] || kind;

function table(caption, files) {
  return h(
    "table",
    { class: "panel files" },
    h("caption", { class: "unseen" }, caption),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        ["File", "Becomes", "Size", "State"].map((name) =>
          h("th", { scope: "col", class: name === "Size" ? "number" : null }, name),
        ),
      ),
    ),
    h("tbody", {}, files.map(row)),
  );
}

function row(file) {
  const { name, database, finalName, size: bytes, state, reason } = file;
  return h(
    "tr",
    {},
    h("th", { scope: "row", class: database ? "name db" : "name", title: name }, label(file)),
    h("td", { class: "final db" }, finalName),
    h("td", { class: "number size" }, size(bytes)),
    h("td", { class: "state" }, stateChip(state), reason && h("p", { class: "why" }, told(reason))),
  );
}
