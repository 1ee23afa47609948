"""From one Pod's capacity to a fleet: how many Pods, when to add them, what they cost."""
