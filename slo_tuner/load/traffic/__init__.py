"""How much is asked over time: traces that were recorded, and traffic that is generated."""
