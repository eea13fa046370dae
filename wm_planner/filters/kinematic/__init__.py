"""What the kinematic filter measures: one check a file, each a function of a `Motion`."""
