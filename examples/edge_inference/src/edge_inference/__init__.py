"""Says by a small network whether a picture shows fire; the accelerator that would compute it is simulated."""
