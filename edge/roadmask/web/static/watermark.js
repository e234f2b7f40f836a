// A picture that says itself which one it is: a screenshot, or a page that stands still, betrays
// itself by the number and the time in it, whatever the rest of the page says.

const HEIGHT_PX = 16; // on the screen
const FONT = "600 11px ui-monospace, monospace";

/** "#1234 2026-11-29 02:07:41.123Z": the frame's number, and when it was taken by the server's clock. */
export function markOf({ sequence, captured_unix_ms: captured }) {
  const when = captured > 0 ? new Date(captured).toISOString().replace("T", " ") : "?";
  return `#${sequence} ${when}`;
}

/** Draw it into the lower left corner of a canvas; words and place, in its pixels, are in `dataset`. */
export function drawMark(canvas, text) {
  const context = canvas.getContext("2d");
  context.save();
  context.font = FONT;
  const width = context.measureText(text).width + 10;
  // As large on the screen whatever the canvas has of pixels, where they suffice to read it.
  const zoom = Math.min(canvas.width / width, Math.max(1,
    canvas.width / (canvas.clientWidth || canvas.width),
    canvas.height / (canvas.clientHeight || canvas.height)));
  const box = [width, HEIGHT_PX].map((side) => Math.ceil(side * zoom));
  const top = canvas.height - box[1];
  context.fillStyle = "black";
  context.fillRect(0, top, ...box);
  context.translate(0, top);
  context.scale(zoom, zoom);
  context.fillStyle = "white";
  context.textBaseline = "middle";
  context.fillText(text, 5, HEIGHT_PX / 2);
  context.restore();
  Object.assign(canvas.dataset, { mark: text, markPlace: [0, top, ...box].join(" ") });
}
