"""Failover: leases, fences and the decision to move the service. Nothing is delivered yet."""
