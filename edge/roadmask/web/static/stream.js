// The live stream: a WebSocket that reconnects by itself, and hands over only the newest frame.

import { ServerClock } from "./clock.js";
import { t } from "./language.js";

const MAGIC = 0x31574d52; // "RMW1", little-endian
const HEADER_BYTES = 16;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 5000;
const TOO_MANY = 1013;
const NOT_ALLOWED = 1008;
const ASK_MS = 1000;

/** The parts of a binary message: `{info, mask, preview}`; the planes are Blobs, or null where there is none. */
export function parseFrame(buffer) {
  const view = new DataView(buffer);
  const [info, mask, preview] = [4, 8, 12].map((at) => view.getUint32(at, true));
  if (view.getUint32(0, true) !== MAGIC || HEADER_BYTES + info + mask + preview !== buffer.byteLength) {
    throw new Error(t("The server sent a frame that this page does not know: reload the page."));
  }
  const maskAt = HEADER_BYTES + info;
  const text = new TextDecoder().decode(new Uint8Array(buffer, HEADER_BYTES, info));
  return {
    info: JSON.parse(text),
    mask: mask ? new Blob([new Uint8Array(buffer, maskAt, mask)], { type: "image/png" }) : null,
    preview: preview
      ? new Blob([new Uint8Array(buffer, maskAt + mask, preview)], { type: "image/jpeg" }) : null,
  };
}

/**
 * `onStatus(status)`, `onFrame(frame)` (awaited; what came meanwhile is dropped but for the newest),
 * `onLink(open, text)`, `onBroken(error)`: a frame that cannot be shown. Every frame is acknowledged, drawn or dropped: the server sends no more
 * than two without that, so a slow page or network slows only itself.
 */
export class LiveStream {
  #socket = null;
  #wanted = false;
  #pause = FIRST_PAUSE_MS;
  #timer = 0;
  #newest = null;
  #busy = false;
  #asking = 0;

  constructor({ onStatus, onFrame, onLink, onBroken }) {
    this.on = { status: onStatus, frame: onFrame, link: onLink, broken: onBroken };
    this.clock = new ServerClock();
  }

  open() {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#pause = FIRST_PAUSE_MS;
    this.#connect();
  }

  close() {
    this.#wanted = false;
    clearTimeout(this.#timer);
    clearInterval(this.#asking);
    this.#socket?.close();
    this.#socket = null;
    this.#newest = null;
  }

  #connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/live`);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    const current = (handle) => (event) => { if (socket === this.#socket) handle(event); };
    socket.onopen = current(() => {
      this.clock.forget(); // another server's may answer here now
      const ask = () => socket.send(JSON.stringify({ clock: this.clock.ask() }));
      clearInterval(this.#asking);
      this.#asking = setInterval(ask, ASK_MS);
      ask();
      this.on.link(true, "");
    });
    socket.onclose = current((event) => this.#closed(event.code));
    socket.onmessage = current((event) => this.#message(event.data));
  }

  #closed(code) {
    this.#socket = null;
    this.#newest = null;
    clearInterval(this.#asking);
    const why = {
      [TOO_MANY]: t("The server has as many viewers as it takes."),
      [NOT_ALLOWED]: t("The server wants a login for this page."),
    }[code] ?? t("The connection to the server is lost.");
    this.on.link(false, why, code === NOT_ALLOWED);
    this.#timer = setTimeout(() => this.#connect(), this.#pause);
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE_MS);
  }

  #message(data) {
    this.#pause = FIRST_PAUSE_MS;
    if (typeof data === "string") {
      const message = JSON.parse(data);
      if (message.type === "status") this.on.status(message);
      if (message.type === "clock") this.clock.answer(message.echo, message.now_ms);
      return;
    }
    if (this.#newest) this.#acknowledge(this.#newest); // dropped: there is a newer one
    this.#newest = { ...parseFrame(data), socket: this.#socket };
    if (!this.#busy) this.#work();
  }

  async #work() {
    this.#busy = true;
    try {
      while (this.#newest) {
        const frame = this.#newest;
        this.#newest = null;
        try {
          await this.on.frame(frame);
        } catch (error) {
          this.on.broken(error);
        }
        this.#acknowledge(frame); // also one that cannot be shown: the next may be whole
      }
    } finally {
      this.#busy = false;
    }
  }

  #acknowledge({ info, socket }) {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ ack: info.sequence }));
  }
}
