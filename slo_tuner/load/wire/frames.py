"""The frames of HTTP/2 (RFC 9113) that a gRPC client sends and reads: their kinds, flags and numbers."""

import struct


class Kind:
    """What a frame is (section 6); plain numbers, as they are compared for each frame."""

    DATA = 0
    HEADERS = 1
    RST_STREAM = 3
    SETTINGS = 4
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


ACK = END_STREAM = 0x1
END_HEADERS, PADDED, PRIORITY = 0x4, 0x8, 0x20
REFUSED, CANCEL = 7, 8
"""Error codes of RST_STREAM (section 7)."""
TABLE_SIZE, PUSH, MOST_STREAMS, INITIAL_WINDOW, MAX_FRAME = 1, 2, 3, 4, 5
"""Identifiers of settings (section 6.5.2)."""

HEAD = struct.Struct(">HBBBI")
NUMBER = struct.Struct(">I")
SETTING = struct.Struct(">HI")
LARGEST = (1 << 31) - 1
FIRST_WINDOW, FIRST_FRAME = 65_535, 16_384
"""A window, and the largest frame, until settings say otherwise."""


def frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    """A frame with this content."""
    return frame_head(len(content), kind, flags, stream) + content


def frame_head(length: int, kind: int, flags: int, stream: int) -> bytes:
    """The nine bytes before a content of so many."""
    return (length << 48 | kind << 40 | flags << 32 | stream).to_bytes(9, "big")


# No table for headers, no pushes, and windows that never close: what they'd hold back is what is measured.
PREFACE = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    + frame(
        Kind.SETTINGS,
        0,
        0,
        SETTING.pack(TABLE_SIZE, 0) + SETTING.pack(PUSH, 0) + SETTING.pack(INITIAL_WINDOW, LARGEST),
    )
    + frame(Kind.WINDOW_UPDATE, 0, 0, NUMBER.pack(LARGEST - FIRST_WINDOW))
)
