"""The load generator: arrivals, prepared requests, Locust users, workers and their master."""
