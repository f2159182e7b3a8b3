"""Fits the tuned layers and heads of the act model, and applies them.

The states after the frozen layers are computed once, by the runtime that also serves calls, and
kept; training then touches the upper layers only.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import onnxruntime as ort

from bench.coaching import model
from bench.coaching.batches import KINDS, Row
from server.act_encoder import lower_states
from server.act_inputs import Window

jax.config.update("jax_default_prng_impl", "rbg")  # threefry costs more than the layers on a CPU

Params = Any
LENGTHS = (16, 24, 32, 48, 64, 128)
"""Batches hold inputs of one of these lengths, so that few shapes are compiled."""


class Recipe(msgspec.Struct, frozen=True):
    """Settings of one training run; chosen on the development split."""

    frozen_layers: int = 2
    """Layers of the encoder that run as they are shipped."""
    epochs: int = 12
    layer_rate: float = 2e-4
    """Peak learning rate of the encoder's layers."""
    head_rate: float = 3e-3
    batch: int = 32
    positive_weight: float = 2.0
    """Loss weight of a labelled act against an absent one."""
    decay: float = 0.01
    average: float = 0.99
    """Decay of the running average of the weights, which is what is kept."""
    seed: int = 7


class Stored(msgspec.Struct, frozen=True):
    """A training input after the frozen layers."""

    states: np.ndarray
    """Half precision, (t, width)."""
    own: np.ndarray
    """1 for tokens of the turn itself, (t,)."""
    target: np.ndarray
    weight: np.ndarray


