"""Rules of orchestration: what a stack is to be, and the engine that leads to it."""
