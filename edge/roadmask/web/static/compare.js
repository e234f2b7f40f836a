// The comparison: two networks on one frame, divided by a slider, with the numbers of both.

import { Downloads, stem } from "./downloads.js";
import { t } from "./language.js";
import { fillModels, loadModels } from "./models.js";
import { decodeFile, openOwnImage } from "./own.js";
import { address, byId, getJson, Newest, notice, openPage, percent, postForm } from "./page.js";
import { compose, decode, differencePainter, IdMask, loadLabels, Painter } from "./picture.js";
import { fillScores } from "./scores.js";

const OFFERED = 50; // ids that match what is typed
const TYPING_MS = 150;

class Compare {
  #newest = new Newest();
  #again = null;
  #shown = null;
  #offers = new Newest();
  #timer = 0;

  constructor(labels, models, wanted) {
    this.labels = labels;
    this.painter = new Painter(labels.map((label) => label.color));
    this.marker = differencePainter();
    this.downloads = new Downloads(byId("downloads"));
    const usable = models.models.filter((model) => model.available).map((model) => model.name);
    fillModels(byId("a"), models, wanted.get("a"));
    const other = usable.find((name) => name !== byId("a").value);
    fillModels(byId("b"), models, wanted.get("b") ?? other);
    if (usable.length < 2) {
      byId("alone").hidden = false;
    }
    for (const side of ["a", "b"]) byId(side).addEventListener("change", () => this.#again?.());
    byId("swap").addEventListener("click", () => {
      [byId("a").value, byId("b").value] = [byId("b").value, byId("a").value];
      this.#again?.();
    });
    byId("view").addEventListener("change", () => this.draw());
    byId("opacity").addEventListener("input", () => this.draw());
    this.#openDivider();
  }

  #openDivider() {
    const [stage, divider] = [byId("stage"), byId("divider")];
    const place = () => stage.style.setProperty("--at", `${divider.value}%`);
    divider.addEventListener("input", place);
    const follow = (event) => {
      const box = stage.getBoundingClientRect();
      divider.value = (100 * (event.clientX - box.left)) / box.width;
      place();
    };
    stage.addEventListener("pointerdown", (event) => {
      stage.setPointerCapture(event.pointerId);
      follow(event);
    });
    stage.addEventListener("pointermove", (event) => {
      if (stage.hasPointerCapture(event.pointerId)) follow(event);
    });
    place();
  }

  async openSet({ dataset, split }, wanted) {
    byId("set").hidden = false;
    byId("set-name").textContent = `${dataset}, ${split}`;
    const first = wanted ?? (await this.#offer(""))[0];
    byId("frame").addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#offer(byId("frame").value).catch(notice), TYPING_MS);
    });
    byId("frame").addEventListener("change", () => this.open(byId("frame").value.trim()));
    for (const way of ["previous", "next"]) {
      byId(way).addEventListener("click", () => this.open(byId(way).dataset.id));
    }
    if (first) await this.open(first);
  }

  /** Ids that match, however many the data set has: the server looks for them. */
  async #offer(query) {
    const url = address("/gallery", { query: query.trim(), limit: OFFERED });
    const { items } = await getJson(url, { signal: this.#offers.next() });
    const ids = items.map(({ id }) => id);
    byId("frame-ids").replaceChildren(...ids.map((id) => new Option("", id)));
    return ids;
  }

  /** A frame of the data set. */
  open(id) {
    if (!id) return Promise.resolve();
    this.#again = () => this.open(id);
    return this.#show(id, async (models, signal) => {
      const answer = await getJson(
        address(`/gallery/${encodeURIComponent(id)}/compare`, models), { signal });
      history.replaceState(null, "", address(location.pathname, { id, ...models }));
      byId("frame").value = id;
      return { answer, picture: await decode(answer.image) };
    });
  }

  /** An image of one's own; `truth` and the name of its label set may be null. */
  upload(image, truth, labels) {
    this.#again = () => this.upload(image, truth, labels);
    return this.#show(image.name, async (models, signal) => {
      const url = address("/compare", { ...models, truth_labels: labels });
      const fields = [["image", image], ["truth", truth]];
      return { answer: await postForm(url, fields, { signal }), picture: await decodeFile(image) };
    });
  }

  async #show(name, ask) {
    const signal = this.#newest.next();
    notice(null);
    byId("what").textContent = t("Comparing on {name} …", { name });
    try {
      const { answer, picture } = await ask({ a: byId("a").value, b: byId("b").value }, signal);
      const { a, b } = answer;
      const scored = Boolean(a.scores && b.scores);
      const masks = [a.mask, b.mask, answer.difference];
      if (scored) masks.push(a.scores.difference, b.scores.difference);
      const [left, right, differ, wrongA, wrongB] = await Promise.all(
        masks.map((mask) => IdMask.from(mask)));
      if (signal.aborted) return;
      this.#shown = { picture, mask: [left, right], differ: [differ, differ], wrong: [wrongA, wrongB] };
      this.#tell(name, answer, scored);
      for (const part of ["stage", "divide", "numbers"]) byId(part).hidden = false;
      this.draw();
      this.downloads.offer([
        [`${t("mask")} A`, `${stem(name)}-a.png`, a.mask], [`${t("mask")} B`, `${stem(name)}-b.png`, b.mask],
        [`${t("overlay")} A`, `${stem(name)}-a-overlay.png`, byId("left")],
        [`${t("overlay")} B`, `${stem(name)}-b-overlay.png`, byId("right")],
        ["JSON", `${stem(name)}.json`, answer],
      ]);
      byId("stage").dataset.shown = name;
    } catch (error) {
      if (signal.aborted) return;
      // The frame before, and its scores, must not be taken for this one's.
      this.#shown = null;
      for (const part of ["stage", "divide", "numbers"]) byId(part).hidden = true;
      byId("agreement").textContent = "";
      delete byId("stage").dataset.shown;
      this.downloads.clear();
      byId("what").textContent = t("{name}: no result.", { name });
      notice(error);
    }
  }

  #tell(name, answer, scored) {
    const { a, b, agreement } = answer;
    byId("view").options[1].disabled = !scored;
    if (!scored && byId("view").value === "wrong") byId("view").value = "mask";
    fillScores(byId("scores"), this.labels, [a, b], [t("Left"), t("Right")]);
    byId("what").textContent = `${name} · ${a.size.join(" × ")} px`;
    byId("agreement").textContent = t("They agree on {part} of the pixels.", { part: percent(agreement) });
    byId("tag-a").textContent = a.model;
    byId("tag-b").textContent = b.model;
    for (const way of ["previous", "next"]) {
      byId(way).disabled = !answer[way];
      byId(way).dataset.id = answer[way] ?? "";
    }
  }

  draw() {
    if (!this.#shown) return;
    const view = byId("view").value;
    const grey = view !== "mask";
    const painter = grey ? this.marker : this.painter;
    const opacity = byId("opacity").value / 100;
    ["left", "right"].forEach((id, index) => {
      compose(byId(id), this.#shown.picture, this.#shown[view][index], painter, opacity, { grey });
    });
  }
}

async function start() {
  const config = await openPage();
  const [labels, models] = await Promise.all([loadLabels(), loadModels()]);
  const wanted = new URLSearchParams(location.search);
  const page = new Compare(labels, models, wanted);
  openOwnImage(config, (...files) => page.upload(...files));
  if (config.gallery) await page.openSet(config.gallery, wanted.get("id"));
}

start().catch(notice);
