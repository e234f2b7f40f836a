"""``roadmask run``: its options, over those of a TOML file, over the defaults."""

from __future__ import annotations

import argparse
import faulthandler
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from roadmask.cli.network import accept_negative_ranges
from roadmask.cli.options import add_settings, given
from roadmask.system.command_line import EXIT_DONE, stop_on_signal, unwind_on_sigterm
from roadmask.system.first_moments import let_signals_come

if TYPE_CHECKING:
    from roadmask.inference.worker_process import WorkerProcess

RUN_EXAMPLES = """\
examples:
  roadmask run --source /dev/video0
  roadmask run --source 'v4l2:/dev/video0?width=1280&height=720&fps=30&format=MJPG'
  roadmask run --source rtsp://camera/stream --live --latency-ms 200
  roadmask run --source drive.mp4 --socket /tmp/masks.sock --frames 200
  roadmask run --source 'synthetic:town?seed=1' --socket /tmp/masks.sock
  roadmask run --crop 0,240,1280,480 --fit letterbox
  roadmask run --delegate libedgetpu.so.1 --delegate-option device=usb
  roadmask run --cores 2-3 --threads 2 --realtime 50 --lock-memory
  roadmask run --config daemon.toml        (docs/daemon.md: every option, as [daemon])
A subscriber ('roadmask watch', or from roadmask import Subscriber) reads the masks at the socket.
"""


def add_run(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``roadmask run``."""
    from roadmask.daemon.config import DaemonConfig

    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file, [daemon] in it")
    parser.add_argument("--times", type=Path, metavar="FILE", help="write stage times as .npy")
    add_settings(parser, DaemonConfig)
    accept_negative_ranges(parser)
    parser.set_defaults(body=_run)


def _run(options: argparse.Namespace) -> int:
    from roadmask.inference.worker_process import WorkerProcess

    # Nothing here multiplies matrices: NumPy's threads for that would only cost start and memory.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # The kernel makes whole huge pages of what was touched here and there, long after.
    os.environ.setdefault("NUMPY_MADVISE_HUGEPAGE", "0")
    with WorkerProcess() as worker:  # first, for its imports take as long as all of ours
        return _publish(options, worker)


def _publish(options: argparse.Namespace, worker: WorkerProcess) -> int:
    from roadmask.cli.config_file import daemon_config
    from roadmask.daemon.config import DaemonConfig
    from roadmask.daemon.order import order_of
    from roadmask.daemon.reload import Reload
    from roadmask.system.logs import set_up_logs

    def read() -> DaemonConfig:
        return daemon_config(options.config, given(DaemonConfig, options))

    reload = Reload(read)
    signal.signal(signal.SIGHUP, lambda *_: reload.wanted.set())
    try:
        unwind_on_sigterm()
        let_signals_come()
        config = read()  # a pipe may let it wait for ever, which no event would end
        stop = stop_on_signal()
    except KeyboardInterrupt:
        return EXIT_DONE
    set_up_logs(config.log_format, config.log_level)
    faulthandler.enable()  # a crash in a driver or library names the thread that it came from
    order = order_of(config)
    worker.load(order)

    from roadmask.daemon.pipeline import open_pipeline
    from roadmask.daemon.stage_times import StageTimes
    from roadmask.daemon.start import await_parts
    from roadmask.inference.engine_process import ProcessEngine
    from roadmask.system.service_manager import ServiceManager

    manager = ServiceManager()
    times = StageTimes() if options.times else None
    published = 0
    with (
        ProcessEngine(order, config.max_age_ms, worker, config.standby) as engine,
        await_parts(config, engine, stop, manager) as source,
    ):
        if source is not None:
            with open_pipeline(
                config,
                engine=engine,
                source=source,
                times=times,
                manager=manager,
                reload=reload,
            ) as pipeline:
                published = pipeline.run(stop)
                manager.stopping()
    if times is not None:
        times.save(options.times)
    if config.frames and published < config.frames and not stop.is_set():
        print(
            f"roadmask: {config.source} ended after {published} of {config.frames} frames",
            file=sys.stderr,
        )
    return 0
