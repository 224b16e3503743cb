/** One restore: where it stands, live until it has ended, and what can be done about it. */

import { get, Problem, restorePath } from "./api.js";
import { concerns } from "./concerns.js";
import { cancel, retry } from "./decisions.js";
import { announce, entitle, fill, h, heading, part } from "./dom.js";
import { backupName, filesView } from "./files.js";
import { icon } from "./icons.js";
import { watch } from "./live.js";
import { copyButton, note, problemNote, staleNote, waiting } from "./notices.js";
import { course, phaseChip } from "./phase.js";
import { facts, planView, requestJson } from "./plan.js";
import { draftOf } from "./request.js";
import { reportView } from "./report.js";
import { dateTime, lasted, shortTime, timeElement } from "./times.js";
import { isOver, MODES, wordsOf } from "./words.js";

const EVERY = 3_000;

/** The screen. */
export function showRestore(main, { name: requestId, signal }) {
  entitle(requestId);
  const place = h("div", {}, waiting("Looking where it stands…", 6));
  const stale = h("div", {});
  const said = h("div", {});
  let screen = null;
  let phase = null;
  fill(
    main,
    h(
      "div",
      { class: "page" },
      h("p", { class: "crumb" }, h("a", { href: "#/restores" }, icon("back"), "Restores")),
      heading(requestId),
      stale,
      said,
      place,
    ),
  );

  const done = (answer) => {
    if (answer?.message) fill(said, note("info", "It will end as Cancelled", h("p", {}, answer.message)));
    if (answer) look();
  };
  const look = watch(restorePath(requestId), {
    every: EVERY,
    signal,
    show: (status) => {
      if (!screen) fill(place, (screen = frame(requestId, signal, done)).element);
      screen.show(status);
      const { label } = wordsOf(status.phase);
      entitle(isOver(status.phase) || !status.progress ? label : `${percent(status)} ${label}`, requestId);
      if (phase && phase !== status.phase) announce(`${requestId}: ${label}. ${status.message}`);
      phase = status.phase;
      if (isOver(phase)) fill(said);
      return isOver(phase);
    },
    seen: () => fill(stale),
    final: (problem) => !problem.passes && problem.status !== 404,
    trouble: (problem, over) => {
      if (screen && !over) fill(stale, staleNote(problem));
      else fill(place, problem.status === 404 ? unknown(requestId) : problemNote(problem, over ? null : () => look()));
    },
  });
}

const percent = ({ progress }) => `${Math.floor(progress * 100)} %`;

function unknown(requestId) {
  return h(
    "div",
    { class: "empty" },
    icon("clock"),
    h("h2", {}, "There is no such restore"),
    h(
      "p",
      {},
      `If ${requestId} was just sent to the queue, it shows up here by itself. If it is an old one, its history was purged; reports are kept longer.`,
    ),
    h("p", { class: "actions" }, h("a", { class: "button", href: "#/restores" }, "All restores")),
  );
}

/** The parts of the screen, each drawn again only when it changes. */
function frame(requestId, signal, done) {
  const parts = [
    [
      part(h("section", { class: "standing", "aria-label": "State" }), (status) => stateView(status, done)),
      (status) => status,
    ],
    [
      part(h("section", { class: "concerns" }), (status) => concerns(status, done)),
      ({ files, progress, updatedAt, ...rest }) => rest,
    ],
    [part(h("section", { class: "plan" }), planSection), ({ plan, dryRun, phase }) => ({ plan, dryRun, phase })],
    [part(h("section", {}), ({ files }) => (files.length ? filesView(files) : [])), ({ files }) => ({ files })],
    [
      part(h("section", {}), ({ there }) => (there ? reportView(requestId, signal) : [])),
      ({ report, phase }) => ({ there: Boolean(report) && isOver(phase) }),
    ],
  ];
  const aside = [
    [
      part(h("section", { class: "panel" }), (status) => [h("h2", {}, "Course"), course(status)]),
      ({ phases, phase, mode, dryRun, approval }) => ({ phases, phase, mode, dryRun, approval: Boolean(approval) }),
    ],
    [
      part(h("section", { class: "panel" }), (status) => [h("h2", {}, "Facts"), factsView(status)]),
      ({ files, progress, phases, message, errors, ...rest }) => ({ ...rest, backup: backupName(files) }),
    ],
  ];
  const elements = (some) => some.map(([one]) => one.element);
  return {
    element: h(
      "div",
      { class: "restore" },
      h("div", { class: "main" }, elements(parts)),
      h("div", { class: "side" }, elements(aside)),
    ),
    show: (status) => [...parts, ...aside].forEach(([one, choose]) => one.show(choose(status))),
  };
}

