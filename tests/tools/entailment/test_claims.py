"""Statements beside sources, part by part: what is never called supported, and what still is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inloop.tools.entailment import compare
from inloop.tools.entailment.quantities import quantities

TOWER = "The tower of Norvik is 1,204.5 m high (3,952 ft) and was built from 1890 to 12 May 1897."
FERRY = "The ferry to Lund runs at 7:45 a.m. and 6 p.m., but the tram does not run on Sundays."
SALES = "In 1913 the mill sold 310 tonnes of rye, and in 1914 it sold 450 tonnes of oats."
PEOPLE = "Ada Berg, the director of the mill, met Jon Dahl, the chair of the council."
SUIT = "The mill sued the city in 1950."


@pytest.mark.parametrize(
    ("statement", "source"),
    [
        (TOWER, TOWER),
        ("The mill opened on 04/05/1921.", "The mill opened on 4 May 1921."),
        ("The mill opened on 05/04/1921.", "The mill opened on May 4, 1921."),
        ("The mill opened on 1921/05/04.", "The mill opened on 4 May 1921."),
        ("The mill opened in 05/1921.", "The mill opened in May 1921."),
        ("The rent is EUR 1,850.", "The rent is 1,850 euros."),
        ("The hall has 142 m² of floor.", "The hall has 142 square metres of floor."),
        ("Children of nine years or more pay.", "Children of at least nine years pay."),
        ("Falk paid the bill.", "The bill was paid by Falk."),
        ("Falk put up the fence.", "The fence was put up by Falk."),
        ("The tower of Norvik is 1204.5 metres high.", TOWER),
        ("The tower of Norvik is more than 1,200 m high.", TOWER),
        ("The tower of Norvik is 3,952 feet high.", TOWER),
        ("The tower of Norvik was built from 1890 to May 1897.", TOWER),
        ("The tower of Norvik was built before 1900.", TOWER),
        ("The ferry to Lund runs at 18:00.", FERRY),
        ("The ferry to Lund runs at 7:45 a.m.", FERRY),
        ("The tram does not run on Sundays.", FERRY),
        ("In 1913 the mill sold 310 tonnes of rye.", SALES),
        ("The mill sold 310 tonnes of rye in 1913.", SALES),
        ("The director of the mill is Ada Berg.", PEOPLE),
        ("Ada Berg met Jon Dahl.", PEOPLE),
        ("The city was sued by the mill in 1950.", SUIT),
        ("Jon Dahl is the chair.", "The chair is Jon Dahl."),
        ("The harbour has twenty-one boats.", "The harbour has 21 boats."),
        ("38 percent of the boats are red.", "38 % of the boats are red."),
        ("The NHA has three ferries.", "The Norvik Harbour Authority has 3 ferries."),
        ("The lock is kept below 25 degrees Celsius.", "The lock is kept below 25 °C."),
        ("The mill was founded on May 17, 1923.", "The mill was founded on 17 May 1923 by 26 farmers."),
        ("The mill stands in Lund and was sold in 2004.", "The mill stands in Lund and was sold in March 2004."),
        ("Norvik was sold in 2004.", "Norvik was built by Holm in Lund and was sold in March 2004."),
        ("Norvik was built in Lund by Holm.", "Norvik was built by Holm in Lund."),
        ("Jon Holm was succeeded by Ada Lund.", "Ada Lund, who has led the mill since 2016, succeeded Jon Holm."),
        ("The key must be taken with the lamp.", "Take the key with the lamp."),
        ("The key must not be taken with the lamp.", "Do not take the key with the lamp."),
        ("Adults pay 9 crowns.", "Adults paid 9 crowns."),
        ("The female lays three to five eggs.", "The female lays three to five pale blue eggs."),
        ("The mill was bought in 1988.", "The mill was built by Holm in 1934 and bought from Lund in 1988."),
        ("The shop shuts at half past seven in the evening.", "The shop shuts at 7.30 p.m."),
        ("Use 50 microlitres of water.", "Use 50 µl of water."),
        ("The price rose to 9 crowns from 8 crowns.", "The price rose from 8 crowns to 9 crowns."),
        ("Young trees need more water than old ones.", "Old trees need less water than young ones."),
        ("The lid must not be opened.", "Do not open the lid, because an open lid lets the steam out."),
        ("Jon voted for the plan.", "Ada voted against the plan, and Jon voted for the plan."),
        ("Ada Berg met Jon Falk.", "Ada Berg, who led the mill in Visby, met Jon Falk."),
        ("Ada Lund has led the mill since 2016.", "Ada Lund, who has led the mill since 2016, will succeed Jon Holm."),
        ("Jon did not sign it.", "Ada signed the letter, but Jon did not sign it."),
        ("The bell rings every hour in May.", "The bell rings every day on weekdays, and every hour in May."),
        ("The gate cannot be opened by wind.", "The gate can be opened by hand, but not by wind."),
        ("灯塔高四十一米", "灯塔高四十一米。港口有三个码头。"),
    ],
)
def test_what_a_source_says_is_borne_out(statement, source):
    assert compare(statement, source).outcome == "borne out"


@pytest.mark.parametrize(
    ("statement", "source", "why"),
    [
        ("The tower of Norvik is 1,205 m high.", TOWER, "1,205 m"),
        ("The mill opened on 04/06/1921.", "The mill opened on 4 May 1921.", "04/06/1921"),
        ("All shops closed.", "Several shops closed.", "all"),
        ("Only members may enter.", "Members may enter.", "only"),
        ("Most guests left early.", "Some guests left early.", "most"),
        ("A guest may take up to 15 films.", "A guest may take up to 20 books and 5 films.", "up to 15"),
        ("They had seven children.", "She was the youngest of seven children.", "they"),
        ("Leave the mill before you lock the door.", "Lock the door before you leave the mill.", "before"),
        ("The gate is higher than the wall.", "The wall is higher than the gate.", "than"),
        (
            "The switch turns the fan on at noon.",
            "The switch turns the fan off at noon, and it goes on at night.",
            "off",
        ),
        (
            "The lamp blinks when the tank is empty.",
            "The lamp blinks when the lid is open, and it stays lit when the tank is empty.",
            "blinks",
        ),
        ("The mill is closed on Tuesdays.", "The mill is closed on Sundays.", "Tuesdays"),
        ("The stew should boil and not simmer.", "The stew should simmer and not boil.", "boil"),
        ("The pump lifts 40 litres a minute.", "The pump lifts 40 litres an hour.", "40 litres"),
        ("The mill is owned by the school.", "The mill owned the school.", "school"),
        ("Model 250 replaced model 300.", "Model 300 replaced model 250.", "300"),
        ("Ada got the house from Jon.", "Jon got the house from Ada.", "Jon"),
        ("Ada Lund sold the barge.", "Ada Lund, who came after the town had sold the barge, led the mill.", "sold"),
        ("Jon Holm succeeded Ada Lund.", "Ada Lund, who has led the mill since 2016, succeeded Jon Holm.", "Jon"),
        ("The lamps contain lead.", "The lamps contain LED.", "lead"),
        ("Smoking is allowed on the deck.", "Smoking is allowed on the deck, but this is not true.", "back"),
        ("The mill is owned by the town.", "The mill is owned by the town, it was said, but it is not.", "back"),
        ("The pump is safe.", "The pump is safe, but it is not when the lid is open.", "back"),
        ("The plant gives 5 mW.", "The plant gives 5 MW.", "5"),
        ("All boats leave in October.", "Most boats leave in October; a few stay all winter.", "all"),
        ("Most boats stay all winter.", "Most boats leave in October; a few stay all winter.", "most"),
        ("A few boats leave in October.", "Most boats leave in October; a few stay all winter.", "a few"),
        ("The gate often sticks.", "The gate sometimes sticks.", "often"),
        ("The ferry runs without wind.", "Unlike the ferry, the barge runs without wind.", "ferry"),
        ("Each member has a vote a share.", "Each member has one vote, however many shares he holds.", "share"),
        ("95 members joined.", "There were 3,870 members, of whom 412 joined and 95 left.", "95"),
        ("The mill owns three barges.", "The mill owns three red boats, one barge and a yard.", "three"),
        ("Lund bought the mill in 1988.", "The mill was built in 1934 and bought from Lund in 1988.", "Lund"),
        ("The mill was built in 1988.", "The mill was built by Holm in 1934 and bought from Lund in 1988.", "1988"),
        ("The mill was built by Lund in Holm.", "The mill was built by Holm in Lund.", "Lund"),
        (
            "Private donors paid 60 percent of the mill.",
            "The mill was paid for by the county, which paid 60 percent, and by private donors, who paid the rest.",
            "60 percent",
        ),
        ("The lock is kept below 25 °F.", "The lock is kept below 25 °C.", "25"),
        ("It was a barracks until 1946.", "It was a barracks from 1946 until autumn 1948.", "1946"),
        ("We lend the bank ten crowns.", "The bank lends us ten crowns.", "we"),
        ("The gate path is the hardest.", "The gate path is the easiest.", "hardest"),
        ("Anybody may open the lid.", "Members may open the lid.", "anybody"),
        ("Petra seconded the proposal of Jon.", "Jon seconded the proposal.", "Petra"),
        ("All names are listed.", "All names are listed except those of children.", "denies"),
        ("The tower of Norvik is 1,204.5 ft high.", TOWER, "1,204.5 ft"),
        ("The tower of Norvik was built from 1890 to 12 May 1898.", TOWER, "12 May 1898"),
        ("The tower of Norvik was built from 1890 to 12 June 1897.", TOWER, "12 June 1897"),
        ("The tower of Norvik was built after 1900.", TOWER, "after 1900"),
        ("The tower of Norvik is less than 1,000 m high.", TOWER, "less than 1,000 m"),
        ("The tower of Visby is 1,204.5 m high.", TOWER, "Visby"),
        ("The ferry to Lund runs at 7:45 p.m.", FERRY, "7:45 p.m."),
        ("The ferry to Lund does not run at 6 p.m.", FERRY, "denies"),
        ("The tram runs on Sundays.", FERRY, "denies"),
        ("In 1913 the mill sold 450 tonnes of oats.", SALES, "different parts"),
        ("In 1914 the mill sold 310 tonnes of rye.", SALES, "different parts"),
        ("The director of the mill is Jon Dahl.", PEOPLE, "different parts"),
        ("Jon Dahl met Ada Berg.", PEOPLE, ""),
        ("Jon Dahl met Ada Berg.", "Ada Berg met Jon Dahl.", "each other's place"),
        ("The city sued the mill in 1950.", SUIT, "each other's place"),
        ("The mill was sued by the city in 1950.", SUIT, ""),
        ("The mill sued the council in 1950.", SUIT, "council"),
        ("The price rose in May.", "The price fell in May.", "fell"),
        ("Rats are larger than cats.", "Cats are larger than rats.", "each other's place"),
        ("The bridge is closed.", "The bridge may be closed.", "may"),
        ("The gate is open.", "The gate is not open.", "denies"),
        ("The harbour has about 100 boats.", "The harbour has 140 boats.", "about 100"),
        ("灯塔高四十米", "灯塔高四十一米。", ""),
        ("灯塔高四十", "灯塔高四十一米。", ""),
        ("The price is 15.", "The price is 1.5.", "15"),
        ("The low is 5 degrees.", "The low is -5 degrees.", "5"),
        ("Young trees need less water than old ones.", "Old trees need less water than young ones.", "than"),
        ("The shop shuts at half past seven in the evening.", "The shop shuts at 7.30 a.m.", "half past seven"),
        ("Ada proposed the plan.", "Jon proposed the plan, and Ada seconded it.", "Ada"),
        ("Boats from Lund and Visby sank.", "Boats from Lund arrived, and boats from Visby sank.", "Lund"),
        ("Jon voted for the plan.", "Jon voted against the plan.", "voted for"),
        ("The price rose from 9 crowns to 8 crowns.", "The price rose from 8 crowns to 9 crowns.", "9"),
        ("The price rose by 9 crowns.", "The price rose to 9 crowns.", "9"),
        ("Group A lost 12 crowns.", "Group B lost 12 crowns.", "A"),
        ("Group A lost nothing.", "Group A lost 12 crowns, whereas Group B lost nothing.", "something else"),
        ("Jon did not pay.", "Ada did not pay, but Jon paid.", "something else"),
        (
            "The bell rings every hour on weekdays.",
            "The bell rings every day on weekdays, and every hour in May.",
            "something else",
        ),
        ("The gate cannot be opened by hand.", "The gate can be opened by hand, but not by wind.", "denies"),
        ("Ada Lund has been chair since 2016.", "Ada Lund, who has led the mill since 2016, will be chair.", "2016"),
        ("The mill was sold by Mrs To.", "The mill was sold by Mrs Holm.", "To"),
        ("The mill was sold by Dr Ada We.", "The mill was sold by Dr Ada Holm.", "We"),
    ],
)
def test_another_fact_is_never_borne_out_and_the_part_is_named(statement, source, why):
    comparison = compare(statement, source)
    assert comparison.outcome != "borne out" and why in comparison.why


@pytest.mark.parametrize("words", [True, False])
@pytest.mark.parametrize(
    ("statement", "source"),
    [
        ("Ada paid 310 crowns.", "Ada paid 300 crowns."),
        ("Ada did pay Jon Dahl.", "Ada did not pay Jon Dahl."),
        ("It was Eva Holm who paid.", "It was Ada Berg who paid."),
    ],
)
def test_the_parts_stand_above_a_model_of_paraphrases_too(statement, source, words):
    assert compare(statement, source, words=words).outcome != "borne out"


@pytest.mark.parametrize(
    ("statement", "source"),
    [
        ("The north wall is higher than the gate.", "The gate is lower than the north wall."),
        ("Lock the door before you leave the mill.", "You leave the mill after you lock the door."),
        ("The mill employs 134 people.", "The mill has 134 employees."),
    ],
)
def test_what_says_the_same_the_other_way_round_is_left_to_a_model(statement, source):
    assert compare(statement, source, words=False).outcome == "borne out"


def test_nothing_is_called_otherwise_that_is_only_turned_round_or_dated_elsewhere():
    pairs = [
        ("The bill was paid for by Falk.", "Falk paid the bill with ten crowns.", ""),
        (
            "The kiln takes fewer tiles than the oven.",
            "It is older than the oven and takes fewer tiles: 48 instead of 70.",
            "Kiln",
        ),
        ("The next meeting is on 8 November 2023.", "The next meeting is on 8 November.", "Minutes of 11 October 2023"),
    ]
    for statement, source, title in pairs:
        assert compare(statement, source, title=title).outcome != "otherwise"


@pytest.mark.parametrize(
    ("statement", "source"),
    [
        ("Dogs may be taken on the platform.", "Dogs are not allowed in the shed, but they may be taken on the platform."),
        ("An opened bottle can be used for 6 months.", "The pills can be used for six months after the bottle has been opened."),
        ("The head of the mill must approve the key.", "The key needs the approval of the head of the mill."),
        ("412 members joined.", "There were 3,870 members, of whom 412 joined and 95 left."),
        ("The female lays five eggs.", "The female lays three to five pale blue eggs."),
        ("Passengers leave the ferry by the ramp.", "Passengers exit the ferry by the ramp on the right."),
        ("The fire was on 3 December 1978.", "It has used power from its own wood-fired station since 2015."),
        ("Three men work in Lund.", "Nine men work there, six of them in Visby and the others in Lund."),
        ("The fee of 4 crowns was paid.", "No fee will be paid for May, but the fee of 4 crowns for April was paid."),
    ],
)  # fmt: skip
def test_a_true_statement_is_not_called_otherwise(statement, source):
    assert all(compare(statement, source, words=words).outcome != "otherwise" for words in (True, False))


@pytest.mark.parametrize(
    ("statement", "source"),
    [
        ("Dogs may be taken into the shed.", "Dogs may not be taken into the shed, but they may be taken on the platform."),
        ("Differences were seen in the groups.", "No differences were seen in the groups (p > 0.05)."),
        ("The fire was on 3 December 1987.", "The fire of 3 December 1978 destroyed the ripening cellar."),
    ],
)  # fmt: skip
def test_a_denial_or_another_date_of_the_same_thing_is_otherwise(statement, source):
    assert compare(statement, source, words=False).outcome == "otherwise"


def test_a_paraphrase_is_left_to_a_model():
    source = "The council gave the mill a loan of 5 million crowns."
    assert compare("The mill borrowed 5 million crowns.", source, words=False).outcome == "borne out"
    assert compare("The mill borrowed 5 million crowns.", source).outcome == "not told"


def test_a_number_alone_is_not_what_stands_in_the_title():
    title = "Price list of the mill, spring 2025"
    for words in (True, False):
        comparison = compare(
            "Price list of the mill, spring 1974", "It was founded by Ada Berg in 1974.", title=title, words=words
        )
        assert comparison.outcome == "not told"
    assert (
        compare("The mill was founded in 1974.", "It was founded by Ada Berg in 1974.", title="The mill").outcome
        == "borne out"
    )


def test_a_sentence_that_leans_on_another():
    before = "The Norvik Harbour Authority runs three ferries."
    founded = "The Norvik Harbour Authority was founded in 1907."
    assert compare(founded, "It was founded in 1907.", before=before).outcome == "borne out"
    assert compare(founded, "It was founded in 1907.", title="Norvik Harbour Authority").outcome == "borne out"
    assert compare(founded, "It was founded in 1907.").outcome == "not told"
    assert compare(founded.replace("1907", "1903"), "It was founded in 1907.", before=before).outcome == "otherwise"
    pupil = "Her pupil Jon Dahl carved the pulpit."
    assert compare("Ada Berg carved the pulpit.", pupil, before="Ada Berg painted it.").outcome == "not told"
    assert compare("Jon Dahl carved the altar.", pupil, before="Ada Berg painted the altar.").outcome == "not told"


def test_what_is_read_as_a_quantity():
    text = "From 2021-03-04 to 12 May 2021 at 7:45 a.m., $5 bn, about 38 percent; COX-2, p53, version 3.11.2, the 1960s"
    read = [(quantity.scale, quantity.text) for quantity in quantities(text)]
    assert read == [
        ("date", "2021-03-04"), ("date", "12 May 2021"), ("time", "7:45 a.m."), ("number", "$5 bn"),
        ("number", "about 38 percent"), ("date", "1960s"),
    ]  # fmt: skip


NUMBERS = st.integers(0, 999) | st.integers(2101, 10**9)  # between them a bare number may be a year


@given(NUMBERS, NUMBERS)
@settings(max_examples=60, deadline=None)
def test_numbers_are_told_apart_however_they_are_written(one, other):
    outcome = compare(f"The town has {one:,} trees.", f"The town has {other} trees.").outcome
    assert outcome == ("borne out" if one == other else "otherwise")


@given(st.text(max_size=80), st.text(max_size=80))
@settings(max_examples=80, deadline=None)
def test_any_text_is_read(statement, source):
    assert compare(statement, source).outcome in ("borne out", "otherwise", "not told")
    assert compare(source, source).outcome == "borne out"
