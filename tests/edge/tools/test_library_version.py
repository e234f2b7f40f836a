"""A library's version is read from the library, or said to be unknown."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from delegate_parts import compiled_delegate

from roadmask.cli.main import main
from roadmask.tools.library_version import library_version, soname

TELLS = 'const char* edgetpu_version(void) { return "BuildLabel(x), RuntimeVersion(14)"; }'
VULKAN = "int vkEnumerateInstanceVersion(int* v) { *v = 1 << 22 | 3 << 12 | 239; return 0; }"
SILENT = "int nothing(void) { return 0; }"


@pytest.mark.parametrize(
    ("code", "name", "own_name", "expected"),
    [
        (TELLS, "libtells.so.1.0", "libtells.so.1", "BuildLabel(x), RuntimeVersion(14)"),
        (VULKAN, "libtells.so.1.9.9", "libtells.so.2", "1.3.239"),
        (SILENT, "libdelegate.so.29.1", "libdelegate.so.29", "29.1"),
        (SILENT, "libdelegate.so", "libdelegate.so.29", "interface 29, version unknown"),
        (SILENT, "libdelegate.so", "", "version unknown"),
    ],
)
def test_it_is_read_where_the_library_tells_it(
    tmp_path: Path, code: str, name: str, own_name: str, expected: str
) -> None:
    compiled_delegate(tmp_path)  # skips where there is no compiler
    path, link = tmp_path / name, tmp_path / "link.so"
    source = tmp_path / "library.c"
    source.write_text(code)
    command = ["cc", "-shared", "-fPIC", "-o", str(path), str(source)]
    subprocess.run([*command, *([f"-Wl,-soname,{own_name}"] if own_name else [])], check=True)
    link.symlink_to(path)
    assert library_version(str(link)) == expected
    assert soname(path.read_bytes()) == own_name


def test_what_is_no_library_is_said(tmp_path: Path) -> None:
    path = tmp_path / "liba.so"
    path.write_bytes(b"\x7fELF\x01\x01 of 32 bits")
    with pytest.raises(OSError, match=r"liba\.so"):
        library_version(str(path))
    with pytest.raises(ValueError, match="64 bits"):
        soname(path.read_bytes())


def test_doctor_names_the_version_of_the_delegate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library, written = compiled_delegate(tmp_path), tmp_path / "doctor.json"
    verify = ["doctor", "--verify", "s", "--socket", str(tmp_path / "s"), "--json", str(written)]
    assert main([*verify, "--delegate", library]) == 1  # it computes nothing
    checks = {check["name"]: check["text"] for check in json.loads(written.read_text())["checks"]}
    assert checks[f"delegate {library}"] == "version unknown"
    assert main([*verify, "--delegate", "libnone.so"]) == 0
    assert "note  delegate libnone.so: cannot be loaded" in capsys.readouterr().out
