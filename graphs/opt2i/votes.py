"""Votes of people on the pictures of a search: which pairs there are, which votes count, and what judge and people say together.

What is compared are prompts: the user's own and the best ones. What a person sees are two pictures of one seed. A vote counts where both of
its pictures stand in the search; one that was cast on this run and of whose pictures one is another one now is void, and told.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from typing import NamedTuple

from ...evaluators.preferences import (
    Agreement,
    Posterior,
    Preference,
    Reliability,
    Standing,
    agreement,
    fit,
    judge_preferences,
    next_pair,
    planned_pairs,
)
from ...runtime.records import BlobRef, Record
from ...runtime.store import Shown, Vote, standing
from .result import Opt2iTask, Trial

__all__ = ["SURE", "Ballot", "Pair", "VotesSaid", "ballot_of"]

SURE = 0.95
"""The probability of the best prompt to be the best at which nobody is asked any more."""
_MOST = 8  # prompts that are compared
_ANYONE = "anyone"
"""A rater who said nothing yet: of the prior, and no person's name, which all begin otherwise."""
_SHARE = {"left": 1.0, "right": 0.0, "tie": 0.5}


class Pair(NamedTuple):
    """Two pictures of one seed, as they are shown side by side, and the bits that an answer is expected to give about the best prompt."""

    left: Shown
    right: Shown
    bits: float


class VotesSaid(Record):
    """What judge and people say together of a search.

    `counted` votes of `people` count, `void` do not, since one of their pictures is another one now. `agreement`: by judge, how often it
    prefers the picture that a person prefers. `chosen`: the text that is most probably the best, with that `probability`; `sure`: it is
    at least `SURE`. `standings` are of trials, by their ids.
    """

    counted: int
    void: int
    people: tuple[str, ...]
    agreement: dict[str, Agreement]
    reliabilities: tuple[Reliability, ...]
    standings: tuple[Standing, ...]
    texts: dict[str, str]
    chosen: str
    probability: float
    sure: bool


