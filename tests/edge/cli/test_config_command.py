"""Every setting, by command line and by file: what it does not take is one line and exit 2."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roadmask.cli.config_file import TABLES, daemon_config
from roadmask.cli.config_text import markdown
from roadmask.cli.main import main, parser
from roadmask.cli.options import option_of
from roadmask.daemon.config import DaemonConfig
from roadmask.errors import ConfigError
from roadmask.system.ranges import Range
from roadmask.system.settings import Setting, settings_of
from roadmask.system.toml import read_toml

PAGES = Path(__file__).parents[3] / "docs"
COMMANDS = {"daemon": "run", "serve": "serve"}
SETTINGS = [
    pytest.param(table, each, id=f"{table}.{name}")
    for table, kind in TABLES.items()
    for name, each in settings_of(kind).items()
]


def wrong_values(each: Setting) -> Iterator[Any]:
    """What TOML can say and the setting does not take: other types, and what lies out of range."""
    yield from ({}, [3], [[]])
    if each.kind is not bool:
        yield from (True, False)
    if each.kind is tuple:
        yield from ("a", 1, [""], ["a\0b"])
    elif each.octal:
        yield from (432, 660, 0, -1, 9999999, "0888", "rw-", "-660", "00660", "0o1660", "")
    elif each.within:
        yield from ("1", math.nan, math.inf, -math.inf, -1e300, -(10**400))
        if each.within.most < math.inf or each.kind is float:
            yield 10**400
        halved = each.within.zero and each.kind is float
        yield each.within.least / 2 if halved else min(-1, each.within.least - 1)
        if each.kind is int:
            yield 1.5
        if each.within.most < math.inf:
            yield each.within.most + 1
    elif each.kind is bool:
        yield from (0, 1, "true")
    else:
        yield from (1, 1.5, "a\0b")
        if each.default != "":
            yield ""
        if each.choices or each.form:
            yield "~"


def wrong_texts(each: Setting) -> Iterator[str]:
    """What can be typed and the setting does not take."""
    if each.within:
        numbers = (v for v in wrong_values(each) if type(v) in (int, float))
        yield from ("", "x", "1e999", "9" * 5000, *(str(v) for v in numbers if abs(v) < 1e300))
    elif each.octal:
        yield from ("", "-1", "9999999", "0888", "rw-", "00660", "0o1660", "66")
    elif each.choices or each.form:
        yield from ("~", "\0", "a\nb")
    else:
        yield "\0"
        if each.default != "":
            yield ""


def one_line(capsys: pytest.CaptureFixture[str], *words: str) -> None:
    out, line = capsys.readouterr()
    assert out == "" and line.startswith("roadmask: ") and line.count("\n") == 1, (out, line)
    assert "expected" in line and len(line) < 400, line
    assert all(word in line for word in words), (line, words)


def written(value: Any) -> str:
    """``value`` as TOML has it."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return "{}" if value == {} else json.dumps(value)


@pytest.mark.parametrize(("table", "each"), SETTINGS)
def test_a_file_with_a_wrong_value(
    table: str, each: Setting, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "roadmask.toml"
    for value in wrong_values(each):
        path.write_text(f"[{table}]\n{each.name} = {written(value)}\n")
        assert main(["config", "check", str(path)]) == 2, value
        one_line(capsys, each.name, str(path))


@pytest.mark.parametrize(("table", "each"), SETTINGS)
def test_the_command_line_with_a_wrong_value(
    table: str, each: Setting, capsys: pytest.CaptureFixture[str]
) -> None:
    if each.option == "" or each.kind is bool:
        return  # no option, or one without a value
    for text in wrong_texts(each):
        command = COMMANDS[table]
        with pytest.raises(SystemExit) as end:  # not main: what it takes by mistake would run
            parser(command).parse_args([command, f"{option_of(each)}={text}"])
        assert end.value.code == 2, text
        one_line(capsys, option_of(each))


@pytest.mark.parametrize(("table", "each"), SETTINGS)
def test_every_number_has_a_range_and_every_default_is_taken(table: str, each: Setting) -> None:
    assert each.kind not in (int, float) or each.within or each.octal
    assert each.help and each.expected
    if each.default is not None:
        assert each.convert(each.default) == each.default


def actions(whole: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.Action]]:
    for action in whole._actions:
        if isinstance(action, argparse._SubParsersAction):
            for part in action.choices.values():
                yield from actions(part)
        else:
            yield whole.prog, action


