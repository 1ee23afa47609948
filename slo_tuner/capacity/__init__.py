"""What a server is able to do, in numbers alone: service time, its fit, its queue, and how far predictions are off."""