class Ballot:
    """The prompts of a search that are compared, with the votes on them.

    `pictures`: of each trial that is compared, its pictures by seed. `votes` count, `void` do not.
    """

    def __init__(self, run: str, task: Opt2iTask, trials: Sequence[Trial], votes: Sequence[Vote]) -> None:
        self.run, self.task = run, task
        self.trials = {trial.id: trial for trial in trials}
        self.pictures = {trial.id: _pictures(task, trial) for trial in trials}
        self._of = {
            (image.sha256, seed): id for id, by_seed in self.pictures.items() for seed, image in by_seed.items()
        }
        everywhere = {shot.image.sha256 for trial in task.trials for shot in trial.images}
        everywhere |= {shot.image.sha256 for held in task.heldout.values() for shot in held.images}
        known = {picture for picture, _ in self._of}
        cast = [vote for vote in votes if vote.text == task.text]
        there = [vote for vote in cast if {vote.left.picture, vote.right.picture} <= everywhere]
        self.void = [vote for vote in cast if vote.run == run and vote.task == task.id and vote not in there]
        self.votes = [
            vote
            for vote in standing(there)
            if {vote.left.picture, vote.right.picture} <= known and self._trial(vote.left) != self._trial(vote.right)
        ]
        self._posterior: Posterior | None = None

    @property
    def people(self) -> tuple[str, ...]:
        """Who voted."""
        return tuple(dict.fromkeys(vote.who for vote in self.votes))

    @property
    def posterior(self) -> Posterior:
        """What judge and people say together."""
        if self._posterior is None:
            self._posterior = fit(list(self.trials), self._preferences(), raters=[*self._judges(), _ANYONE])
        return self._posterior

    def next(self, who: str) -> Pair | None:
        """The pair to ask `who` about; None where they saw all, or it is sure already, or there are no two prompts to compare."""
        if len(self.trials) < 2 or self.posterior.top[1] >= SURE:
            return None
        unseen = self._unseen(who)
        asked = next_pair(self.posterior, _person(who) if who in self.people else _ANYONE, pairs=list(unseen))
        return None if asked is None else self._shown((asked.first, asked.second), unseen, who, asked.bits)

    def plan(self, who: str, count: int) -> list[Pair]:
        """Up to `count` pairs for `who`, whose answers come back all at once, the most telling first."""
        if len(self.trials) < 2:
            return []
        unseen = self._unseen(who)
        plan = planned_pairs(list(self.trials), self._preferences(), _person(who), pairs=list(unseen), count=count)
        # once round where there are more seeds than that: the same prompts with other pictures
        more = itertools.islice(itertools.cycle(plan), count) if plan else iter(())
        shown: list[Pair] = []
        for pair in more:
            if unseen[pair]:
                shown.append(self._shown(pair, unseen, who, 0.0))
                unseen[pair].remove(shown[-1].left.seed)
        return shown

    def said(self) -> VotesSaid:
        """All of it in figures."""
        top, probability = self.posterior.top
        return VotesSaid(
            counted=len(self.votes),
            void=len(self.void),
            people=self.people,
            agreement={judge: self._agreement(judge) for judge in self._judges()},
            reliabilities=tuple(r for r in self.posterior.reliabilities() if r.rater != _ANYONE),
            standings=self.posterior.standings(),
            texts={id: trial.text for id, trial in self.trials.items()},
            chosen=self.trials[top].text,
            probability=probability,
            sure=probability >= SURE,
        )

    def _trial(self, shown: Shown) -> str:
        at = self._of.get((shown.picture, shown.seed))
        return at or next(id for (picture, _), id in self._of.items() if picture == shown.picture)

    def _judges(self) -> list[str]:
        return list(dict.fromkeys(name for trial in self.trials.values() for name in trial.scores))

    def _preferences(self) -> list[Preference]:
        told = [
            preference
            for judge in self._judges()
            for preference in judge_preferences(judge, {id: t.scores.get(judge) for id, t in self.trials.items()})
        ]
        return told + [
            Preference(self._trial(vote.left), self._trial(vote.right), _SHARE[vote.winner], _person(vote.who))
            for vote in self.votes
        ]

    def _agreement(self, judge: str) -> Agreement:
        """Over pictures: the judge's score of the very picture that a person saw."""
        scores = {
            shot.image.sha256: shot.scores[judge].value
            for trial in self.task.trials
            for shot in trial.images
            if judge in shot.scores
        }
        for held in self.task.heldout.values():
            scores |= {s.image.sha256: s.scores[judge].value for s in held.images if judge in s.scores}

        def side(vote: Vote) -> float | None:
            left, right = scores.get(vote.left.picture), scores.get(vote.right.picture)
            return None if left is None or right is None else 0.5 if left == right else float(left > right)

        return agreement(
            (frozenset((vote.left.picture, vote.right.picture)), _SHARE[vote.winner], side(vote)) for vote in self.votes
        )

    def _unseen(self, who: str) -> dict[tuple[str, str], list[int]]:
        """By pair of trials the seeds whose pictures `who` was not asked about; pictures that are equal are not asked about."""
        seen = {frozenset((vote.left.picture, vote.right.picture)) for vote in self.votes if vote.who == who}
        found = {}
        for pair in itertools.combinations(self.trials, 2):
            first, second = (self.pictures[id] for id in pair)
            seeds = [
                seed
                for seed in first
                if seed in second
                and first[seed].sha256 != second[seed].sha256
                and frozenset((first[seed].sha256, second[seed].sha256)) not in seen
            ]
            if seeds:
                found[pair] = seeds
        return found

    def _shown(self, pair: tuple[str, str], unseen: dict[tuple[str, str], list[int]], who: str, bits: float) -> Pair:
        """With the seed that was seen least, and sides that are as good as drawn but the same when it is asked again."""
        used = [vote.left.seed for vote in self.votes]
        seed = min(unseen[pair], key=lambda seed: (used.count(seed), seed))
        sides = [Shown(picture=self.pictures[id][seed].sha256, candidate=id, seed=seed) for id in pair]
        if hashlib.sha256(f"{who}|{pair}|{seed}".encode()).digest()[0] % 2:
            sides.reverse()
        return Pair(sides[0], sides[1], bits)


def ballot_of(run: str, task: Opt2iTask, votes: Sequence[Vote]) -> Ballot:
    """The user's prompt and the best ones, up to eight of different texts, with the votes on them; prompts that people voted on stay in."""
    voted = {
        shown.candidate
        for vote in votes
        if vote.run == run and vote.task == task.id
        for shown in (vote.left, vote.right)
    }
    scored = [trial for trial in task.trials if trial.images and trial.objective is not None]

    def rank(trial: Trial) -> tuple[bool, bool, bool, float]:
        return trial.iteration != 0, trial.id != task.best, trial.id not in voted, -(trial.objective or 0.0)

    ordered = {trial.text: trial for trial in sorted(scored, key=rank, reverse=True)}
    chosen = sorted(ordered.values(), key=rank)[:_MOST]
    return Ballot(run, task, chosen, votes)


def _pictures(task: Opt2iTask, trial: Trial) -> dict[int, BlobRef]:
    """Of the seeds that were optimised on and, where its text was checked, of the unseen ones."""
    shots = [
        *trial.images,
        *(shot for held in task.heldout.values() if held.text == trial.text for shot in held.images),
    ]
    return {shot.seed: shot.image for shot in shots}


def _person(who: str) -> str:
    return f"people: {who}"
