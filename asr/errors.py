"""Errors of the recogniser.

AsrError
├── ModelMissing   no such model on this machine
├── ModelCorrupt   a model file is not the reviewed one
└── RecogniserDown no worker process came up, or all of them died
"""

from __future__ import annotations


class AsrError(Exception):
    """Base of all errors of this package; the message is one sentence for a person."""

    code = "asr_error"


class ModelMissing(AsrError):
    """The model is not on this machine."""

    code = "model_missing"


class ModelCorrupt(AsrError):
    """A model file is not the reviewed one."""

    code = "model_corrupt"


class RecogniserDown(AsrError):
    """No worker process came up in time."""

    code = "recogniser_down"
