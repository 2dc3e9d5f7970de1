"""Prints a file that RESULTS=DIR made as the tables of docs/performance.md."""

import sys

from report import BUDGETS


def main():
    with open(sys.argv[1]) as results:
        lines = results.read().splitlines()
    print("\n".join(line[2:] for line in lines if line.startswith("#")))
    print("\n| figure | value | budget |\n|---|---|---|")
    for line in lines:
        name, _, value = line.partition("=")
        if line.startswith("#") or not value:
            continue
        sign, budget = BUDGETS.get(name, ("", ""))
        print(f"| `{name}` | {value} | {'≥' if sign == '>=' else '≤' if sign else ''} {budget} |")


if __name__ == "__main__":
    main()
