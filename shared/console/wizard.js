/** A new restore, step by step; what was entered stays, back and forth. */

import { discard, draft, enter, stepsOf } from "./draft.js";
import { entitle, fill, h, heading, part } from "./dom.js";
import { stepOf } from "./errors.js";
import { icon } from "./icons.js";
import { optionsStep } from "./options.js";
import { pointStep } from "./points.js";
import { reviewStep } from "./review.js";
import { sourceStep } from "./source.js";
import { summary } from "./summary.js";

/** Each step draws itself into a place, and says what is missing before the next one. */
const STEPS = { source: sourceStep, point: pointStep, options: optionsStep, review: reviewStep };

/** The address of a step. */
const stepAddress = (name) => `#/new/${name}`;

/** The screen; `name` is the step's. */
export function showWizard(main, { name: wanted = "source", signal }) {
  const steps = stepsOf(draft());
  const name = firstOpen(steps, wanted);
  if (name !== wanted) {
    location.replace(stepAddress(name));
    return;
  }
  const step = STEPS[name];
  entitle(step.title, "New restore");
  const beside = part(h("aside", { class: "panel summary", "aria-label": "The restore so far" }), summary);
  const body = h("div", { class: "step-body" });
  const way = h("nav", { "aria-label": "Steps" });
  const foot = h(
    "div",
    { class: "actions" },
    name !== "review" && h("button", { class: "button primary", id: "next" }, "Next", icon("arrow")),
  );
  const context = { known: {}, signal, changed, redraw, mark, foot };

  fill(
    main,
    h(
      "div",
      { class: "page wizard" },
      way,
      h(
        "div",
        { class: name === "review" ? "columns alone" : "columns" },
        h(
          "form",
          { class: "step", novalidate: true, onsubmit: submit },
          heading(step.title),
          h("p", { class: "lead" }, step.lead),
          body,
          h(
            "div",
            { class: "actions foot" },
            name === steps[0]
              ? h("a", { class: "button", href: "#/restores" }, "Leave")
              : h("a", { class: "button", id: "back", href: stepAddress(steps[steps.indexOf(name) - 1]) }, "Back"),
            h("button", { type: "button", class: "quiet", id: "over", onclick: startOver }, "Start over"),
            foot,
          ),
        ),
        name !== "review" && beside.element,
      ),
    ),
  );
  redraw();

  function mark() {
    fill(way, stepper(steps, name));
  }

  function redraw() {
    mark();
    step.draw(body, draft(), context);
    beside.show(draft());
  }

  function changed(changes) {
    enter(changes);
    beside.show(draft());
  }

  function startOver() {
    discard();
    if (location.hash === stepAddress("source")) window.dispatchEvent(new Event("hashchange"));
    else location.hash = stepAddress("source");
  }

  function submit(event) {
    event.preventDefault();
    if (!step.missing) return;
    const missing = step.missing(draft());
    if (Object.keys(missing).length === 0) {
      const now = stepsOf(draft());
      location.hash = stepAddress(now[now.indexOf(name) + 1]);
      return;
    }
    enter({ errors: { ...draft().errors, ...missing } });
    redraw();
    (body.querySelector("[aria-invalid]") ?? body.querySelector("fieldset:has(.error) input:not(:disabled)"))?.focus();
  }
}

/** The wanted step, or the first one before it that lacks something. */
function firstOpen(steps, wanted) {
  const before = steps.slice(0, Math.max(0, steps.indexOf(wanted)));
  return (
    before.find((name) => Object.keys(STEPS[name].missing(draft())).length > 0) ??
    (steps.includes(wanted) ? wanted : "source")
  );
}

function stepper(steps, name) {
  const wrong = new Set(Object.keys(draft().errors).map(stepOf));
  const here = steps.indexOf(name);
  return h(
    "ol",
    { class: "steps" },
    steps.map((one, index) => {
      const state = one === name ? "now" : wrong.has(one) ? "wrong" : index < here ? "past" : "coming";
      const bead = h(
        "span",
        { class: "bead" },
        state === "past" ? icon("check") : state === "wrong" ? icon("warning") : String(index + 1),
      );
      const label = [
        bead,
        h("span", { class: "step-name" }, STEPS[one].short),
        state === "wrong" && h("span", { class: "unseen" }, " (something is wrong here)"),
      ];
      return h(
        "li",
        { class: state, "aria-current": one === name ? "step" : null },
        state === "past" || state === "wrong" ? h("a", { href: stepAddress(one) }, label) : h("span", {}, label),
      );
    }),
  );
}
