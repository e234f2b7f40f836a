// Whether a network's confidence means what it says: a reliability diagram.

import { digits, t } from "./language.js";
import { make, percent } from "./page.js";

const SIDE = 240;
const LEFT = 40;
const SHARES = 48; // height of the lower plot: where the pixels are

function svg(name, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Bars: how often it is right; marks across them: how sure it says it is; below, the pixels. */
export function reliabilityPlot({ model, confidence }) {
  if (!confidence) {
    return make("figure", {}, make("figcaption", {}, `${model}: ${t("it tells no confidence")}`));
  }
  const { ece, mean, bins } = confidence;
  const x = (share) => LEFT + share * SIDE;
  const y = (share) => SIDE * (1 - share);
  const bars = bins.flatMap(({ low, high, share, confidence: sure, accuracy }) => {
    const [from, width] = [x(low) + 1, (high - low) * SIDE - 2];
    const words = t("{sure} sure, {right} right, {share} of the pixels",
      { sure: percent(sure), right: percent(accuracy), share: percent(share) });
    return [svg("rect", { class: "right", x: from, y: y(accuracy), width, height: accuracy * SIDE },
      svg("title", {}, words)),
    svg("line", { class: "sure", x1: from, x2: from + width, y1: y(sure), y2: y(sure) }),
    svg("rect", { class: "share", x: from, y: SIDE + 8 + SHARES * (1 - share), width, height: SHARES * share })];
  });
  const ticks = [0, 0.5, 1].flatMap((at) => [
    svg("text", { x: LEFT - 4, y: y(at) + 9 * at, "text-anchor": "end" }, `${100 * at} %`),
    svg("text", { x: x(at), y: SIDE + SHARES + 22, "text-anchor": "middle" }, `${100 * at} %`)]);
  const points = digits(100 * ece, 2);
  const said = t("calibration error {points} points, mean confidence {mean}", { points, mean: percent(mean) });
  const drawing = svg("svg", {
    viewBox: `0 0 ${LEFT + SIDE + 20} ${SIDE + SHARES + 26}`, role: "img", "aria-label": `${model}: ${said}`,
  }, svg("rect", { class: "frame", x: LEFT, y: 0, width: SIDE, height: SIDE }), ...bars,
  svg("line", { class: "ideal", x1: x(0), y1: y(0), x2: x(1), y2: y(1) }), ...ticks);
  return make("figure", {}, make("figcaption", {}, make("strong", {}, model), make("br"), said), drawing);
}
