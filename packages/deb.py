"""``make deb``: a Debian package with all that roadmask needs but Python itself.

    /usr/bin/roadmask               the command
    /usr/lib/roadmask/              the package and the libraries that it needs, compiled
    /usr/lib/systemd/system/        roadmask@.service; users and folders beside it
    /etc/roadmask/                  the configuration, one file a camera

The libraries are PyPI's wheels for the Python of the Debian release that the package is for.
"""

from __future__ import annotations

import compileall
import py_compile
import shutil
import sys
from pathlib import Path

from packages.workplace import make, run, workplace
from roadmask.system.command_line import Parser

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent
SERVICE = PROJECT / "edge" / "roadmask" / "service"
# Debian's names, and which wheels run there; those of 2.28 are the newest that any board needs.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_TAGS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014", "linux")
EXTRAS = "models,record,metrics"
PLACES = {
    "roadmask@.service": "usr/lib/systemd/system/roadmask@.service",
    "sysusers.conf": "usr/lib/sysusers.d/roadmask.conf",
    "tmpfiles.conf": "usr/lib/tmpfiles.d/roadmask.conf",
    "front.toml": "etc/roadmask/front.toml",
}
_COMMAND = """\
#!/bin/sh
# For the network's own process too, which this one starts.
PYTHONPATH=/usr/lib/roadmask PYTHONNOUSERSITE=1 exec /usr/bin/python3 -m roadmask "$@"
"""


def main() -> int:
    """Build it; prints its path."""
    parser = Parser(prog="make deb", description=__doc__)
    parser.add_argument("--wheel", type=Path, required=True, help="roadmask's, of 'make wheels'")
    parser.add_argument("--out", type=Path, default=PROJECT / "dist")
    options = parser.parse_args()
    machine = next((m for m in ARCHITECTURES if m in options.wheel.name), None)
    if machine is None:
        parser.error(f"--wheel {options.wheel}: expected one for {' or '.join(ARCHITECTURES)}")
    python = options.wheel.name.split("-")[2].removeprefix("cp")  # 311

    def body() -> int:
        options.out.mkdir(exist_ok=True)
        with workplace("roadmask-deb-") as folder:
            root = folder / "root"
            root.mkdir(0o755)
            _install(root, options.wheel, machine, f"{python[0]}.{python[1:]}")
            print(_pack(root, options.wheel.name.split("-")[1], machine, python, options.out))
        return 0

    return make(body)


def _install(root: Path, wheel: Path, machine: str, python: str) -> None:
    library = root / "usr/lib/roadmask"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile"]
    command += ["--target", str(library), "--only-binary", ":all:", "--python-version", python]
    command += [f"--platform={tag}_{machine}" for tag in _TAGS]
    command += ["--implementation", "cp", f"{wheel}[{EXTRAS}]"]
    run(command, root.parent)
    shutil.rmtree(library / "bin", ignore_errors=True)
    if f"{sys.version_info.major}.{sys.version_info.minor}" == python:
        # By content, not by time: nothing is compiled on the board.
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        compileall.compile_dir(
            library, quiet=2, invalidation_mode=mode, stripdir=str(root), prependdir="/", workers=0
        )
    for name, place in PLACES.items():
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(SERVICE / name, path)
    command_path = root / "usr/bin/roadmask"
    command_path.parent.mkdir(parents=True)
    command_path.write_text(_COMMAND)
    command_path.chmod(0o755)
    terms = root / "usr/share/doc/roadmask/copyright"
    terms.parent.mkdir(parents=True)
    shutil.copyfile(PROJECT / "LICENSE", terms)


def _pack(root: Path, version: str, machine: str, python: str, out: Path) -> Path:
    control = root / "DEBIAN"
    control.mkdir()
    size_kib = sum(p.stat().st_size for p in root.rglob("*") if p.is_file()) // 1024
    values = {
        "version": version,
        "architecture": ARCHITECTURES[machine],
        "python": f"{python[0]}.{python[1:]}",
        "next": f"{python[0]}.{int(python[1:]) + 1}",
        "size": size_kib,
    }
    (control / "control").write_text((HERE / "debian" / "control").read_text().format(**values))
    (control / "conffiles").write_text(f"/{PLACES['front.toml']}\n")
    for script in ("postinst", "prerm", "postrm"):
        shutil.copyfile(HERE / "debian" / script, control / script)
        (control / script).chmod(0o755)
    for path in root.rglob("*"):
        if path.is_dir() or not path.stat().st_mode & 0o100:
            path.chmod(0o755 if path.is_dir() else 0o644)
    package = out / f"roadmask_{version}_{ARCHITECTURES[machine]}.deb"
    build = ["dpkg-deb", "--root-owner-group", "-Zzstd", "--build", str(root), str(package)]
    run(build, root.parent)
    return package


if __name__ == "__main__":
    sys.exit(main())
