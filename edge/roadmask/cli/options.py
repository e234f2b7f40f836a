"""Options on the command line, made of the settings of a dataclass."""

from __future__ import annotations

import argparse
from typing import Any

from roadmask.system.settings import Setting, settings_of


def add_settings(parser: argparse._ActionsContainer, kind: type, *names: str) -> None:
    """The options of ``kind``'s settings in their groups, or of those named alone in none.

    None has a default here: what is not given is taken from a file, then from the dataclass.
    """
    groups: dict[str, argparse._ActionsContainer] = {"": parser}
    for name, each in settings_of(kind).items():
        if (names and name not in names) or each.option == "":
            continue
        group = "" if names else each.group
        if group not in groups:
            groups[group] = parser.add_argument_group(group)
        groups[group].add_argument(
            option_of(each), dest=name, default=None, help=_help(each), **_action(each)
        )


def option_of(each: Setting) -> str:
    """``--max-fps`` of ``max_fps``."""
    return each.option or f"--{each.name.replace('_', '-')}"


def given(kind: type, options: argparse.Namespace) -> dict[str, Any]:
    """What was given on the command line, of ``kind``'s settings, by name."""
    values = {name: getattr(options, name, None) for name in settings_of(kind)}
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in values.items()
        if value is not None
    }


def _action(each: Setting) -> dict[str, Any]:
    if each.kind is bool:
        return {"action": "store_true"}
    named = {"metavar": each.metavar or each.unit.upper() or None, "type": each.read}
    return named | ({"action": "append"} if each.kind is tuple else {})


def _help(each: Setting) -> str:
    text = each.help
    if each.choices:
        text += f": {' or '.join(each.choices)}"
    elif each.form:
        text += f": {each.form.words}"
    elif each.within:
        text += f": {each.expected}"
    if each.kind is tuple:
        text += "; again for more"
    elif each.kind is not bool and each.default not in ("", None):
        text += f" (default: {each.shown_default})"
    return text.replace("%", "%%")
