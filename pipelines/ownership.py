"""Who looks after the assets: the one name to change where another team does."""

OWNERS = ["team:vehicle-data"]
