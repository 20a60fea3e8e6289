"""``python -m solvenet``: the command line."""

from solvenet.cli import main

if __name__ == "__main__":
    main()
