// The timeline: a recording's ribbon, any of its moments, what goes wrong next, ranges and notes.

import { digits, moment, t } from "./language.js";
import { Legend } from "./legend.js";
import { address, byId, getJson, make, Newest, notice, openPage, postJson, request } from "./page.js";
import { compose, composeInCamera, decode, IdMask, loadLabels, Painter } from "./picture.js";
import { RibbonView } from "./ribbon.js";
import { parseFrame } from "./stream.js";
import { drawMark, markOf } from "./watermark.js";

const PIECES = 600;
const ASK_MS = 300; // while the file is read on
const DEGRADED = 0; // what is worse than OK

const clock = (seconds) => {
  const [h, m] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return `${h}:${String(m).padStart(2, "0")}:${digits(seconds % 60, 2).padStart(5, "0")}`;
};

class Timeline {
  #info = null;
  #at = 0;
  #frame = null;
  #newest = new Newest();
  #reading = new Newest();
  #playing = false;
  #range = [null, null];

  constructor(labels) {
    this.painter = new Painter(labels.map((label) => label.color));
    this.ribbon = new RibbonView(byId("strip"), labels);
    this.legend = new Legend(byId("legend"), labels, (id, visible) => {
      this.painter.show(id, visible);
      this.#draw();
    });
    byId("opacity").addEventListener("input", () => this.#draw());
    byId("drive").addEventListener("change", () => this.open(byId("drive").value).catch(notice));
    byId("at").addEventListener("input", () => this.#goTo(Number(byId("at").value)));
    byId("back").addEventListener("click", () => this.#goTo(this.#at, -1));
    byId("forth").addEventListener("click", () => this.#goTo(this.#at, 1));
    byId("play").addEventListener("click", () => this.#play(!this.#playing));
    byId("next").addEventListener("click", () => this.#next().catch(notice));
    for (const [index, id] of ["from", "to"].entries()) {
      byId(id).addEventListener("click", () => { this.#range[index] = this.#at; this.#showRange(); });
    }
    byId("note").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#mark().catch(notice);
    });
    this.#openPointer();
  }

  #openPointer() {
    const ribbon = byId("ribbon");
    const follow = (event) => {
      const box = ribbon.getBoundingClientRect();
      const part = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
      this.#goTo(part * this.#info.duration_s);
    };
    ribbon.addEventListener("pointerdown", (event) => {
      ribbon.setPointerCapture(event.pointerId);
      follow(event);
    });
    ribbon.addEventListener("pointermove", (event) => {
      if (ribbon.hasPointerCapture(event.pointerId)) follow(event);
    });
  }

  #url(part, parameters = {}) {
    return address(`/drives/${encodeURIComponent(this.#info.name)}${part}`, parameters);
  }

  async open(name, at = 0) {
    notice(null);
    this.#play(false);
    this.#info = await getJson(`/drives/${encodeURIComponent(name)}`);
    this.#range = [null, null];
    this.#showRange();
    byId("cutting").hidden = !this.#info.masks;
    byId("drive").value = name;
    byId("at").max = this.#info.duration_s;
    byId("about").textContent = [moment(new Date(this.#info.start)), clock(this.#info.duration_s),
      t("{frames} frames", this.#info), ...this.#info.models, ...this.#info.cameras].join(" · ");
    this.#read().catch(notice);
    this.#showMarks((await getJson(this.#url("/marks"))).marks);
    await this.#goTo(at);
  }

  /** Ask for the ribbon until the server has read the whole file. */
  async #read() {
    const signal = this.#reading.next();
    for (let known = 0; known < 1;) {
      const ribbon = await getJson(this.#url("/ribbon", { pieces: PIECES }), { signal });
      ({ known } = ribbon);
      this.ribbon.show(ribbon);
      if (known < 1) await new Promise((resolve) => { setTimeout(resolve, ASK_MS); });
      if (signal.aborted) return;
    }
  }

  /** Show the frame of a moment, or the one beside it; false where that failed. */
  async #goTo(at, step = 0) {
    const signal = this.#newest.next();
    try {
      const answer = await request(this.#url("/frame", { at: Math.max(at, 0), step: String(step) }), { signal });
      const { info, mask, preview } = parseFrame(await answer.arrayBuffer());
      const [maskBitmap, picture] = await Promise.all([mask, preview].map((plane) => plane && decode(plane)));
      if (signal.aborted) return true;
      this.#frame?.picture?.close();
      this.#frame = { info, ids: maskBitmap && new IdMask(maskBitmap), picture };
      maskBitmap?.close();
      this.#at = step ? info.at_s : Math.max(at, 0);
      this.#draw();
      this.#tell(info);
      return true;
    } catch (error) {
      if (!signal.aborted && !step) notice(error);
      return signal.aborted;
    }
  }

  #draw() {
    if (!this.#frame) return;
    const { picture, ids, info } = this.#frame;
    if (ids) {
      const opacity = picture ? byId("opacity").value / 100 : 1;
      composeInCamera(byId("picture"), picture, ids, this.painter, opacity, info);
    } else if (picture) {
      compose(byId("picture"), picture, null);
    }
    drawMark(byId("picture"), markOf(info));
  }

  #tell(info) {
    const { duration_s: whole, start, name } = this.#info;
    byId("badge").dataset.mode = info.state;
    byId("mode").textContent = info.state;
    byId("reasons").replaceChildren(...info.reasons.map((reason) => make("li", {}, t(reason))));
    byId("at").value = this.#at;
    byId("at").setAttribute("aria-valuetext", [clock(this.#at), info.state, ...info.reasons].join(", "));
    byId("cursor").style.left = `${(100 * this.#at) / Math.max(whole, 1e-9)}%`;
    const when = new Date(Date.parse(start) + 1000 * info.at_s);
    byId("moment").textContent = `${clock(info.at_s)} · ${moment(when)} · ${t("frame")} ${info.sequence}`;
    this.legend.shares(info.shares);
    byId("picture").dataset.sequence = info.sequence;
    byId("picture").dataset.at = info.at_s;
    // Browsers take only so many a second.
    if (!this.#playing) history.replaceState(null, "", address(location.pathname, { name, at: this.#at.toFixed(2) }));
  }

  /** As fast as asked for; what cannot be drawn in time is left out. */
  async #play(on) {
    if (this.#playing === on) return;
    this.#playing = on;
    byId("play").textContent = on ? t("Pause") : t("Play");
    byId("play").setAttribute("aria-pressed", on);
    let before = performance.now();
    while (this.#playing && this.#at < this.#info.duration_s) {
      await new Promise((resolve) => { requestAnimationFrame(resolve); });
      const now = performance.now();
      const at = this.#at + ((now - before) / 1000) * Number(byId("speed").value);
      before = now;
      if (!await this.#goTo(Math.min(at, this.#info.duration_s))) break;
    }
    if (this.#playing) this.#play(false);
  }

  async #next() {
    this.#play(false);
    byId("next").disabled = true;
    try {
      for (let after = this.#at; ;) {
        const found = await getJson(this.#url("/next", { after, worse_than: String(DEGRADED) }));
        if (found.at_s != null) {
          await this.#goTo(found.at_s);
          return;
        }
        if (found.end) break;
        after = found.until_s;
      }
      notice(t("Nothing is wrong from here to the end."));
    } finally {
      byId("next").disabled = false;
    }
  }

  #showRange() {
    const [start, end] = this.#range;
    const whole = start != null && end != null && end > start;
    byId("export").hidden = byId("chosen").hidden = !whole;
    byId("range").textContent = start == null && end == null ? t("Choose where it begins and ends.")
      : `${start == null ? "?" : clock(start)} – ${end == null ? "?" : clock(end)}`;
    if (!whole) return;
    byId("export").href = this.#url("/export", { start: start.toFixed(3), end: end.toFixed(3) });
    byId("chosen").style.left = `${(100 * start) / this.#info.duration_s}%`;
    byId("chosen").style.width = `${(100 * (end - start)) / this.#info.duration_s}%`;
  }

  async #mark() {
    const note = byId("note-text").value.trim();
    if (!note) return;
    this.#showMarks((await postJson(this.#url("/marks"), { at_s: this.#at, note })).marks);
    byId("note-text").value = "";
  }

  #showMarks(marks) {
    byId("marks").replaceChildren(...marks.map((mark) => {
      const button = make("button", { type: "button", class: "quiet" }, `${clock(mark.at_s)} · ${mark.note}`);
      button.addEventListener("click", () => this.#goTo(mark.at_s));
      return make("li", {}, button);
    }));
  }
}

async function start() {
  await openPage();
  const [labels, { drives, folder }] = await Promise.all([loadLabels(), getJson("/drives")]);
  if (!drives.length) {
    notice(folder ? t("There is no recording in {folder}.", { folder })
      : t("No recordings: start with --drives PATH."));
    return;
  }
  byId("drive").append(...drives.map(({ name }) => new Option(name)));
  const wanted = new URLSearchParams(location.search);
  const name = drives.find((drive) => drive.name === wanted.get("name"))?.name ?? drives[0].name;
  await new Timeline(labels).open(name, Number(wanted.get("at")) || 0);
}

start().catch(notice);
