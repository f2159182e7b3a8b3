"""The act model in JAX: frozen lower layers of the encoder, tuned upper layers, one head per act.

Each act looks for its own words: it pools the token states with attention weights of its own, so
that one clause of a long turn is enough.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

HEADS = 12
EPSILON = 1e-12
Params = Any


def head_params(acts: int, width: int, seed: int) -> dict[str, np.ndarray[Any, Any]]:
    """Return fresh pooling and output weights for `acts` acts."""
    rng = np.random.default_rng(seed)
    return {
        "look": (rng.normal(size=(width, acts)) * 0.02).astype(np.float32),
        "say": (rng.normal(size=(width, acts)) * 0.02).astype(np.float32),
        "say_b": np.full(acts, -2.0, np.float32),
    }


def embed(e: Params, ids: jax.Array, types: jax.Array) -> jax.Array:
    """Embeddings of tokens, (n, t, width)."""
    x = e["word"][ids] + e["type"][types] + e["position"][: ids.shape[1]]
    return _norm(x, e["gain"], e["bias"])


def layer(p: Params, x: jax.Array, mask: jax.Array, drop: jax.Array | None = None) -> jax.Array:
    """One encoder layer; `drop` is a key for dropout, None when the model is only used."""
    n, t, width = x.shape

    def heads(y: jax.Array) -> jax.Array:
        return y.reshape(n, t, HEADS, width // HEADS).transpose(0, 2, 1, 3)

    q, k, v = (heads(x @ p[f"{name}_w"] + p[f"{name}_b"]) for name in "qkv")
    scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(width / HEADS)
    scores = jnp.where(mask[:, None, None, :] > 0, scores, -1e9)
    mixed = (jax.nn.softmax(scores) @ v).transpose(0, 2, 1, 3).reshape(n, t, width)
    keys = (None, None) if drop is None else jax.random.split(drop)
    x = _norm(x + _drop(mixed @ p["o_w"] + p["o_b"], keys[0]), p["ln1_g"], p["ln1_b"])
    inner = jax.nn.gelu(x @ p["up_w"] + p["up_b"], approximate=False) @ p["down_w"] + p["down_b"]
    return _norm(x + _drop(inner, keys[1]), p["ln2_g"], p["ln2_b"])


def logits(
    tuned: Params, x: jax.Array, mask: jax.Array, own: jax.Array, drop: jax.Array | None = None
) -> jax.Array:
    """Logits of every act, (n, acts), from the states after the frozen layers."""
    for index, p in enumerate(tuned["layers"]):
        key = None if drop is None else jax.random.fold_in(drop, index)
        x = layer(p, x, mask, key)
    x = _drop(x, None if drop is None else jax.random.fold_in(drop, 99))
    look = jnp.where(own[:, :, None] > 0, x @ tuned["head"]["look"], -1e9)
    share = jax.nn.softmax(look, axis=1)
    return (share * (x @ tuned["head"]["say"])).sum(axis=1) + tuned["head"]["say_b"]


def _norm(x: jax.Array, gain: jax.Array, bias: jax.Array) -> jax.Array:
    x = x - x.mean(-1, keepdims=True)
    return x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + EPSILON) * gain + bias


def _drop(x: jax.Array, key: jax.Array | None, rate: float = 0.1) -> jax.Array:
    if key is None:
        return x
    return jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), 0)
