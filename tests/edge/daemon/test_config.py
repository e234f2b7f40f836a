from pathlib import Path

import pytest

from roadmask.daemon.config import DaemonConfig
from roadmask.errors import ConfigError
from roadmask.system.settings import from_table
from roadmask.system.toml import read_toml


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
        ({"threads": "2"}, "expected a whole number"),
        ({"threads": True}, "expected a whole number"),
        ({"preview": 1}, "expected true or false"),
        ({"allow_users": "s4"}, "expected a list of text"),
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


def test_the_daemons_page_is_taken_as_it_stands(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "daemon.md").read_text(encoding="utf-8")
    path = tmp_path / "daemon.toml"
    path.write_text(page.split("```toml\n")[1].split("```")[0])
    config = from_table(DaemonConfig, read_toml(path)["daemon"], "docs/daemon.md")
    assert config.socket == DaemonConfig().socket
    assert config.socket_mode == 0o660
