"""Where rows come from, when they are not an array in memory."""
