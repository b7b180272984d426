"""The page's colours, read from its styles: enough contrast in both schemes (WCAG 2.2)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lambdas.core import report

STYLES = (Path(report.__file__).parent / "templates" / "page.css").read_text("utf-8")
_BLOCK = re.compile(r":root \{(.*?)\}", re.DOTALL)
LIGHT, DARK, PRINT = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", block)) for block in _BLOCK.findall(STYLES)[:3])
LINES = ("c0", "c1", "c2", "c3", "c4")


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    channels = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4 for channel in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_that_of_known_pairs() -> None:
    assert _contrast("#000", "#ffffff") == pytest.approx(21)
    assert _contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("colours", [LIGHT, DARK, PRINT], ids=["light", "dark", "print"])
def test_text_and_lines_stand_out_from_the_page(colours: dict[str, str]) -> None:
    # Lines colour the number at their end too, so they are held to what text needs.
    for name in ("ink", "soft", "accent", "up", "down", *LINES):
        assert _contrast(colours[name], colours["paper"]) >= 4.5, name
    assert _contrast(colours["note-ink"], colours["note"]) >= 4.5


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_shades_of_the_calendar_go_one_way(colours: dict[str, str]) -> None:
    shades = [_contrast(colours[f"s{n}"], colours["paper"]) for n in range(5)]
    assert shades == sorted(shades)
    assert shades[-1] >= 3


def test_lines_of_one_hue_differ_by_their_dashes() -> None:
    assert re.search(r"\.dashed \.way \{ stroke-dasharray: [\d. ]+; \}", STYLES)
