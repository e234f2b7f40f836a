"""``python -m train sweep``: search the options of a training, by several processes if you like."""

from __future__ import annotations

import argparse
import fcntl
import itertools
import random
import threading
import warnings
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from roadmask.errors import ConfigError
from roadmask.system.command_line import EXIT_DONE, EXIT_INTERRUPTED, Parser
from roadmask.system.files import write_json
from roadmask.system.progress import add_progress, say, use_progress
from roadmask.system.terminal import quiet
from train.options import stopping_signals
from train.runs.files import read_run
from train.sweep.plan import Range, SweepPlan, arguments, read_plan
from train.sweep.trial import FailedError, StoppedError, Training

_FOLDER = "folder"  # of a trial, which it keeps when it is taken over
_EXAMPLES = """\
Every trial is an ordinary run in OUT/trial-N/seed-S. Run the same command in a second terminal, or
on another machine that sees the same storage, and both work at one study; what a killed process
leaves is taken over and resumed. Run it again after an interruption.

Example FILE.toml:
  [sweep]
  trials = 20
  cpu_hours = 8.0
  [options]
  model = "roadlite"
  dataset = "camvid"
  root = "DIR"
  hold_out = "0001TP"
  epochs = 20
  [search]
  learning_rate = { low = 1e-4, high = 1e-2, log = true }
  loss = ["ce", "ce+0.5*dice"]
"""


