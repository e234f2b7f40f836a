# Two commands on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What the compiled extension is made from: a change builds it anew.
NATIVE := CMakeLists.txt pyproject.toml $(shell find edge/cpp -name '*.cpp' -o -name '*.h' -o -name '*.hpp' -o -name '*.txt' -o -name '*.in')
# LiteRT and TensorFlow speak to the terminal from C++; errors still show.
export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: demo test test-slow test-api cityscapes test-v4l2 test-systemd test-arm64 test-pi test-pythons \
	coverage debian-root arm64-deb deb wheels \
	faults soak setup setup-peers lint tidy docs bench fuzz clean
CPP := $(shell git ls-files '*.cpp' '*.hpp' '*.c' '*.h')

demo: $(VENV)/.core  ## the daemon on the synthetic town, a subscriber beside it
	$(BIN)/roadmask demo

# A file's tests stay together, for they share what they make: daemons, browsers, networks.
PARALLEL := -n logical --maxprocesses 4 --dist loadfile

test: $(VENV)/.test lint  ## linters, types and every test under ten minutes
	$(BIN)/python -m pytest tests $(PARALLEL)

test-slow: $(VENV)/.test  ## the long tests too
	$(BIN)/python -m pytest tests -m 'slow or not slow' --timeout=3600

test-api: $(VENV)/.test  ## schemathesis over the whole API, 125 odd uploads, generated clients
	$(BIN)/python -m pytest -s -m 'slow or not slow' tests/edge/web/test_openapi.py \
		tests/edge/web/test_client_javascript.py tests/edge/web/test_upload_odd.py \
		tests/edge/web/test_upload_pictures.py tests/edge/web/test_upload_forms.py \
		tests/edge/web/test_upload_limits.py

test-v4l2: $(VENV)/.test  ## cameras on real drivers, in QEMU: apt install qemu-system-x86 kmod busybox-static
	$(BIN)/python tests/v4l2

wheels: $(VENV)/.test  ## for x86-64 and aarch64, any Linux since 2014, into dist/
	$(BIN)/python -m packages.wheels

deb: $(VENV)/.test  ## dist/roadmask_VERSION_ARCHITECTURE.deb, and the wheel in it
	$(BIN)/python -m packages.wheels --python 3.11 --machine $$(uname -m)
	$(BIN)/python -m packages.deb --wheel dist/roadmask-*-cp311-*_$$(uname -m).whl

debian-root: build/debian/bin  ## a clean Debian 12 without a compiler; needs root and debootstrap

build/debian/bin:
	debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,python3,libstdc++6 \
		bookworm build/debian

test-systemd: $(VENV)/.test debian-root deb  ## the installed package as a service, under a real systemd
	$(BIN)/python -m pytest -s -m slow tests/edge/service/test_under_systemd.py

faults: $(VENV)/.test  ## every fault of the table against the real daemon: build/faults.html, .json
	mkdir -p build
	$(BIN)/cmake -S . -B build/cpp -DROADMASK_PYTHON=OFF > build/cpp.log
	$(BIN)/cmake --build build/cpp --target subscribe >> build/cpp.log
	$(BIN)/roadmask faults --html build/faults.html --json build/faults.json \
		--subscribe build/cpp/edge/cpp/examples/subscribe

soak: $(VENV)/.test  ## make soak HOURS=8: random faults; build/soak.png and .json
	mkdir -p build
	$(BIN)/python -m benchmarks.daemon.soak --hours $(HOURS) --plot build/soak.png --json build/soak.json
HOURS ?= 1

CITY := runs/cityscapes
SCORE := $(BIN)/python -m benchmarks accuracy
cityscapes: $(VENV)/.test  ## docs/cityscapes.md from end to end: make cityscapes ROOT=DIR [EPOCHS=N] [MODEL=s]
	mkdir -p $(CITY)
	$(BIN)/python -m train prepare --dataset cityscapes --root $(ROOT) --json $(CITY)/dataset.json
	$(BIN)/python -m convert calibrate --dataset cityscapes --root $(ROOT) --count 64 --out $(CITY)/calibration.toml
	$(BIN)/python -m train --model $(MODEL) --weights $(MODEL) --dataset cityscapes --root $(ROOT) --epochs $(EPOCHS) --learning-rate 2e-4 --out $(CITY)/network
	$(BIN)/python -m convert $(CITY)/network/roadlite.keras --calibration $(CITY)/calibration.toml --eval-dataset cityscapes --eval-root $(ROOT) --no-history --out $(CITY)/network.tflite
	$(SCORE) $(MODEL) --dataset cityscapes --root $(ROOT) --by city --json $(CITY)/before.json
	$(SCORE) $(CITY)/network.tflite --dataset cityscapes --root $(ROOT) --by city --json $(CITY)/after.json --html $(CITY)/after.html
	$(BIN)/python -m benchmarks compare $(CITY)/before.json $(CITY)/after.json
