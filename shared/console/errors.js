/** Where errors of the API belong: each names its field, or the check that found it. */

import { DEFAULTS, draft, enter } from "./draft.js";

/** Which step asks for what. */
const STEPS = {
  source: ["instance", "container", "backupName"],
  point: ["point"],
  options: [
    "target",
    "databases",
    "exclude",
    "requestId",
    "requestedBy",
    "reason",
    "ticket",
    "notify",
    ...Object.keys(DEFAULTS),
  ],
};
const PLACES = {
  "source.backupInstance": "instance",
  "backup instance": "instance",
  "source.container": "container",
  "source.backupName": "backupName",
  source: "point",
  "source.recoveryPoint": "point",
  "source.atOrBefore": "point",
  "recovery point": "point",
  "target server": "target",
  "existing databases": "databases",
};

/** The step that asks for a field; the review for what no step asks for. */
export const stepOf = (name) => Object.keys(STEPS).find((step) => STEPS[step].includes(name.split(".")[0])) ?? "review";

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
  if (name === "databases" && index !== undefined && draft().which === "some")
    return { field: `databases.${index}`, text };
  return { field, text };
}
