"""Learns the voice model: `python -m bench.voice.train`, with progress.

    python -m bench.voice.train --channels 4440 --epochs 16 --out bench/out/voice.npz

Inputs of a window: Silero's log odds; for each of four frames eight bands and their sum above their
noise floors, and the level below its peak; bands above floors that rise fast (`features`). A GRU of
48 units that is told the mean of its own units in speech, binary cross-entropy, Adam; every tenth
channel is held out and scored after each epoch. A minute of channel takes about half a second of
processor to make and to hear. What ships was learnt in two goes, without the mean from 2,640
channels of fewer voices, then with it from these and 1,800 of all, 14 epochs at a rate of 0.003: so
that this makes a model like it and not the same bytes.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import onnxruntime

from audio.resample import StreamingResampler
from audio.vad import WINDOW_SAMPLES
from bench.voice.corpus import LINE_HZ, Channel, channel, speakers
from bench.voice.features import FEATURES, FRAMES, SILERO, Features, Values, odds

UNITS = 48
_CHUNK = 250
_HELD_OUT = 10
_AT_ONCE = 60
LEAST_WINDOWS, MOST_WINDOWS = 30.0, 400.0
"""A voice's mean rests on 1 s of speech at least, silence before it (C), and forgets what was more
than 13 s of speech ago (C)."""
_Params = dict[str, jax.Array]
_State = tuple[jax.Array, jax.Array, jax.Array]


def heard(made: list[Channel]) -> tuple[Values, Values, Values]:
    """Return features (channels, windows, FEATURES), truth (channels, windows, FRAMES), weights."""
    audio = [at_16khz(one.samples) for one in made]
    windows = min(len(samples) for samples in audio) // WINDOW_SAMPLES
    samples = np.stack([one[: windows * WINDOW_SAMPLES] for one in audio])
    silero = opinions(samples)
    values = features(samples, silero)
    truth = np.zeros((len(made), windows, FRAMES), dtype=np.float32)
    for row, one in enumerate(made):
        fine = np.repeat(one.speech, 10).astype(np.float32)
        fine = np.pad(fine, (0, max(0, windows * 32 - len(fine))))[: windows * 32]
        truth[row] = fine.reshape(windows, FRAMES, 32 // FRAMES).mean(axis=-1)
    return values, truth, speech_weight(np.array([one.snr_db for one in made]))


def opinions(samples: Values) -> Values:
    """Return Silero's probabilities (channels, windows) of 16 kHz audio (channels, n)."""
    silero = onnxruntime.InferenceSession(SILERO, providers=["CPUExecutionProvider"])
    padded, rate = np.pad(samples, ((0, 0), (64, 0))), np.array(16_000, dtype=np.int64)
    state, found = np.zeros((2, len(samples), 128), dtype=np.float32), []
    for at in range(samples.shape[1] // WINDOW_SAMPLES):
        window = padded[:, at * WINDOW_SAMPLES : (at + 1) * WINDOW_SAMPLES + 64]
        scores, state = silero.run(None, {"input": window, "state": state, "sr": rate})
        found.append(scores[:, 0])
    return np.stack(found, axis=1)


def at_16khz(samples: Values) -> Values:
    """Return 8 kHz samples as the front end resamples them."""
    resampler, block = StreamingResampler(LINE_HZ), LINE_HZ // 10
    parts = [resampler.push(samples[at : at + block]) for at in range(0, len(samples), block)]
    return np.concatenate([*parts, resampler.flush()])


def features(samples: Values, silero: Values) -> Values:
    """Return (channels, windows, FEATURES) of 16 kHz audio (channels, n) and its scores."""
    front, padded = Features(len(samples)), np.pad(samples, ((0, 0), (64, 0)))
    return np.stack(
        [
            front.push(
                padded[:, at * WINDOW_SAMPLES : (at + 1) * WINDOW_SAMPLES + 64],
                odds(silero[:, at]),
            )
            for at in range(silero.shape[1])
        ],
        axis=1,
    )


def speech_weight(snr_db: Values) -> Values:
    """Return how much more what is speech counts than what is none.

    1.8 times on a clean line, where doubt is mostly about weak sounds that the line hardly carries;
    once in noise, where it is about pauses. One threshold then suits both.
    """
    return np.asarray(1 + 0.8 * np.clip((snr_db - 10) / 15, 0, 1), dtype=np.float32)


def init(key: jax.Array) -> _Params:
    """Return fresh weights."""
    a, b, c, d = jax.random.split(key, 4)
    return {
        "w": jax.random.normal(a, (FEATURES, 3 * UNITS)) / FEATURES**0.5,
        "r": jax.random.normal(b, (UNITS, 3 * UNITS)) / UNITS**0.5,
        "m": 0.01 * jax.random.normal(d, (UNITS, 3 * UNITS)),
        "b": jnp.zeros(3 * UNITS),
        "rb": jnp.zeros(3 * UNITS),
        "v": jax.random.normal(c, (UNITS, FRAMES)) / UNITS**0.5,
        "mv": jnp.zeros((UNITS, FRAMES)),
        "skip": jnp.array(0.3),
        "c": jnp.zeros(FRAMES),
    }


def unheard(channels: int) -> _State:
    """Return the state of channels that nothing was heard of yet."""
    nothing = jnp.zeros((channels, UNITS))
    return nothing, nothing, jnp.zeros((channels, 1))


def run(params: _Params, values: jax.Array, state: _State) -> tuple[jax.Array, _State]:
    """Return log odds (channels, windows, FRAMES) and the state after them.

    The state is the hidden units, their mean in what was speech so far, and how many windows of
    speech that rests on: noise buries where a voice trails off, and by its mean the network knows
    whose voice it is.
    """

    def step(state: _State, x: jax.Array) -> tuple[_State, jax.Array]:
        h, mean, spoken = state
        gx = x @ params["w"] + mean @ params["m"] + params["b"]
        gh = h @ params["r"] + params["rb"]
        z = jax.nn.sigmoid(gx[:, :UNITS] + gh[:, :UNITS])
        r = jax.nn.sigmoid(gx[:, UNITS : 2 * UNITS] + gh[:, UNITS : 2 * UNITS])
        n = jnp.tanh(gx[:, 2 * UNITS :] + r * gh[:, 2 * UNITS :])
        h = (1 - z) * n + z * h
        odds = h @ params["v"] + mean @ params["mv"] + params["skip"] * x[:, :1] + params["c"]
        speech = jax.lax.stop_gradient(jax.nn.sigmoid(odds).mean(axis=1, keepdims=True))
        spoken = jnp.minimum(spoken + speech, MOST_WINDOWS)
        mean = mean + speech / jnp.maximum(spoken, LEAST_WINDOWS) * (h - mean)
        return (h, mean, spoken), odds

    state, out = jax.lax.scan(step, state, jnp.swapaxes(values, 0, 1))
    return jnp.swapaxes(out, 0, 1), state


def loss(
    params: _Params, values: jax.Array, truth: jax.Array, weight: jax.Array, state: _State
) -> Any:
    """Return the mean cross-entropy, and the state after the chunk.

    Args:
        params: the weights.
        values: (channels, windows, FEATURES).
        truth: (channels, windows, FRAMES), 0 to 1.
        weight: (channels,), of what is speech: 1 says that either error is as bad as the other.
        state: of `run`.
    """
    logits, state = run(params, values, state)
    speech = weight[:, None, None] * truth * jax.nn.softplus(-logits)
    return jnp.mean(speech + (1 - truth) * jax.nn.softplus(logits)), state


@jax.jit
def update(params: _Params, moments: Any, heard: Any, state: Any, rate: Any, step: Any) -> Any:
    """One step of Adam."""
    (value, state), grads = jax.value_and_grad(loss, has_aux=True)(params, *heard, state)
    norm = jnp.sqrt(sum(jnp.sum(g**2) for g in jax.tree.leaves(grads)))
    grads = jax.tree.map(lambda g: g * jnp.minimum(1.0, 1.0 / norm), grads)
    first, second = moments
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, grads)
    second = jax.tree.map(lambda v, g: 0.995 * v + 0.005 * g**2, second, grads)
    a, b = 1 - 0.9**step, 1 - 0.995**step
    params = jax.tree.map(
        lambda p, m, v: p - rate * (m / a) / (jnp.sqrt(v / b) + 1e-8), params, first, second
    )
    return params, (first, second), value, jax.lax.stop_gradient(state)


