"""What inferences cost: prices, margins, dollars for a million."""
