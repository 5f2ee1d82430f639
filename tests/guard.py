"""Runs a command for as long as its own standard input stays open, then ends it and removes its folder.

The suite holds the other end of that pipe. However the suite ends, even by `kill -9`, the system closes the
pipe, so a peer never outlives its tests and leaves nothing on the disk.

Usage: `python guard.py FOLDER SIGNAL COMMAND…`. SIGNAL is the polite signal of that command. A command that
does not end within ten seconds of it is killed. The exit code is 1 when the command ended by itself. SIGUSR1
crashes it (SIGQUIT, which PostgreSQL takes for that), and SIGUSR2 starts it again.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading

PATIENCE_SECONDS = 10
LOOK_SECONDS = 0.05


def main(folder: str, polite: int, command: list[str]) -> int:
    """Runs the command, ends it when standard input closes, removes the folder; returns the exit code."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    asked_to_end = threading.Event()
    wishes: list[int] = []
    for each in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(each, lambda number, _: wishes.append(number))

    def end_with_the_pipe() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            continue
        asked_to_end.set()

    threading.Thread(target=end_with_the_pipe, daemon=True).start()
    crashed = False
    while not asked_to_end.wait(LOOK_SECONDS) and (crashed or child.poll() is None):
        for wish in wishes[:]:
            wishes.remove(wish)
            crashed = wish == signal.SIGUSR1
            if crashed:
                child.send_signal(signal.SIGQUIT)
            else:
                child.wait()
                child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    if child.poll() is None:
        child.send_signal(polite)
        try:
            child.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    shutil.rmtree(folder, ignore_errors=True)
    return 0 if asked_to_end.is_set() else 1


if __name__ == "__main__":
    # A Ctrl-C reaches the whole foreground group; the pipe decides here, not the terminal.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
