"""A client generated from the API's description in TypeScript: compiled, then run in Node."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest
from page_parts import TOKEN
from web_parts import encoded, town_picture

# What a user would install, at the versions that were tried.
PACKAGES = ("@hey-api/openapi-ts@0.95.0", "typescript@5", "@types/node@20")
USE = """
import { readFile, writeFile } from "node:fs/promises";
import { client } from "./client/client.gen";
import { models, predict, predictBatch } from "./client/sdk.gen";

async function main(base: string, token: string) {
  client.setConfig({ baseUrl: base, auth: token });
  const known = await models({ throwOnError: true });
  if (!/^[0-9a-f]{64}$/.test(known.data.models[0].digest ?? "")) throw new Error("no digest");
  const image = new File([await readFile("frame.png")], "frame.png", { type: "image/png" });
  const made = await predict({ body: { image }, parseAs: "arrayBuffer", throwOnError: true });
  await writeFile("mask.png", Buffer.from(made.data as unknown as ArrayBuffer));
  const batch = await predictBatch({ body: { image: [image, image] }, query: { format: "json" } });
  await writeFile("batch.json", JSON.stringify(batch.data));
  const refused = await predict({ body: { image }, query: { model: "nobody" } });
  await writeFile("refused.json", JSON.stringify(refused.error));
}
main(process.argv[2], process.argv[3]).catch((error) => { console.error(error); process.exit(1); });
"""


def run(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_a_generated_client_compiles_and_gets_its_masks(
    served: str, api: httpx.Client, tmp_path: Path
) -> None:
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("no Node.js here: apt-get install nodejs npm")
    (tmp_path / "package.json").write_text('{"private": true}')
    installed = subprocess.run(
        ["npm", "install", "--silent", "--no-audit", "--no-fund", *PACKAGES],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
    )
    if installed.returncode:
        pytest.skip(f"npm installs nothing here: {installed.stderr[-200:]}")
    (tmp_path / "openapi.json").write_text(api.get("/openapi.json").text)
    run(tmp_path, "npx", "openapi-ts", "-i", "openapi.json", "-o", "client")
    (tmp_path / "use.ts").write_text(USE)
    options = ("--strict", "--target", "es2022", "--module", "commonjs", "--skipLibCheck")
    run(tmp_path, "npx", "tsc", *options, "--outDir", "out", "--types", "node", "use.ts")
    (tmp_path / "frame.png").write_bytes(encoded(town_picture()))
    run(tmp_path, "node", "out/use.js", served, TOKEN)
    mask = api.post("/predict/", files={"image": encoded(town_picture())}).content
    assert (tmp_path / "mask.png").read_bytes() == mask
    batch = json.loads((tmp_path / "batch.json").read_text())["predictions"]
    assert [bool(item["prediction"]) for item in batch] == [True, True]
    refused = json.loads((tmp_path / "refused.json").read_text())
    assert refused["status"] == 404 and "nobody" in refused["detail"]
