/** Dialogs: each asks a few fields and does one thing with them. */

import { Problem } from "./api.js";
import { fill, h } from "./dom.js";
import { field } from "./fields.js";
import { problemNote } from "./notices.js";
import { callMe, key, prefer, signedInAs, useKey, who } from "./person.js";
import { inUtc } from "./times.js";

/** Ask for fields and hand them over; a problem of `submit` is shown, and the dialog stays.
 *
 * @returns what `submit` answers, or null when the person thought better of it.
 */
export function ask({ title, intro = [], fields, action, tone = "primary", submit, insist = false }) {
  return new Promise((resolve) => {
    const controls = Object.fromEntries(fields.map((one) => [one.name, control(one)]));
    controls[fields[0].name].autofocus = true;
    const trouble = h("div", {});
    const button = h("button", { class: `button ${tone}` }, action);
    let answer = null;

    async function send(event) {
      event.preventDefault();
      button.disabled = true;
      try {
        answer = await submit(Object.fromEntries(fields.map(({ name }) => [name, controls[name].value.trim()])));
        dialog.close();
      } catch (problem) {
        if (!(problem instanceof Problem)) throw problem;
        fill(trouble, problemNote(problem));
      } finally {
        button.disabled = false;
      }
    }

    const dialog = h(
      "dialog",
      { "aria-labelledby": "dialog-title" },
      h(
        "form",
        { onsubmit: send },
        h("h2", { id: "dialog-title" }, title),
        intro.map((one) => (typeof one === "string" ? h("p", {}, one) : one)),
        fields.map((one) => field({ ...one, id: `dialog-${one.name}` }, controls[one.name])),
        trouble,
        h(
          "div",
          { class: "actions end" },
          insist ? null : h("button", { type: "button", class: "button", onclick: () => dialog.close() }, "Back"),
          button,
        ),
      ),
    );
    if (insist) dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

function control({ value = "", multiline, choices, optional, type = "text", limit = 200, pattern }) {
  if (choices)
    return h(
      "select",
      { value },
      Object.entries(choices).map(([name, label]) => h("option", { value: name }, label)),
    );
  const common = { value, required: !optional, maxlength: limit, autocomplete: "off", spellcheck: "false" };
  return multiline
    ? h("textarea", { ...common, rows: "3", maxlength: "1000" })
    : h("input", { ...common, type, pattern });
}

const NAME = { name: "by", label: "Your name", help: "As an auditor would look for you." };

/** The field that asks for a name, where none is proven. */
const yourName = () => (signedInAs() ? [] : [{ ...NAME, value: who() }]);

/** The function key, until the tab is closed. */
export function askForKey(refused) {
  return ask({
    title: refused ? "That key is not the right one" : "Function key",
    intro: [
      "The app asks for a function key. It is kept in this tab only, and forgotten when the tab is closed.",
      "If you sign in with your organisation's account instead, load this page again.",
    ],
    fields: [{ name: "key", label: "Key", type: "password", limit: 500 }],
    action: "Sign in",
    insist: true,
    submit: async (values) => values.key,
  });
}

/** Who sits here, and how times are shown; `changed` is called when something is different then. */
export function askWhoYouAre(changed) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const forget =
    key() &&
    h(
      "p",
      {},
      h(
        "button",
        {
          type: "button",
          onclick: () => {
            useKey("");
            location.reload();
          },
        },
        "Forget the function key",
      ),
    );
  return ask({
    title: "You",
    intro: [
      signedInAs()
        ? `You are signed in as ${signedInAs()}. Requests and decisions carry that name.`
        : "Requests and decisions carry your name; this browser remembers it.",
      forget,
    ].filter(Boolean),
    fields: [
      ...yourName(),
      {
        name: "zone",
        label: "Times are shown in",
        value: inUtc() ? "utc" : "local",
        choices: { local: `This browser's zone (${zone})`, utc: "UTC" },
      },
    ],
    action: "Save",
    submit: async ({ by, zone: chosen }) => {
      if (by) callMe(by);
      prefer("zone", chosen);
      changed();
      return true;
    },
  });
}

/** Who says something about a restore, and why. */
export function askForStatement({ submit, reasonHelp, ...rest }) {
  return ask({
    fields: [
      ...yourName(),
      { name: "reason", label: "Reason", multiline: true, help: reasonHelp },
    ],
    submit: async (values) => {
      if (values.by) callMe(values.by);
      return submit(values);
    },
    ...rest,
  });
}
