"""A stand-in for the Python package tensorrt, which writes down what it is asked to build; its plan is that text."""

from types import SimpleNamespace
from typing import Any


class _Config:
    def __init__(self, asked: list[str]) -> None:
        self._asked = asked
        self.builder_optimization_level = -1

    def set_memory_pool_limit(self, pool: str, size: int) -> None:
        self._asked.append(f"{pool} {size}")

    def set_flag(self, flag: str) -> None:
        self._asked.append(f"flag {flag}")

    def add_optimization_profile(self, profile: Any) -> None:
        self._asked += profile.shapes


class _Profile:
    def __init__(self) -> None:
        self.shapes: list[str] = []

    def set_shape(self, name: str, *shapes: tuple[int, ...]) -> None:
        self.shapes.append(f"{name} {shapes}")


class _Builder:
    def __init__(self, asked: list[str]) -> None:
        self._asked = asked

    def create_network(self, flags: int) -> str:
        self._asked.append(f"network {flags}")
        return "network"

    def create_builder_config(self) -> _Config:
        return _Config(self._asked)

    def create_optimization_profile(self) -> _Profile:
        return _Profile()

    def build_serialized_network(self, network: str, config: _Config) -> bytes | None:
        text = "\n".join([*self._asked, f"level {config.builder_optimization_level}"])
        return None if "unbuildable" in text else text.encode()


class _Parser:
    def __init__(self, asked: list[str]) -> None:
        self._asked = asked

    def parse_from_file(self, path: str) -> bool:
        self._asked.append(f"graph {path}")
        return not path.endswith("unreadable.onnx")

    def get_error(self, index: int) -> SimpleNamespace:
        return SimpleNamespace(desc=lambda: "no kernel image for Foo")


def package(version: str) -> SimpleNamespace:
    """The module, of a version such as `8.6.0`."""
    asked: list[str] = []

    class Logger:
        ERROR = 1

        def __init__(self, level: int) -> None:
            assert level == self.ERROR

    return SimpleNamespace(
        __version__=version,
        Logger=Logger,
        Builder=lambda logger: _Builder(asked),
        OnnxParser=lambda network, logger: _Parser(asked),
        BuilderFlag=SimpleNamespace(FP16="FP16", INT8="INT8"),
        MemoryPoolType=SimpleNamespace(WORKSPACE="workspace"),
        NetworkDefinitionCreationFlag=SimpleNamespace(EXPLICIT_BATCH=0, STRONGLY_TYPED=1),
    )
