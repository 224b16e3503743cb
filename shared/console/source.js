/** First step: the backup instance, or files that have landed already. */

import { showAnswer } from "./answer.js";
import { fill, h } from "./dom.js";
import { field, line, radios, segments } from "./fields.js";
import { empty } from "./notices.js";
import { chip } from "./phase.js";

const MANY = 8;

export const sourceStep = {
  short: "Source",
  title: "What do you want to restore?",
  lead: "The flexible servers that the backup vault protects.",
  missing: ({ kind, instance, container, backupName }) => ({
    ...(kind === "backup" && !instance && { instance: "Choose the server whose backup you want." }),
    ...(kind === "files" && !container.trim() && { container: "Name the landing container." }),
    ...(kind === "files" &&
      !backupName.trim() && { backupName: "Name the backup: what stands in front of _database_ in the files' names." }),
  }),
  draw,
};

function draw(place, draft, { changed, redraw, ...context }) {
  const below = h("div", {});
  fill(
    place,
    segments({
      name: "kind",
      label: "Kind of source",
      value: draft.kind,
      options: { backup: "A backup in the vault", files: "Files that have landed" },
      change: (kind) => {
        changed({ kind });
        redraw();
      },
    }),
    below,
  );
  if (draft.kind === "files") fill(below, landed(draft, changed));
  else showAnswer(below, "instances", { ...context, text: "Asking the vault for its instances…", rows: 4 }, drawn);

  function drawn({ instances }) {
    const known = instances.find(({ name, server, aliases }) =>
      [name, server, ...aliases].includes(draft.instance?.name),
    );
    if (known && known.name !== draft.instance.name) changed({ instance: known });
    return instances.length ? choice(instances, draft, changed) : nothing();
  }
}

function nothing() {
  return empty(
    "server",
    "The vault protects no flexible server yet",
    "Configure backup for a server in the backup vault; its first recovery point appears after the first backup.",
  );
}

function landed({ container, backupName, errors }, changed) {
  return h(
    "div",
    { class: "fields" },
    field(
      { id: "container", label: "Landing container", help: "For example landing-1.", error: errors.container },
      line(container, (value) => changed({ container: value })),
    ),
    field(
      {
        id: "backupName",
        label: "Backup name",
        help: "What stands in front of _database_ in the files' names.",
        error: errors.backupName,
      },
      line(backupName, (value) => changed({ backupName: value })),
    ),
  );
}

function choice(instances, draft, changed) {
  const list = h("div", {});
  const show = (wanted) => {
    const fitting = instances.filter(({ name, server, aliases }) =>
      [name, server, ...aliases].join(" ").toLowerCase().includes(wanted.toLowerCase()),
    );
    fill(list, fitting.length ? group(fitting) : h("p", { class: "faint" }, "No server's name fits."));
  };
  const group = (fitting) =>
    radios({
      name: "instance",
      legend: "Server",
      titled: true,
      value: draft.instance?.name,
      error: draft.errors.instance,
      options: fitting.map(option),
      change: (name) => {
        const instance = instances.find((one) => one.name === name);
        changed({ instance, ...(draft.instance?.name !== name && { point: null }) });
      },
    });
  show("");
  return [
    instances.length > MANY && field({ id: "search", label: "Find a server" }, line("", show, { type: "search" })),
    list,
  ];
}

function option({ name, server, aliases, location, protection }) {
  const usual = protection === "ProtectionConfigured";
  return {
    value: name,
    label: [server, aliases.length > 0 && h("span", { class: "tag" }, aliases.join(", "))],
    help: [location, name !== server && [" · ", name], !usual && [" ", chip(protection, "warn")]],
  };
}
