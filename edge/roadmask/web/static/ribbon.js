// The ribbon of a recording: the worst mode, how many reasons, and the shares, piece by piece.

const MODE_COLORS = { "-1": null, 0: "#14703a", 1: "#f2b705", 2: "#a80f1f", 3: "#a80f1f", 4: "#4e5b68" };
const [MODE_PART, REASON_PART] = [0.3, 0.14]; // of the height; the shares take the rest
const MOST_REASONS = 4;

export class RibbonView {
  #ribbon = null;

  constructor(canvas, labels) {
    this.canvas = canvas;
    this.labels = labels;
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  show(ribbon) {
    this.#ribbon = ribbon;
    this.canvas.dataset.known = ribbon.known;
    this.draw();
  }

  draw() {
    const { canvas } = this;
    const scale = window.devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * scale);
    const height = Math.round(canvas.clientHeight * scale);
    if (!width || !this.#ribbon) return;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, width, height);
    const { mode, reasons, shares } = this.#ribbon;
    const reasonTop = Math.round(height * MODE_PART);
    const sharesTop = Math.round(height * (MODE_PART + REASON_PART));
    const text = getComputedStyle(canvas).color;
    mode.forEach((worst, piece) => {
      if (worst < 0) return;
      const x = Math.floor((piece * width) / mode.length);
      const wide = Math.floor(((piece + 1) * width) / mode.length) - x;
      context.fillStyle = MODE_COLORS[worst];
      context.fillRect(x, 0, wide, reasonTop - scale);
      if (reasons[piece].length) {
        context.fillStyle = text;
        context.globalAlpha = Math.min(1, 0.25 + (0.75 * reasons[piece].length) / MOST_REASONS);
        context.fillRect(x, reasonTop, wide, sharesTop - reasonTop - scale);
        context.globalAlpha = 1;
      }
      let y = sharesTop;
      shares[piece].forEach((share, id) => {
        const tall = share * (height - sharesTop);
        context.fillStyle = this.labels[id].css;
        context.fillRect(x, y, wide, tall + 0.5);
        y += tall;
      });
    });
  }
}
