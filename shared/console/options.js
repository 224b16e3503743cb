/** Third step: whereto, which databases, and how. */

import { showAnswer } from "./answer.js";
import { databaseErrors, databaseFields } from "./databases.js";
import { imports } from "./draft.js";
import { fill, h } from "./dom.js";
import { check, field, line, radios, select } from "./fields.js";
import { empty } from "./notices.js";
import { callMe } from "./person.js";
import { APPROVALS, CHOICES, MODES } from "./words.js";

const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$/;
const CONFLICTS = [
  { value: "fail", label: "Stop, and touch nothing", help: "The restore is rejected; you choose another name." },
  { value: "skip", label: "Leave that database out", help: "What is there stays; the others are restored." },
  {
    value: "replace",
    label: "Replace it",
    tone: "danger",
    help: "What is there stays until the restored database is verified, and is dropped then. This cannot be undone.",
  },
];

export const optionsStep = {
  short: "Target and options",
  title: "Where to, and how?",
  lead: "Everything below the target has a safe default: nothing that exists is overwritten unless you say so.",
  missing: (draft) => ({
    ...(!draft.target && { target: "Choose the target server." }),
    ...(imports(draft) && databaseErrors(draft)),
    ...(!ID.test(draft.requestId.trim()) && {
      requestId: "Letters, digits, '.', '_' and '-', at most 80; it begins with a letter or a digit.",
    }),
    ...(!draft.requestedBy.trim() && { requestedBy: "Say who you are." }),
  }),
  draw,
};

function draw(place, draft, { changed, redraw, ...context }) {
  const targets = h("div", {});
  fill(place, section("Target", targets), imports(draft) && databasesSection(), aboutSection(), moreSection());
  showAnswer(targets, "targets", { ...context, text: "Looking for targets…", rows: 2 }, ({ targets: all }) => {
    const known = all.find(({ alias }) => alias === draft.target?.alias) ?? (all.length === 1 ? all[0] : null);
    if (known?.alias !== draft.target?.alias || known?.host !== draft.target?.host) changed({ target: known });
    return all.length
      ? targetChoice(all)
      : empty(
          "server",
          "No target is configured",
          "The operator names target servers in the setting FLEX_RESTORE_TARGETS.",
        );
  });

  function targetChoice(all) {
    return radios({
      name: "target",
      legend: "Target",
      titled: true,
      value: draft.target?.alias,
      error: draft.errors.target,
      options: all.map(({ alias, host, approval }) => ({
        value: alias,
        label: alias,
        help: `${host} · ${APPROVALS[approval]}`,
      })),
      change: (alias) => changed({ target: all.find((one) => one.alias === alias) }),
    });
  }

  function databasesSection() {
    return section(
      "Databases",
      databaseFields(draft, changed, redraw),
      radios({
        name: "onConflict",
        legend: "If a name is taken on the target",
        value: draft.onConflict,
        options: CONFLICTS,
        error: draft.errors.onConflict,
        change: (value) => changed({ onConflict: value }),
      }),
    );
  }

  function text(name, label, more = {}) {
    return field(
      { id: name, label, error: draft.errors[name], ...more },
      line(draft[name], (value) => changed({ [name]: value }), { maxlength: "200" }),
    );
  }

  function aboutSection() {
    return section(
      "For the record",
      h(
        "div",
        { class: "fields" },
        text("requestId", "Name of the restore", { help: "Sent twice it is one restore." }),
        field(
          {
            id: "requestedBy",
            label: "Your name",
            error: draft.errors.requestedBy,
            help: "This browser remembers it.",
          },
          line(draft.requestedBy, (value) => changed({ requestedBy: value }), {
            maxlength: "200",
            onchange: (event) => callMe(event.target.value),
          }),
        ),
        text("ticket", "Ticket", { optional: true }),
        field(
          {
            id: "reason",
            label: "Reason",
            optional: true,
            wide: true,
            error: draft.errors.reason,
            help: "For approvers and auditors.",
          },
          h("textarea", {
            rows: "2",
            maxlength: "1000",
            value: draft.reason,
            oninput: (event) => changed({ reason: event.target.value }),
          }),
        ),
      ),
    );
  }

  function moreSection() {
    const choose = (name, label, options) =>
      field(
        { id: name, label, error: draft.errors[name] },
        select(draft[name], options, (value) => changed({ [name]: value })),
      );
    const script = (name, label, help) =>
      check({
        id: name,
        label,
        help,
        checked: draft[name] === "import",
        change: (on) => changed({ [name]: on ? "import" : "skip" }),
      });
    const wrong = [...Object.keys(CHOICES), "mode", "notify", "schema", "tablespaces", "schemaOnly"].some(
      (name) => draft.errors[name],
    );
    const modes = { full: MODES.full, "files-only": MODES["files-only"] };
    return h(
      "details",
      { class: "more", id: "more", open: wrong || isUnusual(draft) },
      h(
        "summary",
        {},
        "More options",
        h(
          "span",
          { class: "faint" },
          " mode, ",
          imports(draft) && "roles, owners, rights, ",
          "approval, priority, notices",
        ),
      ),
      h(
        "div",
        { class: "fields" },
        draft.kind === "backup" &&
          field(
            { id: "mode", label: "How much", error: draft.errors.mode },
            select(draft.mode, modes, (mode) => {
              changed({ mode });
              redraw();
            }),
          ),
        imports(draft) && [
          choose("roles", "Roles", CHOICES.roles),
          choose("owners", "Owners", CHOICES.owners),
          choose("grants", "Rights", CHOICES.grants),
        ],
        choose("approval", "Approval", CHOICES.approval),
        choose("priority", "Priority", CHOICES.priority),
        text("notify", "Notify", {
          optional: true,
          help: "Names of webhooks that the operator configured, with commas between.",
        }),
      ),
      imports(draft) &&
        h(
          "div",
          { class: "checks" },
          check({
            id: "schemaOnly",
            label: "Definitions only",
            help: "Every table will be empty.",
            checked: draft.schemaOnly,
            change: (on) => changed({ schemaOnly: on }),
          }),
          script(
            "schema",
            "Run the schema file as well",
            "It repeats what the database files hold; Microsoft advises against it.",
          ),
          script(
            "tablespaces",
            "Run the tablespaces file as well",
            "Flexible servers have no tablespaces of their own.",
          ),
        ),
    );
  }
}

function section(title, ...content) {
  return h("section", { class: "options" }, h("h2", {}, title), content);
}

const isUnusual = (draft) =>
  draft.mode !== "full" ||
  draft.roles !== "missing" ||
  draft.owners !== "keep" ||
  draft.grants !== "keep" ||
  draft.schemaOnly ||
  draft.schema !== "skip" ||
  draft.tablespaces !== "skip" ||
  draft.approval !== "as-configured" ||
  draft.priority !== "normal" ||
  draft.notify !== "";
