"""What all plots share: axes, bars, lines and colours, as Plotly specifications."""

from collections.abc import Mapping, Sequence
from typing import Any

#: CSS properties of the page, which defines them for light, dark and print.
STAGE_COLOURS = ("--submit", "--wait", "--execute", "--notify")
ROLE_COLOURS = ("--execute", "--notify", "--submit", "--wait", "--end")
_MOST_TICKS = 5


def bars(names: Sequence[str], values: Mapping[str, Sequence[float]], colours: Sequence[str], unit: str) -> list[Any]:
    """A stacked bar for each name, with one segment for each value; the first name on top."""
    return [
        {
            "type": "bar",
            "orientation": "h",
            "name": part,
            "y": list(names),
            "x": list(lengths),
            "marker": {"color": colours[number % len(colours)]},
            "hovertemplate": f"%{{y}}<br>{part}: %{{x:.3~g}}{unit}<extra></extra>",
        }
        for number, (part, lengths) in enumerate(values.items())
    ]


def bar_layout(title: str, most: float, least: float = 0.0) -> dict[str, Any]:
    """The layout of stacked bars. The same `most` in several plots makes their lengths comparable."""
    return {
        "barmode": "relative",
        "bargap": 0.35,
        "xaxis": axis(title, low=min(0.0, least), high=1.05 * most),
        "yaxis": {"autorange": "reversed", "automargin": True, "ticksuffix": "  "},
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
    }


def axis(title: str, *, low: float = 0.0, high: float, log: bool = False) -> dict[str, Any]:
    """An axis between two values."""
    spec: dict[str, Any] = {"title": {"text": title, "standoff": 6}, "range": [low, high], "nticks": _MOST_TICKS}
    return {**spec, "type": "log"} if log else spec


def line(
    name: str, x: Sequence[float], y: Sequence[float], colour: str, *, dash: str = "solid", marks: bool = True
) -> dict[str, Any]:
    """A line through points."""
    return {
        "type": "scatter",
        "mode": "lines+markers" if marks else "lines",
        "name": name,
        "x": list(x),
        "y": list(y),
        "line": {"color": colour, "dash": dash, "width": 2 if marks else 1.5},
        "marker": {"color": colour, "size": 7},
        "showlegend": False,
    }


def bar_height(rows: int) -> int:
    """The height in pixels, including the legend and the axis."""
    return 110 + 34 * rows
