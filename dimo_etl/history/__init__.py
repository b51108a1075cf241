"""Complete history: from an endpoint that draws at random to every event of a day, with proof."""
