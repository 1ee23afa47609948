"""The one error of this package: a file, or a place in it, that gives no example of the model's inputs."""

from __future__ import annotations


class ExampleFileError(ValueError):
    """One line for a person: `where` names the file and the place in it, `found` what is there, `allowed` what may."""

    def __init__(self, where: str, found: object, allowed: str) -> None:
        text = " ".join(str(found).split())
        self.found = f"{where}: {text if len(text) <= 200 else text[:197] + '...'}"
        self.allowed = allowed
        super().__init__(f"{self.found}; allowed: {allowed}")
