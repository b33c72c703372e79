"""Draws a Vega-Lite specification into an SVG or PNG file, without a browser and without the network."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestration.errors import BadInputError, FailedError, MisconfiguredError

Draw = Callable[[dict[str, Any]], bytes]

VEGA_LITE = "5.20"  # the version that the specifications are written for
PNG_SCALE = 2.0  # pixels for each unit, so that texts are sharp on a screen of today
SUFFIXES = (".svg", ".png")


def drawer(path: Path) -> Draw:
    """Return the function that draws in the format of a file's suffix.

    Raises BadInputError for another suffix, and MisconfiguredError if the library is not installed.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise BadInputError(f"{path}: a chart is an SVG or PNG file, so the name must end with .svg or .png.")
    try:
        import vl_convert  # noqa: PLC0415 - 84 MB that only charts need
    except ImportError as error:
        raise MisconfiguredError(
            f"Charts need {error.name}, which is not installed: pip install -r requirements/charts.txt (the dependency"
            " group charts)."
        ) from error

    def draw(specification: dict[str, Any]) -> bytes:
        try:
            if suffix == ".svg":
                svg: str = vl_convert.vegalite_to_svg(specification, vl_version=VEGA_LITE, allowed_base_urls=[])
                return svg.encode()
            png: bytes = vl_convert.vegalite_to_png(
                specification, vl_version=VEGA_LITE, scale=PNG_SCALE, allowed_base_urls=[]
            )
        except ValueError as error:
            raise FailedError(f"The chart cannot be drawn: {error}") from error
        return png

    return draw


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, or replace it, so that no reader finds it incomplete.

    Raises FailedError if the folder does not exist or cannot be written; what was there before then stays.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            fresh.write_bytes(content)
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)
    except OSError as error:
        raise FailedError(f"{path} cannot be written: {error.strerror}.") from error
