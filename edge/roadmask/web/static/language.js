// The words of the pages: English as it stands in them, or another language's by catalogue.

const KNOWN = { en: "English", fr: "Français" };
const KEY = "roadmask-language";

const wanted = () => {
  const chosen = localStorage.getItem(KEY);
  if (chosen in KNOWN) return chosen;
  return navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => tag in KNOWN) ?? "en";
};

/** Of this page: "en" or "fr". */
export const language = wanted();
const { default: catalogue } = await import(`./languages/${language}.js`);

/** `text` in the page's language, with `{name}` replaced by the value of that name. */
export function t(text, values = {}) {
  return (catalogue[text] ?? text).replaceAll(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

const formats = new Map();

/** A number with so many digits, by the language's own marks. */
export function digits(value, count = 1) {
  if (!formats.has(count)) {
    formats.set(count, new Intl.NumberFormat(language,
      { minimumFractionDigits: count, maximumFractionDigits: count, useGrouping: false }));
  }
  return formats.get(count).format(value);
}

const DATE = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" });

/** A moment, in the language's own order. */
export const moment = (date) => DATE.format(date);

const SPOKEN = ["aria-label", "placeholder", "title", "alt"];

/** Translate what stands in the page's own file. */
export function translatePage() {
  document.documentElement.lang = language;
  document.title = document.title.split(" · ").map((part) => t(part)).join(" · ");
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = texts.nextNode(); node; node = texts.nextNode()) {
    const text = node.data.trim();
    if (text) node.data = node.data.replace(text, t(text.replaceAll(/\s+/g, " ")));
  }
  for (const name of SPOKEN) {
    for (const element of document.querySelectorAll(`[${name}]`)) {
      element.setAttribute(name, t(element.getAttribute(name)));
    }
  }
}

/** A list to choose the language from; the page is opened anew in it. */
export function languageChoice() {
  const select = document.createElement("select");
  select.className = "language";
  select.setAttribute("aria-label", t("Language"));
  for (const [tag, name] of Object.entries(KNOWN)) select.append(new Option(name, tag, false, tag === language));
  select.addEventListener("change", () => {
    localStorage.setItem(KEY, select.value);
    location.reload();
  });
  return select;
}
