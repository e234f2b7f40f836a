"""The snippets of the start page are run as they stand there, and make the server's own mask."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from page_parts import TOKEN, Page, from_data_url
from web_parts import decoded, encoded, town_picture

RUN = {
    "curl": ["bash", "-e", "-c"],
    "Python": [sys.executable, "-c"],
    "JavaScript": ["node", "--input-type=module", "-e"],
}


@pytest.mark.parametrize("language", RUN)
def test_a_snippet_runs(page: Page, api: httpx.Client, tmp_path: Path, language: str) -> None:
    command = RUN[language]
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} here")
    page.open("/").until("document.querySelectorAll('pre[data-language]').length == 3")
    code = page.text(f"pre[data-language={language}]")
    assert "$TOKEN" in code or "TOKEN" in code, "this server wants a token"
    picture = encoded(town_picture())
    (tmp_path / "frame.png").write_bytes(picture)
    mask: Any = api.post("/predict/", files={"image": picture}).content
    (tmp_path / "truth.png").write_bytes(mask)
    subprocess.run(
        [*command, code], cwd=tmp_path, check=True, env={**os.environ, "TOKEN": TOKEN}, timeout=120
    )
    assert (tmp_path / "mask.png").read_bytes() == mask


def test_a_result_can_be_saved(page: Page, api: httpx.Client, tmp_path: Path) -> None:
    behaviour = {"behavior": "allow", "downloadPath": str(tmp_path)}
    page.driver.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)
    links = "document.querySelectorAll('#downloads a')"
    page.open("/ui/gallery?id=C_0001").until(f"{links}.length == 3")
    page.js(f"[...{links}].forEach(link => link.click())")
    names = ["C_0001-mask.png", "C_0001-overlay.png", "C_0001.json"]

    def saved_whole() -> bool:
        """By their names, none of which is that of a download under way."""
        found = sorted(path.name for path in tmp_path.iterdir())
        return found == sorted(names) and all((tmp_path / name).stat().st_size for name in found)

    page.wait(saved_whole, "three files")
    expected = api.get("/gallery/C_0001").json()
    saved = json.loads((tmp_path / "C_0001.json").read_text())
    assert saved["mask"] == expected["mask"] and saved["scores"] == expected["scores"]
    assert (tmp_path / "C_0001-mask.png").read_bytes() == from_data_url(expected["mask"])
    overlay = decoded((tmp_path / "C_0001-overlay.png").read_bytes())[..., 2::-1]
    assert np.array_equal(overlay, page.canvas("#view-prediction"))
