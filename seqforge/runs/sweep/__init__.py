"""Many trainings of one recipe under different settings, shared through one storage."""
