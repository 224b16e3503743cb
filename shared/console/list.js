/** Restores: the newest first, narrowed by filters that stand in the address. */

import { get, query } from "./api.js";
import { entitle, fill, h, heading, part } from "./dom.js";
import { line, select } from "./fields.js";
import { watch } from "./live.js";
import { empty, note, problemNote, waiting } from "./notices.js";
import { who } from "./person.js";
import { phaseChip } from "./phase.js";
import { age, clock, fromField, lasted, shortTime, timeElement, toField } from "./times.js";
import { isOver, PHASE_GROUPS, PHASES } from "./words.js";

const EVERY = 5_000;
const SIZE = 25;
const HOUR = 3_600_000;
const SPANS = { "": "Any time", 24: "Last 24 hours", 168: "Last 7 days", 720: "Last 30 days", between: "Between…" };

/** The screen; `query` is the part of the address that holds the filters. */
export function showList(main, { query: given, signal }) {
  entitle("Restores");
  const filters = Object.fromEntries(new URLSearchParams(given));
  const state = h("p", { class: "faint live", id: "live" });
  const stale = h("div", {});
  const rows = part(h("div", {}), (page) => drawn(page, filters));
  const place = h("div", {}, waiting("Looking for restores…", 8));
  fill(main, h("div", { class: "page" },
    h("div", { class: "head" }, heading("Restores"), state),
    filterBar(filters, signal),
    stale, place));

  watch(`restores${query(asParameters(filters))}`, {
    every: EVERY,
    signal,
    show: (page) => {
      rows.show(page);
      if (!rows.element.isConnected) fill(place, rows.element);
    },
    seen: () => {
      fill(stale);
      fill(state, h("span", { class: "dot" }), "Live, as of ", timeElement(Date.now(), clock));
    },
    trouble: (problem, over) => {
      fill(state);
      if (rows.element.isConnected && !over) fill(stale, note("warn", `${problem.headline} What you see may be out of date; trying again.`));
      else fill(place, problemNote(problem, over ? null : () => location.reload()));
    },
  });
}

/** The address of the list with filters. */
export const listAddress = (filters) => `#/restores${query(filters)}`;

function asParameters({ phase, target, requestedBy, span, from, to, after }) {
  const phases = PHASE_GROUPS[phase]?.phases ?? phase;
  const since = Number(span) ? new Date(Math.floor((Date.now() - Number(span) * HOUR) / 60_000) * 60_000).toISOString() : "";
  return {
    phase: phases, target, requestedBy, after, size: SIZE,
    from: since || (span === "between" && fromField(from)?.toISOString()),
    to: span === "between" && fromField(to)?.toISOString(),
  };
}

function filterBar(filters, signal) {
  const change = (name) => (value) => {
    const changed = { ...filters, [name]: value, after: "" };
    if (name === "span" && value === "between") Object.assign(changed, { from: toField(Date.now() - 24 * HOUR), to: "" });
    location.replace(listAddress(changed));
  };
  const target = select(filters.target ?? "", { "": "Any target", ...(filters.target && { [filters.target]: filters.target }) }, change("target"));
  get("targets", { signal }).then(({ targets }) => {
    const missing = targets.filter(({ alias }) => alias !== filters.target);
    target.append(...missing.map(({ alias }) => h("option", { value: alias }, alias)));
  }, () => {});
  const labelled = (id, label, control) => {
    control.id = `filter-${id}`;
    return h("div", { class: "filter" }, h("label", { for: control.id }, label), control);
  };
  const moment = (name, label) => labelled(name, label,
    h("input", { type: "datetime-local", value: filters[name] ?? "", onchange: (event) => change(name)(event.target.value) }));
  return h("form", { class: "filters", role: "search", "aria-label": "Filters", onsubmit: (event) => event.preventDefault() },
    labelled("phase", "Phase", phaseSelect(filters.phase ?? "", change("phase"))),
    labelled("target", "Target", target),
    labelled("requestedBy", "Requested by", h("input", {
      type: "search", value: filters.requestedBy ?? "", placeholder: "Anybody", list: "people", autocomplete: "off",
      onchange: (event) => change("requestedBy")(event.target.value.trim()),
    })),
    h("datalist", { id: "people" }, who() && h("option", { value: who() })),
    labelled("span", "Started", select(filters.span ?? "", SPANS, change("span"))),
    filters.span === "between" && [moment("from", "From"), moment("to", "To")],
    isNarrowed(filters) && h("a", { class: "button quiet", href: "#/restores" }, "Clear filters"));
}

const isNarrowed = ({ phase, target, requestedBy, span }) => Boolean(phase || target || requestedBy || span);

function phaseSelect(value, change) {
  const options = (all) => Object.entries(all).map(([name, { label }]) => h("option", { value: name }, label));
  return h("select", { value, onchange: (event) => change(event.target.value) },
    h("option", { value: "" }, "Any phase"), options(PHASE_GROUPS),
    h("optgroup", { label: "Exactly" }, Object.entries(PHASES).map(([name, { label }]) => h("option", { value: name }, label))));
}

function drawn({ restores, next }, filters) {
  if (!restores.length) return nothing(filters);
  return [
    h("table", { class: "panel restores" },
      h("caption", { class: "unseen" }, "Restores, the newest first"),
      h("thead", {}, h("tr", {}, ["Restore", "Phase", "From, into", "Requested by", "Started", "Duration"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, restores.map(row))),
    h("nav", { class: "pages", "aria-label": "Pages" },
      filters.after ? h("a", { class: "button", href: listAddress({ ...filters, after: "" }) }, "Newest") : h("span", {}),
      next && h("a", { class: "button", id: "older", href: listAddress({ ...filters, after: next }) }, "Older")),
  ];
}

function nothing(filters) {
  if (isNarrowed(filters) || filters.after) {
    return empty("clock", "No restore fits these filters", "Restores whose history was purged are not listed; their reports are kept.",
      h("a", { class: "button", href: "#/restores" }, "Clear filters"));
  }
  return empty("restore", "No restores yet",
    "Start one here in four short steps; nothing is touched before you have seen the plan. Requests from the queue show up here as well.",
    h("a", { class: "button primary", href: "#/new" }, "New restore"));
}

function row(restore) {
  const { requestId, phase, source, target, ticket, requestedBy, startedAt, updatedAt, dryRun, mode } = restore;
  const kind = dryRun ? "dry run" : mode === "files-only" ? "files only" : mode === "import-only" ? "import only" : "";
  const beside = [ticket !== requestId && ticket, kind].filter(Boolean).join(" · ");
  return h("tr", {},
    h("th", { scope: "row", class: "name" }, h("a", { href: `#/restores/${encodeURIComponent(requestId)}`, id: `restore-${requestId}` }, requestId), beside && h("span", { class: "faint" }, beside)),
    h("td", { class: "phase" }, phaseChip(phase)),
    h("td", { class: "way" }, h("span", {}, source || "?"), h("span", { class: "into", "aria-hidden": "true" }, " → "), h("span", { class: "unseen" }, " into "), h("strong", {}, target)),
    h("td", { class: "who" }, requestedBy || h("span", { class: "faint" }, "not said")),
    h("td", { class: "when" }, timeElement(startedAt, shortTime), h("span", { class: "faint" }, age(startedAt))),
    h("td", { class: "duration" }, lasted(startedAt, isOver(phase) && updatedAt)));
}
