"""The simulated site: real protocols on loopback, whose faults are methods."""
