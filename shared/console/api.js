/** The API: one way to call it, and one kind of error. */

import { believe, key, useKey } from "./person.js";

const BASE = new URL("../", import.meta.url);
const SAFE_TO_REPEAT = new Set([0, 408, 429, 500, 502, 503, 504]);

/** Why a call was not answered as hoped: what a problem of the API says, or what can be said without one. */
export class Problem extends Error {
  constructor(status, { title, detail, code, errors, checks }) {
    super(detail || title);
    this.status = status;
    this.title = title || `The app answered ${status}`;
    this.detail = detail ?? "";
    this.code = code ?? "";
    this.errors = errors ?? [];
    this.checks = checks ?? [];
  }

  /** What happened, in words: the API's own, or ours where it said none. */
  get headline() {
    return this.code ? this.detail || this.title : this.title;
  }

  /** What else there is to say. */
  get more() {
    return this.code ? `${this.title}, ${this.status}` : this.detail;
  }

  /** Whether the same call may be answered later. */
  get passes() {
    return SAFE_TO_REPEAT.has(this.status);
  }
}

const WORDS = {
  200: {
    title: "This is not the app's answer",
    detail: "Something on the way to the app has answered, perhaps a sign-in page: load this page again.",
  },
  0: {
    title: "The app does not answer",
    detail: "Check your connection. If others have it too, look at the function app in Azure.",
  },
  302: { title: "Your sign-in has ended", detail: "Load this page again to sign in." },
  403: { title: "You may not do this", detail: "The app's authentication knows you, and does not let you in." },
  429: { title: "Too many calls at once", detail: "The app asks to wait a moment." },
};

let askForKey = async () => "";

/** Who asks a person for the key when the app wants one; it is told whether the last one was wrong. */
export function onKeyWanted(ask) {
  askForKey = ask;
}

let asking = null;

/** A new key, asked for once however many calls want it. */
function newKey(refused) {
  asking ??= askForKey(refused)
    .then(useKey)
    .finally(() => (asking = null));
  return asking;
}

/** Call the API: the status, the ETag, and what it answered.
 *
 * Throws Problem, and AbortError when `signal` says so.
 */
export async function call(method, path, { body, etag, signal, text = false } = {}) {
  for (;;) {
    const used = key();
    const response = await send(method, path, { body, etag, signal, used });
    believe(decodeURIComponent(response.headers.get("Signed-In-As") ?? ""));
    if (response.status === 401 && !isProblem(response)) {
      if (key() === used) await newKey(used !== "");
      continue;
    }
    if (response.type === "opaqueredirect") throw new Problem(302, WORDS[302]);
    if (response.status === 304) return { status: 304 };
    if (!response.ok) throw await problemOf(response);
    return { status: response.status, etag: response.headers.get("ETag"), body: await contentOf(response, text) };
  }
}

/** Whether the app itself has answered, and not the host, which only says that the key is wrong. */
const isProblem = (response) => (response.headers.get("Content-Type") ?? "").startsWith("application/problem+json");

async function contentOf(response, text) {
  try {
    return text ? await response.text() : await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(200, WORDS[200]);
  }
}

async function send(method, path, { body, etag, signal, used }) {
  const headers = {};
  if (used) headers["x-functions-key"] = used;
  if (etag) headers["If-None-Match"] = etag;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    return await fetch(new URL(path, BASE), {
      method,
      headers,
      signal,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      redirect: "manual",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, WORDS[0]);
  }
}

async function problemOf(response) {
  try {
    return new Problem(response.status, await response.json());
  } catch {
    return new Problem(response.status, WORDS[response.status] ?? {});
  }
}

/** What GET answers. */
export const get = async (path, options) => (await call("GET", path, options)).body;

/** What POST answers. */
export const post = async (path, body, options) => (await call("POST", path, { ...options, body })).body;

/** The whole address of a path. */
export const addressOf = (path) => new URL(path, BASE).href;

/** The path of a restore, or of something below it. */
export const restorePath = (id, ...below) => ["restores", encodeURIComponent(id), ...below].join("/");

/** A query with the parameters that have a value. */
export function query(parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value);
  return given.length ? `?${new URLSearchParams(given)}` : "";
}
