"""What README and docs tell people to type is taken by the real parsers; their programs run."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import re
import shlex
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roadmask.daemon.config import DaemonConfig
from roadmask.system.settings import from_table
from roadmask.system.toml import read_toml
from roadmask.testing import StreamPlayer

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
SHELL = ("", "sh", "bash")
# Not ours: what a README may ask of the system.
SYSTEM = {"cd", "cmake", "curl", "cp", "git", "pip", "python3", "sudo", "systemctl", "systemd-run"}


class Parsed(BaseException):
    """The command line was taken; nothing is run."""


def blocks(page: Path, *languages: str) -> Iterator[str]:
    """Fenced blocks of these languages."""
    for language, text in re.findall(r"^ *```(\w*)\n(.*?)^ *```", page.read_text(), re.M | re.S):
        if language in languages:
            yield textwrap.dedent(text)


def typed(page: Path) -> Iterator[list[str]]:
    """Every command of the shell blocks, as words; the parts of ``a && b`` one by one."""
    for block in blocks(page, *SHELL):
        for line in block.replace("\\\n", " ").splitlines():
            try:
                words = shlex.split(line.removeprefix("$ "), comments=True)
            except ValueError:
                continue  # a drawing
            part: list[str] = []
            for word in [*words, "&&"]:
                if word not in ("&&", "|", ";", "&"):
                    part.append(word)
                elif part:
                    yield part
                    part = []


def ours(words: list[str]) -> tuple[str, list[str]] | None:
    """The module and the arguments of a command of this project."""
    name = Path(words[0]).name
    if name == "roadmask" and len(words) > 1:
        return "roadmask.cli.main", words[1:]
    if name.startswith("python") and words[1:2] == ["-m"]:
        package, *arguments = words[2:]
        if package.split(".")[0] in ("train", "convert", "benchmarks", "docs"):
            module = importlib.util.find_spec(package)
            packed = module is not None and module.submodule_search_locations is not None
            return package + (".__main__" if packed else ""), arguments
    return None


COMMANDS = [
    pytest.param(*found, id=f"{page.name}-{shlex.join(words)[:60]}")
    for page in PAGES
    for words in typed(page)
    if (found := ours(words)) and found[1]
]


@pytest.mark.parametrize(("module", "arguments"), COMMANDS)
def test_a_command_is_taken(
    module: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    parse = argparse.ArgumentParser.parse_args

    def parse_only(self: argparse.ArgumentParser, *given: Any) -> None:
        parse(self, *given)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_only)
    try:
        code = importlib.import_module(module).main(arguments)
    except Parsed:
        return
    except SystemExit as end:
        code = end.code
    assert not code and {"--help", "--list-models", "--version"} & set(arguments)


def test_readme_has_commands() -> None:
    modules = {found[0] for words in typed(ROOT / "README.md") if (found := ours(words))}
    assert {"roadmask.cli.main", "train.__main__", "convert.__main__"} <= modules


def test_readme_asks_only_for_what_is_known() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for words in typed(ROOT / "README.md"):
        name = Path(words[0]).name
        if name == "make":
            assert re.search(rf"^{re.escape(words[1])}:", makefile, re.M), words
        elif ours(words) is None and words[0][0].isascii() and words[0][0].isalpha():
            assert name in SYSTEM or name == "roadmask-subscribe" or " ->" in " ".join(words), words


def test_readmes_configuration_is_taken(tmp_path: Path) -> None:
    (text,) = blocks(ROOT / "README.md", "toml")
    (tmp_path / "roadmask.toml").write_text(text)
    config = from_table(DaemonConfig, read_toml(tmp_path / "roadmask.toml")["daemon"], "README")
    assert config.threads == 3


class StopError(Exception):
    pass


def test_readmes_loop_drives_and_stops(tmp_path: Path) -> None:
    (text,) = (block for block in blocks(ROOT / "README.md", "python") if "Subscriber" in block)
    socket = tmp_path / "masks.sock"
    seen: list[str] = []
    driven, ended = threading.Event(), threading.Event()

    def drive(mask: Any, reasons: Any = None) -> None:
        seen.append(mask.mode.name)
        if seen[-1] == "OK":
            driven.set()

    def stop(why: str) -> None:
        if seen:  # before the first frame there is none, either
            raise StopError(why)

    text = text.replace("/run/roadmask/masks.v1.sock", str(socket))
    names = {"drive": drive, "drive_with_care": drive, "stop": stop}
    with StreamPlayer(socket) as player:

        def play() -> None:
            while not driven.is_set() and not ended.is_set():
                player.play("ok", 0.1)
            while not ended.is_set():
                player.play("frozen", 0.1)

        playing = threading.Thread(target=play)
        playing.start()
        try:
            with pytest.raises(StopError):
                exec(compile(text, "README.md", "exec"), names)
        finally:
            ended.set()
            playing.join()
    assert "OK" in seen


def test_the_tutorials_program(tmp_path: Path) -> None:
    (text,) = blocks(ROOT / "docs/tutorial.md", "python")
    socket = tmp_path / "masks.sock"
    script = tmp_path / "drive.py"
    script.write_text(text.replace("/tmp/masks.sock", str(socket)))
    refusing = tmp_path / "refusing.py"
    refusing.write_text(script.read_text().replace(", allow_not_live=True", ""))
    with StreamPlayer(socket) as player:
        programs = [
            subprocess.Popen([sys.executable, path], stdout=subprocess.PIPE, text=True)
            for path in (script, refusing)
        ]
        while any(program.poll() is None for program in programs):
            player.play("file", 0.2)
        lines, refused = (program.communicate()[0].splitlines() for program in programs)
    assert len(lines) == len(refused) == 20
    assert sum("ms old" in line for line in lines) > 10
    assert all(line.startswith("stop:") for line in refused)
