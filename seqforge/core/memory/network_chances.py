"""A network's log-probabilities of symbols in, those of a symbol's decisions out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from seqforge.core.kernels.compiler import kernel
from seqforge.core.kernels.elementary import exponential, logarithm
from seqforge.core.memory.code_tree import CodeTree


@kernel
def weigh_network(
    tree: CodeTree, network: NDArray[np.float32], masses: NDArray[np.float64]
) -> None:
    """Fill in the network's probability of each decision's symbols, and of each symbol behind."""
    nodes = len(tree.children)
    for symbol in range(nodes + 1):
        masses[nodes + symbol] = exponential(min(float(network[symbol]), 0.0))
    for node in range(nodes - 1, -1, -1):
        no, yes = tree.children[node, 0], tree.children[node, 1]
        no, yes = (no if no >= 0 else nodes - 1 - no), (yes if yes >= 0 else nodes - 1 - yes)
        masses[node] = masses[no] + masses[yes]


@kernel
def network_yes(tree: CodeTree, masses: NDArray[np.float64], node: int) -> float:
    """The network's stretched probability of a yes."""
    yes = tree.children[node, 1]
    yes = yes if yes >= 0 else len(tree.children) - 1 - yes
    chance = (masses[yes] + 1e-9) / (masses[node] + 2e-9)
    chance = max(min(chance, 1.0 - 1e-6), 1e-6)
    return logarithm(chance) - logarithm(1.0 - chance)
