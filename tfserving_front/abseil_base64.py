"""Base64 as Abseil's Base64Unescape takes it, which TensorFlow Serving uses: line breaks and short padding are fine."""

import base64
import binascii

# absl::ascii_isspace
_SPACE = dict.fromkeys(map(ord, " \t\n\v\f\r"))


def decode(text: str) -> bytes:
    """The bytes of a text in Base64; ValueError when it is none.

    White space may stand anywhere. The padding is `=` or `.`, complete or left out.
    """
    compact = text.translate(_SPACE)
    digits = compact.rstrip("=.")
    padding, missing = len(compact) - len(digits), -len(digits) % 4
    if missing == 3 or padding not in (0, missing):
        raise ValueError("the padding fits no bytes")
    try:
        return base64.b64decode(digits + "=" * missing, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
