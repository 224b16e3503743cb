/** Second step: the recovery point, on a time line and in a list. */

import { showAnswer } from "./answer.js";
import { announce, fill, h } from "./dom.js";
import { errorText, field, segments } from "./fields.js";
import { chip } from "./phase.js";
import { empty, note } from "./notices.js";
import { timeline } from "./timeline.js";
import { age, duration, fromField, fullTime, timeElement, zoneName } from "./times.js";
import { count } from "./words.js";

const DAY = 86_400_000;
const RANGES = { 7: "7 days", 30: "30 days", 90: "90 days", 365: "1 year", all: "All" };
const ENOUGH = 8;

export const pointStep = {
  short: "Recovery point",
  title: "Which point in time?",
  lead: "Each mark is a recovery point. The newest one that can be restored is chosen; take an older one if the data was damaged before it.",
  missing: ({ point }) => (point ? {} : { point: "Choose a recovery point." }),
  draw,
};

function draw(place, draft, { changed, ...context }) {
  const path = `instances/${encodeURIComponent(draft.instance.name)}/recovery-points`;
  showAnswer(place, path, { ...context, text: "Asking the vault for recovery points…", rows: 5 }, ({ points }) => {
    if (points.length) return choice(points, draft, changed);
    return empty(
      "clock",
      "There is no recovery point yet",
      `The vault has made no backup of ${draft.instance.server} so far.`,
    );
  });
}

/** The time line and the list, which follow each other. */
function choice(points, draft, changed) {
  const usable = points.filter(({ obstacle }) => !obstacle);
  const known = usable.find(({ id }) => id === draft.point?.id) ?? usable[0] ?? null;
  const above = h("div", { class: "step-body" });
  const below = h("div", {});
  let range = enough(points);
  const ranges = segments({ name: "range", label: "Range", value: range, options: RANGES, change: look });
  pick(known);
  return [
    usable.length === 0 &&
      note("bad", "None of these points can be restored as files", h("p", {}, "The list says why of each.")),
    draft.errors.point && errorText("point-error", draft.errors.point),
    h(
      "div",
      { class: "panel padded" },
      h(
        "div",
        { class: "point-controls" },
        ranges,
        h("button", { type: "button", id: "latest", onclick: () => pick(usable[0]) }, "Latest"),
        field(
          { id: "moment", label: "Last point before the incident at" },
          h("input", { type: "datetime-local", value: draft.moment, onchange: (event) => before(event.target.value) }),
        ),
      ),
      above,
    ),
    below,
  ];

  function pick(point) {
    if (point?.id !== draft.point?.id || point?.time !== draft.point?.time) changed({ point });
    look(point && new Date(point.time) < bounds(points, range).from ? "all" : range);
    below.querySelector(".picked")?.scrollIntoView({ block: "nearest" });
  }

  function before(value) {
    changed({ moment: value });
    const moment = fromField(value);
    const point = moment && usable.find(({ time }) => new Date(time) <= moment);
    if (point) announce(`Chosen: ${fullTime(point.time)}`);
    pick(point ?? draft.point);
  }

  function look(wanted) {
    range = wanted;
    ranges.querySelector(`[value="${range}"]`).checked = true;
    const { from, to } = bounds(points, range);
    const within = points.filter(({ time }) => new Date(time) >= from && new Date(time) <= to);
    const moment = fromField(draft.moment);
    fill(
      above,
      timeline({ points: within, picked: draft.point, from, to, moment, pick }),
      verdict(draft.point, usable, moment),
    );
    fill(below, list(within, draft.point, usable[0], pick));
  }
}

/** The shortest range that shows enough points to choose from. */
function enough(points) {
  return (
    Object.keys(RANGES).find(
      (days) => points.filter(({ time }) => Date.now() - new Date(time) <= days * DAY).length >= ENOUGH,
    ) ?? "all"
  );
}

function bounds(points, range) {
  const to = new Date();
  const first = new Date(points.at(-1).time);
  const margin = Math.max(DAY / 4, (to - first) * 0.04);
  return { from: range === "all" ? new Date(first - margin) : new Date(to - range * DAY), to };
}

function verdict(point, usable, moment) {
  if (!point) return null;
  const newest = point.id === usable[0]?.id;
  const gap = ((moment ?? Date.now()) - new Date(point.time)) / 1000;
  return h(
    "p",
    { class: "verdict", role: "status" },
    h("strong", {}, timeElement(point.time, fullTime)),
    h("span", { class: "faint" }, zoneName()),
    newest ? chip("latest", "good") : chip("not the latest", "none"),
    gap >= 0
      ? h(
          "span",
          {},
          moment ? "What was written in the " : "Not in it: what was written in the ",
          h("strong", {}, duration(gap)),
          moment ? " before the incident is not in it." : " since.",
        )
      : h("span", { class: "grave" }, "After the incident: the damage may be in it."),
  );
}

function list(points, picked, latest, pick) {
  const unusable = points.filter(({ obstacle }) => obstacle).length;
  return h(
    "section",
    {},
    h(
      "h2",
      {},
      "As a list ",
      h(
        "span",
        { class: "faint" },
        count(points.length, "point"),
        unusable > 0 && `, ${unusable} of them cannot be restored`,
      ),
    ),
    points.length === 0 && h("p", { class: "faint" }, "There is none in this range; choose a longer one."),
    points.length > 0 &&
      h(
        "div",
        { class: "panel points", role: "radiogroup", "aria-label": "Recovery points" },
        points.map((point) => row(point, picked, latest, pick)),
      ),
  );
}

function row(point, picked, latest, pick) {
  const { id, time, obstacle } = point;
  const chosen = id === picked?.id;
  return h(
    "label",
    { class: `point ${chosen ? "picked" : ""} ${obstacle ? "off" : ""}` },
    h("input", {
      type: "radio",
      name: "point",
      id: `point-${id}`,
      value: id,
      checked: chosen,
      disabled: Boolean(obstacle),
      onchange: () => pick(point),
    }),
    h("span", { class: "when" }, timeElement(time, fullTime)),
    h("span", { class: "faint" }, age(time)),
    obstacle
      ? h("span", { class: "why" }, `It ${obstacle}`)
      : id === latest?.id
        ? chip("latest", "good")
        : h("span", {}),
  );
}
