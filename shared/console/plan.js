/** A plan, as whoever is to approve or start it must see it. */

import { h } from "./dom.js";
import { copyButton, note, remedyView } from "./notices.js";
import { age, fullTime, timeElement } from "./times.js";
import { CHOICES, count, MODES, noteworthy, size } from "./words.js";

/** Names and values, one below the other; those without a value are left out. */
export function facts(entries) {
  return h(
    "dl",
    { class: "facts" },
    entries.filter(([, value]) => value).map(([name, ...value]) => [h("dt", {}, name), h("dd", {}, value)]),
  );
}

/** Everything a plan says. */
export function planView({ request, target, instance, recoveryPoint, tools, loading, findings: found }) {
  return [
    facts([
      [
        "From",
        instance
          ? [
              h("strong", {}, instance.server),
              h(
                "span",
                { class: "faint" },
                ` instance ${instance.name}, vault ${instance.vault}, ${instance.location}`,
              ),
            ]
          : [
              h("strong", {}, request.source.container),
              h("span", { class: "faint" }, ` files of ${request.source.backupName}`),
            ],
      ],
      [
        "As of",
        recoveryPoint && [
          h("strong", {}, timeElement(recoveryPoint.time, fullTime)),
          h("span", { class: "faint" }, ` ${age(recoveryPoint.time)}, `),
          h("code", {}, recoveryPoint.id),
        ],
      ],
      [
        "Into",
        [h("strong", {}, target.alias), h("span", { class: "faint" }, ` ${target.host}, PostgreSQL ${target.version}`)],
      ],
      ["What", MODES[request.mode]],
      ["Databases", request.mode !== "files-only" && databases(request)],
      ["Roles", request.mode !== "files-only" && CHOICES.roles[request.roles]],
      ["Loading", loading && loadingView(loading)],
      ["Tools", h("span", { class: "faint" }, Object.values(tools).join("; "))],
    ]),
    gravity(request),
    warnings(found),
  ];
}

/** Each choice of the databases with the name that it gets. */
export function databases({ databases: choices, exclude }) {
  const rows = choices.map(({ name, as }) =>
    h(
      "li",
      {},
      h("span", { class: "db" }, name === "*" ? "every database of the backup" : name),
      as && as !== name
        ? [h("span", { class: "into" }, " → "), h("strong", { class: "db" }, as === "*" ? "its own name" : as)]
        : h("span", { class: "faint" }, name === "*" ? ", each under its own name" : " under its own name"),
    ),
  );
  return [
    h("ul", { class: "names" }, rows),
    exclude.length > 0 && h("p", { class: "faint" }, "without ", exclude.join(", ")),
  ];
}

/** Which ways the files will take, and each file's that is there already. */
function loadingView({ rule, databases: known, leftOut }) {
  const rows = known.map(({ database, size: bytes, how }) =>
    h("li", {}, h("span", { class: "db" }, database), h("span", { class: "faint" }, ` ${size(bytes)}, ${how}`)),
  );
  return [
    h("p", {}, rule),
    rows.length > 0 && h("ul", { class: "names", "aria-label": "How each database will be loaded" }, rows),
    leftOut > 0 && h("p", { class: "faint" }, `and ${count(leftOut, "smaller one")}`),
  ];
}

/** What nobody should miss. */
export function gravity(request) {
  return noteworthy(request).map(({ tone, text }) => note(tone, null, h("p", {}, text)));
}

/** What the checks had to say. */
function warnings(found) {
  return found.map(({ check, severity, message, remedy }) =>
    note(severity === "error" ? "bad" : "warn", check, h("p", {}, message, remedy && remedyView(remedy))),
  );
}

/** A request as JSON: what the queue and the API take. */
export function requestJson(request) {
  const text = JSON.stringify(request, (_, value) => value ?? undefined, 2);
  return h(
    "details",
    {},
    h("summary", {}, "The request as JSON, for the queue or the command line"),
    h("div", { class: "json" }, copyButton(text), h("pre", { tabindex: "0", "aria-label": "The request" }, text)),
  );
}
