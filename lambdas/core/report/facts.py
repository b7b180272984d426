"""What is worth saying first about the newest chart: four facts, and what changed in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from lambdas.core.report.answers import Answers, ChartDate, Entry
from lambdas.core.report.words import Unit, chart_title, ordinal, places, plain_date, short_title, songs


@dataclass(frozen=True)
class Fact:
    """One fact: what it is about, the figure or name, and a line beneath.

    `recording_id` is of the song that it names, if any; `is_name` tells names, which may be long, from figures.
    """

    label: str
    value: str
    detail: str
    recording_id: str | None = None
    is_name: bool = False


def four_facts(answers: Answers, unit: Unit) -> list[Fact]:
    """Number one; what is new, back and out; the biggest climb; who has most songs."""
    return [_number_one(answers, unit), _turnover(answers, unit), _climb(answers.today, unit), _busiest(answers)]


def periods_at_one(answers: Answers) -> int | None:
    """How many charts in a row the newest chart's number one has led, or None if the answers do not tell."""
    leaders = {entry.recording_id for entry in answers.today if entry.position == 1}
    for reign in answers.reigns:
        if reign.last == answers.newest and reign.recording_id in leaders:
            return reign.periods
    return None


def began_with_the_data(answers: Answers) -> bool:
    """Whether the reign goes back to the first date in the data or to a missing one: it may have begun before."""
    reign = next((reign for reign in answers.reigns if reign.last == answers.newest), None)
    if reign is None:
        return False
    before = [item for item in answers.calendar if item.day < reign.first]
    return not before or not before[-1].held


def _number_one(answers: Answers, unit: Unit) -> Fact:
    leader = next((entry for entry in answers.today if entry.position == 1), None)
    if leader is None:
        return Fact("Number one", "Unknown", "the place is empty in the data")
    periods = periods_at_one(answers)
    if periods is None:
        run = ""
    elif began_with_the_data(answers):
        run = f" · at least {unit.count(periods)} in a row"
    else:
        run = f" · first {unit.one}" if periods == 1 else f" · {unit.count(periods)} in a row"
    return Fact(
        "Number one",
        short_title(leader.song, leader.artists),
        f"{leader.artists}{run}",
        leader.recording_id,
        is_name=True,
    )


def _turnover(answers: Answers, unit: Unit) -> Fact:
    label = "New on the chart"
    if not _is_known(answers.today):
        return Fact(label, "Unknown", f"the {unit.one} before is not in your data")
    new, back = _count(answers.today, "new"), _count(answers.today, "back")
    left = _newest(answers).left
    out = "how many left is unknown" if left is None else f"{left:,} out"
    return Fact(label, f"{new:,}", f"{back:,} back · {out}")


def _climb(today: Sequence[Entry], unit: Unit) -> Fact:
    label = "Biggest climb"
    climber, equals = _biggest(today, "up")
    if climber is not None:
        others = f" · and {songs(equals)} as far" if equals else ""
        return Fact(
            label,
            f"▲ {climber.movement.by}",
            f"{short_title(climber.song, climber.artists)}, to {climber.position}{others}",
            climber.recording_id,
        )
    if _is_known(today):
        return Fact(label, "None", f"no song rose since the {unit.one} before")
    return Fact(label, "Unknown", f"the {unit.one} before is not in your data")


def _busiest(answers: Answers) -> Fact:
    label = "Credit with most songs" if answers.by_credit else "Artist with most songs"
    most = max((count for _, count in answers.todays_artists), default=0)
    named = [name for name, count in answers.todays_artists if count == most]
    if most == 0:
        return Fact(label, "Unknown", "the chart names no artists")
    if most == 1:
        return Fact(label, "Nobody", f"each of {len(named):,} has one song")
    equals = len(named) - 1
    others = f" · {equals:,} other{' has' if equals == 1 else 's have'} as many" if equals else ""
    return Fact(label, named[0], f"{songs(most)}{others}", is_name=True)


def what_changed(chart: str, answers: Answers, unit: Unit) -> str:
    """What changed, in one sentence that stands by itself."""
    said = [part for part in (_lead(answers, unit), _news(answers, unit), _climbing(answers.today)) if part]
    return f"{chart_title(chart)}, {plain_date(answers.newest)}: {'; '.join(said)}."


def _lead(answers: Answers, unit: Unit) -> str:
    leader = next((entry for entry in answers.today if entry.position == 1), None)
    if leader is None:
        return "the number one is not known"
    named = _quoted(leader)
    periods = periods_at_one(answers)
    match leader.movement.kind:
        case "new":
            return f"{named} enters at number one"
        case "back":
            return f"{named} returns at number one"
        case "up" if leader.previous is not None:
            return f"{named} rises from {leader.previous} to number one"
        case "same" if periods is not None and periods > 1 and not began_with_the_data(answers):
            return f"{named} is number one for the {ordinal(periods)} {unit.one} in a row"
        case "same":
            return f"{named} stays number one"
    return f"{named} is number one"


def _news(answers: Answers, unit: Unit) -> str:
    if not _is_known(answers.today):
        return f"what moved is not known, for the {unit.one} before is not in your data"
    new, back = _count(answers.today, "new"), _count(answers.today, "back")
    first = next((entry for entry in answers.today if entry.movement.kind == "new"), None)
    said = f"{songs(new)} {'is' if new < 2 else 'are'} new"
    if first is not None and first.position > 1:
        said += (
            f" ({_quoted(first)} at {first.position})"
            if new == 1
            else f" ({_quoted(first)} highest, at {first.position})"
        )
    others = []
    if back:
        others.append(f"{back:,} {'is' if back == 1 else 'are'} back")
    left = _newest(answers).left
    if left:
        others.append(f"{left:,} left")
    return " and ".join([", ".join([said, *others[:-1]]), *others[-1:]])


def _climbing(today: Sequence[Entry]) -> str:
    climber, equals = _biggest(today, "up")
    if climber is None or climber.movement.by is None or climber.position == 1:
        return ""
    how = "climbs most" if not equals else "climbs as far as any"
    return f"{_quoted(climber)} {how}, {places(climber.movement.by)} to {climber.position}"


def _biggest(today: Sequence[Entry], kind: str) -> tuple[Entry | None, int]:
    """The entry that moved farthest, the highest placed of equals, and how many others moved as far."""
    moved = [entry for entry in today if entry.movement.kind == kind]
    most = max((entry.movement.by or 0 for entry in moved), default=0)
    farthest = [entry for entry in moved if entry.movement.by == most]
    return (farthest[0], len(farthest) - 1) if farthest else (None, 0)


def _count(today: Sequence[Entry], kind: str) -> int:
    return sum(entry.movement.kind == kind for entry in today)


def _is_known(today: Sequence[Entry]) -> bool:
    return any(entry.movement.kind != "unknown" for entry in today)


def _newest(answers: Answers) -> ChartDate:
    return next(item for item in answers.calendar if item.day == answers.newest)


def _quoted(entry: Entry) -> str:
    return f"“{short_title(entry.song, entry.artists)}” by {entry.artists}"


def age_in_days(newest: date, on: date) -> int:
    """How old the newest chart date is on a day; never less than nought."""
    return max((on - newest) // timedelta(days=1), 0)
