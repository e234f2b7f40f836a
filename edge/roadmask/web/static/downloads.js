// What a result can be taken away as: mask, overlay, numbers; made here, without asking again.

import { t } from "./language.js";
import { make } from "./page.js";

/** Links to save files, in place of those of the result before. */
export class Downloads {
  #urls = [];

  constructor(place) {
    this.place = place;
  }

  clear() {
    this.#urls.forEach((url) => URL.revokeObjectURL(url));
    this.#urls = [];
    this.place.replaceChildren();
  }

  /** `files`: [[label, name, what]]; what is a `data:` address, a canvas, or an object for JSON. */
  offer(files) {
    this.clear();
    this.place.append(`${t("Save:")} `);
    files.forEach(([label, name, what], index) => {
      const link = make("a", { download: name, href: this.#address(what) }, label);
      if (what instanceof HTMLCanvasElement) {
        // As it is drawn when it is asked for.
        link.addEventListener("click", (event) => { event.preventDefault(); this.#save(what, name); });
      }
      this.place.append(...(index ? [" · ", link] : [link]));
    });
  }

  #address(what) {
    if (typeof what === "string") return what;
    if (what instanceof HTMLCanvasElement) return "#";
    const blob = new Blob([JSON.stringify(what, null, 1)], { type: "application/json" });
    this.#urls.push(URL.createObjectURL(blob));
    return this.#urls.at(-1);
  }

  #save(canvas, name) {
    canvas.toBlob((blob) => {
      const url = URL.createObjectURL(blob);
      this.#urls.push(url);
      make("a", { download: name, href: url }).click();
    });
  }
}

/** A file's name without its ending. */
export const stem = (name) => name.replace(/\.[^.]*$/, "");
