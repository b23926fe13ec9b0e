"""Are expressions read and evaluated as DynamoDB does?"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.local.dynamo.plans import bind
from kcl_py.local.dynamo.values import canonical_number, clean, item_size, sort_form
from tests.local.worlds import refused

NUMBERS = st.decimals(
    allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=6
)
ITEM: dict[str, Any] = {
    "id": {"S": "a"},
    "n": {"N": "5"},
    "s": {"S": "hello"},
    "flag": {"BOOL": True},
    "tags": {"SS": ["x", "y"]},
    "doc": {"M": {"list": {"L": [{"N": "1"}, {"S": "two"}]}, "deep": {"M": {"n": {"N": "7"}}}}},
}
VALUES: dict[str, Any] = {
    ":five": {"N": "5.00"},
    ":six": {"N": "6"},
    ":he": {"S": "he"},
    ":hello": {"S": "hello"},
    ":x": {"S": "x"},
    ":two": {"S": "two"},
    ":yes": {"BOOL": True},
    ":type": {"S": "SS"},
}


def holds(condition: str, item: dict[str, Any] | None = None, names: Any = None) -> bool:
    used = {name: value for name, value in VALUES.items() if f"{name} " in f"{condition} "}
    used |= {name: VALUES[name] for name in VALUES if f"{name})" in condition}
    used |= {name: VALUES[name] for name in VALUES if f"{name}," in condition}
    request: dict[str, Any] = {"ConditionExpression": condition}
    if used:
        request["ExpressionAttributeValues"] = used
    if names:
        request["ExpressionAttributeNames"] = names
    bound = bind(request)
    assert bound.plan.condition is not None
    return bound.plan.condition(ITEM if item is None else item, bound.names, bound.values)


def updated(item: dict[str, Any], expression: str, **values: Any) -> dict[str, Any]:
    request: dict[str, Any] = {"UpdateExpression": expression}
    if values:
        request["ExpressionAttributeValues"] = {f":{k}": v for k, v in values.items()}
    bound = bind(request)
    assert bound.plan.update is not None
    return bound.plan.update.apply(
        item, bound.plan.update.places(bound.names), bound.names, bound.values
    )


@pytest.mark.parametrize(
    "condition",
    [
        "n = :five",
        "n <> :six",
        "n < :six AND n <= :five AND :six > n AND n >= :five",
        "n BETWEEN :five AND :six",
        "n IN (:six, :five)",
        "begins_with(s, :he)",
        "contains(s, :he) and contains(tags, :x)",
        "contains(doc.#l, :two)",
        "doc.#l[1] = :two",
        "attribute_exists(doc.deep.n) AND attribute_not_exists(doc.deep.m)",
        "attribute_type(tags, :type)",
        "size(s) = :five",
        "flag = :yes",
        "NOT n = :six",
        "NOT (n = :six OR s = :he)",
        "n = :six OR n = :five AND s = :hello",
        "(n = :six OR n = :five) AND (s = :hello)",
        "nowhere <> :five",
    ],
)
def test_a_condition_that_holds(condition: str) -> None:
    names = {"#l": "list"} if "#l" in condition else None

    assert holds(condition, names=names)


@pytest.mark.parametrize(
    "condition",
    [
        "n = :he",
        "n < :hello",
        "nowhere = :five",
        "nowhere < :five",
        "nowhere = elsewhere",
        "size(nowhere) = :five",
        "doc.#l[9] = :two",
        "s.part = :two",
        "begins_with(n, :he)",
        "n = :five AND n = :six OR s = :he",
    ],
)
def test_a_condition_that_does_not_hold(condition: str) -> None:
    names = {"#l": "list"} if "#l" in condition else None

    assert not holds(condition, names=names)


BAD_CONDITIONS = [
    "",
    "n",
    "n =",
    "n = :five :six",
    "n == :five",
    "((n = :five))",
    "(n = :five",
    "n = :five)",
    "status = :five",
    "shout(n)",
    "if_not_exists(n, :five) = :five",
    "attribute_exists(:five)",
    "n BETWEEN :five",
    "n IN ()",
    "AND n = :five",
    "n = :five AND",
    "flag < :yes",
    "n = n",
    "begins_with(s, :six)",
    "n & :five",
    "doc[x] = :five",
]


@pytest.mark.parametrize("condition", BAD_CONDITIONS)
def test_a_bad_condition_is_refused(condition: str) -> None:
    assert refused(holds, condition).code == "ValidationException"


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        ({"ConditionExpression": "a = :a"}, ":a"),
        (
            {
                "ConditionExpression": "a = :a",
                "ExpressionAttributeValues": {":a": {"S": ""}, ":b": {"S": ""}},
            },
            ":b",
        ),
        ({"ConditionExpression": "attribute_exists(#a)"}, "#a"),
        ({"UpdateExpression": "REMOVE a", "ExpressionAttributeNames": {"#b": "b"}}, "#b"),
        ({"ExpressionAttributeNames": {"#b": "b"}}, "#b"),
    ],
)
def test_placeholders_are_defined_and_used(request_: dict[str, Any], name: str) -> None:
    error = refused(bind, request_)

    assert error.code == "ValidationException"
    assert name in error.message


@pytest.mark.parametrize("parameter", ["ExpressionAttributeNames", "ExpressionAttributeValues"])
def test_placeholders_are_not_an_empty_map(parameter: str) -> None:
    error = refused(bind, {"UpdateExpression": "REMOVE a", parameter: {}})

    assert error.code == "ValidationException"


@given(NUMBERS, NUMBERS)
def test_numbers_are_compared_as_numbers(one: Any, other: Any) -> None:
    item = {"a": clean({"N": str(one)}), "b": clean({"N": str(other)})}

    assert holds("a < b", item) == (one < other)
    assert holds("a = b", item) == (one == other)
    assert holds("a >= b", item) == (one >= other)


@given(st.text(max_size=8), st.text(max_size=8))
def test_texts_are_compared_by_their_bytes(one: str, other: str) -> None:
    item = {"a": {"S": one}, "b": {"S": other}}

    assert holds("a < b", item) == (one.encode() < other.encode())


@given(
    st.recursive(
        st.sampled_from(["T", "F"]),
        lambda inner: st.one_of(
            st.tuples(st.just("NOT"), inner),
            st.tuples(inner, st.sampled_from(["AND", "OR"]), inner),
        ),
        max_leaves=12,
    )
)
def test_logic_binds_as_it_should(tree: Any) -> None:
    """Against Python's own operators, which bind in the same order."""

    def write(node: Any) -> tuple[str, str]:
        if isinstance(node, str):
            return ("attribute_exists(id)" if node == "T" else "attribute_exists(z)"), node
        if node[0] == "NOT":
            text, python = write(node[1])
            simple = isinstance(node[1], str)
            return (f"NOT {text}" if simple else f"NOT ({text})"), f"(not ({python}))"
        (left, left_python), (right, right_python) = write(node[0]), write(node[2])
        return f"{left} {node[1]} {right}", f"{left_python} {node[1].lower()} {right_python}"

    text, python = write(tree)
    expected = eval(python.replace("T", "True").replace("F", "False"))

    assert holds(text) == expected


