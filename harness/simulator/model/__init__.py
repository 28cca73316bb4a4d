"""How a simulated model behaves: what it says, how quickly, and what it refuses."""
