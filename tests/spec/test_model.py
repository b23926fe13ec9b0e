"""Does the protocol hold in the model, and does the model notice when a rule is broken?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.spec.tables import Mutant, Run, mutants, runs
from tests.spec.tlc import MODELS, configuration, read, why_not

if TYPE_CHECKING:
    from tests.spec.conftest import Check

QUICK = runs("What holds: quick")
LARGE = runs("What holds: large")
MUTANTS = mutants("What each rule is for")
LARGE_MUTANTS = mutants("What each rule is for: large")
SURVIVORS = mutants("Rules that can be broken unnoticed")
ALL_MUTANTS = MUTANTS + LARGE_MUTANTS + SURVIVORS

needs_tlc = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


def name_of(case: Run | Mutant) -> str:
    return case.config if isinstance(case, Run) else case.broken


@needs_tlc
@pytest.mark.slow
@pytest.mark.parametrize("case", QUICK, ids=name_of)
def test_the_protocol_holds(case: Run, tlc: Check) -> None:
    verdict = tlc(case)

    assert verdict.violated is None, verdict.output[-3000:]
    assert verdict.states == case.states


@needs_tlc
@pytest.mark.exhaustive
@pytest.mark.parametrize("case", LARGE, ids=name_of)
def test_the_protocol_holds_in_larger_bounds(case: Run, tlc: Check) -> None:
    verdict = tlc(case)

    assert verdict.violated is None, verdict.output[-3000:]
    assert verdict.states == case.states


@needs_tlc
@pytest.mark.slow
@pytest.mark.parametrize("case", MUTANTS, ids=name_of)
def test_a_broken_rule_is_noticed(case: Mutant, tlc: Check) -> None:
    verdict = tlc(case)

    assert verdict.violated == case.violated, verdict.output[-3000:]
    assert verdict.trace == case.trace


@needs_tlc
@pytest.mark.exhaustive
@pytest.mark.parametrize("case", LARGE_MUTANTS, ids=name_of)
def test_a_broken_rule_is_noticed_in_larger_bounds(case: Mutant, tlc: Check) -> None:
    verdict = tlc(case)

    assert verdict.violated == case.violated, verdict.output[-3000:]
    assert verdict.trace == case.trace


@needs_tlc
@pytest.mark.exhaustive
@pytest.mark.parametrize("case", SURVIVORS, ids=name_of)
def test_what_survives_is_still_not_noticed(case: Mutant, tlc: Check) -> None:
    assert tlc(case).violated is None


# ----------------------------------------------------------------- what needs neither Java nor TLC


def test_every_broken_rule_of_the_models_is_in_a_table() -> None:
    listed = {(mutant.module, mutant.broken) for mutant in ALL_MUTANTS} - {
        (mutant.module, "none") for mutant in MUTANTS
    }
    text = {path.stem: path.read_text(encoding="utf-8") for path in MODELS.glob("*.tla")}
    in_models = {
        (module, name)
        for module, source in text.items()
        for pattern in (r'B\("([a-z-]+)"\)', r'"([a-z]+-running)"')
        for name in re.findall(pattern, source)
    }

    assert in_models == listed


def test_every_configuration_is_in_a_table() -> None:
    assert {path.stem for path in MODELS.glob("*.cfg")} == {run.config for run in QUICK + LARGE}


def test_every_broken_rule_says_what_it_violates() -> None:
    noticed = MUTANTS + LARGE_MUTANTS
    assert [mutant for mutant in noticed if mutant.violated is None or mutant.trace < 2] == []
    assert [mutant for mutant in SURVIVORS if mutant.violated is not None] == []


@pytest.mark.parametrize("mutant", ALL_MUTANTS, ids=name_of)
def test_a_mutant_changes_its_configuration(mutant: Mutant) -> None:
    checked = configuration(mutant.config, mutant.constants)

    assert checked != configuration(mutant.config, {})
    assert mutant.violated is None or f"\n {mutant.violated}\n" in f"{checked}\n"


def test_an_unknown_constant_is_refused() -> None:
    with pytest.raises(ValueError, match="has no Breaks"):
        configuration(QUICK[0].config, {"Breaks": '"one"'})


@pytest.mark.parametrize("output", ["", "Error: Parsing failed.", "Error: Java ran out of memory."])
def test_no_verdict_is_an_error(output: str) -> None:
    with pytest.raises(ValueError, match="did not come to a verdict"):
        read(output, 1.0)