@given(NUMBERS)
def test_a_number_has_one_spelling(number: Any) -> None:
    spelled = canonical_number(str(number))

    assert canonical_number(spelled) == spelled
    assert sort_form({"N": spelled}) == number
    assert canonical_number(f"{number:e}") == spelled


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0001.500", "1.5"),
        ("-0", "0"),
        ("+7", "7"),
        ("1E3", "1000"),
        (".5", "0.5"),
        ("1" * 38, "1" * 38),
        ("1" + "0" * 60, "1" + "0" * 60),
    ],
)
def test_spellings(text: str, expected: str) -> None:
    assert canonical_number(text) == expected


@pytest.mark.parametrize("text", ["", "x", "1_000", "NaN", "Infinity", "1" * 39, "1E126", "1E-131"])
def test_a_bad_number_is_refused(text: str) -> None:
    assert refused(canonical_number, text).code == "ValidationException"


@pytest.mark.parametrize(
    "value",
    [{}, {"S": "a", "N": "1"}, {"X": "a"}, {"SS": []}, {"SS": ["a", "a"]}, {"NULL": False}, "a"],
)
def test_a_bad_value_is_refused(value: Any) -> None:
    assert refused(clean, value).code == "ValidationException"


@pytest.mark.parametrize("value", [{"S": 1}, {"N": 1}, {"BOOL": "true"}, {"B": "text"}, {"L": 1}])
def test_a_value_of_the_wrong_kind_is_refused(value: Any) -> None:
    assert refused(clean, value).code == "SerializationException"


def test_sets_are_equal_in_any_order() -> None:
    assert clean({"NS": ["2", "10", "1.0"]}) == clean({"NS": ["1", "10", "2"]})


