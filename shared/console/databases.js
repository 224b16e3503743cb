/** Which databases, and under what names. */

import { fill, h } from "./dom.js";
import { errorText, field, line, segments } from "./fields.js";
import { icon } from "./icons.js";

/** What is wrong with the choice, by field. */
export function databaseErrors({ which, rename, rows }) {
  const errors = {};
  if (which === "all" && rename.trim() && !rename.includes("*"))
    errors.databases = "Put a * where each database's own name belongs.";
  if (which === "some")
    rows.forEach(({ name, as }, index) => {
      const problem = rowError(name.trim(), as.trim());
      if (problem) errors[`databases.${index}`] = problem;
    });
  const finals = which === "some" ? rows.map(({ name, as }) => as.trim() || name.trim()) : [];
  finals.forEach((final, index) => {
    if (final && !/[*?]/.test(final) && finals.indexOf(final) < index)
      errors[`databases.${index}`] ??= `Another database becomes ${final} as well.`;
  });
  return errors;
}

function rowError(name, as) {
  if (!name) return "Name a database, or remove this line.";
  if (/[*?]/.test(name) && as && !as.includes("*"))
    return "The pattern fits several databases: put a * where each one's own name belongs.";
  return "";
}

/** The fields. */
export function databaseFields(draft, changed, redraw) {
  const { which, errors } = draft;
  return [
    segments({
      name: "which",
      label: "Databases",
      value: which,
      options: { all: "All of the backup", some: "Only those that I name" },
      change: (value) => {
        changed({ which: value });
        redraw();
      },
    }),
    which === "all" ? rename(draft, changed) : named(draft, changed, redraw),
    field(
      {
        id: "exclude",
        label: "Leave out",
        optional: true,
        help: "One name or pattern a line. System databases are left out anyway.",
        error: errors.exclude,
      },
      h("textarea", {
        value: draft.exclude,
        rows: "2",
        spellcheck: "false",
        oninput: (event) => changed({ exclude: event.target.value }),
      }),
    ),
  ];
}

function rename(draft, changed) {
  const example = h("span", {});
  const show = () => {
    const name = draft.rename.trim();
    fill(example, name ? `shop becomes ${name.replaceAll("*", "shop")}.` : "Empty: each database keeps its name.");
  };
  show();
  return field(
    {
      id: "databases",
      label: "Names on the target",
      optional: true,
      error: draft.errors.databases,
      help: ["A * stands for the database's own name: *_drill. ", example],
    },
    line(
      draft.rename,
      (value) => {
        changed({ rename: value });
        show();
      },
      { placeholder: "*" },
    ),
  );
}

function named(draft, changed, redraw) {
  const { rows, errors } = draft;
  const edit = (index, part) => (value) =>
    changed({ rows: rows.map((row, at) => (at === index ? Object.assign(row, { [part]: value }) : row)) });
  const remove = (index) => () => {
    changed({ rows: rows.toSpliced(index, 1) });
    redraw();
    document.getElementById("add-row").focus();
  };
  const add = () => {
    changed({ rows: [...rows, { name: "", as: "" }] });
    redraw();
    document.getElementById(`row-${draft.rows.length - 1}`).focus();
  };
  return h(
    "div",
    { class: "named", role: "group", "aria-label": "Databases by name" },
    h(
      "div",
      { class: "row heads", "aria-hidden": "true" },
      h("span", {}, "Name in the backup, or a pattern"),
      h("span", {}),
      h("span", {}, "Name on the target"),
    ),
    rows.map(({ name, as }, index) => {
      const error = errors[`databases.${index}`];
      const told = error ? { "aria-invalid": "true", "aria-describedby": `row-${index}-error` } : {};
      return [
        h(
          "div",
          { class: "row" },
          line(name, edit(index, "name"), {
            id: `row-${index}`,
            "aria-label": `Database ${index + 1}: name in the backup`,
            placeholder: "shop",
            ...told,
          }),
          icon("arrow"),
          line(as, edit(index, "as"), {
            id: `row-${index}-as`,
            "aria-label": `Database ${index + 1}: name on the target`,
            placeholder: "the same name",
          }),
          h(
            "button",
            {
              type: "button",
              class: "quiet",
              "aria-label": `Remove database ${index + 1}`,
              disabled: rows.length === 1,
              onclick: remove(index),
            },
            icon("cross"),
          ),
        ),
        error && errorText(`row-${index}-error`, error),
      ];
    }),
    errors.databases && errorText("databases-error", errors.databases),
    h("button", { type: "button", class: "button", id: "add-row", onclick: add }, icon("plus"), "Add a database"),
  );
}
