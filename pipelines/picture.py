"""A small picture for a page: bars of what each vehicle drove, and of the errors it sent."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_ROW, _LEFT, _WIDTH, _NUMBER = 18, 80, 150, 60
_STYLES = (("km", "#2a78b8"), ("errors", "#c8452f"))
_MOST = 12


@dataclass(frozen=True, slots=True)
class Bars:
    """What one vehicle did on a day; km is None where the odometer was not read."""

    vehicle_id: str
    km: float | None
    errors: int


def picture(of: Sequence[Bars]) -> str:
    """Markdown that shows the bars; of a large fleet, of those that sent most errors and drove furthest."""
    shown = sorted(of, key=lambda one: (one.errors, one.km or 0.0), reverse=True)[:_MOST]
    shown.sort(key=lambda one: one.vehicle_id)
    height = _ROW * (len(shown) + 1) + 6
    width = _LEFT + 2 * (_WIDTH + _NUMBER)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
        f'font-size="11"><rect width="{width}" height="{height}" fill="#fff"/>'
    ]
    for place, (title, colour) in enumerate(_STYLES):
        left = _LEFT + place * (_WIDTH + _NUMBER)
        parts.append(f'<text x="{left}" y="13" font-weight="bold">{title}</text>')
        values = [one.km if title == "km" else float(one.errors) for one in shown]
        most = max((value for value in values if value), default=1.0)
        for row, value in enumerate(values, start=1):
            top = row * _ROW
            length = round((value or 0.0) / most * _WIDTH, 1)
            text = "not read" if value is None else f"{value:.1f}" if title == "km" else f"{value:.0f}"
            parts.append(f'<rect x="{left}" y="{top + 3}" width="{length}" height="11" fill="{colour}"/>')
            parts.append(f'<text x="{left + length + 4}" y="{top + 13}">{text}</text>')
    for row, one in enumerate(shown, start=1):
        name = one.vehicle_id if len(one.vehicle_id) <= 11 else f"{one.vehicle_id[:10]}…"
        parts.append(f'<text x="4" y="{row * _ROW + 13}">{escape(name)}</text>')
    svg = "".join([*parts, "</svg>"])
    return f"![km and errors](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"
