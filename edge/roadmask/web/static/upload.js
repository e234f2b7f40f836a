// A field for one image: choose, or drop onto it.

import { make } from "./page.js";

/** `<div class="drop">` with a file input of its own; `onChange()` after every choice. */
export class ImageField {
  constructor(place, { label, hint, onChange, video = false }) {
    this.input = make("input", { type: "file", accept: `image/png,image/jpeg,image/webp${video ? ",video/mp4,video/webm" : ""}`, id: `${place.id}-file` });
    this.name = make("span", { class: "note" }, hint);
    this.hint = hint;
    this.onChange = onChange;
    const area = make("label", { class: "drop", for: this.input.id },
      make("strong", {}, label), this.name, this.input);
    place.append(area);
    this.input.addEventListener("change", () => this.#changed());
    for (const kind of ["dragover", "dragenter"]) {
      area.addEventListener(kind, (event) => { event.preventDefault(); area.classList.add("over"); });
    }
    for (const kind of ["dragleave", "drop"]) {
      area.addEventListener(kind, () => area.classList.remove("over"));
    }
    area.addEventListener("drop", (event) => {
      event.preventDefault();
      if (!event.dataTransfer.files.length) return;
      this.input.files = event.dataTransfer.files;
      this.#changed();
    });
  }

  /** The chosen file, or null. */
  get file() {
    return this.input.files[0] ?? null;
  }

  clear() {
    this.input.value = "";
    this.#changed();
  }

  #changed() {
    this.name.textContent = this.file?.name ?? this.hint;
    this.onChange();
  }
}

// A file that misses its field must not replace the page.
for (const kind of ["dragover", "drop"]) {
  window.addEventListener(kind, (event) => event.preventDefault());
}
