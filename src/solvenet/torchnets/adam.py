"""One training of a torch module by Adam: its epochs, and its whole state as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from solvenet.errors import InvalidSettingError

if TYPE_CHECKING:
    from solvenet._array_api import Array
    from solvenet.torchnets.monitor import ModewiseResidual


class AdamRun:
    """A module with its optimiser and its losses, and all of it as arrays.

    Parameters
    ----------
    module : torch.nn.Module
        To be trained.
    rate : float
        Learning rate.
    watch : ModewiseResidual, optional
        Whose records belong to the state.
    """

    def __init__(self, module: Any, rate: float, watch: ModewiseResidual | None) -> None:
        self.module, self.watch = module, watch
        self.trained = [p for p in module.parameters() if p.requires_grad]
        if not self.trained:
            msg = "The module has no parameter that is trained: all have requires_grad=False."
            raise InvalidSettingError(msg)
        # Fused: a step of a small network is mostly the overhead of its many small operations.
        self.adam = torch.optim.Adam(self.trained, lr=rate, fused=True)
        self.epoch = 0
        self.losses: list[float] = []

    def one_epoch(
        self, loss_of: Any, x: Any, wanted: Any, order: Array, batch: int, rate: float
    ) -> float:
        """Take a step a batch; return the mean loss."""
        for group in self.adam.param_groups:
            group["lr"] = rate
        whole = batch == len(x)
        rows = None if whole else torch.from_numpy(order).to(x.device)
        total = torch.zeros((), dtype=torch.float64, device=x.device)
        for start in range(0, len(x), batch):
            part = slice(None) if rows is None else rows[start : start + batch]
            loss = loss_of(self.module, x[part], wanted[part])
            self.adam.zero_grad(set_to_none=True)
            loss.backward()
            self.adam.step()
            total += loss.detach() * len(wanted[part])
        self.epoch += 1
        self.losses.append(float(total) / len(x))
        return self.losses[-1]

    def tensors(self) -> dict[str, Array]:
        """Return all numbers of the module as arrays."""
        return {name: _array(tensor) for name, tensor in self.module.state_dict().items()}

    def follow(self) -> None:
        """Bring the optimiser's state to the parameters, which were moved."""
        for parameter, values in self.adam.state.items():
            for name, value in values.items():
                values[name] = value.to(parameter.device)

    def copy(self) -> tuple[int, dict[str, Any]]:
        """Return the epoch, and a copy of the module's numbers."""
        state = self.module.state_dict()
        return self.epoch, {name: tensor.detach().clone() for name, tensor in state.items()}

    def put(self, copy: tuple[int, dict[str, Any]]) -> None:
        """Go back to what :meth:`copy` returned."""
        self.epoch, state = copy
        self.module.load_state_dict(state)
        del self.losses[self.epoch :]

    def state(self) -> dict[str, Any]:
        """Return everything that the next epoch depends on."""
        adam = self.adam.state_dict()["state"]
        watched = {} if self.watch is None else self.watch.state()
        return (
            {"epoch": self.epoch, "losses": np.array(self.losses)}
            | {f"module.{name}": array for name, array in self.tensors().items()}
            | {f"adam.{i}.{n}": _array(t) for i, of in adam.items() for n, t in of.items()}
            | {f"watch.{name}": array for name, array in watched.items()}
        )

    def restore(self, state: dict[str, Any] | None) -> None:
        """Take the place of the run that left this state; None leaves all as it is."""
        if state is None:
            return
        self.epoch, self.losses = int(state["epoch"]), list(state["losses"].tolist())
        held = self.module.state_dict()
        for name, tensor in held.items():
            tensor.copy_(torch.as_tensor(state[f"module.{name}"]))
        moments: dict[int, dict[str, Any]] = {}
        for name, value in state.items():
            if name.startswith("adam."):
                _, i, key = name.split(".")
                kind = torch.float32 if key == "step" else self.trained[int(i)].dtype
                moments.setdefault(int(i), {})[key] = torch.as_tensor(value).to(kind)
        groups = self.adam.state_dict()["param_groups"]
        self.adam.load_state_dict({"state": moments, "param_groups": groups})
        if self.watch is not None:
            prefix = "watch."
            own = {n.removeprefix(prefix): v for n, v in state.items() if n.startswith(prefix)}
            self.watch.restore(own)


def mean_square(module: Any, x: Any, wanted: Any) -> Any:
    """Return the mean squared error of a module as a tensor."""
    return (module(x) - wanted).square().mean()


def _array(tensor: Any) -> Array:
    """Return the numbers of a tensor; what NumPy has no type for in float32, which holds them."""
    tensor = tensor.detach().cpu()
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.float()
    return np.array(tensor.numpy())
