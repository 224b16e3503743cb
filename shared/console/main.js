/** The console: which screen is shown at which address. */

import { onKeyWanted } from "./api.js";
import { askForKey, askWhoYouAre } from "./dialogs.js";
import { entitle, fill, h, heading } from "./dom.js";
import { showHealth } from "./health.js";
import { icon } from "./icons.js";
import { showList } from "./list.js";
import { who } from "./person.js";
import { showRestore } from "./restore.js";
import { tick } from "./times.js";
import { showWizard } from "./wizard.js";

const SCREENS = [
  [/^\/restores$/, "restores", showList],
  [/^\/restores\/([^/]+)$/, "restores", showRestore],
  [/^\/new(?:\/([^/]+))?$/, "new", showWizard],
  [/^\/health$/, "health", showHealth],
];

const main = document.getElementById("main");
let leave = new AbortController();
let path = null;

/** Show the screen of the address; the focus goes to its heading, or stays where it was when only a filter changed. */
function show() {
  const [here, query = ""] = (location.hash.slice(1) || "/restores").split("?", 2);
  const [pattern, section, screen] = SCREENS.find(([one]) => one.test(here)) ?? [/^/, "", showNothing];
  const [, name] = pattern.exec(here);
  const another = path !== null && path !== here;
  path = here;
  leave.abort();
  leave = new AbortController();
  for (const link of document.querySelectorAll("[data-section]")) {
    if (link.dataset.section === section) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  screen(main, { name: name && decodeURIComponent(name), query, signal: leave.signal });
  if (another) {
    window.scrollTo(0, 0);
    main.querySelector("h1")?.focus({ preventScroll: true });
  }
}

function showNothing(place) {
  entitle("Nothing here");
  fill(
    place,
    h(
      "div",
      { class: "page" },
      heading("There is nothing here"),
      h("p", {}, h("a", { href: "#/restores" }, "All restores")),
    ),
  );
}

function showPerson() {
  fill(document.getElementById("person"), icon("person"), h("span", {}, who() || "Who are you?"));
}

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
document.getElementById("person").addEventListener("click", () => askWhoYouAre(show));
document.addEventListener("who", showPerson);
window.addEventListener("hashchange", show);
onKeyWanted(askForKey);
setInterval(tick, 1_000);
showPerson();
show();
