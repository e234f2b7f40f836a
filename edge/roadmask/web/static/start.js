// The start page: what this server has, and where it is.

import { byId, getJson, make, notice, openPage, percent } from "./page.js";

async function start() {
  const config = await openPage();
  byId("version").textContent = config.version;
  byId("live-state").textContent = config.live
    ? `Stream at ${config.socket}` : "No stream: start with --socket PATH.";
  byId("gallery-state").textContent = config.gallery
    ? `${config.gallery.count} frames of ${config.gallery.dataset}, ${config.gallery.split}`
    : "No data set: start with --dataset NAME --root DIR.";
  const secret = config.login ? ' -H "Authorization: Bearer $TOKEN"' : "";
  byId("shell").textContent = [
    `curl${secret} -F image=@frame.png ${location.origin}/predict/ -o mask.png`,
    `curl${secret} -F image=@frame.png '${location.origin}/predict/?format=overlay' -o overlay.png`,
    `curl${secret} -F image=@frame.png -F truth=@truth.png '${location.origin}/predict/?format=json'`,
  ].join("\n");
  const { models } = await getJson("/models");
  const usable = models.filter((model) => model.available).length;
  byId("compare-state").textContent = usable === 1 ? "1 network" : `${usable} networks`;
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
