"""One module for each question that the benchmark answers. Each has `run(world, …)`, which gives its findings."""
