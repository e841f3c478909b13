# SPDX-License-Identifier: LGPL-2.1-or-later
"""The table of README.md: runs the rows in the namespaces that ./run has made, and prints what came out."""

import sys
import traceback

import data_rows
from bed import Libvirt, start_system_bus
from rows import ROWS as METADATA_ROWS
from rows import Bench

ROWS = {**METADATA_ROWS, **data_rows.ROWS}

VERDICT = {True: "reached", False: "MISSED", None: ""}


def formatted(line):
    figure = "" if line.figure == 0 else f"{line.figure:.3g} {line.unit}" if line.unit != "×" else f"{line.figure:.3g}×"
    target = ""
    if line.target is not None:
        target = f"{'≥' if line.least else '≤'} {line.target:.3g}{'×' if line.unit == '×' else ' ' + line.unit}"
    return [line.what, line.own, line.beside, figure, target, VERDICT[line.reached]]


def show(cells):
    print("| " + " | ".join(cells) + " |", flush=True)


def main(words):
    quick = "--quick" in words
    wanted = [word for word in words if not word.startswith("--")] or list(ROWS)
    if set(words) - set(ROWS) - {"--quick"}:
        sys.exit(f"run: rows are {' '.join(ROWS)}")
    buses = start_system_bus()
    reason = Libvirt.why_not()
    if reason:
        print(f"Without libvirt: {reason}.")
    libvirt = None if reason else Libvirt()
    bench = Bench(quick, libvirt)
    missed = failed = 0
    show(["what", "poolkeeper", "beside", "figure", "to reach", "verdict"])
    show(["---"] * 6)
    for name in wanted:
        try:
            for line in ROWS[name](bench):
                missed += line.reached is False
                show(formatted(line))
        except Exception:  # One row that cannot be measured must not hide the others.
            failed += 1
            traceback.print_exc()
    bench.own.stop()
    if libvirt:
        libvirt.stop()
    for process in reversed(buses):
        process.stop()
    print(f"\n{missed} missed, {failed} not measured")
    return 1 if missed or failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
