// Lists to choose a network from.

import { getJson, make } from "./page.js";

/** /models: {default, models: [...]}. */
export const loadModels = () => getJson("/models");

/** Fill a `<select>`; `chosen` is selected when it is there and can be used. */
export function fillModels(select, { models, default: standard }, chosen) {
  for (const model of models) {
    const about = model.available ? model.kind : model.reason;
    const text = about ? `${model.name} · ${about}` : model.name;
    select.append(make("option", { value: model.name, disabled: !model.available }, text));
  }
  const usable = models.filter((model) => model.available).map((model) => model.name);
  select.value = [chosen, standard, usable[0]].find((name) => usable.includes(name)) ?? "";
}
