# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the test files here and prints one line per case: ok, not ok with the reason, skip with the reason.

runner.py [--share K/N] [PATTERN...]: only cases whose name contains one of the words; of these only every Nth class, from
the Kth, so that several runs share the work.
"""

import faulthandler
import os
import signal
import sys
import time
import traceback
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
CASE_SECONDS_MAX = 300


def all_cases(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from all_cases(item)
        else:
            yield item


class Lines(unittest.TestResult):
    def startTest(self, test):
        super().startTest(test)
        self.begin = time.monotonic()
        self.verdict = None
        # A case that hangs says where, and ends the run.
        faulthandler.dump_traceback_later(CASE_SECONDS_MAX, exit=True)

    def stopTest(self, test):
        faulthandler.cancel_dump_traceback_later()
        super().stopTest(test)

    @staticmethod
    def name(test):
        return test.id().removeprefix("unittest.suite._ErrorHolder.")

    def say(self, verdict, test, text=""):
        print(f"{verdict} {self.name(test)}{text}", flush=True)

    def addSuccess(self, test):
        self.say("ok", test, f" ({time.monotonic() - self.begin:.2f} s)")

    def fail(self, test, error):
        super().addFailure(test, error)
        traceback.print_exception(*error, file=sys.stdout)
        log = getattr(getattr(test, "daemon", None), "tail", None)
        if log:
            print("  the daemon's log:\n" + "".join(f"    {line}\n" for line in log().splitlines()))
        self.say("not ok", test, ": " + " ".join(str(error[1]).split("\n")[0].split())[:300])

    addFailure = fail
    addError = fail

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.say("skip", test, f": {reason}")

    def addSubTest(self, test, subtest, error):
        if error is None:
            self.say("ok", subtest)
        else:
            self.fail(subtest, error)


def find_cases(words):
    sys.path.insert(0, HERE)
    cases = all_cases(unittest.defaultTestLoader.discover(HERE, "test_*.py", HERE))
    return [case for case in cases if not words or any(word in case.id() for word in words)]


def class_of(case):
    return case.id().rsplit(".", 1)[0]


def share_of(cases, share):
    number, of = map(int, share.split("/"))
    mine = sorted({class_of(case) for case in cases})[number - 1::of]
    return [case for case in cases if class_of(case) in mine]


def main():
    # A shell lets what it starts in the background ignore it, and what we start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    words = sys.argv[1:]
    share = words.pop(0) and words.pop(0) if words[:1] == ["--share"] else "1/1"
    cases = find_cases(words)
    result = Lines()
    unittest.TestSuite(share_of(cases, share)).run(result)
    return 0 if result.wasSuccessful() and cases else 1


if __name__ == "__main__":
    sys.exit(main())
