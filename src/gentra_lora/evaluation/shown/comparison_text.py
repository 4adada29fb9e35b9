"""A Comparison for a person, and for a program."""

from typing import Literal

from gentra_lora.errors import listed
from gentra_lora.evaluation.compare import BETTER, NONE, SEED, WORSE, Comparison, Difference


def text_lines(comparison: Comparison) -> list[str]:
    """Return the lines for a person."""
    first, second = comparison.names
    lines = [f"first: {first}", f"second: {second}"]
    lines += [f"  {line}" for line in comparison.changed or ["no parameter differs"]]
    lines += ["", *verdict_lines(comparison), *comparison.left_out, "", *table_lines(comparison)]
    if comparison.told:
        lines += ["", "they were made on different ground, which may move a score by itself:"]
        lines += [f"  {line}" for line in comparison.told]
    if not comparison.noise_seeds:
        lines += [
            "",
            "how much another seed of the training changes is not measured for this set-up: the intervals speak of "
            "these two files alone (`gentra-lora noise`)",
        ]
    return lines


def verdict_lines(comparison: Comparison) -> list[str]:
    """Return sentences for a person: what is better, what worse, what could not be told apart."""
    whole = [difference for difference in comparison.differences if not difference.measure.part]
    by_verdict = {name: [d for d in whole if d.verdict == name] for name in (BETTER, WORSE, SEED, NONE)}
    name = comparison.names[1]
    lines = [
        f"{name} is {verdict} on {d.measure.label}: {signed(d, 'mean')}, "
        f"95 % CI {signed(d, 'low')} to {signed(d, 'high')}"
        for verdict in (BETTER, WORSE)
        for d in by_verdict[verdict]
    ]
    lines += [
        f"{d.measure.label}: {signed(d, 'mean')}, no more than another seed of the training may give ({d.noise:.2g})"
        for d in by_verdict[SEED]
    ]
    lines += [f"{d.measure.label}: no difference that {_count(d)} could show" for d in by_verdict[NONE]]
    if not by_verdict[BETTER] and not by_verdict[WORSE]:
        lines.insert(0, "no difference" + ("" if by_verdict[SEED] else " that these evaluations could show"))
    return lines


def _count(difference: Difference) -> str:
    if difference.measure.groups == (None,):
        return f"{difference.rows} errors on {listed(difference.interval.clusters, 'photo')}"
    return f"{difference.rows} pictures"


def signed(difference: Difference, end: Literal["mean", "low", "high"]) -> str:
    """Return a number of a difference's interval with its sign."""
    return f"{getattr(difference.interval, end):+.{difference.measure.digits}f}"


def table_lines(comparison: Comparison) -> list[str]:
    """Return the lines of the table of all differences."""
    head = ["", "first", "second", "difference", "95 % CI", "smallest visible", "seeds' spread", "second is"]
    cells = [head]
    for d in comparison.differences:
        numbers = [*d.means, d.interval.visible, d.noise]
        one, two, visible, noise = ("-" if n is None else f"{n:.{d.measure.digits}f}" for n in numbers)
        interval = "-" if d.interval.low is None else f"{signed(d, 'low')} to {signed(d, 'high')}"
        cells.append([d.measure.label, one, two, signed(d, "mean"), interval, visible, noise, d.verdict])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def as_json(comparison: Comparison) -> dict[str, object]:
    """Return the comparison as values for JSON."""
    return {
        "names": list(comparison.names),
        "verdict": verdict_lines(comparison),
        "changed": comparison.changed,
        "left_out": comparison.left_out,
        "differing": comparison.told,
        "noise_seeds": comparison.noise_seeds,
        "measures": [
            {
                "key": d.measure.key,
                "label": d.measure.label.strip(),
                "better": d.measure.better,
                "first": d.means[0],
                "second": d.means[1],
                "difference": d.interval.mean,
                "low": d.interval.low,
                "high": d.interval.high,
                "smallest_visible": d.interval.visible,
                "noise": d.noise,
                "rows": d.rows,
                "clusters": d.interval.clusters,
                "verdict": d.verdict,
            }
            for d in comparison.differences
        ],
    }
