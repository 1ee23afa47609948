"""Who signs the packages of charts: a key of a keyring, given by options or by the environment of a workflow."""

from __future__ import annotations

import base64
import binascii
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

KEY, KEYRING, PASSPHRASE, URL = "CHART_KEY", "CHART_KEYRING", "CHART_PASSPHRASE", "CHART_KEY_URL"


@dataclass(frozen=True)
class Signature:
    """A key of a keyring in GnuPG's old form, by a part of its user ID, and where its public half is published."""

    key: str
    keyring: Path
    passphrase_file: Path | None = None
    public_key_url: str = ""

    @property
    def options(self) -> list[str | Path]:
        """The options of `helm package`."""
        given: list[str | Path] = ["--sign", "--key", self.key, "--keyring", self.keyring]
        return given + (["--passphrase-file", self.passphrase_file] if self.passphrase_file else [])

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the keyring's first key. ValueError where it holds none."""
        # In a home of its own: gpg makes one where its user has none, and nothing is to be left.
        with tempfile.TemporaryDirectory() as home:
            command = ["gpg", "--homedir", home, "--batch", "--quiet", "--no-autostart", "--with-colons", "--show-keys"]
            done = subprocess.run([*command, str(self.keyring)], capture_output=True, text=True, check=False)
        found = re.findall(r"(?m)^fpr:+([0-9A-F]{40}):", done.stdout)
        if not found:
            reason = done.stderr.strip().rpartition("\n")[2]
            raise ValueError(f"{self.keyring} holds no key that gpg knows: {reason}")
        return found[0]


@contextmanager
def of_environment(environment: Mapping[str, str]) -> Iterator[Signature]:
    """The signature that a workflow's secrets name, while the block runs. ValueError names a variable that is wrong.

    CHART_KEY: a part of the key's user ID; CHART_KEYRING: the keyring in base64; CHART_PASSPHRASE, where the key has
    one; CHART_KEY_URL: where the public key is published.
    """
    for name in (KEY, KEYRING):
        if not environment.get(name):
            raise ValueError(f"{name} is empty: packages can't be signed (CONTRIBUTING.md, a release of the charts)")
    try:
        keyring = base64.b64decode("".join(environment[KEYRING].split()), validate=True)
    except binascii.Error:
        raise ValueError(f"{KEYRING} is no base64, as `gpg --export-secret-keys KEY | base64` writes") from None
    with tempfile.TemporaryDirectory() as name:  # which nobody else may read
        file, passphrase = Path(name) / "keyring.gpg", Path(name) / "passphrase"
        file.write_bytes(keyring)
        passphrase.write_text(environment.get(PASSPHRASE, ""), encoding="utf-8")
        given = passphrase if environment.get(PASSPHRASE) else None
        yield Signature(environment[KEY], file, given, environment.get(URL, ""))
