"""Does the lineage of a listing say who descends from whom, also where ancestors are trimmed?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kcl_py.core.shards.graph import Lineage, Shard
from tests.core.shards.streams import Stream, name, shard, streams


def names(*shards: Shard) -> list[str]:
    return [each.shard_id for each in shards]


def test_parents_children_ancestors_and_descendants_of_a_split_and_a_merge() -> None:
    lineage = Lineage([shard(0), shard(1, 0), shard(2, 0), shard(3, 1, 2), shard(4)])

    assert names(*lineage.children_of(name(0))) == [name(1), name(2)]
    assert names(*lineage.parents_of(name(3))) == [name(1), name(2)]
    assert lineage.ancestors_of(name(3)) == {name(0), name(1), name(2)}
    assert lineage.descendants_of(name(0)) == {name(1), name(2), name(3)}
    assert names(*lineage.roots()) == [name(0), name(4)]


def test_a_shard_whose_parents_are_trimmed_is_a_root_and_its_parent_still_has_children() -> None:
    lineage = Lineage([shard(5, 1), shard(6, 1)])

    assert names(*lineage.roots()) == [name(5), name(6)]
    assert names(*lineage.children_of(name(1))) == [name(5), name(6)]
    assert name(1) not in lineage
    assert lineage.ancestors_of("nobody") == frozenset()


def test_a_circle_in_a_listing_confuses_nothing() -> None:
    lineage = Lineage([shard(0, 1), shard(1, 0), shard(2), shard(3, 3)])

    assert names(*lineage.in_order()) == [name(2), name(0), name(1), name(3)]
    assert lineage.descendants_of(name(0)) == {name(1)}


@given(streams(), st.randoms(use_true_random=False), st.floats(0, 200))
def test_parents_come_before_children_whatever_the_listing_shows_first(
    stream: Stream, rng: object, kept_from: float
) -> None:
    listing = list(stream.listing(kept_from=kept_from))
    rng.shuffle(listing)  # type: ignore[attr-defined]
    ordered = names(*Lineage(listing).in_order())

    assert sorted(ordered) == sorted(each.shard_id for each in listing)
    for each in listing:
        for parent in each.parents:
            assert parent not in ordered or ordered.index(parent) < ordered.index(each.shard_id)


@given(streams())
def test_open_shards_are_those_without_descendants(stream: Stream) -> None:
    lineage = Lineage(stream.listing())

    childless = [each for each in lineage.shards if not lineage.descendants_of(each)]
    assert sorted(names(*lineage.open_shards())) == sorted(childless)
