/** Last step: the plan, or everything that stands in its way; then the restore itself. */

import { post, Problem } from "./api.js";
import { discard } from "./draft.js";
import { fill, h } from "./dom.js";
import { settle, stepOf } from "./errors.js";
import { field, line } from "./fields.js";
import { note, problemNote, told, waiting } from "./notices.js";
import { planView, requestJson } from "./plan.js";
import { requestOf } from "./request.js";

const STEP_NAMES = { source: "Source", point: "Recovery point", options: "Target and options" };

export const reviewStep = {
  short: "Review",
  title: "Is this what you want?",
  lead: "Nothing is touched before you say so.",
  draw,
};

function draw(place, draft, { signal, foot, mark }) {
  const request = requestOf(draft);
  check();

  async function check() {
    fill(place, waiting("Checking with the vault, the landing account and the target server…", 6));
    try {
      const plan = await post("plans", request, { signal });
      fill(place, h("div", { class: "panel padded" }, planView(plan)), go(plan));
    } catch (problem) {
      if (problem.name === "AbortError") return;
      if (!(problem instanceof Problem)) throw problem;
      fill(place, obstacles(problem, check), requestJson(request));
      mark();
    }
  }

  function go(plan) {
    const replacing = request.onConflict === "replace";
    const approving = plan.needsApproval;
    const trouble = h("div", {});
    const confirmation = h("div", {});
    const typed = line("", () => confirm(""), { class: "narrow" });
    const confirm = (error) =>
      fill(
        confirmation,
        replacing &&
          field(
            {
              id: "confirmation",
              label: ["Type ", h("code", {}, request.target), " to replace databases there"],
              error,
            },
            typed,
          ),
      );
    const button = h(
      "button",
      { type: "button", id: "restore", class: `button ${replacing ? "danger" : "primary"}`, onclick: start },
      approving
        ? "Send for approval"
        : replacing
          ? `Replace databases on ${request.target}`
          : `Restore into ${request.target}`,
    );
    confirm("");
    fill(foot, button);
    return [
      approving &&
        note("wait", "Somebody must approve this plan", h("p", {}, "Nothing is restored before somebody does.")),
      requestJson(request),
      confirmation,
      trouble,
    ];

    async function start() {
      if (replacing && typed.value.trim() !== request.target) {
        confirm(`This is not ${request.target}.`);
        typed.focus();
        return;
      }
      button.disabled = true;
      try {
        const started = await post("restores", request);
        discard();
        if (started.duplicate) {
          fill(
            trouble,
            note(
              "warn",
              "This very request was sent before",
              h("p", {}, "Nothing was started again. ", linkTo(started.requestId)),
            ),
          );
          return;
        }
        location.hash = `#/restores/${encodeURIComponent(started.requestId)}`;
      } catch (problem) {
        if (!(problem instanceof Problem)) throw problem;
        fill(trouble, obstacles(problem), taken(problem, request.requestId));
        mark();
      } finally {
        button.disabled = false;
      }
    }
  }
}

const linkTo = (requestId) => h("a", { href: `#/restores/${encodeURIComponent(requestId)}` }, "See that restore");

function taken(problem, requestId) {
  return (
    problem.status === 409 &&
    h("p", {}, linkTo(requestId), " or ", h("a", { href: "#/new/options" }, "give this one another name"), ".")
  );
}

/** Every error, each with the step that mends it. */
function obstacles(problem, again) {
  const placed = settle(problem.errors);
  const change = (name) => h("a", { href: `#/new/${stepOf(name)}` }, `Change it in ${STEP_NAMES[stepOf(name)]}`);
  const list = placed.map(({ field: name, text }) => h("li", {}, told(text), " ", name && change(name)));
  return problemNote(problem, again, placed.length > 0 && h("ul", { class: "findings" }, list));
}
