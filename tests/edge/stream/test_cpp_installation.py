"""What ``cmake --install`` leaves: found by CMake and pkg-config, wherever the prefix is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cpp_parts import built, tool


def test_the_library_is_found_by_cmake_and_pkg_config(tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    subprocess.run(
        [tool("cmake"), "--install", str(built()), "--prefix", str(prefix)],
        check=True,
        capture_output=True,
    )
    (tmp_path / "main.cpp").write_text(
        "#include <roadmask/subscriber.hpp>\n"
        'int main() { return roadmask::Subscriber("/nowhere").reason() '
        "!= roadmask::NoMask::NOT_CONNECTED; }\n"
    )
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.18)\nproject(user CXX)\n"
        "find_package(roadmask 0.1 REQUIRED)\nadd_executable(user main.cpp)\n"
        "target_link_libraries(user roadmask::client)\n"
    )
    for command in (
        ["-S", str(tmp_path), "-B", str(tmp_path / "build"), f"-DCMAKE_PREFIX_PATH={prefix}"],
        ["--build", str(tmp_path / "build")],
    ):
        done = subprocess.run([tool("cmake"), *command], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    assert subprocess.run([str(tmp_path / "build" / "user")]).returncode == 0
    usage = "expected subscribe SOCKET [FRAMES] [--allow-not-live]"
    for installed in ("libexec/roadmask/subscribe", "bin/roadmask-subscribe"):
        command = [str(prefix / installed), "/x", "none"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 2 and usage in done.stderr
    assert not (prefix / "bin" / "subscribe").exists()


@pytest.mark.parametrize("language", ["c", "cpp"])
def test_pkg_config_names_the_prefix_of_the_installation(tmp_path: Path, language: str) -> None:
    """Not the one that the build was configured for; moved afterwards, too."""
    first, prefix = tmp_path / "first", tmp_path / "moved"
    install = [tool("cmake"), "--install", str(built()), "--prefix", str(first)]
    subprocess.run(install, check=True, capture_output=True)
    first.rename(prefix)
    package, header, compiler, use = {
        "c": ("roadmask-c", "roadmask.h", "cc", "roadmask_abi() != ROADMASK_ABI"),
        "cpp": (
            "roadmask",
            "roadmask/subscriber.hpp",
            "c++",
            'roadmask::Subscriber("/nowhere").connected() || ROADMASK_VERSION_MAJOR',
        ),
    }[language]
    folder = next(prefix.rglob("roadmask.pc")).parent
    flags = subprocess.run(
        [tool("pkg-config"), "--cflags", "--libs", package],
        check=True,
        capture_output=True,
        text=True,
        env={"PKG_CONFIG_PATH": str(folder)},
    ).stdout.split()
    source, user = tmp_path / f"main.{language}", tmp_path / "user"
    source.write_text(f"#include <{header}>\nint main(void) {{ return {use}; }}\n")
    subprocess.run([tool(compiler), str(source), "-o", str(user), *flags], check=True)
    library = {"LD_LIBRARY_PATH": str(folder.parent)}
    assert subprocess.run([str(user)], env=library).returncode == 0
