/** A phase as a chip, and the course of a restore through its phases. */

import { h } from "./dom.js";
import { icon } from "./icons.js";
import { clock, day, lasted, timeElement } from "./times.js";
import { isOver, STATES, wordsOf } from "./words.js";

const SIGNS = { good: "check", warn: "warning", bad: "cross", wait: "person", none: "minus", run: null };

/** The phase with its sign and colour. */
export function phaseChip(phase) {
  const { label, tone } = wordsOf(phase);
  return chip(label, tone);
}

/** The state of a file. */
export function stateChip(state) {
  const { label, tone } = STATES[state] ?? { label: state, tone: "none" };
  return chip(label, tone);
}

/** A word with a sign and a colour. */
export function chip(label, tone) {
  return h("span", { class: `chip ${tone}` }, SIGNS[tone] ? icon(SIGNS[tone]) : h("span", { class: "dot" }), label);
}

/** The timeline: when each phase was entered and how long it took, and those that are still to come. */
export function course({ phases, phase, mode, dryRun, approval }) {
  const entered = phases.map((entry, index) =>
    step(entry, phases[index - 1], phases[index + 1], about(entry.phase, mode, dryRun)),
  );
  const coming = isOver(phase) ? [] : ahead({ phases, mode, dryRun, approval }).map(stillToCome);
  return h("ol", { class: "course" }, entered, coming);
}

/** What a phase means for this kind of restore. */
function about(phase, mode, dryRun) {
  if (phase !== "Completed") return wordsOf(phase).about;
  if (dryRun) return "The plan can be carried out.";
  return mode === "files-only" ? "The files lie in their landing container." : wordsOf(phase).about;
}

function step({ phase, at }, before, next, meaning) {
  const { label, tone } = wordsOf(phase);
  const state = next ? "past" : isOver(phase) ? "end" : "now";
  const newDay = before && day(before.at) !== day(at);
  return h(
    "li",
    { class: `${state} ${tone}`, "aria-current": state === "now" ? "step" : null },
    h("span", { class: "faint when" }, newDay && h("span", {}, day(at)), timeElement(at, clock)),
    h("span", { class: "bead" }, state === "past" ? icon("check") : SIGNS[tone] && icon(SIGNS[tone])),
    h("div", {}, h("span", { class: "step-name" }, label), state !== "past" && h("span", { class: "help" }, meaning)),
    h("span", { class: "took" }, state !== "end" && lasted(at, next?.at)),
  );
}

function stillToCome(phase) {
  return h(
    "li",
    { class: "coming" },
    h("span", {}),
    h("span", { class: "bead" }),
    h("div", {}, h("span", { class: "step-name" }, wordsOf(phase).label)),
  );
}

const ORDER = ["Accepted", "Planning", "AwaitingApproval", "AwaitingLanding", "Restoring", "Importing", "Verifying"];

function ahead({ phases, mode, dryRun, approval }) {
  const left = new Set([
    ...(approval ? [] : ["AwaitingApproval"]),
    ...(dryRun ? ["AwaitingApproval", "AwaitingLanding", "Restoring", "Importing", "Verifying"] : []),
    ...(mode === "files-only" ? ["Importing", "Verifying"] : []),
    ...(mode === "import-only" ? ["AwaitingLanding", "Restoring"] : []),
  ]);
  const last = ORDER.indexOf(phases.at(-1)?.phase ?? "Accepted");
  return ORDER.slice(last + 1).filter((phase) => !left.has(phase));
}
