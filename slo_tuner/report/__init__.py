"""The report: one page and one table from results.json alone."""
