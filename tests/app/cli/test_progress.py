"""What a person sees while a run works."""

import io
import logging

from inloop.app.cli.progress import Lines, Live, Progress, RunView, progress
from inloop.app.cli.session import log_to_stderr
from inloop.app.opt2i.progress import SearchView
from inloop.graphs.opt2i import HeldOutDone, IterationDone, Trial, TrialImage, TrialScored
from inloop.runtime.records import BlobRef
from inloop.runtime.session import Event, ModelsOpened, RunStarted, TaskDone, TaskFailed, Warned
from inloop.runtime.settings import Settings


def trial(iteration, text, objective, task="p1"):
    blob = BlobRef(sha256="0" * 64, media_type="image/png", bytes=1)
    images = (TrialImage(seed=1, image=blob), TrialImage(seed=2, image=blob))
    scored = Trial(id=f"{task}.{iteration}", iteration=iteration, text=text, objective=objective, images=images)
    return TrialScored(task=task, iteration=iteration, trial=scored)


def view(**more):
    clock = iter(range(10_000))
    return SearchView(**{"prompts": 1, "iterations": 9, "clock": lambda: float(next(clock)), **more})


def test_a_better_candidate_is_said_once_and_a_worse_one_never():
    run = view()
    assert run.see(trial(0, "mine", 0.25)) == ["your prompt scores 25.0: mine"]
    assert run.see(trial(1, "good", 0.75)) == ["better, 75.0 (+50.0): good"]
    assert run.see(trial(1, "bad", 0.5)) == run.see(trial(1, "none", None)) == []
    assert run.tasks["p1"].gain == 50.0
    assert run.spent() == "4 candidates · 8 images"


def test_an_unscored_first_prompt_is_not_zero():
    run = view()
    assert run.see(trial(0, "mine", None)) == ["your prompt scores not scored: mine"]
    run.see(trial(1, "good", 0.75))
    assert run.tasks["p1"].gain is None


def test_events_of_other_versions_are_passed_over():
    assert view().see(Event(event="shiny")) == view().see(Event(event="shiny", task="p1")) == []


def test_lines_carry_the_time_and_no_control_characters():
    stream = io.StringIO()
    with progress(view(), stream) as show:
        assert isinstance(show, Lines)
        show(Warned(text="a\x1b]0;b\x07\nc"))
    [line] = stream.getvalue().splitlines()
    assert line.startswith("[") and line.endswith("warning: a ]0;b  c")


def test_silent_shows_nothing():
    stream = io.StringIO()
    with progress(view(), stream, silent=True) as show:
        assert type(show) is Progress
        show(trial(0, "mine", 0.25))
    assert stream.getvalue() == ""


def test_a_terminal_gets_a_table_of_what_is_at_work():
    from rich.console import Console

    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, height=40, highlight=False, color_system=None)
    run = view(prompts=20)
    with Live(run, console) as show:
        for number in range(1, 21):
            task = f"p{number}"
            show(trial(0, f"prompt [red]{number}", 0.5, task))
            show(trial(1, f"better {number}", 0.75, task))
            show(IterationDone(task=task, iteration=1, best=f"better {number}", objective=0.75))
        show(TaskDone(task="p1"))
        with console.capture() as held:
            console.print(show.view.table(console.width))
    text = held.get()
    assert "better 2" in text and "better 1 " not in text  # the one that is done makes room
    assert "1/9" in text and "75.0" in text and "+25.0" in text
    assert "and 7 more" in text and "1 of 20 prompts done" in text
    assert "prompt [red]1" in out.getvalue()  # no markup from prompts


def test_any_loop_is_shown_by_its_tasks():
    run = RunView("questions", clock=lambda: 0.0)
    run.see(RunStarted(run_id="rag-1", loop="rag", tasks=3))
    assert run.see(TaskDone(task="q1")) == ["1 of 3 questions"]
    assert run.see(TaskFailed(task="q2", why="too \x1blong")) == ["q2 failed: too  long"]
    assert run.see(TaskDone(task="q3")) == ["2 of 3 questions, 1 failed"] and run.begun


def test_baselines_are_announced_where_there_are_some():
    held = HeldOutDone(task="t", user=0.2, best=0.8, accepted=True)
    for more, announced in (({}, True), ({"baselines": False}, False)):
        shown = view(**more)
        shown.see(IterationDone(task="t", iteration=1, best="b", objective=0.8, stop=""))
        assert ("now the baselines" in shown.see(held)[0]) is announced
    assert "baselines" not in view().see(held)[0], "perfect at once: nothing was spent"


def test_lines_say_that_the_first_result_takes_the_longest():
    out = io.StringIO()
    with Lines(RunView("pictures"), out) as show:
        show(ModelsOpened(models={"clip": {"id": "mini-clip", "revision": "1"}}))
    assert "models: clip mini-clip" in out.getvalue() and "the first result takes the longest" in out.getvalue()


def test_what_is_logged_goes_to_the_standard_error_of_the_moment(monkeypatch):
    log_to_stderr(Settings.load())
    drawn = io.StringIO()
    monkeypatch.setattr("sys.stderr", drawn)  # as rich does while it draws
    logging.getLogger("inloop.runner").warning("SIGINT: stopping")
    assert drawn.getvalue() == "inloop.runner: SIGINT: stopping\n"
