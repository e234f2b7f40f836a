// How old something is at most that bears the server's time: the way here is measured, not trusted.

const KEPT = 10; // answers; their clocks drift apart only a little in so many seconds
const DRIFT = 1.001; // no two clocks run apart faster

/** Now, by a clock that never jumps and by one that runs on while a laptop sleeps. */
export const stamp = () => ({ running: performance.now(), wall: Date.now() });

/** Time since a stamp: the longer of both clocks', so that neither sleep nor a set-back hides any. */
export const since = ({ running, wall }) =>
  Math.max(performance.now() - running, Date.now() - wall);

/**
 * An upper bound of the server's time. What it answered was read after the question had left here,
 * so that its clock now shows no more than the answer and the time since the question.
 */
export class ServerClock {
  #number = 0;
  #asked = new Map();
  #samples = [];

  forget() {
    this.#asked.clear();
    this.#samples = [];
  }

  /** The number of a question that leaves now. */
  ask() {
    this.#number += 1;
    this.#asked.set(this.#number, stamp());
    if (this.#asked.size > KEPT) this.#asked.delete(this.#asked.keys().next().value);
    return this.#number;
  }

  answer(number, nowMs) {
    const left = this.#asked.get(number);
    if (!left) return;
    this.#asked.delete(number);
    this.#samples.push({ left, nowMs });
    if (this.#samples.length > KEPT) this.#samples.shift();
  }

  /** The age in ms, at most, of what happened at `ms` of the server's clock; Infinity: not known. */
  age(ms) {
    return Math.min(Infinity, ...this.#samples.map(({ left, nowMs }) =>
      nowMs + DRIFT * since(left) - ms));
  }
}
