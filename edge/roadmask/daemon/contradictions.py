"""Settings that contradict each other: each pair has one sentence, here alone.

A range belongs to one setting and stands with it; what stands here needs two.
"""

from __future__ import annotations

from roadmask.daemon.config import DaemonConfig
from roadmask.errors import ConfigError
from roadmask.inference.accelerator import Accelerator
from roadmask.inference.model_file import smaller_in_family
from roadmask.sources.uri import parse_uri
from roadmask.system.scheduling import parse_cores


def refuse_contradictions(config: DaemonConfig) -> None:
    """Take settings that can be meant together, or none.

    Raises:
        ConfigError: the two, why they cannot both be meant, and what to give.
    """
    accelerator_of(config)
    for rule in (_latency, _rate, _cores, _smaller):
        if wrong := rule(config):
            raise ConfigError(wrong)


def accelerator_of(config: DaemonConfig) -> Accelerator:
    """What the network is to run on.

    Raises:
        ConfigError: of options that do not go together.
    """
    return Accelerator(
        config.delegate, config.delegate_options, config.gpu, config.delegate_required
    )


def _latency(config: DaemonConfig) -> str:
    latency_ms = parse_uri(config.source).asserting(None, config.latency_ms).latency_ms
    if latency_ms is None or latency_ms < config.max_age_ms:
        return ""
    return (
        f"latency_ms = {latency_ms:g} and max_age_ms = {config.max_age_ms}: every mask would be "
        "too old when it is made; give a larger max_age_ms, or the latency that it really is"
    )


def _rate(config: DaemonConfig) -> str:
    if config.max_fps * config.max_age_ms >= 1000 or not config.max_fps:
        return ""
    return (
        f"max_fps = {config.max_fps:g} and max_age_ms = {config.max_age_ms}: each mask would be "
        f"too old before the next; give {1000 / config.max_age_ms:g} frames a second or more, or "
        "a larger max_age_ms"
    )


def _cores(config: DaemonConfig) -> str:
    cores = parse_cores(config.cores)
    if not cores or config.threads <= len(cores):
        return ""
    return (
        f"threads = {config.threads} and cores = {config.cores}: threads that share a core wait "
        "for each other; give fewer threads or more cores"
    )


def _smaller(config: DaemonConfig) -> str:
    if config.step_down != "network" or config.reduced_model or smaller_in_family(config.model):
        return ""
    return (
        f"step_down = network and model = {config.model}: no smaller one of its family ships; name "
        "one as reduced_model, or give step_down = rate"
    )
