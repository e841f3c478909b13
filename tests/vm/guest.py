# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the tests inside the VM and tells the host how they ended. After a power cut it goes on with the case that wanted it."""

import os
import subprocess
import sys
import unittest

import host
import runner


class Cases(runner.Lines):
    def __init__(self, progress):
        super().__init__()
        self.progress = progress
        self.good = True

    def fail(self, test, error):
        self.good = False
        super().fail(test, error)

    addFailure = fail
    addError = fail

    def startTest(self, test):
        super().startTest(test)
        self.good = True

    def stopTest(self, test):
        super().stopTest(test)
        self.progress.over[test.id()] = self.good
        self.progress.save()


def main():
    lines = host.port("lines")
    os.dup2(lines, 1)
    os.dup2(lines, 2)
    follow = ["journalctl", "--boot", "--follow", "--lines=all", "--output=short-monotonic", "--no-hostname"]
    subprocess.Popen(follow, stdout=host.port("journal"))
    host.tell("up")
    with open(os.path.join(runner.HERE, "words"), encoding="utf-8") as file:
        words = file.read().split()
    progress = host.Progress()
    cases = runner.find_cases(words)
    result = Cases(progress)
    # The classes of the cases that are left; one that was under way when the power was cut is among them.
    unittest.TestSuite(case for case in cases if case.id() not in progress.over).run(result)
    good = cases and result.wasSuccessful() and all(progress.over.values())
    # The journal has its own pace; what the tests caused is in it by then.
    subprocess.run(["journalctl", "--sync"], check=False)
    host.tell(f"end {0 if good else 1}")


try:
    main()
except BaseException as error:
    print(f"not ok the runner in the test VM: {error!r}", flush=True)
    host.tell("end 1")
    raise
