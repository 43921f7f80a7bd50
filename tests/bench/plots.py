# SPDX-License-Identifier: GPL-2.0-or-later
"""Bar charts as SVG, readable on light and dark paper; no library."""

import math
from xml.sax.saxutils import escape

COLOURS = {
    "shutdown": "#8c8c8c", "copy": "#4c78a8", "check": "#e45756", "unpack": "#f2a33c",
    "startup": "#54a24b", "boot": "#b279a2", "total": "#4c78a8", "ours": "#54a24b",
    "floor": "#8c8c8c",
}
LABEL, BARS, VALUE = 250, 480, 90   # columns, in pixels
ROW, GAP, HEAD = 20, 34, 56
STYLE = """
.paper { fill: #ffffff; } text { font: 12px system-ui, sans-serif; fill: #1f2328; }
.title { font-size: 14px; font-weight: 600; } .panel { font-weight: 600; }
.axis { stroke: #8c959f; stroke-opacity: .45; } .tick { fill: #59636e; font-size: 11px; }
@media (prefers-color-scheme: dark) {
  .paper { fill: #0d1117; } text { fill: #e6edf3; } .tick { fill: #9198a1; }
}
"""


def text(x, y, words, kind="", anchor="start"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
            f'{f" class={chr(34)}{kind}{chr(34)}" if kind else ""}>{escape(words)}</text>')


def rect(x, y, width, colour, hint):
    return (f'<rect x="{x:.2f}" y="{y + 3:.1f}" width="{width:.2f}" height="{ROW - 6}" '
            f'fill="{colour}"><title>{escape(hint)}</title></rect>')


def nice_step(top):
    step = 10 ** math.floor(math.log10(top / 4))
    return next(step * n for n in (1, 2, 5, 10) if top / (step * n) <= 5)


def linear_ticks(top):
    step = nice_step(top)
    return [step * i for i in range(int(top / step) + 1)]


def svg(title, parts, legend, height):
    width = LABEL + BARS + VALUE
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
           f'width="{width}" height="{height}" role="img" aria-label="{escape(title)}">',
           f"<style>{STYLE}</style>", f'<rect class="paper" width="{width}" height="{height}"/>',
           text(10, 22, title, "title")]
    x = LABEL
    for name, colour in legend:
        out += [f'<rect x="{x}" y="32" width="12" height="12" fill="{colour}"/>',
                text(x + 17, 42, name)]
        x += 30 + 7 * len(name)
    return "\n".join([*out, *parts, "</svg>"]) + "\n"


def stacked(title, panels, names, unit):
    """panels: [(name, [(label, {phase: value})])], on one linear axis per panel."""
    parts, y = [], HEAD
    for panel, rows in panels:
        top = max(sum(values.values()) for _, values in rows)
        parts.append(text(10, y + 12, panel, "panel"))
        y += ROW
        bottom = y + ROW * len(rows)
        for tick in linear_ticks(top):
            x = LABEL + BARS * tick / top
            parts += [f'<path class="axis" d="M{x:.1f} {y}V{bottom}"/>',
                      text(x, bottom + 13, f"{tick:g}", "tick", "middle")]
        for label, values in rows:
            x = LABEL
            parts.append(text(LABEL - 8, y + 14, label, anchor="end"))
            for phase in names:
                width = BARS * values.get(phase, 0) / top
                parts.append(rect(x, y, width, COLOURS[phase],
                                  f"{label}, {names[phase]}: {values.get(phase, 0):.1f} {unit}"))
                x += width
            parts.append(text(x + 6, y + 14, f"{sum(values.values()):,.0f}".replace(",", " ")))
            y += ROW
        y += GAP
    return svg(title, parts, [(name, COLOURS[phase]) for phase, name in names.items()], y)


def logarithmic(title, panels, kinds, unit):
    """panels: [(name, [(label, kind, value)])]; kinds: {kind: legend}; one axis for all panels."""
    values = [value for _, rows in panels for _, _, value in rows]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    parts, y = [], HEAD
    for panel, rows in panels:
        parts.append(text(10, y + 12, panel, "panel"))
        y += ROW
        bottom = y + ROW * len(rows)
        for power in range(low, high + 1):
            x = LABEL + BARS * (power - low) / (high - low)
            parts += [f'<path class="axis" d="M{x:.1f} {y}V{bottom}"/>',
                      text(x, bottom + 13, f"{10 ** power:,}".replace(",", " "), "tick", "middle")]
        for label, kind, value in rows:
            width = BARS * (math.log10(value) - low) / (high - low)
            parts += [text(LABEL - 8, y + 14, label, anchor="end"),
                      rect(LABEL, y, width, COLOURS[kind], f"{label}: {value:.1f} {unit}"),
                      text(LABEL + width + 6, y + 14, f"{value:,.1f}".replace(",", " "))]
            y += ROW
        y += GAP
    return svg(title, parts, [(name, COLOURS[kind]) for kind, name in kinds.items()], y)
