"""What we learn from the past: labels, models, calibration, evidence, and the bundle that scores."""
