"""Settings: fields of a frozen dataclass that say all there is to know of themselves.

Out of a field's metadata come the option on the command line, the check of a TOML file, the table
in ``docs/daemon.md``, ``roadmask config`` and the JSON schema. A setting more is a line more::

    max_fps: float = setting(0.0, "segment at most so many", within=between(0.01, 1000.0, "all"))
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_type_hints

from roadmask.errors import ConfigError, RoadmaskError
from roadmask.system.forms import Form
from roadmask.system.ranges import Range, shown, unusable

Config = TypeVar("Config")
_KEY = "setting"
_KINDS = {bool: "true or false", str: "text", tuple: "text"}
_ANY = Form("[^\0]+", "text")  # no path can hold a NUL
_MODE = re.compile(r"(0o?)?([0-7]{3})")


@dataclass(frozen=True)
class Setting:
    """One setting, see ``setting``.

    Attributes:
        name, kind, default: of its field; ``kind`` is bool, int, float, str or tuple (of text).
    """

    help: str
    unit: str = ""
    within: Range | None = None
    choices: tuple[str, ...] = ()
    form: Form | None = None
    octal: bool = False
    option: str | None = None
    metavar: str = ""
    group: str = ""
    name: str = ""
    kind: type = str
    default: Any = None

    @property
    def expected(self) -> str:
        """In words: which values it takes."""
        if self.octal:
            return 'permission bits in octal, such as "0660"'
        unit = f" ({self.unit})" if self.unit else ""
        if self.within:
            return self.within.expected + unit
        return f"a list of {self._one}" if self.kind is tuple else self._one

    @property
    def _one(self) -> str:
        """In words: a text, or one of a list."""
        return self.form.words if self.form else " or ".join(self.choices) or _KINDS[self.kind]

    def convert(self, value: Any) -> Any:
        """A value of TOML, or of the dataclass itself, as the dataclass holds it.

        Raises:
            ValueError: another type, or out of range.
        """
        if self.octal:
            return _mode(value)
        if self.within:
            return self.within.convert(value)
        if self.kind is tuple:
            if not isinstance(value, list | tuple):
                raise ValueError(value)
            return tuple(self._text(item) for item in value)
        return self._text(value) if self.kind is str else _exactly(self.kind, value)

    def read(self, text: str) -> Any:
        """What ``text`` on the command line says, an item of a list; for argparse."""
        if self.within:
            return self.within(text)
        try:
            return _mode(text) if self.octal else self._text(text)
        except ValueError:
            raise unusable(text, self.expected if self.octal else self._one) from None

    @property
    def shown_default(self) -> Any:
        """The default as TOML would have it."""
        return _as_octal(self.default) if self.octal else self.default

    def _text(self, value: Any) -> str:
        text: str = _exactly(str, value)
        if text == "" == self.default:
            return text
        if text not in (self.choices or (text,)):
            raise ValueError(value)
        (self.form or _ANY).parts(text)
        return text


def setting(default: Any, help: str, **more: Any) -> Any:
    """A field that is a setting.

    Args:
        default: when it is not given; None where that is a value of its own.
        help: a phrase, for people.
        more: ``unit``; ``within``, the ``Range`` of a number, which every number has; ``choices``
            of a text; its ``form``; ``octal`` for permission bits;
            ``option`` on the command line where it is not the name, "" for none; ``metavar`` and
            ``group`` in the help.
    """
    return field(default=default, metadata={_KEY: Setting(help, **more)})


def settings_of(kind: type) -> dict[str, Setting]:
    """The settings of a dataclass by name, in their order."""
    hints = get_type_hints(kind)
    return {
        each.name: dataclasses.replace(
            each.metadata[_KEY],
            name=each.name,
            kind=_plain(hints[each.name]),
            default=each.default,
        )
        for each in dataclasses.fields(kind)
        if _KEY in each.metadata
    }


def check(config: Any, error: type[RoadmaskError] = ConfigError) -> None:
    """Refuse a dataclass that holds what its settings do not take, in its ``__post_init__``.

    Raises:
        ConfigError: which one, what it was, and what is expected; or the ``error`` given.
    """
    for name, each in settings_of(type(config)).items():
        value = getattr(config, name)
        if value is not None or each.default is not None:
            _convert(each, value, "", error)


def from_table(kind: type[Config], table: Any, where: str, **more: Any) -> Config:
    """An instance of the dataclass ``kind`` with the table's values over its defaults.

    Args:
        kind: the dataclass.
        table: as TOML gives it.
        where: names it in an error.
        more: fields that are no settings.

    Raises:
        ConfigError: no table, an unknown key, or a value that the setting does not take.
    """
    if not isinstance(table, dict):
        raise ConfigError(f"{where} = {shown(table)}; expected a table of settings")
    known = settings_of(kind)
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
            raise ConfigError(f"{where}: key {shown(key)} is unknown; {hint}")
    values = {key: _of_file(known[key], value, f"{where}: ") for key, value in table.items()}
    return kind(**values, **more)


def _of_file(each: Setting, value: Any, where: str) -> Any:
    # A number has lost how it was written, and 432 is not meant as 0o660: see ``read_toml``.
    if each.octal and not isinstance(value, str):
        raise ConfigError(f"{where}{each.name} = {shown(value)}; expected {each.expected}")
    return _convert(each, value, where)


def _convert(
    each: Setting, value: Any, where: str, error: type[RoadmaskError] = ConfigError
) -> Any:
    try:
        return each.convert(value)
    except ValueError:
        raise error(f"{where}{each.name} = {shown(value)}; expected {each.expected}") from None


def _plain(hint: Any) -> type:
    """``int`` of ``int | None``, ``tuple`` of ``tuple[str, ...]``."""
    kinds = [k for k in getattr(hint, "__args__", ()) if k is not type(None) and k is not ...]
    if getattr(hint, "__origin__", None) is tuple:
        return tuple
    return kinds[0] if kinds else hint  # type: ignore[no-any-return]


def _exactly(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise ValueError(value)
    return value


def _mode(value: Any) -> int:
    if type(value) is int and 0 <= value <= 0o777:
        return value
    match = _MODE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(value)
    return int(match[2], 8)


def _as_octal(mode: int) -> str:
    return f"0{mode:03o}"
