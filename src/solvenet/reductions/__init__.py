"""One-pass summaries of row blocks that merge: triangle, Gram matrix, sketch, moments.

A reduction sees blocks of rows, and two reductions of disjoint rows merge into that of
their union. The same class therefore serves a loop, threads, and a tree on a cluster.
"""

from solvenet.reductions._base import Reduction
from solvenet.reductions.gram import CrossProducts, GramReduction
from solvenet.reductions.moments import ColumnMoments
from solvenet.reductions.qr import QRReduction
from solvenet.reductions.rows import DistinctRows
from solvenet.reductions.sketch import SketchReduction

__all__ = [
    "ColumnMoments",
    "CrossProducts",
    "DistinctRows",
    "GramReduction",
    "QRReduction",
    "Reduction",
    "SketchReduction",
]
