"""One plain line for what a user can cause, in place of a traceback."""

import signal
import sys


class Failure(Exception):
    """Something that the user can put right: its text is all that is shown."""


def run(main):
    """Runs a command: exit status 1 after a Failure, 130 after Ctrl-C, 143 after
    a polite kill."""

    def terminated(number, frame):
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, terminated)
    try:
        main()
    except Failure as failure:
        sys.exit(f"error: {failure}")
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        sys.stderr.close()
    except OSError as error:
        sys.exit(f"error: {error.filename}: {error.strerror}" if error.filename else f"error: {error}")
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted: the same command goes on from here\n")
        sys.exit(130)
