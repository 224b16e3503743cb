/** What phases, states and choices are called, and what they mean. */

/** Phases in the order in which a restore meets them. */
export const PHASES = {
  Accepted: { label: "Accepted", tone: "run", about: "The request was taken." },
  Planning: { label: "Planning", tone: "run", about: "Instance, recovery point and target are resolved and checked." },
  AwaitingApproval: { label: "Waits for approval", tone: "wait", about: "Somebody must approve the plan." },
  AwaitingLanding: { label: "Waits for landing", tone: "run", about: "A free landing container is reserved." },
  Restoring: { label: "Restoring", tone: "run", about: "The vault writes files into the landing container." },
  Importing: { label: "Importing", tone: "run", about: "Each database is loaded under a temporary name." },
  Verifying: { label: "Verifying", tone: "run", about: "Everything stands where it was announced." },
  Completed: { label: "Completed", tone: "good", about: "Everything asked for stands, verified." },
  CompletedWithWarnings: {
    label: "Completed with warnings",
    tone: "warn",
    about: "Everything asked for stands; the report names what differs from the source.",
  },
  PartiallyFailed: {
    label: "Partially failed",
    tone: "bad",
    about: "Some databases stand, others could not be imported.",
  },
  Failed: { label: "Failed", tone: "bad", about: "No database stands." },
  Rejected: { label: "Rejected", tone: "bad", about: "Nothing on the target was touched." },
  Cancelled: { label: "Cancelled", tone: "none", about: "Somebody ended it." },
};

/** The words of a phase; of one that came after this page was written, its name. */
export const wordsOf = (phase) => PHASES[phase] ?? { label: phase, tone: "none", about: "" };

const TERMINAL = new Set(["Completed", "CompletedWithWarnings", "PartiallyFailed", "Failed", "Rejected", "Cancelled"]);

/** Whether nothing more happens. */
export const isOver = (phase) => TERMINAL.has(phase);

const names = (test) => Object.keys(PHASES).filter(test).join(",");

/** What the list can be narrowed to with one choice: a word for the address, a label, the phases. */
export const PHASE_GROUPS = {
  running: { label: "Not over yet", phases: names((phase) => !isOver(phase)) },
  approval: { label: "Waits for approval", phases: "AwaitingApproval" },
  well: { label: "Ended well", phases: "Completed,CompletedWithWarnings" },
  badly: { label: "Went wrong", phases: "PartiallyFailed,Failed,Rejected" },
};

/** States of restored files. */
export const STATES = {
  landed: { label: "landed", tone: "none" },
  importing: { label: "importing", tone: "run" },
  loaded: { label: "loaded", tone: "run" },
  verified: { label: "verified", tone: "run" },
  imported: { label: "imported", tone: "good" },
  "imported-with-warnings": { label: "imported with warnings", tone: "warn" },
  skipped: { label: "skipped", tone: "none" },
  failed: { label: "failed", tone: "bad" },
  cancelled: { label: "cancelled", tone: "none" },
};

/** What the load of a database is at. */
export const LOAD_STEPS = {
  definitions: "Definitions, and the file is fetched or looked through",
  rows: "Rows",
  indexes: "Indexes",
  other: "Constraints, rights, statistics",
};

/** When somebody must approve a restore into a target. */
export const APPROVALS = {
  "on-request": "no approval, unless the request asks for one",
  "to-replace": "needs approval to replace a database",
  always: "always needs approval",
};

/** How much of a restore is made. */
export const MODES = {
  full: "Restore from the vault and import",
  "files-only": "Restore files only, import nothing",
  "import-only": "Import files that have landed already",
};

/** The request's choices: what each means, the default first. */
export const CHOICES = {
  roles: {
    missing: "Create those that the target lacks",
    all: "Create them, and give existing ones the backup's attributes",
    none: "Create none",
  },
  owners: { keep: "Objects keep their owners", drop: "The import's user owns everything" },
  grants: { keep: "Rights that were granted are kept", drop: "Rights that were granted are left out" },
  priority: { normal: "Normal", high: "High: before others", low: "Low: after others" },
  approval: { "as-configured": "As the target asks for it", required: "Somebody must approve the plan" },
};

/** The choices of a request that a reader should not miss, each with how grave it is. */
export function noteworthy(request) {
  const notes = [];
  const note = (applies, tone, text) => applies && notes.push({ tone, text });
  note(
    request.onConflict === "replace",
    "bad",
    "Databases of the same name on the target are replaced: each is dropped once the restored one is verified. This cannot be undone.",
  );
  note(request.onConflict === "skip", "info", "Databases whose name is taken on the target are left out.");
  note(request.roles === "all", "bad", "Roles that exist on the target get the backup's attributes.");
  note(
    request.roles === "none",
    "warn",
    "No roles are created; what belongs to a role that is missing gets another owner.",
  );
  note(request.owners === "drop", "warn", "Objects do not keep their owners: the import's user owns everything.");
  note(request.grants === "drop", "warn", "Rights that were granted on objects and databases are left out.");
  note(request.schemaOnly, "warn", "Definitions only: every table will be empty.");
  note(request.schema === "import", "warn", "The schema file is run as well; Microsoft advises against it.");
  note(
    request.tablespaces === "import",
    "warn",
    "The tablespaces file is run; flexible servers have no tablespaces of their own.",
  );
  note(
    request.mode === "files-only",
    "info",
    "Files only: they stay in their landing container, and no database is made.",
  );
  note(request.approval === "required", "info", "Somebody must approve the plan before anything is restored.");
  note(request.priority === "high", "info", "High priority: it gets the next free landing container before others.");
  return notes;
}

/** One of something, or many. */
export function count(number, one, many = `${one}s`) {
  return `${number} ${String(number) === "1" ? one : many}`;
}

/** A size in bytes, for people. */
export function size(bytes) {
  const units = ["bytes", "KB", "MB", "GB", "TB"];
  let amount = bytes;
  let unit = 0;
  while (amount >= 1000 && unit < units.length - 1) {
    amount /= 1000;
    unit += 1;
  }
  return `${amount >= 100 || unit === 0 ? Math.round(amount) : amount.toFixed(1)} ${units[unit]}`;
}
