"""What a network needs is compiled before it is asked for, whatever its cell."""

import pytest

from seqforge.core.kernels.compile_ahead import prepare_layers
from seqforge.core.kernels.equation_kernels import equation_kernels
from seqforge.core.kernels.layer_kernels import Shape, kernels


@pytest.mark.parametrize(("cell", "made_by"), [("gru", kernels), ("minlstm", equation_kernels)])
def test_both_passes_of_both_kinds_of_layer_are_there(cell, made_by, monkeypatch):
    prepare_layers(cell, 9, 3, (False,)).join()

    def refused(*_):
        raise AssertionError("compiled now")

    for inputs in (None, 16):
        found = made_by(Shape(cell, 16, inputs, False))
        for name in ("forward", "backward"):
            monkeypatch.setattr(found, f"_{name}", refused, raising=False)
            assert callable(getattr(found, name))
        assert set(found._functions) == {"forward", "backward"}
