"""Settings in writing: TOML, a JSON schema, the documentation's tables, one explained."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from roadmask.cli.options import option_of
from roadmask.system.settings import Setting, settings_of

_JSON = {bool: "boolean", int: "integer", float: "number", str: "string", tuple: "array"}


def toml_table(name: str, kind: type, given: Mapping[str, Any]) -> str:
    """``[name]`` with every setting of ``kind``: the value given, else the default."""
    lines = [f"[{name}]"]
    for key, each in settings_of(kind).items():
        value = given.get(key, each.shown_default)
        lines.append(f"{key} = {_toml(value)}" if value is not None else f"# {key} =")
    return "\n".join(lines)


def markdown(name: str, kind: type) -> str:
    """The documentation's table of ``kind``'s settings."""
    lines = [
        f"| `[{name}]` | on the command line | default | takes | what it is |",
        "|---" * 5 + "|",
    ]
    for key, each in settings_of(kind).items():
        option = f"`{option_of(each)}`" if each.option != "" else "–"
        default = "–" if each.default is None else f"`{_toml(each.shown_default)}`"
        cells = (f"`{key}`", option, default, each.expected, each.help)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def explanation(table: str, each: Setting) -> str:
    """All about one setting."""
    option = f"\n  option   {option_of(each)}" if each.option != "" else ""
    return (
        f"{each.name}: {each.help}\n"
        f"  takes    {each.expected}\n"
        f"  default  {'none' if each.default is None else _toml(each.shown_default)}\n"
        f"  file     [{table}] {each.name} = …{option}"
    )


def json_schema(tables: Mapping[str, type]) -> dict[str, Any]:
    """JSON Schema (2020-12) of a configuration file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "roadmask's configuration file",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            name: {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    key: {"description": f"{each.help}; {each.expected}"}
                    | ({} if each.default is None else {"default": each.shown_default})
                    | _values(each)
                    for key, each in settings_of(kind).items()
                },
            }
            for name, kind in tables.items()
        },
    }


def _values(each: Setting) -> dict[str, Any]:
    if each.octal:
        return {"type": "string", "pattern": "^(0o?)?[0-7]{3}$"}
    if each.kind is tuple:
        return {"type": "array", "items": {"type": "string"} | _texts(each)}
    if each.within is None:
        return {"type": _JSON[each.kind]} | _texts(each)
    numbers: dict[str, Any] = {"type": _JSON[each.kind], "minimum": each.within.least}
    if each.within.most < math.inf:
        numbers["maximum"] = each.within.most
    return {"anyOf": [{"const": 0}, numbers]} if each.within.zero else numbers


def _texts(each: Setting) -> dict[str, Any]:
    if each.choices:
        return {"enum": [*each.choices, *([""] if each.default == "" else [])]}
    if each.kind is bool:
        return {}
    pattern = each.form.pattern if each.form else "[^\\0]+"
    return {"pattern": f"^({pattern})$" if each.default != "" else f"^({pattern})?$"}


def _toml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
