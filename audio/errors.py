"""Errors of the audio package.

AudioError
├── UnreadableAudio     the file cannot be read as audio
│   └── TruncatedAudio  it holds less than its header promises
├── EmptyAudio          no samples
├── BadSamples          not-a-number or infinite samples
├── UnsupportedFormat   channels or a rate that cannot be used
├── DeviceMissing       no such sound device, or no sound system
└── ModelCorrupt        a model file is missing or not the reviewed one
"""

from __future__ import annotations


class AudioError(Exception):
    """Base of all errors of this package; the message is one sentence for a person."""

    code = "audio_error"


class UnreadableAudio(AudioError):
    """The file cannot be read as audio."""

    code = "unreadable_audio"


class TruncatedAudio(UnreadableAudio):
    """The file holds less audio than its header promises."""

    code = "truncated_audio"


class EmptyAudio(AudioError):
    """There are no samples."""

    code = "empty_audio"


class BadSamples(AudioError):
    """Samples are not finite numbers."""

    code = "bad_samples"


class UnsupportedFormat(AudioError):
    """The number of channels or the rate cannot be used."""

    code = "unsupported_format"


class DeviceMissing(AudioError):
    """There is no such sound device, or no sound system."""

    code = "device_missing"


class ModelCorrupt(AudioError):
    """A model file is missing, or is not the one that was reviewed."""

    code = "model_corrupt"
