// The same request in three languages, ready to be copied and run.

import { t } from "./language.js";
import { make, notice } from "./page.js";

/** [[language, code]] for this server; `secret`: a token is asked for, and taken from $TOKEN. */
export function snippets(origin, secret) {
  const curl = secret ? ' -H "Authorization: Bearer $TOKEN"' : "";
  const python = secret ? ', headers={"Authorization": f"Bearer {os.environ[\'TOKEN\']}"}' : "";
  const script = secret ? ", headers: { Authorization: `Bearer ${process.env.TOKEN}` }" : "";
  return [
    ["curl", `curl${curl} -F image=@frame.png ${origin}/predict/ -o mask.png
curl${curl} -F image=@frame.png '${origin}/predict/?format=overlay' -o overlay.png
curl${curl} -F image=@frame.png -F truth=@truth.png '${origin}/predict/?format=json'
`],
    ["Python", `${secret ? "import os\n\n" : ""}import httpx

with open("frame.png", "rb") as frame:
    answer = httpx.post("${origin}/predict/", files={"image": frame}${python}, timeout=60)
answer.raise_for_status()
with open("mask.png", "wb") as mask:
    mask.write(answer.content)
`],
    ["JavaScript", `import { readFile, writeFile } from "node:fs/promises";

const body = new FormData();
body.append("image", new Blob([await readFile("frame.png")]), "frame.png");
const answer = await fetch("${origin}/predict/", { method: "POST", body${script} });
if (!answer.ok) throw new Error((await answer.json()).detail);
await writeFile("mask.png", Buffer.from(await answer.arrayBuffer()));
`],
  ];
}

/** Draw them into `place`, each with a button that copies it. */
export function showSnippets(place, all) {
  for (const [language, code] of all) {
    const copy = make("button", { type: "button", class: "quiet" }, t("Copy"));
    copy.addEventListener("click", () => {
      navigator.clipboard.writeText(code).then(() => { copy.textContent = t("Copied"); }, notice);
    });
    place.append(make("div", { class: "panel-head" }, make("h3", {}, language), copy),
      make("pre", { tabindex: "0", "data-language": language }, code));
  }
}
