"""Who looks on while the daemon works: the log of modes, metrics, the flight recorder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from roadmask.daemon.board_watch import BoardWatch
from roadmask.daemon.capture import CaptureThread
from roadmask.daemon.config import DaemonConfig
from roadmask.daemon.flight import FlightRecorder
from roadmask.daemon.journal import Journal, Reader
from roadmask.daemon.mode_log import ModeLog
from roadmask.daemon.network import Network
from roadmask.daemon.scene import SceneCheck
from roadmask.errors import ConfigError
from roadmask.recording.mcap_file import require_mcap
from roadmask.stream.publish.publisher import Publisher

_MIB = 1 << 20


@contextmanager
def observed(
    config: DaemonConfig,
    publisher: Publisher,
    capture: CaptureThread,
    board: BoardWatch,
    scene: SceneCheck,
    network: Callable[[], Network],
) -> Iterator[None]:
    """Look on until the block ends.

    Args:
        config: says who does.
        publisher, capture, board, scene: what is looked at.
        network: gives the one at work; not called before the first frame.

    Raises:
        ConfigError: an address or an extra that is not there.
    """
    readers: list[Reader] = []
    with ExitStack() as stack:
        if config.flight:
            require_mcap()
            recorder = FlightRecorder(
                Path(config.flight), round(config.flight_mib * _MIB), scene, network
            )
            readers.append(recorder)
            stack.callback(recorder.write)
        if config.metrics:
            try:
                from roadmask.daemon.metrics import Metrics, serving
            except ImportError as error:
                raise ConfigError(
                    f"--metrics {config.metrics} needs the package prometheus-client: "
                    "pip install 'roadmask[metrics]'"
                ) from error
            metrics = Metrics(publisher, capture, board, network)
            readers.append(metrics)
            stack.enter_context(serving(config.metrics, metrics))
        journal = Journal(publisher, readers)
        log = ModeLog()

        def note(mode_bits: int) -> None:
            log.note(mode_bits)
            journal.note(mode_bits)

        publisher.mode_changed = note
        stack.enter_context(journal)
        yield
