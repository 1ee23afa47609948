"""Examples of the inputs of a model: images, photographs, token sequences."""