def train(values: Values, truth: Values, weight: Values, epochs: int, seed: int) -> _Params:
    """Learn the weights; every tenth channel is held out."""
    random = np.random.default_rng(seed)
    held = np.arange(len(values)) % _HELD_OUT == 0
    x, y, w = values[~held], truth[~held], weight[~held]
    params = init(jax.random.key(seed))
    zero = jax.tree.map(jnp.zeros_like, params)
    moments, step = (zero, zero), 0
    batch = 32
    for epoch in range(epochs):
        rate = 4e-3 * 0.5 * (1 + np.cos(np.pi * epoch / epochs)) + 1e-5
        order = random.permutation(len(x))
        losses = []
        for at in range(0, len(order) - batch + 1, batch):
            rows = order[at : at + batch]
            state = unheard(batch)
            for first in range(0, x.shape[1] - _CHUNK + 1, _CHUNK):
                step += 1
                chunk = slice(first, first + _CHUNK)
                heard = x[rows, chunk], y[rows, chunk], w[rows]
                params, moments, value, state = update(params, moments, heard, state, rate, step)
                losses.append(float(value))
        tested = values[held], truth[held], weight[held], unheard(int(held.sum()))
        out = loss(params, *tested)[0]
        print(f"epoch {epoch}: {np.mean(losses):.4f} held out {float(out):.4f}", flush=True)
    return params


def main() -> None:
    """Make the corpus, learn, keep the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--channels", type=int, default=4_440)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("bench/out/voice.npz"))
    asked = parser.parse_args()
    voices = speakers()
    parts = []
    for first in range(0, asked.channels, _AT_ONCE):
        numbers = range(first, min(first + _AT_ONCE, asked.channels))
        parts.append(heard([channel(voices, asked.seed * 10_000 + n) for n in numbers]))
        print(f"{numbers.stop} of {asked.channels} channels", flush=True)
    values, truth, weight = (np.concatenate(part) for part in zip(*parts, strict=True))
    params = train(values, truth, weight, asked.epochs, asked.seed)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(asked.out, **{name: np.asarray(value) for name, value in params.items()})


if __name__ == "__main__":
    main()
