/** The few signs of the console: strokes of the text's colour, never the only bearer of a meaning. */

import { svg } from "./dom.js";

const PATHS = {
  arrow: "M4 12h16m-6-6 6 6-6 6",
  back: "M20 12H4m6-6-6 6 6 6",
  check: "m5 12.5 4.5 4.5L19 7.5",
  clock: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Zm0-14v5l3.2 2",
  copy: "M9 9h11v11H9zM15 9V4H4v11h5",
  cross: "m6 6 12 12M18 6 6 18",
  download: "M12 4v11m-5-5 5 5 5-5M4 20h16",
  minus: "M6 12h12",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm-8 8c0-6 16-6 16 0",
  plus: "M12 5v14M5 12h14",
  restore: "M4 12a8 8 0 1 0 2.6-5.9M4 3.6v4h4M12 8v4.4l3 1.8",
  server: "M4 4h16v7H4zm0 9h16v7H4zM8 7.5h.01M8 16.5h.01",
  warning: "M12 4 2.5 20h19zm0 6v4.5m0 2.6v.1",
};

/** A sign by its name. */
export function icon(name) {
  return svg("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" }, svg("path", { d: PATHS[name] }));
}
