/** Recovery points as marks over time: a slider whose stops are the points. */

import { h } from "./dom.js";
import { age, AXIS_LABELS, fullTime, inUtc } from "./times.js";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const STEPS = [
  ["hour", 1, HOUR],
  ["hour", 3, 3 * HOUR],
  ["hour", 6, 6 * HOUR],
  ["hour", 12, 12 * HOUR],
  ["day", 1, DAY],
  ["day", 2, 2 * DAY],
  ["day", 7, 7 * DAY],
  ["day", 14, 14 * DAY],
  ["month", 1, 30 * DAY],
  ["month", 3, 91 * DAY],
  ["month", 6, 182 * DAY],
  ["year", 1, 365 * DAY],
  ["year", 2, 730 * DAY],
  ["year", 5, 1826 * DAY],
];
const LABELS = 8;
const REACH = 32;
const STRIDE = 10;

/** The time line.
 *
 * @param points the newest first, all within the range; `obstacle` says why one cannot be restored.
 * @param moment a time to mark, or null.
 * @param pick called with a point that was chosen.
 */
export function timeline({ points, picked, from, to, moment, pick }) {
  const where = (time) => ((new Date(time) - from) / (to - from)) * 100;
  const oldestFirst = points.toReversed();
  const usable = oldestFirst.filter(({ obstacle }) => !obstacle);
  const marks = new Map(
    oldestFirst.map((point) => [point, placed(h("span", { class: markClass(point, picked) }), where(point.time))]),
  );
  const flag = h("div", { class: "flag", "aria-hidden": "true" });
  const track = h(
    "div",
    {
      class: "track",
      id: "timeline",
      tabindex: "0",
      role: "slider",
      "aria-label": "Recovery point",
      "aria-describedby": "timeline-help",
      "aria-valuemin": "0",
      "aria-valuemax": String(Math.max(0, usable.length - 1)),
      "aria-valuenow": String(Math.max(0, index())),
      "aria-valuetext": spoken(usable[index()]),
      onkeydown: byKey,
      onpointermove: (event) => show(near(event) ?? usable[index()]),
      onpointerleave: () => show(usable[index()]),
      onclick: (event) => {
        const point = near(event);
        if (point && !point.obstacle) pick(point);
        else if (point) show(point);
      },
    },
    [...marks.values()],
    moment && placed(h("span", { class: "moment" }, h("span", {}, "incident")), where(moment)),
  );
  show(usable[index()]);
  return h(
    "div",
    { class: "timeline" },
    flag,
    track,
    h(
      "div",
      { class: "axis", "aria-hidden": "true" },
      ticks(from, to).map(({ time, label }) => placed(h("span", {}, h("span", {}, label)), where(time))),
    ),
    h(
      "p",
      { class: "unseen", id: "timeline-help" },
      "Left and right choose an older or a newer point, Home the oldest, End the newest.",
    ),
  );

  function index() {
    return usable.findIndex(({ id }) => id === picked?.id);
  }

  function byKey(event) {
    const last = usable.length - 1;
    const here = index() < 0 ? last : index();
    const there = {
      ArrowLeft: here - 1,
      ArrowDown: here - 1,
      ArrowRight: here + 1,
      ArrowUp: here + 1,
      PageDown: here - STRIDE,
      PageUp: here + STRIDE,
      Home: 0,
      End: last,
    }[event.key];
    if (there === undefined) return;
    event.preventDefault();
    const point = usable[Math.min(last, Math.max(0, there))];
    if (point) pick(point);
  }

  function near(event) {
    const box = track.getBoundingClientRect();
    const distance = (point) => Math.abs(box.left + (where(point.time) / 100) * box.width - event.clientX);
    const closest = oldestFirst.reduce(
      (best, point) => (best && distance(best) <= distance(point) ? best : point),
      null,
    );
    return closest && distance(closest) <= REACH ? closest : null;
  }

  function show(point) {
    for (const [one, mark] of marks) mark.classList.toggle("shown", one === point);
    flag.replaceChildren(
      ...(point
        ? [
            placed(
              h("span", { class: point.obstacle ? "off" : point.id === picked?.id ? "picked" : "" }, flagText(point)),
              where(point.time),
              true,
            ),
          ]
        : []),
    );
  }
}

/** Put an element to its share of the width; `within` keeps all of it inside. */
function placed(element, share, within = false) {
  element.style.left = `${share}%`;
  if (within) element.style.transform = `translateX(-${Math.min(100, Math.max(0, share))}%)`;
  return element;
}

const markClass = ({ id, obstacle }, picked) => `mark${obstacle ? " off" : ""}${id === picked?.id ? " picked" : ""}`;

const flagText = ({ time, obstacle }) =>
  obstacle ? `${fullTime(time)}: cannot be restored` : `${fullTime(time)} · ${age(time)}`;

const spoken = (point) => (point ? `${fullTime(point.time)}, ${age(point.time)}` : "none");

/** Round times of a range, as many as have room. */
function ticks(from, to) {
  const [unit, number] = STEPS.find(([, , length]) => (to - from) / length <= LABELS) ?? STEPS.at(-1);
  const found = [];
  for (let time = floor(from, unit, number); time <= to; time = after(time, unit, number)) {
    if (time >= from) found.push({ time, label: label(time, unit) });
  }
  return found;
}

const parts = (date) =>
  inUtc()
    ? [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate(), date.getUTCHours()]
    : [date.getFullYear(), date.getMonth(), date.getDate(), date.getHours()];

const made = (...of) => (inUtc() ? new Date(Date.UTC(...of)) : new Date(...of));

function floor(time, unit, number) {
  const [year, month, day, hour] = parts(new Date(time));
  if (unit === "hour") return made(year, month, day, hour - (hour % number));
  if (unit === "day") return made(year, month, day);
  if (unit === "month") return made(year, month - (month % number), 1);
  return made(year - (year % number), 0, 1);
}

function after(time, unit, number) {
  const [year, month, day, hour] = parts(time);
  if (unit === "hour") return made(year, month, day, hour + number);
  if (unit === "day") return made(year, month, day + number);
  if (unit === "month") return made(year, month + number, 1);
  return made(year + number, 0, 1);
}

function label(time, unit) {
  const midnight = unit === "hour" && parts(time)[3] === 0;
  return AXIS_LABELS[midnight ? "day" : unit](time);
}
