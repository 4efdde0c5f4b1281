"""A loosely worded prompt, rewritten until its pictures match it: `inloop opt2i PROMPT` from Python."""

import sys

import inloop

result = inloop.opt2i(*sys.argv[1:] or ["a green pentagram over a spaceship"], iterations=5)
for task in result.tasks:
    print(f"{task.text!r} -> {task.chosen!r}")
for row in result.comparisons:
    gain = "not measured" if row.gain is None else f"{row.gain:+.1f} points"
    print(f"{row.evaluator} on unseen seeds, {row.way}: {gain}")
