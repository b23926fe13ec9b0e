"""What does the text of an update expression say?"""

from __future__ import annotations

from collections.abc import Callable

from kcl_py.local.dynamo.lexer import Tokens
from kcl_py.local.dynamo.syntax import (
    IfNotExists,
    ListAppend,
    Path,
    Placeholder,
    Sum,
    Term,
    Update,
)


def read_update(tokens: Tokens) -> Update:
    """A whole update; each clause at most once, in any order."""
    clauses: dict[str, tuple[object, ...]] = {}
    while not tokens.at_end:
        word, reader = _clause(tokens)
        if word in clauses:
            raise tokens.wrong(f"the clause {word} is there twice")
        actions = [reader(tokens)]
        while tokens.skip(","):
            actions.append(reader(tokens))
        clauses[word] = tuple(actions)
    return Update(
        sets=clauses.get("SET", ()),  # type: ignore[arg-type] # the reader of the clause made them
        removes=clauses.get("REMOVE", ()),  # type: ignore[arg-type] # likewise
        adds=clauses.get("ADD", ()),  # type: ignore[arg-type] # likewise
        deletes=clauses.get("DELETE", ()),  # type: ignore[arg-type] # likewise
    )


def _clause(tokens: Tokens) -> tuple[str, Callable[[Tokens], object]]:
    for word, reader in _CLAUSES.items():
        if tokens.skip_word(word):
            return word, reader
    raise tokens.unexpected()


def _set(tokens: Tokens) -> tuple[Path, Term]:
    path = tokens.path()
    tokens.expect("=")
    left = _term(tokens)
    sign = tokens.skip_any(("+", "-"))
    return path, (left if sign is None else Sum(sign, left, _term(tokens)))


def _term(tokens: Tokens) -> Term:
    value = tokens.value()
    if value is not None:
        return value
    function = tokens.skip_function()
    if function is None:
        return tokens.path()
    if function == "if_not_exists":
        path = tokens.path()
        tokens.expect(",")
        term: Term = IfNotExists(path, _term(tokens))
    elif function == "list_append":
        first = _term(tokens)
        tokens.expect(",")
        term = ListAppend(first, _term(tokens))
    else:
        raise tokens.wrong(f"the function {function} is not allowed in an update, or not known")
    tokens.expect(")")
    return term


def _path_and_value(tokens: Tokens) -> tuple[Path, Placeholder]:
    path = tokens.path()
    value = tokens.value()
    if value is None:
        raise tokens.unexpected()
    return path, value


_CLAUSES: dict[str, Callable[[Tokens], object]] = {
    "SET": _set,
    "REMOVE": Tokens.path,
    "ADD": _path_and_value,
    "DELETE": _path_and_value,
}
