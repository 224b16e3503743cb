/** Health: whether the app can restore now, and what is amiss. */

import { get, Problem } from "./api.js";
import { entitle, fill, h, heading } from "./dom.js";
import { icon } from "./icons.js";
import { problemNote, waiting } from "./notices.js";
import { clock, timeElement } from "./times.js";
import { count } from "./words.js";

/** The screen. */
export function showHealth(main, { signal }) {
  entitle("Health");
  const result = h("div", {});
  fill(
    main,
    h(
      "div",
      { class: "page" },
      h(
        "div",
        { class: "head" },
        heading("Health"),
        h("button", { type: "button", class: "button", onclick: look }, "Check again"),
      ),
      h("p", { class: "lead" }, "What restores need: client tools, the vault, storage, and each target server."),
      result,
    ),
  );
  look();

  async function look() {
    fill(result, waiting("Asking the vault, the storage and each target server…", 5));
    try {
      fill(result, drawn(await checks(signal)));
    } catch (problem) {
      if (!(problem instanceof Problem)) return;
      fill(result, problemNote(problem, look));
    }
  }
}

/** The checks; a 503 tells them too. */
async function checks(signal) {
  try {
    return (await get("health", { signal })).checks;
  } catch (problem) {
    if (problem.checks?.length) return problem.checks;
    throw problem;
  }
}

function drawn(all) {
  const amiss = all.filter((check) => !check.ok);
  const sentence = amiss.length
    ? `${count(amiss.length, "check")} of ${all.length} found something amiss`
    : "Ready to restore";
  return [
    h(
      "p",
      { class: "verdict", role: "status" },
      h("span", { class: `chip ${amiss.length ? "bad" : "good"}` }, icon(amiss.length ? "warning" : "check"), sentence),
      h("span", { class: "faint" }, "checked at ", timeElement(Date.now(), clock)),
    ),
    h(
      "ul",
      { class: "panel rows checks" },
      [...amiss, ...all.filter((check) => check.ok)].map((check) =>
        h(
          "li",
          { class: check.ok ? "" : "amiss" },
          h(
            "span",
            { class: `sign ${check.ok ? "good" : "bad"}` },
            icon(check.ok ? "check" : "cross"),
            h("span", { class: "unseen" }, check.ok ? "in order:" : "amiss:"),
          ),
          h("div", {}, h("h2", {}, check.name), h("p", {}, check.detail)),
        ),
      ),
    ),
  ];
}
