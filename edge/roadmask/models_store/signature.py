"""Who vouches for a model file: a detached Ed25519 signature beside it, ``FILE.sig``, 64 bytes.

The keys are files that the board's owner lays down (PEM, as ``openssl genpkey -algorithm ed25519``
writes them). The library is the extra ``[models]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roadmask.errors import ConfigError, ModelError
from roadmask.inference.model_file import read_model
from roadmask.system.bounded import read_bounded
from roadmask.system.files import write_bytes

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

SUFFIX = ".sig"
_BYTES = 64
_KEY_BYTES = 1 << 16


def signature_path(model: Path) -> Path:
    """Where the signature of a model file lies."""
    return model.with_name(model.name + SUFFIX)


def sign(model: Path, private_key: Path) -> Path:
    """Write the signature of a model file beside it.

    Raises:
        ConfigError: no key that signs, no ``cryptography``.
        ModelError: the model cannot be read, or is none.
    """
    key = _load(private_key, private=True)
    path = signature_path(model)
    write_bytes(path, key.sign(read_model(model)))
    return path


def signer(data: bytes, signature: Path, keys: Sequence[Path]) -> Path | None:
    """The key whose owner signed these bytes, None where there is no signature.

    Raises:
        ModelError: a signature that none of the keys made.
        ConfigError: no key to check with, a file that holds none, no ``cryptography``.
    """
    if not signature.is_file():
        return None
    if not keys:
        raise ConfigError(
            f"{signature} cannot be checked: no key is known; give --key PUBLIC.pem, or lay keys "
            "in the folder that 'roadmask models --help' names"
        )
    size = signature.stat().st_size
    if size != _BYTES:
        raise ModelError(f"{signature}: {size} bytes, expected an Ed25519 signature of {_BYTES}")
    given = signature.read_bytes()
    for path in keys:
        if _made_by(_load(path, private=False), given, data):
            return path
    names = ", ".join(str(key) for key in keys)
    raise ModelError(
        f"{signature} was made by none of the keys {names}, or the model was changed since: "
        "get the model again from whom you trust"
    )


def _made_by(key: Ed25519PublicKey, signature: bytes, data: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(signature, data)
    except InvalidSignature:
        return False
    return True


def _load(path: Path, *, private: bool) -> Any:
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise ConfigError(
            "signatures need the package cryptography: pip install 'roadmask[models]'"
        ) from error
    data = _read(path)
    kind = "private" if private else "public"
    try:
        key: Any = (
            serialization.load_pem_private_key(data, None)
            if private
            else serialization.load_pem_public_key(data)
        )
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{path}: expected a {kind} Ed25519 key as PEM") from error
    if not isinstance(key, ed25519.Ed25519PrivateKey if private else ed25519.Ed25519PublicKey):
        raise ConfigError(f"{path}: a key of another kind; expected a {kind} Ed25519 key as PEM")
    return key


def _read(path: Path) -> bytes:
    try:
        return read_bounded(path, _KEY_BYTES)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
