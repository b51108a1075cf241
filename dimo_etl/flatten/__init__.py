"""From documents as received to rows of `signals`, leaf by leaf, losing nothing."""
