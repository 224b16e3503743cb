/** How far the loads of databases are: each with its bar and the time left, and table by table. */

import { h } from "./dom.js";
import { duration } from "./times.js";
import { count, LOAD_STEPS, size } from "./words.js";

const number = (value) => value.toLocaleString("en-GB");

/** The databases that are being loaded. */
export function loadsView(files) {
  const loading = files.filter(({ state, load }) => load && state === "importing");
  return loading.length > 0 && [h("h3", {}, "Being loaded"), h("div", { class: "loads" }, loading.map(loadView))];
}

function loadView({ name, database, load }) {
  return h(
    "details",
    { class: "panel load", id: `load of ${name}` },
    h(
      "summary",
      {},
      h("strong", { class: "db" }, database),
      h("span", { class: "faint" }, leftOf(load)),
      bar(load.share, `Share of the load of ${database}`),
      h("span", { class: "doing" }, doing(load)),
    ),
    h("div", {}, load.building.map(building), load.byTable.length > 0 && tables(load)),
  );
}

/** What it is at, in figures. */
function doing({ step, bytes, totalBytes, rows, indexes, totalIndexes, tables: all, tablesLoaded }) {
  const loaded = totalBytes === null ? "" : `${size(bytes)} of ${size(totalBytes)}, `;
  const figures = {
    rows: `${loaded}${count(number(rows), "row")}, ${number(tablesLoaded)} of ${count(number(all), "table")} loaded`,
    indexes: totalIndexes === null ? `${number(indexes)} built` : `${number(indexes)} of ${number(totalIndexes)} built`,
  }[step];
  return [LOAD_STEPS[step] ?? step, figures && `: ${figures}`];
}

const leftOf = ({ step, secondsLeft }) => secondsLeft !== null && `about ${duration(secondsLeft)} left of the ${step}`;

function bar(share, label) {
  return h(
    "span",
    { class: "progress" },
    h("progress", { max: "1", value: share, "aria-label": label }),
    h("span", { class: "number" }, `${Math.floor(share * 100)} %`),
  );
}

function building({ table, phase, share }) {
  return h(
    "p",
    {},
    "An index of ",
    h("span", { class: "db" }, table),
    h("span", { class: "faint" }, ` ${phase}${share === null ? "" : `, ${Math.floor(share * 100)} %`}`),
  );
}

function tables({ byTable, tables: all }) {
  const rest = all - byTable.length;
  return [
    h(
      "table",
      { class: "tables" },
      h("caption", { class: "unseen" }, "Tables, those that are being loaded first, then the largest"),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          ["Table", "Loaded", "Size", "Rows"].map((name) =>
            h("th", { scope: "col", class: name === "Table" || name === "Loaded" ? null : "number" }, name),
          ),
        ),
      ),
      h("tbody", {}, byTable.map(row)),
    ),
    rest > 0 && h("p", { class: "faint" }, `and ${count(number(rest), "smaller table")}`),
  ];
}

function row({ table, state, bytes, totalBytes, rows }) {
  const known = state === "loading" && totalBytes > 0;
  return h(
    "tr",
    { class: state === "waiting" && "coming" },
    h("th", { scope: "row", class: "db" }, table),
    h("td", { class: "state" }, known ? bar(bytes / totalBytes, `Share of ${table} that is loaded`) : state),
    h("td", { class: "number" }, totalBytes === null ? size(bytes) : size(totalBytes)),
    h("td", { class: "number" }, number(rows)),
  );
}
