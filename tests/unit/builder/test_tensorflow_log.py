"""Of what TensorFlow prints, only what nobody can act on is left out."""

import os

import pytest

from model_repo_builder.tensorflow_log import without_informing_lines

_NOISE = (
    b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
    b"I0000 00:00:1795702857.671001   17351 devices.cc:76] Number of eligible GPUs: 0\n"
)
_NEWS = b"E0000 00:00:1795702857.671001   17351 loader.cc:1] a library is not there\nWARNING: of somebody else\n"


def test_only_informing_lines_are_left_out(capfd: pytest.CaptureFixture[str]) -> None:
    with without_informing_lines():
        os.write(2, _NOISE + _NEWS)
    os.write(2, b"behind\n")
    assert capfd.readouterr().err == _NEWS.decode() + "behind\n"


def test_what_was_printed_before_an_exception_is_not_lost(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="converter"), without_informing_lines():
        os.write(2, _NOISE + _NEWS)
        raise ValueError("converter")
    assert capfd.readouterr().err == _NEWS.decode()
