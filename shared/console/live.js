/** An answer that is looked at again and again while somebody sees it. */

import { call, Problem } from "./api.js";

const LONGEST = 30_000;

/** Look at once, then every so often while the tab is visible, until `show` answers true or the signal says so.
 *
 * An unchanged answer is only `seen`. Trouble that is not `final` is told and tried again, at growing intervals.
 *
 * @returns a function that looks at once.
 */
export function watch(path, { every, signal, show, seen, trouble, final = (problem) => !problem.passes }) {
  let etag;
  let timer;
  let failures = 0;
  let looking = false;
  let over = false;

  async function look() {
    clearTimeout(timer);
    if (looking || over || signal.aborted || document.hidden) return;
    looking = true;
    try {
      const answer = await call("GET", path, { etag, signal });
      failures = 0;
      if (answer.status !== 304) {
        etag = answer.etag;
        over = show(answer.body) === true;
      }
      seen?.();
    } catch (problem) {
      if (signal.aborted) return;
      if (!(problem instanceof Problem)) throw problem;
      failures += 1;
      over = final(problem);
      trouble(problem, over);
    } finally {
      looking = false;
    }
    if (!over) timer = setTimeout(look, Math.min(LONGEST, every * 2 ** failures));
  }

  document.addEventListener("visibilitychange", look, { signal });
  signal.addEventListener("abort", () => clearTimeout(timer));
  look();
  return () => {
    over = false;
    look();
  };
}
