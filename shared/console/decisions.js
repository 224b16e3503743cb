/** What a person can do to a restore: approve, reject, cancel, retry; each with who and why. */

import { post, restorePath } from "./api.js";
import { h } from "./dom.js";
import { ask, askForStatement } from "./dialogs.js";
import { note } from "./notices.js";
import { signedInAs, who } from "./person.js";
import { gravity } from "./plan.js";

/** Ask for a decision on the plan and send it. */
export function decide(status, verdict) {
  const { requestId, plan, target } = status;
  const approving = verdict === "approve";
  const own = approving && who() && who() === status.requestedBy;
  return askForStatement({
    title: approving ? `Approve ${requestId}?` : `Reject ${requestId}?`,
    intro: [
      approving
        ? `The restore into ${target} goes on at once.`
        : "The restore ends as Rejected. Nothing was touched, and nothing will be.",
      ...(approving && plan ? gravity(plan.request) : []),
      own && note("warn", null, h("p", {}, "You asked for this restore yourself.")),
    ].filter(Boolean),
    reasonHelp: "Kept with the decision. The first decision stands.",
    action: approving ? "Approve" : "Reject",
    tone: approving ? "primary" : "danger",
    submit: (statement) => post(restorePath(requestId, verdict), statement),
  });
}

/** What cancelling stops, and what it cannot stop, as the restore stands. */
function whatCancelStops(phase) {
  if (phase === "Restoring") {
    return [
      "The import is stopped and its temporary databases are dropped; databases that stand already stay.",
      "The vault offers no cancel: its backup job runs to its end, then its files are deleted.",
    ];
  }
  if (phase === "Importing" || phase === "Verifying") {
    return [
      "The import is stopped and its temporary databases are dropped.",
      "Databases that stand already stay, and so do roles.",
    ];
  }
  return ["Nothing was touched yet: the restore just ends."];
}

/** Ask whether to cancel and do it. */
export function cancel(status) {
  return askForStatement({
    title: `Cancel ${status.requestId}?`,
    intro: [
      h(
        "ul",
        {},
        whatCancelStops(status.phase).map((text) => h("li", {}, text)),
      ),
      "The restore ends as Cancelled; this cannot be taken back.",
    ],
    reasonHelp: "For whoever asked for the restore.",
    action: "Cancel the restore",
    tone: "danger",
    submit: (statement) => post(restorePath(status.requestId, "cancel"), statement),
  });
}

/** Ask how to try again and start it; the screen of the new restore follows. */
export async function retry({ requestId }) {
  const started = await ask({
    title: `Retry ${requestId}`,
    intro: [
      "A new restore imports what this one did not bring, from the files that it left. The vault is not asked again.",
    ],
    fields: [
      {
        name: "requestId",
        label: "Name of the new restore",
        value: `${requestId}-retry`.slice(-80),
        limit: 80,
        pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]*",
      },
      ...(signedInAs() ? [] : [{ name: "requestedBy", label: "Your name", value: who() }]),
      { name: "reason", label: "Reason", multiline: true, optional: true },
    ],
    action: "Retry",
    submit: (values) => post(restorePath(requestId, "retry"), values),
  });
  if (started) location.hash = `#/restores/${encodeURIComponent(started.requestId)}`;
}
