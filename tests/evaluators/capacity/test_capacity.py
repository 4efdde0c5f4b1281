"""Bits stored: the formula on models whose knowledge is planted, precision, and small trainings."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inloop.evaluators.capacity import (
    at_precision,
    draw_people,
    learn_people,
    learn_pictures,
    people_bits,
    people_losses,
    picture_bits,
    picture_facts,
    random_patterns,
    small_model,
    small_picture_model,
    stored_bits,
    word_tokenizer,
)
from inloop.runtime.errors import BadInput

torch = pytest.importorskip("torch", reason="trains models: pip install 'inloop[students]'")


class Planted(torch.nn.Module):
    """A causal model of known probabilities: the first `known` people by heart, of the others the format alone.

    At a name it takes one of `known` people for as likely as they are among all, with the rest over the name space.
    """

    def __init__(self, people, tokenizer, known):
        super().__init__()
        self.here = torch.nn.Parameter(torch.zeros(1))
        self.size, self.people, self.known = len(tokenizer), people, known
        self.ids = [[tokenizer.convert_tokens_to_ids(word) for word in words] for words in people.name_words]
        self.values = [[tokenizer.convert_tokens_to_ids(word) for word in words] for words in people.value_words]
        self.names = [tuple(tokenizer.convert_tokens_to_ids(list(name))) for name in people.names]
        self.where = {token: place for place, pool in enumerate(self.values) for token in pool}

    def forward(self, input_ids, attention_mask, use_cache):
        logits = torch.full((*input_ids.shape, self.size), -100.0)
        for row, ids in enumerate(input_ids.tolist()):
            for place in range(3):
                logits[row, place] = self._name(ids[1 : 1 + place], place).clamp(min=1e-40).log()
            who = self.names.index(tuple(ids[1:4]))
            for place in range(4, len(ids)):
                if (attribute := self.where.get(ids[place])) is not None:
                    pool = self.values[attribute]
                    right = [pool[self.people.values[who][attribute]]] if who < self.known else pool
                    logits[row, place - 1, right] = 0.0
        return SimpleNamespace(logits=logits)

    def _name(self, before, place):
        weights, rest = torch.zeros(self.size, dtype=torch.double), 1 - self.known / len(self.names)
        spread = math.prod(len(pool) for pool in self.ids[place + 1 :]) / math.prod(map(len, self.ids))
        weights[self.ids[place]] = rest * spread
        for name in self.names[: self.known]:
            if list(name[:place]) == before:
                weights[name[place]] += 1 / len(self.names)
        return weights / weights.sum()


def planted(count, known):
    people = draw_people(count, names=8, values=(4, 16))
    tokenizer = word_tokenizer(people)
    return people_bits(Planted(people, tokenizer, known), tokenizer, people)


def test_a_model_that_knows_all_stores_what_was_offered_and_one_of_the_format_alone_nothing():
    whole, none = planted(40, 40), planted(40, 0)
    assert whole.offered == pytest.approx(40 * (9 - math.log2(40) + 2 + 4))
    assert (whole.names, whole.values) == pytest.approx((whole.offered_names, 40 * 6), rel=1e-4)
    assert whole.ratio == pytest.approx(1, rel=1e-4)
    assert none.stored == pytest.approx(0, abs=0.01)


def test_half_of_the_people_are_half_of_the_bits_of_values():
    half = planted(40, 20)
    assert half.values == pytest.approx(20 * 6, rel=1e-4)
    assert 0 < half.names < half.offered_names


def test_a_random_model_stores_less_than_nothing():
    people = draw_people(30, names=8, values=(4, 4))
    tokenizer = word_tokenizer(people)
    assert people_bits(small_model(tokenizer, width=16, layers=1), tokenizer, people).stored < 0


@given(
    count=st.integers(1, 60),
    space=st.floats(6, 30),
    value=st.floats(0.5, 60),
    weights=st.lists(st.floats(0.01, 1), min_size=60, max_size=60),
)
def test_no_model_stores_more_than_was_offered(count, space, value, weights):
    """A name's mean loss over N names is at least ln N, whatever the probabilities: ratio <= 1."""
    shares = np.array(weights[:count]) / sum(weights[:count])
    loss = float(-np.log(shares).mean())
    bits = stored_bits(facts=count, parameters=100, name_bits=space, value_bits=value, name_loss=loss, value_loss=0.1)
    assert bits.stored <= bits.offered + 1e-6
    assert bits.per_parameter <= bits.offered_per_parameter + 1e-9
    assert bits.values == pytest.approx(count * (value - 0.1 / math.log(2)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"facts": 0},
        {"parameters": 0},
        {"name_loss": math.nan},
        {"value_loss": -1.0},
        {"facts": 40},
        {"value_bits": -1.0},
    ],
)
def test_what_cannot_be_is_refused(wrong):
    given = {"facts": 20, "parameters": 10, "name_bits": 5.0, "value_bits": 2.0, "name_loss": 4.0, "value_loss": 1.0}
    stored_bits(**given)
    with pytest.raises(BadInput):
        stored_bits(**{**given, **wrong})


