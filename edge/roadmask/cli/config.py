"""``roadmask config``: the settings, and what a file makes of them, told before anything runs."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from roadmask.errors import ConfigError
from roadmask.system.command_line import EXIT_DONE

CONFIG_EXAMPLES = """\
examples:
  roadmask config show > daemon.toml             (every setting with its default)
  roadmask config show /etc/roadmask/daemon.toml (what that file makes of them)
  roadmask config show --json-schema             (for an editor)
  roadmask config check /etc/roadmask/daemon.toml
  roadmask config explain max_fps
"""


def add_config(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``roadmask config``."""
    what = parser.add_subparsers(dest="what", required=True, metavar="show|check|explain")
    show = what.add_parser("show", help="every setting as TOML", description=show_settings.__doc__)
    show.add_argument("file", nargs="?", type=Path, metavar="FILE", help="its values, not defaults")
    form = show.add_mutually_exclusive_group()
    form.add_argument("--json-schema", action="store_true", help="the schema of such a file")
    form.add_argument("--markdown", action="store_true", help="the tables of the documentation")
    show.set_defaults(body=_show)
    check = what.add_parser(
        "check",
        help="check a file",
        description="Exit code 2: unusable. What only the board may have (users, groups, "
        "the model's file) is named where it is not on this machine.",
    )
    check.add_argument("file", type=Path, metavar="FILE")
    check.set_defaults(body=_check)
    explain = what.add_parser("explain", help="tell all about one setting")
    explain.add_argument("key", metavar="KEY", help="such as max_fps, or daemon.threads")
    explain.set_defaults(body=_explain)


def _show(options: argparse.Namespace) -> int:
    from roadmask.cli.config_file import TABLES, read_config
    from roadmask.cli.config_text import json_schema, markdown

    if options.json_schema:
        print(json.dumps(json_schema(TABLES), indent=2))
    elif options.markdown:
        print("\n\n".join(markdown(name, kind) for name, kind in TABLES.items()))
    else:
        print(show_settings(read_config(options.file)))
    return EXIT_DONE


def show_settings(given: dict[str, Any]) -> str:
    """Every table as TOML: the values given, else the defaults."""
    from roadmask.cli.config_file import TABLES
    from roadmask.cli.config_text import toml_table

    return "\n\n".join(toml_table(name, kind, given.get(name, {})) for name, kind in TABLES.items())


def _check(options: argparse.Namespace) -> int:
    from roadmask.cli.config_file import daemon_config, lacks_here, read_config

    tables = read_config(options.file)
    config = daemon_config(options.file, {})
    count = sum(map(len, tables.values()))
    print(f"{options.file}: {count} settings, all usable")
    for lack in lacks_here(config):
        print(f"not on this machine: {lack}")
    return EXIT_DONE


def _explain(options: argparse.Namespace) -> int:
    import difflib

    from roadmask.cli.config_file import TABLES
    from roadmask.cli.config_text import explanation
    from roadmask.system.settings import settings_of

    known = {f"{name}.{key}": name for name, kind in TABLES.items() for key in settings_of(kind)}
    wanted = options.key.replace("-", "_").strip("_")
    found = [full for full in known if wanted in (full, full.partition(".")[2])]
    if not found:
        near = difflib.get_close_matches(wanted, [full.partition(".")[2] for full in known], 1)
        hint = f"did you mean {near[0]}?" if near else "'roadmask config show' lists them all"
        raise ConfigError(f"setting {options.key!r} is unknown; {hint}")
    for full in found:
        table, _, key = full.partition(".")
        print(explanation(table, settings_of(TABLES[table])[key]))
    return EXIT_DONE
