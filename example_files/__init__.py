"""Files with examples of a model's inputs, as TensorFlow's and Triton's users have them: read without either."""