function stateView(status, done) {
  const { phase, message, progress, startedAt, updatedAt, files } = status;
  const over = isOver(phase);
  const bar = (progress > 0 || files.length > 0) && !status.dryRun;
  return [
    h(
      "div",
      { class: "line" },
      phaseChip(phase),
      h(
        "span",
        { class: "faint" },
        over ? "took " : "for ",
        lasted(startedAt, over && updatedAt),
        ", started ",
        timeElement(startedAt, dateTime),
      ),
      actionButtons(status, done),
    ),
    message && h("p", { class: "message" }, message),
    bar &&
      h(
        "div",
        { class: `progress ${wordsOf(phase).tone}` },
        h("progress", { max: "1", value: progress, "aria-label": "Share of the restored bytes that is in place" }),
        h("span", { class: "number" }, percent(status)),
      ),
  ];
}

/** What can be done about it, besides deciding on its plan. */
function actionButtons(status, done) {
  const can = (action) => status.actions.includes(action);
  return h(
    "div",
    { class: "actions" },
    can("retry") &&
      h("button", { type: "button", id: "retry", class: "button primary", onclick: () => retry(status) }, "Retry…"),
    isOver(status.phase) &&
      h(
        "button",
        {
          type: "button",
          id: "again",
          class: status.phase === "Rejected" ? "button primary" : "button",
          onclick: () => again(status),
        },
        againLabel(status),
      ),
    can("cancel") &&
      h("button", { type: "button", id: "cancel", onclick: async () => done(await cancel(status)) }, "Cancel…"),
  );
}

function againLabel({ phase, dryRun }) {
  if (phase === "Rejected") return "Correct and send again…";
  return dryRun ? "Restore for real…" : "New restore like this…";
}

function planSection({ plan, dryRun, phase }) {
  if (!plan) return [];
  const title = dryRun && isOver(phase) ? "The plan: this was a dry run, nothing was touched" : "The plan";
  return [h("h2", {}, title), h("div", { class: "panel padded" }, planView(plan), requestJson(plan.request))];
}

function factsView(status) {
  const { source, target, mode, dryRun, requestedBy, ticket, reason, container, job, updatedAt, backup } = status;
  return facts([
    ["From", source && h("strong", {}, source)],
    ["Into", target && h("strong", {}, target)],
    ["What", dryRun ? "Dry run" : MODES[mode]],
    ["Requested by", requestedBy],
    ["Ticket", ticket],
    ["Reason", reason],
    ["Container", container && h("code", {}, container)],
    ["Backup name", backup && [h("code", {}, backup), " ", copyButton(backup)]],
    ["Backup job", job && [job.status, h("br", {}), h("code", {}, job.id), " ", copyButton(job.id)]],
    ["Updated", timeElement(updatedAt, shortTime)],
  ]);
}

/** A new request with what this one asked for; the plan or the report tells. */
async function again({ requestId, plan }) {
  try {
    const request = plan?.request ?? (await get(restorePath(requestId, "report"))).request;
    draftOf(request);
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
  }
  location.hash = "#/new/options";
}
