"""``python -m train ablate``: what each augmentation recipe brings, over several seeds."""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

from roadmask.errors import ConfigError
from roadmask.system.command_line import EXIT_DONE, EXIT_INTERRUPTED, Parser
from roadmask.system.files import write_json
from roadmask.system.progress import add_progress, use_progress
from train.config import FitConfig
from train.options import add_training_options, prepare, stopping_signals
from train.reports.page import Page, Picture, Section
from train.runs.files import Run, read_run

SCORES = {"miou": "mIoU", "dice": "Dice", "pixel_accuracy": "accuracy"}

_EXAMPLES = """\
Every recipe is trained with every seed into DIR/RECIPE-seedN; run the same command again after an
interruption: finished runs are skipped, the one under way is resumed. Differences are paired: to
the first recipe, with the same seed.

Example:
  python -m train ablate --model roadnet --dataset camvid --root DATA --hold-out 0001TP \\
      --size 256x256 --epochs 20 --recipes none,flip,full --seeds 1,2,3 --out runs/ablation
"""


def make_parser() -> argparse.ArgumentParser:
    """Arguments of the command."""
    parser = Parser(
        prog="python -m train ablate",
        description="Train one network with several augmentation recipes and seeds and say what "
        "each recipe brings, with its spread.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_training_options(parser)
    add = parser.add_argument
    add("--recipes", default="none,flip,full", help="the first is what the others are held against")
    add("--seeds", default="1,2,3", help="default: 1,2,3")
    add("--out", type=Path, required=True, metavar="DIR", help="runs, and ablation.json/.html/.md")
    add("-v", "--verbose", action="store_true", help="show tracebacks")
    add_progress(parser)
    return parser


def run(options: argparse.Namespace) -> int:
    """Train what is missing, then write the report; the exit code.

    Raises:
        RoadmaskError: an option or a data set that cannot be used.
    """
    from train.data.recipes import load_recipe

    use_progress(options)

    recipes = [name.strip() for name in options.recipes.split(",") if name.strip()]
    seeds = _parse_seeds(options.seeds)
    if len(set(recipes)) < 2 or len(set(recipes)) < len(recipes):
        raise ConfigError(f"--recipes {options.recipes!r}: expected two or more different names")
    for name in recipes:
        load_recipe(name)  # a wrong name shows before the first training, not hours later
    if options.val_split == "none" and not options.hold_out:
        raise ConfigError("--val-split none: an ablation needs frames to validate on")
    runs: dict[tuple[str, int], Run] = {}
    for seed in seeds:
        for recipe in recipes:
            folder = options.out / f"{Path(recipe).stem}-seed{seed}"
            if not _is_finished(folder) and not _train(options, recipe, seed, folder):
                return EXIT_INTERRUPTED
            runs[recipe, seed] = read_run(folder)
            _refuse_other_settings(runs[recipe, seed], next(iter(runs.values())))
    result = summarise_ablation(runs, recipes, seeds)
    write_json(options.out / "ablation.json", result)
    written = ablation_page(result).write(options.out / "ablation.html")
    print(f"written: {options.out / 'ablation.json'}, {', '.join(map(str, written))}")
    return EXIT_DONE


def _parse_seeds(text: str) -> list[int]:
    try:
        seeds = [int(part) for part in text.split(",")]
    except ValueError as error:
        raise ConfigError(f"--seeds {text!r}: expected whole numbers, e.g. 1,2,3") from error
    if len(set(seeds)) < len(seeds):
        raise ConfigError(f"--seeds {text!r}: a seed comes twice")
    for seed in seeds:  # said now, not when its turn comes, hours later
        FitConfig(seed=seed)
    return seeds


def _is_finished(folder: Path) -> bool:
    return (folder / "run.json").is_file() and bool(read_run(folder).record["finished"])


def _train(options: argparse.Namespace, recipe: str, seed: int, folder: Path) -> bool:
    """Train or resume one run; False if it was told to stop."""
    from train.keras_import import import_keras

    import_keras(verbose=options.verbose)
    import keras

    from train.loop.fit import Fit, Interrupted

    print(f"{folder.name}:", flush=True)
    keras.utils.clear_session()
    options.recipe, options.seed = recipe, seed
    with stopping_signals() as stop:
        config, parts, validation = prepare(options)
        folder.mkdir(parents=True, exist_ok=True)
        seconds = options.checkpoint_every
        fit = Fit(config, parts, validation, folder, checkpoint_s=seconds, stop=stop)
        try:
            fit.run()
        except Interrupted:
            print(f"roadmask: stopped; run the same command to go on from {fit.checkpoint}")
            return False
    return True


def _refuse_other_settings(run: Run, first: Run) -> None:
    """Runs of one ablation differ in recipe and seed alone."""
    for name, value in run.record["config"].items():
        if name not in ("recipe", "seed") and first.record["config"].get(name) != value:
            raise ConfigError(
                f"{run.folder} was trained with {name} {value}, {first.folder} with "
                f"{first.record['config'].get(name)}: give another --out"
            )


def summarise_ablation(
    runs: dict[tuple[str, int], Run], recipes: list[str], seeds: list[int]
) -> dict[str, Any]:
    """Scores of every run; mean, spread and paired differences of every recipe."""
    first = next(iter(runs.values()))
    config = {k: v for k, v in first.record["config"].items() if k not in ("recipe", "seed")}
    result: dict[str, Any] = {
        "kind": "ablation",
        "baseline": recipes[0],
        "seeds": seeds,
        "config": config,
        "parts": first.record["parts"],
        "validation": first.record["validation"],
        "processor": first.record["processor"],
        "recipes": {},
    }
    for recipe in recipes:
        row: dict[str, Any] = {
            "cpu_seconds": round(sum(runs[recipe, s].record["cpu_seconds"] for s in seeds), 1)
        }
        for key in SCORES:
            values = [float(runs[recipe, seed].scores[key]) for seed in seeds]
            base = [float(runs[recipes[0], seed].scores[key]) for seed in seeds]
            differences = [value - other for value, other in zip(values, base, strict=True)]
            row[key] = {
                "values": values,
                **_spread(values),
                "differences": differences,
                "difference": _spread(differences),
            }
        result["recipes"][recipe] = row
    return result


def _spread(values: list[float]) -> dict[str, float | None]:
    sd = statistics.stdev(values) if len(values) > 2 else None  # two values are given themselves
    return {"mean": statistics.fmean(values), "sd": sd}


def ablation_page(result: dict[str, Any]) -> Page:
    """The report: table and plot."""
    config, seeds = result["config"], ", ".join(map(str, result["seeds"]))
    width, height = config["input_size"]
    sentences = [
        f"{config['model']} at {width}×{height}, {config['epochs']} epochs, seeds {seeds}; mean ± "
        "standard deviation over the seeds (of two: both values), points",
        f"Changes are to {result['baseline']!r} with the same seed",
        f"{result['validation']['frames']} frames of {result['validation']['dataset']} validate",
    ]
    page = Page(f"What augmentation brings: {config['model']}")
    plot = Picture("mIoU of every seed (dots) and their mean (line), points.", _plot(result))
    page.sections.append(Section("Recipes", recipe_table(result), sentences, [plot]))
    return page


def recipe_table(result: dict[str, Any]) -> list[list[str]]:
    """The title row, then a row a recipe: its scores and their gain over the first, points."""
    rows = [["recipe"]]
    for title in SCORES.values():
        rows[0] += [title, f"change of {title}"]
    for recipe, row in result["recipes"].items():
        rows.append([recipe])
        for key in SCORES:
            other = recipe != result["baseline"]
            gain = row[key]["difference"] | {"values": row[key]["differences"]}
            rows[-1] += [_points(row[key], ""), _points(gain, "+") if other else ""]
    return rows


def _points(spread: dict[str, Any], sign: str) -> str:
    mean = f"{100 * spread['mean']:{sign}.1f}"
    if spread["sd"] is not None:
        return f"{mean} ± {100 * spread['sd']:.1f}"
    both = ", ".join(f"{100 * value:{sign}.1f}" for value in spread["values"])
    return f"{mean} ({both})" if len(spread["values"]) == 2 else mean


def _plot(result: dict[str, Any]) -> str:
    from train.reports.plots import new_figure, to_svg

    figure = new_figure(8, 3.2)
    axes = figure.subplots()
    for place, row in enumerate(result["recipes"].values()):
        values = [100 * v for v in row["miou"]["values"]]
        axes.plot([place] * len(values), values, "o", alpha=0.7)
        mean = 100 * row["miou"]["mean"]
        axes.hlines(mean, place - 0.25, place + 0.25, color="black")
    axes.set_xticks(range(len(result["recipes"])), list(result["recipes"]))
    axes.set_ylabel("mIoU, points")
    axes.grid(axis="y", alpha=0.3)
    return to_svg(figure)
