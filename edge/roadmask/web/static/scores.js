// The numbers of one prediction, or of two beside each other.

import { t } from "./language.js";
import { make, number, percent } from "./page.js";

const HEADS = [
  ["Mean IoU", (p) => percent(p.scores?.miou)],
  ["Dice", (p) => percent(p.scores?.dice)],
  ["Pixel accuracy", (p) => percent(p.scores?.pixel_accuracy)],
  ["Network", (p) => `${number(p.invoke_ms)} ms`],
  ["Whole request", (p) => `${number(p.total_ms)} ms`],
];

/**
 * Fill a table: one column a prediction, `names` its heading. Without a truth the rows of the
 * categories are area shares instead of IoU.
 */
export function fillScores(table, labels, predictions, names) {
  const scored = predictions.some((prediction) => prediction.scores);
  const head = make("tr", {}, make("th", { scope: "col" }, scored ? t("Category IoU") : t("Area share")),
    ...names.map((name) => make("th", { scope: "col" }, name)));
  const heads = HEADS.filter((row, index) => scored || index > 2).map(([name, read]) =>
    make("tr", { class: "head" }, make("th", { scope: "row" }, t(name)),
      ...predictions.map((prediction) => make("td", { "data-key": name }, read(prediction)))));
  const rows = labels.map((label) => {
    const swatch = make("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.backgroundColor = label.css;
    return make("tr", {}, make("th", { scope: "row" }, swatch, t(label.name)),
      ...predictions.map(({ scores, shares }) => {
        const value = scored ? scores?.iou[label.name] : shares[label.name];
        const text = scored && !(label.name in (scores?.iou ?? {})) ? t("not scored") : percent(value);
        return make("td", { "data-key": label.name }, text);
      }));
  });
  const body = make("tbody", {}, ...heads, head, ...rows);
  table.replaceChildren(make("caption", { class: "hidden" }, t("Scores and latency")), body);
}
