"""One plain line for what a user can cause, in place of a traceback."""

import sys


class Failure(Exception):
    """Something that the user can put right: its text is all that is shown."""


def run(main):
    """Runs a script: exit status 1 after a Failure, 130 after Ctrl-C."""
    try:
        main()
    except Failure as failure:
        sys.exit(f"error: {failure}")
    except OSError as error:
        sys.exit(f"error: {error.filename}: {error.strerror}" if error.filename else f"error: {error}")
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted\n")
        sys.exit(130)
