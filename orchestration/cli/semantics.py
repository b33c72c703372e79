"""`insights semantic-models`: the measures of the dashboards for MetricFlow."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("semantic-models", epilog="Example: insights semantic-models --output models/semantic_models.yml")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write, such as one below models/ of a dbt project; by default the standard output.",
)
def semantic_models(output: Path | None) -> None:
    """Write the dashboards' measures as dbt semantic models.

    They have metrics too: with that file in the project, MetricFlow (`mf query`) answers with the definitions of the
    dashboards.
    """
    import yaml

    from orchestration.config.files import load_settings
    from orchestration.dashboards.definitions import dashboards
    from orchestration.dashboards.semantic_models import semantic_models as made_of
    from orchestration.manifest import read_manifest

    manifest = read_manifest(load_settings())
    made = made_of(manifest, dashboards(manifest))
    text = "# Made by `insights semantic-models` from the dashboards; make it again instead of editing it.\n"
    text += yaml.safe_dump(made, sort_keys=False, width=120)
    if output:
        output.write_text(text, encoding="utf-8")
    click.echo(str(output) if output else text.rstrip("\n"))
