"""`kit`: the command line, put together from the command groups of the packages."""

from benchmarks.commands import bench
from patterns.commands import app

app.command()(bench)

if __name__ == "__main__":
    app()
