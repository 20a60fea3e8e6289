"""Summaries merge in the order of their numbers, whenever they arrive."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvenet.engine import MergeTree
from solvenet.reductions import Reduction


class Order(Reduction):
    """Remembers which parts it holds, in the order they were merged."""

    def __init__(self, number=None):
        self.parts = np.array([] if number is None else [number], dtype=float)
        self.shape = "()" if number is None else str(number)

    def update(self, A, B, weights=None, *, start=0, overwrite=False):
        raise NotImplementedError

    def merge(self, other):
        self.parts = np.concatenate([self.parts, other.parts])
        self.shape = f"({self.shape} {other.shape})"

    @property
    def nbytes(self):
        return self.parts.nbytes


@given(st.integers(1, 200), st.randoms())
@settings(max_examples=60, deadline=None)
def test_any_order_of_arrival_gives_the_same_tree(n, random):
    shapes = set()
    for _ in range(2):
        numbers = list(range(n))
        random.shuffle(numbers)
        tree = MergeTree(n)
        for number in numbers:
            assert tree.root is None
            tree.add(number, Order(number))
        assert tree.root.parts.tolist() == list(range(n))
        shapes.add(tree.root.shape)
    assert len(shapes) == 1


def test_few_summaries_are_alive_when_they_arrive_in_order():
    tree, most = MergeTree(4096), 0
    for number in range(4096):
        tree.add(number, Order(number))
        most = max(most, len(tree._waiting) + len(tree._sums))
    assert most <= 4


def test_a_second_summary_of_a_part_is_ignored():
    tree = MergeTree(10)
    for number in [0, 0, 3, 3, *range(10)]:
        tree.add(number, Order(number))
    assert tree.root.parts.tolist() == list(range(10))


@pytest.mark.parametrize("n", [1, 8, 9, 100])
def test_a_stored_tree_goes_on_where_it_was(n):
    numbers = np.random.default_rng(n).permutation(n)
    for cut in {0, 1, n // 2, n}:
        tree, again = MergeTree(n), MergeTree(n)
        for number in numbers[:cut]:
            tree.add(int(number), Order(int(number)))
        again.restore(tree.state(), Order)
        assert list(again.missing()) == sorted(numbers[cut:].tolist())
        for number in numbers[cut:]:
            again.add(int(number), Order(int(number)))
        assert again.root.parts.tolist() == list(range(n))
