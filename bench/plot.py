# SPDX-License-Identifier: MIT
"""A bar for each program, as SVG; the length by logarithm when the values are far apart."""

import math
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, ROW, TOP = 640, 130, 90, 24, 34
OURS, OTHERS = "#2a6fb0", "#a8b3bd"


def bars(title, values, text):
    """values: [(name, value)], the first is ours; text(value) is what stands behind the bar."""
    most = max(value for _, value in values)
    least = min(value for _, value in values if value > 0) if most > 0 else 1
    logarithmic = most / least > 30
    space = WIDTH - LEFT - RIGHT

    def length(value):
        if most <= 0 or value <= 0:
            return 1
        if not logarithmic:
            return max(1, space * value / most)
        low = math.log10(least) - 0.5
        return max(1, space * (math.log10(value) - low) / (math.log10(most) - low))
    height = TOP + ROW * len(values) + 8
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
           f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">',
           f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
           f'<text x="8" y="21" font-weight="bold">{escape(title)}'
           f'{" (logarithmic)" if logarithmic else ""}</text>']
    for number, (name, value) in enumerate(values):
        y = TOP + ROW * number
        out += [f'<text x="{LEFT - 8}" y="{y + 15}" text-anchor="end">{escape(name)}</text>',
                f'<rect x="{LEFT}" y="{y + 3}" width="{length(value):.1f}" height="{ROW - 8}" '
                f'fill="{OURS if number == 0 else OTHERS}"/>',
                f'<text x="{LEFT + length(value) + 6:.1f}" y="{y + 15}">{escape(text(value))}'
                "</text>"]
    return "\n".join(out + ["</svg>"]) + "\n"
