/** The restore so far, beside each step of the wizard. */

import { imports, lines, needsApproval } from "./draft.js";
import { h } from "./dom.js";
import { facts } from "./plan.js";
import { age, fullTime, timeElement } from "./times.js";

const CONFLICTS = { fail: "stop, touch nothing", skip: "leave that database out", replace: "replace it" };

/** What has been chosen. */
export function summary(entered) {
  const { kind, instance, point, target, container, backupName, requestId, onConflict } = entered;
  const open = () => h("span", { class: "faint" }, "to be chosen");
  return [
    h("h2", {}, "So far"),
    facts([
      [
        "From",
        kind === "files"
          ? container
            ? `${container}, ${backupName}`
            : open()
          : instance
            ? h("strong", {}, instance.server)
            : open(),
      ],
      [
        "As of",
        kind === "backup" &&
          (point?.time
            ? [
                h("strong", {}, timeElement(point.time, fullTime)),
                h("br", {}),
                h("span", { class: "faint" }, age(point.time)),
              ]
            : point
              ? h("code", {}, point.id)
              : open()),
      ],
      ["Into", target ? h("strong", {}, target.alias) : open()],
      ["Databases", target && (imports(entered) ? chosen(entered) : "none: files only")],
      [
        "A name is taken",
        target &&
          imports(entered) &&
          h("span", { class: onConflict === "replace" ? "grave" : "" }, CONFLICTS[onConflict]),
      ],
      ["Approval", target && (needsApproval(entered) ? "somebody must approve" : "not needed")],
      ["Restore", target && h("code", {}, requestId)],
    ]),
  ];
}

function chosen({ which, rename, rows, exclude }) {
  const left = lines(exclude);
  const named = rows.filter(({ name }) => name.trim());
  return [
    which === "all"
      ? ["all", rename.trim() && ` as ${rename.trim()}`]
      : h(
          "ul",
          { class: "names" },
          named.map(({ name, as }) => h("li", { class: "db" }, as.trim() ? `${name} → ${as}` : name)),
        ),
    left.length > 0 && h("span", { class: "faint" }, ` without ${left.join(", ")}`),
  ];
}
