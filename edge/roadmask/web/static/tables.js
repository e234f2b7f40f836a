// The tables of one evaluation, beside another one's where that is chosen.

import { digits, t } from "./language.js";
import { address, byId, make, percent } from "./page.js";
import { reliabilityPlot } from "./reliability.js";

const SHOWN = 50; // frames at first, and so many more each time
const THUMBNAIL_PX = 160;

const cell = (text, attributes = {}) => make("td", attributes, text);
const rowHead = (...parts) => make("th", { scope: "row" }, ...parts);
const columns = (...names) =>
  make("thead", {}, make("tr", {}, ...names.map((name) => make("th", { scope: "col" }, name))));

function interval([low, high]) {
  if (low == null) return "";
  return make("span", { class: "interval" },
    t("{low} to {high}", { low: digits(100 * low), high: digits(100 * high) }));
}

const scored = (value, around) => make("td", {}, percent(value), interval(around));
const points = (a, b) =>
  (a == null || b == null ? "–" : `${a >= b ? "+" : "−"}${digits(Math.abs(100 * (a - b)), 2)}`);

export class ErrorTables {
  #result = null;
  #shown = SHOWN;

  constructor(labels, gallery) {
    this.labels = labels;
    this.gallery = gallery;
    byId("of").addEventListener("change", () => this.#confusion());
    byId("order").addEventListener("change", () => { this.#shown = SHOWN; this.#frames(); });
    byId("more").addEventListener("click", () => { this.#shown += SHOWN; this.#frames(); });
  }

  show(result, other) {
    this.#result = result;
    this.#shown = SHOWN;
    const { networks } = result;
    const ways = networks.map((network, index) => [`worst${index}`, t("worst IoU of {model}", network)]);
    if (result.agreement) ways.push(["differ", t("largest difference")]);
    ways.push(["order", t("their own order")]);
    byId("order").replaceChildren(...ways.map(([value, text]) => new Option(text, value)));
    byId("of").replaceChildren(...networks.map(({ model }, index) => new Option(model, index)));
    this.#categories(networks, other);
    this.#groups(networks);
    this.#confusion();
    byId("reliability").replaceChildren(...networks.map(reliabilityPlot));
    this.#frames();
  }

  #categories(networks, other) {
    const before = other?.networks ?? [];
    const heads = [...networks.map(({ model }) => model), ...before.map(({ model }) => t("{model}, the other", { model }))];
    if (before.length) heads.push(t("Difference, points"));
    if (!before.length && networks.length === 2) heads.push(t("A − B, points"));
    const all = [...networks, ...before];
    const against = before[0] ?? networks[1];
    const line = (head, read) => make("tr", {}, head, ...all.map((network) => read(network)[1]),
      against ? cell(points(read(networks[0])[0], read(against)[0])) : null);
    const totals = [["Mean IoU", (n) => [n.miou, scored(n.miou, n.interval)]],
      ...[["Dice", "dice"], ["Pixel accuracy", "pixel_accuracy"], ["iIoU", "iiou"]].map(
        ([name, key]) => [name, (n) => [n[key], cell(percent(n[key]))]])];
    byId("categories").replaceChildren(
      make("caption", { class: "hidden" }, t("Categories")), columns("", ...heads), make("tbody", {},
        ...totals.map(([name, read]) => line(rowHead(t(name)), read)),
        ...this.labels.slice(1).map((label, index) => line(rowHead(this.#swatch(label), t(label.name)), (n) => {
          const { iou, interval: around } = n.categories[index];
          return [iou, scored(iou, around)];
        }))));
  }

  #groups(networks) {
    const places = networks[0].groups.map((group, index) => make("tr", {}, rowHead(group.group),
      cell(String(group.images)),
      ...networks.map((network) => scored(network.groups[index].miou, network.groups[index].interval))));
    byId("groups").replaceChildren(make("caption", { class: "hidden" }, t("Drives")),
      columns(t("Drive"), t("Frames"), ...networks.map(({ model }) => model)),
      make("tbody", {}, ...places));
  }

  #confusion() {
    const matrix = this.#result.networks[byId("of").value].confusion;
    const rows = this.labels.slice(1).map((label) => {
      const row = matrix[label.id];
      const sum = row.reduce((a, b) => a + b, 0);
      return make("tr", {}, rowHead(this.#swatch(label), t(label.name)), ...row.map((count) => {
        const part = cell(sum ? digits((100 * count) / sum) : "–", { class: "part" });
        part.style.setProperty("--part", sum ? count / sum : 0);
        return part;
      }));
    });
    byId("confusion").replaceChildren(make("caption", { class: "hidden" }, t("Confusion")),
      columns(t("Truth"), ...this.labels.map(({ name }) => t(name))), make("tbody", {}, ...rows));
  }

  #frames() {
    const { networks, agreement } = this.#result;
    const way = byId("order").value;
    const order = networks[0].frames.map((_, index) => index);
    const key = {
      worst0: (i) => networks[0].frames[i].miou ?? 2,
      worst1: (i) => networks[1]?.frames[i].miou ?? 2,
      differ: (i) => agreement?.[i] ?? 2,
      order: (i) => i,
    }[way];
    order.sort((a, b) => key(a) - key(b) || a - b);
    byId("more").hidden = order.length <= this.#shown;
    byId("frames").replaceChildren(make("caption", { class: "hidden" }, t("Frames")),
      columns(t("Frame"), t("Drive"), ...networks.map(({ model }) => model),
        ...(agreement ? [t("Differ on")] : []), t("Pixel accuracy")),
      make("tbody", {}, ...order.slice(0, this.#shown).map((index) => this.#frame(index))));
  }

  #frame(index) {
    const { networks, agreement } = this.#result;
    const frame = networks[0].frames[index];
    const alike = agreement?.[index];
    const here = `/gallery/${encodeURIComponent(frame.id)}`;
    const [a, b] = networks.map(({ model }) => model);
    const known = this.gallery.dataset === this.#result.dataset && this.gallery.split === this.#result.split;
    const link = (href, text) => (known ? make("a", { href }, text) : text);
    const picture = known
      ? make("img", { src: address(`${here}/image`, { width: THUMBNAIL_PX }), alt: "", loading: "lazy" }) : null;
    return make("tr", {}, rowHead(link(address("/ui/gallery", { id: frame.id, model: a }), make("span", {}, picture, frame.id))),
      cell(frame.group),
      ...networks.map((network) => make("td", {}, link(
        address("/ui/gallery", { id: frame.id, model: network.model }), percent(network.frames[index].miou)))),
      alike == null ? null : make("td", {}, link(
        address("/ui/compare", { id: frame.id, a, b }), percent(1 - alike))),
      cell(percent(frame.pixel_accuracy)));
  }

  #swatch(label) {
    const swatch = make("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.backgroundColor = label.css;
    return swatch;
  }
}