def make_parser() -> argparse.ArgumentParser:
    """Of ``python -m train sweep``."""
    parser = Parser(
        prog="python -m train sweep",
        description="Search over any options of a training: grid, random or TPE; hopeless runs are "
        "given up.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("plan", type=Path, metavar="FILE.toml", help="what is searched")
    add("--out", type=Path, required=True, metavar="DIR", help="runs, study and sweep.json")
    add("-v", "--verbose", action="store_true", help="show tracebacks")
    add_progress(parser)
    return parser


def run(options: argparse.Namespace) -> int:
    """Work at the study until it is done; the exit code.

    Raises:
        ConfigError: a plan that cannot be used, or Optuna is missing.
    """
    use_progress(options)
    plan = read_plan(options.plan)
    _check_options(plan)
    try:
        with quiet(not options.verbose):
            import optuna
    except ImportError as error:
        raise ConfigError(
            f"a sweep needs {error.name}, which is missing: pip install --group sweep"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    options.out.mkdir(parents=True, exist_ok=True)
    with (options.out / "study.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two that begin at once make one data base
        study = _study(plan, options.out)
    with stopping_signals() as stop:
        why = ""
        while not stop.is_set():
            why = _goes_on(study, plan, options.out)
            if not why:
                _one(study, plan, options.out, stop)
            elif not _await_others(study, plan, stop) or _goes_on(study, plan, options.out):
                break
    result = ranking(study, options.out)
    write_json(options.out / "sweep.json", result)
    for row in result["ranking"][:5]:
        told = ", ".join(f"{name} {value}" for name, value in row["options"].items())
        spread = ", ".join(f"{100 * value:.2f}" for value in row["miou"])
        say(f"trial {row['trial']}: {100 * row['value']:.2f} points ({spread}): {told}")
    if stop.is_set():
        print(f"roadmask: stopped; run the same command to go on in {options.out}")
        return EXIT_INTERRUPTED
    print(f"finished: {options.out / 'sweep.json'}, {why}")
    return EXIT_DONE


def _check_options(plan: SweepPlan) -> None:
    """A training's own checks of the options that all trials have, and of one value of each."""
    from train.command import training_parser
    from train.options import check_options

    first = {n: v.low if isinstance(v, Range) else v[0] for n, v in plan.search.items()}
    words = arguments({**plan.options, **first})
    check_options(training_parser().parse_args([*words, "--out", "x"]))
    for name, values in plan.search.items():
        for value in () if isinstance(values, Range) else values[1:]:
            words = arguments({**plan.options, **first, name: value})
            check_options(training_parser().parse_args([*words, "--out", "x"]))


def _study(plan: SweepPlan, out: Path) -> Any:
    import optuna

    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # heartbeats
    storage = optuna.storages.RDBStorage(
        plan.storage or f"sqlite:///{(out / 'study.db').resolve()}",
        # One process waits while another writes.
        engine_kwargs={} if plan.storage else {"connect_args": {"timeout": 60}},
        heartbeat_interval=plan.heartbeat_s,
        grace_period=3 * plan.heartbeat_s,
        heartbeat_stale_trial_callback=optuna.storages.RetryHeartbeatStaleTrialCallback(),
    )
    pruner = (
        optuna.pruners.MedianPruner(n_startup_trials=plan.prune_after)
        if plan.prune
        else optuna.pruners.NopPruner()
    )
    named: dict[str, Any] = {"study_name": "sweep", "storage": storage, "pruner": pruner}
    try:
        sampler = _sampler(plan, plan.seed)
        study = optuna.create_study(**named, sampler=sampler, direction="maximize")
    except optuna.exceptions.DuplicatedStudyError:
        # Two processes of one seed would ask for the same trials.
        return optuna.load_study(**named, sampler=_sampler(plan, None))
    for chosen in _grid(plan):
        study.enqueue_trial(chosen)  # which no two processes are given
    return study


def _sampler(plan: SweepPlan, seed: int | None) -> Any:
    from optuna import samplers

    if plan.sampler == "tpe":
        return samplers.TPESampler(seed=seed, constant_liar=True)
    return samplers.RandomSampler(seed=seed)


def _grid(plan: SweepPlan) -> list[dict[str, Any]]:
    """Every combination in a drawn order, as many as there are trials; empty of other samplers."""
    if plan.sampler != "grid":
        return []
    values = [v for v in plan.search.values() if not isinstance(v, Range)]
    whole = [dict(zip(plan.search, chosen, strict=True)) for chosen in itertools.product(*values)]
    random.Random(plan.seed).shuffle(whole)
    return whole[: plan.trials]


def _goes_on(study: Any, plan: SweepPlan, out: Path) -> str:
    """Why no further trial begins; empty while one may."""
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False)
    runs = [read_run(path.parent) for path in out.glob("trial-*/*/run.json")]
    spent = sum(each.record.get("cpu_seconds", 0.0) for each in runs) / 3600
    if plan.cpu_hours and spent >= plan.cpu_hours:
        return f"{spent:.2f} of {plan.cpu_hours:g} CPU hours"
    if any(t.state == TrialState.WAITING for t in trials):  # of a grid, or to be taken over
        return ""
    if len({t.user_attrs.get(_FOLDER, t.number) for t in trials}) >= plan.trials:
        return f"{plan.trials} trials"
    if plan.sampler == "grid":
        return "the whole grid"
    return ""


def _await_others(study: Any, plan: SweepPlan, stop: threading.Event) -> bool:
    """Until no other process is at a trial; True as soon as one of theirs must be taken over."""
    import optuna
    from optuna.trial import TrialState

    while not stop.is_set():
        optuna.storages.fail_stale_trials(study)
        states = {t.state for t in study.get_trials(deepcopy=False)}
        if TrialState.WAITING in states:
            return True
        if TrialState.RUNNING not in states:
            return False
        stop.wait(plan.heartbeat_s)
    return False


def _one(study: Any, plan: SweepPlan, out: Path, stop: threading.Event) -> None:
    """One trial: asked for, trained, told."""
    import optuna

    def objective(trial: Any) -> float:
        chosen = {name: _suggest(trial, name, values) for name, values in plan.search.items()}
        # A trial that is taken over goes on in the folder of the one that was cut off.
        name = trial.user_attrs.get(_FOLDER, f"trial-{trial.number}")
        trial.set_user_attr(_FOLDER, name)
        say(f"{name}: {', '.join(f'{key} {value}' for key, value in chosen.items())}")
        done = []
        for seed in plan.seeds:
            options = {**plan.options, **chosen, "seed": seed}
            training = Training(options, out / name / f"seed-{seed}")
            with closing(training.run(stop)) as validations:
                for epoch, miou in validations:
                    # Every seed has epochs of its own; only the first one's are compared.
                    if seed == plan.seeds[0]:
                        trial.report(miou, epoch)
                        if trial.should_prune():
                            say(f"{name} given up after epoch {epoch}")
                            raise optuna.TrialPruned
            done.append(training.score())
        trial.set_user_attr("miou", done)
        return sum(done) / len(done)

    def resumable(trial: Any) -> float:
        try:
            return objective(trial)
        except StoppedError:
            kept = {_FOLDER: trial.user_attrs[_FOLDER]}
            study.enqueue_trial(trial.params, user_attrs=kept)
            raise

    with suppress(StoppedError):
        study.optimize(resumable, n_trials=1, catch=(FailedError,))


def _suggest(trial: Any, name: str, values: tuple[Any, ...] | Range) -> Any:
    if not isinstance(values, Range):
        return trial.suggest_categorical(name, list(values))
    if values.whole:
        return trial.suggest_int(name, int(values.low), int(values.high), log=values.log)
    return trial.suggest_float(name, values.low, values.high, log=values.log)


def ranking(study: Any, out: Path) -> dict[str, Any]:
    """``sweep.json``: finished trials, the best first, and what became of the others."""
    states: dict[str, int] = {}
    rows = []
    for trial in study.get_trials(deepcopy=False):
        states[trial.state.name.lower()] = states.get(trial.state.name.lower(), 0) + 1
        if trial.value is not None and trial.state.name == "COMPLETE":
            rows.append(
                {
                    "trial": trial.number,
                    "value": trial.value,
                    "miou": trial.user_attrs.get("miou", []),
                    "options": trial.params,
                    "folder": str(out / trial.user_attrs.get("folder", "")),
                }
            )
    rows.sort(key=lambda row: -row["value"])
    return {"kind": "sweep", "trials": states, "ranking": rows}
