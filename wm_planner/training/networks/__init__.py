"""The networks: autoencoder, denoiser, inverse dynamics, value."""
