"""Stories of the simulator as pictures: use, fragmentation, the line and the queues' shares.

The one door to matplotlib, which comes with `athanor[plots]`.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from athanor.features.scheduling.core.simulate import Story

FORMATS = ("svg", "png", "html")
STYLES = ("-", "--", ":")


def draw(stories: Mapping[str, Story], queues: tuple[str, ...], path: str) -> None:
    """Write a picture of one or more stories of the same queues, by the end of its name.

    Raises Failure when matplotlib is missing or the name ends in no known format.
    """
    from athanor.cli.failures import Failure

    kind = path.rpartition(".")[2]
    if kind not in FORMATS:
        raise Failure(f"{path}: a plot's name ends in {', '.join('.' + f for f in FORMATS)}")
    try:
        figure = _figure(stories, queues)
    except ModuleNotFoundError as missing:
        raise Failure(f"plots need {missing.name}", hint="pip install 'athanor[plots]'") from None
    if kind != "html":
        figure.savefig(path, format=kind, metadata={"Date": None} if kind == "svg" else None)
        return
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    data = base64.b64encode(picture.getvalue()).decode()
    with open(path, "w", encoding="utf-8") as page:
        page.write(
            "<!doctype html><meta charset=utf-8><title>athanor simulate</title>"
            f'<img alt="use, fragmentation, line and shares over time" '
            f'src="data:image/png;base64,{data}">\n'
        )


def _figure(stories: Mapping[str, Story], queues: tuple[str, ...]) -> Figure:
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcParams["svg.hashsalt"] = "athanor"  # the same story, the same file
    figure = Figure(figsize=(10, 9), layout="constrained")
    panels = figure.subplots(4, 1, sharex=True)
    for style, (name, story) in zip(STYLES, stories.items(), strict=False):
        hours = [(p.time - story.start) / 3600 for p in story.points]
        panels[0].step(hours, [100 * p.used for p in story.points], style, where="post",
                       label=name)  # fmt: skip
        panels[1].step(hours, [100 * p.frag for p in story.points], style, where="post",
                       label=name)  # fmt: skip
        panels[2].step(hours, [p.waiting for p in story.points], style, where="post", label=name)
        for q, queue in enumerate(queues):
            shares = [p.shares[q] for p in story.points]
            if max(shares, default=0) > 0:
                panels[3].step(hours, shares, style, where="post", label=f"{queue} ({name})",
                               color=f"C{q % 10}")  # fmt: skip
    titles = ("in use, %", "fragmented, % of all", "gangs waiting", "dominant share by weight")
    for panel, title in zip(panels, titles, strict=True):
        _finish(panel, title)
    panels[3].set_xlabel("hours")
    return figure


def _finish(panel: Axes, title: str) -> None:
    panel.set_ylabel(title)
    panel.set_ylim(bottom=0)
    panel.grid(visible=True, alpha=0.3)
    if panel.get_legend_handles_labels()[0]:
        panel.legend(loc="upper right", fontsize="small", ncols=2)
