"""Training, export and evaluation of the models; the only part that needs torch."""
