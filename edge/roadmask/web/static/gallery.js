// The gallery: a frame of the data set, or an image of one's own, with truth, prediction and scores.

import { Downloads, stem } from "./downloads.js";
import { Film } from "./film.js";
import { IdList } from "./idlist.js";
import { t } from "./language.js";
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
    this.downloads = new Downloads(byId("downloads"));
    fillModels(byId("model"), models, chosenModel);
    byId("model").addEventListener("change", () => this.#again?.());
    byId("opacity").addEventListener("input", () => this.draw());
    if (config.gallery) this.#openSet(config.gallery);
    this.film = new Film(() => [this.painter, byId("opacity").value / 100]);
    openOwnImage(config, (...files) => this.upload(...files), { video: true });
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
    if (image.type.startsWith("video/")) return this.#watch(image);
    const query = { model: byId("model").value, format: "json", truth_labels: labels };
    return this.#show(image.name, async (signal) => {
      const prediction = await postForm(address("/predict/", query),
        [["image", image], ["truth", truth]], { signal });
      return { prediction, image };
    });
  }

  /** A video of one's own. */
  async #watch(file) {
    const signal = this.#newest.next();
    this.#clear();
    notice(null);
    byId("what").textContent = t("Predicting {name} …", file);
    try {
      const frames = await this.film.send(file, byId("model").value, signal);
      byId("what").textContent = `${file.name} · ${t("{frames} frames", { frames })} · ${byId("model").value}`;
    } catch (error) {
      if (signal.aborted) return;
      byId("what").textContent = t("{name}: no result.", file);
      notice(error);
    }
  }

  // What was before, and its scores, must not be taken for what comes.
  #clear() {
    this.shown = null;
    for (const part of ["views", "pixel", "numbers"]) byId(part).hidden = true;
    delete byId("views").dataset.shown;
    this.downloads.clear();
    this.film.clear();
  }

  async #show(name, ask) {
    const signal = this.#newest.next();
    this.film.clear();
    notice(null);
    byId("views").setAttribute("aria-busy", "true");
    byId("what").textContent = t("Predicting {name} …", { name });
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
      this.downloads.offer([
        [t("mask"), `${stem(name)}-mask.png`, prediction.mask],
        [t("overlay"), `${stem(name)}-overlay.png`, byId("view-prediction")],
        ["JSON", `${stem(name)}.json`, prediction],
      ]);
      byId("views").dataset.shown = name;
      // On a narrow screen the list lies above the result.
      if (matchMedia("(max-width: 800px)").matches) byId("what").scrollIntoView();
    } catch (error) {
      if (signal.aborted) return;
      this.#clear();
      byId("what").textContent = t("{name}: no result.", { name });
      notice(error);
    } finally {
      if (!signal.aborted) byId("views").removeAttribute("aria-busy");
    }
  }

  draw() {
    this.film.draw();
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
    const name = (mask) => t(this.labels[mask.at(x, y)]?.name ?? "?");
    const truth = trueMask ? ` · ${t("truth")} ${name(trueMask)}` : "";
    const place = `${Math.floor(x * predicted.width)}, ${Math.floor(y * predicted.height)}`;
    byId("pixel").textContent = `${t("Pixel")} ${place}${truth} · ${t("predicted")} ${name(predicted)}`;
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
