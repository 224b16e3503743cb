/** What wants attention on a restore's page: a decision, errors with what to do, a cancellation. */

import { decide } from "./decisions.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { findings, note, told } from "./notices.js";
import { dateTime, remaining, timeElement } from "./times.js";
import { isOver } from "./words.js";

/** Its part of the page; `done` is called with what a decision answered. */
export function concerns(status, done) {
  const { phase, errors, approval, cancellation, actions } = status;
  return [
    approval && !approval.decision && phase === "AwaitingApproval" && approvalPanel(status, done),
    approval?.decision && decisionNote(approval.decision),
    cancellation &&
      note(
        "info",
        `${isOver(phase) ? "Cancelled" : "Being cancelled"} by ${cancellation.by}`,
        h("p", {}, cancellation.reason),
      ),
    errors.map(({ code, message, details = [] }) =>
      note("bad", told(message), findings(details), h("p", { class: "faint" }, code)),
    ),
    errors.length > 0 && h("p", { class: "advice" }, advice(phase, actions.includes("retry"))),
  ];
}

function advice(phase, canRetry) {
  if (phase === "Rejected")
    return "Nothing on the target was touched. Mend what is named above, then send the request again, corrected.";
  if (canRetry)
    return "What was restored still lies in its landing container: mend what is named above, then retry. The vault is not asked again.";
  if (isOver(phase)) return "Mend what is named above, then start a new restore.";
  return "The restore goes on with what it can.";
}

function approvalPanel(status, done) {
  const { approval, requestedBy, reason, actions } = status;
  const button = (verdict, label, look) =>
    actions.includes(verdict) &&
    h(
      "button",
      { type: "button", id: verdict, class: look, onclick: async () => done(await decide(status, verdict)) },
      label,
    );
  return h(
    "div",
    { class: "note wait approval" },
    icon("person"),
    h(
      "div",
      {},
      h("p", { class: "title" }, "This plan waits for somebody to approve it"),
      h(
        "p",
        {},
        requestedBy ? [h("strong", {}, requestedBy), " asked for it"] : "Somebody asked for it",
        reason ? [": ", h("q", {}, reason)] : ".",
      ),
      h(
        "p",
        {},
        "Without a decision by ",
        h("strong", {}, timeElement(approval.deadline, dateTime)),
        " (",
        remaining(approval.deadline),
        ") it is Rejected.",
      ),
      h(
        "div",
        { class: "actions" },
        button("approve", "Approve…", "button primary"),
        button("reject", "Reject…", "button"),
      ),
    ),
  );
}

function decisionNote({ verdict, by, reason, at }) {
  if (verdict === "expired")
    return note("bad", "Nobody decided in time", h("p", {}, "The deadline passed ", timeElement(at), "."));
  const good = verdict === "approved";
  return note(
    good ? "good" : "bad",
    [`${good ? "Approved" : "Rejected"} by ${by}, `, timeElement(at)],
    h("p", {}, h("q", {}, reason)),
  );
}
