"""Messages to types and back, one module per family. Nothing here needs a running graph."""
