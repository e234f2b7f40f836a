"""The store: every installed model, and which one runs.

    models/SHA256/NAME.tflite     the file, content-addressed, never changed
    models/SHA256/record.json     who signed it
    generations/0007/model.tflite  -> ../../models/SHA256/NAME.tflite
    generations/0007/previous      -> ../0006
    current                        -> generations/0007

``STORE/current/model.tflite`` is a path like any other for ``roadmask run --model``. A change is
prepared under a name that begins with a dot, written through to the disk, and made by one rename:
a power cut leaves the old model or the new one, whole.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from roadmask.errors import ConfigError, ModelError
from roadmask.inference.model_file import digest, read_model
from roadmask.models_store.disk import Disk
from roadmask.models_store.signature import signature_path, signer

DEFAULT_STORE = Path("/var/lib/roadmask/models")
DEFAULT_KEYS = Path("/etc/roadmask/keys")


@dataclass(frozen=True)
class Installed:
    """One model of the store.

    Attributes:
        name: the file's stem.
        digest: SHA-256 of the file, in hex.
        path: of the file.
        signed_by: file name of the key, None where it was installed unsigned.
    """

    name: str
    digest: str
    path: Path
    signed_by: str | None


def known_keys(given: Sequence[Path], folder: Path = DEFAULT_KEYS) -> list[Path]:
    """The public keys on the command line, else all ``*.pem`` of the folder."""
    return list(given) or sorted(folder.glob("*.pem"))


class Store:
    """A folder of models.

    Args:
        root: the folder; it is made at the first installation.
        disk: what carries the changes out.
    """

    def __init__(self, root: Path = DEFAULT_STORE, disk: Disk | None = None) -> None:
        self.root = root
        self._disk = disk or Disk()

    def installed(self) -> list[Installed]:
        """The whole models, by name."""
        records = sorted((self.root / "models").glob("*/record.json"))
        found = [self._read(path) for path in records if not path.parent.name.startswith(".")]
        return sorted(found, key=lambda model: (model.name, model.digest))

    def current(self) -> Installed | None:
        """The model that runs, None before the first ``switch``."""
        return self._of_generation(self.root / "current")

    def previous(self) -> Installed | None:
        """The model that ``rollback`` brings back."""
        return self._of_generation(self.root / "current" / "previous")

    def find(self, name: str) -> Installed:
        """An installed model by its name or the beginning of its digest.

        Raises:
            ModelError: none or several.
        """
        models = self.installed()
        found = [m for m in models if m.name == name]
        found = found or [m for m in models if len(name) >= 6 and m.digest.startswith(name)]
        if len(found) == 1:
            return found[0]
        names = ", ".join(f"{m.name} {m.digest[:12]}" for m in found or models) or "none"
        kind = "several models have that name" if found else "it is not installed"
        raise ModelError(f"{name}: {kind}; give one of: {names} (the digest's beginning will do)")

    def install(
        self,
        file: Path,
        keys: Sequence[Path],
        *,
        unsigned: bool = False,
        check: Callable[[Path], object] = lambda path: None,
    ) -> Installed:
        """Take a model file in; what runs stays as it is.

        Args:
            file: the ``.tflite``; its signature lies beside it.
            keys: public keys that may vouch for it.
            unsigned: take one without a signature.
            check: refuses a file that cannot run, once somebody vouched for it.

        Raises:
            ModelError: no model, a signature that is missing or wrong.
            ConfigError: a key or folder that cannot be used.
        """
        data = read_model(file)  # once: what is checked is what is kept
        key = signer(data, signature_path(file), keys)
        if key is None and not unsigned:
            raise ModelError(
                f"{file} has no signature ({signature_path(file).name} beside it): sign it with "
                "'roadmask models sign', or say --unsigned"
            )
        check(file)
        sha256 = digest(data)
        record = json.dumps({"name": file.stem, "signed_by": key.name if key else None})
        folder = self.root / "models" / sha256
        with self._change():
            if not folder.is_dir():
                draft = self._draft(folder)
                self._disk.make_folder(draft)
                self._disk.write(draft / f"{file.stem}.tflite", data)
                self._disk.write(draft / "record.json", record.encode())
                self._disk.sync(draft)
                self._disk.rename(draft, folder)
                self._disk.sync(folder.parent)
        return self._read(folder / "record.json")

    def switch(self, model: Installed) -> Installed:
        """Make it the model that runs; the one before can be had back with ``rollback``."""
        with self._change():
            generations = self.root / "generations"
            used = [int(path.name) for path in generations.iterdir() if path.name.isdigit()]
            new = generations / f"{max(used, default=0) + 1:04d}"
            draft = self._draft(new)
            self._disk.make_folder(draft)
            self._disk.link(draft / "model.tflite", os.path.relpath(model.path, new))
            if self.current() is not None:
                before = (self.root / "current").resolve().name
                self._disk.link(draft / "previous", f"../{before}")
            self._disk.sync(draft)
            self._disk.rename(draft, new)
            self._disk.sync(generations)
            self._point_at(new)
        return model

    def rollback(self) -> Installed:
        """Make the model before run again.

        Raises:
            ModelError: there was none.
        """
        with self._change():
            previous = self.previous()
            if previous is None:
                raise ModelError(f"store {self.root}: no model ran before this one")
            self._point_at((self.root / "current" / "previous").resolve())
        return previous

    def _point_at(self, generation: Path) -> None:
        draft = self._draft(self.root / "current")
        self._disk.link(draft, f"generations/{generation.name}")
        self._disk.rename(draft, self.root / "current")
        self._disk.sync(self.root)

    def _of_generation(self, folder: Path) -> Installed | None:
        try:
            path = (folder / "model.tflite").resolve(strict=True)
        except OSError:
            return None
        return self._read(path.parent / "record.json")

    def _read(self, record: Path) -> Installed:
        try:
            table = json.loads(record.read_bytes())
            name, key = str(table["name"]), table["signed_by"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{record} cannot be read: {error}; install the model anew") from error
        return Installed(name, record.parent.name, record.parent / f"{name}.tflite", key)

    def _draft(self, path: Path) -> Path:
        return path.with_name(f".{path.name[:12]}-{secrets.token_hex(4)}")

    @contextmanager
    def _change(self) -> Iterator[None]:
        """One change at a time, by whichever process."""
        try:
            for folder in (self.root, self.root / "models", self.root / "generations"):
                folder.mkdir(parents=True, exist_ok=True)
            with (self.root / ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise ConfigError(
                f"store {self.root} cannot be changed: {error.strerror or error}; run as its "
                "owner, or give another with --store"
            ) from error