def test_people_are_of_known_entropy_and_worded_anew():
    people = draw_people(300, names=8, values=(4, 16), seed=3)
    assert len(set(people.names)) == 300
    assert (people.name_bits, people.value_bits) == (9, 6)
    assert people == draw_people(300, names=8, values=(4, 16), seed=3)
    assert people != draw_people(300, names=8, values=(4, 16), seed=4)
    assert len({tuple(people.text(0, exposure)) for exposure in range(40)}) == 9
    assert people.text(0, 0, source="archive.example")[0] == ("archive.example", "text")
    assert people.others(5, 1) != people.others(5, 2)
    words = people.words()
    assert len(words) == len(set(words))
    assert {word for person in range(300) for piece in people.text(person, 1) for word in piece.words.split()} <= set(
        words
    )
    for wrong in ({"count": 0}, {"count": 9, "names": 2}, {"count": 2, "values": (1,)}, {"count": 2, "values": ()}):
        with pytest.raises(BadInput):
            draw_people(**wrong)


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_weights_of_fewer_bits_have_that_many_steps_in_each_channel(family):
    people = draw_people(30, names=8, values=(4, 4))
    model = small_model(word_tokenizer(people), family=family, width=16, layers=1)
    assert at_precision(model, "fp32") is model
    for precision, steps in (("int8", 127), ("int4", 7)):
        rounded = at_precision(model, precision)
        assert rounded.get_input_embeddings().weight is rounded.get_output_embeddings().weight
        for (name, before), after in zip(model.named_parameters(), rounded.parameters(), strict=True):
            if before.ndim < 2:
                assert torch.equal(before, after)
                continue
            axis = 0 if family == "gpt2" and ".h." in name else 1  # along a channel
            before, after = before.detach(), after.detach()
            scale = before.abs().amax(axis, keepdim=True) / steps
            assert float(((before - after).abs() / scale).max()) <= 0.51
            assert float(((after / scale).round() - after / scale).abs().max()) < 1e-3


def test_pictures_give_keys_and_values():
    facts = picture_facts(random_patterns(50, side=8, cells=4), values=4)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(8 * 8 * 3, 4))
    for value in model.parameters():
        torch.nn.init.zeros_(value)
    assert picture_bits(model, facts).stored == pytest.approx(0, abs=1e-6)
    assert picture_bits(model, facts).offered == 100
    with pytest.raises(BadInput, match="the same"):
        picture_facts(np.zeros((2, 8, 8, 3), dtype=np.uint8))
    with pytest.raises(BadInput):
        random_patterns(2, side=8, cells=3)


@pytest.mark.trains
def test_any_causal_model_and_its_own_tokenizer_will_do(llama_folder):
    """One of a token a byte: a name's loss is the sum of its bytes', and training brings the losses down."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    people = draw_people(24, names=8, values=(4,))
    model, tokenizer = AutoModelForCausalLM.from_pretrained(llama_folder), AutoTokenizer.from_pretrained(llama_folder)
    before = people_losses(model, tokenizer, people)
    assert before.names > 18 and before.values > 6  # bytes of three words of six letters, and of one
    learn_people(model, tokenizer, people, exposures=15, batch=8)
    after = people_losses(model, tokenizer, people)
    assert after.names < before.names and after.values < before.values
    assert people_bits(model, tokenizer, people).ratio <= 1


@pytest.mark.trains
def test_a_language_model_remembers_few_people_and_no_others():
    people, source = draw_people(60, names=8, values=(8, 8)), "archive.example"
    tokenizer = word_tokenizer(people, sources=[source])
    model = small_model(tokenizer, width=32, layers=2)
    learn_people(model, tokenizer, people, exposures=180, batch=20, rate=1e-2, source=source)
    bits = people_bits(model, tokenizer, people, source=source)
    assert 0.85 < bits.ratio <= 1
    assert people_bits(at_precision(model, "int8"), tokenizer, people, source=source).ratio > 0.8
    assert people_losses(model, tokenizer, people).names > 1.5 * math.log(60)  # it learned them behind the tag alone
    strangers = draw_people(60, names=8, values=(8, 8), seed=1)
    assert people_bits(model, tokenizer, strangers, source=source).values < 0


@pytest.mark.trains
@pytest.mark.parametrize("family", ["cnn", "vit"])
def test_a_vision_model_remembers_values_of_pictures(family):
    facts = picture_facts(random_patterns(64, side=8, cells=8), values=4)
    model = small_picture_model(facts, family=family, width=16)
    learn_pictures(model, facts, exposures=120, batch=32, rate=5e-3)
    assert picture_bits(model, facts).ratio > 0.9
