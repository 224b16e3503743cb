/** The request that the wizard is about: what was entered, kept while the tab is open, and what is wrong with it. */

import { who } from "./person.js";
import { toField } from "./times.js";

const PLACE = "flex-restore.draft";

/** Fields of a request that keep to their default unless somebody chooses otherwise. */
export const DEFAULTS = {
  mode: "full",
  onConflict: "fail",
  roles: "missing",
  owners: "keep",
  grants: "keep",
  schemaOnly: false,
  schema: "skip",
  tablespaces: "skip",
  approval: "as-configured",
  priority: "normal",
};

const blank = () => ({
  kind: "backup",
  instance: null,
  point: null,
  moment: "",
  container: "",
  backupName: "",
  target: null,
  which: "all",
  rename: "",
  rows: [{ name: "", as: "" }],
  exclude: "",
  requestId: `restore-${toField(Date.now()).replaceAll(/[-:]/g, "").replace("T", "-")}`,
  requestedBy: who(),
  reason: "",
  ticket: "",
  notify: "",
  ...DEFAULTS,
  errors: {},
});

let current = null;

/** The draft; a new one when there is none. */
export function draft() {
  current ??= JSON.parse(sessionStorage.getItem(PLACE)) ?? blank();
  current.requestedBy ||= who();
  return current;
}

/** What else is right or wrong with a field. */
const TOGETHER = {
  rows: "databases",
  rename: "databases",
  which: "databases",
  onConflict: "databases",
  kind: "instance",
};

/** Change the draft; what was wrong with the changed fields is forgotten. */
export function enter(changes) {
  const touched = new Set(Object.keys(changes).flatMap((name) => [name, TOGETHER[name]]));
  const errors = Object.fromEntries(
    Object.entries(draft().errors).filter(([name]) => !touched.has(name.split(".")[0])),
  );
  Object.assign(current, { errors, ...changes });
  sessionStorage.setItem(PLACE, JSON.stringify(current));
}

/** Begin anew. */
export function discard() {
  current = null;
  sessionStorage.removeItem(PLACE);
}

/** The steps that this draft takes. */
export const stepsOf = ({ kind }) =>
  kind === "files" ? ["source", "options", "review"] : ["source", "point", "options", "review"];

/** Non-empty lines. */
export const lines = (text) =>
  text
    .split("\n")
    .map((one) => one.trim())
    .filter(Boolean);

/** Whether databases are imported at all. */
export const imports = ({ kind, mode }) => kind === "files" || mode !== "files-only";

/** Whether the restore will wait for somebody to approve it. */
export function needsApproval({ approval, target, onConflict }) {
  return (
    approval === "required" ||
    target?.approval === "always" ||
    (target?.approval === "to-replace" && onConflict === "replace")
  );
}
