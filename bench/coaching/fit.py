"""Fits the tuned layers and heads of the act model, and applies them.

Several runs go side by side: from the same start, in other orders and with other dropout. The mean
of their weights is the model, so that it owes nothing to a lucky seed.
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
from server.act_inputs import Window, pad

jax.config.update("jax_default_prng_impl", "rbg")  # threefry costs more than the layers on a CPU

Params = Any
Pool = dict[int, tuple[np.ndarray, ...]]
"""By input length: ids, types, mask and own, all (n, length), target and weight, (n, acts)."""
LENGTHS = (32, 64, 128)
"""Batches hold inputs of one of these lengths, so that few shapes are compiled."""


class Recipe(msgspec.Struct, frozen=True):
    """Settings of one training; chosen on the development split."""

    frozen_layers: int = 2
    """Layers of the encoder that run as they are shipped."""
    epochs: int = 24
    runs: int = 4
    """Trainings whose weights are averaged."""
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


def pool(rows: Sequence[Row]) -> Pool:
    """Stack training inputs by length."""
    out = {}
    for shortest, longest in zip((0, *LENGTHS), LENGTHS, strict=False):
        group = [r for r in rows if shortest < len(r.window.ids) <= longest]
        if group:
            inputs = (a.astype(np.int32) for a in pad([r.window for r in group], longest))
            out[longest] = (
                *inputs,
                np.stack([r.target for r in group]),
                np.stack([r.weight for r in group]),
            )
    return out


def batches(
    pooled: Pool, size: int, runs: int, rng: random.Random
) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield the arrays of a pool in random order, (runs, size, ...), another order for each run.

    A short batch is filled with inputs of weight 0.
    """
    todo = []
    for length, arrays in pooled.items():
        n = len(arrays[0])
        orders = np.array([rng.sample(range(n), n) for _ in range(runs)])
        todo += [(length, orders[:, i : i + size]) for i in range(0, n, size)]
    rng.shuffle(todo)
    for length, chosen in todo:
        short = size - chosen.shape[1]
        filled = np.pad(chosen, ((0, 0), (0, short)))
        *inputs, weight = (a[filled] for a in pooled[length])
        if short:
            weight[:, -short:] = 0
        yield *inputs, weight


def fit(
    recipe: Recipe,
    encoder: tuple[Params, Sequence[Params]],
    pools: Sequence[Pool],
    progress: Callable[[str], None],
    start_from: Params | None = None,
) -> list[Params]:
    """Return the tuned parameters of every run: `{"layers": [...], "head": {...}}`.

    Args:
        recipe: Settings.
        encoder: Embeddings and all layers of the encoder; the upper ones are tuned.
        pools: Differently drawn forms of the corpus, one an epoch in turn.
        progress: Told the loss of every epoch.
        start_from: Where to start; None starts from the encoder and fresh heads.
    """
    embeddings, layers = encoder
    frozen = jax.tree.map(jnp.asarray, (embeddings, list(layers[: recipe.frozen_layers])))
    width = layers[0]["q_b"].shape[0]
    start = start_from or {
        "layers": list(layers[recipe.frozen_layers :]),
        "head": model.head_params(len(KINDS), width, recipe.seed),
    }
    tuned = jax.tree.map(lambda a: jnp.stack([jnp.asarray(a)] * recipe.runs), start)
    zeros = jax.tree.map(jnp.zeros_like, tuned)
    state = (tuned, zeros, jax.tree.map(jnp.copy, zeros), jax.tree.map(jnp.copy, tuned))
    rng = random.Random(recipe.seed)  # noqa: S311 - order of batches, not secrets
    total = recipe.epochs * sum(len(a[0]) for a in pools[0].values()) / recipe.batch
    key, settings = jax.random.key(recipe.seed), msgspec.structs.asdict(recipe)
    step = 0
    for number in range(recipe.epochs):
        losses = []
        for batch in batches(pools[number % len(pools)], recipe.batch, recipe.runs, rng):
            scale = min(1.0, (step + 1) / (0.06 * total)) * max(0.02, 1 - step / (total * 1.03))
            keys = jax.random.split(jax.random.fold_in(key, step), recipe.runs)
            state, loss = _update(settings, frozen, state, batch, step + 1.0, scale, keys)
            losses.append(loss)
            step += 1
        progress(f"epoch {number + 1}/{recipe.epochs}: loss {np.mean(jnp.stack(losses)):.4f}")
    kept = jax.tree.map(np.asarray, state[3])
    return [jax.tree.map(lambda a, i=run: a[i], kept) for run in range(recipe.runs)]


