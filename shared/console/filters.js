/** The filters of the list, which stand in its address. */

import { get, query } from "./api.js";
import { h } from "./dom.js";
import { select } from "./fields.js";
import { who } from "./person.js";
import { fromField, toField } from "./times.js";
import { PHASE_GROUPS, PHASES } from "./words.js";

const SIZE = 25;
const HOUR = 3_600_000;
const SPANS = { "": "Any time", 24: "Last 24 hours", 168: "Last 7 days", 720: "Last 30 days", between: "Between…" };

/** The address of the list with filters. */
export const listAddress = (filters) => `#/restores${query(filters)}`;

/** What the API is asked for. */
export function asParameters({ phase, target, requestedBy, span, from, to, after }) {
  const phases = PHASE_GROUPS[phase]?.phases ?? phase;
  const since = Number(span)
    ? new Date(Math.floor((Date.now() - Number(span) * HOUR) / 60_000) * 60_000).toISOString()
    : "";
  return {
    phase: phases,
    target,
    requestedBy,
    after,
    size: SIZE,
    from: since || (span === "between" && fromField(from)?.toISOString()),
    to: span === "between" && fromField(to)?.toISOString(),
  };
}

/** The bar of filters; a change leads to another address. */
export function filterBar(filters, signal) {
  const change = (name) => (value) => {
    const changed = { ...filters, [name]: value, after: "" };
    if (name === "span" && value === "between")
      Object.assign(changed, { from: toField(Date.now() - 24 * HOUR), to: "" });
    location.replace(listAddress(changed));
  };
  const target = select(
    filters.target ?? "",
    { "": "Any target", ...(filters.target && { [filters.target]: filters.target }) },
    change("target"),
  );
  get("targets", { signal }).then(
    ({ targets }) => {
      const missing = targets.filter(({ alias }) => alias !== filters.target);
      target.append(...missing.map(({ alias }) => h("option", { value: alias }, alias)));
    },
    () => {},
  );
  const labelled = (id, label, control) => {
    control.id = `filter-${id}`;
    return h("div", { class: "filter" }, h("label", { for: control.id }, label), control);
  };
  const moment = (name, label) => {
    const value = filters[name] ?? "";
    // Only when it is left: what is typed changes with each digit, and a new list would take the field away.
    const left = (event) => event.target.value !== value && change(name)(event.target.value);
    const byKey = (event) => event.key === "Enter" && event.target.blur();
    return labelled(name, label, h("input", { type: "datetime-local", value, onblur: left, onkeydown: byKey }));
  };
  return h(
    "form",
    { class: "filters", role: "search", "aria-label": "Filters", onsubmit: (event) => event.preventDefault() },
    labelled("phase", "Phase", phaseSelect(filters.phase ?? "", change("phase"))),
    labelled("target", "Target", target),
    labelled(
      "requestedBy",
      "Requested by",
      h("input", {
        type: "search",
        value: filters.requestedBy ?? "",
        placeholder: "Anybody",
        list: "people",
        autocomplete: "off",
        onchange: (event) => change("requestedBy")(event.target.value.trim()),
      }),
    ),
    h("datalist", { id: "people" }, who() && h("option", { value: who() })),
    labelled("span", "Started", select(filters.span ?? "", SPANS, change("span"))),
    filters.span === "between" && [moment("from", "From"), moment("to", "To")],
    isNarrowed(filters) && h("a", { class: "button quiet", href: "#/restores" }, "Clear filters"),
  );
}

/** Whether anything is filtered. */
export const isNarrowed = ({ phase, target, requestedBy, span }) => Boolean(phase || target || requestedBy || span);

function phaseSelect(value, change) {
  const options = (all) => Object.entries(all).map(([name, { label }]) => h("option", { value: name }, label));
  return h(
    "select",
    { value, onchange: (event) => change(event.target.value) },
    h("option", { value: "" }, "Any phase"),
    options(PHASE_GROUPS),
    h(
      "optgroup",
      { label: "Exactly" },
      Object.entries(PHASES).map(([name, { label }]) => h("option", { value: name }, label)),
    ),
  );
}
