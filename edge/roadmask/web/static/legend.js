// The categories' legend: colour, name, a switch, and a share or a score.

import { digits, t } from "./language.js";
import { make } from "./page.js";

const UPDATE_MS = 250; // a number that changes thirty times a second cannot be read

/** A list in `place`; `onSwitch(id, visible)` when a category is switched (null: no switches). */
export class Legend {
  #rows = [];
  #next = 0;

  constructor(place, labels, onSwitch = null) {
    this.labels = labels;
    for (const label of labels) {
      const swatch = make("span", { class: "swatch", "aria-hidden": "true" });
      swatch.style.backgroundColor = label.css;
      const value = make("span", { class: "value" });
      const fill = make("span", { class: "fill", "aria-hidden": "true" });
      const name = make("span", { class: "name" }, t(label.name));
      const box = onSwitch && make("input", { type: "checkbox", checked: true });
      box?.addEventListener("change", () => onSwitch(label.id, box.checked));
      const row = make(onSwitch ? "label" : "div", { class: "row" }, box, swatch, name, fill, value);
      place.append(make("li", {}, row));
      this.#rows.push({ box, fill, value });
    }
    this.onSwitch = onSwitch;
  }

  /** All categories on or off. */
  switchAll(visible) {
    this.#rows.forEach(({ box }, index) => {
      box.checked = visible;
      this.onSwitch(this.labels[index].id, visible);
    });
  }

  /** Live area shares, {name: fraction}; at most four times a second. */
  shares(byName) {
    const now = performance.now();
    if (now < this.#next) return;
    this.#next = now + UPDATE_MS;
    this.values(byName, (share) => `${digits(100 * share)} %`);
  }

  /** Fractions by name; null shows a dash. */
  values(byName, text) {
    this.#rows.forEach(({ fill, value }, index) => {
      const fraction = byName?.[this.labels[index].name];
      value.textContent = fraction == null ? "–" : text(fraction);
      fill.style.setProperty("--part", fraction ?? 0);
    });
  }
}
