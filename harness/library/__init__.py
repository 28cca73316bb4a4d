"""What `import harness` offers a script or a notebook: runs as objects, and running a suite."""
