/** An answer that a part of a screen is made of: waited for, shown, or told why it is not there. */

import { get, Problem } from "./api.js";
import { fill } from "./dom.js";
import { problemNote, waiting } from "./notices.js";

/** Show what a path answers: at once when it is `known` already, else as soon as it is there.
 *
 * @param known answers by path; what is asked for is added.
 * @param draw makes the content of the place.
 */
export async function showAnswer(place, path, { known, signal, text, rows }, draw) {
  if (!(path in known)) {
    fill(place, waiting(text, rows));
    try {
      known[path] = await get(path, { signal });
    } catch (problem) {
      if (problem.name === "AbortError") return;
      if (!(problem instanceof Problem)) throw problem;
      fill(
        place,
        problemNote(problem, () => showAnswer(place, path, { known, signal, text, rows }, draw)),
      );
      return;
    }
  }
  fill(place, draw(known[path]));
}
