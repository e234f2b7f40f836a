// The gallery: a frame of the data set, or an image of one's own, with truth, prediction and scores.

import { IdList } from "./idlist.js";
import { fillModels, loadModels } from "./models.js";
import { decodeFile, openOwnImage } from "./own.js";
import { address, byId, getJson, Newest, notice, openPage, postForm } from "./page.js";
import { compose, decode, differencePainter, IdMask, loadLabels, Painter } from "./picture.js";
import { fillScores } from "./scores.js";

const DIFFERENCE_OPACITY = 0.85;

class Gallery {
  #newest = new Newest();
  #again = null; // what shows the same frame again, after a change of the network

  constructor(config, labels, models, chosenModel) {
    this.labels = labels;
    this.painter = new Painter(labels.map((label) => label.color));
    this.marker = differencePainter();
    this.shown = null;
    fillModels(byId("model"), models, chosenModel);
    byId("model").addEventListener("change", () => this.#again?.());
    byId("opacity").addEventListener("input", () => this.draw());
    if (config.gallery) this.#openSet(config.gallery);
    openOwnImage(config, (...files) => this.upload(...files));
    byId("views").addEventListener("pointermove", (event) => this.#read(event));
  }

  #openSet({ dataset, split }) {
    byId("set").hidden = false;
    byId("set-name").textContent = `${dataset}, ${split}`;
    this.list = new IdList((id) => this.open(id));
    for (const way of ["previous", "next"]) {
      byId(way).addEventListener("click", () => this.open(byId(way).dataset.id));
    }
  }

  /** A frame of the data set. */
  open(id) {
    this.#again = () => this.open(id);
    const query = { model: byId("model").value };
    return this.#show(id, async (signal) => {
      const prediction = await getJson(address(`/gallery/${encodeURIComponent(id)}`, query), { signal });
      history.replaceState(null, "", address(location.pathname, { id, ...query }));
      this.list.mark(id);
      return { prediction, image: prediction.image };
    });
  }

  /** An image of one's own; `truth` and the name of its label set may be null. */
  upload(image, truth, labels) {
    this.#again = () => this.upload(image, truth, labels);
    const query = { model: byId("model").value, format: "json", truth_labels: labels };
    return this.#show(image.name, async (signal) => {
      const prediction = await postForm(address("/predict/", query),
        [["image", image], ["truth", truth]], { signal });
      return { prediction, image };
    });
  }

  async #show(name, ask) {
    const signal = this.#newest.next();
    notice(null);
    byId("views").setAttribute("aria-busy", "true");
    byId("what").textContent = `Predicting ${name} …`;
    try {
      const { prediction, image } = await ask(signal);
      const { scores } = prediction;
      const [picture, predicted, trueMask, difference] = await Promise.all([
        image instanceof Blob ? decodeFile(image) : decode(image), IdMask.from(prediction.mask),
        scores && IdMask.from(scores.truth), scores && IdMask.from(scores.difference),
      ]);
      if (signal.aborted) return;
      this.shown = { picture, predicted, trueMask, difference };
      for (const part of ["views", "pixel", "numbers"]) byId(part).hidden = false;
      this.draw();
      fillScores(byId("scores"), this.labels, [prediction], [prediction.model]);
      const size = prediction.size.join(" × ");
      byId("what").textContent = `${name} · ${size} px · ${prediction.model}`;
      for (const way of ["previous", "next"]) {
        byId(way).disabled = !prediction[way];
        byId(way).dataset.id = prediction[way] ?? "";
      }
      byId("views").dataset.shown = name;
      // On a narrow screen the list lies above the result.
      if (matchMedia("(max-width: 800px)").matches) byId("what").scrollIntoView();
    } catch (error) {
      if (signal.aborted) return;
      // The frame before, and its scores, must not be taken for this one's.
      this.shown = null;
      for (const part of ["views", "pixel", "numbers"]) byId(part).hidden = true;
      delete byId("views").dataset.shown;
      byId("what").textContent = `${name}: no result.`;
      notice(error);
    } finally {
      if (!signal.aborted) byId("views").removeAttribute("aria-busy");
    }
  }

  draw() {
    if (!this.shown) return;
    const { picture, predicted, trueMask, difference } = this.shown;
    const opacity = byId("opacity").value / 100;
    compose(byId("view-image"), picture, null);
    compose(byId("view-prediction"), picture, predicted, this.painter, opacity);
    byId("view-truth").closest("figure").hidden = !trueMask;
    byId("view-difference").closest("figure").hidden = !difference;
    if (trueMask) compose(byId("view-truth"), picture, trueMask, this.painter, opacity);
    if (difference) {
      const strong = [this.marker, DIFFERENCE_OPACITY, { grey: true }];
      compose(byId("view-difference"), picture, difference, ...strong);
    }
  }

  /** Say what truth and prediction are under the pointer. */
  #read(event) {
    const canvas = event.target.closest("canvas");
    if (!canvas || !this.shown) return;
    const box = canvas.getBoundingClientRect();
    const x = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    const y = Math.min(Math.max((event.clientY - box.top) / box.height, 0), 1);
    const { predicted, trueMask } = this.shown;
    const name = (mask) => this.labels[mask.at(x, y)]?.name ?? "?";
    const truth = trueMask ? ` · truth ${name(trueMask)}` : "";
    const place = `${Math.floor(x * predicted.width)}, ${Math.floor(y * predicted.height)}`;
    byId("pixel").textContent = `Pixel ${place}${truth} · predicted ${name(predicted)}`;
  }
}

async function start() {
  const config = await openPage();
  const [labels, models] = await Promise.all([loadLabels(), loadModels()]);
  const wanted = new URLSearchParams(location.search);
  const gallery = new Gallery(config, labels, models, wanted.get("model"));
  if (!config.gallery) return;
  await gallery.list.load();
  if (wanted.get("id")) await gallery.open(wanted.get("id"));
}

start().catch(notice);
