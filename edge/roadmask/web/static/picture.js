// Masks as category ids: decoding, colouring and laying them over a picture.

import { t } from "./language.js";
import { getJson } from "./page.js";

/** The categories: [{id, name, color: [r, g, b], css}], in the order of their ids. */
export const loadLabels = async () => (await getJson("/labels")).labels;

const LARGEST_PX = 1920; // width of a canvas, where the camera's own is not wider

// Ids must come out of a PNG as they went in.
const EXACT = { colorSpaceConversion: "none", premultiplyAlpha: "none" };

/** A picture from a Blob, or from an address (`data:` and `blob:` too). */
export async function decode(source) {
  if (source instanceof Blob) return createImageBitmap(source, EXACT);
  const image = new Image();
  image.src = source;
  try {
    await image.decode();
  } catch {
    throw new Error(t("This browser cannot show that picture."));
  }
  return createImageBitmap(image, EXACT);
}

/** An index mask: `ids[y * width + x]`. */
export class IdMask {
  static #canvas = new OffscreenCanvas(1, 1);

  constructor(bitmap) {
    const canvas = IdMask.#canvas;
    ({ width: this.width, height: this.height } = bitmap);
    Object.assign(canvas, { width: this.width, height: this.height });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(bitmap, 0, 0);
    const pixels = context.getImageData(0, 0, this.width, this.height).data;
    this.ids = new Uint8Array(this.width * this.height);
    for (let i = 0; i < this.ids.length; i += 1) this.ids[i] = pixels[4 * i];
  }

  static async from(source) {
    return new IdMask(await decode(source));
  }

  /** The id at a place given as fractions of width and height. */
  at(x, y) {
    const column = Math.min(Math.floor(x * this.width), this.width - 1);
    const row = Math.min(Math.floor(y * this.height), this.height - 1);
    return this.ids[row * this.width + column];
  }
}

/** Colours masks: `colors[id]` is [r, g, b]; an id without a colour, or hidden, is transparent. */
export class Painter {
  #table = new Uint32Array(256);
  #canvas = new OffscreenCanvas(1, 1);

  constructor(colors) {
    this.colors = colors;
    Object.entries(colors).forEach(([id]) => this.show(Number(id), true));
  }

  show(id, visible) {
    const [r, g, b] = this.colors[id];
    // Written as the bytes R, G, B, A of a little-endian word.
    this.#table[id] = visible ? (255 << 24 | b << 16 | g << 8 | r) >>> 0 : 0;
  }

  /** The mask over a place of a canvas's context, [x, y, width, height]; all of it by default. */
  paint(context, mask, opacity, place) {
    const canvas = this.#canvas;
    if (canvas.width !== mask.width || canvas.height !== mask.height) {
      Object.assign(canvas, { width: mask.width, height: mask.height });
    }
    const own = canvas.getContext("2d");
    const image = own.createImageData(mask.width, mask.height);
    const words = new Uint32Array(image.data.buffer);
    for (let i = 0; i < words.length; i += 1) words[i] = this.#table[mask.ids[i]];
    own.putImageData(image, 0, 0);
    context.save();
    context.globalAlpha = opacity;
    context.imageSmoothingEnabled = false;
    context.drawImage(canvas, ...(place ?? [0, 0, context.canvas.width, context.canvas.height]));
    context.restore();
  }
}

/** Paints a mask of differences: wrong is red, not scored is grey, right is clear. */
export const differencePainter = () => {
  const colors = [];
  colors[128] = [110, 110, 110];
  colors[255] = [230, 0, 40];
  return new Painter(colors);
};

/**
 * A picture with a mask over it, drawn into a canvas that is large enough for every pixel of both;
 * `grey` takes the picture's colours away, so that the mask's alone are seen.
 */
export function compose(canvas, bitmap, mask, painter, opacity, { grey } = {}) {
  const width = Math.max(bitmap?.width ?? 0, mask?.width ?? 0);
  const height = Math.max(bitmap?.height ?? 0, mask?.height ?? 0);
  draw(canvas, [width, height], [0, 0, width, height], { bitmap, mask, painter, opacity, grey });
}

/**
 * The same in the camera's own coordinates, by the map that came with the frame: what the network
 * did not see of the camera's picture is black, the padding of a letterbox falls outside.
 * `info` has `camera_size`, `scale` and `offset`: camera pixel = scale x mask pixel + offset.
 */
export function composeInCamera(canvas, bitmap, mask, painter, opacity, info) {
  const { camera_size: camera, scale, offset } = info;
  const shown = [scale[0] * mask.width, scale[1] * mask.height];
  const most = Math.max(1, LARGEST_PX / camera[0]);
  const zoom = Math.min(most, Math.max(...[mask, bitmap].filter(Boolean).flatMap((plane) =>
    [plane.width / shown[0], plane.height / shown[1]])));
  const size = camera.map((side) => Math.round(side * zoom));
  const [across, down] = [size[0] / camera[0], size[1] / camera[1]];
  // Pixel centres lie at whole numbers: the first pixel begins half a pixel before its centre.
  const place = [(offset[0] + 0.5 - scale[0] / 2) * across, (offset[1] + 0.5 - scale[1] / 2) * down,
    shown[0] * across, shown[1] * down];
  draw(canvas, size, place, { bitmap, mask, painter, opacity });
}

function draw(canvas, [width, height], place, { bitmap, mask, painter, opacity, grey }) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.fillStyle = "black";
  context.fillRect(0, 0, width, height);
  context.filter = grey ? "grayscale(1)" : "none";
  if (bitmap) context.drawImage(bitmap, ...place);
  context.filter = "none";
  if (mask) painter.paint(context, mask, opacity, place);
}
