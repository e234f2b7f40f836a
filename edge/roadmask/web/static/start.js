// The start page: what this server has, and where it is.

import { t } from "./language.js";
import { byId, getJson, make, notice, openPage, percent } from "./page.js";
import { showSnippets, snippets } from "./snippets.js";

async function start() {
  const config = await openPage();
  byId("version").textContent = config.version;
  byId("live-state").textContent = config.live
    ? t("Stream at {socket}", config) : t("No stream: start with --socket PATH.");
  byId("gallery-state").textContent = config.gallery
    ? t("{count} frames of {dataset}, {split}", config.gallery)
    : t("No data set: start with --dataset NAME --root DIR.");
  showSnippets(byId("snippets"), snippets(location.origin, config.login));
  const { models } = await getJson("/models");
  const usable = models.filter((model) => model.available).length;
  byId("compare-state").textContent = usable === 1 ? t("1 network") : t("{usable} networks", { usable });
  byId("models").append(...models.map(row));
}

function row(model) {
  const score = model.scores?.[model.kind] ?? model.scores?.int8 ?? model.scores?.float;
  const cells = model.available
    ? [model.kind, model.input_size?.join(" × "), model.labels, percent(score?.miou),
      model.digest?.slice(0, 12)]
    : [model.reason, "", "", "", ""];
  return make("tr", {}, make("th", { scope: "row" }, model.name),
    ...cells.map((text) => make("td", {}, text ?? "–")));
}

start().catch(notice);
