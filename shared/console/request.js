/** From a draft to the request that the API and the queue take, and back from an earlier request to a draft. */

import { DEFAULTS, discard, enter, imports, lines } from "./draft.js";

/** What only an import needs. */
const IMPORTING = ["onConflict", "roles", "owners", "grants", "schemaOnly", "schema", "tablespaces"];

/** The request: what the API and the queue take; defaults are left out. */
export function requestOf(entered) {
  const files = entered.kind === "files";
  const chosen = Object.keys(DEFAULTS)
    .filter(
      (name) =>
        entered[name] !== DEFAULTS[name] &&
        !(files && name === "mode") &&
        (imports(entered) || !IMPORTING.includes(name)),
    )
    .map((name) => [name, entered[name]]);
  const texts = ["requestedBy", "reason", "ticket"]
    .map((name) => [name, entered[name].trim()])
    .filter(([, text]) => text);
  const notify = entered.notify
    .split(",")
    .map((name) => name.trim())
    .filter(Boolean);
  return {
    version: "1",
    requestId: entered.requestId.trim(),
    source: files
      ? { container: entered.container.trim(), backupName: entered.backupName.trim() }
      : { backupInstance: entered.instance?.name ?? "", recoveryPoint: entered.point?.id ?? "latest" },
    target: entered.target?.alias ?? "",
    ...(imports(entered) && databasesOf(entered)),
    ...Object.fromEntries(chosen),
    ...(notify.length && { notify }),
    ...Object.fromEntries(texts),
  };
}

function databasesOf({ which, rename, rows, exclude }) {
  const choice = ({ name, as }) => (as.trim() ? { name: name.trim(), as: as.trim() } : name.trim());
  const wanted = which === "some" ? rows.map(choice) : rename.trim() ? [choice({ name: "*", as: rename })] : [];
  const left = lines(exclude);
  return { ...(wanted.length && { databases: wanted }), ...(left.length && { exclude: left }) };
}

const text = (value) => (typeof value === "string" ? value : "");
const list = (value) => (Array.isArray(value) ? value : []);

/** A draft with what an earlier request asked for, under a name of its own; one that was rejected may hold anything. */
export function draftOf(request) {
  discard();
  const source = Object(request.source);
  const usable = Object.keys(DEFAULTS).filter((name) => typeof request[name] === typeof DEFAULTS[name]);
  const choices = list(request.databases)
    .map(choiceOf)
    .filter(({ name }) => name);
  const all = choices.length === 0 || (choices.length === 1 && choices[0].name === "*");
  const [kind, server, point] = [
    source.container ? "files" : "backup",
    text(source.backupInstance),
    text(source.recoveryPoint),
  ];
  enter({
    ...Object.fromEntries(usable.map((name) => [name, request[name]])),
    ...(kind === "files" && { mode: DEFAULTS.mode }),
    kind,
    container: text(source.container),
    backupName: text(source.backupName),
    instance: server ? { name: server, server } : null,
    point: point && point !== "latest" ? { id: point, time: null } : null,
    target: text(request.target) ? { alias: request.target } : null,
    which: all ? "all" : "some",
    ...(all ? { rename: choices[0]?.as ?? "" } : { rows: choices }),
    exclude: list(request.exclude).join("\n"),
    notify: list(request.notify).join(", "),
    reason: text(request.reason),
    ticket: text(request.ticket),
  });
}

const choiceOf = (choice) => ({ name: text(choice) || text(choice?.name), as: text(choice?.as) });