def store(rows: Sequence[Row], lower: ort.InferenceSession) -> list[Stored]:
    """Run the frozen layers over training inputs."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i].window.ids))
    out: list[Stored | None] = [None] * len(rows)
    for start in range(0, len(order), 32):
        chosen = order[start : start + 32]
        x, mask, own = lower_states(lower, [rows[i].window for i in chosen])
        for place, i in enumerate(chosen):
            t = int(mask[place].sum())
            states = x[place, :t].astype(np.float16)
            out[i] = Stored(states, own[place, :t], rows[i].target, rows[i].weight)
    return [s for s in out if s is not None]


def batches(stored: Sequence[Stored], size: int, rng: random.Random) -> Iterator[tuple[Any, ...]]:
    """Yield states, mask, own, target, weight in random order.

    A short batch is filled with inputs of weight 0.
    """
    todo = []
    for shortest, longest in zip((0, *LENGTHS), LENGTHS, strict=False):
        group = [s for s in stored if shortest < len(s.own) <= longest]
        rng.shuffle(group)
        todo += [(longest, group[i : i + size]) for i in range(0, len(group), size)]
    rng.shuffle(todo)
    for length, group in todo:
        width, acts = group[0].states.shape[1], len(group[0].target)
        x = np.zeros((size, length, width), np.float32)
        mask, own = np.zeros((size, length), np.int32), np.zeros((size, length), np.int32)
        mask[:, 0] = own[:, 0] = 1
        target, weight = np.zeros((size, acts), np.float32), np.zeros((size, acts), np.float32)
        for row, s in enumerate(group):
            t = len(s.own)
            x[row, :t], mask[row, :t], own[row, :t] = s.states, 1, s.own
            target[row], weight[row] = s.target, s.weight
        yield x, mask, own, target, weight


def fit(
    recipe: Recipe,
    layers: Sequence[Params],
    pools: Sequence[Sequence[Stored]],
    progress: Callable[[str], None],
    start: Params | None = None,
) -> Params:
    """Return the tuned parameters: `{"layers": [...], "head": {...}}`.

    Args:
        recipe: Settings.
        layers: All layers of the encoder; the upper ones are tuned.
        pools: Differently drawn forms of the corpus, one an epoch in turn.
        progress: Told the loss of every epoch.
        start: Parameters to go on from, instead of the encoder's own layers and fresh heads.
    """
    fresh = {
        "layers": list(layers[recipe.frozen_layers :]),
        "head": model.head_params(len(KINDS), layers[0]["q_b"].shape[0], recipe.seed),
    }
    tuned = jax.tree.map(jnp.asarray, fresh if start is None else start)
    zeros = jax.tree.map(jnp.zeros_like, tuned)
    state = (tuned, zeros, zeros, tuned)
    steps = recipe.epochs * len(pools[0]) / recipe.batch
    rng = random.Random(recipe.seed)  # noqa: S311 - order of batches, not secrets
    step = 0
    for number in range(recipe.epochs):
        losses = []
        for batch in batches(pools[number % len(pools)], recipe.batch, rng):
            scale = min(1.0, (step + 1) / (0.06 * steps)) * max(0.02, 1 - step / (steps * 1.03))
            key = jax.random.fold_in(jax.random.key(recipe.seed), step)
            state, loss = _update(recipe, state, batch, step + 1.0, scale, key)
            losses.append(loss)
            step += 1
        mean = np.mean([float(x) for x in losses])
        progress(f"epoch {number + 1}/{recipe.epochs}: loss {mean:.4f}")
    return jax.tree.map(np.asarray, state[3])


@partial(jax.jit, static_argnums=0)
def _update(
    recipe: Recipe, state: Params, batch: Any, step: Any, scale: Any, key: Any
) -> tuple[Params, Any]:
    tuned, first, second, average = state
    x, mask, own, target, weight = batch

    def loss_of(p: Params) -> Any:
        z = model.logits(p, x, mask, own, key)
        yes, no = jax.nn.softplus(-z), jax.nn.softplus(z)
        smooth = target * 0.97 + 0.01
        per_act = recipe.positive_weight * smooth * yes + (1 - smooth) * no
        return (per_act * weight).sum() / jnp.maximum(weight.max(axis=1).sum(), 1) / 4

    loss, grads = jax.value_and_grad(loss_of)(tuned)
    norm = jnp.sqrt(sum((g * g).sum() for g in jax.tree.leaves(grads)))
    grads = jax.tree.map(lambda g: g * jnp.minimum(1.0, 1.0 / (norm + 1e-9)), grads)
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, grads)
    second = jax.tree.map(lambda v, g: 0.98 * v + 0.02 * g * g, second, grads)

    def moved(rate: float) -> Callable[[Any, Any, Any], Any]:
        def move(p: Any, m: Any, v: Any) -> Any:
            by = (m / (1 - 0.9**step)) / (jnp.sqrt(v / (1 - 0.98**step)) + 1e-8)
            keep = recipe.decay * p if p.ndim > 1 else 0.0
            return p - rate * scale * (by + keep)

        return move

    tuned = {
        part: jax.tree.map(moved(rate), tuned[part], first[part], second[part])
        for part, rate in (("layers", recipe.layer_rate), ("head", recipe.head_rate))
    }
    ahead = jnp.minimum(recipe.average, (1 + step) / (10 + step))
    average = jax.tree.map(lambda a, p: ahead * a + (1 - ahead) * p, average, tuned)
    return (tuned, first, second, average), loss


_logits = jax.jit(model.logits)


def predict(
    lower: ort.InferenceSession, tuned: Params, windows: Sequence[Sequence[Window]]
) -> np.ndarray:
    """Return logits (turns, acts): of several windows of a turn the highest."""
    flat = [Row(w, np.zeros(1), np.zeros(1)) for own in windows for w in own]
    stored = store(flat, lower)
    z = np.zeros((len(flat), len(KINDS)), np.float32)
    for shortest, longest in zip((0, *LENGTHS), LENGTHS, strict=False):
        group = [i for i, s in enumerate(stored) if shortest < len(s.own) <= longest]
        for start in range(0, len(group), 32):
            chosen = group[start : start + 32]
            x = np.zeros((32, longest, stored[0].states.shape[1]), np.float32)
            mask, own = (np.zeros((32, longest), np.int32) for _ in range(2))
            mask[:, 0] = own[:, 0] = 1
            for row, i in enumerate(chosen):
                t = len(stored[i].own)
                x[row, :t], mask[row, :t], own[row, :t] = stored[i].states, 1, stored[i].own
            z[chosen] = np.asarray(_logits(tuned, x, mask, own))[: len(chosen)]
    ends = np.cumsum([len(own) for own in windows])
    return np.stack([z[e - len(o) : e].max(axis=0) for e, o in zip(ends, windows, strict=True)])
