// What every page has: the bar with its links, talking to the server, saying what went wrong.

import { digits, languageChoice, t, translatePage } from "./language.js";

const PAGES = [
  ["/", "Start"],
  ["/ui/live", "Live"],
  ["/ui/gallery", "Gallery"],
  ["/ui/compare", "Compare"],
  ["/ui/errors", "Errors"],
  ["/ui/drive", "Timeline"],
  ["/docs", "API"],
];

/** An answer that is an error: `message` is the server's own sentence. */
export class Problem extends Error {}

/** An element: `make("p", {class: "note"}, "text", child)`; text is always text, never markup. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/** The element with that id. */
export const byId = (id) => document.getElementById(id);

/** GET or POST; an error answer becomes a Problem, an ended session leads to the login. */
export async function request(url, options = {}) {
  let response;
  try {
    response = await fetch(url, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(t("The server does not answer: is 'roadmask serve' still running?"));
  }
  if (response.status === 401) {
    const here = location.pathname + location.search;
    location.assign(`/login?next=${encodeURIComponent(here)}`);
  }
  if (!response.ok) throw new Problem(await sentence(response));
  return response;
}

export const getJson = async (url, options) => (await request(url, options)).json();

/** POST of a form: `fields` are [name, value] pairs, files among them. */
export async function postForm(url, fields, options = {}) {
  const body = new FormData();
  for (const [name, value] of fields) if (value != null) body.append(name, value);
  return (await request(url, { ...options, method: "POST", body })).json();
}

/** POST of JSON. */
export const postJson = async (url, body = {}) => (await request(url, {
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
})).json();

/** `/path?a=1` without the parameters that are null or empty. */
export function address(path, parameters) {
  const kept = Object.entries(parameters).filter(([, value]) => value != null && value !== "");
  return kept.length ? `${path}?${new URLSearchParams(kept)}` : path;
}

async function sentence(response) {
  let said = t("The server answers {status}.", response);
  try {
    const problem = await response.json();
    said = problem.detail || problem.title || said;
  } catch { /* no JSON: the status must do */ }
  const wait = response.headers.get("Retry-After");
  return wait ? `${said} ${t("Try again in {wait} s.", { wait })}` : said;
}

/** Show an error in the page's notice, or clear it with null; an aborted request is none. */
export function notice(error) {
  if (error?.name === "AbortError") return;
  const place = byId("notice");
  place.textContent = error ? error.message || String(error) : "";
  place.hidden = !error;
}

/** Only the newest call counts: each `next()` aborts the one before and gives a signal. */
export class Newest {
  #controller = null;

  next() {
    this.#controller?.abort();
    this.#controller = new AbortController();
    return this.#controller.signal;
  }
}

function bar() {
  const links = PAGES.map(([path, name]) =>
    make("a", { href: path, "aria-current": path === location.pathname ? "page" : null }, t(name)));
  return make("header", { class: "bar" },
    make("a", { class: "skip", href: "#main" }, t("Skip to content")),
    make("span", { class: "brand" }, "roadmask"),
    make("nav", { "aria-label": t("Pages") }, ...links), languageChoice());
}

/** Draw the bar and give /config; a page calls this first. */
export async function openPage() {
  translatePage();
  const header = bar();
  document.body.prepend(header);
  try {
    const config = await getJson("/config");
    if (config.login) {
      header.append(make("form", { method: "post", action: "/logout" },
        make("button", { class: "quiet" }, t("Log out"))));
    }
    return config;
  } catch (error) {
    notice(error);
    throw error;
  }
}

/** "12.3", or a dash for what is not known. */
export const number = (value, count = 1) => (value == null ? "–" : digits(value, count));

/** A fraction as "12.3 %". */
export const percent = (value, count = 1) =>
  (value == null ? "–" : `${digits(100 * value, count)} %`);
