/** Form fields: a control with its label, its help, and its error beside it. */

import { h } from "./dom.js";

/** A labelled control; `error` is shown beside it and told with it. */
export function field({ id, label, help, error, optional = false, wide = false }, control) {
  const told = [help && `${id}-help`, error && `${id}-error`].filter(Boolean).join(" ");
  control.id = id;
  if (told) control.setAttribute("aria-describedby", told);
  if (error) control.setAttribute("aria-invalid", "true");
  return h(
    "div",
    { class: wide ? "field wide" : "field" },
    h("label", { for: id }, label, optional && h("span", { class: "faint" }, " (optional)")),
    control,
    error && errorText(`${id}-error`, error),
    help && h("p", { class: "help", id: `${id}-help` }, help),
  );
}

/** Why a field's value does not do. */
export function errorText(id, text) {
  return h("p", { class: "error", id }, text);
}

/** A choice of one among few, each with what it means; `titled` when a heading above says the legend already. */
export function radios({ name, legend, titled = false, value, options, error, change }) {
  const id = `${name}-error`;
  return h(
    "fieldset",
    { class: "radios", "aria-describedby": error ? id : null },
    h("legend", { class: titled ? "unseen" : null }, legend),
    options.map((option) =>
      h(
        "label",
        { class: `choice ${option.tone ?? ""}` },
        h("input", {
          type: "radio",
          name,
          value: option.value,
          id: `${name}-${option.value}`,
          checked: option.value === value,
          onchange: () => change(option.value),
        }),
        h(
          "span",
          {},
          h("span", { class: "choice-title" }, option.label),
          option.help && h("span", { class: "help" }, option.help),
        ),
      ),
    ),
    error && errorText(id, error),
  );
}

/** A choice of one among few words, side by side. */
export function segments({ name, label, value, options, change }) {
  return h(
    "div",
    { class: "segments", role: "radiogroup", "aria-label": label },
    Object.entries(options).map(([one, text]) =>
      h(
        "label",
        {},
        h("input", {
          type: "radio",
          name,
          id: `${name}-${one}`,
          value: one,
          checked: value === one,
          onchange: () => change(one),
        }),
        h("span", {}, text),
      ),
    ),
  );
}

/** A choice of one among several, in one line. */
export function select(value, options, change) {
  return h(
    "select",
    { value, onchange: (event) => change(event.target.value) },
    Object.entries(options).map(([name, label]) => h("option", { value: name }, label)),
  );
}

/** Something that is so or not. */
export function check({ id, label, help, checked, change }) {
  return h(
    "label",
    { class: "choice" },
    h("input", { type: "checkbox", id, checked, onchange: (event) => change(event.target.checked) }),
    h("span", {}, h("span", { class: "choice-title" }, label), help && h("span", { class: "help" }, help)),
  );
}

/** A line of text. */
export function line(value, change, attributes) {
  return h("input", {
    type: "text",
    value,
    spellcheck: "false",
    autocomplete: "off",
    oninput: (event) => change(event.target.value),
    ...attributes,
  });
}
