/** The request that the wizard is about: what was entered, kept while the tab is open, and what is wrong with it. */

import { who } from "./person.js";
import { toField } from "./times.js";

const PLACE = "flex-restore.draft";

/** Fields of a request that keep to their default unless somebody chooses otherwise. */
const DEFAULTS = {
  mode: "full", onConflict: "fail", roles: "missing", owners: "keep", grants: "keep", schemaOnly: false, schema: "skip",
  tablespaces: "skip", approval: "as-configured", priority: "normal",
};
const IMPORTING = ["onConflict", "roles", "owners", "grants", "schemaOnly", "schema", "tablespaces"];

/** Which step asks for what; errors of the API name their field, or the check that found them. */
const STEPS = {
  source: ["instance", "container", "backupName"],
  point: ["point"],
  options: ["target", "databases", "exclude", "requestId", "requestedBy", "reason", "ticket", "notify", ...Object.keys(DEFAULTS)],
};
const PLACES = {
  "source.backupInstance": "instance", "backup instance": "instance",
  "source.container": "container", "source.backupName": "backupName",
  source: "point", "source.recoveryPoint": "point", "source.atOrBefore": "point", "recovery point": "point",
  "target server": "target", "existing databases": "databases",
};

const blank = () => ({
  kind: "backup", instance: null, point: null, moment: "", container: "", backupName: "",
  target: null, which: "all", rename: "", rows: [{ name: "", as: "" }], exclude: "",
  requestId: `restore-${toField(Date.now()).replaceAll(/[-:]/g, "").replace("T", "-")}`,
  requestedBy: who(), reason: "", ticket: "", notify: "", ...DEFAULTS, errors: {},
});

let current = null;

/** The draft; a new one when there is none. */
export function draft() {
  current ??= JSON.parse(sessionStorage.getItem(PLACE)) ?? blank();
  current.requestedBy ||= who();
  return current;
}

/** What else is right or wrong with a field. */
const TOGETHER = { rows: "databases", rename: "databases", which: "databases", onConflict: "databases", kind: "instance" };

/** Change the draft; what was wrong with the changed fields is forgotten. */
export function enter(changes) {
  const touched = new Set(Object.keys(changes).flatMap((name) => [name, TOGETHER[name]]));
  const errors = Object.fromEntries(Object.entries(draft().errors).filter(([name]) => !touched.has(name.split(".")[0])));
  Object.assign(current, { errors, ...changes });
  sessionStorage.setItem(PLACE, JSON.stringify(current));
}

/** Begin anew. */
export function discard() {
  current = null;
  sessionStorage.removeItem(PLACE);
}

/** A draft with what an earlier request asked for, under a name of its own. */
export function draftOf(request) {
  discard();
  const { source = {}, databases = [{ name: "*" }], exclude = [], notify = [], target, requestId: _, dryRun: __, version: ___, requestedBy: ____, ...rest } = request;
  const choices = databases.map((one) => (typeof one === "string" ? { name: one, as: "" } : { name: one.name, as: one.as ?? "" }));
  const all = choices.length === 1 && choices[0].name === "*";
  enter({
    ...rest,
    kind: source.container ? "files" : "backup",
    mode: source.container ? "full" : rest.mode ?? "full",
    container: source.container ?? "", backupName: source.backupName ?? "",
    instance: source.backupInstance ? { name: source.backupInstance, server: source.backupInstance } : null,
    point: source.recoveryPoint && source.recoveryPoint !== "latest" ? { id: source.recoveryPoint, time: null } : null,
    target: target ? { alias: target } : null,
    which: all ? "all" : "some", rename: all ? choices[0].as : "", rows: all ? [{ name: "", as: "" }] : choices,
    exclude: exclude.join("\n"), notify: notify.join(", "),
  });
}

/** The steps that this draft takes. */
export const stepsOf = ({ kind }) => (kind === "files" ? ["source", "options", "review"] : ["source", "point", "options", "review"]);

/** The step that asks for a field; the review for what no step asks for. */
export const stepOf = (name) => Object.keys(STEPS).find((step) => STEPS[step].includes(name.split(".")[0])) ?? "review";

/** Non-empty lines. */
export const lines = (text) => text.split("\n").map((one) => one.trim()).filter(Boolean);

/** Whether databases are imported at all. */
export const imports = ({ kind, mode }) => kind === "files" || mode !== "files-only";

/** The request: what the API and the queue take; defaults are left out. */
export function requestOf(entered) {
  const files = entered.kind === "files";
  const chosen = Object.keys(DEFAULTS)
    .filter((name) => entered[name] !== DEFAULTS[name] && !(files && name === "mode") && (imports(entered) || !IMPORTING.includes(name)))
    .map((name) => [name, entered[name]]);
  const texts = ["requestedBy", "reason", "ticket"].map((name) => [name, entered[name].trim()]).filter(([, text]) => text);
  const notify = entered.notify.split(",").map((name) => name.trim()).filter(Boolean);
  return {
    version: "1",
    requestId: entered.requestId.trim(),
    source: files ? { container: entered.container.trim(), backupName: entered.backupName.trim() }
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

/** Put each error of the API to its field.
 *
 * @returns every error as `{field, text}`; the field is empty where none is to blame.
 */
export function settle(errors) {
  const placed = errors.map(place);
  const byField = {};
  for (const { field, text } of placed) if (field) byField[field] = byField[field] ? `${byField[field]} ${text}` : text;
  enter({ errors: byField });
  return placed;
}

function place(error) {
  const [, path, text] = /^([^:]+): (.*)$/s.exec(error) ?? [null, "", error];
  const [, name, index] = /^(\w[\w ]*)(?:\[(\d+)\])?/.exec(path) ?? [];
  const field = PLACES[path] ?? PLACES[name] ?? name;
  if (!field || stepOf(field) === "review") return { field: "", text: error };
  if (name === "databases" && index !== undefined && draft().which === "some") return { field: `databases.${index}`, text };
  return { field, text };
}

/** Whether the restore will wait for somebody to approve it. */
export function needsApproval({ approval, target, onConflict }) {
  return approval === "required" || target?.approval === "always" || (target?.approval === "to-replace" && onConflict === "replace");
}

