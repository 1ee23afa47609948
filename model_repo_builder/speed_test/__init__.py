"""The speed test: built variants executed without a server, images a second and their best guesses side by side."""
