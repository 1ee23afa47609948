"""The engines by the name that a plan uses; adding one is a module here and a line in the table."""

from model_repo_builder.engines import onnxruntime, openvino, tensorflow, tensorrt, tftrt
from model_repo_builder.engines.base import Engine

ENGINES: dict[str, Engine] = {
    engine.name: engine
    for engine in (tensorflow.ENGINE, tftrt.ENGINE, onnxruntime.ENGINE, openvino.ENGINE, tensorrt.ENGINE)
}
