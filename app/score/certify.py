"""`inloop certify`: published figures recomputed from published raw answers, and any scorer against people's ratings.

inloop certify            everything that the data folder holds: ours, published, equal? Exit code 1 if one is not
inloop certify dsg        stored DSG or VQ2A answers: correlation with ratings, or the mean score by source
inloop certify vqa        a VQA prediction file under one rule, or all
inloop certify ratings    your own scores against your own ratings, beside what the raters' halves agree on
inloop certify judges     judges against your own labelled answers; the weights of an ensemble, where they are worth having
"""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runtime.errors import BadInput
from ...tools.data import read_table
from ..cli import clip, json_text, printable

if TYPE_CHECKING:
    from ...evaluators.run import Correlation, Figure
    from ...tools.vision import Certificate, Figures

__all__ = ["add_arguments", "certify"]

_DIFFERENT = 1


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `inloop certify` and of what stands behind it."""
    command.add_argument(
        "--data", metavar="DIR", help="folder of the published files (default: INLOOP_DATA, then ../shared/data)"
    )
    kinds = command.add_subparsers(
        dest="kind", metavar="WHAT", title="what to certify (default: all published figures)"
    )

    def add(name: str, brief: str) -> argparse.ArgumentParser:
        kind = kinds.add_parser(name, help=brief, description=f"{brief[0].upper()}{brief[1:]}.")
        # not to overwrite what stood before the name
        kind.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="one JSON object")
        return kind

    dsg = add("dsg", "score stored DSG or VQ2A answers and compare them with people's ratings")
    dsg.add_argument("--answers", metavar="FILE", required=True, help="CSV: t2i_model, item_id, [question_id,] answer")
    dsg.add_argument("--annotations", metavar="FILE", help="CSV: item_id, proposition_id, dependency")
    dsg.add_argument("--ratings", metavar="FILE", help="CSV: t2i_model, item_id, answer; a row a rater")
    dsg.add_argument("--rule", choices=("released", "strict"), default="released", help="default: released")
    dsg.add_argument("--no-dependencies", action="store_true", help="the plain mean over the questions")

    vqa = add("vqa", "score VQA predictions under a named rule")
    vqa.add_argument("--predictions", metavar="FILE", required=True, help="JSON: question_id and answer")
    vqa.add_argument("--annotations", metavar="FILE", required=True, help="JSON of VQA, OK-VQA or A-OKVQA")
    vqa.add_argument("--rule", metavar="NAME", required=True, help="a rule's name, or all; an unknown one lists them")

    ratings = add("ratings", "compare your own scores with your own people's ratings")
    ratings.add_argument("--scores", metavar="FILE", required=True, help="CSV or JSONL: id, score")
    ratings.add_argument("--ratings", metavar="FILE", required=True, help="CSV or JSONL: id, rating; a row a rater")

    judges = add("judges", "compare judges with labelled answers, and weigh them")
    judges.add_argument("labels", metavar="LABELS", help="CSV or JSONL: image, question, answer (yes or no)")
    judges.add_argument("--vqa", metavar="ID", help="the judge; several: 'A + B' (default: that of the settings)")
    judges.add_argument("--to", metavar="FILE", help="write the certificate to FILE.json, which --vqa takes then")


def certify(args: argparse.Namespace) -> int:
    """The command `inloop certify`."""
    return {"dsg": _dsg, "vqa": _vqa, "ratings": _ratings, "judges": _judges}.get(args.kind or "", _all)(args)


def _all(args: argparse.Namespace) -> int:
    from ...evaluators.run import figures

    places = [args.data] if args.data else [os.environ.get("INLOOP_DATA", ""), "../shared/data"]
    data = next((Path(place) for place in places if place and Path(place).is_dir()), Path(places[-1]))
    rows = []
    if not args.json:
        print(f"published figures, from the raw answers in {data}\n")
        print(f"{'':9} {'ours':>9} {'published':>9}  what, rule")
    for figure in figures(data):
        rows.append(figure)
        if not args.json:
            print(_line(figure), flush=True)
    different = [row for row in rows if row.ours is not None and not row.equal]
    unchecked = [row for row in rows if row.ours is None]
    if args.json:
        told = [{**row.model_dump(), "equal": row.equal if row.ours is not None else None} for row in rows]
        summary = {"equal": sum(row.equal for row in rows), "different": len(different), "unchecked": len(unchecked)}
        print(json_text({"data": str(data), "figures": told, **summary}))
    else:
        print(f"\n{sum(row.equal for row in rows)} of {len(rows)} figures are equal", end="")
        print(f", {len(different)} differ" if different else "", end="")
        print(f", {len(unchecked)} not checked (files are missing)" if unchecked else "")
    return _DIFFERENT if different or len(unchecked) == len(rows) else 0


def _line(figure: Figure) -> str:
    verdict = "equal" if figure.equal else "no file" if figure.ours is None else "DIFFERENT"
    ours = "" if figure.ours is None else f"{figure.ours:.{figure.decimals}f}"
    published = f"{figure.published:.{figure.decimals}f}"
    note = f" ({figure.note})" if figure.note else ""
    return f"{verdict:9} {ours:>9} {published:>9}  {figure.what}, rule {figure.rule}{note}"


def _dsg(args: argparse.Namespace) -> int:
    from ...evaluators.run import correlate, table_of
    from ...evaluators.stats import split_half
    from ...evaluators.text_image import read_annotations, read_answers, read_ratings, score_answers

    annotations = None if args.annotations is None else read_annotations(Path(args.annotations))
    rows = read_answers(Path(args.answers))
    ratings = None if args.ratings is None else read_ratings(Path(args.ratings))
    dependencies = not args.no_dependencies
    if ratings is not None:
        painters = {row.t2i_model for row in rows}
        ratings = {picture: given for picture, given in ratings.items() if picture[0] in painters}
    scores = score_answers(rows, annotations, rule=args.rule, dependencies=dependencies, wanted=ratings)
    told: dict[str, Any] = {"rule": args.rule, "dependencies": dependencies and any(row.has_graph for row in rows)}
    told["malformed_dependencies"] = 0 if annotations is None else len(annotations.malformed)
    if ratings is not None:
        found = correlate([score.value for score in scores], list(ratings.values()))
        _overlap(found, args.answers, args.ratings)
        told = {**found.model_dump(), "missing": sum(score.missing for score in scores), **told}
        told["ceiling"] = split_half(list(ratings.values())).model_dump()
        if not args.json:
            print(_correlated(found, f"rule {args.rule}", told["ceiling"]["spearman"]))
    else:
        told["t2i_models"] = table_of(scores)
        if not args.json:
            _print_table(told["t2i_models"], args.rule)
    if args.json:
        print(json_text(told))
    elif annotations is not None and annotations.malformed:
        fate = "their items lose every edge" if args.rule == "released" else "what can be read of them is kept"
        print(f"{len(annotations.malformed)} dependencies in {args.annotations} cannot be read: {fate}.")
    return 0


def _print_table(models: dict[str, dict[str, Any]], rule: str) -> None:
    for model, found in models.items():
        missing = f", {found['missing']} without answers" if found["missing"] else ""
        unscored = f", {found['unscored']} not scored" if found["unscored"] else ""
        print(
            f"{printable(model)}: {_percent(found['overall'])} over {found['n']} items (rule {rule}{missing}{unscored})"
        )
        for source, value in found["by_source"].items():
            print(f"  {_percent(value):>10}  {printable(source)}")


def _percent(value: float | None) -> str:
    return "not scored" if value is None else f"{value:.1f} %"


def _vqa(args: argparse.Namespace) -> int:
    from ...evaluators.vqa import RULES, accuracy_of, find_rule, has_answers, read_asked, read_predictions

    rules = list(RULES.values()) if args.rule == "all" else [find_rule(args.rule)]
    asked = read_asked(Path(args.annotations))
    made = []
    for rule in rules:
        if args.rule == "all":
            if rule.count == "choice" and not all(question.choices for question in asked):
                continue
            if rule.name.endswith(("_easy_only", "_all")) and not any(question.choices for question in asked):
                continue  # A-OKVQA's rules: for other files they repeat what is there
            if rule.count == "any" and all(len(question.humans) != 1 for question in asked):
                continue  # of one human answer the official rule is 0 whatever is predicted
            if not has_answers(Path(args.predictions), rule):
                continue
        made.append((rule, accuracy_of(read_predictions(Path(args.predictions), rule), asked, rule=rule.name)))
    results = [{**found.model_dump(), "score": round(found.score, 4), "about": rule.about} for rule, found in made]
    if args.json:
        print(json_text(results[0] if args.rule != "all" else {"rule": "all", "results": results}))
        return 0
    for rule, found in made:
        extra = f", {found.missing} without a prediction" if found.missing else ""
        extra += f", {found.left_out} left out" if found.left_out else ""
        extra += f", {found.unknown} predictions for no question" if found.unknown else ""
        if found.sparse:
            extra += f", {found.sparse} with fewer than {rule.people} human answers, which can have no full score (any_human_answer can)"
        print(f"{found.score:8.4f}  {rule.name} over {found.n} questions{extra}\n{'':10}{rule.about}")
    return 0


def _ratings(args: argparse.Namespace) -> int:
    from ...evaluators.run import correlate
    from ...evaluators.stats import split_half

    scores: dict[str, float | None] = {}
    for id, value in _read_values(Path(args.scores), ("score", "value"), optional=True):
        if id in scores:
            raise BadInput(f"{args.scores!r}: the item {id!r} has two scores; keep one of them.")
        scores[id] = value
    ratings: dict[str, list[float]] = {}
    for id, value in _read_values(Path(args.ratings), ("rating", "answer"), optional=False):
        ratings.setdefault(id, []).append(value if value is not None else 0.0)
    found = correlate([scores.get(id) for id in ratings], list(ratings.values()))
    _overlap(found, args.scores, args.ratings)
    ceiling = split_half(list(ratings.values()))
    if args.json:
        print(json_text({**found.model_dump(), "ceiling": ceiling.model_dump()}))
    else:
        print(_correlated(found, f"{args.scores} against {args.ratings}", ceiling.spearman))
    return 0


def _judges(args: argparse.Namespace) -> int:
    from ...evaluators.run import certify_judges, read_labels
    from ...runtime.roles import close
    from ...runtime.settings import Settings
    from ...runtime.store import Store
    from ...tools.vision import judges_of, open_vqa

    if args.to is not None and Path(args.to).suffix != ".json":
        raise BadInput(f"--to {args.to!r}: a certificate is a file that ends in .json.")
    settings = Settings.load(vqa=args.vqa)
    specs = judges_of(settings.vqa)
    if len(set(specs)) < len(specs):
        raise BadInput(f"--vqa {settings.vqa!r} names one judge twice.")

    async def run(store: Store) -> Certificate:
        labels = read_labels(Path(args.labels), store.blobs)
        judges = {spec: open_vqa(spec, store, settings) for spec in specs}
        try:
            return await certify_judges(judges, labels, data=Path(args.labels).name)
        finally:
            for judge in judges.values():
                await close(judge)

    with Store.open(settings) as store:
        certificate = asyncio.run(run(store))
    if args.to is not None:
        Path(args.to).write_text(certificate.model_dump_json(indent=2) + "\n", encoding="utf-8")
    if args.json:
        print(json_text(certificate.model_dump(mode="json")))
    else:
        print("\n".join(_judged(certificate, args.to)))
    return 0


def _judged(certificate: Certificate, to: str | None) -> list[str]:
    lines = [
        f"{certificate.questions} questions on {certificate.pictures} pictures of {printable(certificate.data)}",
        "",
    ]
    lines.append(f"{'weight':>6} {'right':>7}  {'95 % interval':16} {'kappa':>6} {'Brier':>6}  judge")
    for member in certificate.members:
        missing = certificate.questions - member.figures.answered
        note = f" ({missing} not answered with yes or no)" if missing else ""
        lines.append(f"{member.weight:6.2f} {_row_of(member.figures)}  {clip(printable(member.spec), 60)}{note}")
    if certificate.equal is not None:
        lines.append(f"{'':6} {_row_of(certificate.equal)}  all with equal weights")
    if certificate.weighted is not None:
        lines.append(f"{'':6} {_row_of(certificate.weighted)}  all with weights fitted on other pictures")
    lines += ["", certificate.why]
    return [*lines, f"written to {to}: --vqa {to}"] if to else lines


def _row_of(figures: Figures) -> str:
    accuracy = "none" if figures.accuracy is None else f"{figures.accuracy:.1%}"
    interval = "" if figures.interval is None else f"{figures.interval[0]:.1%} to {figures.interval[1]:.1%}"
    agreement = "" if figures.kappa is None else f"{figures.kappa:.2f}"
    brier = "" if figures.brier is None else f"{figures.brier:.3f}"
    return f"{accuracy:>7}  {interval:16} {agreement:>6} {brier:>6}"


def _overlap(found: Correlation, scores: str, ratings: str) -> None:
    if found.n == 0:
        raise BadInput(f"no rated item of {ratings!r} has a score in {scores!r}: the ids must be the same in both.")


def _correlated(found: Correlation, how: str, ceiling: float | None) -> str:
    rho = "not defined" if found.spearman is None else f"{found.spearman:.3f}"
    tau = "not defined" if found.kendall is None else f"{found.kendall:.3f}"
    lines = [f"Spearman {rho}, Kendall {tau} over {found.n} items ({clip(printable(how), 100)})"]
    if found.unscored:
        lines.append(f"{found.unscored} rated items have no score and are left out")
    if ceiling is not None:
        lines.append(f"ceiling: the raters' halves agree with a Spearman of {ceiling:.3f}")
    return "\n".join(lines)


def _read_values(path: Path, names: tuple[str, ...], *, optional: bool) -> list[tuple[str, float | None]]:
    """(id, number) of each row of a CSV or JSONL file; an empty or null number is None where that is allowed."""
    rows = read_table(path)
    found: list[tuple[str, float | None]] = []
    for place, row in enumerate(rows, start=1):
        name = next((name for name in names if name in row), None)
        if name is None or row.get("id") in (None, ""):
            raise BadInput(
                f"{str(path)!r}, row {place}: it needs 'id' and {' or '.join(map(repr, names))}: {row!r:.150}"
            )
        value = row[name]
        if value in (None, "") and optional:
            found.append((str(row["id"]), None))
            continue
        try:
            found.append((str(row["id"]), float(value)))
        except (TypeError, ValueError):
            raise BadInput(f"{str(path)!r}, row {place}: {name} {value!r} is no number.") from None
    if not found:
        raise BadInput(f"{str(path)!r} holds no rows.")
    return found
