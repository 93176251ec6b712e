"""`faceqa curate`: a data set in, its tables, its report and its sorted files out."""

from __future__ import annotations

import argparse
from pathlib import Path

from faceqa.cli import options as shared
from faceqa.cli.exit_codes import USAGE
from faceqa.cli.summary import show_summary
from faceqa.cli.terminal import Screen, complain, nothing_in


def add(commands: shared.Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "curate",
        help="filter a data set: tables, report, kept and rejected files",
        description="Score every image of a data set and say which faces to keep. Writes scores.csv, "
        "scores.parquet, summary.json and report.html. The same command goes on with an interrupted run.",
        formatter_class=shared.formatter,
    )
    shared.add_sources(parser)
    parser.add_argument(
        "--out",
        required=True,
        metavar="DIR",
        help="the folder to write to, or its address (s3://, gs://): a new one, or that of an earlier run",
    )
    shared.add_output(parser)
    shared.add_models(parser)
    shared.add_sampling(parser)
    shared.add_policy(parser)
    shared.add_limits(parser)
    shared.add_unique(parser)
    shared.add_segments(parser)
    shared.add_level(parser)
    _add_machines(parser)
    parser.set_defaults(run=run)


def _add_machines(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("many machines")
    group.add_argument(
        "--runner",
        choices=["local", "ray"],
        default="local",
        help="who works through the images: this process, or the actors of a Ray cluster, one a GPU or a "
        "pair of cores (default: local)",
    )
    group.add_argument(
        "--address",
        metavar="A",
        help="of the Ray cluster; auto: the one that this machine belongs to (default: this machine alone)",
    )


def run(options: argparse.Namespace) -> int:
    """Carry the command out."""
    from faceqa.curation.run import curate
    from faceqa.reading.sources import count_images

    sources, sampling = shared.sources(options), shared.sampling(options)
    count = count_images(sources, sampling, leave_out=Path(options.out))
    if not count:
        nothing_in(sources)
        return USAGE
    selection = shared.selection(options)
    if options.models == "research":
        complain("the research models are for non-commercial research only.")
    screen = Screen()
    try:
        with screen.progress(count, stays=True) as advance:
            summary = curate(
                sources,
                options.out,
                policy=selection.policy,
                keep_top=selection.keep_top,
                keep_fraction=selection.keep_fraction,
                unique=selection.unique,
                min_seconds=selection.min_seconds,
                max_gap=selection.max_gap,
                export=options.export,
                all_faces=options.all_faces,
                unmasked=options.unmasked,
                sampling=sampling,
                device=options.device,
                engine=options.engine,
                precision=options.precision,
                models=options.models,
                iqa=options.iqa,
                language=options.language,
                level=options.level,
                runner=options.runner,
                address=options.address,
                progress=advance,
            )
    except KeyboardInterrupt:
        complain("stopped. The same command goes on from here.")
        raise
    return show_summary(screen, summary, f"{options.out.rstrip('/')}/report.html")
