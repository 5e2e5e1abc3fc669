"""`kit`: the command line, put together from the command groups of the packages."""

from patterns.commands import app

__all__ = ["app"]

if __name__ == "__main__":
    app()
