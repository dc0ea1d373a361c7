"""Start a role of the in-pod half: ``supervise --socket PATH`` as the pod's first process, or ``attach --socket PATH``.

Owns the command line. The interpreter runs with ``-I -S``, so the folder above the package is put on the path here.
``attach`` runs at every reconnect: nothing is imported for it that it does not use.
"""

import sys


def main(arguments: list[str]) -> int:
    """Run the role named first in ``arguments`` and return the process's exit status."""
    sys.path.insert(0, __file__.rsplit("/paddock/", 1)[0])
    if arguments[:2] == ["attach", "--socket"]:
        from paddock.workers.inpod.attach import attach  # noqa: PLC0415 - each role loads only what it needs

        return attach(arguments[2])
    from paddock.workers.inpod import warm  # noqa: PLC0415 - see above
    from paddock.workers.inpod.options import parse  # noqa: PLC0415 - see above

    options = parse(arguments)
    waiting = warm.begin(options.warm)  # it imports pytest on one processor while this process imports its own
    from paddock.workers.inpod.supervisor import supervise  # noqa: PLC0415 - see above

    return supervise(options, waiting)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
