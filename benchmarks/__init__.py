"""Speed and quality, each against named rivals, in one run."""