@pytest.mark.parametrize(
    ("expression", "values", "expected"),
    [
        ("SET a = :v, b = a", {"v": {"N": "2"}}, {"a": {"N": "2"}, "b": {"N": "1"}}),
        ("SET a = b_ + :v", {"v": {"N": "1"}}, None),
        ("SET a = a - :v", {"v": {"N": "3"}}, {"a": {"N": "-2"}}),
        ("SET a = :v + a", {"v": {"N": "0.5"}}, {"a": {"N": "1.5"}}),
        ("SET c = if_not_exists(c, :v)", {"v": {"N": "9"}}, {"a": {"N": "1"}, "c": {"N": "9"}}),
        ("SET a = if_not_exists(a, :v) + :v", {"v": {"N": "9"}}, {"a": {"N": "10"}}),
        ("set c = :v remove a", {"v": {"S": "x"}}, {"c": {"S": "x"}}),
        ("REMOVE nowhere", {}, {"a": {"N": "1"}}),
        ("ADD a :v, c :v", {"v": {"N": "4"}}, {"a": {"N": "5"}, "c": {"N": "4"}}),
        ("ADD c :v", {"v": {"SS": ["x"]}}, {"a": {"N": "1"}, "c": {"SS": ["x"]}}),
        ("DELETE c :v", {"v": {"SS": ["x"]}}, {"a": {"N": "1"}}),
        ("ADD a :v", {"v": {"SS": ["x"]}}, None),
        ("ADD a :v", {"v": {"S": "x"}}, None),
        ("DELETE a :v", {"v": {"N": "1"}}, None),
        ("SET a = list_append(a, :v)", {"v": {"L": []}}, None),
        ("SET a.b = :v", {"v": {"L": []}}, None),
        ("SET a = :v SET b = :v", {"v": {"L": []}}, None),
        ("SET a = :v, a.b = :v", {"v": {"L": []}}, None),
        ("SET a = :v + :v + :v", {"v": {"N": "1"}}, None),
        ("SET a = begins_with(a, :v)", {"v": {"N": "1"}}, None),
        ("UPSERT a = :v", {"v": {"N": "1"}}, None),
        ("SET a = a + :v", {"v": {"N": "1E-40"}}, None),
    ],
)
def test_updates(expression: str, values: Any, expected: dict[str, Any] | None) -> None:
    item: dict[str, Any] = {"a": {"N": "1"}}
    if expected is None:
        assert refused(updated, item, expression, **values).code == "ValidationException"
        return
    if "a" not in expected and "remove a" not in expression:
        expected = {**item, **expected}

    assert updated(item, expression, **values) == expected
    assert item == {"a": {"N": "1"}}


def test_sets_grow_and_shrink() -> None:
    item: dict[str, Any] = {"tags": {"SS": ["a", "b"]}}

    grown = updated(item, "ADD tags :t", t={"SS": ["c", "b"]})
    shrunk = updated(grown, "DELETE tags :t", t={"SS": ["a", "z"]})
    gone = updated(shrunk, "DELETE tags :t", t={"SS": ["b", "c"]})

    assert grown == {"tags": {"SS": ["a", "b", "c"]}}
    assert shrunk == {"tags": {"SS": ["b", "c"]}}
    assert gone == {}


def test_lists_grow_and_shrink() -> None:
    item: dict[str, Any] = {"l": {"L": [{"N": "1"}, {"N": "2"}, {"N": "3"}]}}

    grown = updated(item, "SET l = list_append(l, :m), m = l[0]", m={"L": [{"N": "4"}]})
    changed = updated(item, "SET l[1] = :v, l[9] = :v", v={"S": "x"})
    shrunk = updated(item, "REMOVE l[0], l[2]")

    assert grown["l"]["L"][-1] == {"N": "4"}
    assert grown["m"] == {"N": "1"}
    assert changed["l"]["L"] == [{"N": "1"}, {"S": "x"}, {"N": "3"}, {"S": "x"}]
    assert shrunk["l"]["L"] == [{"N": "2"}]


@given(st.integers(-(10**18), 10**18), st.integers(-(10**18), 10**18))
def test_sums(one: int, other: int) -> None:
    item = {"a": {"N": str(one)}}

    assert updated(item, "SET a = a + :v", v={"N": str(other)}) == {"a": {"N": str(one + other)}}
    assert updated(item, "SET a = a - :v", v={"N": str(other)}) == {"a": {"N": str(one - other)}}
    assert updated(item, "ADD a :v", v={"N": str(other)}) == {"a": {"N": str(one + other)}}


def test_sizes_follow_the_published_rules() -> None:
    item: dict[str, Any] = {
        "ab": {"S": "äö"},
        "n": {"N": "-12.5"},
        "flag": {"BOOL": True},
        "l": {"L": [{"S": "xy"}]},
        "m": {"M": {"k": {"B": b"123"}}},
    }

    assert item_size(item) == (2 + 4) + (1 + 4) + (4 + 1) + (1 + 3 + 1 + 2) + (1 + 3 + 1 + 1 + 3)
