"""An error of a download says what it was: the network is not blamed for a full disk."""

import errno
import urllib.error

import pytest

from model_repo_builder.downloads import describe_failure, is_unreachable


@pytest.mark.parametrize(
    "error",
    [
        Exception("URL fetch failure on HOST: None -- [Errno -2] Name or service not known"),
        urllib.error.URLError("timed out"),
        TimeoutError("timed out"),
        ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"),
        ValueError("Incomplete or corrupted file detected."),
    ],
)
def test_what_the_network_did_cannot_be_downloaded(error: Exception) -> None:
    assert is_unreachable(error)
    assert describe_failure(error).startswith(f"cannot be downloaded: {type(error).__name__}: ")


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        PermissionError(errno.EACCES, "Permission denied"),
        MemoryError("out of\nmemory"),
        KeyError("class_name"),
        ValueError("Shapes (3, 3) and (7, 7) are incompatible"),
    ],
)
def test_a_fault_of_this_machine_or_of_a_model_is_called_what_it_is(error: Exception) -> None:
    assert not is_unreachable(error)
    line = describe_failure(error)
    assert line.startswith(f"{type(error).__name__}: ") and "downloaded" not in line and "\n" not in line
