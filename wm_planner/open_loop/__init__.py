"""Open-loop evaluation: what the models get right on recorded episodes, figure by figure.

One file a family of figures. Nothing here moves a robot or needs torch; data come in as arrays.
"""
