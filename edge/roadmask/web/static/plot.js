// A small moving plot of one or two lines over the last minute.

import { digits as written } from "./language.js";

const SPAN_MS = 60_000;
const PAD = 4;

/**
 * A figure with caption, value and canvas. `lines` is the number of lines (the first is the strong
 * one), `floor` the least top of the scale, in the value's unit.
 */
export class Plot {
  #samples = [];

  constructor(figure, { unit, digits = 1, floor = 1 }) {
    this.canvas = figure.querySelector("canvas");
    this.value = figure.querySelector("output");
    Object.assign(this, { unit, digits, floor });
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  /** One sample a line; null leaves a gap. */
  add(nowMs, values, text = null) {
    this.#samples.push({ at: nowMs, values });
    while (this.#samples[0].at < nowMs - SPAN_MS) this.#samples.shift();
    const value = values[0] == null ? "–" : `${written(values[0], this.digits)} ${this.unit}`;
    this.value.textContent = text ?? value;
    this.draw();
  }

  draw() {
    const { canvas } = this;
    const scale = window.devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * scale);
    const height = Math.round(canvas.clientHeight * scale);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, width, height);
    const samples = this.#samples;
    if (!samples.length || !width) return;
    const style = getComputedStyle(canvas);
    const top = niceTop(Math.max(this.floor, ...samples.flatMap((s) => s.values.map((v) => v ?? 0))));
    const pad = PAD * scale;
    const x = (at) => width - pad - ((samples.at(-1).at - at) / SPAN_MS) * (width - 2 * pad);
    const y = (value) => height - pad - (value / top) * (height - 2 * pad);
    context.strokeStyle = style.getPropertyValue("--line");
    context.lineWidth = scale;
    context.strokeRect(0.5 * scale, 0.5 * scale, width - scale, height - scale);
    context.fillStyle = style.getPropertyValue("--muted");
    context.font = `${11 * scale}px system-ui, sans-serif`;
    context.fillText(String(top), pad + scale, pad + 9 * scale);
    const colors = ["--accent", "--accent-2"].map((name) => style.getPropertyValue(name));
    for (let line = samples[0].values.length - 1; line >= 0; line -= 1) {
      context.strokeStyle = colors[line];
      context.lineWidth = (line ? 1 : 2) * scale;
      context.beginPath();
      let open = false;
      for (const sample of samples) {
        const value = sample.values[line];
        if (value == null) open = false;
        else {
          context[open ? "lineTo" : "moveTo"](x(sample.at), y(value));
          open = true;
        }
      }
      context.stroke();
    }
  }
}

/** The least of 1, 2, 5 times a power of ten that is not under `value`. */
function niceTop(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 5, 10].find((step) => step * power >= value);
}