def test_every_number_of_the_command_has_a_range() -> None:
    """A ``type`` that takes any number is one that nobody thought about."""
    seen = 0
    for command, action in actions(parser()):
        if isinstance(action.type, Range):
            seen += 1
            assert action.type.most < math.inf or action.type.kind is int, (command, action.dest)
        name = getattr(action.type, "__name__", "")
        assert name not in ("int", "float"), (command, action.dest)
        assert (
            not isinstance(action.default, float | int)
            or isinstance(action.default, bool)
            or isinstance(action.type, Range)
        ), (command, action.dest)
    assert seen > 10


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("scene = 3", ("scene = 3", "a table")),
        ("daemon = 5", ("daemon = 5", "a table")),
        ("daemon = [1]", ("daemon = [1]", "a table")),
        ("[daemon]\nscene = ['a']", ("'scene'",)),
        ("[demon]\n", ("[demon]", "[daemon]")),
        ("[daemon]\nthread = 2", ("did you mean threads",)),
        ("[daemon]\nsocket_mode = 432", ("432", '"0660"')),
        ("[daemon]\nsocket_mode = 440", ("440", '"0660"')),
    ],
)
def test_a_file_of_another_shape(
    text: str, words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "roadmask.toml"
    path.write_text(text)
    for command in (["config", "check", str(path)], ["run", "--config", str(path)]):
        assert main(command) == 2
        _, line = capsys.readouterr()
        assert line.count("\n") == 1 and all(word in line for word in words), line


@pytest.mark.parametrize("text", ['"0640"', '"640"', '"0o640"', "0o640", "0o640  # of S4's group"])
def test_permission_bits_are_octal(text: str, tmp_path: Path) -> None:
    path = tmp_path / "roadmask.toml"
    path.write_text(f"[daemon]\nthreads = 2\nsocket_mode = {text}\n")
    assert daemon_config(path, {}).socket_mode == 0o640


def test_what_is_shown_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show"]) == 0
    path = tmp_path / "roadmask.toml"
    path.write_text(capsys.readouterr().out)
    assert daemon_config(path, {}) == DaemonConfig()
    path.write_text("[daemon]\nthreads = 3\n[scene]\ndark = 0.5\n")
    assert main(["config", "check", str(path)]) == 0
    assert main(["config", "show", str(path)]) == 0
    path.write_text(capsys.readouterr().out.partition("\n")[2])
    shown = read_toml(path)
    assert (shown["daemon"]["threads"], shown["scene"]["dark"]) == (3, 0.5)
    config = daemon_config(path, {"threads": 4})
    assert (config.threads, config.scene.dark, config.max_age_ms) == (4, 0.5, 250)


def test_what_only_the_board_may_have_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "board.toml"
    file.write_text('[daemon]\nallow_users = ["nobody-of-here"]\nmodel = "other.tflite"\n')
    assert main(["config", "check", str(file)]) == 0
    usable, *lacks = capsys.readouterr().out.splitlines()
    assert usable.endswith("2 settings, all usable")
    for line, word in zip(lacks, ("nobody-of-here", "other.tflite"), strict=True):
        assert line.startswith("not on this machine: ") and word in line
    file.write_text('[daemon]\nsource = "rtpx://camera"\n')
    assert main(["config", "check", str(file)]) == 2
    assert "unknown kind 'rtpx'" in capsys.readouterr().err


def test_one_setting_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "explain", "max-fps"]) == 0
    told = capsys.readouterr().out
    assert "--max-fps" in told and "[daemon]" in told and "0.01 to 1000" in told
    assert main(["config", "explain", "threads"]) == 0
    assert capsys.readouterr().out.count("threads: ") == 2  # the daemon's and the console's
    assert main(["config", "explain", "thread"]) == 2
    assert "did you mean threads" in capsys.readouterr().err


def test_the_schema_says_what_the_check_does(capsys: pytest.CaptureFixture[str]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    assert main(["config", "show", "--json-schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    judge = jsonschema.Draft202012Validator(schema)
    judge.check_schema(schema)
    for table, kind in TABLES.items():
        for name, each in settings_of(kind).items():
            default = json.loads(json.dumps(each.shown_default))
            assert default is None or judge.is_valid({table: {name: default}}), (table, name)
            for value in wrong_values(each):
                # NaN and infinity are none of JSON's; a float that is whole counts as an integer.
                if not isinstance(value, float) or math.isfinite(value):
                    assert not judge.is_valid({table: {name: value}}), (table, name, value)


@pytest.mark.parametrize(
    ("table", "page"),
    [(table, "console.md" if table == "serve" else "daemon.md") for table in TABLES],
)
def test_the_pages_show_the_settings(table: str, page: str) -> None:
    text = (PAGES / page).read_text(encoding="utf-8")
    assert markdown(table, TABLES[table]) in text, "paste what `config show --markdown` prints"


def test_the_dataclass_refuses_too() -> None:
    for value in (0, 65, 100_000, "2", True):
        with pytest.raises(ConfigError, match="threads = "):
            DaemonConfig(threads=value)  # type: ignore[arg-type]
