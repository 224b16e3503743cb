/** Who sits here: the name and preferences stay in this browser, the key in this tab. */

const PREFIX = "flex-restore.";

/** A preference, or the empty text. */
export const preference = (name) => localStorage.getItem(PREFIX + name) ?? "";

/** Remember a preference. */
export const prefer = (name, value) => localStorage.setItem(PREFIX + name, value);

let proven = "";

/** The name that the app's authentication has proven; empty where a key is used. */
export const signedInAs = () => proven;

/** Take the name that an answer of the API brings. */
export function believe(name) {
  if (name === proven) return;
  proven = name;
  document.dispatchEvent(new Event("who"));
}

/** The name that requests and decisions carry. */
export const who = () => proven || preference("who");

/** Remember the name; the event "who" tells those who show it. */
export function callMe(name) {
  prefer("who", name.trim());
  document.dispatchEvent(new Event("who"));
}

/** The function key; empty where the app's authentication needs none. */
export const key = () => sessionStorage.getItem(`${PREFIX}key`) ?? "";

/** Keep the key until the tab is closed; empty forgets it. */
export function useKey(value) {
  if (value) sessionStorage.setItem(`${PREFIX}key`, value);
  else sessionStorage.removeItem(`${PREFIX}key`);
}
