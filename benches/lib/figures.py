"""Medians over rounds, and ratios formed within each round, which share whatever the machine was doing."""

import statistics
import sys
from typing import NamedTuple


class Column(NamedTuple):
    """One figure of a run."""

    heading: str
    #: How a value is written, e.g. `.2f`.
    form: str
    #: What the ratio of ours to another's is called, e.g. `× requests/s`; none is printed without.
    ratio: str = ""
    #: The ratio is the other's to ours: more is better where less of the figure is.
    inverted: bool = False
    #: The sum over the rounds, not the median.
    total: bool = False


def measure(title, columns, servers, rounds, run):
    """Runs every server in turn, round after round, and prints the table. `servers` are names with what `run` takes;
    `run` gives a value for each column. The first server is the one compared with the others."""
    print(f"\n{title}")
    results = {name: [] for name in servers}
    for _ in range(rounds):
        for name, server in servers.items():
            results[name].append(run(server))
    print_table(columns, results)
    ours, *others = servers
    for name in others:
        print(f"{ours}/{name}: {ratios(columns, results[ours], results[name])}")
    sys.stdout.flush()
    return results


def print_table(columns, results):
    widths = [max(len(column.heading), 8) + 2 for column in columns]
    print(" " * 10 + "".join(f"{c.heading:>{w}}" for c, w in zip(columns, widths)))
    for name, rounds in results.items():
        cells = (format(value(column, i, rounds), column.form) for i, column in enumerate(columns))
        print(f"{name:10}" + "".join(f"{cell:>{w}}" for cell, w in zip(cells, widths)))


def value(column, i, rounds):
    return (sum if column.total else statistics.median)(one[i] for one in rounds)


def ratios(columns, ours, theirs):
    def ratio(i, inverted):
        pairs = [(a[i], b[i]) for a, b in zip(ours, theirs)]
        return statistics.median(b / a if inverted else a / b for a, b in pairs)
    compared = [(i, column) for i, column in enumerate(columns) if column.ratio]
    return ", ".join(f"{ratio(i, column.inverted):.3f} {column.ratio}" for i, column in compared)
