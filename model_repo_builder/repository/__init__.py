"""The model repository: config.pbtxt, model.py, manifest, labels, alias, and publishing all of it."""
