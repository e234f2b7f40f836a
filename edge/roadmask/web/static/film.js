// A short video of one's own: its frames with their masks, as they come, then to be looked through.

import { digits, t } from "./language.js";
import { address, byId, request } from "./page.js";
import { composeInCamera, decode, IdMask } from "./picture.js";
import { parseFrame } from "./stream.js";

const LENGTH_BYTES = 4;

export class Film {
  #frames = [];
  #at = 0;
  #playing = false;

  /** `draw()` gives [painter, opacity] when a frame is drawn. */
  constructor(draw) {
    this.style = draw;
    byId("film-at").addEventListener("input", () => {
      this.#playing = false;
      this.#show(Number(byId("film-at").value));
    });
    byId("film-play").addEventListener("click", () => this.#play());
  }

  clear() {
    this.#playing = false;
    this.#frames = [];
    byId("film").hidden = true;
    delete byId("film").dataset.frames;
  }

  /** Send a video; each frame is shown when it comes. Its end is awaited. */
  async send(file, model, signal) {
    this.clear();
    const body = new FormData();
    body.append("video", file);
    const answer = await request(address("/predict/video", { model }), { method: "POST", body, signal });
    const reader = answer.body.getReader();
    let held = new Uint8Array(0);
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const both = new Uint8Array(held.length + value.length);
      both.set(held);
      both.set(value, held.length);
      held = both;
      while (held.length >= LENGTH_BYTES) {
        const size = new DataView(held.buffer, held.byteOffset).getUint32(0, true);
        if (held.length < LENGTH_BYTES + size) break;
        const message = held.slice(LENGTH_BYTES, LENGTH_BYTES + size).buffer;
        held = held.slice(LENGTH_BYTES + size);
        this.#frames.push(parseFrame(message));
        byId("film").hidden = false;
        byId("film-at").max = this.#frames.length - 1;
        await this.#show(this.#frames.length - 1);
      }
    }
    byId("film").dataset.frames = this.#frames.length;
    return this.#frames.length;
  }

  draw() {
    if (this.#frames.length) this.#show(this.#at);
  }

  async #show(index) {
    this.#at = index;
    const { info, mask, preview } = this.#frames[index];
    const [bitmap, picture] = await Promise.all([decode(mask), decode(preview)]);
    composeInCamera(byId("film-view"), picture, new IdMask(bitmap), ...this.style(), info);
    bitmap.close();
    picture.close();
    byId("film-at").value = index;
    byId("film-time").textContent = `${digits(info.at_s, 2)} s`;
  }

  async #play() {
    this.#playing = !this.#playing;
    byId("film-play").textContent = this.#playing ? t("Pause") : t("Play");
    const last = this.#frames.length - 1;
    let index = this.#at >= last ? 0 : this.#at;
    let began = performance.now() - 1000 * this.#frames[index].info.at_s;
    while (this.#playing && index <= last) {
      await this.#show(index);
      index += 1;
      if (index > last) break;
      const wait = began + 1000 * this.#frames[index].info.at_s - performance.now();
      if (wait < 0) began -= wait; // slower than it was: nothing is left out
      await new Promise((resolve) => { setTimeout(resolve, Math.max(wait, 0)); });
    }
    this.#playing = false;
    byId("film-play").textContent = t("Play");
  }
}
