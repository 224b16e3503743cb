/** Times and durations for people: local or UTC, as they chose, always with the other one at hand. */

import { h } from "./dom.js";
import { preference } from "./person.js";

const LOCALE = "en-GB";
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Whether times are shown in UTC. */
export const inUtc = () => preference("zone") === "utc";

const formats = new Map();

function format(date, options, utc = inUtc()) {
  const key = JSON.stringify([options, utc]);
  if (!formats.has(key)) {
    formats.set(
      key,
      new Intl.DateTimeFormat(LOCALE, { ...options, hourCycle: "h23", timeZone: utc ? "UTC" : undefined }),
    );
  }
  return formats.get(key).format(date);
}

const CLOCK = { hour: "2-digit", minute: "2-digit" };
const DATE = { day: "numeric", month: "short", year: "numeric" };

/** `25 Nov 2025, 03:12`. */
export const dateTime = (time) => format(new Date(time), { ...DATE, ...CLOCK });

/** `Tue 25 Nov 2025, 03:12`. */
export const fullTime = (time) => format(new Date(time), { weekday: "short", ...DATE, ...CLOCK });

/** `25 Nov`. */
export const day = (time) => format(new Date(time), { day: "numeric", month: "short" });

/** `25 Nov, 03:12`; the year is told where it is another one. */
export const shortTime = (time) => {
  const date = new Date(time);
  return format(date, {
    ...DATE,
    year: date.getFullYear() === new Date().getFullYear() ? undefined : "numeric",
    ...CLOCK,
  });
};

/** `03:12:44`. */
export const clock = (time) => format(new Date(time), { ...CLOCK, second: "2-digit" });

/** A label of a time axis: the hour, the day, the month or the year. */
export const AXIS_LABELS = {
  hour: (date) => format(date, CLOCK),
  day,
  month: (date) => format(date, { month: "short", year: "numeric" }),
  year: (date) => format(date, { year: "numeric" }),
};

/** The zone that times are shown in: `Europe/Berlin`. */
export const zoneName = () => (inUtc() ? "UTC" : Intl.DateTimeFormat().resolvedOptions().timeZone);

/** A time as an element; the same time in the other zone is its tooltip. */
export function timeElement(time, write = dateTime) {
  const other = format(new Date(time), { ...DATE, ...CLOCK, second: "2-digit", timeZoneName: "short" }, !inUtc());
  return h("time", { datetime: new Date(time).toISOString(), title: other }, write(time));
}

/** `1 h 12 min`. */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < MINUTE) return `${whole} s`;
  if (whole < 10 * MINUTE) return pair(whole, MINUTE, "min", 1, "s");
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min`;
  if (whole < DAY) return pair(whole, HOUR, "h", MINUTE, "min");
  return pair(whole, DAY, "d", HOUR, "h");
}

function pair(seconds, large, largeName, small, smallName) {
  const rest = Math.floor((seconds % large) / small);
  return `${Math.floor(seconds / large)} ${largeName}${rest ? ` ${rest} ${smallName}` : ""}`;
}

/** `3 days ago`, `just now`. */
export function age(time) {
  const seconds = (Date.now() - new Date(time)) / 1000;
  if (seconds < MINUTE) return "just now";
  const [unit, name] = [
    [DAY, "day"],
    [HOUR, "hour"],
    [MINUTE, "min"],
  ].find(([length]) => seconds >= length);
  const number = Math.floor(seconds / unit);
  return `${number} ${name}${number === 1 || name === "min" ? "" : "s"} ago`;
}

/** A duration that goes on while it is shown. */
function elapsed(since) {
  return h("span", { class: "number", "data-since": since }, duration((Date.now() - new Date(since)) / 1000));
}

/** What is left until a time, while it is shown. */
export function remaining(until) {
  return h("span", { class: "number", "data-until": until }, left(until));
}

function left(until) {
  const seconds = (new Date(until) - Date.now()) / 1000;
  return seconds > 0 ? `${duration(seconds)} left` : "passed";
}

/** A duration between two times, or one that goes on. */
export function lasted(from, to) {
  return to ? h("span", { class: "number" }, duration((new Date(to) - new Date(from)) / 1000)) : elapsed(from);
}

/** Keep what `elapsed` and `remaining` made up to date. */
export function tick() {
  for (const element of document.querySelectorAll("[data-since]")) {
    element.textContent = duration((Date.now() - new Date(element.dataset.since)) / 1000);
  }
  for (const element of document.querySelectorAll("[data-until]")) element.textContent = left(element.dataset.until);
}

/** The value of a `datetime-local` field as a time, or null; read in the zone that is shown. */
export function fromField(value) {
  const date = value ? new Date(inUtc() ? `${value}Z` : value) : null;
  return date && !Number.isNaN(date.getTime()) ? date : null;
}

/** A time as the value of a `datetime-local` field. */
export function toField(time) {
  const date = new Date(time);
  const shifted = inUtc() ? date : new Date(date.getTime() - date.getTimezoneOffset() * MINUTE * 1000);
  return shifted.toISOString().slice(0, 16);
}
