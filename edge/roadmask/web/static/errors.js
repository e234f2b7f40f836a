// The whole data set: an evaluation as a job, its tables, and the frames in the order of their errors.

import { moment, t } from "./language.js";
import { fillModels, loadModels } from "./models.js";
import { address, byId, getJson, make, notice, openPage, percent, postJson } from "./page.js";
import { loadLabels } from "./picture.js";
import { ErrorTables } from "./tables.js";

const ASK_MS = 500;

class Errors {
  #timer = 0;
  #job = null;

  constructor(config, labels, models) {
    this.config = config;
    this.tables = new ErrorTables(labels, config.gallery);
    byId("set-name").textContent = `${config.gallery.dataset}, ${config.gallery.split}`;
    fillModels(byId("a"), models);
    byId("b").append(new Option(t("none"), ""));
    fillModels(byId("b"), models);
    byId("b").value = "";
    byId("begin").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#begin().catch(notice);
    });
    byId("cancel").addEventListener("click", () => {
      postJson(`/evaluations/${this.#job}/cancel`).then((job) => this.#follow(job)).catch(notice);
    });
    for (const id of ["result", "other"]) {
      byId(id).addEventListener("change", () => this.#show().catch(notice));
    }
  }

  /** The results that there are; `chosen` is shown. */
  async list(chosen = null) {
    const { jobs, results } = await getJson("/evaluations");
    byId("masks-row").hidden = !results;
    const ended = jobs.filter((job) => job.state === "done");
    for (const [id, first] of [["result", t("none")], ["other", t("nothing")]]) {
      const before = byId(id).value;
      byId(id).replaceChildren(new Option(first, ""), ...ended.map((job) => new Option(nameOf(job), job.id)));
      byId(id).value = ended.some((job) => job.id === before) ? before : "";
    }
    if (ended.some((job) => job.id === chosen)) byId("result").value = chosen;
    await this.#show();
    const running = jobs.find((job) => job.state === "running");
    if (running && !this.#job) this.#follow(running);
  }

  async #begin() {
    notice(null);
    const job = await postJson("/evaluations",
      { a: byId("a").value, b: byId("b").value || null, masks: byId("masks").checked });
    this.#follow(job);
  }

  #follow(job) {
    clearTimeout(this.#timer);
    const running = job.state === "running";
    this.#job = running ? job.id : null;
    byId("under-way").hidden = !running;
    byId("evaluate").disabled = running;
    if (running) {
      byId("progress").max = job.total;
      byId("progress").value = job.done;
      byId("progress-text").textContent = t("{done} of {total} frames", job);
      this.#timer = setTimeout(() => {
        getJson(`/evaluations/${job.id}`).then((next) => this.#follow(next)).catch(notice);
      }, ASK_MS);
    } else if (job.state === "failed") {
      notice(job.reason);
    } else {
      if (job.state === "cancelled") byId("what").textContent = t("Cancelled.");
      else this.list(job.id).catch(notice);
    }
  }

  async #show() {
    const [id, other] = [byId("result").value, byId("other").value];
    byId("found").hidden = byId("downloads").hidden = !id;
    if (!id) return;
    notice(null);
    const load = (name) => getJson(`/evaluations/${encodeURIComponent(name)}/result`);
    const [result, second] = await Promise.all([load(id), other ? load(other) : null]);
    for (const form of ["json", "csv", "html"]) {
      byId(form).href = address(`/evaluations/${encodeURIComponent(id)}/result`, { format: form });
    }
    history.replaceState(null, "", address(location.pathname, { id, other }));
    const networks = result.networks.map((network) => `${network.model}: ${percent(network.miou)}`);
    byId("what").textContent =
      [`${result.dataset}, ${result.split}`, moment(new Date(result.when)), ...networks].join(" · ");
    this.tables.show(result, second);
    byId("found").dataset.shown = id;
  }
}

const nameOf = (job) => [job.id.slice(0, 16), ...job.models].join(" · ");

async function start() {
  const config = await openPage();
  if (!config.gallery) {
    notice(t("No data set: start with --dataset NAME --root DIR."));
    for (const part of ["begin", "evaluate"]) byId(part).hidden = true;
    return;
  }
  const [labels, models] = await Promise.all([loadLabels(), loadModels()]);
  const wanted = new URLSearchParams(location.search);
  await new Errors(config, labels, models).list(wanted.get("id"));
}

start().catch(notice);
