import argparse
import dataclasses
from pathlib import Path

import pytest

from roadmask.cli.run import add_run
from roadmask.daemon.config import DaemonConfig
from roadmask.errors import ConfigError
from roadmask.system.toml import from_table, read_toml


def test_values_over_defaults(tmp_path: Path) -> None:
    path = tmp_path / "roadmask.toml"
    path.write_text('[daemon]\nsource = "a.mp4"\nthreads = 2\nallow_users = ["s4"]\n')
    config = from_table(DaemonConfig, read_toml(path)["daemon"], "file")
    assert (config.source, config.threads, config.allow_users) == ("a.mp4", 2, ("s4",))
    assert config.max_age_ms == 250


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"thread": 2}, "did you mean threads"),
        ({"threads": "2"}, "expected int"),
        ({"threads": True}, "expected int"),
        ({"preview": 1}, "expected bool"),
        ({"allow_users": "s4"}, "expected list of str"),
    ],
)
def test_what_does_not_fit_is_named(table: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        from_table(DaemonConfig, table, "file")


def test_missing_and_broken_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_toml(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not TOML"):
        read_toml(tmp_path / "bad.toml")


def test_the_daemons_page_names_every_option(tmp_path: Path) -> None:
    """The example in docs/daemon.md is taken as it stands, and it leaves nothing out."""
    page = (Path(__file__).parents[3] / "docs" / "daemon.md").read_text(encoding="utf-8")
    example = page.split("```toml\n")[1].split("```")[0]
    path = tmp_path / "daemon.toml"
    path.write_text(example)
    table = read_toml(path)["daemon"]
    from_table(DaemonConfig, table, "docs/daemon.md")
    # Per run, or for S4's own account: named elsewhere.
    unnamed = {f.name for f in dataclasses.fields(DaemonConfig)} - set(table)
    assert unnamed == {"frames", "labels", "allow_users", "scene"}
    parser = argparse.ArgumentParser()
    add_run(parser)
    on_the_command_line = {action.dest for action in parser._actions}
    assert set(table) - on_the_command_line == {"socket_mode", "socket_group", "allow_groups"}
