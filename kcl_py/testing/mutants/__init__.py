"""Which bugs would the checkers see? Planted ones, one or more for every rule of the protocol.

`mutant` says what a planted bug is, the `rule_*` files plant them, `arena*` are the worlds in which
they live, `hunt` looks for the seed that shows one, `table` writes down what it found.
"""
