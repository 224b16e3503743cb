/** The files of a restore: databases first, each with its state and why. */

import { h } from "./dom.js";
import { told } from "./notices.js";
import { stateChip } from "./phase.js";
import { count, size } from "./words.js";

const DONE = new Set(["imported", "imported-with-warnings"]);
const KINDS = { marker: "Marker", roles: "Roles", schema: "Schema", tablespaces: "Tablespaces", database: "Database" };

/** What went wrong first, then what is at work, then what is done; files of no database last. */
const ORDER = ["failed", "importing", "loaded", "verified", "landed", "imported-with-warnings", "imported", "cancelled", "skipped"];
const order = ({ kind, state }) => ORDER.indexOf(state) + (kind === "database" || state === "failed" ? 0 : ORDER.length);

/** The table of files, with what it comes to. */
export function filesView(files) {
  const wanted = files.filter((file) => file.kind === "database" && file.state !== "skipped");
  const there = wanted.filter((file) => DONE.has(file.state));
  const sorted = files.toSorted((one, other) => order(one) - order(other) || one.name.localeCompare(other.name));
  return [
    h("h2", {}, "Files ", h("span", { class: "faint" }, wanted.length > 0 && `${there.length} of ${count(wanted.length, "database")} in place`)),
    h("table", { class: "panel files" },
      h("caption", { class: "unseen" }, "Restored files and what has become of them"),
      h("thead", {}, h("tr", {}, ["File", "Becomes", "Size", "State"].map((name) => h("th", { scope: "col", class: name === "Size" ? "number" : null }, name)))),
      h("tbody", {}, sorted.map(row))),
  ];
}

function row({ name, kind, database, finalName, size: bytes, state, reason }) {
  return h("tr", { class: state === "skipped" ? "off" : "" },
    h("th", { scope: "row", class: "name" }, h("span", { class: database ? "db" : "" }, database || KINDS[kind] || kind), h("code", { class: "faint" }, name)),
    h("td", { class: "final" }, finalName ? h("strong", { class: "db" }, finalName) : ""),
    h("td", { class: "number size" }, size(bytes)),
    h("td", { class: "state" }, stateChip(state), reason && h("p", { class: "why" }, told(reason))));
}
