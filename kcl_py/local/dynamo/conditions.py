"""What does the text of a condition, a filter or a projection say?"""

from __future__ import annotations

from kcl_py.local.dynamo.lexer import Tokens
from kcl_py.local.dynamo.syntax import (
    Among,
    Between,
    Both,
    Compare,
    Condition,
    Either,
    Not,
    Operand,
    Path,
    Size,
    Test,
)

_SIGNS = ("=", "<>", "<", "<=", ">", ">=")
_ONE_ARGUMENT = ("attribute_exists", "attribute_not_exists")
_TWO_ARGUMENTS = ("attribute_type", "begins_with", "contains")
_CHOICES_MAX = 100


def read_condition(tokens: Tokens) -> Condition:
    """A whole condition."""
    condition = _either(tokens)
    if not tokens.at_end:
        raise tokens.unexpected()
    return condition


def read_projection(tokens: Tokens) -> tuple[Path, ...]:
    """A list of paths."""
    paths = [tokens.path()]
    while tokens.skip(","):
        paths.append(tokens.path())
    if not tokens.at_end:
        raise tokens.unexpected()
    return tuple(paths)


def _either(tokens: Tokens) -> Condition:
    left = _both(tokens)
    while tokens.skip_word("OR"):
        left = Either(left, _both(tokens))
    return left


def _both(tokens: Tokens) -> Condition:
    left = _not(tokens)
    while tokens.skip_word("AND"):
        left = Both(left, _not(tokens))
    return left


def _not(tokens: Tokens) -> Condition:
    if tokens.skip_word("NOT"):
        return Not(_not(tokens))
    if tokens.skip("("):
        return _group(tokens)
    return _comparison(tokens)


def _group(tokens: Tokens) -> Condition:
    begin = tokens.position
    inner = _either(tokens)
    if tokens.last_group == (begin, tokens.position):
        raise tokens.wrong("the expression has redundant parentheses")
    tokens.expect(")")
    tokens.last_group = (begin - 1, tokens.position)
    return inner


def _comparison(tokens: Tokens) -> Condition:
    function = tokens.skip_function()
    if function is not None and function != "size":
        return _test(tokens, function)
    left = _size(tokens) if function else _operand(tokens)
    sign = tokens.skip_any(_SIGNS)
    if sign is not None:
        return Compare(sign, left, _operand(tokens))
    if tokens.skip_word("BETWEEN"):
        low = _operand(tokens)
        if not tokens.skip_word("AND"):
            raise tokens.unexpected()
        return Between(left, low, _operand(tokens))
    if tokens.skip_word("IN"):
        return Among(left, _choices(tokens))
    raise tokens.unexpected()


def _choices(tokens: Tokens) -> tuple[Operand, ...]:
    tokens.expect("(")
    choices = [_operand(tokens)]
    while tokens.skip(","):
        choices.append(_operand(tokens))
    tokens.expect(")")
    if len(choices) > _CHOICES_MAX:
        raise tokens.wrong(f"IN takes at most {_CHOICES_MAX} operands")
    return tuple(choices)


def _test(tokens: Tokens, function: str) -> Condition:
    if function in _ONE_ARGUMENT:
        test = Test(function, tokens.path())
    elif function in _TWO_ARGUMENTS:
        path = _operand(tokens)
        tokens.expect(",")
        test = Test(function, path, _operand(tokens))
    else:
        raise tokens.wrong(f"the function {function} is not allowed in a condition, or not known")
    tokens.expect(")")
    return test


def _size(tokens: Tokens) -> Size:
    path = tokens.path()
    tokens.expect(")")
    return Size(path)


def _operand(tokens: Tokens) -> Operand:
    value = tokens.value()
    if value is not None:
        return value
    function = tokens.skip_function()
    if function is None:
        return tokens.path()
    if function != "size":
        raise tokens.wrong(f"the function {function} is not allowed as an operand")
    return _size(tokens)