ROOT ?= cityscapes
EPOCHS ?= 5
MODEL ?= s

arm64-deb: $(VENV)/.test  ## dist/roadmask_VERSION_arm64.deb, and the wheel in it, made here
	$(BIN)/python -m packages.wheels --python 3.11 --machine aarch64
	$(BIN)/python -m packages.deb --wheel dist/roadmask-*-cp311-*_aarch64.whl
	$(BIN)/python -m pip install --quiet --upgrade --target build/arm64-pytest pytest

test-arm64: arm64-deb  ## the arm64 package and its wheel, in Debian 12 under QEMU; needs root
	$(BIN)/python -m packages.reader --machine aarch64
	packages/arm64.sh dist/roadmask_*_arm64.deb build/debian-arm64 dist/subscribe-aarch64 \
		build/arm64-pytest

test-pi: arm64-deb  ## the same on a virtual Pi with a USB camera: apt install qemu-system-arm kmod debootstrap
	packages/pi_root.sh dist/roadmask_*_arm64.deb build/pi build/arm64-pytest
	$(BIN)/python tests/v4l2 --pi build/pi

test-pythons:  ## the edge tests from an installed wheel, on every Python from 3.10 to 3.13 that is here
	$(PYTHON) tests/pythons.py --write

coverage: $(VENV)/.test  ## which lines of stream/ and edge/cpp/src their tests run, with a gate
	$(BIN)/python tests/measure_coverage.py

docs: $(VENV)/.test  ## docs/ as a site, in build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror $(CPP)
	$(BIN)/mypy edge/roadmask train convert benchmarks

tidy: $(VENV)/.test  ## clang-tidy over the C++ client, codec and examples
	$(BIN)/cmake -S . -B build/tidy -DROADMASK_PYTHON=OFF -DCMAKE_EXPORT_COMPILE_COMMANDS=ON >/dev/null
	$(BIN)/clang-tidy -p build/tidy --quiet $(wildcard edge/cpp/src/*.cpp edge/cpp/examples/*.c*)

setup: $(VENV)/.test  ## every extra, and what training, benchmarks and tests need

bench: $(VENV)/.test  ## timings, as ratios in one run
	$(BIN)/python -m pytest benchmarks -o python_files='bench_*.py' --benchmark-only
	$(BIN)/python -m benchmarks.stream
	$(BIN)/python -m benchmarks.stream.faults
	$(BIN)/python -m benchmarks.stream.flood

setup-peers: $(VENV)/.test  ## .venv-peers, which `python -m benchmarks peers` compares with
	test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	$(call upgrade,.venv-peers)
	.venv-peers/bin/python -m pip install --quiet --group peers

fuzz: $(VENV)/.test  ## ten million inputs for the C++ codec; needs clang with libFuzzer
	cmake -S . -B build/fuzz -DCMAKE_CXX_COMPILER=clang++ -DROADMASK_FUZZ=ON \
		-DROADMASK_SANITIZE=ON -DROADMASK_EXAMPLES=OFF
	cmake --build build/fuzz --target fuzz_protocol
	mkdir -p build/fuzz/corpus
	build/fuzz/tests/fuzz_protocol -runs=10000000 -max_len=1024 build/fuzz/corpus tests/fuzz/corpus

# Dependency groups need pip 25.1; a fresh environment has its interpreter's.
upgrade = $(1)/bin/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'

# Each stamp is what $(VENV) holds, built from today's sources: the core; every extra and group.
$(VENV)/.core: $(NATIVE)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.test: $(VENV)/.core
	$(call upgrade,$(VENV))
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group test \
		--editable '.[record,foxglove,zenoh,ros2,web,cloud,models,metrics]'
	touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache
