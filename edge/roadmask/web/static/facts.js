// What a stream says of itself, as a list of terms and values.

import { t } from "./language.js";
import { make, number, percent } from "./page.js";

const ROWS = [
  ["Model", (s) => s.model?.name],
  ["Score (INT8)", (s) => score(s.model?.scores?.int8)],
  ["Score (float)", (s) => score(s.model?.scores?.float)],
  ["Camera", (s) => s.camera],
  ["Camera size", (s) => s.camera_size && `${s.camera_size[0]} × ${s.camera_size[1]} px`],
  ["Network alone", (s) => (s.invoke_ms == null ? null : `${number(s.invoke_ms)} ms`)],
  ["Age when sent", (s) => (s.age_ms == null ? null : `${number(s.age_ms)} ms`)],
  ["Frame", (s) => s.sequence],
  ["Camera frames skipped", (s) => s.skipped_total],
  ["Subscribers", (s) => s.subscribers],
  ["Viewers of this console", (s) => s.viewers],
];

function score(scores) {
  if (scores?.miou == null) return null;
  const where = scores.dataset ? ` ${t("on")} ${scores.dataset}${scores.split ? ` ${scores.split}` : ""}` : "";
  return `mIoU ${percent(scores.miou)}${where}`;
}

export class Facts {
  #values;
  #place;
  #said = new Map();

  constructor(place) {
    this.#place = place;
    this.#values = ROWS.map(([term]) => {
      const value = make("dd", {}, "–");
      place.append(make("div", {}, make("dt", {}, t(term)), value));
      return value;
    });
  }

  /** A row of the page's own, below those of the stream. */
  say(term, text) {
    if (!this.#said.has(term)) {
      const value = make("dd", {});
      this.#said.set(term, value);
      this.#place.append(make("div", {}, make("dt", {}, term), value));
    }
    this.#said.get(term).textContent = text;
  }

  show(status) {
    ROWS.forEach(([, read], index) => {
      const text = String(read(status) ?? "–");
      const value = this.#values[index];
      if (value.textContent !== text) value.textContent = text;
      value.title = text;
    });
  }
}
