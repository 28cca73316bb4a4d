"""The parts of a page, made of values: cells and tables, links within the page, data for its script."""
