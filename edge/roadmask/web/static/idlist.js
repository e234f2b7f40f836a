// The list of a data set's frame ids: search, pages that load as they are needed, keyboard.

import { t } from "./language.js";
import { address, byId, getJson, make, Newest, notice } from "./page.js";

const PAGE = 200;
const TYPING_MS = 150;

/** A listbox: arrows, Home, End, Page up and down move; Enter, or a click, calls `onChoose(id)`. */
export class IdList {
  #ids = [];
  #matching = 0;
  #active = -1;
  #newest = new Newest();
  #timer = 0;
  #more = null;

  constructor(onChoose) {
    this.onChoose = onChoose;
    this.list = byId("ids");
    this.search = byId("search");
    this.search.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.load().catch(notice), TYPING_MS);
    });
    this.search.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" || event.key === "Enter") {
        event.preventDefault();
        this.list.focus();
        this.#move(Math.max(this.#active, 0));
        if (event.key === "Enter") this.#choose();
      }
    });
    this.list.addEventListener("keydown", (event) => this.#key(event));
    this.list.addEventListener("focus", () => { if (this.#active < 0) this.#move(0); });
    this.list.addEventListener("click", (event) => {
      const index = [...this.list.children].indexOf(event.target.closest("li"));
      if (index >= 0) {
        this.#move(index);
        this.#choose();
      }
    });
    this.list.addEventListener("scroll", () => {
      const { scrollTop, clientHeight, scrollHeight } = this.list;
      if (scrollTop + 2 * clientHeight > scrollHeight) this.#next().catch(notice);
    });
  }

  /** The ids that match the search, from the first. */
  async load() {
    const signal = this.#newest.next();
    this.#more = null;
    const page = await this.#page(0, signal);
    this.#ids = [];
    this.#active = -1;
    this.list.removeAttribute("aria-activedescendant");
    this.list.replaceChildren();
    this.#add(page);
  }

  /** Mark the id that is shown, and scroll to it if the list has it. */
  mark(id) {
    const index = this.#ids.indexOf(id);
    for (const row of this.list.children) row.setAttribute("aria-selected", row.textContent === id);
    if (index >= 0) this.#move(index);
  }

  #page(offset, signal) {
    const query = { query: this.search.value.trim(), offset, limit: PAGE };
    return getJson(address("/gallery", query), { signal });
  }

  /** One more page, unless all are here or one is on its way. */
  #next() {
    if (this.#ids.length >= this.#matching) return Promise.resolve();
    this.#more ??= this.#page(this.#ids.length).then((page) => {
      this.#more = null;
      if (page.offset === this.#ids.length) this.#add(page);
    });
    return this.#more;
  }

  #add(page) {
    this.#matching = page.matching;
    for (const { id } of page.items) {
      const name = `id-${this.#ids.push(id)}`;
      this.list.append(make("li", { id: name, role: "option", "aria-selected": "false" }, id));
    }
    byId("count").textContent = page.matching === page.total
      ? t("{total} frames", page) : t("{matching} of {total} frames match", page);
  }

  #key(event) {
    const rows = Math.max(1, Math.floor(this.list.clientHeight / 30) - 1);
    const last = this.#ids.length - 1;
    const to = {
      ArrowDown: this.#active + 1, ArrowUp: this.#active - 1, Home: 0, End: last,
      PageDown: this.#active + rows, PageUp: this.#active - rows,
    }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      this.#move(Math.min(Math.max(to, 0), last));
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.#choose();
    }
  }

  #move(index) {
    if (index < 0 || index >= this.#ids.length) return;
    this.list.children[this.#active]?.classList.remove("active");
    this.#active = index;
    const row = this.list.children[index];
    row.classList.add("active");
    row.scrollIntoView({ block: "nearest" });
    this.list.setAttribute("aria-activedescendant", row.id);
    if (index === this.#ids.length - 1) this.#next().catch(notice);
  }

  #choose() {
    if (this.#active >= 0) this.onChoose(this.#ids[this.#active]);
  }
}
