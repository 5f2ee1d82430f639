"""The command `postfach`: each module here is one of its sub-commands.

A module has `register(subparsers)`, which adds the parser of the sub-command with `run` as its default, and
`run(arguments, settings) -> int`, which does the work and returns the exit code. The default `settings=False`
beside `run` says that it needs none and is given None.
"""


class CommandError(Exception):
    """A sub-command can't do what it was asked to; the message says in one line what is wrong and where."""