def mean(runs: Sequence[Params]) -> Params:
    """Return the mean of the weights of several runs."""
    return jax.tree.map(lambda *a: np.mean(a, axis=0, dtype=np.float32), *runs)


@partial(jax.jit, donate_argnums=2)
def _update(
    recipe: dict[str, Any], frozen: Params, state: Params, batch: Any, step: Any, scale: Any,
    keys: Any,
) -> tuple[Params, Any]:  # fmt: skip
    def one(state: Params, batch: Any, key: Any) -> tuple[Params, Any]:
        return _updated(recipe, frozen, state, batch, step, scale, key)

    return jax.vmap(one)(state, batch, keys)


def _updated(
    recipe: dict[str, Any], frozen: Params, state: Params, batch: Any, step: Any, scale: Any,
    key: Any,
) -> tuple[Params, Any]:  # fmt: skip
    tuned, first, second, average = state
    ids, types, mask, own, target, weight = batch
    x = model.embed(frozen[0], ids, types)
    for p in frozen[1]:
        x = model.layer(p, x, mask)

    def loss_of(p: Params) -> Any:
        z = model.logits(p, x, mask, own, key)
        yes, no = jax.nn.softplus(-z), jax.nn.softplus(z)
        smooth = target * 0.97 + 0.01
        per_act = recipe["positive_weight"] * smooth * yes + (1 - smooth) * no
        return (per_act * weight).sum() / jnp.maximum(weight.max(axis=1).sum(), 1) / 4

    loss, grads = jax.value_and_grad(loss_of)(tuned)
    norm = jnp.sqrt(sum((g * g).sum() for g in jax.tree.leaves(grads)))
    grads = jax.tree.map(lambda g: g * jnp.minimum(1.0, 1.0 / (norm + 1e-9)), grads)
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, grads)
    second = jax.tree.map(lambda v, g: 0.98 * v + 0.02 * g * g, second, grads)

    def moved(rate: float) -> Callable[[Any, Any, Any], Any]:
        def move(p: Any, m: Any, v: Any) -> Any:
            by = (m / (1 - 0.9**step)) / (jnp.sqrt(v / (1 - 0.98**step)) + 1e-8)
            keep = recipe["decay"] * p if p.ndim > 1 else 0.0
            return p - rate * scale * (by + keep)

        return move

    tuned = {
        part: jax.tree.map(moved(rate), tuned[part], first[part], second[part])
        for part, rate in (("layers", recipe["layer_rate"]), ("head", recipe["head_rate"]))
    }
    ahead = jnp.minimum(recipe["average"], (1 + step) / (10 + step))
    average = jax.tree.map(lambda a, p: ahead * a + (1 - ahead) * p, average, tuned)
    return (tuned, first, second, average), loss


_logits = jax.jit(model.logits)


def predict(
    lower: ort.InferenceSession, tuned: Params, windows: Sequence[Sequence[Window]]
) -> np.ndarray:
    """Return logits (turns, acts): of several windows of a turn the highest.

    The frozen layers run in the runtime that serves calls.
    """
    flat = [w for own in windows for w in own]
    z = np.zeros((len(flat), len(KINDS)), np.float32)
    for shortest, longest in zip((0, *LENGTHS), LENGTHS, strict=False):
        group = [i for i, w in enumerate(flat) if shortest < len(w.ids) <= longest]
        for at in range(0, len(group), 32):
            chosen = group[at : at + 32]
            filled = [*chosen, *[chosen[0]] * (32 - len(chosen))]
            states, mask, own = lower_states(lower, [flat[i] for i in filled], longest)
            z[chosen] = np.asarray(_logits(tuned, states, mask, own))[: len(chosen)]
    ends = np.cumsum([len(own) for own in windows])
    return np.stack([z[e - len(o) : e].max(axis=0) for e, o in zip(ends, windows, strict=True)])
