"""The command line, one verb a file; a verb is imported when it is called.

`root` knows the verbs by name, `world` which server is meant, `show` how things are printed,
`failures` what an error looks like and which exit code it has.
"""


def main() -> None:
    """The entry point of `athanor` and `ath`."""
    from athanor.cli.root import run

    run()
