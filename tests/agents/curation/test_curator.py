"""The curator: replies as models write them, and those that cannot be used."""

import json

import pytest

from inloop.agents.curation import Curator
from inloop.runtime.errors import CallFailed
from inloop.runtime.fakes import ScriptedChat


async def test_a_name_is_the_first_line_of_a_reply_and_different_ones_are_kept():
    replies = ['"Dogs in snow."\nbecause they are dogs', "1. dogs in snow", "Name: **a red car**"]
    chat = ScriptedChat(replies)
    assert await Curator(chat).names(["a dog"], ["a cat"]) == ["Dogs in snow", "a red car"]
    assert "> a dog" in chat.asked[0][-1].content and "> a cat" in chat.asked[0][-1].content


async def test_what_is_no_name_is_left_out():
    long = "The pictures of the first group show many things that the others do not show at all"
    assert await Curator(ScriptedChat([long, "", "\n"])).names(["a"], ["b"]) == []


async def test_attributes_have_two_groups_and_queries_one_line():
    attributes = {
        "attributes": [
            {"attribute": "who", "groups": ["a man; old", "a woman", "a woman"]},
            {"attribute": "x", "groups": ["a", "a"]},
        ]
    }
    [found] = await Curator(ScriptedChat([json.dumps(attributes)])).attributes(["a man"])
    assert (found.attribute, found.groups) == ("who", ("a man, old", "a woman"))
    gaps = {
        "gaps": [
            {"missing": "boats", "why": "there is a harbour", "query": "a boat; a ship"},
            {"missing": "again", "why": "", "query": "A boat, a ship"},
        ]
    }
    chat = ScriptedChat(["```json\n" + json.dumps(gaps) + "\n```"])
    [gap] = await Curator(chat).gaps({"a harbour": 12}, {"by night": 0.25}, ["a harbour"])
    assert (gap.what, gap.query) == ("boats", "a boat, a ship")
    assert "- a harbour: 12" in chat.asked[0][-1].content and "- by night: 25%" in chat.asked[0][-1].content


async def test_a_reply_without_the_form_is_a_failed_call():
    with pytest.raises(CallFailed, match="no JSON"):
        await Curator(ScriptedChat(["boats are missing"])).gaps({}, {}, [])
