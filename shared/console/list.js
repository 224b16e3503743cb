/** Restores: the newest first, narrowed by filters that stand in the address. */

import { query } from "./api.js";
import { entitle, fill, h, heading, part } from "./dom.js";
import { asParameters, filterBar, isNarrowed, listAddress } from "./filters.js";
import { watch } from "./live.js";
import { empty, problemNote, staleNote, waiting } from "./notices.js";
import { phaseChip } from "./phase.js";
import { age, clock, lasted, shortTime, timeElement } from "./times.js";
import { isOver } from "./words.js";

const EVERY = 5_000;

/** The screen; `query` is the part of the address that holds the filters. */
export function showList(main, { query: given, signal }) {
  entitle("Restores");
  const filters = Object.fromEntries(new URLSearchParams(given));
  const state = h("p", { class: "faint live", id: "live" });
  const stale = h("div", {});
  const rows = part(h("div", {}), (page) => drawn(page, filters));
  const place = h("div", {}, waiting("Looking for restores…", 8));
  fill(
    main,
    h(
      "div",
      { class: "page" },
      h("div", { class: "head" }, heading("Restores"), state),
      filterBar(filters, signal),
      stale,
      place,
    ),
  );

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
      if (rows.element.isConnected && !over) fill(stale, staleNote(problem));
      else fill(place, problemNote(problem, over ? null : () => location.reload()));
    },
  });
}

function drawn({ restores, next }, filters) {
  if (!restores.length) return nothing(filters);
  return [
    h(
      "table",
      { class: "panel restores" },
      h("caption", { class: "unseen" }, "Restores, the newest first"),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          ["Restore", "Phase", "From, into", "Requested by", "Started", "Duration"].map((name) =>
            h("th", { scope: "col" }, name),
          ),
        ),
      ),
      h("tbody", {}, restores.map(row)),
    ),
    h(
      "nav",
      { class: "pages", "aria-label": "Pages" },
      filters.after
        ? h("a", { class: "button", href: listAddress({ ...filters, after: "" }) }, "Newest")
        : h("span", {}),
      next && h("a", { class: "button", id: "older", href: listAddress({ ...filters, after: next }) }, "Older"),
    ),
  ];
}

function nothing(filters) {
  if (isNarrowed(filters) || filters.after) {
    return empty(
      "clock",
      "No restore fits these filters",
      "Restores whose history was purged are not listed; their reports are kept.",
      h("a", { class: "button", href: "#/restores" }, "Clear filters"),
    );
  }
  return empty(
    "restore",
    "No restores yet",
    "Start one here in four short steps; nothing is touched before you have seen the plan. Requests from the queue show up here as well.",
    h("a", { class: "button primary", href: "#/new" }, "New restore"),
  );
}

function row(restore) {
  const { requestId, phase, source, target, ticket, requestedBy, startedAt, updatedAt, dryRun, mode } = restore;
  const kind = dryRun ? "dry run" : mode === "files-only" ? "files only" : mode === "import-only" ? "import only" : "";
  const beside = [ticket !== requestId && ticket, kind].filter(Boolean).join(" · ");
  return h(
    "tr",
    {},
    h(
      "th",
      { scope: "row", class: "name" },
      h("a", { href: `#/restores/${encodeURIComponent(requestId)}`, id: `restore-${requestId}` }, requestId),
      beside && h("span", { class: "faint" }, beside),
    ),
    h("td", { class: "phase" }, phaseChip(phase)),
    h(
      "td",
      { class: "way" },
      h("span", {}, source || "?"),
      h("span", { class: "into", "aria-hidden": "true" }, " → "),
      h("span", { class: "unseen" }, " into "),
      h("strong", {}, target),
    ),
    h("td", { class: "who" }, requestedBy || h("span", { class: "faint" }, "not said")),
    h("td", { class: "when" }, timeElement(startedAt, shortTime), h("span", { class: "faint" }, age(startedAt))),
    h("td", { class: "duration" }, lasted(startedAt, isOver(phase) && updatedAt)),
  );
}
